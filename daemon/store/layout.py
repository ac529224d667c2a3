"""What is where in the state folder, and who may use it.

::

    state_dir/                0700, files 0600
        lock                  held while a daemon runs
        dicomveil.sqlite      receipts, outcomes and the index of every store
        spool/                received, acknowledged, not yet settled
        work/                 outputs that workers are writing
        source/  deid/        blobs of the configured stores, a folder each
        store-7/              those of a store that somebody made
        lost+found/           files that nobody could explain (made when needed)
        viewer/               the viewer's files, once an operator has installed it (`daemon.viewer`)
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import StoreUnavailable

if TYPE_CHECKING:
    from daemon.store.rows import Store

DATABASE_NAME = "dicomveil.sqlite"
_NUMBER = re.compile(r"[0-9]{1,18}")
_BLOB_NAME = re.compile(r"[0-9a-f]{32}[-.]")
FOLDER_MODE = 0o700
FILE_MODE = 0o600
_LOCKS = Path("/proc/locks")
_ALONE = fcntl.LOCK_EX | fcntl.LOCK_NB
_LOCKS_NO_FOLDERS = {errno.EBADF, errno.EINVAL, errno.EISDIR, errno.ENOLCK, errno.EOPNOTSUPP}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in a state folder."""

    state_dir: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.state_dir / DATABASE_NAME

    @property
    def spool(self) -> Path:
        """Received instances that still wait."""
        return self.state_dir / "spool"

    @property
    def work(self) -> Path:
        """Outputs that workers are writing."""
        return self.state_dir / "work"

    @property
    def lost(self) -> Path:
        """What nobody could explain."""
        return self.state_dir / "lost+found"

    @property
    def lock(self) -> Path:
        """Held by the running daemon."""
        return self.state_dir / "lock"

    def holds_blobs(self) -> bool:
        """Tell whether any store's folder has a file of ours; which stores there are, only the rows know."""
        ours = {self.spool, self.work, self.lost}
        for folder in self.state_dir.iterdir():
            if folder in ours or folder.is_symlink() or not folder.is_dir():
                continue
            for _, _, names in os.walk(folder):
                if any(_BLOB_NAME.match(name) for name in names):
                    return True
        return False

    def store_folders(self) -> list[tuple[int, Path]]:
        """Return the folders of stores that somebody made, by the numbers of those stores."""
        found = (
            (each.name.removeprefix("store-"), each)
            for each in self.state_dir.glob("store-*")
            if each.is_dir() and not each.is_symlink()
        )
        return sorted((int(number), each) for number, each in found if _NUMBER.fullmatch(number))

    def blobs(self, store: Store) -> Path:
        """Return the blob folder of a store."""
        return self.state_dir / store.folder


class StateLock:
    """The right to be the only daemon on a state folder; given up with the process, however it ends.

    Held on the lock's file and on the folder itself: whoever takes the file for a stale one and removes it
    lets no second daemon in. File systems that lock no folders (NFS) have the file alone.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptors = [os.open(path, flags, FILE_MODE)]
        try:
            fcntl.flock(self._descriptors[0], _ALONE)
            self._descriptors.append(os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC))
            _lock_folder(self._descriptors[1])
        except OSError as error:
            self.release()
            if not isinstance(error, BlockingIOError):
                raise
            raise StoreUnavailable(
                f"another process, such as the service, is using {path.parent}; stop it first"
            ) from error

    def release(self) -> None:
        """Give it up; may be called twice."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def is_locked(layout: Layout) -> bool:
    """Tell whether a daemon holds the lock of a state folder, or the folder alone where the lock was removed.

    Looks into the kernel's table instead of trying the lock: a daemon that starts at this moment
    must not find it taken.
    """
    ends = tuple(
        f":{path.stat().st_ino}" for path in (layout.lock, layout.state_dir) if path.exists()
    )
    try:
        table = _LOCKS.read_text("ascii")
    except OSError:
        return False
    held = (line.split() for line in table.splitlines())
    return any(
        fields[1] == "FLOCK" and fields[3] == "WRITE" and fields[5].endswith(ends)
        for fields in held
        if len(fields) > 5
    )


def _lock_folder(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, _ALONE)
    except OSError as error:
        if error.errno not in _LOCKS_NO_FOLDERS:
            raise
