"""Walking encoded data elements where they lie (PS3.5 7), without reading values.

The daemon checks structure before anything here runs; still every length is compared with what is
there and nesting is bounded, so that a damaged file is an error and never a crash or a long loop.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Final

from dicomweb.dictionary import vr_for_private, vr_for_tag
from dicomweb.encodings import (
    BIG_ENDIAN,
    DEFLATED,
    IMPLICIT,
    LONG_VRS,
    MAX_DEPTH,
    SHORT_VRS,
)
from dicomweb.errors import CutShort, DescribeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

    Buffer = bytes | mmap

UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
PIXEL_DATA: Final = 0x7FE00010
PIXEL_REPRESENTATION: Final = 0x00280103
LUT_DESCRIPTOR: Final = 0x00283002
LUT_DATA: Final = 0x00283006

NUMBER_FORMATS: Final = {
    b"US": ("H", 2),
    b"SS": ("h", 2),
    b"UL": ("I", 4),
    b"SL": ("i", 4),
    b"UV": ("Q", 8),
    b"SV": ("q", 8),
    b"FL": ("f", 4),
    b"FD": ("d", 8),
}
"""Struct code and size in bytes of the numeric VRs."""
WORD_BYTES: Final = {
    **{vr: size for vr, (_code, size) in NUMBER_FORMATS.items()},
    b"AT": 2,
    b"OW": 2,
    b"OF": 4,
    b"OL": 4,
    b"OD": 8,
    b"OV": 8,
}
"""Size of what is swapped between big and little endian (PS3.5 7.3); other VRs are bytes."""

_LITTLE: Final = (Struct("<HH2sH"), Struct("<HHI"), Struct("<I"))
_BIG: Final = (Struct(">HH2sH"), Struct(">HHI"), Struct(">I"))


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the File Meta Information (PS3.10 7.1) says; `end` is where the data set begins."""

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    end: int


class Cursor:
    """A place in an encoded data set, and how it is encoded there.

    Attributes
    ----------
    position
        Where the next header or, while an element is looked at, its value starts.
    """

    __slots__ = ("big", "data", "depth", "implicit", "position")

    def __init__(
        self, data: Buffer, position: int, *, implicit: bool, big: bool, depth: int = 0
    ) -> None:
        self.data = data
        self.position = position
        self.implicit = implicit
        self.big = big
        self.depth = depth


def read_file_meta(data: Buffer) -> FileMeta:
    """Read group 0002 of a Part 10 file.

    Raises
    ------
    DescribeError
        If there is no File Meta Information or it names no transfer syntax.
    """
    start = 132 if data[128:132] == b"DICM" else 0
    if data[start : start + 2] != b"\x02\x00":
        raise DescribeError("no File Meta Information")
    found: dict[int, str] = {}
    position = start
    while data[position : position + 2] == b"\x02\x00":
        header = data[position : position + 12]
        if len(header) < 8 or header[4:6] not in LONG_VRS | SHORT_VRS:
            raise DescribeError("File Meta Information is not in Explicit VR Little Endian")
        if header[4:6] in LONG_VRS:
            size, length = 12, int.from_bytes(header[8:12], "little")
        else:
            size, length = 8, int.from_bytes(header[6:8], "little")
        end = position + size + length
        if end > len(data):
            raise CutShort("a length goes past the end")
        tag = 0x00020000 | int.from_bytes(header[2:4], "little")
        if tag in {0x00020002, 0x00020003, 0x00020010}:
            found[tag] = data[position + size : end].decode("ascii", "replace").rstrip(" \0")
        position = end
    if not found.get(0x00020010):
        raise DescribeError("no TransferSyntaxUID in the File Meta Information")
    return FileMeta(
        found[0x00020010], found.get(0x00020002, ""), found.get(0x00020003, ""), position
    )


