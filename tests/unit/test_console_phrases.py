"""What consoles write stays: names of protocols, units, frequencies; and people in the same shapes go."""

from __future__ import annotations

import pytest

from deid.identity.shifts import Shift
from deid.tags.recognition import recognised
from deid.text.cleaning import TextCleaning
from deid.text.info_types import INFO_TYPES
from deid.text.policy import InfoTypeTransformation, TextPolicy, Transformation
from tests.benchmarks.phrases import KEY, damaged
from tests.phrases import HALVES, phrases

REDACT = InfoTypeTransformation(Transformation.REDACT, frozenset(INFO_TYPES) - {"AGE"})
IMAGING_FREQUENCY = 0x00180084


def cleaned(text: str, *, strict: bool) -> str:
    cleaner = TextCleaning(TextPolicy((REDACT,), strict=strict), KEY)
    return cleaner.clean(text, (), shift=Shift(10)).text


def test_there_are_more_than_400_phrases_in_five_languages() -> None:
    assert sum(len(listed) for half in HALVES for listed in phrases(half).values()) >= 400
    assert all(len(phrases(half)) == 5 for half in HALVES)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("strict", [True, False], ids=["Clean Descriptors", "tag contents"])
def test_at_most_one_phrase_in_ten_is_damaged(half: str, *, strict: bool) -> None:
    lost = sum(map(len, damaged(half, strict=strict).values()))

    assert lost <= 0.1 * sum(map(len, phrases(half).values()))


STAYING = [
    "Head^Routine", "Abdomen^Liver", "Spine^LSpine_Trauma", "Cardiac^CaScore_Adult", "ADC 10^-6 mm2/s",
    "gre_field_mapping", "MR.BRC", "SIM", "Dixon", "MP2RAGE", "QSM", "NODDI", "10^-3 mm^2/s",
]  # fmt: skip
GOING = [
    "Quiller^Ottilie", "QUILLER^OTTILIE^^DR", "Head^Quiller", "Smith^John", "Brown^Baker", "Rose^Mary",
    "Field^Anna", "Long^Ann", "Young^Grace=Young", "DeLong^May", "Kowalczyk^Routine", "447190288^Head",
    "McDonaldHead",
]  # fmt: skip


@pytest.mark.parametrize("text", STAYING)
@pytest.mark.parametrize("strict", [True, False])
def test_a_caret_and_a_technique_make_no_person(text: str, *, strict: bool) -> None:
    assert cleaned(text, strict=strict) == text


@pytest.mark.parametrize("text", GOING)
def test_a_person_with_carets_goes(text: str) -> None:
    assert cleaned(text, strict=True) != text


@pytest.mark.parametrize(
    "text", ["Quiller^Ottilie", "Brown^Baker", "Rose^Mary", "Field^Anna", "Long^Ann"]
)
def test_a_person_with_carets_goes_where_names_are_cleaned_only(text: str) -> None:
    assert cleaned(text, strict=False) == ""


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (IMAGING_FREQUENCY, "128175847"), (IMAGING_FREQUENCY, "63864510.5"), (IMAGING_FREQUENCY, "123.251876"),
        (0x00188150, "12345678"), (0x3004000E, "0.00012345678901"),
    ],
)  # fmt: skip
def test_a_reading_stays_however_many_digits_it_has(tag: int, text: str) -> None:
    assert recognised(tag, "DS", text)


@pytest.mark.parametrize(
    "text", ["44719028812", "4471902881234567", "20190412x", "447190288\\Quiller"]
)
def test_what_no_frequency_can_be_goes(text: str) -> None:
    assert not recognised(IMAGING_FREQUENCY, "DS", text)


@pytest.mark.parametrize("tag", [0x00200013, 0x00181151, 0x00281050])
def test_the_same_digits_go_where_nothing_has_so_many(tag: int) -> None:
    assert not recognised(tag, "DS", "128175847")


def test_a_pulse_sequence_name_is_judged_as_a_sequence_name() -> None:
    for text in ("*epfid2d1_64", "*tfl3d1_16ns", "ep_b1000#2", "*qfl3d1r18"):
        assert recognised(0x00180024, "SH", text)
        assert recognised(0x00189005, "SH", text)
    assert not recognised(0x00189005, "SH", "Quiller")
