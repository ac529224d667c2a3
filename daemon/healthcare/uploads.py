"""Instances sent to a store that no route reads: kept as they are, durable before they are acknowledged.

::

    STOW-RS -> a file of ours (gate as everywhere) -> a worker describes it -> blob, then row -> acknowledged

There is nothing to wait for afterwards: what is acknowledged is found at once. A row among the receipts says
that it came; the pipeline has nothing to do with it.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from daemon.errors import StoreUnavailable
from daemon.healthcare import streams
from daemon.healthcare.batches import insisting
from daemon.receive.stow import SpoolUpload
from daemon.records import Job, Origin, Receipt, Receiver, State
from daemon.store.blobs import Move
from daemon.store.files.folders import refusal
from daemon.store.rows import Garbage, Place
from daemon.store.settling import BLOB_MISSING, CONFLICT
from daemon.store.visibility import hide
from daemon.store.whole import to_its_end
from daemon.workers.errors import PoolClosed
from daemon.workers.reasons import WorkerReason
from deid.errors import Reason
from dicomweb.errors import InstanceRefused, StoreFull

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.pipeline.changing import ChangingWorkers
    from daemon.receive.stow import StowEvents
    from daemon.records import StoredInstance
    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.stores import Stores

_PROCESSING_FAILURE: Final = 0x0110
_CANNOT_UNDERSTAND: Final = 0xC000


class UploadRefused(InstanceRefused):
    """An instance that came whole and cannot be kept.

    Attributes
    ----------
    reason
        Its code, as quarantine has it.
    """

    def __init__(
        self, reason: str, failure_reason: int, instance: StoredInstance | None = None, *, why: str
    ) -> None:
        super().__init__(
            failure_reason,
            sop_class_uid="" if instance is None else instance.sop_class_uid,
            sop_instance_uid="" if instance is None else instance.sop_instance_uid,
            why=why,
        )
        self.reason = reason


class StoreUploads:
    """Implements `dicomweb.ports.UploadSink` over a store of any dataset."""

    def __init__(
        self, store: Store, stores: Stores, workers: ChangingWorkers, events: StowEvents
    ) -> None:
        self._store = store
        self._stores = stores
        self._workers = workers
        self._events = events

    def open(self, peer: str) -> SpoolUpload:
        """Start receiving an instance; raises `StoreFull`."""
        try:
            file = _StagedFile(self._store, self._stores, self._workers, peer)
        except OSError as error:
            self._events.instance_refused("spool_full")
            raise StoreFull("no room now; send it again later") from error
        return SpoolUpload(file, self._events)


class _StagedFile:
    """Implements `daemon.ports.SpoolFile`."""

    def __init__(self, store: Store, stores: Stores, workers: ChangingWorkers, peer: str) -> None:
        self._store = store
        self._stores = stores
        self._workers = workers
        self._peer = peer
        self._id = uuid4().hex
        self._path: Path = stores.layout.work / f"{self._id}.up"
        self._size = 0
        self._descriptor = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises `SpoolFull`."""
        view = memoryview(data)
        try:
            while view:
                written = os.write(self._descriptor, view)
                self._size += written
                view = view[written:]
        except OSError as error:
            raise refusal(error) from error

    async def commit(self) -> Receipt:
        """Make it durable and visible; raises `InstanceRefused` when it cannot be kept."""
        self._close()
        origin = Origin(Receiver.STOW, peer=self._peer)
        job = Job(self._id, origin, self._path, self._path.with_suffix(".out"))
        try:
            try:
                described = await insisting(lambda: self._workers.describe(job, self._size))
            except PoolClosed as error:
                raise StoreUnavailable("worker") from error
            if described is None:
                raise UploadRefused(
                    Reason.NOT_DICOM.value, _CANNOT_UNDERSTAND, why="it cannot be read"
                )
            if isinstance(described, WorkerReason):
                raise UploadRefused(
                    described.value, _PROCESSING_FAILURE, why="no worker could read it"
                )
            receipt = Receipt(self._id, origin, time.time(), self._size, State.STORED)
            # Between blob and row, the bytes of a client that leaves would be left for ever.
            await to_its_end(self._keep(receipt, described))
        finally:
            self._path.unlink(missing_ok=True)
        return receipt

    async def _keep(self, receipt: Receipt, instance: StoredInstance) -> None:
        if await self._stores.database.read(lambda session: self._is_there(session, instance)):
            return
        blobs = self._stores.stores.blobs_of(self._store)
        try:
            await asyncio.to_thread(blobs.take, [Move(self._path, self._id)], flush=True)
        except OSError as error:
            raise refusal(error) from error
        try:
            is_kept = await self._stores.database.write(
                lambda session: self._show(session, receipt, instance)
            )
        except InstanceRefused:  # whatever else may still have been done
            await asyncio.to_thread(blobs.remove, [self._id])
            raise
        if not is_kept:
            await asyncio.to_thread(blobs.remove, [self._id])

    def _is_there(self, session: Session, instance: StoredInstance) -> bool:
        """Tell whether the same instance is there, whole; raises `InstanceRefused` of another by its UID."""
        found = session.instances.find(self._store, instance.sop_instance_uid)
        if found is None:
            return False
        if found.dataset_digest == instance.dataset_digest:
            return self._stores.stores.blobs_of(self._store).size(found.blob) == found.size
        raise UploadRefused(
            CONFLICT,
            _PROCESSING_FAILURE,
            instance,
            why="another instance with this UID already exists",
        )

    def _show(self, session: Session, receipt: Receipt, instance: StoredInstance) -> bool:
        store = self._store
        if session.stores.find(store.dataset, store.kind, store.name) != store:
            raise UploadRefused(
                BLOB_MISSING, _PROCESSING_FAILURE, why="the store was deleted meanwhile"
            )
        if self._is_there(session, instance):
            return False
        lost = session.instances.find(store, instance.sop_instance_uid)
        if lost is not None:  # a row alone, or a part of its file
            hide(session, self._stores.stores, lost)
            session.garbage.add(Garbage(store.id, lost.blob))
        session.receipts.insert(receipt)
        # Its bytes are in a store that neither the pipeline nor retention looks after.
        session.receipts.change(receipt.id, place=Place.GONE)
        session.instances.add(
            self._store,
            replace(instance, blob=receipt.id),
            blob=receipt.id,
            receipt_id=receipt.id,
        )
        session.identifiers.add(
            self._store, instance.study_uid, instance.patient, instance.identifiers
        )
        if not instance.patient:
            session.identifiers.note_unnamed(self._store, instance.study_uid)
        streams.note_instance(session, self._store, instance.sop_instance_uid)
        return True

    def abort(self) -> None:
        """Forget it."""
        self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
