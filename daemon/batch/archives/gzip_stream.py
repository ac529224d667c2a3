"""What a gzip file holds, as a stream that is counted as it comes out (RFC 1952)."""

from __future__ import annotations

import gzip
import os
import zlib
from typing import TYPE_CHECKING, Self

from daemon.errors import Refused
from daemon.receive.archive import ArchiveReason

if TYPE_CHECKING:
    from daemon.receive.archive import ArchiveLimits

_RATIO_COUNTS_FROM = 64 << 20
_AT_ONCE = 1 << 20


class GzipStream:
    """The unfolded bytes; a context manager. Check sums are verified at the end.

    Parameters
    ----------
    most_bytes
        Of what comes out; beyond it is ``too_large``.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """

    def __init__(self, path: str, limits: ArchiveLimits, most_bytes: int) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._file = os.fdopen(descriptor, "rb")
        self._bytes = os.fstat(descriptor).st_size
        self._stream = gzip.GzipFile(fileobj=self._file, mode="rb")
        self._limits = limits
        self._most_bytes = most_bytes
        self._out = 0
        self._held = b""
        self._held_at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stream.close()
        self._file.close()

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes, empty at the end.

        Raises
        ------
        Refused
            When the file is damaged, cut off, or unfolds beyond the limits.
        """
        try:
            data = self._stream.read(min(count, _AT_ONCE))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Refused(ArchiveReason.BROKEN) from error
        self._out += len(data)
        if self._out > self._most_bytes:
            raise Refused(ArchiveReason.TOO_LARGE)
        if self._out > self._limits.total_bytes or (
            self._out > _RATIO_COUNTS_FROM and self._out > self._limits.ratio * self._bytes
        ):
            raise Refused(ArchiveReason.BOMB)
        return data

    def read_at(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes at an offset that lies behind the last one asked for, or just before.

        Raises `Refused` as `read` does.
        """
        if offset < self._held_at:
            raise Refused(ArchiveReason.BROKEN)
        while self._held_at + len(self._held) <= offset:
            self._held_at += len(self._held)
            self._held = self.read(_AT_ONCE)
            if not self._held:
                return b""
        keep = offset - self._held_at
        while len(self._held) < keep + count:
            more = self.read(_AT_ONCE)
            if not more:
                break
            # What lies before is asked for no more.
            self._held, self._held_at = self._held[keep:] + more, self._held_at + keep
            keep = 0
        return self._held[keep : keep + count]
