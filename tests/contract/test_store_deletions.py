"""What was deleted is told from what never was, until it is there again, in every store for itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from daemon.errors import StoreUnavailable
from daemon.store.retention import Retention, enforce
from daemon.store.stores import Stores
from daemon.store.visibility import delete, hide
from dicomweb.ports import Resource
from tests.store_samples import make_instance, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.store.ports import Engine, Session

INSTANCE = make_instance()
LEVELS = (
    Resource(INSTANCE.study_uid),
    Resource(INSTANCE.study_uid, INSTANCE.series_uid),
    Resource(INSTANCE.study_uid, INSTANCE.series_uid, INSTANCE.sop_instance_uid),
)


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


async def taken_away(stores: Stores, *, for_good: bool = True) -> None:
    def apply(session: Session) -> None:
        found = session.instances.find(stores.source.store, INSTANCE.sop_instance_uid)
        assert found is not None
        (delete if for_good else hide)(session, stores.stores, found)

    await stores.database.write(apply)


async def told(stores: Stores) -> list[bool]:
    return [await stores.source.was_deleted(level) for level in LEVELS]


async def test_an_instance_its_series_and_its_study_are_told_as_deleted(stores: Stores) -> None:
    await store(stores, INSTANCE)
    assert await told(stores) == [False, False, False]
    await taken_away(stores)
    assert await told(stores) == [True, True, True]
    for never in (
        Resource("9"),
        Resource(INSTANCE.study_uid, "9"),
        Resource(INSTANCE.study_uid, INSTANCE.series_uid, "9"),
    ):
        assert not await stores.source.was_deleted(never)


async def test_another_store_knows_nothing_of_it(stores: Stores) -> None:
    await store(stores, INSTANCE)
    await taken_away(stores)
    for level in LEVELS:
        assert not await stores.destination.was_deleted(level)


async def test_what_is_only_out_of_sight_was_not_deleted(stores: Stores) -> None:
    await store(stores, INSTANCE)
    await taken_away(stores, for_good=False)
    assert await told(stores) == [False, False, False]


async def test_it_is_remembered_by_the_next_start_and_forgotten_after_its_time(
    tmp_path: Path, engine: Engine
) -> None:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    await store(opened, INSTANCE)
    await taken_away(opened)
    await opened.close()
    for days, expected in ((390, True), (410, False)):
        now = time.time() + days * 86400
        opened = await Stores.open(tmp_path / "state", engine=engine, clock=lambda now=now: now)  # type: ignore[misc]
        assert await told(opened) == [expected] * 3
        await opened.close()


async def test_what_is_stored_again_is_there(stores: Stores) -> None:
    await store(stores, INSTANCE)
    await taken_away(stores)
    await store(stores, INSTANCE)
    for level in LEVELS:
        assert len(await stores.source.metadata(level)) == 1


async def test_a_look_up_sees_what_was_committed_before_it(stores: Stores) -> None:
    def find(session: Session) -> object:
        return session.instances.find(stores.source.store, INSTANCE.sop_instance_uid)

    assert stores.database.look_up(find) is None
    await store(stores, INSTANCE)
    assert stores.database.look_up(find) is not None
    await taken_away(stores)
    assert stores.database.look_up(find) is None


async def test_an_instance_is_found_by_waiting_where_a_look_up_would_have_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = await Stores.open(tmp_path / "state")  # only its blobs have files to be found
    await store(stores, INSTANCE)
    asked: list[object] = []

    def refuse(function: object) -> object:
        asked.append(function)
        raise StoreUnavailable("it would have to wait")

    monkeypatch.setattr(stores.database, "look_up", refuse)
    (found,) = await stores.source.locate(LEVELS[-1])
    assert found.sop_instance_uid == INSTANCE.sop_instance_uid
    assert len(asked) == 1
    await stores.close()


async def test_what_retention_removes_was_deleted(stores: Stores) -> None:
    await store(stores, INSTANCE)
    assert await enforce(stores, Retention(max_age_s=1.0), now=time.time() + 10) == 1
    assert await told(stores) == [True, True, True]
    assert await stores.source.metadata(LEVELS[0]) == []
