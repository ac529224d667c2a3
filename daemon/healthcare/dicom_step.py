"""Instances of an operation: from one DICOM store into another."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare import provenance, refusals, streams
from daemon.healthcare.batches import Counted, Item, Made, insisting
from daemon.healthcare.instance_pages import next_wanted
from daemon.healthcare.names import is_trial
from daemon.healthcare.operations import name_of
from daemon.records import Job, Origin, Receiver, Result, State
from daemon.store.blobs import Move
from daemon.store.files.folders import refusal
from daemon.store.operation_rows import Failure
from daemon.store.settling import BLOB_MISSING, CONFLICT, output_blob
from daemon.workers.reasons import WorkerReason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daemon.healthcare.batches import Task
    from daemon.records import Known, Question
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance

_ID_LENGTH: Final = 32
_ORIGIN: Final = Origin(Receiver.RECOVERED)
"""No route is asked, so nobody has to know where an instance came from."""


class DicomStep:
    """Implements `daemon.healthcare.batches.Batch`."""

    def __init__(self, task: Task) -> None:
        self.stores = task.stores
        self._workers = task.workers
        self.operation = task.operation
        self.step = task.step
        self.own = task.own
        self.source = task.source
        self.destination = task.destination
        self._provenance = task.places.get(task.provenance)
        self.originals: dict[int, IndexedInstance] = {}
        self._unneeded: list[str] = []

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return the next instances that are wanted."""
        after = self.operation.after
        last, wanted = await next_wanted(self.stores, self.source, self.step, after)
        self.originals = {each.id: each for each in wanted}
        return last, [Item(each.id, partial(self.deidentify, each)) for each in wanted]

    async def deidentify(self, instance: IndexedInstance) -> Made:
        """Return what a worker makes of an instance, or why it makes nothing."""
        blob = self.stores.stores.blobs_of(self.source).local_path(instance.blob)
        if blob is None or not await asyncio.to_thread(blob.is_file):
            return Made(instance.id, reason=BLOB_MISSING)
        job = Job(self._id(instance.id), _ORIGIN, blob, self._file(instance.id))
        asked = asyncio.ensure_future(
            insisting(
                lambda: self._workers.process(job, instance.size, own=self.own, known=self._known)
            )
        )
        try:
            found = await asyncio.shield(asked)
        except asyncio.CancelledError:
            # The worker is not disturbed; what it then leaves is taken by nobody.
            asked.add_done_callback(partial(_drop, job.output))
            raise
        if isinstance(found, WorkerReason):
            return Made(instance.id, reason=found.value)
        return _made(instance, found)

    async def _known(self, question: Question) -> Known:
        return await self.stores.known_in(self.source, question)

    def _id(self, number: int) -> str:
        """Return what stands for a receipt's id in names of files: the same whenever the batch is done."""
        # A hash, as its first characters are the folders that files are spread over.
        text = f"operation {self.operation.id} {number}"
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]

    def _file(self, number: int) -> Path:
        return self.stores.layout.work / f"{self._id(number)}.out"

    def _blob(self, made: Made) -> str:
        assert made.output is not None
        return output_blob(self._id(made.number), made.output.instance)

    async def prepare(self, made: Sequence[Made]) -> None:
        """Move outputs into the destination, durably."""
        blobs = self.stores.stores.blobs_of(self.destination)
        moves = [Move(self._file(each.number), self._blob(each)) for each in made if each.output]
        try:
            await asyncio.to_thread(blobs.take, moves, flush=True)
        except OSError as error:
            raise refusal(error) from error

    def settle(self, session: Session, made: Sequence[Made]) -> Counted:
        """Make outputs visible; one that is there already is no second one, and what failed is quarantined."""
        counted, now = Counted(), time.time()
        self._unneeded = []
        for each in made:
            reason = each.reason or self._show(session, each)
            if each.reason and each.output is not None:
                self._forgo(session, each.output.instance.sop_instance_uid, self._blob(each))
            if reason:
                failure = Failure(self.source.id, each.number, reason, each.where)
                counted.failures.append(failure)
                if is_trial(self.destination):
                    continue  # a trial asks nobody for a decision
                refusals.refuse(
                    session,
                    self.originals[each.number],
                    self.destination,
                    replace(each, reason=reason),
                    operation=self.operation.id,
                    deidentifier=self.own.name,
                    now=now,
                )
            else:
                counted.success += 1
                if is_trial(self.destination) and each.output is not None:
                    uid = each.output.instance.sop_instance_uid
                    session.operations.set_outcome(self.destination, uid, each.outcome)
                self._tell(session, each, now)
                refusals.settle(session, self.source, self.destination, each.number, now)
        return counted

    def _show(self, session: Session, made: Made) -> str:
        """Return why an output cannot be shown, or nothing."""
        assert made.output is not None
        instance, blob = made.output.instance, self._blob(made)
        earlier = session.instances.find(self.destination, instance.sop_instance_uid)
        if earlier is None:
            session.instances.add(
                self.destination,
                instance,
                blob=blob,
                receipt_id=made.receipt_id,
                deidentifier=self.own.name,
            )
            streams.note_instance(session, self.destination, instance.sop_instance_uid)
            return ""
        if earlier.blob != blob:
            self._unneeded.append(blob)
        is_same = (earlier.study_uid, earlier.series_uid, earlier.dataset_digest) == (
            instance.study_uid,
            instance.series_uid,
            instance.dataset_digest,
        )
        return "" if is_same else CONFLICT

    def _forgo(self, session: Session, sop_instance_uid: str, blob: str) -> None:
        """Let go of the file of an output that cannot be shown."""
        shown = session.instances.find(self.destination, sop_instance_uid)
        if shown is None or shown.blob != blob:
            self._unneeded.append(blob)

    def _tell(self, session: Session, made: Made, now: float) -> None:
        """Say what was done to an instance, where somebody asked for that."""
        if self._provenance is None:
            return
        assert made.output is not None
        instance = made.output.instance
        told = provenance.of_instance(
            self.operation,
            name_of(self.operation),
            made.number,
            (instance.study_uid, instance.series_uid, instance.sop_instance_uid),
            self.own.name,
            made.outcome,
        )
        provenance.keep(session, self._provenance, told, int(now * 1000))

    async def clear(self, made: Sequence[Made]) -> None:
        """Remove blobs that no row needs, and what workers left of instances that failed."""

        def remove() -> None:
            self.stores.stores.blobs_of(self.destination).remove(self._unneeded)
            for each in made:
                self._file(each.number).unlink(missing_ok=True)

        try:
            await asyncio.to_thread(remove)
        except OSError as error:
            raise refusal(error) from error


def _made(instance: IndexedInstance, found: Result) -> Made:
    if found.state is State.STORED and found.outputs:
        return Made(instance.id, instance.receipt_id, found.outputs[0], found.outcome)
    return Made(instance.id, reason=found.reason or found.state.value, where=found.where)


def _drop(file: Path, asked: asyncio.Future[Any]) -> None:
    if not asked.cancelled():
        asked.exception()  # it says nothing to anybody any more
    with suppress(OSError):  # the next start clears what is left
        file.unlink()
