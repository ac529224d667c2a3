"""Broken and strange resources: refused with a reason or de-identified, never anything else."""

from __future__ import annotations

import copy
import random
from typing import Any

import orjson
import pytest

from deid import Unsafe
from deid.fhir.deidentify import deidentify
from deid.fhir.known import known_identifiers
from deid.fhir.ties import ties
from tests.benchmarks.fhir_leaks.by_hand import places
from tests.benchmarks.fhir_leaks.corpus import people
from tests.fhir_samples import fhir_plan, field_plan

CANARY = "Zqxcanary"
JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 17.25, "", CANARY, f"{CANARY}/{CANARY}", [], {}, [[]], [None], [CANARY], {"a": CANARY},
    {"reference": CANARY}, {"value": CANARY}, {"value": {"x": CANARY}}, [{"url": [CANARY]}], {"url": {"a": 1}},
    {"extension": CANARY}, {"extension": [{"url": 1}]}, {"resourceType": CANARY}, {"resourceType": ["Patient"]},
    {"resourceType": "Patient", "id": {"a": 1}}, {"coding": [CANARY]}, {"coding": {"system": []}},
    {"coding": [{"system": ["x"], "code": {}}]}, {"identifier": [[CANARY]]}, {"contentType": [], "data": 1},
    {"contentType": "text/plain", "data": "%%%"}, {"fullUrl": [], "resource": []}, 10**17, "\u202e" + CANARY,
)  # fmt: skip


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Return every container and key within a document."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        found.append((value, key))
        if isinstance(each, dict | list):
            found += spots(each)
    return found


@pytest.mark.parametrize(("level", "rounds"), [("remove", 800), ("inspect", 250)])
def test_junk_anywhere_is_refused_or_gone(level: str, rounds: int) -> None:
    chance = random.Random(11)
    plan = fhir_plan(fhirText=level)
    (person,) = people(1)
    documents = [each.content for each in person.documents] + [
        each for _name, each in places(person)
    ]
    refused: list[str] = []
    for _ in range(rounds):
        document = copy.deepcopy(chance.choice(documents))
        for _ in range(chance.randrange(1, 4)):
            container, key = chance.choice(spots(document))
            if chance.random() < 0.15 and isinstance(container, dict):
                container[f"_{key}"] = copy.deepcopy(chance.choice(JUNK))
            else:
                container[key] = copy.deepcopy(chance.choice(JUNK))
        source = orjson.dumps(document)
        known_identifiers([document])
        ties([document])
        try:
            result = deidentify(source, plan).content
        except Unsafe as refusal:
            refused.append(str(refusal))
            continue
        if level == "remove":
            assert CANARY.encode() not in result
    assert not any(CANARY in each for each in refused)
    assert 0.1 < len(refused) / rounds < 1


def test_junk_is_no_surprise_where_everything_is_kept() -> None:
    chance = random.Random(12)
    plan = field_plan({"profileType": "KEEP_ALL", "options": {"keepExtensions": {}}})
    (person,) = people(1)
    for _ in range(400):
        document = copy.deepcopy(chance.choice(person.documents).content)
        container, key = chance.choice(spots(document))
        container[key] = copy.deepcopy(chance.choice(JUNK))
        try:
            deidentify(orjson.dumps(document), plan)
        except Unsafe:
            continue
