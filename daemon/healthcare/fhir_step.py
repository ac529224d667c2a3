"""Resources of an operation: from one FHIR store into another. Only their latest versions."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from daemon.fhir.representation import resource as represented
from daemon.healthcare.batches import BATCH, Counted, Made, insisting
from daemon.resources import Method, ToRetell
from daemon.store.operation_rows import Failure
from daemon.workers.reasons import WorkerReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from daemon.healthcare.work import Step
    from daemon.pipeline.changing import ChangingWorkers
    from daemon.records import OwnDeidentifier
    from daemon.resources import ResourceVersion
    from daemon.store.operation_rows import Operation
    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.stores import Stores

_PATIENT: Final = re.compile(rb'"reference"\s*:\s*"Patient/([A-Za-z0-9.-]{1,64})')
_MOST_PATIENTS: Final = 32


class FhirStep:
    """Implements `daemon.healthcare.batches.Batch`."""

    def __init__(
        self,
        stores: Stores,
        workers: ChangingWorkers,
        operation: Operation,
        step: Step,
        own: OwnDeidentifier,
        source: Store,
        destination: Store,
    ) -> None:
        self._database = stores.database
        self._workers = workers
        self._operation = operation
        self._step = step
        self._own = own
        self._source = source
        self._destination = destination

    async def next_jobs(self) -> tuple[int, Sequence[Callable[[], Awaitable[Made]]]]:
        """Return the next resources that are wanted, as jobs."""
        after, last = self._operation.after, self._step.last

        def read(session: Session) -> list[tuple[ResourceVersion, list[bytes]]]:
            page = session.resources.page(self._source, after, BATCH)
            return [(each, self._patients(session, each)) for each in page if each.number <= last]

        page = await self._database.read(read)
        wanted = [each for each in page if self._is_wanted(each[0])]
        following = page[-1][0].number if page else after
        return following, [partial(self._deidentify, *each) for each in wanted]

    def _is_wanted(self, version: ResourceVersion) -> bool:
        since = self._step.unchanged_since_ms
        if since and version.updated_ms > since:
            return False
        only = self._step.only
        return only is None or f"{version.type}/{version.id}" in only

    def _patients(self, session: Session, version: ResourceVersion) -> list[bytes]:
        """Return the patients that a resource refers to: they tell whose it is."""
        ids = dict.fromkeys(_PATIENT.findall(version.rest))
        found = (
            session.resources.get(self._source, "Patient", each.decode())
            for each in list(ids)[:_MOST_PATIENTS]
        )
        return [
            represented(each)
            for each in found
            if each is not None and not each.is_deleted and each.number != version.number
        ]

    async def _deidentify(self, version: ResourceVersion, around: Sequence[bytes]) -> Made:
        job = ToRetell(
            version.number,
            "operation",
            (self._own.name,),
            "",
            (),
            (),
            tuple(around),
            represented(version),
        )
        found = await insisting(lambda: self._workers.retell(job, own=self._own))
        if isinstance(found, WorkerReason):
            return Made(version.number, reason=found.value)
        if found.reason:
            return Made(version.number, reason=found.reason, where=found.where)
        return Made(version.number, resource=found.outputs[0])

    async def prepare(self, made: Sequence[Made]) -> None:
        """Do nothing: resources lie in rows."""

    def settle(self, session: Session, made: Sequence[Made]) -> Counted:
        """Make results visible; one that says what is there already is no new version."""
        counted = Counted()
        now_ms = int(time.time() * 1000)
        for each in made:
            if each.resource is None:
                failure = Failure(self._source.id, each.number, each.reason, each.where)
                counted.failures.append(failure)
                continue
            counted.success += 1
            content = each.resource.content
            latest = session.resources.get(self._destination, content.type, each.resource.id)
            is_same = latest is not None and not latest.is_deleted
            if (
                latest is not None
                and is_same
                and (latest.meta, latest.rest) == (content.meta, content.rest)
            ):
                continue
            session.resources.add_version(
                self._destination,
                each.resource.id,
                content,
                method=Method.UPDATE,
                now_ms=now_ms,
                deidentifier=self._own.name,
            )
        return counted

    async def clear(self, made: Sequence[Made]) -> None:
        """Do nothing: there are no files."""
