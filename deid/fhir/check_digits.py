"""Check digits of code systems, which somebody's number seldom has."""

from __future__ import annotations

from typing import Final

_D5: Final = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_P5: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def has_snomed_check_digit(code: str) -> bool:
    """Whether the last digit of an identifier of SNOMED CT is its check digit (Verhoeff)."""
    check = 0
    for index, digit in enumerate(reversed(code)):
        check = int(_D5[check][int(_P5[index % 8][int(digit)])])
    return check == 0 and code[-3:-1] in ("00", "10", "01", "11", "02", "12")


def has_loinc_check_digit(code: str) -> bool:
    """Whether the digit behind the hyphen of a LOINC term is its check digit (modulus 10)."""
    number, _hyphen, check = code.partition("-")
    total = 0
    for index, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value // 10 + value % 10
    return (10 - total % 10) % 10 == int(check)


def has_pzn_check_digit(code: str) -> bool:
    """Whether the last digit of a German number of a medicine is its check digit (modulus 11)."""
    total = sum(place * int(digit) for place, digit in enumerate(code[:-1], 1))
    return total % 11 == int(code[-1])


def has_unii_check_character(code: str) -> bool:
    """Whether the last character of an identifier of a substance is its check character (modulus 36)."""
    return sum(int(each, 36) for each in code[:-1]) % 36 == int(code[-1], 36)
