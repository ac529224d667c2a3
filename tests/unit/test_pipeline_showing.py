"""Readers of the source wait for what was acknowledged before, for that only, and not for ever."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from daemon.errors import StoreUnavailable
from daemon.pipeline.showing import Showing
from daemon.pipeline.unshown import Unshown
from daemon.records import Job, Origin, Receipt, Receiver, StoredInstance
from daemon.workers.backoff import Backoff
from daemon.workers.errors import WorkerCrashed
from tests.store_samples import make_instance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from structlog.typing import EventDict

INSTANCE = make_instance()
SOON = Backoff(first_s=0.001, longest_s=0.002)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


class Table:
    """Receipts in memory."""

    def __init__(self) -> None:
        self.unshown = Unshown()
        self.receipts: dict[str, Receipt] = {}
        self.shown: dict[str, StoredInstance | None] = {}
        self.moved: set[str] = set()
        self.refusals = 0

    def acknowledge(self, *, attempts: int = 0, kills: int = 0) -> str:
        receipt_id = f"{len(self.receipts):032x}"
        self.receipts[receipt_id] = Receipt(
            receipt_id, Origin(Receiver.STOW), 0.0, 100, attempts=attempts, kills=kills
        )
        self.unshown.add(receipt_id)
        return receipt_id

    async def next_unshown(self, limit: int) -> list[Receipt]:
        await asyncio.sleep(0)
        return [self.receipts[each] for each in self.unshown.oldest(limit)]

    async def show(self, described: Mapping[str, StoredInstance | None]) -> None:
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("away")
        self.shown |= described
        self.unshown.discard(described)

    def job(self, receipt: Receipt) -> Job:
        folder = Path("source" if receipt.id in self.moved else "spool")
        return Job(receipt.id, receipt.origin, folder / receipt.id, folder / "out")


class Crew:
    """Workers that describe everything, but for what a test withholds."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.asked: list[str] = []
        self.held: set[str] = set()
        self.kills: set[str] = set()
        self.moves: set[str] = set()
        self.go_on = asyncio.Event()

    async def describe(self, job: Job, size: int) -> StoredInstance | None:
        assert size == 100
        self.asked.append(job.receipt_id)
        if job.receipt_id in self.held:
            await self.go_on.wait()
        if job.receipt_id in self.kills:
            raise WorkerCrashed(1)
        if job.receipt_id in self.moves and job.source.parts[0] == "spool":
            self.table.moved.add(job.receipt_id)
            return None
        return INSTANCE


@asynccontextmanager
async def showing(table: Table, crew: Crew, *, bound_s: float = 30.0) -> AsyncIterator[Showing]:
    found = Showing(table, crew, bound_s=bound_s, after_failure=SOON)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
async def crew(table: Table) -> Crew:
    return Crew(table)


async def test_a_reader_finds_what_was_acknowledged_before(table: Table, crew: Crew) -> None:
    before = [table.acknowledge() for _ in range(200)]
    async with showing(table, crew) as source:
        await source.caught_up()
    assert list(table.shown) == before


async def test_while_nobody_reads_nothing_is_described(table: Table, crew: Crew) -> None:
    async with showing(table, crew) as source:
        await source.caught_up()
        table.acknowledge()
        for _ in range(20):
            await asyncio.sleep(0)
    assert crew.asked == []


async def test_what_comes_after_a_reader_is_not_waited_for(table: Table, crew: Crew) -> None:
    table.acknowledge()
    async with showing(table, crew) as source:
        reading = asyncio.create_task(source.caught_up())
        await asyncio.sleep(0)
        crew.held = {table.acknowledge()}
        await reading
        assert len(table.unshown) == 1


async def test_one_that_takes_long_keeps_no_other_out_of_sight(table: Table, crew: Crew) -> None:
    crew.held = {table.acknowledge()}
    other = table.acknowledge()
    async with showing(table, crew) as source:
        reading = asyncio.create_task(source.caught_up())
        async with asyncio.timeout(240):
            while other not in table.shown:  # noqa: ASYNC110 - polls with a deadline
                await asyncio.sleep(0.001)
        assert not reading.done()
        crew.go_on.set()
        await reading


async def test_nobody_waits_longer_than_the_bound(
    table: Table, crew: Crew, logs: list[EventDict]
) -> None:
    crew.held = {table.acknowledge()}
    async with showing(table, crew, bound_s=0.01) as source:
        await source.caught_up()
    assert [each["event"] for each in logs] == ["source_not_caught_up"]
    assert not table.unshown.is_awaited


async def test_what_kills_a_worker_is_left_to_the_dispatcher(table: Table, crew: Crew) -> None:
    killer, good = table.acknowledge(), table.acknowledge()
    crew.kills = {killer}
    async with showing(table, crew) as source:
        await source.caught_up()
    assert table.shown == {killer: None, good: INSTANCE}


async def test_suspects_are_not_given_to_a_worker(table: Table, crew: Crew) -> None:
    suspects = [table.acknowledge(attempts=3), table.acknowledge(kills=1)]
    begun_again = table.acknowledge(attempts=2)
    async with showing(table, crew) as source:
        await source.caught_up()
    assert table.shown == {**dict.fromkeys(suspects), begun_again: INSTANCE}
    assert crew.asked == [begun_again]


async def test_a_file_that_is_moved_meanwhile_is_described_where_it_is(
    table: Table, crew: Crew
) -> None:
    moved = table.acknowledge()
    crew.moves = {moved}
    async with showing(table, crew) as source:
        await source.caught_up()
    assert table.shown == {moved: INSTANCE}


async def test_a_store_that_refuses_is_asked_again(table: Table, crew: Crew) -> None:
    only = table.acknowledge()
    table.refusals = 3
    async with showing(table, crew) as source:
        await source.caught_up()
    assert table.shown == {only: INSTANCE}


async def test_what_is_settled_in_the_ordinary_way_lets_readers_go_on(
    table: Table, crew: Crew
) -> None:
    ids = [table.acknowledge() for _ in range(3)]
    crew.held = set(ids)
    async with showing(table, crew) as source:
        reading = asyncio.create_task(source.caught_up())
        await asyncio.sleep(0)
        table.unshown.discard(reversed(ids))
        await reading
