"""A file as a buffer, without reading it."""

from __future__ import annotations

import mmap
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Buffer = mmap.mmap | bytes


@contextmanager
def mapped(descriptor: int) -> Iterator[Buffer]:
    """Map a whole file for reading; an empty one, which cannot be mapped, gives empty bytes."""
    if os.fstat(descriptor).st_size == 0:
        yield b""
        return
    buffer = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    try:
        yield buffer
    finally:
        # An exception's frames may still hold a view; the map goes with them then.
        with suppress(BufferError):
            buffer.close()
