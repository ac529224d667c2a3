"""Deleting instances of configured stores: what waits stays, and a deleted result is never made again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.healthcare import names
from daemon.healthcare.calls import Call
from daemon.healthcare.datasets import Datasets
from daemon.healthcare.deleting import DELETED, Deleting
from daemon.healthcare.errors import FailedPrecondition
from daemon.healthcare.methods import meant
from daemon.records import Receipt, State
from daemon.store.blobs import Move
from daemon.store.operation_rows import Dataset
from daemon.store.rows import Place, Role
from daemon.store.store_set import StoreSet
from daemon.store.stores import Stores
from tests.store_samples import ORIGIN, make_instance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.store.ports import Session
    from daemon.store.rows import Entry, Store

RECEIPT = f"{1:032x}"
INSTANCE = replace(make_instance(), blob=RECEIPT)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state")
    yield opened
    await opened.close()


def configured(session: Session, role: Role) -> Store:
    (found,) = (
        each
        for each in session.stores.all()
        if each.role is role and each.kind is names.KINDS["dicomStores"]
    )
    return found


async def delete(stores: Stores, role: Role, state: State) -> None:
    """Delete a study of a configured store, of an instance whose receipt is in some state."""

    def keep(session: Session) -> Store:
        store = configured(session, role)
        session.receipts.insert(Receipt(RECEIPT, ORIGIN, 1.0, 1))
        session.receipts.change(RECEIPT, state=state)
        session.instances.add(store, INSTANCE, blob=RECEIPT, receipt_id=RECEIPT)
        return store

    store = await stores.database.write(keep)
    path = f"{names.CONFIGURED}/dicomStores/{store.name}/dicomWeb/studies/{INSTANCE.study_uid}"
    found = meant("v1", "DELETE", path)
    assert found is not None
    handle = Deleting(stores).handlers[found.method.name]
    await handle(Call("v1", found.method, found.parameters, {}, {}))


async def left(stores: Stores, role: Role) -> tuple[bool, Entry]:
    """Return whether the instance is there, and its receipt."""

    def read(session: Session) -> tuple[bool, Entry]:
        there = session.instances.find(configured(session, role), INSTANCE.sop_instance_uid)
        entry = session.receipts.get(RECEIPT)
        assert entry is not None
        return there is not None, entry

    return await stores.database.read(read)


@pytest.mark.parametrize("role", [Role.SOURCE, Role.DESTINATION])
async def test_what_is_being_deidentified_is_not_deleted(stores: Stores, role: Role) -> None:
    with pytest.raises(FailedPrecondition):
        await delete(stores, role, State.RECEIVED)
    is_there, entry = await left(stores, role)
    assert (is_there, entry.receipt.state) == (True, State.RECEIVED)


async def test_a_dataset_goes_with_all_its_stores_though_the_client_leaves(
    tmp_path: Path, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "projects/p/locations/l/datasets/d"

    def make(session: Session) -> list[Store]:
        session.datasets.put(Dataset(name, "{}"))
        return [session.stores.add(name, kind, "s") for kind in names.KINDS.values()]

    loop, empty = asyncio.get_running_loop(), StoreSet.empty

    def empty_and_leave(self: StoreSet, store: Store) -> None:
        empty(self, store)
        loop.call_soon_threadsafe(deleting.cancel)

    folders = []
    for number, store in enumerate(await stores.database.write(make)):
        file = stores.layout.work / f"{number}"
        file.write_bytes(b"content")
        stores.stores.blobs_of(store).take([Move(file, f"{number:032x}")])
        folders.append(tmp_path / "state" / store.folder)
    assert all(files_of(folder) for folder in folders)
    monkeypatch.setattr(StoreSet, "empty", empty_and_leave)
    found = meant("v1", "DELETE", name)
    assert found is not None
    handle = Datasets(stores, lambda: 1.0).handlers[found.method.name]
    deleting = asyncio.ensure_future(handle(Call("v1", found.method, found.parameters, {}, {})))
    with pytest.raises(asyncio.CancelledError):
        await deleting
    assert not any(files_of(folder) for folder in folders)


def files_of(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


async def test_of_what_cannot_be_deleted_as_a_whole_nothing_is(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.healthcare.deleting._BATCH", 1)
    first = f"{2:032x}"

    def keep(session: Session) -> None:
        session.receipts.insert(Receipt(first, ORIGIN, 1.0, 1))
        session.receipts.change(first, state=State.STORED)
        instance = replace(make_instance(2), blob=first)
        session.instances.add(
            configured(session, Role.SOURCE), instance, blob=first, receipt_id=first
        )

    await stores.database.write(keep)
    with pytest.raises(FailedPrecondition):
        await delete(stores, Role.SOURCE, State.RECEIVED)
    totals = await stores.database.read(
        lambda session: session.figures.of_store(configured(session, Role.SOURCE))
    )
    assert totals.instances == 2


async def test_what_was_received_goes_and_its_receipt_tells(stores: Stores) -> None:
    await delete(stores, Role.SOURCE, State.STORED)
    is_there, entry = await left(stores, Role.SOURCE)
    assert (is_there, entry.receipt.state, entry.place) == (False, State.STORED, Place.GONE)


async def test_a_deleted_result_is_never_made_again(stores: Stores) -> None:
    await delete(stores, Role.DESTINATION, State.STORED)
    is_there, entry = await left(stores, Role.DESTINATION)
    assert (is_there, entry.receipt.state) == (False, State.DISCARDED)
    assert entry.receipt.reason == DELETED
