"""What every `daemon.ports.Receipts` does, whatever engine is under it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from daemon.errors import StoreUnavailable
from daemon.records import Compared, Output, Result, State
from daemon.store import fsck, queries, redo
from daemon.store.blobs import Move
from daemon.store.retention import Retention, enforce
from daemon.store.rows import Garbage, Role, StoreKind
from daemon.store.settling import READ_GRACE_S, ConflictPolicy
from daemon.store.stores import Stores
from dicomweb.ports import Query, Resource
from tests import store_samples
from tests.store_samples import file_of, make_instance, receive, settle, store, veiled, work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from daemon.records import Receipt, StoredInstance
    from daemon.store.ports import Engine, Session
    from daemon.store.rows import Store

ALL_INSTANCES = Query("instance", {}, None, fuzzy=False, limit=1000, offset=0)


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def stores(tmp_path: Path, clock: Clock, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", clock=clock, engine=engine)
    yield opened
    await opened.close()


@pytest.fixture
async def with_policy(
    tmp_path: Path, engine: Engine
) -> AsyncIterator[Callable[[ConflictPolicy], Stores]]:
    opened: list[Stores] = []

    async def open_with(policy: ConflictPolicy) -> Stores:
        opened.append(await Stores.open(tmp_path / "state", conflict=policy, engine=engine))
        return opened[-1]

    yield open_with  # type: ignore[misc]
    for each in opened:
        await each.close()


async def receipt_now(stores: Stores, receipt: Receipt) -> queries.Shown:
    shown = await stores.database.read(lambda session: queries.show(session, receipt.id))
    assert shown is not None
    return shown


async def state_of(stores: Stores, receipt: Receipt) -> tuple[State, str]:
    shown = await receipt_now(stores, receipt)
    return shown.receipt.state, shown.receipt.reason


async def retry(stores: Stores, *receipts: Receipt) -> queries.Changed:
    ids = [receipt.id for receipt in receipts]
    with stores.engine.session(stores.layout) as session:
        return store_samples.retry(session, ids)


async def visible(stores: Stores, store_name: Role) -> int:
    index = stores.source if store_name is Role.SOURCE else stores.destination
    return len(await index.search(ALL_INSTANCES))


async def blob_now(stores: Stores) -> str:
    """Return the name of the only output's blob."""
    (output,) = await stores.database.read(
        lambda session: session.instances.page(stores.destination.store, 0, 10)
    )
    return output.blob


async def output_now(stores: Stores) -> bytes:
    """Return the only output's bytes."""
    with stores.destination.blobs.open(await blob_now(stores)) as file:
        return file.read()


async def assert_consistent(stores: Stores) -> None:
    report = await asyncio.to_thread(fsck.check, stores.layout.state_dir, engine=stores.engine)
    assert report.findings == []


async def test_what_waits_is_due_oldest_first(stores: Stores) -> None:
    receipts = [await receive(stores) for _ in range(5)]
    assert await stores.receipts.due(3, []) == receipts[:3]


async def test_what_is_being_processed_is_not_due_again(stores: Stores) -> None:
    receipts = [await receive(stores) for _ in range(4)]
    excluded = [receipts[0].id, receipts[2].id]
    assert await stores.receipts.due(10, excluded) == [receipts[1], receipts[3]]


async def test_attempts_are_counted_and_can_be_taken_back(stores: Stores) -> None:
    receipt = await receive(stores)
    await stores.receipts.begin([receipt.id])
    await stores.receipts.begin([receipt.id])
    await stores.receipts.release([receipt.id])
    (due,) = await stores.receipts.due(1, [])
    assert due.attempts == 1


async def test_a_postponed_instance_is_due_after_its_delay(stores: Stores, clock: Clock) -> None:
    receipt = await receive(stores)
    await stores.receipts.postpone(receipt.id, "worker_timeout", 30)
    assert await stores.receipts.due(1, []) == []
    clock.now += 31
    (due,) = await stores.receipts.due(1, [])
    assert due.reason == "worker_timeout"


async def test_kills_are_counted_apart_from_attempts(stores: Stores, clock: Clock) -> None:
    receipt = await receive(stores)
    for _ in range(2):
        await stores.receipts.begin([receipt.id])
        await stores.receipts.begin([receipt.id])
        await stores.receipts.postpone(receipt.id, "worker_crashed", 30)
        clock.now += 31
    await stores.receipts.begin([receipt.id])
    (due,) = await stores.receipts.due(1, [])
    assert (due.kills, due.attempts) == (2, 1)


async def test_an_arrival_wakes_the_pipeline(stores: Stores) -> None:
    waiting = asyncio.ensure_future(stores.receipts.job_arrived())
    await receive(stores)
    await asyncio.wait_for(waiting, 240)


