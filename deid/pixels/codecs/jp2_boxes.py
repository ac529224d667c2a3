"""The boxes of a JP2 file around a JPEG 2000 codestream (ISO/IEC 15444-1 Annex I).

DICOM asks for the bare codestream (PS3.5 8.2.4); some writers put the whole file there, and decoders read it.
What decoding needs are the signature, the file type, the header with its known parts, and the codestream.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.pixels.codecs.codestreams import Blank, CodestreamBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE: Final = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_NEEDED: Final = frozenset({b"jP  ", b"ftyp", b"jp2c"})
_HEADER: Final = b"jp2h"
_HEADER_PARTS: Final = frozenset({b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef", b"res "})


class Box(NamedTuple):
    """A box: its type, where its contents lie, and where it ends."""

    kind: bytes
    start: int
    stop: int


def boxes(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[Box]:
    """Yield boxes in order.

    Raises
    ------
    CodestreamBroken
        If a length makes no sense.
    """
    end = len(data) if stop is None else stop
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= end:
            length, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        elif length == 0:
            length = end - start
        if length < head or start + length > end:
            raise CodestreamBroken("box length")
        yield Box(kind, start + head, start + length)
        start += length


def codestream_of(data: bytes) -> Box:
    """Return the box of the codestream.

    Raises
    ------
    CodestreamBroken
        If there is none.
    """
    for box in boxes(data):
        if box.kind == b"jp2c":
            return box
    raise CodestreamBroken("no codestream")


def box_blanks(data: bytes) -> Iterator[Blank]:
    """Yield what of the boxes before and behind the codestream is blanked, as far as it is not blank.

    Boxes stay as boxes, so that nothing moves; text, XML, UUIDs, addresses and their like lose their contents.
    """
    end = 0
    try:
        for box in boxes(data):
            end = box.stop
            if box.kind == _HEADER:
                for part in boxes(data, box.start, box.stop):
                    if part.kind not in _HEADER_PARTS:
                        yield from _unless_blank(data, part.start, part.stop)
            elif box.kind not in _NEEDED:
                yield from _unless_blank(data, box.start, box.stop)
    except CodestreamBroken:
        if end < codestream_of(data).stop:
            raise
    # What is too short for a box, or none, stands behind all of them.
    yield from _unless_blank(data, end, len(data))


def _unless_blank(data: bytes, start: int, stop: int) -> Iterator[Blank]:
    if data[start:stop].strip(b"\0"):
        yield Blank(start, stop, b"\0")