def open_dataset(data: Buffer, meta: FileMeta, *, max_inflated_bytes: int) -> Cursor:
    """Return a cursor at the start of the data set, inflated where the syntax is deflated.

    Parameters
    ----------
    max_inflated_bytes
        A deflated data set that unpacks to more is refused.
    """
    syntax = meta.transfer_syntax_uid
    if syntax in DEFLATED:
        return Cursor(inflate(data, meta.end, max_inflated_bytes), 0, implicit=False, big=False)
    return Cursor(data, meta.end, implicit=syntax in IMPLICIT, big=syntax in BIG_ENDIAN)


def inflate(data: Buffer, start: int, limit: int) -> bytes:
    """Inflate a raw deflate stream (PS3.5 A.5), refusing more than `limit` bytes."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    chunks: list[bytes] = []
    size = 0
    step = 1 << 16
    try:
        for offset in range(start, len(data), step):
            chunk = inflater.decompress(data[offset : offset + step], limit - size + 1)
            size += len(chunk)
            if size > limit:
                raise DescribeError("deflated data set too large")
            chunks.append(chunk)
            if inflater.eof:
                break
    except zlib.error as error:
        raise DescribeError("deflated data set damaged") from error
    return b"".join(chunks)


def elements(cursor: Cursor, stop: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield tag, VR (empty in implicit VR) and length of each element up to `stop`.

    At each element `cursor.position` is the start of its value. The generator goes on after the
    value, whatever the caller did with the cursor, except that a value of undefined length which the
    caller has walked (and left the cursor behind its end) is not walked again.

    An Item Delimitation Item ends the walk, with the cursor behind it.
    """
    data = cursor.data
    implicit = cursor.implicit
    explicit_header, implicit_header, length32 = _BIG if cursor.big else _LITTLE
    unpack_explicit = explicit_header.unpack_from
    unpack_implicit = implicit_header.unpack_from
    unpack_length = length32.unpack_from
    position = cursor.position
    vr = b""
    last = 0
    try:
        while position < stop:
            if implicit:
                group, element, length = unpack_implicit(data, position)
                start = position + 8
            else:
                group, element, vr, length = unpack_explicit(data, position)
                if vr in SHORT_VRS:
                    start = position + 8
                elif vr in LONG_VRS:
                    (length,) = unpack_length(data, position + 8)
                    start = position + 12
                elif group == 0xFFFE:
                    (length,) = unpack_length(data, position + 4)
                    vr = b""
                    start = position + 8
                elif cursor.depth == 0 and (last >= PIXEL_DATA or group == element == 0):
                    break  # bytes behind the data set, or padding
                else:
                    raise DescribeError("unknown Value Representation")
            tag = group << 16 | element
            if tag == ITEM_END:
                cursor.position = start
                return
            cursor.position = start
            if length == UNDEFINED:
                yield tag, vr, length
                if cursor.position == start:
                    skip_undefined(cursor, tag, vr, stop)
                position = cursor.position
            else:
                position = start + length
                if position > stop:
                    if cursor.depth == 0 and last >= PIXEL_DATA:
                        break
                    raise CutShort("a length goes past the end")
                yield tag, vr, length
            last = tag
    except struct.error as error:
        is_tail = last >= PIXEL_DATA or not data[position:stop].strip(b"\0")
        if cursor.depth or not is_tail:
            raise CutShort("a data element header is cut off") from error
    cursor.position = position


def items(cursor: Cursor, length: int, stop: int) -> Iterator[int]:
    """Yield, for each item of the sequence or encapsulated value at the cursor, where it stops.

    At each item `cursor.position` is the start of its content. For an item of undefined length the
    stop is that of the surrounding value, and the caller must walk it to its Item Delimitation
    Item. At the end the cursor is behind the value, its delimitation item included.
    """
    data = cursor.data
    unpack = (_BIG if cursor.big else _LITTLE)[1].unpack_from
    position = cursor.position
    end = stop if length == UNDEFINED else position + length
    if end > stop:
        raise CutShort("a sequence goes past the end")
    try:
        while position < end:
            group, element, item_length = unpack(data, position)
            tag = group << 16 | element
            position += 8
            if tag == SEQUENCE_END:
                cursor.position = position
                return
            if tag != ITEM:
                raise DescribeError("not an item where one must be")
            cursor.position = position
            if item_length == UNDEFINED:
                yield end
                position = cursor.position
            else:
                position += item_length
                if position > end:
                    raise CutShort("an item goes past the end")
                yield position
    except struct.error as error:
        raise CutShort("an item header is cut off") from error
    if length == UNDEFINED:
        raise CutShort("a sequence has no end")
    cursor.position = position


