"""Very many identifiers: those that stand in a text are found there as if each had been searched for."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from deid.identity.identifiers import KnownIdentifier
from deid.text import crowd
from deid.text.crowd import Crowd, Gathering, gathered
from deid.text.findings import merged
from deid.text.known import KnownText, prepare
from tests.benchmarks.fhir_people import people

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PEOPLE = [
    KnownIdentifier(value, kind)
    for value, kind in (
        ("Zimmermann^Quirin^Leopold^Dr.", "PERSON_NAME"),
        ("O'Hanrahan^Sinead", "PERSON_NAME"),
        ("Müllenhöver^Jörg", "PERSON_NAME"),
        ("Van den Berghe^Liu", "PERSON_NAME"),
        ("Кузнецова^Ольга", "PERSON_NAME"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "PERSON_NAME"),
        ("Long^Heath", "PERSON_NAME"),
        ("MRN-004711", "MEDICAL_RECORD_NUMBER"),
        ("0000512", "GENERIC_ID"),
        ("19710203", "DATE_OF_BIRTH"),
        ("A1234567", "ACCESSION"),
        ("+49 (30) 9018207", "PHONE_NUMBER"),
        ("St. Vitus Hospital Klagenbach", "ORGANIZATION_NAME"),
        ("Am Hang 5, 9020 Klagenbach", "STREET_ADDRESS"),
        ("ada@klagenbach.example", "GENERIC_ID"),
    )
]
ALL_KNOWN = prepare(PEOPLE)


@cache
def others() -> list[KnownIdentifier]:
    """Return name and number of four hundred people whom no text here speaks of."""
    return [
        identifier
        for each in people(400)
        for identifier in (
            KnownIdentifier(f"{each.family}^{each.given}", "PERSON_NAME"),
            KnownIdentifier(each.number, "GENERIC_ID"),
        )
    ]


@cache
def everybody() -> Crowd:
    """Return all of them, in the midst of whom those are whom the texts speak of."""
    return gathered([*others()[:300], *PEOPLE, *others()[300:]])


def spans(text: str, known: KnownText) -> list[tuple[int, int]]:
    return [(each.start, each.stop) for each in merged(known.find(text))]


@pytest.mark.parametrize(
    "text",
    [
        "seen by zimmermann today",
        "ZIMMERMANN, QUIRIN",
        "ZIMMERMANN, Q",
        "Q. Zimmermann",
        "quirin zimmermann's note",
        "the Zimermanns",
        "Zimmremann",
        "QuirinZimmermann",
        "qzimmermann",
        "Zímmermann",
        "Zimmer-Mann",
        "z1mmermann",
        "nnamremmiz",
        "reportzimmermannfinal",
        "ohanrahan and o hanrahan",
        "Dr O'Hanrahan",
        "muellenhoever",
        "MULLENHOVER",
        "Vandenberghe",
        "liu van den berghe",
        "для Кузнецовой",
        "山田太郎",
        "山田　太郎",
        "患者は太郎です",
        "Dr. Long",
        "Heath Long",
        "mrn 004711",
        "mrn_00-4711",
        "no. 4711",
        "12: 000512, 512",
        "born 03021971",
        "born 3.2.1971",
        "born 03/02/71",
        "born 3 February 1971",
        "a 123 45 67",
        "tel 0049 30 9018207",
        "tel (901) 82-07",
        "at St Vitus Hospital, Klagenbach",
        "am hang 5",
        "from klagenbach",
        "klagenbachs",
        "mail ada@klagenbach.example",
    ],
)
def test_what_is_found_one_by_one_is_found_in_a_crowd(text: str) -> None:
    found = everybody().those_in([text])
    assert spans(text, prepare(found)) == spans(text, ALL_KNOWN)
    assert len(found) < 8


def test_the_corpus_holds_what_is_found() -> None:
    assert spans("seen by zimmermann today", ALL_KNOWN) == [(8, 18)]
    assert spans("tel (901) 82-07", ALL_KNOWN)
    assert spans("born 03021971", ALL_KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "CT abdomen without contrast, arterial phase",
        "no change since the examination before",
        "Siemens SOMATOM Force, kernel Br40d3, 1.25 mm",
        "T2 tse sag fs, TR 4500, TE 98",
        "Keine Stauung, kein Erguss; Z. n. Cholezystektomie",
        "lésion de 12 mm du segment VI",
        "BI-RADS 4a, mass of 9 x 7 mm at 10 o'clock",
        "",
    ],
)
def test_what_tells_of_nobody_is_of_nobody(text: str) -> None:
    known = prepare(everybody().those_in([text]))
    assert spans(text, known) == []


def test_of_many_with_one_forename_that_word_is_told() -> None:
    many = gathered(
        KnownIdentifier(f"{each.family}^Ottilie", "PERSON_NAME") for each in people(300)
    )
    assert many.those_in(["seen with ottilie"]) == (KnownIdentifier("Ottilie", "PERSON_NAME"),)


def test_of_many_in_one_town_that_word_is_told() -> None:
    many = gathered(
        KnownIdentifier(f"{number} Hill Road, Klagenbach", "STREET_ADDRESS")
        for number in range(300)
    )
    assert len(many.those_in(["lives in klagenbach"])) == 1
    assert KnownIdentifier("17 Hill Road, Klagenbach", "STREET_ADDRESS") in many.those_in(
        ["lives at 17 hill road"]
    )


def written(file: BytesIO, known: Iterable[KnownIdentifier]) -> str:
    gathering = Gathering(file)
    gathering.add(known)
    return gathering.finish()


def test_more_than_is_held_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "_MOST_KEYS", 500)
    several = gathered(others())
    for each in others()[100::50]:
        word = each.value.partition("^")[0]
        assert KnownIdentifier(word, each.info_type) in several.those_in([word])


@pytest.mark.parametrize("before", [8180, 8186, 8192, 40_000])
def test_a_long_text_is_looked_at_to_its_end(before: int) -> None:
    filling = "no change since then. " * 2000
    text = f"{filling[:before]} seen by zimmermann, mrn 00-4711"
    values = {each.value for each in everybody().those_in([text])}
    assert values == {"Zimmermann", "MRN-004711"}


def test_a_crowd_is_the_same_from_a_file(tmp_path: Path) -> None:
    in_memory = BytesIO()
    digest = written(in_memory, PEOPLE)
    with (tmp_path / "crowd").open("w+b") as file:
        gathering = Gathering(file)
        gathering.add(PEOPLE)
        assert gathering.finish() == digest
        found = Crowd.of_file(file).those_in(["zimmermann, klagenbach"])
    assert found == Crowd.of_file(in_memory).those_in(["zimmermann, klagenbach"])
    assert found


def test_a_digest_tells_crowds_apart() -> None:
    assert written(BytesIO(), PEOPLE) == written(BytesIO(), PEOPLE)
    assert written(BytesIO(), PEOPLE) != written(BytesIO(), PEOPLE[1:])


def test_nobody_is_found_among_nobody() -> None:
    assert gathered(()).those_in(["zimmermann"]) == ()
