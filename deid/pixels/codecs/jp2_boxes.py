"""The boxes around a codestream: of a JP2 file (ISO/IEC 15444-1 Annex I), and of JPEG XL.

DICOM asks for the bare codestream (PS3.5 8.2.4); some writers put the whole file there, and decoders read it.
What decoding needs are the signature, the file type, the header with its known parts, and the codestream.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.pixels.codecs.codestreams import Blank, CodestreamBroken
from deid.tags.colour_profiles import is_colour_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

JXL_SIGNATURE: Final = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
SIGNATURE: Final = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_FILE_TYPE: Final = b"ftyp"
_NEEDED: Final = frozenset({b"jP  ", b"jp2c"})
_BRAND_BYTES: Final = 8
"""The brand and its version, before the list of others that it is compatible with (I.5.2)."""
_BRANDS: Final = frozenset({b"jp2 ", b"jpx ", b"jpxb", b"jph ", b"J2P0", b"J2P1", bytes(4)})
_HEADER: Final = b"jp2h"
_HEADER_PARTS: Final = frozenset({b"bpcc", b"pclr", b"cmap", b"cdef"})
"""Parts of numbers alone, as many as there are components or palette entries."""
_IMAGE_HEADER, _COLOUR, _RESOLUTION = b"ihdr", b"colr", b"res "
_IMAGE_HEADER_BYTES: Final = 14
_ENUMERATED_BYTES: Final = 7
_BEFORE_PROFILE: Final = 3
_ENUMERATED: Final = 1
_RESOLUTION_BYTES: Final = 36


_JXL_NEEDED: Final = frozenset({b"JXL ", b"ftyp", b"jxll", b"jxli", b"jxlc", b"jxlp", b"jbrd"})


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
    end, seen = 0, set[bytes]()
    try:
        for box in boxes(data):
            end = box.stop
            if box.kind == _HEADER and box.kind not in seen:
                for part in boxes(data, box.start, box.stop):
                    yield from _unless_blank(data, part.start + _needed_of(data, part), part.stop)
            elif box.kind == _FILE_TYPE and box.kind not in seen:
                for at in range(box.start + _BRAND_BYTES, box.stop, 4):
                    if data[at : at + 4] not in _BRANDS:
                        yield from _unless_blank(data, at, min(at + 4, box.stop))
            elif box.kind not in _NEEDED or box.kind in seen:
                # Decoders read the first of each.
                yield from _unless_blank(data, box.start, box.stop)
            seen.add(box.kind)
    except CodestreamBroken:
        if end < codestream_of(data).stop:
            raise
    # What is too short for a box, or none, stands behind all of them.
    yield from _unless_blank(data, end, len(data))


def jxl_blanks(data: bytes) -> Iterator[Blank]:
    """Yield what of the boxes of a JPEG XL file is blanked: EXIF, XML, JUMBF, what is packed, what follows.

    ISO/IEC 18181-2. The codestream and what brings the JPEG back that it was made of stay.

    Raises
    ------
    CodestreamBroken
        If a length makes no sense.
    """
    end = 0
    for box in boxes(data):
        end = box.stop
        if box.kind not in _JXL_NEEDED:
            yield from _unless_blank(data, box.start, box.stop)
    yield from _unless_blank(data, end, len(data))


def _needed_of(data: bytes, part: Box) -> int:
    """Return how many bytes of a part of the header decoding needs (I.5.3)."""
    if part.kind == _IMAGE_HEADER:
        return _IMAGE_HEADER_BYTES
    if part.kind == _RESOLUTION:
        return _RESOLUTION_BYTES
    if part.kind == _COLOUR:
        if data[part.start : part.start + 1] == bytes((_ENUMERATED,)):
            return _ENUMERATED_BYTES
        is_profile = is_colour_profile(data[part.start + _BEFORE_PROFILE : part.stop])
        return part.stop - part.start if is_profile else _BEFORE_PROFILE
    return part.stop - part.start if part.kind in _HEADER_PARTS else 0


def _unless_blank(data: bytes, start: int, stop: int) -> Iterator[Blank]:
    if data[start:stop].strip(b"\0"):
        yield Blank(start, stop, b"\0")
