"""Identifiers in binary values: numbers that are somebody's, and text in blobs of unknown structure."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from deid.identity.signs import packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.identity.disguises import Disguises

NUMBERS: Final = {
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d",
}  # fmt: skip
"""VRs of numbers, and their codes for `struct`."""
_MOST_VALUES: Final = 32
"""More of them are a table or samples."""
_MEASURED_DIGITS: Final = 7
_BETWEEN_ORDERS: Final = "\\          \\"
"""So wide that no number is read across it."""
_LARGEST: Final = 1e15
"""A float beyond was not meant to be read in this order."""
_RUN: Final = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]{4,}")
_WIDE: Final = re.compile(rb"(?:[\x20-\x7e]\x00){4,}")


def as_text(vr: str, raw: bytes) -> str:
    """Return binary numbers as a DS would have them, as read in either byte order; nothing for a table.

    A float of four bytes is the number nearest to what was put in: it has eight digits at most.
    """
    code = NUMBERS[vr]
    size = struct.calcsize(code)
    count = len(raw) // size
    if not 0 < count <= _MOST_VALUES:
        return ""
    orders = (struct.unpack_from(f"{order}{count}{code}", raw) for order in ("<", ">"))
    return _BETWEEN_ORDERS.join(
        "\\".join(_written(value, vr) for value in values) for values in orders
    )


def _written(value: float, vr: str) -> str:
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < 1 << 63:
        return str(int(value))
    if not abs(value) < _LARGEST:
        return ""
    return f"{value:.9g}" if vr == "FL" else repr(value)


def blanked(
    raw: bytes, find: Callable[[str], list[tuple[int, int]]], disguises: Disguises
) -> bytes:
    """Return a value with what identifies in it overwritten.

    Parameters
    ----------
    find
        Returns where something stands in a readable text.
    """
    clean = bytearray(raw)
    for start, step, text in _runs(raw):
        for begin, end in find(text):
            for index in range(begin, end):
                character = text[index]
                if character.isalnum():
                    at = start + index * step
                    clean[at : at + step] = (b"0" if character.isdigit() else b"X").ljust(
                        step, b"\0"
                    )
    for form, code in disguises.codes.items():
        if code.least < _MEASURED_DIGITS or code.info_type == "DICOM_UID":
            continue
        for number in packed(int(form)):
            at = clean.find(number)
            while at >= 0:
                clean[at : at + len(number)] = bytes(len(number))
                at = clean.find(number, at + 1)
    return bytes(clean)


def _runs(raw: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield readable stretches: where each begins, how many bytes a character has, and the text."""
    for match in _RUN.finditer(raw):
        yield match.start(), 1, match[0].decode("latin-1")
    for match in _WIDE.finditer(raw):
        yield match.start(), 2, match[0].decode("utf-16-le")