async def test_a_stored_instance_is_in_both_stores(stores: Stores) -> None:
    instance = make_instance()
    receipt = await store(stores, instance)
    assert await state_of(stores, receipt) == (State.STORED, "")
    assert await stores.source.metadata(Resource(instance.study_uid)) == [instance.metadata]
    assert await output_now(stores) == file_of(veiled(instance))
    assert await stores.receipts.due(10, []) == []
    assert list(stores.layout.spool.iterdir()) == []
    assert list(stores.layout.work.iterdir()) == []
    await assert_consistent(stores)


async def test_the_outcome_is_kept(stores: Stores) -> None:
    receipt = await receive(stores, file_of(make_instance()))
    result = replace(work(stores, receipt, make_instance()), outcome=b'{"actions":3}')
    await settle(stores, [result])
    shown = await receipt_now(stores, receipt)
    assert shown.outcome == b'{"actions":3}'
    assert (shown.receipt.route, shown.receipt.deidentifier) == ("all", "default")


async def test_settling_twice_changes_nothing(stores: Stores) -> None:
    receipt = await receive(stores, file_of(make_instance()))
    result = work(stores, receipt, make_instance())
    await settle(stores, [result])
    before = await receipt_now(stores, receipt)
    await settle(stores, [result])
    work(stores, receipt, make_instance())
    await settle(stores, [result])
    assert await receipt_now(stores, receipt) == before
    assert await visible(stores, Role.DESTINATION) == 1
    await assert_consistent(stores)


async def test_an_unrouted_instance_is_kept_in_source_and_goes_no_further(stores: Stores) -> None:
    receipt = await store(stores, make_instance(), state=State.UNROUTED, reason="no_route")
    assert await state_of(stores, receipt) == (State.UNROUTED, "no_route")
    assert await visible(stores, Role.SOURCE) == 1
    assert await visible(stores, Role.DESTINATION) == 0
    await assert_consistent(stores)


async def test_a_quarantined_instance_is_kept_in_source_and_goes_no_further(
    stores: Stores,
) -> None:
    receipt = await store(
        stores, make_instance(), state=State.QUARANTINED, reason="pixels_not_cleaned"
    )
    assert await state_of(stores, receipt) == (State.QUARANTINED, "pixels_not_cleaned")
    assert await visible(stores, Role.SOURCE) == 1
    assert await visible(stores, Role.DESTINATION) == 0
    await assert_consistent(stores)


async def test_what_is_not_dicom_is_kept_in_quarantine(stores: Stores) -> None:
    receipt = await receive(stores, b"not dicom")
    result = Result(receipt.id, State.QUARANTINED, reason="not_dicom")
    await settle(stores, [result])
    assert await state_of(stores, receipt) == (State.QUARANTINED, "not_dicom")
    assert stores.receipts.job(receipt).source.read_bytes() == b"not dicom"
    await assert_consistent(stores)


async def test_a_quarantined_instance_can_be_retried_until_it_is_stored(stores: Stores) -> None:
    receipt = await store(stores, make_instance(), state=State.QUARANTINED, reason="malformed")
    changed = await retry(stores, receipt)
    assert changed.changed == [receipt.id]
    (due,) = await stores.receipts.due(10, [])
    assert (due.id, due.attempts, due.reason) == (receipt.id, 0, "")
    await settle(stores, [work(stores, due, make_instance())])
    assert await state_of(stores, receipt) == (State.STORED, "")
    assert await visible(stores, Role.SOURCE) == 1
    assert await visible(stores, Role.DESTINATION) == 1
    await assert_consistent(stores)


async def test_a_stored_instance_is_not_retried(stores: Stores) -> None:
    receipt = await store(stores, make_instance())
    changed = await retry(stores, receipt)
    assert changed.passed_over == [receipt.id]


async def test_the_same_instance_again_is_a_duplicate(stores: Stores) -> None:
    first = await store(stores, make_instance())
    again = await store(stores, make_instance())
    assert await state_of(stores, again) == (State.DUPLICATE, "")
    shown = await receipt_now(stores, again)
    assert (shown.related, shown.place) == (first.id, "gone")
    assert await state_of(stores, first) == (State.STORED, "")
    assert await visible(stores, Role.DESTINATION) == 1
    await assert_consistent(stores)


async def test_the_same_instance_twice_at_once_is_stored_once(stores: Stores) -> None:
    receipts = [await receive(stores, file_of(make_instance())) for _ in range(3)]
    results = [work(stores, receipt, make_instance()) for receipt in receipts]
    await settle(stores, results)
    states = [(await state_of(stores, receipt))[0] for receipt in receipts]
    assert states == [State.STORED, State.DUPLICATE, State.DUPLICATE]
    assert await visible(stores, Role.SOURCE) == 1
    await assert_consistent(stores)


