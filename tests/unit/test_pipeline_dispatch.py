"""The loop that takes receipts, has them processed and settles them: in every kind of weather."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.pipeline.dispatch import Dispatcher
from daemon.pipeline.flights import DispatchSettings
from daemon.pipeline.messages import MalformedAnswer
from daemon.records import (
    Compared,
    Comparison,
    Job,
    Origin,
    Receipt,
    Receiver,
    Result,
    State,
)
from daemon.resources import ReadDocument
from daemon.workers.backoff import Backoff
from daemon.workers.errors import (
    PoolClosed,
    WorkerCrashed,
    WorkerKilled,
    WorkerMemory,
    WorkerRaised,
    WorkerTimeout,
)
from daemon.workers.reasons import WorkerReason
from tests.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from structlog.typing import EventDict

SOON = Backoff(first_s=0.001, longest_s=0.002)
QUICK = DispatchSettings(max_kills=3, after_kill=SOON, after_refusal=SOON)
VALUE = "DOE^JANE"
RIVAL = "f" * 32


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


class Table:
    """Receipts in memory, which refuse what a test tells them to."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.waiting = {
            f"{n:032x}": Receipt(f"{n:032x}", Origin(Receiver.DIMSE), float(n), 100)
            for n in range(count)
        }
        self.rushed = False
        self.asked: Counter[str] = Counter()
        self.has_rival: set[str] = set()
        self.settled: dict[str, Result] = {}
        self.pieces: dict[str, int] = {}
        self.batches: list[int] = []
        self.began: list[list[str]] = []
        self.postponed: list[tuple[str, str, float]] = []
        self.refuse: dict[str, list[Exception]] = defaultdict(list)
        self.refuse_results: Callable[[Sequence[Result]], None] = lambda _results: None

    async def due(self, limit: int, exclude: Sequence[str]) -> list[Receipt]:
        await self._turn("due")
        assert limit > 0
        return [each for each in self.waiting.values() if each.id not in exclude][:limit]

    async def begin(self, receipt_ids: Sequence[str]) -> None:
        await self._turn("begin")
        self.began.append(list(receipt_ids))
        self._count(receipt_ids, 1)

    async def release(self, receipt_ids: Sequence[str]) -> None:
        await self._turn("release")
        self._count(receipt_ids, -1)

    async def take_pieces(self, receipt_id: str, count: int) -> None:
        await self._turn("pieces")
        assert receipt_id not in self.settled
        self.pieces[receipt_id] = count

    async def settle(self, results: Sequence[Result]) -> Sequence[Comparison]:
        await self._turn("settle")
        self.refuse_results(results)
        self.batches.append(len(results))
        undecided = [
            result
            for result in results
            if result.receipt_id in self.has_rival and not result.compared
        ]
        for result in results:
            if result in undecided:
                continue
            assert self.settled.get(result.receipt_id, result) == result
            self.settled[result.receipt_id] = result
            self.waiting.pop(result.receipt_id, None)
        return [
            Comparison(each.receipt_id, each.receipt_id, RIVAL, self.folder, self.folder)
            for each in undecided
        ]

    async def postpone(self, receipt_id: str, reason: str, delay_s: float) -> None:
        await self._turn("postpone")
        self.postponed.append((receipt_id, reason, delay_s))
        receipt = self.waiting[receipt_id]
        self.waiting[receipt_id] = replace(
            receipt, reason=reason, kills=receipt.kills + 1, attempts=0
        )

    def job(self, receipt: Receipt) -> Job:
        return Job(
            receipt.id, receipt.origin, self.folder / receipt.id, self.folder / f"{receipt.id}.out"
        )

    def is_rushed(self) -> bool:
        self.asked["is_rushed"] += 1
        return self.rushed

    def job_arrived(self) -> Awaitable[None]:
        return asyncio.sleep(0.001)

    def _count(self, receipt_ids: Sequence[str], change: int) -> None:
        for receipt_id in receipt_ids:
            receipt = self.waiting[receipt_id]
            self.waiting[receipt_id] = replace(receipt, attempts=receipt.attempts + change)

    async def _turn(self, what: str) -> None:
        self.asked[what] += 1
        await asyncio.sleep(0)
        if self.refuse[what]:
            raise self.refuse[what].pop(0)


