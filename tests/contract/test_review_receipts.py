"""What happens to receipts when somebody meddled with the files, or with the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.records import State
from daemon.store.rows import Role
from daemon.store.stores import Stores
from dicomweb.ports import Resource
from tests.contract.test_store_receipts import Clock, state_of, visible
from tests.store_samples import make_instance, receive, store, veiled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.store.dicom import DicomStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def stores(tmp_path: Path, clock: Clock) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", clock=clock)
    yield opened
    await opened.close()


async def _file_in(index: DicomStore, study_uid: str) -> Path:
    (file,) = await index.locate(Resource(study_uid))
    return file.path


@pytest.mark.parametrize("lost_from", [Role.SOURCE, Role.DESTINATION])
async def test_an_instance_whose_file_is_gone_is_stored_anew_when_it_is_sent_again(
    stores: Stores, lost_from: Role
) -> None:
    instance = make_instance()
    await store(stores, instance)
    places = {
        Role.SOURCE: (stores.source, instance.study_uid),
        Role.DESTINATION: (stores.destination, veiled(instance).study_uid),
    }
    (await _file_in(*places[lost_from])).unlink()
    again = await store(stores, instance)
    assert await state_of(stores, again) == (State.STORED, "")
    for store_name, place in places.items():
        assert await visible(stores, store_name) == 1
        assert (await _file_in(*place)).is_file()


async def test_a_clock_that_is_set_back_does_not_keep_an_instance_waiting(
    stores: Stores, clock: Clock
) -> None:
    receipt = await receive(stores)
    await stores.receipts.postpone(receipt.id, "worker_crashed", 60.0)
    assert await stores.receipts.due(9, ()) == []
    clock.now -= 86_400
    assert [due.id for due in await stores.receipts.due(9, ())] == [receipt.id]
