"""What is known of very many people, for all workers of a run: a file without a name, one crowd after another.

The process that runs the workers holds it open; they find it among that process's open files, so it is gone
with it. It holds identified data.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from daemon.batch.scratch import unnamed_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deid.text.crowd import Crowd

CROWD: Final = "CROWD"
"""In place of an infoType among what is known of an input: its value is the digest of a crowd."""

Place = tuple[int, int]
"""Where a crowd lies in the file, and how long it is."""


@contextmanager
def crowds_of_run(folder: str) -> Iterator[str]:
    """Hold a file open for the crowds of a run; yield how workers find it."""
    descriptor = unnamed_file(folder)
    try:
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


class Crowds:
    """The crowds of a run, as a worker sees them.

    Parameters
    ----------
    path
        As `crowds_of_run` yields it.
    folder
        Where to put files without a name.
    """

    def __init__(self, path: str, folder: str) -> None:
        self._path = path
        self._folder = folder
        self._opened: dict[Place, Crowd] = {}

    def scratch(self) -> BinaryIO:
        """Return a new file without a name. Raises OSError."""
        return os.fdopen(unnamed_file(self._folder), "r+b")

    def append(self, gathered: BinaryIO) -> Place:
        """Add a crowd to the file; it is for all workers from then on. Raises OSError."""
        gathered.flush()
        size = gathered.seek(0, os.SEEK_END)
        target = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(target, fcntl.LOCK_EX)
            end = os.fstat(target).st_size
            start = end + -end % mmap.ALLOCATIONGRANULARITY
            os.lseek(target, start, os.SEEK_SET)
            sent = 0
            while sent < size:
                sent += os.sendfile(target, gathered.fileno(), sent, size - sent)
        finally:
            os.close(target)
        return start, size

    def at(self, places: Sequence[Sequence[int]]) -> tuple[Crowd, ...]:
        """Return the crowds that lie there. Raises OSError."""
        if not places:
            return ()
        # Few runs have one, and it is slow to import.
        from deid.text.crowd import Crowd  # noqa: PLC0415

        found: list[Crowd] = []
        for start, size in places:
            if (start, size) not in self._opened:
                with open(self._path, "rb", buffering=0) as file:  # noqa: PTH123 - strings, as everywhere in a job
                    content = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ, offset=start)
                self._opened[start, size] = Crowd(memoryview(content))
            found.append(self._opened[start, size])
        return tuple(found)
