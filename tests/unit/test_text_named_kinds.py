"""What a configuration names goes as it says, and what people write without capitals goes, too."""

from __future__ import annotations

import pytest

import deid
from deid.identity.shifts import Shift
from deid.text.cleaning import TextCleaning
from deid.text.policy import InfoTypeTransformation, TextPolicy, Transformation

KEY = deid.SiteKey(bytes(range(32)))
BASIC = TextCleaning(TextPolicy(), KEY)


def cleaner(
    *kinds: str, basic: bool = False, excluded: frozenset[str] = frozenset()
) -> TextCleaning:
    redact = InfoTypeTransformation(Transformation.REDACT, frozenset(kinds))
    return TextCleaning(TextPolicy((redact,), excluded, basic=basic), KEY)


@pytest.mark.parametrize("basic", [False, True])
def test_a_number_that_could_be_of_a_named_kind_goes_as_that(*, basic: bool) -> None:
    # Its check digit makes it an NHS number, too.
    assert (
        cleaner("PHONE_NUMBER", basic=basic)
        .clean("call 415-555-2671 today", (), shift=Shift(3))
        .text
        == "call today"
    )


def test_a_kind_that_is_excluded_is_left_whatever_else_it_could_be() -> None:
    text = "call 415-555-2671 today"
    excluded = frozenset({"PHONE_NUMBER", "UK_NATIONAL_HEALTH_SERVICE_NUMBER"})
    assert cleaner("GENERIC_ID", excluded=excluded).clean(text, (), shift=Shift(3)).text == text


def test_a_day_behind_a_word_of_telephones_is_a_day_first() -> None:
    assert (
        BASIC.clean("called 2020-01-03 re biopsy", (), shift=Shift(5)).text
        == "called 2020-01-08 re biopsy"
    )


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("name=tom harkerby dob=3/4/1951", "harkerby"), ("lastname=harkerby firstname=tom", "harkerby"),
        ("patient: mole, john", "mole"), ("nachname: mole", "mole"), ("the Mole family asked", "Mole"),
        ("turned 93 last week", "93"), ("she is ninety-three", "ninety-three"), ("aged ninety five", "ninety"),
        ("KNEE 2017 week 34", "2017"), ("KW 34/2017", "34"), ("seen 25*8*2017", "25*8"),
        ("25|08|2017 THORAX", "25|08"),
        ("Christmas Eve 2017", "2017"), ("Ostermontag 2018", "Oster"), ("seen 03/14 in clinic", "03/14"),
    ],
)  # fmt: skip
def test_what_is_somebodys_goes(text: str, gone: str) -> None:
    assert gone not in BASIC.clean(text, (), shift=Shift(5)).text


@pytest.mark.parametrize(
    "text",
    [
        "the whole family", "mole on the left arm", "he turned 45", "at 95 mm", "ninety percent",
        "reached 93 bpm", "week 34",
        "34 weeks", "10*10*2000 mm", "L4/L5 3/5 strength", "TR/TE 500/15", "name of series", "bp 120/80",
        "easter egg sign",
        "phase 2/3", "a 2x2 matrix",
    ],
)  # fmt: skip
def test_what_only_resembles_it_stays(text: str) -> None:
    assert BASIC.clean(text, (), shift=Shift(5)).text == text
