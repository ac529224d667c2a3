"""A stored file as Explicit VR Little Endian, value by value.

Implicit VR gets its VRs from the dictionaries, big endian is swapped by the word, deflated is inflated
(PS3.5 A.1 to A.5). Long values stay stretches of the stored file. Frames that were compressed without loss are
decoded by somebody else, one by one, when their turn comes (PS3.18 8.7.3.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from struct import pack
from typing import TYPE_CHECKING, Final

from dicomweb.elements import (
    LUT_DESCRIPTOR,
    PIXEL_DATA,
    PIXEL_REPRESENTATION,
    UNDEFINED,
    WORD_BYTES,
    Cursor,
    FileMeta,
    disambiguated_vr,
    elements,
    is_private_creator,
    items,
    looked_up_vr,
    nested,
    private_block,
    swapped,
)
from dicomweb.encodings import EXPLICIT_LITTLE, LONG_VRS
from dicomweb.errors import DescribeError
from dicomweb.segments import Made
from dicomweb.stored import StoredFile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from dicomweb.elements import Buffer
    from dicomweb.ports import NativeForm
    from dicomweb.segments import Segment

_COPIED_MAX_BYTES: Final = 4096
_ITEM: Final = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
_ITEM_END: Final = b"\xfe\xff\x0d\xe0\0\0\0\0"
_SEQUENCE_END: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"
# Of compressed pixels only: where their frames begin, and a picture in the same compression (type 3).
_NOT_NATIVE: Final = frozenset({0x7FE00001, 0x7FE00002, 0x00880200})


@dataclass(frozen=True, slots=True)
class DecodedFrames:
    """What takes the place of compressed pixels.

    Attributes
    ----------
    first
        The first frame, decoded already.
    decode
        Makes another one, counted from 1.
    """

    form: NativeForm
    first: bytes
    decode: Callable[[int], Awaitable[bytes]]

    def segments(self, *, holds_first: bool = True) -> list[Segment]:
        """Return the native value, of even length.

        Parameters
        ----------
        holds_first
            Whether the first frame is held until its turn; else it is decoded again then.
        """
        size = self.form.frame_bytes
        made = [
            Made(size, partial(self.decode, number)) for number in range(1, self.form.frames + 1)
        ]
        frames = [self.first, *made[1:]] if holds_first else made
        return [*frames, bytes(size * self.form.frames % 2)]


def explicit_little_endian(path: Path, decoded: DecodedFrames | None = None) -> list[Segment]:
    """Return a whole Part 10 file in Explicit VR Little Endian.

    Sequences and items get undefined length and group lengths are left out, so that nothing has to be
    measured before it is written.

    Parameters
    ----------
    decoded
        The pixels of a compressed file.
    """
    with StoredFile(path) as stored:
        writer = _Writer(stored, decoded)
        writer.raw(bytes(128) + b"DICM" + _file_meta(stored.head, stored.meta))
        if stored.inflated is not None:
            writer.raw(stored.inflated)
        else:
            writer.dataset(stored.cursor, stored.stop, signed=False)
        return writer.finish()


def _file_meta(data: Buffer, meta: FileMeta) -> bytes:
    """Return the File Meta Information with another Transfer Syntax UID and its length set anew."""
    start = 132 if data[128:132] == b"DICM" else 0
    cursor = Cursor(data, start, implicit=False, big=False)
    body = bytearray()
    for tag, vr, length in elements(cursor, meta.end):
        if tag == 0x00020000:
            continue
        value = data[cursor.position : cursor.position + length]
        if tag == 0x00020010:
            value = EXPLICIT_LITTLE.encode() + b"\0" * (len(EXPLICIT_LITTLE) % 2)
        body += _header(tag, vr, len(value)) + value
    return _header(0x00020000, b"UL", 4) + pack("<I", len(body)) + bytes(body)


def _header(tag: int, vr: bytes, length: int) -> bytes:
    if vr in LONG_VRS:
        return pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, length)
    if length > 0xFFFF:  # does not fit: UN has room (PS3.5 6.2.2, note 7)
        return pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"UN", 0, length)
    return pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length)


class _Writer:
    """Gathers short bytes between long stretches of the file."""

    def __init__(self, stored: StoredFile, decoded: DecodedFrames | None) -> None:
        self._stored = stored
        self._decoded = decoded
        self._pending = bytearray()
        self._segments: list[Segment] = []

    def raw(self, data: bytes) -> None:
        self._pending += data

    def finish(self) -> list[Segment]:
        self._flush()
        return self._segments

    def dataset(self, cursor: Cursor, stop: int, *, signed: bool) -> None:
        data = cursor.data
        creators: dict[int, str] = {}
        lut_entries = 0
        order = "big" if cursor.big else "little"
        for tag, encoded_vr, length in elements(cursor, stop):
            if tag & 0xFFFF == 0:
                continue
            if self._decoded is not None and self._is_replaced(cursor, tag, encoded_vr, length):
                continue
            vr = encoded_vr
            if cursor.implicit:
                vr = looked_up_vr(tag, length, creators)
                if b" " in vr:
                    vr = disambiguated_vr(tag, vr, signed=signed, lut_entries=lut_entries)
            if vr == b"SQ" or length == UNDEFINED:
                self._sequence(cursor, tag, encoded_vr, length, stop, signed=signed)
                continue
            start = cursor.position
            if is_private_creator(tag):
                creator = data[start : start + length].decode("ascii", "replace").strip(" \0")
                creators[private_block(tag)] = creator
            elif tag == PIXEL_REPRESENTATION:
                signed = any(data[start : start + 2])
            elif tag == LUT_DESCRIPTOR:
                lut_entries = int.from_bytes(data[start : start + 2], order)  # type: ignore[arg-type]
            self._value(tag, vr, start, length, WORD_BYTES.get(vr, 1) if cursor.big else 1)

    def _is_replaced(self, cursor: Cursor, tag: int, vr: bytes, length: int) -> bool:
        """Write what decoding puts in the place of an element, and say whether it does."""
        assert self._decoded is not None
        if tag == PIXEL_DATA and length == UNDEFINED and cursor.depth:
            raise DescribeError("compressed pixels within a sequence")
        if cursor.depth or tag in _NOT_NATIVE:
            return not cursor.depth
        if tag == PIXEL_DATA:
            form = self._decoded.form
            size = form.frame_bytes * form.frames
            self._pending += _header(
                tag, b"OW" if form.bits_allocated > 8 else b"OB", size + size % 2
            )
            self._flush()
            self._segments += self._decoded.segments()
            return True
        value = self._decoded.form.changes.get(tag)
        if value is None:
            return False
        value += b" " * (len(value) % 2)
        self._pending += _header(tag, vr, len(value)) + value
        return True

    def _value(self, tag: int, vr: bytes, start: int, length: int, word_bytes: int) -> None:
        self._pending += _header(tag, vr, length)
        if length <= _COPIED_MAX_BYTES:
            value = self._stored.cursor.data[start : start + length]
            self._pending += swapped(value, word_bytes)
        else:
            self._flush()
            self._segments += self._stored.segments(start, length, word_bytes)

    def _sequence(
        self, cursor: Cursor, tag: int, vr: bytes, length: int, stop: int, *, signed: bool
    ) -> None:
        self._pending += _header(tag, b"SQ", UNDEFINED)
        inner = nested(cursor, vr)
        for item_stop in items(inner, length, stop):
            self._pending += _ITEM
            self.dataset(inner, item_stop, signed=signed)
            self._pending += _ITEM_END
        cursor.position = inner.position
        self._pending += _SEQUENCE_END

    def _flush(self) -> None:
        if self._pending:
            self._segments.append(bytes(self._pending))
            self._pending.clear()
