"""Writing what the de-identifier returned: new bytes, and spans of the source."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from deid.segments import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.header import Buffer
    from deid.segments import Segment

# Measured: up to here, writing from the mapped source together with what precedes takes less time than
# a copy inside the kernel, which goes page by page where offsets differ.
_COPY_IN_KERNEL_BYTES = 1024 * 1024
_BATCH_BYTES = 1024 * 1024
_BATCH_SEGMENTS = 512  # IOV_MAX is 1024
_CANNOT_COPY = frozenset({errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


def write_segments(fd_out: int, fd_in: int, source: Buffer, segments: Iterable[Segment]) -> int:
    """Write segments one after the other and return how many bytes that were.

    Small pieces go out together; large spans are copied inside the kernel (and shared on file
    systems that can), so that pixel data that stays as it was costs no memory here.

    Parameters
    ----------
    fd_out
        Where to write, at its present offset.
    fd_in, source
        The file that spans point into, and the same file mapped; its offset is neither used nor moved.

    Raises
    ------
    EOFError
        When a span reaches past the end of the source.
    OSError
        As the file system answers; what was written by then stays.
    """
    written = 0
    batch: list[bytes | memoryview] = []
    batch_bytes = 0
    # Nobody may hold a part of a mapped file when it is unmapped, not even the trace of an error.
    views = [memoryview(source)]
    try:
        for segment in segments:
            if isinstance(segment, Span):
                if segment.stop > len(source):
                    raise EOFError("a span reaches past the end of the source")
                size = segment.stop - segment.start
                if size >= _COPY_IN_KERNEL_BYTES:
                    written += _write_all(fd_out, batch)
                    batch, batch_bytes = [], 0
                    written += _copy(fd_out, fd_in, segment.start, segment.stop)
                    continue
                views.append(views[0][segment.start : segment.stop])
                batch.append(views[-1])
            else:
                size = len(segment)
                batch.append(segment)
            batch_bytes += size
            if len(batch) >= _BATCH_SEGMENTS or batch_bytes >= _BATCH_BYTES:
                written += _write_all(fd_out, batch)
                batch, batch_bytes = [], 0
        return written + _write_all(fd_out, batch)
    finally:
        for view in views:
            view.release()


def _write_all(fd: int, pieces: list[bytes | memoryview]) -> int:
    total = sum(map(len, pieces))
    if not total:
        return 0
    written = os.writev(fd, pieces)
    if written < total:
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]
    return total


def _copy(fd_out: int, fd_in: int, start: int, stop: int) -> int:
    offset = start
    while offset < stop:
        try:
            copied = os.copy_file_range(fd_in, fd_out, stop - offset, offset_src=offset)
        except OSError as error:
            if error.errno not in _CANNOT_COPY:
                raise
            # Two file systems, or one that cannot; sendfile reads through the page cache instead.
            copied = os.sendfile(fd_out, fd_in, offset, stop - offset)
        if copied == 0:
            raise EOFError("a span reaches past the end of the source")
        offset += copied
    return stop - start
