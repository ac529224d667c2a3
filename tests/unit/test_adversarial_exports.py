"""What exporters and people write of somebody in other words: how much is left, and what must stay."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.adversarial.exports import (
    PEOPLE,
    exports,
    staying,
    staying_files,
    templates,
)
from tests.adversarial.people import person
from tests.adversarial.probes import STRANGER, left
from tests.adversarial.running import plan_of, result_of

if TYPE_CHECKING:
    import deid

MOST_LEFT = {"basic": 0.025, "research": 0.04}
LEAST_STAYING = {"basic": 250, "research": 370}


@cache
def plan(preset: str) -> deid.Plan:
    return plan_of(preset)


def test_there_are_three_hundred_ways_and_as_many_texts_that_stay() -> None:
    assert len(templates()) >= 300
    assert len(templates("exports_judged")) >= 100
    assert len(staying()) >= 300
    assert len(set(staying())) == len(staying())


def test_what_tells_stands_in_its_source() -> None:
    foreign = ("{fam_cyr}", "{fam_greek}")  # bytes are compared in lower case as if they were ASCII
    unseen = [probe.id for probe in exports() if not probe.is_left_in(probe.content)]
    assert [name for name in unseen if not any(each in name for each in foreign)] == []


@pytest.mark.parametrize("preset", MOST_LEFT)
def test_little_of_what_exporters_write_is_left(preset: str) -> None:
    found = left(exports(), plan(preset))
    assert len(found) <= MOST_LEFT[preset] * len(exports()), [probe.id for probe in found]


@pytest.mark.parametrize("preset", MOST_LEFT)
def test_little_is_left_of_what_was_written_when_the_rules_were_done(preset: str) -> None:
    judged = exports("exports_judged")
    found = left(judged, plan(preset))
    assert len(found) <= 0.04 * len(judged), [probe.id for probe in found]


@pytest.mark.parametrize("preset", LEAST_STAYING)
def test_what_is_written_of_nobody_stays_whoever_the_patient_is(preset: str) -> None:
    staying = [
        {tag for tag, element in planted.items() if element in result_of(content, plan(preset))}
        for content, planted in staying_files(person(STRANGER))
    ]
    assert sum(map(len, staying)) >= LEAST_STAYING[preset]
    lost = []
    for number in PEOPLE[::2]:
        for (content, planted), tags in zip(staying_files(person(number)), staying, strict=True):
            output = result_of(content, plan(preset))
            lost += [(number, planted[tag]) for tag in tags if planted[tag] not in output]
    assert lost == []
