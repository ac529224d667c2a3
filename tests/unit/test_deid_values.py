"""Replacement values by VR."""

import pytest

from deid.identity import shifts, values
from deid.identity.shifts import Shift


@pytest.mark.parametrize(
    ("vr", "value", "days", "expected"),
    [
        ("DA", b"20240228", 2, b"20240301"),
        ("DA", b"20230228", 1, b"20230301"),
        ("DA", b"20240101\\20240102 ", -1, b"20231231\\20240101 "),
        ("DA", b"2024.02.28", 2, b"2024.03.01"),
        ("DA", b"", 5, b""),
        ("DT", b"20231231235959.123456+0100", 1, b"20240101235959.123456+0100"),
        ("DT", b"202312", 31, b"202401"),
        ("DT", b"2023", 400, b"2024"),
        ("TM", b"235959.5", 9, b"235959.5"),
    ],
)
def test_a_shift_moves_whole_days_and_keeps_the_form(
    vr: str, value: bytes, days: int, expected: bytes
) -> None:
    assert shifts.moved(vr, value, Shift(days)) == expected


@pytest.mark.parametrize("value", [b"20241301", b"yesterday", b"2024022", b"99999999", b"00010101"])
def test_what_is_not_a_date_is_not_shifted(value: bytes) -> None:
    assert shifts.moved("DA", value, Shift(-50)) is None


@pytest.mark.parametrize(
    ("age", "expected"),
    [(b"089Y", b"089Y"), (b"090Y", b"090Y"), (b"104Y", b"090Y"), (b"012M", b"012M")],
)
def test_ages_over_89_years_become_90(age: bytes, expected: bytes) -> None:
    assert values.cap_age(age) == expected


def test_numbers_keep_their_multiplicity_when_they_become_dummies() -> None:
    assert values.dummy("FL", bytes(range(8))) == bytes(8)
    assert values.dummy("DS", b"1.5\\2.5\\3") == b"1\\1\\1 "


@pytest.mark.parametrize(
    "vr", ["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UR"]
)
def test_dummies_have_even_length(vr: str) -> None:
    assert len(values.dummy(vr)) % 2 == 0
    assert values.dummy(vr)


def test_the_blank_pdf_points_at_its_own_objects() -> None:
    table = values.BLANK_PDF.split(b"xref\n0 4\n")[1].split(b"trailer")[0].splitlines()
    for number, line in enumerate(table[1:], start=1):
        assert values.BLANK_PDF[int(line[:10]) :].startswith(b"%d 0 obj" % number)
    start = int(values.BLANK_PDF.split(b"startxref\n")[1].split(b"\n")[0])
    assert values.BLANK_PDF[start:].startswith(b"xref")