async def test_a_duplicate_of_a_quarantined_instance_leaves_it_there(stores: Stores) -> None:
    first = await store(stores, make_instance(), state=State.QUARANTINED, reason="malformed")
    again = await store(stores, make_instance())
    assert await state_of(stores, first) == (State.QUARANTINED, "malformed")
    assert await state_of(stores, again) == (State.DUPLICATE, "")
    assert await visible(stores, Role.DESTINATION) == 0
    await assert_consistent(stores)


@pytest.mark.parametrize(
    ("second", "shown"), [(State.STORED, 1), (State.QUARANTINED, 0), (State.UNROUTED, 0)]
)
async def test_what_no_route_matched_is_taken_when_it_comes_on_one(
    stores: Stores, second: State, shown: int
) -> None:
    """As from a workstation first, and then from the modality whose route it is."""
    first = await store(stores, make_instance(), state=State.UNROUTED)
    reason = "malformed" if second is State.QUARANTINED else ""
    again = await store(stores, make_instance(), state=second, reason=reason)
    if second is State.UNROUTED:
        assert await state_of(stores, first) == (State.UNROUTED, "")
        assert await state_of(stores, again) == (State.DUPLICATE, "")
    else:
        assert await state_of(stores, first) == (State.DISCARDED, "replaced")
        assert await state_of(stores, again) == (second, reason)
        assert (await receipt_now(stores, first)).related == again.id
    assert await visible(stores, Role.SOURCE) == 1
    assert await visible(stores, Role.DESTINATION) == shown
    await assert_consistent(stores)


async def test_what_is_not_shown_is_logged_as_what_it_has_become(stores: Stores) -> None:
    """The worker, which refused one of them and not another, knew of none that was there."""
    refused: dict[str, Any] = {
        "state": State.QUARANTINED,
        "reason": "screen_capture",
        "where": "frame 1",
    }
    with structlog.testing.capture_logs() as logs:
        first = await store(stores, make_instance())
        conflict = await store(stores, make_instance(content="other"))
        again = await store(stores, make_instance(), **refused)
        held = await store(stores, make_instance(number=2), **refused)
        unrouted = await store(stores, make_instance(number=3), state=State.UNROUTED)
    told = [
        tuple(log[key] for key in ("receipt", "log_level", "event", "reason", "where", "route"))
        for log in logs
    ]
    assert told == [
        (conflict.id, "warning", "instance_quarantined", "conflict", "", "all"),
        (again.id, "debug", "instance_duplicate", "", "", "all"),
        (held.id, "warning", "instance_quarantined", "screen_capture", "frame 1", "all"),
        (unrouted.id, "warning", "instance_unrouted", "", "", "all"),
    ]
    assert (await state_of(stores, again))[0] is State.DUPLICATE
    with structlog.testing.capture_logs() as logs:
        await settle(stores, [work(stores, held, make_instance(number=2), **refused)])
        await settle(stores, [work(stores, first, make_instance())])
    assert logs == []  # settled before


async def test_other_content_under_the_same_uid_is_quarantined(stores: Stores) -> None:
    first = await store(stores, make_instance())
    other = await store(stores, make_instance(content="other"))
    assert await state_of(stores, first) == (State.STORED, "")
    assert await state_of(stores, other) == (State.QUARANTINED, "conflict")
    assert stores.receipts.job(other).source.exists()
    assert await visible(stores, Role.DESTINATION) == 1
    await assert_consistent(stores)


async def test_the_same_data_set_in_another_encoding_is_a_duplicate(stores: Stores) -> None:
    first = await store(stores, make_instance())
    encoded_anew = replace(make_instance(), dataset_digest="0" * 64)
    again = await receive(stores, file_of(encoded_anew))
    await settle(stores, [work(stores, again, encoded_anew)], are_alike=True)
    assert await state_of(stores, again) == (State.DUPLICATE, "")
    assert (await receipt_now(stores, again)).related == first.id
    assert await state_of(stores, first) == (State.STORED, "")
    assert await visible(stores, Role.SOURCE) == await visible(stores, Role.DESTINATION) == 1
    assert list(stores.layout.work.iterdir()) == []
    await assert_consistent(stores)


async def test_two_encodings_at_once_are_stored_once(stores: Stores) -> None:
    instances = [replace(make_instance(), dataset_digest=f"{n:064x}") for n in range(3)]
    receipts = [await receive(stores, file_of(instance)) for instance in instances]
    results = [work(stores, *pair) for pair in zip(receipts, instances, strict=True)]
    await settle(stores, results, are_alike=True)
    states = [(await state_of(stores, receipt))[0] for receipt in receipts]
    assert states == [State.STORED, State.DUPLICATE, State.DUPLICATE]
    await assert_consistent(stores)