class Crew:
    """Workers that answer as a test tells them to."""

    def __init__(self) -> None:
        self.tries: Counter[int] = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.alone: set[int] = set()
        self.says: dict[int, list[Exception]] = defaultdict(list)
        self.gate: asyncio.Event | None = None
        self.compared: list[str] = []
        self.compare_gate: asyncio.Event | None = None
        self.cannot_compare: list[Exception] = []

    async def process(self, job: Job, size: int) -> Result:
        assert size == 100
        number = int(job.receipt_id, 16)
        self.tries[number] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.at_once == 1:
            self.alone.add(number)
        try:
            await asyncio.sleep(0)
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0.001)
            if self.at_once > 1:
                self.alone.discard(number)
        finally:
            self.at_once -= 1
        if self.says[number]:
            raise self.says[number].pop(0)
        return Result(job.receipt_id, State.UNROUTED)

    async def are_alike(self, comparison: Comparison, size: int) -> bool:
        assert size == 100
        self.compared.append(comparison.receipt_id)
        if self.compare_gate is not None:
            await self.compare_gate.wait()
        await asyncio.sleep(0)
        if self.cannot_compare:
            raise self.cannot_compare.pop(0)
        return True


def make_dispatcher(
    table: Table, crew: Crew, settings: DispatchSettings = QUICK
) -> tuple[Dispatcher, Tally]:
    tally = Tally()
    return Dispatcher(table, crew, settings=settings, figures=tally), tally


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(240):
        while not is_true():  # noqa: ASYNC110 (many things change it)
            await asyncio.sleep(0.001)


async def run_until_settled(table: Table, crew: Crew, settings: DispatchSettings = QUICK) -> Tally:
    dispatcher, tally = make_dispatcher(table, crew, settings)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(dispatcher.run())
        await until(lambda: not table.waiting)
        dispatcher.stop(10)
        await running
    assert dispatcher.progress.in_flight == 0
    return tally


def number_of(receipt_id: str) -> int:
    return int(receipt_id, 16)


async def test_each_receipt_is_processed_and_settled_once(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 200), Crew()
    tally = await run_until_settled(table, crew)
    assert len(table.settled) == 200
    assert set(crew.tries.values()) == {1}
    assert tally.done == {(State.UNROUTED, ""): 200}
    assert tally.taken == 200
    assert tally.bytes == 200 * 100


async def test_the_pieces_of_a_large_file_are_taken_before_it_is_settled(tmp_path: Path) -> None:
    table = Table(tmp_path, 3)
    table.refuse["pieces"] = [StoreUnavailable("away")]

    class Reading(Crew):
        async def process(self, job: Job, size: int) -> Result:
            await super().process(job, size)
            return Result(job.receipt_id, State.STORED, sidecar=ReadDocument(pieces=7))

    receipt_ids = list(table.waiting)
    await run_until_settled(table, Reading())
    assert table.pieces == dict.fromkeys(receipt_ids, 7)
    assert set(table.settled) == set(receipt_ids)


@pytest.mark.parametrize("is_moved", [True, False])
async def test_a_file_that_was_moved_meanwhile_is_processed_where_it_is(
    tmp_path: Path, *, is_moved: bool
) -> None:
    table = Table(tmp_path, 1)
    (receipt_id,) = table.waiting

    class Moving(Crew):
        async def process(self, job: Job, size: int) -> Result:
            result = await super().process(job, size)
            if job.source.parent != tmp_path:
                return result
            if is_moved:
                table.folder = tmp_path / "source"
            return Result(receipt_id, State.QUARANTINED, reason=WorkerReason.SOURCE_MISSING)

    await run_until_settled(table, Moving())
    expected = (State.UNROUTED, "") if is_moved else (State.QUARANTINED, "source_missing")
    assert (table.settled[receipt_id].state, table.settled[receipt_id].reason) == expected


async def test_no_more_than_allowed_are_in_flight(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 100), Crew()
    await run_until_settled(table, crew, replace(QUICK, in_flight=5))
    assert crew.most_at_once <= 5