def skip_undefined(cursor: Cursor, tag: int, vr: bytes, stop: int) -> None:
    """Move the cursor behind the value of undefined length that it stands at."""
    if tag == PIXEL_DATA or vr in {b"OB", b"OW"}:
        for _end in items(cursor, UNDEFINED, stop):
            pass
        return
    inner = nested(cursor, vr)
    for end in items(inner, UNDEFINED, stop):
        for _element in elements(inner, end):
            pass
    cursor.position = inner.position


def nested(cursor: Cursor, vr: bytes) -> Cursor:
    """Return a cursor for the items of the sequence at `cursor`, one level deeper.

    A sequence with VR UN is encoded in Implicit VR Little Endian (PS3.5 6.2.2, note 4).
    """
    if cursor.depth >= MAX_DEPTH:
        raise DescribeError("nested too deep")
    unknown = vr == b"UN"
    return Cursor(
        cursor.data,
        cursor.position,
        implicit=cursor.implicit or unknown,
        big=cursor.big and not unknown,
        depth=cursor.depth + 1,
    )


@lru_cache(maxsize=8192)
def public_vr(tag: int) -> bytes:
    """Return the dictionary's VR (PS3.6), such as ``b"US or SS"``; ``b"UN"`` where it has none."""
    if tag & 0xFFFF == 0:
        return b"UL"
    return (vr_for_tag(tag) or "UN").encode()


@lru_cache(maxsize=8192)
def private_vr(tag: int, creator: str) -> bytes:
    """Return the VR of a private element whose creator is known, else ``b"UN"``."""
    if 0x10 <= tag & 0xFFFF <= 0xFF:
        return b"LO"
    return (vr_for_private(tag, creator) or "UN").encode()


def swapped(data: bytes, word_bytes: int) -> bytes:
    """Return data with the bytes of each word in reverse order; a rest that is no word stays."""
    if word_bytes == 1:
        return data
    whole = len(data) // word_bytes * word_bytes
    result = bytearray(data)
    for offset in range(word_bytes):
        result[offset:whole:word_bytes] = data[word_bytes - 1 - offset : whole : word_bytes]
    return bytes(result)


def looked_up_vr(tag: int, length: int, creators: dict[int, str]) -> bytes:
    """Return the VR that the dictionaries give an element without one of its own.

    Parameters
    ----------
    creators
        Private creators of the data set by the first tag of their block.
    """
    is_private = tag & 0x10000
    vr = private_vr(tag, creators.get(tag & 0xFFFFFF00, "")) if is_private else public_vr(tag)
    # Only sequences and encapsulated pixel data have undefined length (PS3.5 6.2.2, note 1).
    return b"SQ" if length == UNDEFINED and vr == b"UN" else vr


def private_block(tag: int) -> int:
    """Return the first tag of the block that a private creator element reserves (PS3.5 7.8.1)."""
    return tag & 0xFFFF0000 | (tag & 0xFF) << 8


def is_private_creator(tag: int) -> bool:
    """Whether the element reserves a private block."""
    return bool(tag & 0x10000) and 0x10 <= tag & 0xFFFF <= 0xFF


def disambiguated_vr(tag: int, vr: bytes, *, signed: bool, lut_entries: int) -> bytes:
    """Choose among the dictionary's alternatives (PS3.5 annex A.1, PS3.3 C.11.1).

    Parameters
    ----------
    signed
        Whether Pixel Representation is 1.
    lut_entries
        First value of LUT Descriptor; LUT Data of a single entry is US.
    """
    if tag == LUT_DATA:
        return b"US" if lut_entries == 1 else b"OW"
    if b"OW" in vr:
        return b"OW"
    return b"SS" if signed else b"US"
