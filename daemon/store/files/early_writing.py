"""The bytes of a file on their way to the disk while the rest of them comes."""

from __future__ import annotations

import ctypes
import queue
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_WRITE: Final = 2
"""SYNC_FILE_RANGE_WRITE of sync_file_range(2): begin to write, and wait for nothing."""
_MOST_WAITING: Final = 8


def _begin_to_write(descriptor: int) -> None:
    if _sync_file_range is not None:
        _sync_file_range(descriptor, 0, 0, _WRITE)


class EarlyWriting:
    """Has the kernel begin to write files, in a thread of its own: where the disk is busy, that may take long.

    It is a hint, and makes nothing durable: whoever has to know flushes, and finds less to do then.
    """

    def __init__(self, write: Callable[[int], None] = _begin_to_write) -> None:
        self._write = write
        self._asked: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self, descriptor: int) -> None:
        """Ask for all that was written to a file so far; forgotten where the disk does not keep up.

        The file may be closed meanwhile, and its number be another's: then that is written a little earlier.
        """
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._write_until_closed, name="write-early", daemon=True
            )
            self._thread.start()
        if self._asked.qsize() < _MOST_WAITING:
            self._asked.put(descriptor)

    def close(self) -> None:
        """Let what was asked for be done, and end."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()
            self._thread = None

    def _write_until_closed(self) -> None:
        while (descriptor := self._asked.get()) is not None:
            self._write(descriptor)


_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
