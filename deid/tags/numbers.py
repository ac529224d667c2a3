"""Whether numbers are numbers: measured, not issued; samples, not text; codes that carry a check digit."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from deid.tables.dictionary import attributes

_NUMBER: Final = re.compile(r"[+-]?\d*(\.\d*)?([eE][+-]?\d{1,3})?\Z")
_FEW: Final = rb" *[+-]?(?:\d{1,7}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})? *"
_FEW_DIGITS: Final = re.compile(_FEW + rb"(?:\\" + _FEW + rb")*\0*\Z")
_DAY: Final = re.compile(r"[+-]?(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\.0*)?\Z")
_ROUND_DIGITS: Final = 4
_MOST_DIGITS: Final = 7
_COUNTS: Final = frozenset(
    {
        0x00180070, 0x00181074, 0x00181242, 0x00541300, 0x00541310, 0x00541311, 0x00541322,
    }
)  # fmt: skip
"""Doses, counts, durations and factors: measured, however many digits they have."""
_RANGES: Final = {
    0x00180084: (1e7, 6e8),  # Imaging Frequency: MHz, but some makers write Hz
    0x00188150: (0, 1e8),  # Exposure Time in microseconds
}
"""Readings that may have many digits, and between what: a record number beyond is none."""
_VALUE_BYTES: Final = {
    "US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "FD": 8, "SV": 8, "UV": 8,
}  # fmt: skip
SAMPLES: Final = frozenset({*_VALUE_BYTES, "OB", "OW", "OF", "OD", "OL", "OV"})
"""VRs of binary numbers."""
_LETTERS: Final = re.compile(rb"[A-Za-z]{5,}")
_NOT_PRINTABLE: Final = bytes(range(32, 127))


def is_number(text: str) -> bool:
    """Whether a DS or IS value holds one number and nothing else, however long."""
    return bool(text) and _NUMBER.match(text) is not None


def are_short(raw: bytes) -> bool:
    """Whether an encoded DS or IS holds numbers of few digits: measured ones, as nearly all are."""
    return _FEW_DIGITS.match(raw) is not None


def is_measure(tag: int, part: str) -> bool:
    """Whether a number looks measured or counted, not issued: record numbers are long and not round."""
    if not _NUMBER.match(part):
        return False
    if tag in _COUNTS or _is_in_range(tag, part):
        return True
    if _DAY.match(part):
        return False
    whole = part.lstrip("+-0").partition(".")[0]
    whole = whole.lower().partition("e")[0]
    return len(whole) <= _MOST_DIGITS or len(whole.rstrip("0")) <= _ROUND_DIGITS


def _is_in_range(tag: int, part: str) -> bool:
    low, high = _RANGES.get(tag, (1, 0))
    try:
        return low <= float(part) <= high
    except ValueError:
        return False


def is_snomed_identifier(digits: str) -> bool:
    """Whether digits are a SNOMED CT concept identifier by partition and check digit.

    SNOMED CT identifiers: 6 to 18 digits, partition ``00`` or ``10`` before a Verhoeff check digit.
    """
    if not 6 <= len(digits) <= 18 or digits[-3:-1] not in ("00", "10") or digits[0] == "0":
        return False
    check = 0
    for position, digit in enumerate(reversed(digits)):
        check = _VERHOEFF_PRODUCT[check][_VERHOEFF_TURN[position % 8][int(digit)]]
    return check == 0


_VERHOEFF_PRODUCT: Final = tuple(
    tuple(
        (a + b) % 5 if a < 5 and b < 5
        else 5 + (a + b) % 5 if a < 5
        else 5 + (a - b) % 5 if b < 5
        else (a - b) % 5
        for b in range(10)
    )
    for a in range(10)
)  # fmt: skip
"""Multiplication in the dihedral group of ten elements."""


def _turns() -> tuple[tuple[int, ...], ...]:
    turn = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    rows = [tuple(range(10))]
    while len(rows) < 8:
        rows.append(tuple(turn[digit] for digit in rows[-1]))
    return tuple(rows)


_VERHOEFF_TURN: Final = _turns()


def is_numbers(tag: int, vr: str, value: bytes) -> bool:
    """Whether a binary value is as long as its multiplicity allows and does not read as text."""
    size = _VALUE_BYTES.get(vr)
    if size is not None:
        most = _most_values(tag)
        if most and len(value) > most * size:
            return False
    return not reads_as_text(value)


@cache
def _most_values(tag: int) -> int:
    """Return the highest multiplicity of an attribute; 0 when it has no limit or is not registered."""
    entry = attributes().get(tag)
    most = entry.vm.rpartition("-")[2] if entry else ""
    return int(most) if most.isdigit() else 0


def reads_as_text(value: bytes) -> bool:
    """Whether bytes are mostly printable and have a word in them that is no ramp of numbers."""
    value = value.rstrip(b"\x00 ")
    if len(value) < 6 or len(value.translate(None, _NOT_PRINTABLE)) * 5 > len(value):
        return False
    for run in _LETTERS.findall(value):
        ascending = sorted(run)
        if len(set(run)) >= 4 and list(run) not in (ascending, ascending[::-1]):
            return True
    return False