async def test_what_is_to_be_compared_is_named_and_nothing_is_settled(stores: Stores) -> None:
    first = await store(stores, make_instance())
    other = make_instance(content="other")
    again = await receive(stores, file_of(other))
    (asked,) = await stores.receipts.settle([work(stores, again, other)])
    assert (asked.receipt_id, asked.blob, asked.earlier_blob) == (again.id, again.id, first.id)
    assert asked.file.read_bytes() == file_of(other)
    assert asked.earlier_file.read_bytes() == file_of(make_instance())
    assert (await state_of(stores, again))[0] is State.RECEIVED


async def test_equal_digests_and_other_studies_are_never_compared(stores: Stores) -> None:
    await store(stores, make_instance())
    for instance in (make_instance(), make_instance(study="1.2.4", series="1.2.3.1")):
        receipt = await receive(stores, file_of(instance))
        assert not await stores.receipts.settle([work(stores, receipt, instance)])


async def test_a_comparison_with_another_than_is_there_now_does_not_count(stores: Stores) -> None:
    await store(stores, make_instance())
    other = make_instance(content="other")
    receipt = await receive(stores, file_of(other))
    stale = Compared(receipt.id, "e" * 32, are_alike=True)
    (asked,) = await stores.receipts.settle(
        [replace(work(stores, receipt, other), compared=(stale,))]
    )
    assert asked.receipt_id == receipt.id
    assert (await state_of(stores, receipt))[0] is State.RECEIVED


async def test_an_output_encoded_anew_is_shared_once_its_original_is_removed(
    stores: Stores,
) -> None:
    await store(stores, make_instance())
    await enforce(stores, Retention(max_total_bytes=0))
    assert await visible(stores, Role.SOURCE) == 0
    instance = replace(make_instance(), dataset_digest="0" * 64)
    receipt = await receive(stores, file_of(instance))
    result = work(stores, receipt, instance)
    output = replace(result.outputs[0].instance, dataset_digest="1" * 64)
    await settle(stores, [replace(result, outputs=(Output("default", output),))], are_alike=True)
    assert await state_of(stores, receipt) == (State.STORED, "")
    assert await visible(stores, Role.DESTINATION) == 1
    await assert_consistent(stores)


async def test_other_content_at_once_is_quarantined(stores: Stores) -> None:
    instances = [make_instance(), make_instance(content="other")]
    receipts = [await receive(stores, file_of(instance)) for instance in instances]
    await settle(
        stores,
        [
            work(stores, receipt, instance)
            for receipt, instance in zip(receipts, instances, strict=True)
        ],
    )
    assert await state_of(stores, receipts[0]) == (State.STORED, "")
    assert await state_of(stores, receipts[1]) == (State.QUARANTINED, "conflict")
    await assert_consistent(stores)


@pytest.mark.parametrize(
    "where",
    [
        {"study": "1.2.4", "series": "1.2.3.1"},
        {"series": "1.2.3.9", "sop_instance_uid": "1.2.3.1.1"},
    ],
    ids=["another study", "another series"],
)
async def test_the_same_sop_instance_uid_elsewhere_is_a_conflict(
    stores: Stores, where: dict[str, str]
) -> None:
    await store(stores, make_instance())
    other = await store(stores, make_instance(**where))  # type: ignore[arg-type]
    assert await state_of(stores, other) == (State.QUARANTINED, "conflict")
    assert await visible(stores, Role.SOURCE) == 1
    await assert_consistent(stores)


async def test_a_conflict_is_stored_once_the_first_is_discarded(stores: Stores) -> None:
    first = await store(stores, make_instance(), state=State.QUARANTINED, reason="malformed")
    other = await store(stores, make_instance(content="other"))
    with stores.engine.session(stores.layout) as session:
        changed = store_samples.discard(session, stores, [first.id])
    assert changed.changed == [first.id]
    assert not stores.source.blobs.has(first.id)
    await retry(stores, other)
    await settle(stores, [work(stores, other, make_instance(content="other"))])
    assert await state_of(stores, first) == (State.DISCARDED, "malformed")
    assert await state_of(stores, other) == (State.STORED, "")
    await assert_consistent(stores)


async def test_keep_first_drops_what_conflicts(
    with_policy: Callable[[ConflictPolicy], object],
) -> None:
    stores = await with_policy(ConflictPolicy.KEEP_FIRST)  # type: ignore[misc]
    first = await store(stores, make_instance())
    with structlog.testing.capture_logs() as logs:
        other = await store(stores, make_instance(content="other"))
    assert await state_of(stores, other) == (State.DUPLICATE, "conflict")
    told = [(log["log_level"], log["event"], log["reason"]) for log in logs]
    assert told == [("warning", "instance_duplicate", "conflict")]
    assert await state_of(stores, first) == (State.STORED, "")
    await assert_consistent(stores)


