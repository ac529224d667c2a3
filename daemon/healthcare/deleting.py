"""Deleting studies, series and instances of a store.

In the store that instances are received into, the received bytes go, as they do when retention ends; what was
made of them stays. In the store of results a result goes, and its receipt is discarded: nothing makes it again.
"""

from __future__ import annotations

import json
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from daemon.healthcare import names
from daemon.healthcare.datasets import method_name
from daemon.healthcare.errors import FailedPrecondition, NotFound
from daemon.healthcare.operations import name_of
from daemon.pipeline.states import WAITING
from daemon.records import State
from daemon.store.rows import Garbage, Place, Role, StoreKind
from daemon.store.settling import READ_GRACE_S
from daemon.store.visibility import delete
from dicomweb.ports import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.healthcare.calls import Answer, Call, Handlers
    from daemon.store.ports import Session
    from daemon.store.rows import Entry, IndexedInstance, Store
    from daemon.store.stores import Stores

DELETED: Final = "deleted"
_PREFIX: Final = "projects.locations.datasets.dicomStores.studies."
_UID: Final = re.compile(r"[0-9.]{1,64}")
_BATCH: Final = 200
_EMPTY: Final = {"@type": "type.googleapis.com/google.protobuf.Empty"}


class Deleting:
    """Answers the methods that delete what a DICOM store holds."""

    def __init__(self, stores: Stores, clock: Callable[[], float] = time.time) -> None:
        self._stores = stores
        self._database = stores.database
        self._clock = clock

    @property
    def handlers(self) -> Handlers:
        """Who answers which method."""
        return {
            f"{_PREFIX}delete": self._study_or_series,
            f"{_PREFIX}series.delete": self._study_or_series,
            f"{_PREFIX}series.instances.delete": self._instance,
        }

    async def _instance(self, call: Call) -> Answer:
        await self._delete(call)
        return {}

    async def _study_or_series(self, call: Call) -> Answer:
        """Delete all of it, and answer with an operation that has ended."""
        count = await self._delete(call)
        now = self._clock()

        def add(session: Session) -> str:
            operation = session.operations.add(
                names.row_name(call.dataset),
                call.version,
                method_name(call.version, "dicom.DicomService.DeleteDicomObjects"),
                created_at=now,
                work="{}",
                pending=0,
            )
            session.operations.change(
                operation.id, ended_at=now, success=count, response=json.dumps(_EMPTY)
            )
            return name_of(operation)

        return {"name": await self._database.write(add)}

    async def _delete(self, call: Call) -> int:
        uids = call.path[4:]
        if not all(_UID.fullmatch(each) for each in uids):
            raise NotFound("there is no such study, series or instance")
        resource = Resource(*uids)
        name = f"{call.dataset}/dicomStores/{call.path[3]}"

        def read(session: Session) -> tuple[Store, list[str]]:
            store = names.existing_store(session, name, StoreKind.DICOM)
            found = [each.sop_instance_uid for each in session.instances.locate(store, resource)]
            if names.is_configured(store):
                # All or nothing: what is deleted is deleted batch by batch.
                for each in filter(None, (session.instances.find(store, uid) for uid in found)):
                    _refuse_waiting(session.receipts.get(each.receipt_id))
            return store, found

        store, found = await self._database.read(read)
        if not found:
            raise NotFound("there is no such study, series or instance")
        for start in range(0, len(found), _BATCH):
            batch = found[start : start + _BATCH]
            await self._database.write(partial(self._delete_batch, store=store, sop_uids=batch))
        return len(found)

    def _delete_batch(self, session: Session, store: Store, sop_uids: Sequence[str]) -> None:
        removable_at = self._clock() + READ_GRACE_S
        for sop_instance_uid in sop_uids:
            indexed = session.instances.find(store, sop_instance_uid)
            if indexed is None:
                continue
            self._note(session, store, indexed)
            delete(session, self._stores.stores, indexed)
            session.garbage.add(Garbage(store.id, indexed.blob), removable_at=removable_at)

    def _note(self, session: Session, store: Store, indexed: IndexedInstance) -> None:
        """Tell the receipt of it, where the pipeline knows the store."""
        if not names.is_configured(store):
            return
        entry = session.receipts.get(indexed.receipt_id)
        _refuse_waiting(entry)
        if entry is None:
            return
        if store.role is Role.SOURCE:
            session.receipts.change(indexed.receipt_id, place=Place.GONE)
        else:
            session.receipts.change(
                indexed.receipt_id,
                state=State.DISCARDED,
                reason=DELETED,
                changed_at=self._clock(),
            )


def _refuse_waiting(entry: Entry | None) -> None:
    if entry is not None and entry.receipt.state in WAITING:
        raise FailedPrecondition("it is being de-identified: delete it when that is done")
