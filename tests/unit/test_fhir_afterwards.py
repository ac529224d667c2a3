"""What a search finds once a transaction is done: told before, it is what the store finds afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from daemon.fhir.afterwards import Afterwards
from daemon.fhir.errors import MultipleMatches
from daemon.fhir.ports import Change, Wish
from daemon.fhir.searching import conditional
from daemon.pipeline.fhir_reading import read_document
from daemon.store.fhir import FhirSink, FhirStore
from daemon.store.stores import Stores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state")
    yield opened
    await opened.close()


def observation(name: str, effective: str = "2024", code: str = "urn:c|1") -> Change:
    system, _stroke, value = code.partition("|")
    body = {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": system, "code": value}]},
        "effectiveDateTime": effective,
    }
    (entry,) = read_document(json.dumps(body).encode(), {}).entries
    return Change(Wish.CREATE, "Observation", name, entry.resource)


async def found(store: FhirStore, changes: Sequence[Change], query: str) -> str:
    pairs = [
        (name, value) for name, _is, value in (each.partition("=") for each in query.split("&"))
    ]
    try:
        return await Afterwards(store, changes).only(conditional("Observation", pairs))
    except MultipleMatches:
        return "several"


@pytest.mark.parametrize("prefix", ["", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])
@pytest.mark.parametrize("effective", ["2023", "2024", "2024-05-06", "2024-05", "2025"])
async def test_a_date_of_what_is_made_is_compared_as_that_of_what_is_stored(
    stores: Stores, prefix: str, effective: str
) -> None:
    store = FhirStore(stores.stores.fhir_source, stores.database)
    made = observation("a", effective)
    query = f"date={prefix}2024-05"
    before = await found(store, [made], query)
    await FhirSink(stores.stores, stores.database).change([made])
    assert before == await found(store, [], query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("code=urn:c|1", "a"),
        ("code=1", "several"),
        ("code=urn:c|", "a"),
        ("code=|1", ""),
        ("code=2,3", ""),
        ("code=2,urn:d|1", "b"),
        ("_id=b", "b"),
        ("_id=b&code=urn:c|1", ""),
        ("code=1&date=2023", "b"),
        ("code=1&_lastUpdated=gt2000", ""),
        ("status=final", "several"),
    ],
)
async def test_all_conditions_of_what_is_made_have_to_hold(
    stores: Stores, query: str, expected: str
) -> None:
    store = FhirStore(stores.stores.fhir_source, stores.database)
    made = [observation("a"), observation("b", "2023", "urn:d|1")]
    assert await found(store, made, query) == expected


async def test_what_is_behind_very_many_that_are_deleted_is_found(stores: Stores) -> None:
    store = FhirStore(stores.stores.fhir_source, stores.database)
    names = [f"n{number}" for number in range(250)]
    await FhirSink(stores.stores, stores.database).change([observation(each) for each in names])
    deletes = [Change(Wish.DELETE, "Observation", each) for each in names]
    assert await found(store, deletes[:-1], "code=1") == "n249"
    assert await found(store, deletes[:-2], "code=1") == "several"
    assert await found(store, deletes, "code=1") == ""
    others = [Change(Wish.DELETE, "Patient", each) for each in names]
    assert await found(store, others, "code=1") == "several"
