"""What only its company makes an age, a day or a name; and what looks like one and is none."""

# ruff: noqa: RUF001 - letters of other scripts are what is tested

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sturz, F/92", "Sturz, F/90+"),
        ("W 92J, Sturz", "W 90+J, Sturz"),
        ("m, 94 J. mit Husten", "m, 90+ J. mit Husten"),
        ("F92Y hip", "F90+Y hip"),
        ("92 J. w", "90+ J. w"),
        ("胸部 ♀ 92", "胸部 ♀ 90+"),
        ("女/92 胸部", "女/90+ 胸部"),
        ("92男", "90+男"),
        ("боль, 92 года", "боль, 90+ года"),
    ],
)
def test_a_number_beside_a_sex_is_an_age_over_89(text: str, expected: str) -> None:
    assert cleaned(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "W/100 L/40", "W 110 L 90", "window/level 100/90", "shock with 100 J.", "M/FFE/90", "F/U 92", "F/100.5",
        "F/95 mm", "F/90 kg", "M 100 %", "w/ 92 kV",
    ],
)  # fmt: skip
def test_a_number_beside_a_window_or_a_measure_is_no_age(text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Jg. {}", "Jahrg. {} CT", "YOB: {}", "birth year {}", "née en {}.", "né(e) en {}", "Geburtsjahr: {}",
        "año de nacimiento {}", "F.Nac.: {}",
        "rocznik {}", "født {}", "г.р. {}", "{} г. р.",
        "{}年生", "{}년생",
        "THX (*{})", "born ca. {}.",
    ],
)  # fmt: skip
def test_a_year_beside_what_says_birth_is_a_date_of_birth(text: str) -> None:
    assert "1957" not in cleaned(text.format(1957))
    assert "[DATE_OF_BIRTH]" in cleaned(text.format(1957))


def test_a_year_of_birth_may_have_two_digits() -> None:
    assert cleaned("YOB: 57, cough") == "YOB: [DATE_OF_BIRTH], cough"


@pytest.mark.parametrize(
    "text",
    ["*2000 counts", "2*1957", "5*2000 ms", "jg 57 mm", "TR*2000", "* 2000 ms", "in 1957 images",
     "Jg. 16 gauge"],
)  # fmt: skip
def test_a_number_beside_an_asterisk_or_a_gauge_is_no_year_of_birth(text: str) -> None:
    assert "[DATE_OF_BIRTH]" not in cleaned(text)


@pytest.mark.parametrize("text", ["Echo 1/2", "ECHO 2/2", "T2 echo 1/3", "MAG Echo 2/4"])
def test_one_of_several_echoes_is_no_day(text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo 9/21", "echo 10/1"),
        ("Echo 3/2", "Echo 3/12"),
        ("echo 4/5: EF 60", "echo 4/15: EF 60"),
    ],
)
def test_a_day_behind_an_echo_is_one(text: str, expected: str) -> None:
    assert cleaned(text) == expected
