"""Dates in readings of a screen: what shows one goes, however its month is misread, and settings stay."""

from __future__ import annotations

import pytest

from deid.identity.identifiers import KnownIdentifier
from deid.pixels.geometry import Box
from deid.pixels.judgement import Judgement
from deid.pixels.ports import TextRegion

KNOWN = [
    KnownIdentifier("20190915", "DATE"),
    KnownIdentifier("19900420", "DATE_OF_BIRTH"),
    KnownIdentifier("20010512", "DATE"),
]


def _why(text: str, known: list[KnownIdentifier]) -> str | None:
    judgement = Judgement()
    region = TextRegion(Box(0, 0, 9, 9), 0.9, text, 0.99)
    return judgement.why(region, judgement.knowing(known))


@pytest.mark.parametrize(
    "text",
    [
        "15-SER-2019 14:32",
        "15 SER 2019",
        "15SER2019",
        "1S SEP 2O19",
        "*r 20 1990",
        "20 1990",
        "1990 AVR 20",
        "20 AVR 90",
        "Ap 20th, '90",
        "20 IV 90",
        "20 4 90",
        "12 MAP 01",
        "MAX 12 2001",
        "04/1990",
        "1990-04",
        "AVR 1990",
        "15 09 2562",
    ],
)
def test_a_day_that_is_known_goes_whatever_its_month_is_read_as(text: str) -> None:
    assert _why(text, KNOWN) == "known_identifier"


@pytest.mark.parametrize(
    "text",
    [
        "SER 15 IM 20",
        "SER 2018",
        "15 SEC 20",
        "FOV 20 CM",
        "15 SEC 2018",
        "TR 1990 TE 21",
        "MAX 13 01",
        "AVG 12 10",
        "1990 HZ",
        "2019",
        "15 CM 20 HZ",
    ],
)
def test_settings_stay_beside_days_that_are_known(text: str) -> None:
    assert _why(text, KNOWN) is None


@pytest.mark.parametrize(
    "text",
    [
        "15-SER-2019",
        "15.SEC.2019",
        "2019/MAX/05",
        "7-SEC-19",
        "20-IV-1990",
        "20.IV.1990",
        "20/IV/90",
        "20 IV 1990",
        "2562-09-15",
        "15/09/2562",
        "20.04.",
        "04/1990",
        "04.1990",
        "2019-09",
    ],
)
def test_what_is_written_as_dates_are_goes_though_the_day_is_not_known(text: str) -> None:
    assert _why(text, []) == "info_type:DATE"


@pytest.mark.parametrize(
    "text",
    [
        "12/2000",
        "TR/TE 2000/12",
        "TR/TE/FA 1400/12/15",
        "10-2000 HZ",
        "0.5-40 HZ",
        "20.04 MM",
        "4.04.",
        "SER 2019",
        "IM 15/20",
        "SE 12 IM 2019",
        "15 SER 2019",
        "VI 20 MM",
        "T2 TSE 2000",
        "12-LEAD",
        "1024 X 1024",
    ],
)
def test_what_is_like_a_date_and_is_none_stays(text: str) -> None:
    assert _why(text, []) is None
