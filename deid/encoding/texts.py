"""The texts of a data set: every value at every depth that holds characters, or may."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from deid.encoding.character_sets import decode
from deid.encoding.header import (
    Buffer,
    Element,
    each_item,
    each_top_level,
    item_encoding,
)
from deid.encoding.transfer_syntaxes import MAX_DEPTH, UNDEFINED_LENGTH, Encoding
from deid.encoding.value_representations import LONG_VRS, NUMBERS
from deid.errors import Reason, Unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHARACTER_SET: Final = 0x00080005
_SAMPLES: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_WITHOUT_TEXT: Final = frozenset(each.encode() for each in (*NUMBERS, "UI"))
_ITEMS: Final = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_LARGE: Final = 1 << 20
_BYTES: Final = frozenset((b"OB", b"UN"))
_RUN: Final = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]{3,}")
_WIDE: Final = re.compile(rb"(?:[\x20-\x7e]\x00){3,}")


def read_texts(data: Buffer, offset: int, encoding: Encoding) -> Iterator[str]:
    """Yield the values of a data set that hold characters, decoded, and readable stretches of others.

    Binary numbers, UIDs, samples, and values of over 1 MiB that are no text are left out.

    Raises
    ------
    Unsafe
        When its structure makes no sense.
    """
    try:
        yield from _texts(data, offset, len(data), encoding, "", 0)
    except struct.error as error:
        raise Unsafe(Reason.TRUNCATED) from error


def _texts(
    data: Buffer, pos: int, end: int, encoding: Encoding, charset: str, depth: int
) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise Unsafe(Reason.NESTING_TOO_DEEP)
    for tag, start, stop in each_top_level(data, pos, encoding, 1 << 32, end=end):
        vr = data[start + 4 : start + 6] if encoding.explicit else b""
        is_long = vr in LONG_VRS
        value = start + (12 if is_long else 8)
        if tag in _SAMPLES or vr in _WITHOUT_TEXT or value == stop:
            continue
        length = encoding.long.unpack_from(data, value - 4)[0] if is_long or not vr else 0
        is_sequence = vr == b"SQ" or length == UNDEFINED_LENGTH
        if is_sequence or data[value : value + 4] in _ITEMS:
            place = Element(value, length if length == UNDEFINED_LENGTH else stop - value)
            try:
                yield from _of_items(data, place, stop, encoding, charset, depth)
            except Unsafe:
                if is_sequence:
                    raise
                yield from _readable(data[value:stop])  # it only begins like one
        elif tag == _CHARACTER_SET:
            charset = data[value:stop].strip(b" \x00").decode("latin-1")
        elif vr in _BYTES:
            if stop - value <= _LARGE:
                yield from _readable(data[value:stop])
        elif vr or stop - value <= _LARGE or b"\0" not in data[value : value + _LARGE]:
            yield decode(data[value:stop], charset).strip(" \x00")


def _of_items(
    data: Buffer, place: Element, stop: int, encoding: Encoding, charset: str, depth: int
) -> list[str]:
    inner = item_encoding(data, place, encoding)
    return [
        text
        for first, last in each_item(data, place, stop, inner)
        for text in _texts(data, first, last, inner, charset, depth + 1)
    ]


def _readable(raw: bytes) -> Iterator[str]:
    yield from (run.decode("latin-1") for run in _RUN.findall(raw))
    yield from (run.decode("utf-16-le") for run in _WIDE.findall(raw))