async def test_one_may_be_in_flight_at_a_time(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 10), Crew()
    await run_until_settled(table, crew, replace(QUICK, in_flight=1))
    assert crew.most_at_once == 1


async def test_attempts_and_results_are_written_in_groups(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 160), Crew()
    await run_until_settled(table, crew, replace(QUICK, in_flight=16))
    assert len(table.began) <= 160 / 8 + 1
    assert max(table.batches) > 1


async def test_a_lone_result_is_settled_at_once(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 1), Crew()
    await run_until_settled(table, crew)
    assert table.batches == [1]


async def test_the_oldest_come_first(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 50), Crew()
    await run_until_settled(table, crew, replace(QUICK, in_flight=4))
    began = [receipt_id for batch in table.began for receipt_id in batch]
    assert began == sorted(began)


async def test_an_attempt_is_counted_before_a_worker_sees_the_instance(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 1), Crew()
    crew.gate = asyncio.Event()
    dispatcher, _ = make_dispatcher(table, crew)
    async with asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        await until(lambda: crew.tries[0] == 1)
        assert [each.attempts for each in table.waiting.values()] == [1]
        crew.gate.set()
        dispatcher.stop(10)


@pytest.mark.parametrize(
    ("death", "reason"),
    [
        (WorkerTimeout, "worker_timeout"),
        (WorkerCrashed, "worker_crashed"),
        (WorkerMemory, "worker_memory"),
    ],
)
async def test_what_kills_its_worker_three_times_is_quarantined(
    tmp_path: Path, death: type[WorkerKilled], reason: str
) -> None:
    table, crew = Table(tmp_path, 10), Crew()
    crew.says[4] = [death() for _ in range(5)]
    (tmp_path / f"{4:032x}.out").write_bytes(b"half an output")
    tally = await run_until_settled(table, crew)
    assert crew.tries[4] == 3
    result = table.settled[f"{4:032x}"]
    assert (result.state, result.reason) == (State.QUARANTINED, reason)
    assert [number_of(each[0]) for each in table.postponed] == [4, 4]
    assert [each[1] for each in table.postponed] == [reason] * 2
    assert tally.postponements == {reason: 2}
    assert tally.done == {(State.UNROUTED, ""): 9, (State.QUARANTINED, reason): 1}
    assert not (tmp_path / f"{4:032x}.out").exists()


async def test_what_killed_its_worker_twice_may_still_succeed(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 3), Crew()
    crew.says[1] = [WorkerTimeout(), WorkerCrashed()]
    tally = await run_until_settled(table, crew)
    assert tally.done == {(State.UNROUTED, ""): 3}


async def test_killing_a_worker_goes_on_counting_after_a_restart(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 1), Crew()
    [receipt_id] = table.waiting
    table.waiting[receipt_id] = replace(table.waiting[receipt_id], kills=2, reason="worker_timeout")
    crew.says[0] = [WorkerTimeout()]
    await run_until_settled(table, crew)
    assert crew.tries[0] == 1
    assert table.settled[receipt_id].reason == "worker_timeout"


async def test_attempts_that_ended_with_the_service_count_as_no_kills(tmp_path: Path) -> None:
    """It killed a worker once; then the service itself was killed, again and again."""
    table, crew = Table(tmp_path, 1), Crew()
    [receipt_id] = table.waiting
    table.waiting[receipt_id] = replace(
        table.waiting[receipt_id], kills=1, attempts=5, reason="worker_crashed"
    )
    crew.says[0] = [WorkerCrashed()]
    tally = await run_until_settled(table, crew)
    assert crew.tries[0] == 2
    assert tally.done == {(State.UNROUTED, ""): 1}


async def test_what_was_begun_twice_without_an_answer_is_processed_alone(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 20), Crew()
    for number in (3, 4):
        receipt_id = f"{number:032x}"
        table.waiting[receipt_id] = replace(table.waiting[receipt_id], attempts=2)
    await run_until_settled(table, crew, replace(QUICK, in_flight=8))
    assert {3, 4} <= crew.alone
    assert [f"{3:032x}"] in table.began
    assert [f"{4:032x}"] in table.began
    assert len(table.settled) == 20


