"""The files of the viewer out of a tarball or a folder: plain files, inside, and not without end."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from daemon.viewer.errors import PackageRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

INDEX: Final = "index.html"
_PLACES: Final = ("", "dist", "package/dist", "package")
"""Where the viewer lies in a build, a package, and the tarball of one."""
_GZIP: Final = b"\x1f\x8b"
_CHUNK_BYTES: Final = 1 << 20
_MOST_NAME_CHARACTERS: Final = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a package may hold; the pinned one has 350 files of 213 MB in all."""

    bytes: int = 1 << 30
    files: int = 20_000


class _Budget:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = self._entries = 0

    def entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.files:
            raise PackageRefused(f"the package holds more than {self._limits.files} entries")

    def add(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._limits.bytes:
            raise PackageRefused(f"the package holds more than {self._limits.bytes} bytes")


def unpack(source: Path, folder: Path, limits: Limits | None = None) -> Path:
    """Copy a package into an empty folder; return the folder in it that holds the viewer.

    Parameters
    ----------
    source
        A tarball, or a folder with its contents.

    Raises
    ------
    PackageRefused
        If an entry would lie outside, is neither a file nor a folder, if there is more than the limits
        allow, or no viewer in it. What was copied until then is left to the caller.
    """
    budget = _Budget(limits or Limits())
    if source.is_dir():
        _copy_folder(source, folder, budget)
    else:
        _copy_tarball(source, folder, budget)
    for place in _PLACES:
        found = folder / place
        if (found / INDEX).is_file() and any(found.glob("app.bundle.*js")):
            return found
    raise PackageRefused("this is not OHIF: no index.html beside an app.bundle.js in it")


def _copy_tarball(source: Path, folder: Path, budget: _Budget) -> None:
    try:
        with _opened(source) as archive:
            for member in archive:
                budget.entry()
                path = _inside(member.name, folder)
                if member.isdir():
                    continue
                if not member.isreg():
                    raise PackageRefused("the package holds a link or a device")
                content = archive.extractfile(member)
                assert content is not None
                with content:
                    _write(content, path, budget)
    except (tarfile.TarError, EOFError, zlib.error, TypeError, ValueError) as error:
        raise PackageRefused("the package is damaged, or no tarball") from error


def _opened(source: Path) -> tarfile.TarFile:
    with source.open("rb") as file:
        is_compressed = file.read(2) == _GZIP
    return tarfile.open(source, "r|gz" if is_compressed else "r|", bufsize=_CHUNK_BYTES)


def _copy_folder(source: Path, folder: Path, budget: _Budget) -> None:
    for path, status in _walk(source, budget):
        if not stat.S_ISREG(status.st_mode):
            raise PackageRefused("the folder holds a link or a device")
        target = _inside(str(PurePosixPath(path.relative_to(source))), folder)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as content:
            _write(content, target, budget)


def _walk(folder: Path, budget: _Budget) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is in a folder and those below it, without following links."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            budget.entry()
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), budget)
            else:
                yield Path(entry.path), entry.stat(follow_symlinks=False)


def _inside(name: str, folder: Path) -> Path:
    parts = PurePosixPath(name).parts
    is_plain = not any(part in {"/", "//", ".."} or not part.isprintable() for part in parts)
    if not is_plain or "\\" in name or len(name) > _MOST_NAME_CHARACTERS:
        raise PackageRefused("the package holds an entry that would lie outside its folder")
    return folder.joinpath(*parts)


def _write(content: IO[bytes], path: Path, budget: _Budget) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            while chunk := content.read(_CHUNK_BYTES):
                budget.add(len(chunk))
                file.write(chunk)
    except (FileExistsError, IsADirectoryError) as error:
        raise PackageRefused("the package holds two entries of one name") from error


def remove(folder: Path) -> None:
    """Remove a folder that `unpack` filled, as far as it is there."""
    shutil.rmtree(folder, ignore_errors=True)
