"""Members that lie in the clear: stretches of a file, and a reader of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from daemon.errors import Refused
from daemon.receive.archive import ArchiveReason

if TYPE_CHECKING:
    from collections.abc import Sequence

ReadAt = Callable[[int, int], bytes]
"""Returns up to so many bytes (second) at an offset (first); fewer at the end only."""

Stretch = tuple[int, int]
"""Offset and number of bytes."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive.

    Attributes
    ----------
    name
        As the archive says, which may name a patient: for the report only.
    reason
        Why it cannot be read, or empty.
    """

    name: str
    size: int
    stretches: tuple[Stretch, ...] = ()
    reason: str = ""


def reader_of(descriptor: int) -> ReadAt:
    """Return what reads an open file at any offset."""
    return lambda offset, count: os.pread(descriptor, count, offset)


class StretchReader:
    """The bytes of one member, one stretch after the other; a context manager."""

    def __init__(self, path: str, stretches: Sequence[Stretch]) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._left = [(offset, count) for offset, count in stretches if count]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._descriptor)

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes, empty at the end. Raises `Refused` where the file has become shorter."""
        if not self._left:
            return b""
        offset, left = self._left[0]
        data = os.pread(self._descriptor, min(count, left), offset)
        if not data:
            raise Refused(ArchiveReason.BROKEN)
        if len(data) == left:
            self._left.pop(0)
        else:
            self._left[0] = (offset + len(data), left - len(data))
        return data