async def test_replace_lets_the_last_win_in_both_stores(
    with_policy: Callable[[ConflictPolicy], object],
) -> None:
    stores = await with_policy(ConflictPolicy.REPLACE)  # type: ignore[misc]
    first = await store(stores, make_instance())
    other_instance = make_instance(content="other")
    other = await store(stores, other_instance)
    assert await state_of(stores, other) == (State.STORED, "")
    shown = await receipt_now(stores, first)
    assert (shown.receipt.reason, shown.place, shown.related) == ("replaced", "gone", other.id)
    assert await output_now(stores) == file_of(veiled(other_instance))
    assert not stores.source.blobs.has(first.id)
    await assert_consistent(stores)


async def test_replace_does_not_hide_an_output_for_what_goes_no_further(
    with_policy: Callable[[ConflictPolicy], object],
) -> None:
    stores = await with_policy(ConflictPolicy.REPLACE)  # type: ignore[misc]
    first = await store(stores, make_instance())
    other = await store(
        stores, make_instance(content="other"), state=State.QUARANTINED, reason="malformed"
    )
    assert await state_of(stores, first) == (State.STORED, "")
    assert await state_of(stores, other) == (State.QUARANTINED, "malformed")
    assert await visible(stores, Role.DESTINATION) == 1
    await assert_consistent(stores)


async def test_replace_discards_what_was_quarantined(
    with_policy: Callable[[ConflictPolicy], object],
) -> None:
    stores = await with_policy(ConflictPolicy.REPLACE)  # type: ignore[misc]
    first = await store(stores, make_instance(), state=State.QUARANTINED, reason="malformed")
    await store(stores, make_instance(content="other"))
    assert await state_of(stores, first) == (State.DISCARDED, "replaced")
    await assert_consistent(stores)


@pytest.mark.parametrize("state", [State.QUARANTINED, State.UNROUTED])
async def test_replace_discards_what_waits_for_its_retry(
    with_policy: Callable[[ConflictPolicy], object], state: State
) -> None:
    stores = await with_policy(ConflictPolicy.REPLACE)  # type: ignore[misc]
    first = await store(stores, make_instance(), state=state)
    await retry(stores, first)
    await store(stores, make_instance(content="other"))
    assert await state_of(stores, first) == (State.DISCARDED, "replaced")
    await assert_consistent(stores)


async def test_an_instance_whose_file_is_gone_is_quarantined_with_that_reason(
    stores: Stores,
) -> None:
    receipt = await receive(stores, file_of(make_instance()))
    result = work(stores, receipt, make_instance())
    (stores.layout.spool / receipt.id).unlink()
    await settle(stores, [result])
    assert await state_of(stores, receipt) == (State.QUARANTINED, "blob_missing")
    assert (await retry(stores, receipt)).missing == [receipt.id]
    assert await visible(stores, Role.DESTINATION) == 0


async def test_the_result_of_one_that_is_done_again_and_is_gone_stays_on_the_disk(
    stores: Stores,
) -> None:
    """Out of sight, as what it was made by holds no longer; and laid aside by a repair, as the only copy."""
    receipt = await store(stores, make_instance())
    output = await output_now(stores)
    stores.source.blobs.remove([receipt.id])
    with stores.engine.session(stores.layout) as session:
        redo.redo(session, [receipt.id])
    await settle(stores, [Result(receipt.id, State.QUARANTINED, reason="source_missing")])
    await stores.receipts.sweep(closing=True)
    assert await state_of(stores, receipt) == (State.QUARANTINED, "blob_missing")
    assert await visible(stores, Role.DESTINATION) == 0
    state_dir, engine = stores.layout.state_dir, stores.engine
    await stores.close()
    (finding,) = fsck.check(state_dir, repair=True, engine=engine).findings
    assert finding.repaired == "moved to lost+found"
    (kept,) = stores.layout.lost.iterdir()
    assert kept.read_bytes() == output


async def test_the_same_instance_again_cures_a_missing_one(stores: Stores) -> None:
    lost = await receive(stores)
    result = work(stores, lost, make_instance())
    (stores.layout.spool / lost.id).unlink()
    await settle(stores, [result])
    again = await store(stores, make_instance())
    assert await state_of(stores, again) == (State.STORED, "")
    await assert_consistent(stores)


