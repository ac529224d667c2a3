"""Taking blobs back into stores from which their rows are gone.

A received instance is received once more, under the name it has: what was made of it is made again, the
same, and takes its place. A result whose received instance is not kept any more is described and shown as
it is, unless there are several: what was replaced must not be shown again. Resources that were posted are put
back from the files that tell of it.
"""

from __future__ import annotations

import mmap
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daemon.pipeline.describing import stored_instance
from daemon.records import Origin, Receipt, Receiver, State
from daemon.store.fsck.findings import Finding, Kind
from daemon.store.operation_rows import Dataset
from daemon.store.posted import put_back
from daemon.store.recovery import receive_again
from daemon.store.rows import Garbage, Place, StoreKind
from deid import Unsafe, read_header
from dicomweb.errors import DescribeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.records import StoredInstance
    from daemon.store.blobs import Blobs
    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.store_set import StoreSet

_ID_LENGTH: Final = 32
_DEIDENTIFIER_UNKNOWN: Final = ""
_LOST_DATASET: Final = "projects/local/locations/local/datasets/recovered"


class Reindex:
    """One pass over all blobs, without a daemon meanwhile."""

    def __init__(self, session: Session, stores: StoreSet, now: float) -> None:
        self._session = session
        self._stores = stores
        self._now = now

    def run(self) -> Iterator[Finding]:
        """Yield what was taken back, or could not be."""
        source, destination = self._stores.source, self._stores.destination
        for name in sorted(self._stores.blobs[source.id].names()):
            if self._session.receipts.get(name[:_ID_LENGTH]) is None:
                receive_again(self._session, self._stores, name, self._now)
                yield Finding(Kind.BLOB_WITHOUT_ROW, source.name, name, "received again")
        for posted in self._stores.posted:
            yield from self._put_back(posted)
        results = sorted(self._stores.blobs[destination.id].names())
        made = Counter(name[:_ID_LENGTH] for name in results)
        for name in results:
            if self._session.instances.is_referenced(destination.id, name):
                continue
            if self._session.receipts.get(name[:_ID_LENGTH]) is not None:
                continue  # its receipt makes it again, or has done with it
            # Of several, one was made anew for a reason, and only the lost rows knew which.
            is_only = made[name[:_ID_LENGTH]] == 1
            done = "shown again" if is_only and self._show(destination, name) else ""
            yield Finding(Kind.BLOB_WITHOUT_ROW, destination.name, name, done)
        yield from self._others()

    def _others(self) -> Iterator[Finding]:
        """Show again what stores have that somebody made; of those without rows, in stores of their own."""
        stores = self._stores
        lost = [self._made_again(folder) for folder in stores.folders_without_rows(self._session)]
        for store in lost:
            if store.kind is StoreKind.FHIR:
                yield from self._put_back(store)
        for store in (*stores.others, *(each for each in lost if each.kind is StoreKind.DICOM)):
            for name in sorted(stores.blobs_of(store).names()):
                if self._session.instances.is_referenced(store.id, name):
                    continue
                if self._session.garbage.has(Garbage(store.id, name)):
                    continue
                done = "shown again" if self._show(store, name) else ""
                yield Finding(Kind.BLOB_WITHOUT_ROW, stores.called(store), name, done)

    def _put_back(self, store: Store) -> Iterator[Finding]:
        """Put back the resources of a FHIR store that were posted or imported."""
        names = list(self._stores.blobs_of(store).names())
        for name, could in put_back(self._session, self._stores, store, names):
            done = "put back" if could else ""
            yield Finding(Kind.BLOB_WITHOUT_ROW, self._stores.called(store), name, done)

    def _made_again(self, folder: Path) -> Store:
        """Return a new store with the blobs of a folder that no row knows, in a dataset for such."""
        with self._session.atomically():
            if self._session.datasets.get(_LOST_DATASET) is None:
                self._session.datasets.put(Dataset(_LOST_DATASET, "{}"))
            has_resources = any(folder.glob("*/*/*.json"))
            kind = StoreKind.FHIR if has_resources else StoreKind.DICOM
            store = self._session.stores.add(_LOST_DATASET, kind, folder.name)
        self._stores.adopt(store, folder)
        return store

    def _show(self, store: Store, name: str) -> bool:
        """Index a blob; not one that cannot be read, or whose SOP Instance UID is there already."""
        instance = _described(self._stores.blobs_of(store), name)
        if instance is None:
            return False
        if self._session.instances.find(store, instance.sop_instance_uid) is not None:
            return False
        receipt = Receipt(name[:_ID_LENGTH], Origin(Receiver.RECOVERED), self._now, instance.size)
        with self._session.atomically():
            if self._session.receipts.get(receipt.id) is None:
                self._session.receipts.insert(receipt)
                self._session.receipts.change(
                    receipt.id, state=State.STORED, place=Place.GONE, changed_at=self._now
                )
            self._session.garbage.remove([Garbage(store.id, name)])
            self._session.instances.add(
                store,
                replace(instance, blob=name),
                blob=name,
                receipt_id=receipt.id,
                deidentifier=_DEIDENTIFIER_UNKNOWN,
            )
        return True


def _described(blobs: Blobs, name: str) -> StoredInstance | None:
    with (
        suppress(Unsafe, DescribeError, ValueError, FileNotFoundError),
        blobs.open(name) as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer,
    ):
        return stored_instance(name, buffer, read_header(buffer, ()).dataset_offset)
    return None