@pytest.mark.parametrize(
    ("attempts", "kills", "reason", "expected"),
    [
        (6, 0, "", "worker_crashed"),
        (0, 3, "worker_memory", "worker_memory"),
        (9, 0, "", "worker_crashed"),
        (6, 1, "worker_timeout", "worker_timeout"),
    ],
)
async def test_what_takes_the_machine_down_again_and_again_is_quarantined_unseen(
    tmp_path: Path, attempts: int, kills: int, reason: str, expected: str
) -> None:
    table, crew = Table(tmp_path, 2), Crew()
    receipt_id = f"{1:032x}"
    table.waiting[receipt_id] = replace(
        table.waiting[receipt_id], attempts=attempts, kills=kills, reason=reason
    )
    await run_until_settled(table, crew)
    assert crew.tries[1] == 0
    assert table.settled[receipt_id].reason == expected


@pytest.mark.parametrize(
    "error",
    [
        WorkerRaised("ValueError", "ValueError at deid/x.py:1 in f"),
        MalformedAnswer(VALUE),
        RuntimeError(VALUE),
    ],
)
async def test_a_bug_quarantines_one_instance_and_tells_no_value(
    tmp_path: Path, error: Exception, logs: list[EventDict]
) -> None:
    table, crew = Table(tmp_path, 20), Crew()
    crew.says[7] = [error]
    tally = await run_until_settled(table, crew)
    result = table.settled[f"{7:032x}"]
    assert (result.state, result.reason) == (State.QUARANTINED, "internal_error")
    assert type(error).__name__ in result.where or "deid/x.py:1" in result.where
    assert VALUE not in result.where
    assert crew.tries[7] == 1
    assert tally.done[State.UNROUTED, ""] == 19
    shown = [{key: value for key, value in log.items() if key != "exc_info"} for log in logs]
    assert VALUE not in repr(shown)


async def test_when_there_is_no_room_for_outputs_an_instance_waits_without_an_attempt(
    tmp_path: Path,
) -> None:
    table, crew = Table(tmp_path, 5), Crew()
    crew.says[2] = [StoreUnavailable("ENOSPC") for _ in range(20)]
    tally = await run_until_settled(table, crew)
    assert crew.tries[2] == 21
    assert sum(len(batch) for batch in table.began) == 5
    assert tally.done == {(State.UNROUTED, ""): 5}
    assert tally.waits == {"output": 20}


@pytest.mark.parametrize("what", ["due", "begin", "settle", "postpone"])
@pytest.mark.parametrize("error", [StoreUnavailable, SpoolFull])
async def test_a_store_that_is_away_for_a_while_costs_nothing(
    tmp_path: Path, what: str, error: type[Exception]
) -> None:
    table, crew = Table(tmp_path, 30), Crew()
    crew.says[3] = [WorkerCrashed()]
    table.refuse[what] = [error(VALUE) for _ in range(3)]
    tally = await run_until_settled(table, crew)
    assert tally.done == {(State.UNROUTED, ""): 30}
    assert tally.waits == {"take" if what in {"due", "begin"} else what: 3}


@pytest.mark.parametrize(
    ("what", "bugs", "quarantined"),
    [("due", 3, 0), ("begin", 3, 0), ("settle", 1, 0), ("settle", 3, 2), ("postpone", 1, 1)],
)
async def test_a_store_with_a_bug_costs_those_that_it_concerns(
    tmp_path: Path, what: str, bugs: int, quarantined: int
) -> None:
    table, crew = Table(tmp_path, 30), Crew()
    crew.says[3] = [WorkerCrashed()]
    table.refuse[what] = [RuntimeError(VALUE) for _ in range(bugs)]
    tally = await run_until_settled(table, crew)
    assert len(table.settled) == 30
    assert tally.done[State.QUARANTINED, "internal_error"] <= quarantined
    assert all(VALUE not in result.where for result in table.settled.values())


