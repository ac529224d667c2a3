"""Shows in the source what was acknowledged before somebody reads it, when it is not its turn yet.

An instance becomes visible when it is settled; under load that is seconds after its acknowledgement. Whoever
reads the source waits here until what was acknowledged before is visible: workers describe it, ahead of what
they de-identify, and its row is written without a result. While nobody reads, nothing is done twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.workers.backoff import Backoff
from daemon.workers.errors import PoolClosed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.pipeline.unshown import Unshown
    from daemon.records import Job, Receipt, StoredInstance

_log = structlog.get_logger(__name__)
_BATCH = 64
_GATHER_S = 0.05
_MOST_BEGUN = 2
"""Begun so often without an answer an instance may be, for one of them may be under way now."""


class ShownAhead(Protocol):
    """The receipts as they are shown in the source ahead of their results."""

    @property
    def unshown(self) -> Unshown:
        """What was acknowledged and is neither shown nor settled."""

    async def next_unshown(self, limit: int) -> list[Receipt]:
        """Return the oldest of them."""

    async def show(self, described: Mapping[str, StoredInstance | None]) -> None:
        """Make instances visible, by the ids of their receipts; None is what cannot be described."""

    def job(self, receipt: Receipt) -> Job:
        """Return where the received file is."""


class Describers(Protocol):
    """What describes instances (`daemon.pipeline.instance_workers.InstanceWorkers`)."""

    async def describe(self, job: Job, size: int) -> StoredInstance | None:
        """Return what the index of the source is told of an instance, or None if it cannot be told."""


class Showing:
    """Keeps the source up with acknowledgements for as long as somebody waits for it.

    Parameters
    ----------
    bound_s
        How long a reader waits at most; then it sees what there is.
    """

    def __init__(
        self,
        receipts: ShownAhead,
        workers: Describers,
        *,
        bound_s: float = 2.0,
        after_failure: Backoff | None = None,
    ) -> None:
        self._receipts = receipts
        self._workers = workers
        self._bound_s = bound_s
        self._after_failure = after_failure or Backoff(first_s=0.1, longest_s=2.0)
        self._wanted = asyncio.Event()

    async def caught_up(self) -> None:
        """Return when all that was acknowledged before now is visible, or cannot be, or after the bound."""
        unshown = self._receipts.unshown
        if not unshown:
            return
        self._wanted.set()
        try:
            async with asyncio.timeout(self._bound_s):
                await unshown.none_of_now()
        except TimeoutError:
            _log.info("source_not_caught_up", count=len(unshown))

    async def run(self) -> None:
        """Show what is waited for, for ever. No failure of an instance, a worker or the store ends it."""
        failures = 0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._receipts.unshown.is_awaited:
                try:
                    await self._show_some()
                    failures = 0
                except Exception as error:  # noqa: BLE001 (the loop outlives whatever it meets)
                    failures += 1
                    _log.warning("showing_failed", attempts=failures, exc_info=error)
                    await asyncio.sleep(self._after_failure.delay_s(failures))

    async def _show_some(self) -> None:
        receipts = await self._receipts.next_unshown(_BATCH)
        tasks = {asyncio.create_task(self._described(receipt)): receipt.id for receipt in receipts}
        under_way = set(tasks)
        try:
            while under_way:
                # One that takes long does not keep the others out of sight.
                done, under_way = await asyncio.wait(under_way, timeout=_GATHER_S)
                await self._receipts.show(
                    {each: task.result() for task, each in tasks.items() if task in done}
                )
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _described(self, receipt: Receipt) -> StoredInstance | None:
        if receipt.kills or receipt.attempts > _MOST_BEGUN:
            return None  # what may take a worker or the machine down is for the dispatcher alone
        try:
            job = self._receipts.job(receipt)
            described = await self._workers.describe(job, receipt.size)
            if described is None and (moved := self._receipts.job(receipt)).source != job.source:
                # It is being settled: its file has been moved, and its row is still to come.
                described = await self._workers.describe(moved, receipt.size)
        except (StoreUnavailable, SpoolFull, PoolClosed):
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is: the dispatcher will say)
            _log.warning("instance_not_described", receipt=receipt.id, exc_info=error)
            return None
        else:
            return described
