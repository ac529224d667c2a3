"""What an operator asks and does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import structlog

from daemon.records import Origin, Receiver, Result, State
from daemon.store import queries
from daemon.store.retention import Retention, enforce
from daemon.store.stores import Stores
from dicomweb.ports import Query
from tests import store_samples
from tests.store_samples import file_of, make_instance, receive, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from daemon.store.ports import Session

NOW = 1_700_000_000.0
EVERYTHING = Query("instance", {}, None, fuzzy=False, limit=100, offset=0)


class Clock:
    """A clock that stands still until it is told."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def stores(tmp_path: Path, clock: Clock) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def session(stores: Stores) -> Iterator[Session]:
    """Open what the command line opens while the daemon runs."""
    with stores.engine.session(stores.layout) as opened:
        yield opened


async def test_status_counts_states_and_reasons(stores: Stores, session: Session) -> None:
    await store(stores, make_instance(1))
    await store(stores, make_instance(1))
    for number in (2, 3):
        await store(
            stores, make_instance(number), state=State.QUARANTINED, reason="pixels_not_cleaned"
        )
    await store(stores, make_instance(4), state=State.QUARANTINED, reason="malformed")
    await receive(stores)
    status = queries.status(session, stores.layout.state_dir, now=NOW)
    assert {state: count for state, count in status.states.items() if count} == {
        "received": 1,
        "stored": 1,
        "duplicate": 1,
        "quarantined": 3,
    }
    assert list(status.quarantine.items()) == [("pixels_not_cleaned", 2), ("malformed", 1)]
    assert queries.counts(session)[State.STORED] == 1


async def test_status_tells_the_oldest_waiting_and_the_rates(
    stores: Stores, session: Session, clock: Clock
) -> None:
    await store(stores, make_instance(1))
    clock.now += 200
    await receive(stores)
    clock.now += 10
    await receive(stores)
    status = queries.status(session, stores.layout.state_dir, now=NOW + 220)
    assert status.oldest_waiting_at == NOW + 200
    assert [(rate.window_s, rate.received, rate.settled) for rate in status.rates] == [
        (60, 2 / 60, 0),
        (300, 3 / 300, 1 / 300),
        (900, 3 / 900, 1 / 900),
    ]


async def test_status_tells_of_receivers_destinations_stores_and_disk(
    stores: Stores, session: Session
) -> None:
    instance = make_instance(1)
    await store(stores, instance)
    await receive(stores, origin=Origin(Receiver.STOW, peer="127.0.0.1"))
    status = queries.status(session, stores.layout.state_dir, now=NOW)
    size = len(file_of(instance))
    assert status.receivers == [
        queries.ReceiverFigures("dimse", 1, size, 0, 0),
        queries.ReceiverFigures("stow", 1, 5, 1, 0),
    ]
    assert status.destinations == [queries.DestinationFigures("default", 1, size, 0)]
    assert [(each.store, each.studies, each.instances) for each in status.stores] == [
        ("source", 1, 1),
        ("deid", 1, 1),
    ]
    assert status.source_bytes == size + 5
    assert 0 < status.disk.free <= status.disk.total
    assert status.disk.database > 0


async def test_an_empty_state_folder_has_a_status(stores: Stores, session: Session) -> None:
    status = queries.status(session, stores.layout.state_dir, now=NOW)
    assert (sum(status.states.values()), status.oldest_waiting_at) == (0, None)


async def test_the_refused_are_listed_by_reason(stores: Stores, session: Session) -> None:
    first = await store(stores, make_instance(1), state=State.QUARANTINED, reason="malformed")
    second = await store(stores, make_instance(2), state=State.QUARANTINED, reason="dicomdir")
    third = await store(stores, make_instance(3), state=State.UNROUTED, reason="no_route")
    assert [receipt.id for receipt in queries.refused(session)] == [first.id, second.id]
    assert queries.refused_ids(session, reason="dicomdir") == [second.id]
    assert queries.refused_ids(session, states=queries.REFUSED) == [
        first.id,
        second.id,
        third.id,
    ]
    assert [receipt.id for receipt in queries.refused(session, limit=1, offset=1)] == [second.id]


async def test_a_receipt_is_shown_by_the_beginning_of_its_id(
    stores: Stores, session: Session
) -> None:
    receipt = await receive(stores, b"not dicom")
    await stores.receipts.settle(
        [Result(receipt.id, State.QUARANTINED, "malformed", where="(0010,0010)", outcome=b"{}")]
    )
    shown = queries.show(session, receipt.id[:12])
    assert shown is not None
    assert (shown.receipt.id, shown.receipt.where, shown.outcome) == (
        receipt.id,
        "(0010,0010)",
        b"{}",
    )
    assert queries.show(session, "0" * 32) is None


async def test_the_beginning_of_two_ids_shows_neither(stores: Stores, session: Session) -> None:
    await receive(stores)
    await receive(stores)
    assert queries.show(session, "") is None


async def test_retrying_the_unrouted_lets_them_through_again(
    stores: Stores, session: Session
) -> None:
    receipt = await store(stores, make_instance(), state=State.UNROUTED, reason="no_route")
    ids = queries.refused_ids(session, states=[State.UNROUTED])
    assert store_samples.retry(session, ids).changed == [receipt.id]
    assert [due.id for due in await stores.receipts.due(10, [])] == [receipt.id]