async def test_a_result_that_cannot_be_settled_does_not_hold_the_others(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 60), Crew()
    refused = 0

    def refuse(results: Sequence[Result]) -> None:
        nonlocal refused
        if any(number_of(each.receipt_id) == 9 and not each.reason for each in results):
            refused += 1
            raise RuntimeError(VALUE)

    table.refuse_results = refuse
    tally = await run_until_settled(table, crew)
    assert refused <= 2
    assert table.settled[f"{9:032x}"].reason == "internal_error"
    assert VALUE not in table.settled[f"{9:032x}"].where
    assert tally.done[State.UNROUTED, ""] == 59


async def test_a_result_whose_files_are_gone_is_made_again(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 10), Crew()

    def refuse(results: Sequence[Result]) -> None:
        if crew.tries[5] < 2 and any(number_of(each.receipt_id) == 5 for each in results):
            raise StoreUnavailable("the output of a worker is missing")

    table.refuse_results = refuse
    tally = await run_until_settled(table, crew)
    assert crew.tries[5] == 2
    assert tally.done == {(State.UNROUTED, ""): 10}


async def test_stopping_settles_what_is_under_way_and_takes_nothing_new(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 50), Crew()
    crew.gate = asyncio.Event()
    dispatcher, _ = make_dispatcher(table, crew, replace(QUICK, in_flight=8))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(dispatcher.run())
        await until(lambda: crew.at_once == 8)
        dispatcher.stop(30)
        await asyncio.sleep(0.01)
        assert not running.done()
        crew.gate.set()
        await running
    assert len(table.settled) == 8
    assert len(table.waiting) == 42


async def test_what_is_not_done_at_the_deadline_waits_without_an_attempt(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 5), Crew()
    crew.gate = asyncio.Event()
    dispatcher, tally = make_dispatcher(table, crew)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(dispatcher.run())
        await until(lambda: crew.at_once == 5)
        dispatcher.stop(0.05)
        await running
    assert table.settled == {}
    assert [each.attempts for each in table.waiting.values()] == [0] * 5
    assert tally.postponements == {"stopped": 5}


async def test_a_pool_that_closes_first_costs_no_attempt(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 3), Crew()
    for number in range(3):
        crew.says[number] = [PoolClosed("closed")]
    tally = await run_until_settled(table, crew)
    assert tally.postponements == {"stopped": 3}
    assert tally.done == {(State.UNROUTED, ""): 3}
    assert [len(batch) for batch in table.began] == [3, 3]


