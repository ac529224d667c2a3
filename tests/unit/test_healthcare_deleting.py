"""Deleting instances of configured stores: what waits stays, and a deleted result is never made again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.healthcare import names
from daemon.healthcare.calls import Call
from daemon.healthcare.deleting import DELETED, Deleting
from daemon.healthcare.errors import FailedPrecondition
from daemon.healthcare.methods import meant
from daemon.records import Receipt, State
from daemon.store.rows import Place, Role
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