async def test_discarding_removes_the_bytes_and_keeps_the_receipt(
    stores: Stores, session: Session
) -> None:
    refused = await store(stores, make_instance(1), state=State.QUARANTINED, reason="malformed")
    stored = await store(stores, make_instance(2))
    changed = store_samples.discard(session, stores, [refused.id, stored.id, "f" * 32])
    assert (changed.changed, changed.passed_over) == ([refused.id], [stored.id, "f" * 32])
    assert not stores.source.blobs.has(refused.id)
    assert len(await stores.source.search(EVERYTHING)) == 1
    shown = queries.show(session, refused.id)
    assert shown is not None
    assert (shown.receipt.state, shown.place) == (State.DISCARDED, "gone")
    assert session.garbage.removable(math.inf) == []


async def test_nothing_is_removed_from_source_by_default(stores: Stores) -> None:
    await store(stores, make_instance())
    assert await enforce(stores, Retention(), now=NOW + 1e9) == 0


async def test_old_sources_are_removed_and_their_outputs_stay(
    stores: Stores, session: Session, clock: Clock
) -> None:
    old = await store(stores, make_instance(1))
    clock.now += 100
    new = await store(stores, make_instance(2))
    assert await enforce(stores, Retention(max_age_s=50), now=NOW + 110) == 1
    assert not stores.source.blobs.has(old.id)
    assert stores.source.blobs.has(new.id)
    assert len(await stores.source.search(EVERYTHING)) == 1
    assert len(await stores.destination.search(EVERYTHING)) == 2
    shown = queries.show(session, old.id)
    assert shown is not None
    assert (shown.receipt.state, shown.place) == (State.STORED, "gone")


async def test_what_came_while_the_clock_was_wrong_is_not_old(stores: Stores, clock: Clock) -> None:
    """A machine whose battery is empty comes up in another year, until somebody sets its clock."""
    old = await store(stores, make_instance(1))
    clock.now += 1000
    before = await store(stores, make_instance(2))
    clock.now -= 1e8
    meanwhile = await store(stores, make_instance(3))
    clock.now += 1e8 + 10
    policy = Retention(max_age_s=500)
    assert await enforce(stores, policy, now=clock.now) == 1
    kept = [stores.source.blobs.has(receipt.id) for receipt in (old, before, meanwhile)]
    assert kept == [False, True, True]
    clock.now += 600
    assert await enforce(stores, policy, now=clock.now) == 2


async def test_what_came_while_the_clock_was_ahead_keeps_no_other(
    stores: Stores, clock: Clock
) -> None:
    clock.now += 1e8
    ahead = await store(stores, make_instance(1))
    clock.now -= 1e8
    old = await store(stores, make_instance(2))
    clock.now += 1000
    assert await enforce(stores, Retention(max_age_s=500), now=clock.now) == 1
    kept = [stores.source.blobs.has(receipt.id) for receipt in (ahead, old)]
    assert kept == [True, False]


async def test_a_clock_that_went_far_ahead_is_believed_a_day_later(
    stores: Stores, clock: Clock
) -> None:
    await store(stores, make_instance(1))
    hour, day, policy = 3600.0, 86400.0, Retention(max_age_s=10 * 86400.0)
    assert await enforce(stores, policy, now=clock.now) == 0
    with structlog.testing.capture_logs() as events:
        assert await enforce(stores, policy, now=clock.now + 366 * day) == 0
        assert await enforce(stores, policy, now=clock.now + 367 * day - hour) == 0
    assert [(each["event"], each["log_level"]) for each in events] == [
        ("retention_held", "warning")
    ]
    assert await enforce(stores, policy, now=clock.now + 367 * day) == 1


async def test_a_clock_that_was_set_right_is_believed_at_once(stores: Stores, clock: Clock) -> None:
    hour, day, policy = 3600.0, 86400.0, Retention(max_age_s=86400.0)
    assert await enforce(stores, policy, now=clock.now) == 0
    await store(stores, make_instance(1))
    clock.now += day + hour - 1
    assert await enforce(stores, policy, now=clock.now - 2 * hour) == 0
    assert await enforce(stores, policy, now=clock.now + 366 * day) == 0
    assert await enforce(stores, policy, now=clock.now + 2) == 1


async def test_the_oldest_sources_go_until_the_rest_fits(stores: Stores, clock: Clock) -> None:
    receipts = []
    for number in range(1, 6):
        clock.now += 1
        receipts.append(await store(stores, make_instance(number)))
    size = len(file_of(make_instance(1)))
    assert await enforce(stores, Retention(max_total_bytes=2 * size), now=clock.now) == 3
    kept = [stores.source.blobs.has(receipt.id) for receipt in receipts]
    assert kept == [False, False, False, True, True]


async def test_more_than_one_batch_is_removed(stores: Stores) -> None:
    for number in range(1, 106):
        await store(stores, make_instance(number))
    assert await enforce(stores, Retention(max_age_s=1), now=NOW + 10) == 105
    assert list(stores.source.blobs.names()) == []


@pytest.mark.parametrize("state", [State.QUARANTINED, State.UNROUTED])
async def test_what_is_refused_never_expires(stores: Stores, state: State) -> None:
    receipt = await store(stores, make_instance(), state=state, reason="x")
    waiting = await receive(stores)
    retention = Retention(max_age_s=1, max_total_bytes=0)
    assert await enforce(stores, retention, now=NOW + 1e6) == 0
    assert stores.receipts.job(receipt).source.exists()
    assert stores.receipts.job(waiting).source.exists()
