"""Doing operations: batch by batch, durably, beside what arrives.

::

    operation's row (step, after) -> a batch of the source's rows -> workers -> files, then rows
           ^                                                                        |
           `--- counters, failures and place, in the transaction of the results ----'

A batch is done again after a kill until its transaction is there; what it makes is the same each time, so
nothing is there twice. What arrives goes before: operations have at most half of the workers, and pause after
each job as long as it took while instances that were received wait.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from daemon.errors import RowRefused, SpoolFull, StoreUnavailable
from daemon.healthcare import names, provenance, streams
from daemon.healthcare.batches import Made, Memory, Task
from daemon.healthcare.dicom_step import DicomStep
from daemon.healthcare.fhir_step import FhirStep, LearnStep
from daemon.healthcare.operations import CANCELLED, name_of, response_type
from daemon.healthcare.resource_steps import ExportResourcesStep, ImportResourcesStep
from daemon.healthcare.stream_steps import StreamInstances, StreamResources
from daemon.healthcare.transfer_steps import ExportStep, ImportStep
from daemon.healthcare.work import Work
from daemon.observe.traces import trace
from daemon.store.rows import StoreKind
from daemon.workers.errors import PoolClosed
from daemon.workers.reasons import WorkerReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.healthcare.batches import Batch, Item
    from daemon.pipeline.changing import ChangingWorkers
    from daemon.store.operation_rows import Operation
    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.stores import Stores
    from deid.identity.keys import SiteKey

_log = structlog.get_logger(__name__)

KEPT_S: Final = 30 * 86400.0
"""How long an operation that has ended is told of."""
_INTERNAL: Final = 13
_LOOK_S: Final = 0.5
_FORGET_S: Final = 3600.0
_AGAIN_S: Final = 1.0
_REST_S: Final = 1.0
_AFTER_BUG_S: Final = 10.0
_LONGEST_PAUSE_S: Final = 2.0
_KINDS: Final[Mapping[str, Callable[[Task], Batch]]] = {
    "dicom": DicomStep,
    "learn": LearnStep,
    "fhir": FhirStep,
    "import": ImportStep,
    "export": ExportStep,
    "import_fhir": ImportResourcesStep,
    "export_fhir": ExportResourcesStep,
    "stream_dicom": StreamInstances,
    "stream_fhir": StreamResources,
}


class Running:
    """Does every operation that has not ended.

    Parameters
    ----------
    at_once
        Jobs that workers have from all operations together.
    is_busy
        Tells whether something that was received waits for workers.
    """

    def __init__(
        self,
        stores: Stores,
        workers: ChangingWorkers,
        key: SiteKey,
        *,
        at_once: int,
        is_busy: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stores = stores
        self._database = stores.database
        self._workers = workers
        self._key = key
        self._slots = asyncio.Semaphore(at_once)
        self._is_busy = is_busy
        self._clock = clock
        self._woken = asyncio.Event()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._cancelled: dict[int, asyncio.Event] = {}
        self._memories: dict[int, Memory] = {}

    def wake(self) -> None:
        """Look for a new operation."""
        self._woken.set()

    async def run(self) -> None:
        """Work for ever; no failure of an instance, a worker or the store ends it."""
        forget_at = 0.0
        async with asyncio.TaskGroup() as group:
            while True:
                has_looked = False
                try:
                    for operation in await self._database.read(lambda s: s.operations.running()):
                        self._follow(group, operation)
                    if self._clock() >= forget_at:
                        before = self._clock() - KEPT_S
                        await self._database.write(partial(_forget, before=before))
                        forget_at = self._clock() + _FORGET_S
                    has_looked = True
                except Exception as error:  # noqa: BLE001 (the loop outlives whatever it meets)
                    _log.warning("operations_postponed", error=type(error).__name__)
                try:
                    is_idle = has_looked and not self._tasks
                    async with asyncio.timeout(None if is_idle else _LOOK_S):
                        await self._woken.wait()
                except TimeoutError:
                    pass
                self._woken.clear()

    def _follow(self, group: asyncio.TaskGroup, operation: Operation) -> None:
        """Begin an operation that is new here, and note when one shall stop."""
        number = operation.id
        if number not in self._tasks:
            self._cancelled[number] = asyncio.Event()
            self._memories[number] = Memory()
            task = group.create_task(self._do(number), name=f"operation-{number}")
            self._tasks[number] = task
            task.add_done_callback(lambda _task: self._forget(number))
        if operation.is_cancelled:
            self._cancelled[number].set()

    def _forget(self, number: int) -> None:
        del self._tasks[number], self._cancelled[number], self._memories[number]

    async def _do(self, number: int) -> None:
        while True:
            try:
                if await self._advance(number):
                    return
            except PoolClosed:
                return  # it goes on at the next start
            except Exception as error:  # noqa: BLE001 (a bug costs one operation, not the service)
                if not _is_bug(error):
                    _log.warning(
                        "operation_postponed", operation=number, error=type(error).__name__
                    )
                    await asyncio.sleep(_AGAIN_S)
                    continue
                _log.error("operation_failed", operation=number, where=trace(error))
                if not await self._is_stream(number):
                    await self._fail(number)
                    return
                # Its store's settings say that it goes on, and what comes in stays noted.
                await asyncio.sleep(_AFTER_BUG_S)

    async def _is_stream(self, number: int) -> bool:
        try:
            found = await self._database.read(lambda session: session.operations.get(number))
        except (StoreUnavailable, SpoolFull):
            return True  # not known now: what is none fails at its next attempt
        return found is not None and streams.is_stream(found)

    async def _fail(self, number: int) -> None:
        """End it, as soon as the store lets us say so."""
        while True:
            try:
                await self._database.write(
                    lambda session: self._end(
                        session,
                        number,
                        error_code=_INTERNAL,
                        error="internal error; see the service's log",
                    )
                )
            except (StoreUnavailable, SpoolFull):
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _advance(self, number: int) -> bool:
        """Do a batch; return whether the operation has ended."""
        operation = await self._database.read(lambda session: session.operations.get(number))
        if operation is None or operation.ended_at:
            return True
        if operation.is_cancelled or self._cancelled[number].is_set():
            await self._stop(number)
            return True
        work = self._memories[number].of("work", lambda: Work.from_json(operation.work))
        if operation.step >= len(work.steps):
            await self._database.write(lambda session: self._succeed(session, operation, work))
            return True
        step = work.steps[operation.step]
        places = await self._database.read(_places)
        doing = _KINDS[step.kind](
            Task(
                self._stores,
                self._workers,
                operation,
                step,
                work.deidentifier(self._key),
                places,
                work.provenance,
                self._memories[number],
            )
        )
        after, items = await doing.next_items()
        if after == operation.after and streams.is_stream(operation):
            await self._rest(number)
            return False
        if after == operation.after:
            await self._database.write(
                lambda session: session.operations.change(number, step=operation.step + 1, after=0)
            )
            return False
        made = await self._made(number, items)
        await doing.prepare(made)
        is_whole = len(made) == len(items)

        def settle(session: Session, made: Sequence[Made]) -> None:
            counted = doing.settle(session, made)
            now = session.operations.get(number)
            assert now is not None
            done = counted.success + counted.failure
            session.operations.change(
                number,
                after=after if is_whole else now.after,
                success=now.success + counted.success,
                failure=now.failure + counted.failure,
                pending=max(0, now.pending - done),
            )
            session.operations.add_failures(number, counted.failures)

        try:
            await self._database.write(partial(settle, made=made))
        except Exception as error:
            if not _is_bug(error):
                raise
            made = await self._without_bugs(number, doing, made)
            await self._database.write(partial(settle, made=made))
        await doing.clear(made)
        if not is_whole:
            await self._stop(number)
        return not is_whole

    async def _rest(self, number: int) -> None:
        """Wait until there may be something for a stream to do."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_REST_S):
                await self._cancelled[number].wait()

    async def _stop(self, number: int) -> None:
        await self._database.write(
            lambda session: self._end(
                session,
                number,
                error_code=CANCELLED,
                error="cancelled: what was done before stays, and the counters say how much that is",
            )
        )

    def _succeed(self, session: Session, operation: Operation, work: Work) -> None:
        """End it, and tell of it as a whole where somebody asked for that."""
        response = {"@type": response_type(operation.version, work.summary)}
        self._end(session, operation.id, response=json.dumps(response))
        places = _places(session)
        if (store := places.get(work.provenance)) is not None:
            destinations = [
                names.store_name(places[each.destination])
                for each in work.steps
                if each.kind == StoreKind.DICOM
            ]
            told = provenance.of_operation(
                operation, name_of(operation), destinations, work.deidentifier(self._key).name
            )
            provenance.keep(session, store, told, int(self._clock() * 1000))

    def _end(
        self,
        session: Session,
        number: int,
        *,
        error_code: int = 0,
        error: str = "",
        response: str = "",
    ) -> None:
        operation = session.operations.get(number)
        if operation is None or operation.ended_at:
            return
        session.operations.change(
            number,
            ended_at=self._clock(),
            error_code=error_code,
            error=error,
            response=response,
            # What is not done any more is not pending; nothing of a finished operation is.
            pending=operation.pending if error_code else 0,
            work=Work.over(operation.work),
        )
        _log.info("operation_ended", operation=number, count=operation.success)

    async def _without_bugs(self, number: int, doing: Batch, made: Sequence[Made]) -> list[Made]:
        """Return what was made, without results that cannot be made visible because of a bug of ours."""

        def attempt(session: Session, each: Made) -> None:
            doing.settle(session, [each])
            raise _Undone

        found = []
        for each in made:
            try:
                await self._database.write(partial(attempt, each=each))
            except _Undone:
                found.append(each)
            except Exception as error:
                if not _is_bug(error):
                    raise
                failed = _failed(number, each.number, error)
                # What is said of its output is what has to be cleared away.
                found.append(replace(failed, output=each.output, receipt_id=each.receipt_id))
        return found

    async def _made(self, number: int, items: Sequence[Item]) -> list[Made]:
        """Have workers do the items; when the operation is cancelled, return what was made until then."""
        tasks = [asyncio.create_task(self._in_a_slot(number, each)) for each in items]
        cancelled = asyncio.create_task(self._cancelled[number].wait())
        waiting: set[asyncio.Task[Made]] = set(tasks)
        try:
            while waiting and not cancelled.done():
                done, _ = await asyncio.wait(
                    {*waiting, cancelled}, return_when=asyncio.FIRST_COMPLETED
                )
                waiting -= done
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        finally:
            for each in (*tasks, cancelled):
                each.cancel()
        return [task.result() for task in tasks if task.done() and not task.cancelled()]

    async def _in_a_slot(self, number: int, item: Item) -> Made:
        async with self._slots:
            began = time.monotonic()
            try:
                made = await item.do()
            except Exception as error:
                if not _is_bug(error):
                    raise
                made = _failed(number, item.number, error)
            if self._is_busy():
                await asyncio.sleep(min(time.monotonic() - began, _LONGEST_PAUSE_S))
            return made


def _is_bug(error: Exception) -> bool:
    """Tell whether an error is a bug of ours: what is none passes, and says nothing of the item in hand."""
    passes = isinstance(error, PoolClosed | StoreUnavailable | SpoolFull)
    return isinstance(error, RowRefused) or not passes


class _Undone(Exception):
    """What was tried is not to be kept."""


def _failed(operation: int, number: int, error: Exception) -> Made:
    """Return what became of an item in which a bug of ours came up, and tell where."""
    where = trace(error)
    _log.error("operation_item_failed", operation=operation, where=where)
    return Made(number, reason=WorkerReason.INTERNAL_ERROR.value, where=where)


def _forget(session: Session, before: float) -> None:
    session.operations.forget_ended_before(before)


def _places(session: Session) -> dict[int, Store]:
    return {each.id: each for each in session.stores.all()}
