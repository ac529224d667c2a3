"""The corpus of planted originals, for one of its patients; the benchmark runs it for all."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.benchmarks.fhir_leaks import score
from tests.benchmarks.fhir_leaks.by_hand import places
from tests.benchmarks.fhir_leaks.corpus import people

if TYPE_CHECKING:
    from tests.benchmarks.fhir_leaks.score import Tally


@cache
def tally(level: str) -> Tally:
    return score.scored(level, most=1)


@pytest.mark.parametrize("level", score.LEVELS)
def test_nothing_that_was_planted_is_left(level: str) -> None:
    assert tally(level).leaks == []
    assert not tally(level).refused


def test_nothing_that_must_stay_is_lost() -> None:
    assert tally("remove").lost == []


def test_references_lead_where_they_led_and_dates_keep_their_distances() -> None:
    assert tally("remove").astray == []
    assert tally("remove").moved_apart == []


def test_resources_tell_what_the_images_tell() -> None:
    assert tally("remove").unlike_images == []


def test_the_corpus_is_as_large_as_it_says() -> None:
    found = tally("remove")
    assert len(found.types) >= 95
    assert len(found.kinds_of_places) >= 5000
    assert found.planted >= 15_000
    assert min(found.keeps, found.references) >= 2000
    assert found.dates >= 1200


def test_the_scorer_sees_every_place_by_hand_when_nothing_is_done() -> None:
    (person,) = people(1)
    known = tuple(score._known(person))
    unseen = [
        name for name, content in places(person) if not score._left(orjson.dumps(content), known)
    ]
    assert unseen == []
