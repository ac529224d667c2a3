"""Deflated data sets (PS3.5 A.5), inflated within a limit."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from deid.errors import Reason, Unsafe

if TYPE_CHECKING:
    from deid.encoding.header import Buffer

MAX_INFLATED_BYTES: Final = 512 * 1024 * 1024
_FREE_BYTES: Final = 64 * 1024 * 1024
_MAX_RATIO: Final = 200
_CHUNK: Final = 1 << 20
_LEVEL: Final = 6


def inflated(source: Buffer, pos: int) -> bytes:
    """Return the data set whose deflated stream begins at `pos`.

    Raises
    ------
    Unsafe
        `INFLATE_LIMIT` past 512 MiB, or past 64 MiB when it grows more than 200 times; `MALFORMED`
        or `TRUNCATED` for a broken stream.
    """
    limit = min(MAX_INFLATED_BYTES, max(_FREE_BYTES, _MAX_RATIO * (len(source) - pos)))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    parts: list[bytes] = []
    size = 0
    try:
        while pos < len(source) and not inflater.eof:
            data = source[pos : pos + _CHUNK]
            pos += len(data)
            while data and not inflater.eof:
                part = inflater.decompress(data, limit + 1 - size)
                data = inflater.unconsumed_tail
                size += len(part)
                parts.append(part)
                if size > limit:
                    raise Unsafe(Reason.INFLATE_LIMIT)
    except zlib.error as error:
        raise Unsafe(Reason.MALFORMED, "deflated data set") from error
    if not inflater.eof:
        raise Unsafe(Reason.TRUNCATED, "deflated data set")
    return b"".join(parts)


def deflate(dataset: bytes) -> bytes:
    """Return the deflated stream, padded to even length as PS3.5 A.5 asks."""
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = deflater.compress(dataset) + deflater.flush()
    return stream + b"\x00" if len(stream) & 1 else stream
