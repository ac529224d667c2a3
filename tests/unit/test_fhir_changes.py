"""Changes of FHIR stores: what has changed meanwhile, and what goes with what is deleted. Stores are real."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from daemon.fhir.bundles import condition_of
from daemon.fhir.errors import Conflict
from daemon.fhir.ports import Change, Wish
from daemon.observe.metrics import Metrics
from daemon.pipeline.fhir_reading import read_document
from daemon.resources import Content, Method
from daemon.store.fhir import FhirSink, FhirStore
from daemon.store.posted import Posted
from daemon.store.rows import StoreKind
from daemon.store.sidecar_rows import Made
from daemon.store.stores import Stores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.resources import ResourceVersion
    from daemon.store.ports import Session
    from daemon.store.rows import Store

MARK = "Zqxwurm"


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state")
    yield opened
    await opened.close()


def change(wish: Wish, name: str, **more: Any) -> Change:
    body = {
        "resourceType": "Patient",
        "id": name,
        "identifier": [{"system": "urn:h", "value": "17"}],
    }
    (entry,) = read_document(json.dumps(body).encode(), {}).entries
    return Change(wish, "Patient", name, None if wish is Wish.DELETE else entry.resource, **more)


async def test_what_a_condition_meant_before_has_to_be_what_it_means_now(stores: Stores) -> None:
    sink = FhirSink(stores.stores, stores.database)
    condition = condition_of("Patient", "identifier=urn:h|17")
    (made,) = await sink.change([change(Wish.CREATE, "a", if_none_exist=condition, was_found="")])
    assert made.is_new
    for was_found in ("", "b"):
        later = change(Wish.CREATE, "c", if_none_exist=condition, was_found=was_found)
        with pytest.raises(Conflict):
            await sink.change([later])
    (found,) = await sink.change([change(Wish.CREATE, "c", if_none_exist=condition, was_found="a")])
    assert found.version is not None
    assert (found.version.id, found.was_there) == ("a", True)


async def test_what_a_client_that_leaves_has_changed_is_kept_beside_its_rows(
    stores: Stores,
) -> None:
    store = await stores.database.write(
        lambda session: session.stores.add("dataset", StoreKind.FHIR, "left")
    )
    loop, told = asyncio.get_running_loop(), []

    def leave(_session: Session, _store: Store, version: ResourceVersion) -> None:
        told.append(version.id)
        loop.call_soon_threadsafe(changing.cancel)

    sink = FhirSink(
        stores.stores,
        stores.database,
        changed=lambda: told.append("changed"),
        store=store,
        noted=leave,
        posted=stores.posted(store),
    )
    changing = asyncio.create_task(sink.change([change(Wish.UPDATE, "a")]))
    with pytest.raises(asyncio.CancelledError):
        await changing
    assert told == ["a", "changed"]
    assert len(list(stores.stores.blobs_of(store).names())) == 1


async def test_what_fails_after_its_client_has_left_is_told_in_log_and_metrics(
    stores: Stores, tmp_path: Path
) -> None:
    """Its rows are there and their copy is not: whoever is asked to find out why learns of it here."""
    loop = asyncio.get_running_loop()
    asked: list[asyncio.Task[Any]] = []

    def leave(_session: Session, _store: Store, _version: ResourceVersion) -> None:
        loop.call_soon_threadsafe(asked[0].cancel)

    source = stores.stores.fhir_source
    refusing = Posted(stores.stores.blobs_of(source), tmp_path / MARK / "no folder")
    sink = FhirSink(stores.stores, stores.database, noted=leave, posted=refusing)

    def counted() -> bytes:
        (line,) = re.findall(rb"(?m)^dicomveil_unheard_failures (.*)$", Metrics().exposition())
        return bytes(line)

    before = counted()
    with capture_logs() as logs:
        asked.append(asyncio.create_task(sink.change([change(Wish.UPDATE, "a")])))
        with pytest.raises(asyncio.CancelledError):
            await asked[0]
    assert [(each["event"], each["error"]) for each in logs] == [("unheard_failure", "Unavailable")]
    assert MARK not in str(logs)
    assert float(counted()) == float(before) + 1


async def test_a_store_that_was_deleted_meanwhile_takes_nothing(stores: Stores) -> None:
    def make(session: Session) -> Store:
        return session.stores.add("dataset", StoreKind.FHIR, "late")

    def replace(session: Session) -> None:
        session.stores.remove(store)
        make(session)

    store = await stores.database.write(make)
    sink = FhirSink(stores.stores, stores.database, store=store)
    await sink.change([change(Wish.UPDATE, "a")])
    await stores.database.write(replace)
    with pytest.raises(Conflict):
        await sink.change([change(Wish.UPDATE, "b")])


async def test_the_result_of_a_resource_goes_with_it(stores: Stores) -> None:
    sink = FhirSink(stores.stores, stores.database)
    (made,) = await sink.change([change(Wish.UPDATE, "a")])
    assert made.version is not None
    number = made.version.number
    results = stores.stores.fhir_destination

    def show(session: Session) -> None:
        content = Content("Patient", b"", b"")
        session.resources.add_version(results, "z", content, method=Method.UPDATE, now_ms=1)
        session.sidecars.change(number, made=(Made("default", "Patient", "z"),))

    await stores.database.write(show)
    await sink.change([change(Wish.DELETE, "a")])
    left = await FhirStore(results, stores.database).get("Patient", "z")
    assert left is not None
    assert left.is_deleted
    source = stores.stores.fhir_source
    row = await stores.database.read(lambda session: session.sidecars.get(source, number))
    assert row is None
