"""What only its company makes an age, a day or a name; and what looks like one and is none."""

from __future__ import annotations

import pytest

from tests.benchmarks.notes import Note, notes, result

KINDS = ("Ages", "Days and months", "Families and everyday surnames")
LEAST_FOUND = {"tuning": 0.98, "held_out": 0.85}
MOST_DAMAGED = 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("half", LEAST_FOUND)
def test_of_marked_notes_most_goes_that_must_and_stays_that_must(half: str, kind: str) -> None:
    listed = notes(half)[kind]
    results = [result(note) for note in listed]
    going = sum(len(note.going) for note in listed)
    left = sum(len(each.left) for each in results)
    assert going - left >= LEAST_FOUND[half] * going
    assert sum(bool(each.lost) for each in results) <= MOST_DAMAGED * len(listed)


def test_the_halves_have_no_note_in_common() -> None:
    one, other = (
        {note.text for listed in notes(half).values() for note in listed} for half in LEAST_FOUND
    )
    assert not one & other


def cleaned(text: str) -> str:
    return result(Note(text, (), ())).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She turned 93 last month.", "She turned 90+ last month."),
        ("dreiundneunzigjährige Patientin", "90+jährige Patientin"),
        ("in her nineties", "in her 90+"),
        ("MRI 9/8: no lesion", "MRI 9/18: no lesion"),
        ("Labs drawn 2/17 and 2/19", "Labs drawn 2/27 and 3/1"),
        ("The Mole family was informed.", "The [PERSON_NAME] family was informed."),
        ("husband, John Marrow, called", "husband, [PERSON_NAME], called"),
        ("Signed: P. Bone, MD", "Signed: [PERSON_NAME], MD"),
    ],
)
def test_what_its_company_tells_goes_as_its_kind(text: str, expected: str) -> None:
    assert cleaned(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "motor strength 4/5, reflexes 2/4", "L4/5 and C5/6", "3/17 lymph nodes", "vision 6/18 right",
        "angle of 93 degrees, pulse 95", "the family was informed, gene family", "mole on the left hand",
        "He will come back in June.", "Apgar 9/10, Glasgow 14/15, Wells score 3",
        "Nach der Operation wünscht er keine Reanimation.", "Since March no fever.",
    ],
)  # fmt: skip
def test_what_looks_like_an_age_a_day_or_a_name_stays(text: str) -> None:
    assert cleaned(text) == text
