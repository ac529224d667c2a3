"""Where the bytes of an association arrive."""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Final

_BUFFER_BYTES: Final = 256 << 10


def receiving_buffer() -> memoryview:
    """Return an association's buffer: as much of it takes memory as was ever filled at once."""
    pages = mmap.mmap(-1, _BUFFER_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return memoryview(pages)
