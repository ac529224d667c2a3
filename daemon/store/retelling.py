"""The loop that finds out what resources belong to, has workers de-identify them, and shows the results.

::

    resources stored, instances settled -> look (ties, what is news) -> due -> workers -> settle
                                             ^                            |- killed: later, or quarantine
                                             `--- more is marked ---------'

What was not finished when the service ended is still marked, or ready, at the next start; every step can be
repeated with the same result. Instances that were under way when something new became known of their people are
made again: what they were cleaned of is remembered until they are settled.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import structlog

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.observe.traces import trace
from daemon.records import State
from daemon.resources import Retold
from daemon.store import redo
from daemon.store.associating import Associating, job_of
from daemon.store.queries import Changed
from daemon.store.sidecars import Sidecars
from daemon.workers.errors import PoolClosed, WorkerKilled
from daemon.workers.reasons import WorkerReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from daemon.records import Result, StoredInstance
    from daemon.resources import ToRetell
    from daemon.store.associating import Association, Looked
    from daemon.store.ports import Database, Session
    from daemon.store.sidecar_rows import SidecarRow
    from daemon.store.store_set import StoreSet

_log = structlog.get_logger(__name__)

_IDLE_S: Final = 5.0
_GATHER_S: Final = 0.05
_AT_ONCE: Final = 32
_AFTER_KILL_S: Final = 2.0
_MOST_ANSWERED: Final = 100_000
_PASSING: Final = (StoreUnavailable, SpoolFull)


class Retelling:
    """See above.

    Parameters
    ----------
    retell
        Has a worker de-identify a resource (`daemon.pipeline.instance_workers.InstanceWorkers.retell`).
    association
        What a site decided, as it is now.
    redone
        Called when instances were put back to be made again.
    """

    def __init__(
        self,
        stores: StoreSet,
        database: Database,
        *,
        retell: Callable[[ToRetell], Awaitable[Retold]],
        association: Callable[[], Association],
        max_kills: int = 3,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stores = stores
        self._database = database
        self._retell = retell
        self._association = association
        self._max_kills = max_kills
        self._clock = clock
        self._sidecars = Sidecars(stores)
        self._woken = asyncio.Event()
        self._arrived: deque[tuple[str, StoredInstance]] = deque()
        self._answered: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._news = 0
        self._is_used = True
        self._is_idle = False
        self._is_to_begin = True

    @property
    def is_idle(self) -> bool:
        """Whether everything that it was told of has been looked at and is settled, or waits for something."""
        return self._is_idle and not self._arrived and not self._woken.is_set()

    def wake(self) -> None:
        """Look at what has changed."""
        self._is_used = True
        self._woken.set()

    def look_at_all(self) -> None:
        """Look at every resource: what they are made of, or tied by, may have changed with the settings."""
        self._is_to_begin = True
        self.wake()

    def note_answered(self, receipt_id: str) -> None:
        """Remember that a worker was told what is known now, for an instance that it is about to clean."""
        # Also while there is no resource: the first may come before this instance is settled.
        if len(self._answered) < _MOST_ANSWERED:
            self._answered[receipt_id] = self._news

    def note_settled(self, results: Sequence[Result]) -> None:
        """Take note of instances that were settled."""
        if any(result.sidecar is not None for result in results):
            self.wake()
        for result in results:
            if self._is_used and result.source is not None and result.state is State.STORED:
                self._arrived.append((result.receipt_id, result.source))
            else:
                self._answered.pop(result.receipt_id, None)
        if self._arrived:
            self._woken.set()

    async def run(self) -> None:
        """Work for ever; no failure of a resource, a worker or the store ends it."""
        while True:
            if self._is_to_begin:
                await self._insist(self._begin)
            is_more = await self._insist(self._step)
            if is_more:
                continue
            self._is_idle = True
            try:
                async with asyncio.timeout(_IDLE_S):
                    await self._woken.wait()
                # What comes together is looked at together.
                await asyncio.sleep(_GATHER_S)
            except TimeoutError:
                pass
            self._is_idle = False
            self._woken.clear()

    async def _insist(self, step: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await step()
        except PoolClosed:
            return False
        except _PASSING as error:
            _log.warning("resources_postponed", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 (the loop outlives whatever it meets)
            _log.error("resources_failed", where=trace(error))
        await asyncio.sleep(1.0)
        return False

    async def _begin(self) -> bool:
        """Let everything be looked at once: what was told by word of mouth before a kill is lost."""
        source = self._stores.fhir_source

        def begin(session: Session) -> bool:
            session.sidecars.mark_all(source)
            return not session.sidecars.is_empty(source)

        self._is_to_begin = False
        try:
            self._is_used = await self._database.write(begin)
        except BaseException:
            self._is_to_begin = True
            raise
        return self._is_used

    async def _step(self) -> bool:
        if not self._is_used:
            self._arrived.clear()
            return False
        arrived = [self._arrived.popleft() for _ in range(min(len(self._arrived), 500))]
        associating = Associating(self._stores, self._association())
        now = self._clock()
        try:
            looked = await self._database.write(
                functools.partial(self._look, associating, arrived, now)
            )
        except BaseException:
            self._arrived.extendleft(reversed(arrived))
            raise
        for receipt_id, _ in arrived:
            self._answered.pop(receipt_id, None)
        if looked.told_studies:
            self._news += 1
            told = looked.told_studies | looked.told_patients
            self._told |= dict.fromkeys(told, self._news)
            _log.info("studies_told_anew", count=len(looked.told_studies), instances=looked.redone)
        is_more = await self._work(now)
        return looked.is_more or is_more or bool(self._arrived)

    def _look(
        self,
        associating: Associating,
        arrived: Sequence[tuple[str, StoredInstance]],
        now: float,
        session: Session,
    ) -> Looked:
        late = [
            receipt_id
            for receipt_id, instance in arrived
            if receipt_id in self._answered and self._told_at(instance) > self._answered[receipt_id]
        ]
        if late:
            redo.redo_within(session, late, now, Changed())
        for _, instance in arrived:
            associating.mark_arrived(session, instance)
        looked = associating.look(session, now)
        if not looked.is_more:
            associating.give_up(session, now)
        return looked

    def _told_at(self, instance: StoredInstance) -> int:
        return max(self._told.get(each, -1) for each in (instance.study_uid, instance.patient))

    async def _work(self, now: float) -> bool:
        """De-identify what is ready; return whether there may be more."""

        def due(session: Session) -> list[tuple[SidecarRow, ToRetell]]:
            rows = session.sidecars.due(self._stores.fhir_source, now, _AT_ONCE)
            return [
                (row, job_of(session, self._stores, row, row.wanted.split()[1:])) for row in rows
            ]

        jobs = await self._database.read(due)
        if not jobs:
            return False
        answers = await asyncio.gather(*(self._answer(row, job) for row, job in jobs))
        retold = [each for each in answers if each is not None]
        now = self._clock()

        def settle(session: Session) -> None:
            for each in retold:
                self._sidecars.settle(session, each, now)

        await self._database.write(settle)
        return True

    async def _answer(self, row: SidecarRow, job: ToRetell) -> Retold | None:
        try:
            return await self._retell(job)
        except WorkerKilled as killed:
            return await self._after_kill(row, job, killed.reason)
        except (*_PASSING, PoolClosed):
            raise
        except Exception as error:  # noqa: BLE001 (a bug costs one resource, not the loop)
            _log.error("resource_failed", where=trace(error))
            reason = WorkerReason.INTERNAL_ERROR.value
            return Retold(job.number, job.wanted, reason=reason, where=trace(error)[:500])

    async def _after_kill(
        self, row: SidecarRow, job: ToRetell, reason: WorkerReason
    ) -> Retold | None:
        """Return a result when it was the last time, or let the resource wait."""
        kills = row.kills + 1
        _log.warning("worker_killed", reason=reason.value, attempts=kills)
        if kills >= self._max_kills:
            return Retold(job.number, job.wanted, reason=reason.value)
        not_before = self._clock() + kills * _AFTER_KILL_S
        await self._database.write(
            lambda session: session.sidecars.change(row.number, kills=kills, not_before=not_before)
        )
        return None