@pytest.mark.parametrize("role", [Role.SOURCE, Role.DESTINATION])
@pytest.mark.parametrize("left", [None, b"", b"a part"])
async def test_the_same_instance_again_cures_one_that_is_not_whole_any_more(
    stores: Stores, tmp_path: Path, role: Role, left: bytes | None
) -> None:
    """As a file system leaves it that was repaired: it is served no more, and was refused as a duplicate."""
    first = await store(stores, make_instance())
    blobs = (stores.source if role is Role.SOURCE else stores.destination).blobs
    (name,) = blobs.names()
    blobs.remove([name])
    if left is not None:
        (tmp_path / "part").write_bytes(left)
        blobs.take([Move(tmp_path / "part", name)])
    again = await store(stores, make_instance())
    assert await state_of(stores, first) == (State.STORED, "replaced")
    assert await state_of(stores, again) == (State.STORED, "")
    assert await visible(stores, Role.SOURCE) == await visible(stores, Role.DESTINATION) == 1
    await stores.receipts.sweep(closing=True)
    await assert_consistent(stores)


async def test_a_result_without_its_output_is_not_believed(stores: Stores) -> None:
    receipt = await receive(stores, file_of(make_instance()))
    result = work(stores, receipt, make_instance())
    stores.receipts.job(receipt).output.unlink()
    with pytest.raises(StoreUnavailable):
        await settle(stores, [result])
    assert [due.id for due in await stores.receipts.due(10, [])] == [receipt.id]


async def test_one_result_that_fails_does_not_undo_its_neighbours(stores: Stores) -> None:
    good, bad = [await receive(stores) for _ in range(2)]
    results = [
        work(stores, bad, make_instance(1)),
        work(stores, good, make_instance(2)),
    ]
    stores.receipts.job(bad).output.unlink()
    with pytest.raises(StoreUnavailable):
        await settle(stores, results)
    assert await state_of(stores, good) == (State.STORED, "")


async def test_a_result_for_nobody_is_ignored(stores: Stores) -> None:
    receipt = await receive(stores, file_of(make_instance()))
    result = replace(work(stores, receipt, make_instance()), receipt_id="f" * 32)
    await settle(stores, [result])
    assert [due.id for due in await stores.receipts.due(10, [])] == [receipt.id]


async def test_an_output_with_new_content_takes_the_place_of_the_old(stores: Stores) -> None:
    instance = make_instance()
    receipt = await store(stores, instance)
    before = await blob_now(stores)
    # A lost output is quarantined and made again; meanwhile the deidentifier has changed.
    stores.destination.blobs.remove([before])
    await stores.close()
    report = fsck.check(stores.layout.state_dir, repair=True, engine=stores.engine)
    assert fsck.Kind.OUTPUT_MISSING in {finding.kind for finding in report.findings}
    reopened = await Stores.open(stores.layout.state_dir, engine=stores.engine)
    await retry(reopened, receipt)
    result = work(reopened, receipt, instance)
    changed = veiled(make_instance(content="changed"))
    reopened.receipts.job(receipt).output.write_bytes(file_of(changed))
    await reopened.receipts.settle([replace(result, outputs=(Output("default", changed),))])
    assert await blob_now(reopened) != before
    await assert_consistent(reopened)
    await reopened.close()


async def test_a_source_that_expired_and_comes_again_shares_its_output(stores: Stores) -> None:
    first = await store(stores, make_instance())
    assert await enforce(stores, Retention(max_total_bytes=0)) == 1
    assert (await receipt_now(stores, first)).place == "gone"
    assert await visible(stores, Role.SOURCE) == 0
    again = await store(stores, make_instance())
    assert await state_of(stores, again) == (State.STORED, "")
    assert await visible(stores, Role.DESTINATION) == 1
    await assert_consistent(stores)


# -- done again --


async def do_again(stores: Stores, *receipts: Receipt) -> queries.Changed:
    with stores.engine.session(stores.layout) as session:
        return redo.redo(session, [receipt.id for receipt in receipts])


def again(stores: Stores, receipt: Receipt, instance: StoredInstance, content: str) -> Result:
    """Do what a worker with a changed configuration does: other content under the same UIDs."""
    number = int(instance.sop_instance_uid.rpartition(".")[2])
    changed = veiled(make_instance(number, content=content))
    result = work(stores, receipt, instance)
    stores.receipts.job(receipt).output.write_bytes(file_of(changed))
    return replace(result, outputs=(Output("default", changed),))


