"""What is installed: a folder of files that nobody changes, and a table that names each of them.

::

    state_dir/viewer/
        installed.json        which folder counts, and of each file its size and digest
        <digest>/             the files; a folder that `installed.json` does not name is not served

The table is replaced by a rename once all files are there, so that whoever reads it finds one release whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.viewer.adapting import adapt
from daemon.viewer.errors import ViewerRefused
from daemon.viewer.release import is_pinned
from daemon.viewer.unpacking import remove, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daemon.viewer.unpacking import Limits

_TABLE: Final = "installed.json"
NOTHING: Final = (0, 0)
"""The stamp of a place where nothing is installed."""
_VERSION: Final = re.compile(r"[0-9A-Za-z.+-]{1,64}")
_UNFINISHED: Final = "new-"
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_FOLDER: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class File:
    """One file of the viewer.

    Attributes
    ----------
    is_adapted
        Whether it is no longer as it came, so that a name made from its content does not tell it from others.
    """

    bytes: int
    sha256: str
    is_adapted: bool = False


@dataclass(frozen=True, slots=True)
class Installation:
    """A release that can be served.

    Attributes
    ----------
    version
        What its package says of itself; empty where it says nothing.
    is_pinned
        Whether it is the release that the service is tested with, byte for byte.
    files
        By their paths below `folder`, with slashes.
    """

    version: str
    is_pinned: bool
    folder: Path
    files: Mapping[str, File]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files.values())


def place_in(state_dir: Path) -> Path:
    """Return where installations lie in a state folder."""
    return state_dir / "viewer"


def install(source: Path, place: Path, limits: Limits | None = None) -> Installation:
    """Install what a tarball or a folder holds, and serve it from now on; what was installed before goes.

    Parameters
    ----------
    place
        Where installations lie; made if need be.

    Raises
    ------
    PackageRefused
        As `unpacking.unpack` does; then all is as it was.
    """
    place.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    place.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    with _alone(place):
        unpacked = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place))
        try:
            app = unpack(source, unpacked, limits)
            return _take(app, place, is_pinned=source.is_file() and is_pinned(source))
        finally:
            remove(unpacked)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Keep other installations out, and remove what one that was killed has left."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ViewerRefused("another installation is under way") from error
        for path in place.glob(f"{_UNFINISHED}*"):
            remove(path) if path.is_dir() else path.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def _take(app: Path, place: Path, *, is_pinned: bool) -> Installation:
    """Make an unpacked release the one that is served."""
    files = {
        path.relative_to(app).as_posix(): _described(path)
        for path in sorted(app.rglob("*"))
        if path.is_file()
    }
    table = {name: [file.bytes, file.sha256, file.is_adapted] for name, file in files.items()}
    digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode("utf-8")).hexdigest()[:32]
    version = _version(app) or _version(app.parent)
    before, folder = installed(place), place / digest
    if before is None or before.folder != folder:
        remove(folder)
        _close_to_others(app)
        app.rename(folder)
    else:
        _close_to_others(folder)
    written = {"version": version, "pinned": is_pinned, "folder": digest, "files": table}
    _replace(place / _TABLE, json.dumps(written).encode("utf-8"))
    for other in place.iterdir():
        if other != folder and _FOLDER.fullmatch(other.name):
            remove(other)
    return Installation(version, is_pinned, folder, files)


def _close_to_others(folder: Path) -> None:
    """Give a release the modes that all of a state folder has, whatever the umask made of it."""
    folder.chmod(_FOLDER_MODE)
    for path in folder.rglob("*"):
        path.chmod(_FOLDER_MODE if path.is_dir() else _FILE_MODE)


def installed(place: Path) -> Installation | None:
    """Return what is installed; None where nothing is, or not all of it is there any more."""
    try:
        table = json.loads((place / _TABLE).read_bytes())
        folder = place / _name(table["folder"])
        files = {
            str(name): File(int(size), str(sha), bool(adapted))
            for name, (size, sha, adapted) in table["files"].items()
        }
        is_whole = all((folder / name).stat().st_size == file.bytes for name, file in files.items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    found = Installation(str(table["version"]), bool(table["pinned"]), folder, files)
    return found if is_whole else None


def stamp(place: Path) -> tuple[int, int]:
    """Return what changes when something else is installed; `NOTHING` where nothing is."""
    try:
        found = (place / _TABLE).stat()
    except OSError:
        return NOTHING
    return (found.st_mtime_ns, found.st_ino)


def _name(folder: Any) -> str:
    if not isinstance(folder, str) or not _FOLDER.fullmatch(folder):
        raise ValueError("not a folder of ours")
    return folder


def _version(folder: Path) -> str:
    try:
        found = json.loads((folder / "package.json").read_bytes()).get("version", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) and _VERSION.fullmatch(found) else ""


def _described(path: Path) -> File:
    is_adapted = adapt(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return File(path.stat().st_size, digest, is_adapted)


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
