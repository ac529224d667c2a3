"""The output folder: names from replacement identifiers only, nothing half-written under them.

Everything is written under a name of ours first (``.dicomveil-*.part`` in the same folder), made
durable, then renamed. A run that was killed leaves such names behind; the next run removes them.
No name is ever resolved through a link inside the folder.

What is durable when: files are flushed in groups, in parallel, before they get their names;
folders are flushed once at the end of the run. After a power cut in the middle of a run every
file that is there is whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
from typing import TYPE_CHECKING

from daemon.batch.errors import BatchRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PART = re.compile(r"\.dicomveil-[0-9a-f]+(?:-[0-9]+)?\.part")
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDERS_KEPT_OPEN = 128
_COMPARE_BYTES = 1 << 20
_LOOKED_AT = 5000
_EARLIER_QUARANTINE = ".quarantine"
"""Where earlier builds put originals."""


class OutputFolder:
    """The folder of one run, locked against another run.

    Raises
    ------
    BatchRefused
        If it is no folder, or another run writes to it.
    OSError
        If it cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileExistsError, NotADirectoryError) as error:
            raise BatchRefused(f"{path} is not a folder") from error
        try:
            fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._root)
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                raise BatchRefused(f"another run is writing to {path}") from error
            raise
        self.path = path.absolute()
        self._run = secrets.token_hex(8)
        self._parts = 0
        self._placed: set[tuple[str, ...]] = set()
        self._open_folders: dict[tuple[str, ...], int] = {}
        self._to_flush: set[tuple[str, ...]] = set()
        self._remove_parts(self._root)
        self._was_empty = not any(path.iterdir())

    def new_part(self) -> str:
        """Return the name of a file to be written, in this folder."""
        self._parts += 1
        return f".dicomveil-{self._run}-{self._parts}.part"

    def flush_part(self, part: str) -> None:
        """Make a written file durable. May be called on several threads."""
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._root)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove_part(self, part: str) -> None:
        """Remove a file that is not wanted, if it was written at all."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part, dir_fd=self._root)

    def place(self, part: str, way: tuple[str, ...]) -> str:
        """Give a file its name.

        Parameters
        ----------
        way
            Its folders below this one, and its name.

        Returns
        -------
        str
            ``""``; ``"duplicate"`` when this run has written the same bytes there, or ``"conflict"`` when
            it has written others; the part is gone.
        """
        folder = self._folder(way[:-1])
        if way in self._placed:
            is_same = self._same(part, folder, way[-1])
            self.remove_part(part)
            return "duplicate" if is_same else "conflict"
        os.rename(part, way[-1], src_dir_fd=self._root, dst_dir_fd=folder)
        self._placed.add(way)
        self._to_flush.add(way[:-1])
        return ""

    def put(self, part: str, name: str) -> None:
        """Give a durable file of ours its name in this folder itself."""
        os.rename(part, name, src_dir_fd=self._root, dst_dir_fd=self._root)

    def remove(self, name: str) -> None:
        """Remove a file of ours from this folder itself, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._root)

    def new_file(self, name: str) -> int:
        """Return a new file in this folder itself, opened for writing by the user alone."""
        return os.open(name, _NEW_FILE_FLAGS, 0o600, dir_fd=self._root)

    def append_to(self, name: str) -> int:
        """Return a file of ours in this folder itself, opened for adding to it."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(name, flags, dir_fd=self._root)

    def read(self, name: str) -> bytes | None:
        """Return what a file of ours in this folder itself holds; None without one."""
        try:
            descriptor = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._root
            )
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def status(self, way: Sequence[str]) -> os.stat_result | None:
        """Return the status of what has a name below this folder, without following a link; None of nothing."""
        folder = self._root
        opened = self._open_folders.get(tuple(way[:-1]))
        try:
            if opened is not None:
                return os.stat(way[-1], dir_fd=opened, follow_symlinks=False)
            for each in way[:-1]:
                inner = os.open(each, _FOLDER_FLAGS, dir_fd=folder)
                if folder != self._root:
                    os.close(folder)
                folder = inner
            return os.stat(way[-1], dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None
        finally:
            if folder != self._root:
                os.close(folder)

    def is_placed(self, way: tuple[str, ...]) -> bool:
        """Return whether this run has given a file that name."""
        return way in self._placed

    def claim(self, way: tuple[str, ...]) -> None:
        """Take the file of an earlier run that has that name for one of this run."""
        self._placed.add(way)

    def count_others(self) -> int:
        """Return how many ``.dcm`` files lie here that have no name of this run's; none in a new folder."""
        if self._was_empty:
            return 0
        others = 0
        for folder, folders, names in os.walk(self.path):
            folders[:] = [each for each in folders if each != _EARLIER_QUARANTINE]
            way = tuple(os.path.relpath(folder, self.path).split("/"))
            above = () if way == (".",) else way
            others += sum(
                name.endswith(".dcm") and (*above, name) not in self._placed for name in names
            )
        return others

    def holds_instances(self) -> bool:
        """Return whether a DICOM file lies here, among the first thousands of files."""
        looked_at = 0
        for folder, folders, names in os.walk(self.path):
            folders[:] = sorted(each for each in folders if each != _EARLIER_QUARANTINE)
            for name in sorted(names):
                looked_at += 1
                if looked_at > _LOOKED_AT:
                    return False
                path = f"{folder}/{name}"
                if _is_part10(path):
                    return True
        return False

    def finish(self) -> None:
        """Make all names durable."""
        above: set[tuple[str, ...]] = {()}
        for way in self._to_flush:
            above.update(way[:depth] for depth in range(1, len(way) + 1))
        for way in sorted(above):
            os.fsync(self._folder(way))

    def close(self) -> None:
        """Remove what was not finished, and let other runs in."""
        self._remove_parts(self._root)
        for descriptor in self._open_folders.values():
            os.close(descriptor)
        self._open_folders.clear()
        os.close(self._root)

    def _folder(self, way: tuple[str, ...]) -> int:
        """Return the open folder, made where it is missing; only the last ones used stay open."""
        if not way:
            return self._root
        if (found := self._open_folders.pop(way, None)) is None:
            above = self._folder(way[:-1])
            with contextlib.suppress(FileExistsError):
                os.mkdir(way[-1], dir_fd=above)
            found = os.open(way[-1], _FOLDER_FLAGS, dir_fd=above)
        self._open_folders[way] = found
        if len(self._open_folders) > _FOLDERS_KEPT_OPEN:
            oldest = next(iter(self._open_folders))
            os.close(self._open_folders.pop(oldest))
        return found

    def _same(self, part: str, folder: int, name: str) -> bool:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with (
            os.fdopen(os.open(part, flags, dir_fd=self._root), "rb") as new,
            os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as old,
        ):
            while (data := new.read(_COMPARE_BYTES)) == old.read(_COMPARE_BYTES):
                if not data:
                    return True
        return False

    @staticmethod
    def _remove_parts(folder: int) -> None:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _PART.fullmatch(entry.name)]
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)


def _is_part10(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.pread(descriptor, 4, 128) == b"DICM"
    except OSError:
        return False
    finally:
        os.close(descriptor)