async def test_what_is_done_again_stays_visible_until_its_new_result_is_there(
    stores: Stores, clock: Clock
) -> None:
    receipt = await store(stores, make_instance())
    blob, old = await blob_now(stores), await output_now(stores)
    assert (await do_again(stores, receipt)).changed == [receipt.id]
    (due,) = await stores.receipts.due(10, [])
    assert (due.id, due.reason, due.attempts) == (receipt.id, "re_examine", 0)
    assert await output_now(stores) == old
    result = again(stores, due, make_instance(), "new")
    assert await output_now(stores) == old
    await settle(stores, [result])
    assert await state_of(stores, receipt) == (State.STORED, "")
    new = file_of(veiled(make_instance(content="new")))
    assert await output_now(stores) == new
    assert await visible(stores, Role.SOURCE) == await visible(stores, Role.DESTINATION) == 1
    await stores.receipts.sweep()
    blobs = stores.destination.blobs
    assert blobs.read(blob, 0, len(old)) == old, "who reads the old one finishes"
    clock.now += READ_GRACE_S + 1
    await stores.receipts.sweep()
    assert not blobs.has(blob)
    assert await output_now(stores) == new
    await assert_consistent(stores)


async def test_the_same_result_again_changes_nothing(stores: Stores) -> None:
    receipt = await store(stores, make_instance())
    old = await output_now(stores)
    await do_again(stores, receipt)
    await settle(stores, [work(stores, receipt, make_instance())])
    assert await state_of(stores, receipt) == (State.STORED, "")
    assert await output_now(stores) == old
    await stores.close()
    reopened = await Stores.open(stores.layout.state_dir, engine=stores.engine)
    assert await output_now(reopened) == old
    await assert_consistent(reopened)
    await reopened.close()


@pytest.mark.parametrize("state", [State.QUARANTINED, State.UNROUTED])
async def test_what_is_refused_when_done_again_is_shown_no_longer(
    stores: Stores, state: State
) -> None:
    receipt = await store(stores, make_instance())
    await do_again(stores, receipt)
    await settle(stores, [work(stores, receipt, make_instance(), state=state, reason="x")])
    assert await state_of(stores, receipt) == (state, "x")
    assert await visible(stores, Role.DESTINATION) == 0
    assert await visible(stores, Role.SOURCE) == 1
    assert (await retry(stores, receipt)).changed == [receipt.id]
    await settle(stores, [work(stores, receipt, make_instance())])
    assert await visible(stores, Role.DESTINATION) == 1
    await assert_consistent(stores)


async def test_what_is_done_again_waits_behind_the_spool_and_takes_no_room_of_it(
    stores: Stores,
) -> None:
    stored = await store(stores, make_instance())
    await do_again(stores, stored)
    arrived = await receive(stores, b"new")
    assert [due.id for due in await stores.receipts.due(10, [])] == [arrived.id, stored.id]
    assert await stores.database.read(lambda session: session.figures.waiting()) == (1, 3)
    status = await stores.database.read(
        lambda session: queries.status(session, stores.layout.state_dir)
    )
    assert (status.states["received"], status.done_again) == (2, 1)


async def test_only_what_is_stored_and_has_its_bytes_is_done_again(stores: Stores) -> None:
    refused = await store(stores, make_instance(1), state=State.QUARANTINED, reason="malformed")
    stored = await store(stores, make_instance(2))
    await enforce(stores, Retention(max_total_bytes=0))
    changed = await do_again(stores, refused, stored)
    assert (changed.changed, changed.missing) == ([], [stored.id])
    assert changed.passed_over == [refused.id]
    assert await state_of(stores, stored) == (State.STORED, "")
    await assert_consistent(stores)


async def test_a_study_is_named_by_its_own_uid_or_by_that_which_stands_for_it(
    stores: Stores,
) -> None:
    of_study = [await store(stores, make_instance(number)) for number in (1, 2)]
    await store(stores, make_instance(1, study="9.9", series="9.9.1"))
    with stores.engine.session(stores.layout, query_only=True) as session:
        ids = [receipt.id for receipt in of_study]
        assert redo.of_study(session, "1.2.3") == ids
        assert redo.of_study(session, veiled(make_instance()).study_uid) == ids
        assert redo.of_study(session, "5.5") == []
        assert len(redo.stored(session)) == 3
        assert len(redo.stored(session, "default")) == 3
        assert redo.stored(session, "other") == []


async def test_an_instance_that_waits_to_be_done_again_is_replaced_by_another(
    with_policy: Callable[[ConflictPolicy], object],
) -> None:
    stores = await with_policy(ConflictPolicy.REPLACE)  # type: ignore[misc]
    first = await store(stores, make_instance())
    await do_again(stores, first)
    other = await store(stores, make_instance(content="other"))
    assert await state_of(stores, other) == (State.STORED, "")
    assert await state_of(stores, first) == (State.DISCARDED, "replaced")
    assert await stores.receipts.due(10, []) == []
    await assert_consistent(stores)


# -- several outputs --


