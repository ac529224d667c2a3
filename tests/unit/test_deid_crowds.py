"""An instance of whose people very much is known, or of very many people, is cleaned of all of it."""

from __future__ import annotations

import pytest

import deid
from deid import engine
from deid.text import crowd
from deid.text.crowd import gathered
from tests.benchmarks.fhir_people import CONFIGURATION, people
from tests.factories import PATIENTS, encoded, make_ct

EVERYBODY = people(60)
KNOWN = [deid.KnownIdentifier(f"{each.family}^{each.given}", "PERSON_NAME") for each in EVERYBODY]
PLAN = deid.compile_plan(CONFIGURATION, deid.SiteKey(bytes(range(32))))
KEEPING = deid.compile_plan(
    {"dicom": {"keepList": {"tags": ["StudyDescription"]}}}, deid.SiteKey(bytes(range(32)))
)


def instance(description: str) -> bytes:
    dataset = make_ct(PATIENTS[0], rows=4)
    dataset.StudyDescription = description
    return encoded(dataset)


def made(source: bytes, result: deid.Deidentified) -> bytes:
    return b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let twenty identifiers be very many."""
    monkeypatch.setattr(engine, "MOST_OF_ONE", 20)
    crowd._crowd_of.cache_clear()


def test_whoever_is_named_of_very_many_goes() -> None:
    source = instance("chest, Head")
    head = deid.KnownIdentifier("Head^Ada", "PERSON_NAME")
    known = [*KNOWN[:30], head, *KNOWN[30:]]
    crowds = (gathered(known),)
    for result in (
        deid.deidentify(source, PLAN, known),
        deid.deidentify(source, PLAN, crowds=crowds),
        deid.deidentify(source, PLAN, KNOWN[:1], crowds=crowds),
    ):
        assert b"chest, [PERSON_NAME]" in made(source, result)
    assert b"chest, Head" in made(source, deid.deidentify(source, PLAN, KNOWN))


def test_an_instance_that_names_none_of_them_is_as_without_them() -> None:
    source = instance("chest without contrast")
    alone = deid.deidentify(source, PLAN)
    beside = deid.deidentify(source, PLAN, KNOWN)
    assert made(source, beside) == made(source, alone)
    assert beside.outcome.to_json() == alone.outcome.to_json()


def test_where_nobody_looks_into_texts_nobody_is_looked_up() -> None:
    source = instance("chest, Head")
    known = [*KNOWN, deid.KnownIdentifier("Head^Ada", "PERSON_NAME")]
    alone = deid.deidentify(source, KEEPING)
    assert b"chest, Head" in made(source, alone)
    assert made(source, deid.deidentify(source, KEEPING, known)) == made(source, alone)


def test_names_are_sought_in_disguise_while_there_are_not_too_many_of_them() -> None:
    numbers = [deid.KnownIdentifier(each.number, "GENERIC_ID") for each in EVERYBODY]
    kept, crowds = crowd.parted((*numbers, *KNOWN[:20]), 20)
    assert kept == tuple(KNOWN[:20])
    assert crowds[0].those_in([EVERYBODY[7].number]) == (numbers[7],)
    assert crowd.parted((*numbers, *KNOWN[:21]), 20)[0] == ()
    assert crowd.parted(tuple(KNOWN[:20]), 20) == (tuple(KNOWN[:20]), ())