async def test_stopping_while_the_store_is_away_still_ends(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 3), Crew()
    table.refuse["due"] = [StoreUnavailable("away")] * 100_000
    dispatcher, _ = make_dispatcher(
        table, crew, replace(QUICK, after_refusal=Backoff(first_s=60, longest_s=60))
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(dispatcher.run())
        await asyncio.sleep(0.01)
        dispatcher.stop(30)
        async with asyncio.timeout(240):
            await running


async def test_what_arrives_later_is_processed_later(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 1), Crew()
    dispatcher, _ = make_dispatcher(table, crew)
    async with asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        await until(lambda: not table.waiting)
        table.waiting["f" * 32] = Receipt("f" * 32, Origin(Receiver.WATCH), 9.0, 100)
        await until(lambda: not table.waiting)
        dispatcher.stop(10)
    assert len(table.settled) == 2


async def test_progress_tells_how_long_the_oldest_takes(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 2), Crew()
    crew.gate = asyncio.Event()
    now = [100.0]
    arguments: dict[str, Any] = {"settings": QUICK, "clock": lambda: now[0]}
    dispatcher = Dispatcher(table, crew, **arguments)
    assert dispatcher.progress.longest_s == 0
    async with asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        await until(lambda: crew.at_once == 2)
        now[0] = 107.5
        assert dispatcher.progress.in_flight == 2
        assert dispatcher.progress.longest_s == 7.5
        crew.gate.set()
        dispatcher.stop(10)


async def test_progress_tells_since_when_the_store_refuses_and_why(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 1), Crew()
    refusing = True

    def refuse(_: Sequence[Result]) -> None:
        if refusing:
            raise StoreUnavailable("the disk refused: EXDEV", "EXDEV")

    table.refuse_results = refuse
    now = [100.0]
    arguments: dict[str, Any] = {"settings": QUICK, "clock": lambda: now[0]}
    dispatcher = Dispatcher(table, crew, **arguments)
    async with asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        await until(lambda: dispatcher.progress.refusal == "EXDEV")
        now[0] = 161.0
        assert dispatcher.progress.refused_s == 61.0
        refusing = False
        await until(lambda: dispatcher.progress.settled == 1)
        assert (dispatcher.progress.refused_s, dispatcher.progress.refusal) == (0.0, "")
        dispatcher.stop(10)


async def test_in_a_rush_the_table_is_looked_at_now_and_then_only(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 1), Crew()
    table.rushed = True
    (young,) = table.waiting
    table.waiting[young] = replace(table.waiting[young], received_at=time.time())
    dispatcher, _ = make_dispatcher(table, crew, replace(QUICK, hold_back_s=5000.0))
    async with asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        await until(lambda: table.asked["is_rushed"] >= 60)
        assert table.asked["due"] <= 1 + table.asked["is_rushed"] // 5
        table.rushed = False
        await until(lambda: young in table.settled)
        dispatcher.stop(10)


async def test_in_a_rush_young_instances_wait_and_old_ones_do_not(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 2), Crew()
    young, old = sorted(table.waiting)
    table.rushed = True
    table.waiting = {young: replace(table.waiting[young], received_at=time.time() + 1000.0)}
    dispatcher, _ = make_dispatcher(table, crew, replace(QUICK, hold_back_s=5000.0))
    async with asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert not table.began
        table.waiting[young] = replace(table.waiting[young], received_at=time.time() - 6000.0)
        await until(lambda: young in table.settled)
        table.rushed = False
        table.waiting[old] = Receipt(old, Origin(Receiver.DIMSE), time.time(), 100)
        await until(lambda: old in table.settled)
        dispatcher.stop(1.0)


async def test_what_has_a_rival_is_compared_and_then_settled(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 5), Crew()
    rivals = table.has_rival = {f"{1:032x}", f"{3:032x}"}
    await run_until_settled(table, crew)
    assert sorted(crew.compared) == sorted(rivals)
    for receipt_id in rivals:
        assert table.settled[receipt_id].compared == (Compared(receipt_id, RIVAL, True),)
    assert all(not table.settled[each].compared for each in set(table.settled) - rivals)


async def test_others_are_settled_while_two_are_compared(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 5), Crew()
    table.has_rival = {f"{0:032x}"}
    crew.compare_gate = asyncio.Event()
    dispatcher, _ = make_dispatcher(table, crew)
    async with asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        await until(lambda: len(table.settled) == 4)
        crew.compare_gate.set()
        await until(lambda: len(table.settled) == 5)
        dispatcher.stop(10)


@pytest.mark.parametrize(
    "error", [WorkerCrashed(11), MalformedAnswer("field"), RuntimeError(VALUE)]
)
async def test_what_cannot_be_compared_is_not_the_same(tmp_path: Path, error: Exception) -> None:
    table, crew = Table(tmp_path, 2), Crew()
    receipt_id = f"{1:032x}"
    table.has_rival = {receipt_id}
    crew.cannot_compare = [error]
    await run_until_settled(table, crew)
    assert table.settled[receipt_id].compared == (Compared(receipt_id, RIVAL, False),)


async def test_a_disk_that_refuses_is_asked_again_to_compare(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 1), Crew()
    table.has_rival = {f"{0:032x}"}
    crew.cannot_compare = [StoreUnavailable("worker"), StoreUnavailable("worker")]
    await run_until_settled(table, crew)
    assert len(crew.compared) == 3
    assert table.settled[f"{0:032x}"].compared[0].are_alike


async def test_a_comparison_at_the_end_is_given_up_and_its_instance_waits(tmp_path: Path) -> None:
    table, crew = Table(tmp_path, 1), Crew()
    table.has_rival = {f"{0:032x}"}
    crew.compare_gate = asyncio.Event()
    dispatcher, _ = make_dispatcher(table, crew)
    async with asyncio.timeout(240), asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        await until(lambda: bool(crew.compared))
        dispatcher.stop(0.05)
    assert not table.settled
    assert table.waiting[f"{0:032x}"].attempts == 0