def with_two_outputs(stores: Stores, receipt: Receipt, instance: StoredInstance) -> Result:
    """Do what a worker does that has two deidentifiers."""
    result = work(stores, receipt, instance)
    number = int(instance.sop_instance_uid.rpartition(".")[2])
    second = veiled(make_instance(number, study="7.7", series="7.7.1", content="second"))
    stores.receipts.job(receipt).output_file(1).write_bytes(file_of(second))
    return replace(result, outputs=(*result.outputs, Output("other", second)))


async def test_all_outputs_of_a_receipt_become_visible_together(stores: Stores) -> None:
    receipt = await receive(stores, file_of(make_instance()))
    await settle(stores, [with_two_outputs(stores, receipt, make_instance())])
    assert await state_of(stores, receipt) == (State.STORED, "")
    assert await visible(stores, Role.DESTINATION) == 2
    outputs = await stores.database.read(
        lambda session: session.instances.of_receipt(stores.destination.store, receipt.id)
    )
    assert [output.deidentifier for output in outputs] == ["default", "other"]
    assert list(stores.layout.work.iterdir()) == []
    await assert_consistent(stores)


async def test_an_output_that_conflicts_keeps_the_others_from_being_visible(
    stores: Stores,
) -> None:
    first = await receive(stores, file_of(make_instance()))
    await settle(stores, [with_two_outputs(stores, first, make_instance())])
    second = await receive(stores, file_of(make_instance(2)))
    result = with_two_outputs(stores, second, make_instance(2))
    taken = replace(
        result.outputs[1].instance, sop_instance_uid=veiled(make_instance()).sop_instance_uid
    )
    result = replace(result, outputs=(result.outputs[0], Output("other", taken)))
    await settle(stores, [result])
    assert await state_of(stores, second) == (State.QUARANTINED, "conflict")
    assert await visible(stores, Role.DESTINATION) == 2
    await assert_consistent(stores)


async def test_a_receipt_done_again_may_have_other_outputs_than_before(stores: Stores) -> None:
    receipt = await receive(stores, file_of(make_instance()))
    await settle(stores, [with_two_outputs(stores, receipt, make_instance())])
    await do_again(stores, receipt)
    await settle(stores, [work(stores, receipt, make_instance())])
    assert await visible(stores, Role.DESTINATION) == 1
    await assert_consistent(stores)


async def test_an_output_that_returns_under_its_old_name_is_not_swept_away(
    stores: Stores, clock: Clock
) -> None:
    receipt = await store(stores, make_instance())
    old, blob = await output_now(stores), await blob_now(stores)
    await do_again(stores, receipt)
    await stores.receipts.settle([again(stores, receipt, make_instance(), "new")])
    await do_again(stores, receipt)
    await stores.receipts.settle([work(stores, receipt, make_instance())])
    assert await blob_now(stores) == blob
    # As if the sweep had looked before the row was there again.
    await stores.database.write(
        lambda session: session.garbage.add(Garbage(stores.destination.store.id, blob))
    )
    clock.now += READ_GRACE_S + 1
    await stores.receipts.sweep()
    assert await output_now(stores) == old
    await assert_consistent(stores)


# -- any number of stores --


async def test_what_one_store_holds_no_other_shows(stores: Stores) -> None:
    receipt = await store(stores, make_instance())

    def add_store(session: Session) -> Store:
        other = session.stores.add("trial", StoreKind.DICOM, "source")
        instance = make_instance(content="of the trial")
        session.instances.add(other, instance, blob="c" * 32, receipt_id=receipt.id)
        assert session.stores.add("trial", StoreKind.FHIR, "resources").kind is StoreKind.FHIR
        return other

    other = await stores.database.write(add_store)
    assert (other.role, len({s.folder for s in [other, *stores.stores.all]})) == (Role.NONE, 5)

    def in_each(session: Session) -> list[int]:
        return [
            len(session.instances.search(each, ALL_INSTANCES))
            for each in (stores.source.store, stores.destination.store, other)
        ]

    assert await stores.database.read(in_each) == [1, 1, 1]
    (found,) = await stores.database.read(
        lambda session: session.instances.of_receipt(other, receipt.id)
    )
    await stores.database.write(lambda session: session.instances.remove(found))
    assert await stores.database.read(in_each) == [1, 1, 0]
    totals = await stores.database.read(lambda session: session.figures.of_store(other))
    assert (totals.studies, totals.instances, totals.bytes) == (0, 0, 0)
    await stores.close()
    reopened = await Stores.open(stores.layout.state_dir, engine=stores.engine)
    assert await reopened.dicom_store(other).search(ALL_INSTANCES) == []
    await assert_consistent(reopened)
    await reopened.close()
