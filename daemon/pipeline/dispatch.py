"""The loop that takes waiting receipts, has workers process them, and settles what came of it.

::

    due -> begin (an attempt, durably) -> process ... -> settle (in groups)
      ^                                   |- killed:  postpone, or quarantine after the third
      |                                   `- no room: wait, then process again
      `---- postponed, released

How often an instance was begun is counted before a worker sees it, so that one which takes the
whole machine down is found out too. An instance that was begun twice without any answer is a
suspect: it is processed alone, so that no other is counted with it when the machine goes down. A killed
worker is an answer; how many of them an instance killed is counted apart.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

import structlog

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.observe.health import Work
from daemon.observe.traces import trace
from daemon.pipeline.figures import NoPipelineFigures
from daemon.pipeline.flights import Flight, Progress
from daemon.records import Compared, Result, State
from daemon.workers.errors import PoolClosed, WorkerKilled, WorkerRaised
from daemon.workers.reasons import KILLED, WorkerReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from daemon.pipeline.figures import PipelineFigures
    from daemon.pipeline.flights import DispatchSettings, Workers
    from daemon.ports import Receipts
    from daemon.records import Comparison, Job, Receipt

T = TypeVar("T")

_log = structlog.get_logger(__name__)
_SUSPECT_AFTER = 2
_WHERE_LENGTH = 500
_FLUSH_S = 5.0
_REFUSALS_BEFORE_RETURN = 5
_PAUSES_A_LOOK = 5
_PASSING = (StoreUnavailable, SpoolFull)


class Dispatcher:
    """Moves receipts from waiting to settled for as long as `run` runs."""

    def __init__(
        self,
        receipts: Receipts,
        workers: Workers,
        *,
        settings: DispatchSettings,
        figures: PipelineFigures | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receipts = receipts
        self._workers = workers
        self._settings = settings
        self._figures = figures or NoPipelineFigures()
        self._clock = clock
        self._flights: dict[str, Flight] = {}
        self._results: deque[Flight] = deque()
        self._has_results = asyncio.Event()
        self._landed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._drain_s = 0.0
        self._settled_count = 0
        self._refused_since: float | None = None
        self._refusal = ""

    @property
    def work(self) -> Work:
        """The same as readiness asks for it."""
        now = self.progress
        return Work(now.in_flight, now.settled, now.refused_s, now.refusal)

    @property
    def progress(self) -> Progress:
        """What is going on now."""
        oldest = min((each.begun_at for each in self._flights.values()), default=self._clock())
        now = self._clock()
        return Progress(
            len(self._flights),
            len(self._results),
            now - oldest,
            self._settled_count,
            0.0 if self._refused_since is None else now - self._refused_since,
            self._refusal,
        )

    def stop(self, drain_s: float) -> None:
        """Take nothing new; let `run` return when all is settled, or after so many seconds.

        What is not done by then is released: it waits in the table for the next start.
        """
        self._drain_s = drain_s
        self._stopping.set()

    async def run(self) -> None:
        """Process what is due and what becomes due, until `stop`.

        No failure of an instance, a worker or the store ends it.
        """
        async with asyncio.TaskGroup() as group:
            feeder = group.create_task(self._feed(group), name="dispatch-feed")
            settler = group.create_task(self._settle(group), name="dispatch-settle")
            await self._stopping.wait()
            _log.info("dispatch_stopping", count=len(self._flights), delay_s=self._drain_s)
            try:
                async with asyncio.timeout(self._drain_s):
                    await asyncio.shield(feeder)
                    await self._until_landed()
            except TimeoutError:
                feeder.cancel()
                await self._give_up()
            settler.cancel()
        _log.info("dispatch_stopped")

    # -- taking --

    async def _feed(self, group: asyncio.TaskGroup) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._feed_once(group)
                failures = 0
            except Exception as error:  # noqa: BLE001 (the loop outlives whatever it meets)
                failures += 1
                await self._wait_out("take", failures, error)

    async def _feed_once(self, group: asyncio.TaskGroup) -> None:
        room = self._settings.in_flight - len(self._flights)
        # Taking one at a time would cost a commit each.
        if self._flights and room < max(1, self._settings.in_flight // 2):
            self._landed.clear()
            await self._unless_stopping(self._landed.wait())
            return
        if self._flights:
            await self._unless_stopping(asyncio.sleep(self._settings.gather_s))
            room = self._settings.in_flight - len(self._flights)
        receipts = await self._receipts.due(room, tuple(self._flights))
        if not receipts:
            await self._unless_stopping(cast("Awaitable[object]", self._receipts.job_arrived()))
            return
        if self._is_held_back(receipts[0]):
            # To look at the table each time would take from those who are being answered.
            for _ in range(_PAUSES_A_LOOK):
                await self._unless_stopping(asyncio.sleep(self._settings.gather_s))
                if self._stopping.is_set() or not self._is_held_back(receipts[0]):
                    break
            return
        hopeless, suspects, others = self._sorted(receipts)
        for receipt in hopeless:
            self._set_aside(receipt)
        for receipt in suspects:
            await self._unless_stopping(self._until_landed())
            if self._stopping.is_set():
                return
            await self._begin(group, [receipt])
            await self._unless_stopping(self._until_landed())
        if others and not self._stopping.is_set():
            await self._begin(group, others)

    def _is_held_back(self, oldest: Receipt) -> bool:
        """Tell whether receiving goes first, as the oldest that waits came a moment ago."""
        return self._receipts.is_rushed() and self._age_s(oldest) < self._settings.hold_back_s

    def _age_s(self, receipt: Receipt) -> float:
        """Return how long ago an instance was received; by the calendar, which may have been set."""
        return abs(time.time() - receipt.received_at)

    def _sorted(
        self, receipts: Iterable[Receipt]
    ) -> tuple[list[Receipt], list[Receipt], list[Receipt]]:
        """Part receipts into hopeless ones, suspects, and others."""
        hopeless, suspects, others = [], [], []
        for receipt in receipts:
            is_killer = receipt.kills >= self._settings.max_kills
            if is_killer or receipt.attempts >= self._settings.max_begun:
                hopeless.append(receipt)
            elif receipt.attempts >= _SUSPECT_AFTER:
                suspects.append(receipt)
            else:
                others.append(receipt)
        return hopeless, suspects, others

    async def _begin(self, group: asyncio.TaskGroup, receipts: Sequence[Receipt]) -> None:
        await self._receipts.begin([receipt.id for receipt in receipts])
        self._figures.begun(len(receipts))
        for receipt in receipts:
            flight = self._flights[receipt.id] = Flight(receipt, self._clock())
            flight.task = group.create_task(self._fly(flight))

    # -- one instance --

    async def _fly(self, flight: Flight) -> None:
        """Process one instance. Whatever happens, it ends in a result, waiting, or released."""
        try:
            result = await self._judged(flight.receipt)
        except PoolClosed:
            await self._release([flight])
            return
        except Exception as error:  # noqa: BLE001 (a bug costs one instance, not the loop)
            _log.error("instance_failed", receipt=flight.receipt.id, exc_info=error)
            result = _quarantined(flight.receipt, WorkerReason.INTERNAL_ERROR, _where(error))
        if result is None:
            self._land(flight)
        else:
            self._hand_over(flight, result)

    async def _judged(self, receipt: Receipt) -> Result | None:
        """Return a result, or None when the receipt waits again."""
        try:
            return await self._processed(receipt)
        except WorkerKilled as killed:
            return await self._after_kill(receipt, killed.reason)

    async def _processed(self, receipt: Receipt) -> Result:
        job = self._receipts.job(receipt)
        result = await self._outlasting(lambda: self._answered(job, receipt))
        pieces = 0 if result.sidecar is None else result.sidecar.pieces
        if pieces:
            await self._outlasting(lambda: self._taken(receipt, pieces))
        return result

    async def _taken(self, receipt: Receipt, pieces: int) -> None:
        await self._receipts.take_pieces(receipt.id, pieces)

    async def _compare(self, flight: Flight, comparison: Comparison) -> None:
        """Have two files compared, and queue the result again; what cannot be compared is not the same."""
        size = flight.receipt.size
        result, flight.result = flight.result, None
        assert result is not None
        try:
            are_alike = await self._outlasting(lambda: self._workers.are_alike(comparison, size))
        except PoolClosed:
            await self._release([flight])
            return
        except Exception as error:  # noqa: BLE001 (two that stay apart lose nothing)
            _log.warning("instances_not_compared", receipt=flight.receipt.id, where=_where(error))
            are_alike = False
        compared = Compared(comparison.blob, comparison.earlier_blob, are_alike)
        self._hand_over(flight, replace(result, compared=(*result.compared, compared)))

    async def _outlasting(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask a worker until the disk does not refuse any more."""
        failures = 0
        while True:
            try:
                return await ask()
            except _PASSING as error:
                failures += 1
                await self._wait_out("output", failures, error)
                if self._stopping.is_set():
                    raise PoolClosed("stopping") from error

    async def _answered(self, job: Job, receipt: Receipt) -> Result:
        result = await self._workers.process(job, receipt.size)
        if result.reason == WorkerReason.SOURCE_MISSING:
            # It may have been moved meanwhile, once: when it was shown ahead of its result.
            moved = self._receipts.job(receipt)
            if moved.source != job.source:
                return await self._workers.process(moved, receipt.size)
        return result

    async def _after_kill(self, receipt: Receipt, reason: WorkerReason) -> Result | None:
        """Return a result when it was the last time, or let the receipt wait."""
        kills = receipt.kills + 1
        _log.warning("worker_killed", receipt=receipt.id, reason=reason.value, attempts=kills)
        with suppress(OSError):
            self._receipts.job(receipt).output.unlink(missing_ok=True)
        if kills >= self._settings.max_kills:
            return _quarantined(receipt, reason)
        self._figures.postponed(reason.value)
        delay_s = self._settings.after_kill.delay_s(kills)
        await self._insist(
            "postpone", lambda: self._receipts.postpone(receipt.id, reason.value, delay_s)
        )
        return None

    def _set_aside(self, receipt: Receipt) -> None:
        reason = (
            WorkerReason(receipt.reason)
            if receipt.reason in KILLED and receipt.kills
            else WorkerReason.WORKER_CRASHED
        )
        flight = self._flights[receipt.id] = Flight(receipt, self._clock())
        self._hand_over(flight, _quarantined(receipt, reason))

    # -- settling --

    def _hand_over(self, flight: Flight, result: Result) -> None:
        flight.result = result
        self._queue(flight)

    def _queue(self, flight: Flight) -> None:
        self._results.append(flight)
        self._has_results.set()

    async def _settle(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._has_results.wait()
            self._has_results.clear()
            if len(self._results) < len(self._flights):
                await asyncio.sleep(self._settings.gather_s / 2)
            while self._results:
                batch = self._next_batch()
                try:
                    comparisons = await self._receipts.settle(
                        [each.result for each in batch if each.result]
                    )
                except Exception as error:  # noqa: BLE001 (told apart in there)
                    self._tell_refused("settle", batch[0].refusals + 1, 0.0, error)
                    for flight in batch:
                        self._settle_refused(group, flight, error, is_alone=len(batch) == 1)
                else:
                    undecided = {each.receipt_id: each for each in comparisons}
                    for flight in batch:
                        comparison = undecided.get(flight.receipt.id)
                        if comparison is None:
                            self._settled(flight)
                        else:
                            flight.task = group.create_task(self._compare(flight, comparison))

    def _next_batch(self) -> list[Flight]:
        """Take what has gathered while the last batch was written; the once refused go alone."""
        batch = [self._results.popleft()]
        while self._results and len(batch) < self._settings.settle_batch:
            if batch[0].refusals or self._results[0].refusals:
                break
            batch.append(self._results.popleft())
        return batch

    def _settle_refused(
        self, group: asyncio.TaskGroup, flight: Flight, error: Exception, *, is_alone: bool
    ) -> None:
        """Try a result again later: alone, then as internal error, then as if never processed."""
        flight.refusals += 1
        delay_s = self._settings.after_refusal.delay_s(flight.refusals)
        if is_alone and not isinstance(error, _PASSING):
            flight.result = _quarantined(flight.receipt, WorkerReason.INTERNAL_ERROR, _where(error))
        if flight.refusals % _REFUSALS_BEFORE_RETURN:
            asyncio.get_running_loop().call_later(delay_s, self._queue, flight)
        else:
            # The files may be gone that the result speaks of; then processing makes them anew.
            flight.task = group.create_task(self._return(flight))

    async def _return(self, flight: Flight) -> None:
        try:
            await self._receipts.release([flight.receipt.id])
        except Exception as error:  # noqa: BLE001 (the store is away altogether: keep the result)
            self._tell_refused("release", flight.refusals, 0.0, error)
            self._queue(flight)
        else:
            self._figures.postponed("store_unavailable")
            self._land(flight)

    def _settled(self, flight: Flight) -> None:
        result = flight.result
        assert result is not None
        seconds = self._clock() - flight.begun_at
        self._settled_count += 1
        self._refused_since, self._refusal = None, ""
        self._figures.settled(result.state, result.reason, seconds, flight.receipt.size)
        self._land(flight)

    def _land(self, flight: Flight) -> None:
        self._flights.pop(flight.receipt.id, None)
        self._landed.set()

    # -- waiting, and the end --

    async def _until_landed(self) -> None:
        while self._flights:
            self._landed.clear()
            await self._landed.wait()

    async def _insist(self, what: str, call: Callable[[], Awaitable[None]]) -> None:
        """Make a call to the store until the store is there."""
        failures = 0
        while True:
            try:
                await call()
            except _PASSING as error:
                failures += 1
                await self._wait_out(what, failures, error, until_stopped=False)
            else:
                return

    async def _wait_out(
        self, what: str, failures: int, error: Exception, *, until_stopped: bool = True
    ) -> None:
        """Say that something failed, and wait before it is tried again."""
        delay_s = self._settings.after_refusal.delay_s(failures)
        self._tell_refused(what, failures, delay_s, error)
        if until_stopped:
            await self._unless_stopping(asyncio.sleep(delay_s))
        else:
            await asyncio.sleep(delay_s)

    def _tell_refused(self, what: str, failures: int, delay_s: float, error: Exception) -> None:
        self._figures.waited(what)
        if self._refused_since is None:
            self._refused_since = self._clock()
        self._refusal = getattr(error, "code", "") or type(error).__name__
        _log.warning(
            "store_refused" if isinstance(error, _PASSING) else "dispatch_failed",
            action=what,
            attempts=failures,
            delay_s=round(delay_s, 2),
            code=getattr(error, "code", ""),
            exc_info=error,
        )

    async def _unless_stopping(self, awaitable: Awaitable[object]) -> None:
        """Wait for it, or for `stop`."""
        waiting = {
            asyncio.ensure_future(awaitable),
            asyncio.ensure_future(self._stopping.wait()),
        }
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in waiting:
                each.cancel()

    async def _give_up(self) -> None:
        """Cancel what is still being processed, and settle what has a result."""
        flying = [each for each in self._flights.values() if each.result is None]
        for flight in flying:
            if flight.task is not None:
                flight.task.cancel()
        await asyncio.gather(
            *(each.task for each in flying if each.task is not None), return_exceptions=True
        )
        try:
            async with asyncio.timeout(_FLUSH_S):
                await self._release([each for each in flying if each.receipt.id in self._flights])
                await self._until_landed()
        except TimeoutError:
            _log.warning("dispatch_drain_expired", count=len(self._flights))

    async def _release(self, flights: Sequence[Flight]) -> None:
        if not flights:
            return
        receipt_ids = [each.receipt.id for each in flights]
        try:
            await self._receipts.release(receipt_ids)
        except Exception as error:  # noqa: BLE001 (it costs them one attempt)
            _log.warning("release_failed", count=len(flights), exc_info=error)
        for flight in flights:
            self._figures.postponed("stopped")
            self._land(flight)


def _where(error: Exception) -> str:
    return error.trace if isinstance(error, WorkerRaised) else trace(error)


def _quarantined(receipt: Receipt, reason: WorkerReason, where: str = "") -> Result:
    return Result(receipt.id, State.QUARANTINED, reason=reason.value, where=where[:_WHERE_LENGTH])
