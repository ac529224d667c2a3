"""Reading the bytes of an input again, wherever they lie."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from daemon.receive.archive import Archive, ArchiveLimits, EntryReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from io import FileIO

    from daemon.batch.inputs import Input

_CHUNK_BYTES = 1 << 20


class Sources:
    """Opens entries of archives; the last archive stays open, as its entries come in a row."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._path = ""
        self._archive: Archive | None = None

    def open(self, source: Input) -> AbstractContextManager[FileIO | EntryReader]:
        """Return a reader of the bytes of an input. Raises `Refused` or OSError."""
        if source.member is None:
            return open(source.path, "rb", buffering=0)  # noqa: PTH123
        return self.open_member(source.path, source.member)

    def open_member(self, path: str, member: int) -> EntryReader:
        """Return a reader of one entry. Raises `Refused` or OSError."""
        if self._archive is None or self._path != path:
            self.close()
            file = open(path, "rb")  # noqa: PTH123, SIM115 - the archive closes it
            try:
                self._archive = Archive(file, self._limits)
            except BaseException:
                file.close()
                raise
            self._path, self._file = path, file
        return self._archive.open(member)

    def close(self) -> None:
        """Close what is open. May be called twice."""
        if self._archive is not None:
            self._archive.__exit__()
            self._file.close()
            self._archive = None


def copy_all(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> int:
    """Copy to the end; return how many bytes that were."""
    size = 0
    while data := read(_CHUNK_BYTES):
        write(data)
        size += len(data)
    return size


def unnamed_file(folder: str) -> int:
    """Return a new file that has no name and is gone when it is closed, even by SIGKILL.

    It holds identified data for a moment. Where the file system has no such files it is memory.
    """
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.memfd_create("input", os.MFD_CLOEXEC)
