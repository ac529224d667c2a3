"""What was posted outlives its database: it is put back from files beside it, on every engine."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from daemon.fhir.ports import Change, Wish
from daemon.pipeline.fhir_reading import read_resource
from daemon.records import Origin, Receiver
from daemon.store.blobs import Move
from daemon.store.fhir import FhirSink
from daemon.store.posted import put_back
from daemon.store.retention import prune_posted
from daemon.store.rows import StoreKind
from daemon.store.sidecars import Sidecars
from daemon.store.stores import Stores
from deid.fhir.entries import Entry
from deid.fhir.reading import read_resource as resource_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.resources import ReadResource, ResourceVersion
    from daemon.store.ports import Engine, Session
    from daemon.store.rows import Store

BACK = Origin(Receiver.RECOVERED)
Seen = dict[str, tuple[bool, bytes, bytes, int]]


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine, clock=_ticking())
    yield opened
    await opened.close()


@pytest.fixture
async def others(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    """Another state, whose database knows of nothing."""
    opened = await Stores.open(tmp_path / "other", engine=engine, clock=lambda: 1_700_000_000.0)
    yield opened
    await opened.close()


def _ticking() -> Any:
    now = [1_700_000_000.0]

    def clock() -> float:
        now[0] += 1.0
        return now[0]

    return clock


def read(kind: str, name: str, full_url: str = "", **elements: Any) -> ReadResource:
    text = json.dumps({"resourceType": kind, "id": name, **elements}).replace("1.5", "1.50")
    return read_resource(Entry(full_url, resource_in(text.encode())), frozenset())


def put(kind: str, name: str, **elements: Any) -> Change:
    return Change(Wish.UPDATE, kind, name, read(kind, name, **elements))


async def fill(stores: Stores) -> None:
    change = stores.fhir_sink.change
    created = read("Patient", "1", "urn:uuid:7", birthDate="1970", meta={"tag": [{"code": "x"}]})
    await change(
        [Change(Wish.CREATE, "Patient", "1", created), put("Observation", "2", status="a")]
    )
    deepest: Any = 1.50
    for _ in range(62):
        deepest = {"x": deepest}
    await change([put("Observation", "2", status="b", value=deepest)])
    await change([put("Condition", "3", meta={"lastUpdated": "2020-01-01T00:00:00Z"})])
    await change([Change(Wish.DELETE, "Condition", "3")])
    await change([Change(Wish.DELETE, "Flag", "never")])


async def move_files(stores: Stores, others: Stores) -> list[str]:
    """Let the other state have the files; return their names."""
    of = stores.stores.blobs_of(stores.stores.fhir_source)
    target = others.stores.blobs_of(others.stores.fhir_source)
    names = sorted(of.names())
    for name in names:
        file = others.layout.work / name
        with of.open(name) as opened:
            file.write_bytes(opened.read())
        target.take([_move(file, name)])
    return names


def _move(file: Path, name: str) -> Any:
    return Move(file, name)


async def seen(stores: Stores) -> Seen:
    source = stores.stores.fhir_source

    def look(session: Session) -> Seen:
        found: list[ResourceVersion | None] = [
            session.resources.get(source, kind, name)
            for kind, name in (
                ("Patient", "1"),
                ("Observation", "2"),
                ("Condition", "3"),
                ("Flag", "never"),
            )
        ]
        return {
            f"{each.type}/{each.id}": (each.is_deleted, each.meta, each.rest, each.updated_ms)
            for each in found
            if each is not None
        }

    return await stores.database.read(look)


async def back(stores: Stores, names: list[str]) -> list[tuple[str, bool]]:
    def work() -> list[tuple[str, bool]]:
        with stores.engine.session(stores.layout) as session:
            return list(put_back(session, stores.stores, stores.stores.fhir_source, names))

    return await asyncio.to_thread(work)


async def test_posted_resources_are_put_back_as_they_were(stores: Stores, others: Stores) -> None:
    await fill(stores)
    names = await move_files(stores, others)
    assert len(names) == 4  # deleting what never was leaves none
    assert [could for _, could in await back(others, names)] == [True] * 4
    assert await seen(others) == await seen(stores)
    assert (await seen(others))["Condition/3"][0]

    def ties(session: Session) -> Any:
        source = others.stores.fhir_source
        patient = session.resources.get(source, "Patient", "1")
        assert patient is not None
        row = session.sidecars.get(source, patient.number)
        assert row is not None
        return row.ties.addresses, row.is_dropped

    assert await others.database.read(ties) == (("Patient/1", "urn:uuid:7"), False)


async def test_what_is_there_already_is_not_put_back_again(stores: Stores, others: Stores) -> None:
    await fill(stores)
    names = await move_files(stores, others)
    await back(others, names)
    assert await back(others, names) == []
    assert await back(stores, names) == []


async def test_a_file_that_cannot_be_read_keeps_none_from_coming_back(
    stores: Stores, others: Stores
) -> None:
    await fill(stores)
    names = await move_files(stores, others)
    file = others.layout.work / "torn"
    file.write_bytes(b'{"resourceType":"Bundle","type":"history","entry":[{"fullU')
    others.stores.blobs_of(others.stores.fhir_source).take([_move(file, "0" * 32)])
    found = await back(others, ["0" * 32, *names])
    assert sorted(could for _, could in found) == [False, True, True, True, True]
    assert await seen(others) == await seen(stores)


@pytest.mark.parametrize("name", ["2", "3"])
async def test_a_dropped_file_that_comes_back_does_not_undo_what_was_posted_since(
    stores: Stores, others: Stores, name: str
) -> None:
    await fill(stores)
    await back(others, await move_files(stores, others))
    before = await seen(others)
    kind = {"2": "Observation", "3": "Condition"}[name]
    dropped = read(kind, name, status="dropped")
    sidecars = Sidecars(others.stores)
    await others.database.write(lambda session: sidecars.take(session, [dropped], BACK, 9e9))
    assert await seen(others) == before


async def test_files_that_later_ones_tell_anew_go_and_the_rest_still_tells_everything(
    stores: Stores, others: Stores
) -> None:
    await fill(stores)
    blobs = stores.stores.blobs_of(stores.stores.fhir_source)
    now = 1_700_000_000.0
    assert await prune_posted(stores, 86_400, now=now) == 0  # none is so old
    # Patient 1 stands beside what is out of date; what deletes Condition 3 has to stay.
    assert await prune_posted(stores, 86_400, now=now + 2 * 86_400) == 1
    assert await prune_posted(stores, 86_400, now=now + 2 * 86_400) == 0
    assert len(list(blobs.names())) == 3
    names = await move_files(stores, others)
    await back(others, names)
    assert await seen(others) == await seen(stores)


async def test_what_is_made_anew_after_it_was_deleted_needs_no_file_that_deletes_it(
    stores: Stores,
) -> None:
    await stores.fhir_sink.change([put("Condition", "3")])
    await stores.fhir_sink.change([Change(Wish.DELETE, "Condition", "3")])
    await stores.fhir_sink.change([put("Condition", "3", status="again")])
    blobs = stores.stores.blobs_of(stores.stores.fhir_source)
    torn = stores.layout.work / "torn"
    torn.write_bytes(b'{"resourceType":"Bundle","type":"history","entry":[{"fullU')
    blobs.take([_move(torn, "0" * 32)])
    assert await prune_posted(stores, 1, now=1_800_000_000.0) == 2
    assert "0" * 32 in blobs.names()


async def made_store(stores: Stores) -> Store:
    return await stores.database.write(
        lambda session: session.stores.add("projects/p", StoreKind.FHIR, "made")
    )


async def test_what_is_posted_to_or_imported_into_any_store_is_put_back_without_its_rows(
    tmp_path: Path, engine: Engine, stores: Stores
) -> None:
    made = await made_store(stores)
    posted = stores.posted(made)
    sink = FhirSink(stores.stores, stores.database, store=made, posted=posted)
    await sink.change([put("Patient", "1", birthDate="1970")])
    await sink.change([put("Observation", "2"), put("Condition", "3")])
    await sink.change([Change(Wish.DELETE, "Condition", "3")])
    posted.keep_imported([read("Device", "4", meta={"tag": [{"code": "x"}]})], 1_700_000_099_000)
    posted.keep_imported([], 1_700_000_099_000)
    assert len(list(stores.stores.blobs_of(made).names())) == 4
    other = await Stores.open(tmp_path / "other", engine=engine)
    new = await made_store(other)
    await other.fhir_sink.change([put("Patient", "before")])
    of, target = stores.stores.blobs_of(made), other.stores.blobs_of(new)
    for name in of.names():
        file = other.layout.work / name
        with of.open(name) as opened:
            file.write_bytes(opened.read())
        target.take([_move(file, name)])
    await other.close()
    again = await Stores.open(tmp_path / "other", engine=engine)
    assert again.recovered.adopted == 4
    page = await again.database.read(lambda session: session.resources.page(new, 0, 99))
    assert {(each.type, each.id) for each in page} == {
        ("Patient", "1"),
        ("Observation", "2"),
        ("Device", "4"),
    }
    counts = await again.database.read(
        lambda session: session.sidecars.counts(again.stores.fhir_source)
    )
    assert sum(counts.values()) == 1  # what is in a store of somebody's is nobody's sidecar
    await again.close()


async def test_a_start_with_an_older_database_puts_back_what_was_posted_since(
    tmp_path: Path, engine: Engine, stores: Stores, others: Stores
) -> None:
    await others.fhir_sink.change([put("Patient", "before")])
    await fill(stores)
    await move_files(stores, others)
    await others.close()
    again = await Stores.open(tmp_path / "other", engine=engine)
    try:
        assert again.recovered.adopted == 4
        assert await seen(again) == await seen(stores)
    finally:
        await again.close()
    once_more = await Stores.open(tmp_path / "other", engine=engine)
    assert once_more.recovered.adopted == 0
    await once_more.close()
