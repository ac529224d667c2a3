"""The tar archive in a gzip file, laid out where its members can be reached in any order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from daemon.batch.archives.gzip_stream import GzipStream
from daemon.batch.errors import BatchFailed
from daemon.batch.scratch import unnamed_file

if TYPE_CHECKING:
    from daemon.receive.archive import ArchiveLimits

_CHUNK_BYTES = 1 << 20


class Unpacked:
    """A file without a name; it is closed, and so gone, when nothing refers to it any more.

    Attributes
    ----------
    path
        Where this process and its children reach it, as long as it is open.

    Raises
    ------
    Refused
        As `GzipStream.read`.
    BatchFailed
        When there is no room for it.
    """

    def __init__(self, path: str, folder: str, limits: ArchiveLimits) -> None:
        self._descriptor = -1
        with GzipStream(path, limits, limits.total_bytes) as stream:
            try:
                self._descriptor = unnamed_file(folder)
            except OSError as error:
                raise BatchFailed.of(error) from error
            self.size = 0
            while data := stream.read(_CHUNK_BYTES):
                self._write(data)
        self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read_at(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes at an offset."""
        return os.pread(self._descriptor, count, offset)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                written = os.write(self._descriptor, view)
                self.size += written
                view = view[written:]
        except OSError as error:
            raise BatchFailed.of(error) from error
