"""What happens to receipts when somebody meddled with the files, or with the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.records import State
from daemon.store.rows import Role
from daemon.store.stores import Stores
from tests.contract.test_store_receipts import Clock, state_of, visible
from tests.store_samples import make_instance, receive, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.store.dicom import DicomStore
    from daemon.store.ports import Engine


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def stores(tmp_path: Path, clock: Clock, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", clock=clock, engine=engine)
    yield opened
    await opened.close()


async def _blob_in(index: DicomStore) -> str:
    """Return the name of a store's only blob, as its row has it."""
    (instance,) = await index._database.read(
        lambda session: session.instances.page(index.store, 0, 10)
    )
    return instance.blob


@pytest.mark.parametrize("lost_from", [Role.SOURCE, Role.DESTINATION])
async def test_an_instance_whose_file_is_gone_is_stored_anew_when_it_is_sent_again(
    stores: Stores, lost_from: Role
) -> None:
    instance = make_instance()
    await store(stores, instance)
    places = {Role.SOURCE: stores.source, Role.DESTINATION: stores.destination}
    lost = places[lost_from]
    lost.blobs.remove([await _blob_in(lost)])
    again = await store(stores, instance)
    assert await state_of(stores, again) == (State.STORED, "")
    for role, place in places.items():
        assert await visible(stores, role) == 1
        assert place.blobs.has(await _blob_in(place))


async def test_a_clock_that_is_set_back_does_not_keep_an_instance_waiting(
    stores: Stores, clock: Clock
) -> None:
    receipt = await receive(stores)
    await stores.receipts.postpone(receipt.id, "worker_crashed", 60.0)
    assert await stores.receipts.due(9, ()) == []
    clock.now -= 86_400
    assert [due.id for due in await stores.receipts.due(9, ())] == [receipt.id]
