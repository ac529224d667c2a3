"""One disguised identifier in a file: how many are left, and what must stay beside them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.adversarial.people import person
from tests.adversarial.probes import STRANGER, coinciding, left, probes, stays
from tests.adversarial.running import plan_of, result_of

if TYPE_CHECKING:
    import deid

PEOPLE = 2
"""Of each half; the benchmark asks them all."""
MOST_LEFT = {"basic": 0.02, "research": 0.04, "minimal": 0.0}


@cache
def plan(preset: str) -> deid.Plan:
    return plan_of(preset)


def test_there_are_a_thousand_disguises_and_half_of_them_are_of_people_nobody_looked_at() -> None:
    held_out = sum(probe.held_out for probe in probes())
    assert len(probes()) >= 2000
    assert held_out >= len(probes()) * 0.48
    assert len({probe.id for probe in probes()}) == len(probes())


def test_each_disguise_can_be_found_in_its_source() -> None:
    assert [probe.id for probe in probes(PEOPLE) if not probe.is_left_in(probe.content)] == []


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("preset", MOST_LEFT)
def test_few_disguises_are_left(preset: str, *, held_out: bool) -> None:
    chosen = [probe for probe in probes(PEOPLE) if probe.held_out is held_out]
    found = left(chosen, plan(preset))
    assert len(found) <= MOST_LEFT[preset] * len(chosen), [probe.id for probe in found]


@pytest.mark.parametrize("preset", ["basic", "research"])
def test_what_stays_about_anybody_stays_about_everybody(preset: str) -> None:
    made = [result_of(content, plan(preset)) for content, _ in stays(person(STRANGER))]
    files = [planted for _, planted in stays(person(STRANGER))]
    staying = [
        {tag for tag, element in planted.items() if element in output}
        for planted, output in zip(files, made, strict=True)
    ]
    assert sum(map(len, staying)) >= 30
    lost = []
    for number in range(4 * PEOPLE):
        for (content, planted), tags in zip(stays(person(number)), staying, strict=True):
            output = result_of(content, plan(preset))
            lost += [(number, planted[tag]) for tag in tags if planted[tag] not in output]
    assert lost == []


@pytest.mark.parametrize("preset", ["basic", "research"])
def test_measured_numbers_with_a_few_digits_of_ones_own_stay(preset: str) -> None:
    lost = []
    for number in range(4 * PEOPLE):
        for content, planted in coinciding(person(number)):
            output = result_of(content, plan(preset))
            lost += [(number, element) for element in planted.values() if element not in output]
    assert lost == []
