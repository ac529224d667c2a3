"""Resources of an operation: from one FHIR store into another. Only their latest versions."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from daemon.fhir.representation import resource as represented
from daemon.healthcare import streams
from daemon.healthcare.batches import BATCH, Counted, Item, Made, insisting
from daemon.healthcare.tying import Tying
from daemon.pipeline.ties import CONFLICTING_TIES, Tied
from daemon.resources import Method, ToRetell
from daemon.store.operation_rows import Failure
from daemon.workers.reasons import WorkerReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.healthcare.batches import Task
    from daemon.healthcare.tying import Found
    from daemon.resources import ResourceVersion, RetoldResource
    from daemon.store.ports import Session
    from daemon.store.rows import Store

_PATIENT: Final = re.compile(rb'"reference"\s*:\s*"Patient/([A-Za-z0-9.-]{1,64})')
_MOST_PATIENTS: Final = 32


class FhirStep:
    """Implements `daemon.healthcare.batches.Batch`."""

    def __init__(self, task: Task) -> None:
        self.database = task.stores.database
        self.operation = task.operation
        self.step = task.step
        self.own = task.own
        self.source = task.source
        self.destination = task.destination
        self._workers = task.workers
        self._tying = tying_of(task)
        self._memory = task.memory

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return the next resources that are wanted."""
        after, last = self.operation.after, self.step.last

        def read(session: Session) -> list[tuple[ResourceVersion, list[bytes]]]:
            page = session.resources.page(self.source, after, BATCH)
            return [(each, self.patients(session, each)) for each in page if each.number <= last]

        page = await self.database.read(read)
        wanted = [each for each in page if self.is_wanted(each[0])]
        following = page[-1][0].number if page else after
        return following, [Item(each[0].number, partial(self.deidentify, *each)) for each in wanted]

    def is_wanted(self, version: ResourceVersion) -> bool:
        """Tell whether the request meant a resource."""
        since = self.step.unchanged_since_ms
        if since and version.updated_ms > since:
            return False
        only = self.step.chosen
        return only is None or f"{version.type}/{version.id}" in only

    def patients(self, session: Session, version: ResourceVersion) -> list[bytes]:
        """Return the patients that a resource refers to: they tell whose it is."""
        ids = dict.fromkeys(_PATIENT.findall(version.rest))
        found = (
            session.resources.get(self.source, "Patient", each.decode())
            for each in list(ids)[:_MOST_PATIENTS]
        )
        return [
            represented(each)
            for each in found
            if each is not None and not each.is_deleted and each.number != version.number
        ]

    async def deidentify(self, version: ResourceVersion, around: Sequence[bytes]) -> Made:
        """Return what a worker makes of a resource, or why it makes nothing."""
        job = ToRetell(
            version.number,
            "operation",
            (self.own.name,),
            "",
            (),
            (),
            tuple(around),
            represented(version),
        )
        if self._tying is not None:
            beside = await self._tying.of(version)
            if beside.is_contradictory(version.number):
                return Made(version.number, reason=CONFLICTING_TIES, where=version.type)
            told = await self._with_studies(job, beside)
            if told is None:
                reason = WorkerReason.TOO_MANY_IDENTIFIERS.value
                return Made(version.number, reason=reason, where=version.type)
            job = told
        found = await insisting(lambda: self._workers.retell(job, own=self.own))
        if isinstance(found, WorkerReason):
            return Made(version.number, reason=found.value)
        if found.reason:
            return Made(version.number, reason=found.reason, where=found.where)
        return Made(version.number, resource=found.outputs[0])

    async def _with_studies(self, job: ToRetell, beside: Found) -> ToRetell | None:
        """Return the job with what the studies of its resource tell: who the patient is, and of whom else.

        None when that is more than a job may carry.
        """
        tied, read = beside.tied.get(job.number), beside.read.get(job.number)
        if not isinstance(tied, Tied) or read is None:
            return job
        key = ("known", tied.studies, tied.patient)
        known = self._memory.get(key)
        if known is None:
            known = await self.database.read(lambda session: beside.known(session, job.number))
            self._memory.put(key, known)
        if known.is_cut:
            return None
        own = read.ties.addresses if read.content.type == "Patient" else ()
        addresses = tuple(dict.fromkeys([*own, *read.ties.patients])) if tied.patient else ()
        return replace(
            job, patient=tied.patient, addresses=addresses, known=known.identifiers, around=()
        )

    async def prepare(self, made: Sequence[Made]) -> None:
        """Do nothing: resources lie in rows."""

    def settle(self, session: Session, made: Sequence[Made]) -> Counted:
        """Make results visible; one that says what is there already is no new version."""
        counted = Counted()
        now_ms = int(time.time() * 1000)
        for each in made:
            if each.resource is None:
                failure = Failure(self.source.id, each.number, each.reason, each.where)
                counted.failures.append(failure)
                continue
            counted.success += 1
            keep(session, self.destination, each.resource, self.own.name, now_ms)
        return counted

    async def clear(self, made: Sequence[Made]) -> None:
        """Do nothing: there are no files."""


class LearnStep:
    """Tells the DICOM stores beside what resources say of people. Implements `daemon.healthcare.batches.Batch`.

    Nothing of it is counted: it is done before the instances, which are cleaned of what it finds.
    """

    def __init__(self, task: Task) -> None:
        self._database = task.stores.database
        self._operation = task.operation
        self._step = task.step
        self._source = task.source
        self._tying = tying_of(task)
        self._found: dict[int, Found] = {}

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return the next resources."""
        after, last = self._operation.after, self._step.last
        page = await self._database.read(
            lambda session: session.resources.page(self._source, after, BATCH)
        )
        items = [
            Item(each.number, partial(self._look, each)) for each in page if each.number <= last
        ]
        return page[-1].number if page else after, items

    async def _look(self, version: ResourceVersion) -> Made:
        assert self._tying is not None
        self._found[version.number] = await self._tying.of(version)
        return Made(version.number)

    async def prepare(self, made: Sequence[Made]) -> None:
        """Do nothing: there are no files."""

    def settle(self, session: Session, made: Sequence[Made]) -> Counted:
        """Remember what was told."""
        for each in made:
            if not each.reason:
                self._found[each.number].tell(session)
        return Counted()

    async def clear(self, made: Sequence[Made]) -> None:
        """Do nothing: there are no files."""


def tying_of(task: Task) -> Tying | None:
    """Return what ties the resources of a step to studies; None when no DICOM store is beside."""
    if not task.step.beside:
        return None
    beside = [task.places[each] for each in task.step.beside if each in task.places]
    return Tying(task.stores.database, task.workers, task.source, beside, task.own, task.memory)


def keep(
    session: Session, store: Store, resource: RetoldResource, deidentifier: str, now_ms: int
) -> None:
    """Make a result visible; one that says what is there already is no new version."""
    content = resource.content
    latest = session.resources.get(store, content.type, resource.id)
    said = None if latest is None or latest.is_deleted else (latest.meta, latest.rest)
    if said == (content.meta, content.rest):
        return
    version = session.resources.add_version(
        store,
        resource.id,
        content,
        method=Method.UPDATE,
        now_ms=now_ms,
        deidentifier=deidentifier,
    )
    streams.note_resource(session, store, version)
