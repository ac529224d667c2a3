"""Compares every row with its file and every file with its row."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from daemon.pipeline.states import WAITING
from daemon.records import State
from daemon.store.fsck.findings import Finding, Kind
from daemon.store.rows import Garbage, Place
from daemon.store.spool import PART_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from daemon.store.fsck.findings import Report
    from daemon.store.layout import Layout
    from daemon.store.ports import Session
    from daemon.store.rows import Entry, IndexedInstance, Store
    from daemon.store.store_set import StoreSet

_CHUNK_BYTES: Final = 1 << 20
_ID_LENGTH: Final = 32
_PAGE: Final = 1000


class Check:
    """One pass over rows and files."""

    def __init__(
        self,
        session: Session,
        stores: StoreSet,
        layout: Layout,
        report: Report,
        *,
        is_alone: bool,
        digests: bool,
    ) -> None:
        self._session = session
        self._stores = stores
        self._layout = layout
        self._is_alone = is_alone
        self._digests = digests
        self._report = report

    def run(self, progress: Callable[[Report], None]) -> None:
        """Note in the report what was looked at and found, telling of the progress now and then."""
        for step in (
            self._spool,
            self._receipts,
            self._source_rows,
            self._output_rows,
            self._other_rows,
            self._stray_blobs,
            self._counts,
            self._tallies,
            self._rights,
        ):
            for count, finding in enumerate(step()):
                if finding is not None:
                    self._report.findings.append(finding)
                if count % _PAGE == 0:
                    progress(self._report)
        progress(self._report)

    def withdraw_what_others_explain(self) -> None:
        """Take back findings that mean something only while nobody works: a daemon has started meanwhile."""
        roles = {store.name for store in self._stores.in_use}
        self._report.findings = [
            each
            for each in self._report.findings
            if each.kind not in {Kind.PARTIAL_FILE, Kind.SPOOL_ORPHAN}
            and (each.kind is not Kind.BLOB_WITHOUT_ROW or each.store in roles)
        ]

    def _spool(self) -> Iterator[Finding | None]:
        for path in sorted(self._layout.spool.iterdir()):
            if path.name.endswith(PART_SUFFIX):
                if self._is_alone:
                    yield Finding(Kind.PARTIAL_FILE, "", path.name)
            elif self._receipt(path.name) is None and self._is_alone:
                yield Finding(Kind.SPOOL_ORPHAN, "", path.name)

    def _receipts(self) -> Iterator[Finding | None]:
        """Every receipt whose bytes should be there."""
        source = self._stores.source
        blobs = self._stores.blobs[source.id]
        for entry in self._entries():
            if entry.place is Place.GONE:
                continue
            self._report.receipts += 1
            receipt_id = entry.receipt.id
            spooled = self._layout.spool / receipt_id
            # The daemon may move it from one to the other, or do away with it, between two looks.
            if spooled.exists() or blobs.has(receipt_id) or spooled.exists():
                yield None
            elif (now := self._receipt(receipt_id)) is not None and now.place is not Place.GONE:
                yield Finding(Kind.BLOB_MISSING, source.name, receipt_id)

    def _entries(self) -> Iterator[Entry]:
        """Yield receipts in batches, so that no read transaction stays open for long."""
        last = 0
        while entries := self._session.receipts.page(last, _PAGE):
            yield from entries
            last = entries[-1].seq

    def _source_rows(self) -> Iterator[Finding | None]:
        yield from self._rows(self._stores.source, Kind.BLOB_DAMAGED)

    def _output_rows(self) -> Iterator[Finding | None]:
        destination = self._stores.destination
        yield from self._rows(destination, Kind.OUTPUT_DAMAGED)
        for entry in self._entries():
            if entry.receipt.state is not State.STORED or entry.place is not Place.SOURCE:
                continue
            receipt_id = entry.receipt.id
            if not self._session.instances.of_receipt(
                destination, receipt_id
            ) and not self._is_of_resources(receipt_id):
                yield Finding(Kind.OUTPUT_MISSING, destination.name, entry.receipt.id)

    def _other_rows(self) -> Iterator[Finding | None]:
        """Rows of stores that somebody made: there is nothing that their blobs could be made from again."""
        for store in self._stores.others:
            for row in self._instances(store):
                self._report.blobs += 1
                size = self._stores.blobs_of(store).size(row.blob)
                kind = Kind.BLOB_MISSING if size is None else Kind.BLOB_DAMAGED
                is_well = size is not None and self._is_sound(row, size)
                if not is_well and self._is_row(store, row.blob):
                    yield Finding(kind, self._stores.called(store), str(row.id))
                yield None

    def _is_of_resources(self, receipt_id: str) -> bool:
        """Whether a file is one of FHIR resources, whose results are no instances."""
        source = self._stores.source
        if self._session.instances.of_receipt(source, receipt_id):
            return False
        with suppress(FileNotFoundError):
            return self._stores.blobs[source.id].read(receipt_id, 128, 132) != b"DICM"
        return False

    def _rows(self, store: Store, damaged: Kind) -> Iterator[Finding | None]:
        for row in self._instances(store):
            self._report.blobs += 1
            size = self._stores.blobs[store.id].size(row.blob)
            if size is None:
                if self._is_row(store, row.blob):
                    yield self._row_without_blob(store, row.receipt_id)
                continue
            if not self._is_sound(row, size) and self._is_row(store, row.blob):
                yield Finding(damaged, store.name, row.receipt_id)
            yield None

    def _instances(self, store: Store) -> Iterator[IndexedInstance]:
        last = 0
        while rows := self._session.instances.page(store, last, _PAGE):
            yield from rows
            last = rows[-1].id

    def _row_without_blob(self, store: Store, receipt_id: str) -> Finding | None:
        if store is self._stores.destination:
            return Finding(Kind.OUTPUT_MISSING, store.name, receipt_id)
        entry = self._receipt(receipt_id)
        if entry is not None and entry.place is Place.GONE:
            return Finding(Kind.BLOB_MISSING, store.name, receipt_id)
        return None  # `_receipts` has found it, or it is back in the spool for a retry

    def _is_sound(self, row: IndexedInstance, size: int) -> bool:
        if size != row.size:
            return False
        with suppress(FileNotFoundError):
            return not self._digests or self._digest(row) == row.digest
        return True

    def _digest(self, row: IndexedInstance) -> str:
        running = hashlib.sha256()
        with self._stores.blobs[row.store_id].open(row.blob) as file:
            while chunk := file.read(_CHUNK_BYTES):
                running.update(chunk)
                self._report.bytes_read += len(chunk)
        return running.hexdigest()

    def _stray_blobs(self) -> Iterator[Finding | None]:
        # In others a blob is there for a moment before its row, and no receipt waits that would say so.
        others = self._stores.others if self._is_alone else []
        for store in (*self._stores.in_use, *others):
            for name in self._stores.blobs_of(store).names():
                if not self._is_needed(store, name):
                    yield Finding(Kind.BLOB_WITHOUT_ROW, self._stores.called(store), name)
                yield None

    def _is_needed(self, store: Store, name: str) -> bool:
        if self._is_row(store, name):
            return True
        if not store.role:
            return self._session.garbage.has(Garbage(store.id, name))
        entry = self._receipt(name[:_ID_LENGTH])
        if entry is not None and entry.receipt.state in WAITING:
            return True  # being settled
        if entry is not None and store is self._stores.source and entry.place is Place.SOURCE:
            return True  # kept without being indexed: unreadable, or a conflict
        # What is listed as garbage is removed when nobody reads it any more, or at the next start.
        return self._session.garbage.has(Garbage(store.id, name))

    def _counts(self) -> Iterator[Finding | None]:
        for store in (*self._stores.in_use, *self._stores.others):
            for study_id in self._session.instances.miscounted(store):
                yield Finding(Kind.COUNTS_WRONG, self._stores.called(store), str(study_id))

    def _tallies(self) -> Iterator[Finding | None]:
        if self._session.figures.are_wrong():
            yield Finding(Kind.TALLIES_WRONG, "", "tallies")

    def _rights(self) -> Iterator[Finding | None]:
        for path in (self._layout.state_dir, *self._layout.state_dir.rglob("*")):
            with suppress(FileNotFoundError):
                if path.lstat().st_mode & 0o077 and not path.is_symlink():
                    name = path.relative_to(self._layout.state_dir).as_posix()
                    yield Finding(Kind.OPEN_TO_OTHERS, "", name)
            yield None

    def _receipt(self, receipt_id: str) -> Entry | None:
        return self._session.receipts.get(receipt_id)

    def _is_row(self, store: Store, blob: str) -> bool:
        return self._session.instances.is_referenced(store.id, blob)
