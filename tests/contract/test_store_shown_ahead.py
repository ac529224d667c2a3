"""What is shown in the source ahead of its result, whatever engine is under it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.records import Known, Question, State
from daemon.store import fsck, queries
from daemon.store.settling import ConflictPolicy
from daemon.store.stores import Stores
from dicomweb.ports import Query
from tests.store_samples import file_of, make_instance, receive, settle, store, work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.records import Receipt
    from daemon.store.ports import Engine
    from dicomweb.ports import InstanceStore

ALL_INSTANCES = Query("instance", {}, None, fuzzy=False, limit=1000, offset=0)
FIRST = make_instance(1)


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


async def state_of(stores: Stores, receipt: Receipt) -> State:
    shown = await stores.database.read(lambda session: queries.show(session, receipt.id))
    assert shown is not None
    return shown.receipt.state


async def count(index: InstanceStore) -> int:
    return len(await index.search(ALL_INSTANCES))


async def assert_consistent(stores: Stores) -> None:
    report = await asyncio.to_thread(fsck.check, stores.layout.state_dir, engine=stores.engine)
    assert report.findings == []


async def test_it_is_visible_in_the_source_alone_and_still_waits(stores: Stores) -> None:
    receipt = await receive(stores, file_of(FIRST))
    await stores.receipts.show({receipt.id: FIRST})
    assert await count(stores.source) == 1
    with stores.source.blobs.open(receipt.id) as blob:
        assert blob.read() == file_of(FIRST)
    assert await count(stores.destination) == 0
    assert await stores.receipts.due(9, []) == [receipt]
    assert stores.receipts.job(receipt).source.read_bytes() == file_of(FIRST)
    await assert_consistent(stores)


@pytest.mark.parametrize("state", [State.STORED, State.QUARANTINED, State.UNROUTED])
async def test_its_result_then_does_what_it_would_have_done(stores: Stores, state: State) -> None:
    receipt = await receive(stores, file_of(FIRST))
    await stores.receipts.show({receipt.id: FIRST})
    await stores.receipts.show({receipt.id: FIRST})
    reason = "x" if state is State.QUARANTINED else ""
    await stores.receipts.settle([work(stores, receipt, FIRST, state=state, reason=reason)])
    assert await state_of(stores, receipt) is state
    assert await count(stores.source) == 1
    assert await count(stores.destination) == (state is State.STORED)
    await assert_consistent(stores)


async def test_its_identifiers_are_known_from_then_on(stores: Stores) -> None:
    telling = replace(FIRST, identifiers=(("PERSON_NAME", "doe^jane"),))
    receipt = await receive(stores, file_of(FIRST))
    await stores.receipts.show({receipt.id: telling})
    question = Question(receipt.id, FIRST.study_uid, "")
    assert await stores.known(question) == Known(telling.identifiers)
    await stores.receipts.settle([work(stores, receipt, telling)])
    assert await stores.known(question) == Known(telling.identifiers)


async def test_what_is_shown_or_settled_is_not_asked_for(stores: Stores) -> None:
    receipt = await receive(stores, file_of(FIRST))
    await stores.receipts.show({receipt.id: FIRST})
    await store(stores, make_instance(2))
    assert len(stores.receipts.unshown) == 0
    assert await state_of(stores, receipt) is State.RECEIVED


async def test_what_has_ended_is_not_shown_again(stores: Stores) -> None:
    first = await store(stores, FIRST)
    again = await store(stores, FIRST)
    assert await state_of(stores, again) is State.DUPLICATE
    await stores.receipts.show({first.id: FIRST, again.id: FIRST})
    assert await count(stores.source) == 1
    await assert_consistent(stores)


@pytest.mark.parametrize(
    ("policy", "second_state", "first_state"),
    [
        (ConflictPolicy.QUARANTINE, State.QUARANTINED, State.STORED),
        (ConflictPolicy.KEEP_FIRST, State.DUPLICATE, State.STORED),
        (ConflictPolicy.REPLACE, State.STORED, State.DISCARDED),
    ],
)
@pytest.mark.parametrize("is_first_shown", [True, False])
async def test_a_conflict_is_decided_by_the_results(
    tmp_path: Path,
    engine: Engine,
    policy: ConflictPolicy,
    second_state: State,
    first_state: State,
    *,
    is_first_shown: bool,
) -> None:
    stores = await Stores.open(tmp_path / "state", conflict=policy, engine=engine)
    other = make_instance(1, content="other")
    first = await receive(stores, file_of(FIRST))
    second = await receive(stores, file_of(other))
    await stores.receipts.show({first.id: FIRST} if is_first_shown else {})
    await stores.receipts.show({first.id: FIRST, second.id: other})
    assert await count(stores.source) == 1
    # The later one has its result first.
    await settle(stores, [work(stores, second, other)])
    await settle(stores, [work(stores, first, FIRST)])
    assert await state_of(stores, second) is second_state
    assert await state_of(stores, first) is first_state
    assert await count(stores.source) == await count(stores.destination) == 1
    await assert_consistent(stores)
    await stores.close()


async def test_a_duplicate_that_has_its_result_first_waits_for_nobody(stores: Stores) -> None:
    first = await receive(stores, file_of(FIRST))
    second = await receive(stores, file_of(FIRST))
    await stores.receipts.show({first.id: FIRST, second.id: FIRST})
    await stores.receipts.settle([work(stores, second, FIRST)])
    assert await state_of(stores, second) is State.DUPLICATE
    await stores.receipts.settle([work(stores, first, FIRST)])
    assert await state_of(stores, first) is State.STORED
    assert await count(stores.source) == await count(stores.destination) == 1
    await assert_consistent(stores)


async def test_what_cannot_be_described_is_not_asked_for_again(stores: Stores) -> None:
    receipt = await receive(stores, b"no instance")
    assert await stores.receipts.next_unshown(9) == [receipt]
    await stores.receipts.show({receipt.id: None})
    assert await stores.receipts.next_unshown(9) == []
    assert await count(stores.source) == 0


async def test_what_waited_through_a_restart_is_asked_for_oldest_first(
    tmp_path: Path, engine: Engine
) -> None:
    stores = await Stores.open(tmp_path / "state", engine=engine)
    receipts = [await receive(stores, file_of(make_instance(n))) for n in range(4)]
    await stores.receipts.show({receipts[0].id: make_instance(0)})
    await stores.close()
    stores = await Stores.open(tmp_path / "state", engine=engine)
    assert await stores.receipts.next_unshown(3) == receipts[1:3]
    assert await count(stores.source) == 1
    await assert_consistent(stores)
    await stores.close()


async def test_a_file_that_is_gone_shows_nothing(stores: Stores) -> None:
    receipt = await receive(stores, file_of(FIRST))
    (stores.layout.spool / receipt.id).unlink()
    await stores.receipts.show({receipt.id: FIRST})
    assert await count(stores.source) == 0
