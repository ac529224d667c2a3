"""Do rows and files agree? Finds what does not, and repairs what can be repaired without losing anything.

=====================  ====================================  ======================================
finding                meaning                               repair
=====================  ====================================  ======================================
``spool_orphan``       a spool file that no row speaks of    moved to ``lost+found``
``partial_file``       a ``.part`` while no daemon runs      removed: it was never acknowledged
``blob_missing``       received bytes are gone               quarantined; a stored one keeps its
                                                             output and leaves the source index
``output_missing``     the destination's blob is gone        row removed, receipt quarantined: a
                                                             retry makes the output again
``blob_damaged``       size or SHA-256 differ (source)       blob to ``lost+found``, then as
                                                             ``blob_missing``
``output_damaged``     size or SHA-256 differ (destination)  blob removed, as ``output_missing``
``blob_without_row``   nothing points at the blob            kept if its receipt misses it, removed
                                                             if its receipt has done with it,
                                                             else moved to ``lost+found``
``counts_wrong``       a study's counts differ from rows     counted again
``tallies_wrong``      the counts of ``status`` differ       counted again
``open_to_others``     others may read a file or folder      rights taken away
=====================  ====================================  ======================================

Checking is possible while the daemon runs; repairing is not.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from daemon.errors import StoreUnavailable
from daemon.pipeline.states import WAITING, check_damage
from daemon.records import State, StoreName
from daemon.store import indexing
from daemon.store.blobs import FileBlobs
from daemon.store.database import connect_current, transaction, translated
from daemon.store.files import make_private_folder, sync_folder
from daemon.store.layout import Layout, StateLock
from daemon.store.queries import remove_garbage
from daemon.store.receipts import BLOB_MISSING, Garbage, Place, list_garbage
from daemon.store.recovery import mark_missing
from daemon.store.spool import PART_SUFFIX

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOB_DAMAGED: Final = "blob_damaged"
_CHUNK_BYTES: Final = 1 << 20
_ID_LENGTH: Final = 32
_PAGE: Final = 1000

_TALLIES_NOW: Final = (
    "SELECT receiver, state, deidentifier, reason, place, count(*) AS instances,"
    " sum(size) AS bytes FROM receipts GROUP BY receiver, state, deidentifier, reason, place"
)


class Kind(StrEnum):
    """What was found (see the module's table)."""

    SPOOL_ORPHAN = "spool_orphan"
    PARTIAL_FILE = "partial_file"
    BLOB_MISSING = "blob_missing"
    OUTPUT_MISSING = "output_missing"
    BLOB_DAMAGED = "blob_damaged"
    OUTPUT_DAMAGED = "output_damaged"
    BLOB_WITHOUT_ROW = "blob_without_row"
    COUNTS_WRONG = "counts_wrong"
    TALLIES_WRONG = "tallies_wrong"
    OPEN_TO_OTHERS = "open_to_others"


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement.

    Attributes
    ----------
    store
        ``source``, ``deid``, or empty.
    subject
        A receipt's id, a blob's name, a row's number or a path below the state folder: names of
        ours, never from outside.
    repaired
        What was done about it, in a few words; empty if nothing was.
    """

    kind: Kind
    store: str
    subject: str
    repaired: str = ""


@dataclass(slots=True)
class Report:
    """What a check looked at and found."""

    receipts: int = 0
    blobs: int = 0
    bytes_read: int = 0
    findings: list[Finding] = field(default_factory=list)


def check(
    state_dir: Path,
    *,
    repair: bool = False,
    digests: bool = True,
    now: float | None = None,
    progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Compare every row with its file and every file with its row.

    Parameters
    ----------
    repair
        Also repair what was found. No daemon may run meanwhile.
    digests
        Whether to read every blob and compare its SHA-256; otherwise only sizes are compared.
    progress
        Called now and then with the report so far.

    Raises
    ------
    StoreUnavailable
        If there is no state folder, or `repair` is asked for while a daemon runs.
    SchemaTooNew
        If a newer program wrote the database.
    """
    layout = Layout(state_dir)
    lock = _lock(layout, needed=repair)
    try:
        connection = connect_current(layout.database, query_only=not repair)
        try:
            run = _Check(connection, layout, is_alone=lock is not None, digests=digests)
            report = run.run(progress)
            if repair:
                mend = _Repair(connection, layout, time.time() if now is None else now)
                report.findings = [mend.repair(finding) for finding in report.findings]
        finally:
            connection.close()
    except OSError as error:
        raise translated(error) from error
    finally:
        if lock is not None:
            lock.release()
    return report


def _lock(layout: Layout, *, needed: bool) -> StateLock | None:
    if not layout.database.is_file():
        raise StoreUnavailable(f"{layout.state_dir} holds no state of dicomveil (see state_dir)")
    try:
        return StateLock(layout.lock)
    except StoreUnavailable:
        if needed:
            raise
        return None


class _Check:
    """One pass over rows and files."""

    def __init__(
        self, connection: sqlite3.Connection, layout: Layout, *, is_alone: bool, digests: bool
    ) -> None:
        self._connection = connection
        self._layout = layout
        self._is_alone = is_alone
        self._digests = digests
        self._blobs = {store: FileBlobs(layout.store(store)) for store in StoreName}
        self._report = Report()

    def run(self, progress: Callable[[Report], None]) -> Report:
        for step in (
            self._spool,
            self._receipts,
            self._source_rows,
            self._output_rows,
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
        return self._report

    def _spool(self) -> Iterator[Finding | None]:
        for path in sorted(self._layout.spool.iterdir()):
            if path.name.endswith(PART_SUFFIX):
                if self._is_alone:
                    yield Finding(Kind.PARTIAL_FILE, "", path.name)
            elif self._receipt(path.name) is None and self._is_alone:
                yield Finding(Kind.SPOOL_ORPHAN, "", path.name)

    def _receipts(self) -> Iterator[Finding | None]:
        """Every receipt whose bytes should be there."""
        for row in self._pages("SELECT seq, id, place FROM receipts WHERE place <> 'gone'"):
            self._report.receipts += 1
            receipt_id = row["id"]
            spooled = self._layout.spool / receipt_id
            source = self._blobs[StoreName.SOURCE]
            # The daemon may move it from one to the other, or do away with it, between two looks.
            if spooled.exists() or source.has(receipt_id) or spooled.exists():
                yield None
            elif (now := self._receipt(receipt_id)) is not None and now["place"] != Place.GONE:
                yield Finding(Kind.BLOB_MISSING, StoreName.SOURCE.value, receipt_id)

    def _source_rows(self) -> Iterator[Finding | None]:
        yield from self._rows(StoreName.SOURCE, Kind.BLOB_DAMAGED)

    def _output_rows(self) -> Iterator[Finding | None]:
        yield from self._rows(StoreName.DEID, Kind.OUTPUT_DAMAGED)
        for row in self._pages(
            "SELECT seq, id FROM receipts WHERE state = 'stored' AND place = 'source'"
        ):
            if indexing.find_of_receipt(self._connection, StoreName.DEID, row["id"]) is None:
                yield Finding(Kind.OUTPUT_MISSING, StoreName.DEID.value, row["id"])

    def _rows(self, store: StoreName, damaged: Kind) -> Iterator[Finding | None]:
        for row in self._pages(
            f"SELECT id AS seq, blob, size, digest, receipt_id FROM {store}_instances",  # noqa: S608 - fixed names
            key="id",
        ):
            self._report.blobs += 1
            path = self._blobs[store].path_of(row["blob"])
            if not path.is_file():
                if self._is_row(store, row["blob"]):
                    yield self._row_without_blob(store, row["receipt_id"])
                continue
            if not self._is_sound(path, row["size"], row["digest"]) and self._is_row(
                store, row["blob"]
            ):
                yield Finding(damaged, store.value, row["receipt_id"])
            yield None

    def _row_without_blob(self, store: StoreName, receipt_id: str) -> Finding | None:
        if store is StoreName.DEID:
            return Finding(Kind.OUTPUT_MISSING, store.value, receipt_id)
        receipt = self._receipt(receipt_id)
        if receipt is not None and receipt["place"] == Place.GONE:
            return Finding(Kind.BLOB_MISSING, store.value, receipt_id)
        return None  # `_receipts` has found it, or it is back in the spool for a retry

    def _is_sound(self, path: Path, size: int, digest: str) -> bool:
        with suppress(FileNotFoundError):
            if path.stat().st_size != size:
                return False
            if self._digests:
                return self._digest(path) == digest
        return True

    def _digest(self, path: Path) -> str:
        running = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                running.update(chunk)
                self._report.bytes_read += len(chunk)
        return running.hexdigest()

    def _stray_blobs(self) -> Iterator[Finding | None]:
        for store, blobs in self._blobs.items():
            for name in blobs.names():
                if not self._is_needed(store, name):
                    yield Finding(Kind.BLOB_WITHOUT_ROW, store.value, name)
                yield None

    def _is_needed(self, store: StoreName, name: str) -> bool:
        if self._is_row(store, name):
            return True
        row = self._receipt(name[:_ID_LENGTH])
        if row is not None and State(row["state"]) in WAITING:
            return True  # being settled
        if row is not None and store is StoreName.SOURCE and row["place"] == Place.SOURCE:
            return True  # kept without being indexed: unreadable, or a conflict
        return (
            self._connection.execute(
                "SELECT 1 FROM garbage WHERE store = ? AND blob = ?", (store.value, name)
            ).fetchone()
            is not None
            and not self._is_alone
        )

    def _counts(self) -> Iterator[Finding | None]:
        for store in StoreName:
            rows = self._connection.execute(
                f"SELECT s.id FROM {store}_studies s WHERE s.instances <>"  # noqa: S608 - fixed names
                f" (SELECT count(*) FROM {store}_series e JOIN {store}_instances i"
                "  ON i.series_id = e.id WHERE e.study_id = s.id) OR EXISTS"
                f" (SELECT 1 FROM {store}_series e WHERE e.study_id = s.id AND e.instances <>"
                f"  (SELECT count(*) FROM {store}_instances i WHERE i.series_id = e.id))"
            )
            for row in rows.fetchall():
                yield Finding(Kind.COUNTS_WRONG, store.value, str(row["id"]))

    def _tallies(self) -> Iterator[Finding | None]:
        wrong = self._connection.execute(
            f"SELECT EXISTS ({_TALLIES_NOW} EXCEPT SELECT * FROM tallies)"  # noqa: S608 - fixed names
            f" OR EXISTS (SELECT * FROM tallies WHERE instances <> 0 EXCEPT {_TALLIES_NOW})"
        ).fetchone()[0]
        for store in StoreName:
            wrong = (
                wrong
                or self._connection.execute(
                    "SELECT t.instances <> i.instances OR t.bytes <> i.bytes FROM totals t,"  # noqa: S608 - fixed names
                    " (SELECT count(*) AS instances, coalesce(sum(size), 0) AS bytes"
                    f" FROM {store}_instances) i WHERE t.store = ?",
                    (store.value,),
                ).fetchone()[0]
            )
        if wrong:
            yield Finding(Kind.TALLIES_WRONG, "", "tallies")

    def _rights(self) -> Iterator[Finding | None]:
        for path in (self._layout.state_dir, *self._layout.state_dir.rglob("*")):
            with suppress(FileNotFoundError):
                if path.lstat().st_mode & 0o077 and not path.is_symlink():
                    name = path.relative_to(self._layout.state_dir).as_posix()
                    yield Finding(Kind.OPEN_TO_OTHERS, "", name)
            yield None

    def _receipt(self, receipt_id: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(
            "SELECT state, place FROM receipts WHERE id = ?", (receipt_id,)
        ).fetchone()
        return row

    def _is_row(self, store: StoreName, blob: str) -> bool:
        return indexing.is_referenced(self._connection, store, blob)

    def _pages(self, select: str, key: str = "seq") -> Iterator[sqlite3.Row]:
        """Yield rows in batches, so that no read transaction stays open for long."""
        joint = "AND" if " WHERE " in select else "WHERE"
        last = 0
        while rows := self._connection.execute(
            f"{select} {joint} {key} > ? ORDER BY {key} LIMIT {_PAGE}", (last,)
        ).fetchall():
            yield from rows
            last = rows[-1]["seq"]


class _Repair:
    """Repairs findings one by one, each in a transaction of its own."""

    def __init__(self, connection: sqlite3.Connection, layout: Layout, now: float) -> None:
        self._connection = connection
        self._layout = layout
        self._now = now
        self._blobs = {store: FileBlobs(layout.store(store)) for store in StoreName}

    def repair(self, finding: Finding) -> Finding:
        """Return the finding with what was done about it."""
        actions: dict[Kind, Callable[[Finding], str]] = {
            Kind.SPOOL_ORPHAN: self._keep_orphan,
            Kind.PARTIAL_FILE: self._remove_partial_file,
            Kind.BLOB_MISSING: self._mark_missing,
            Kind.OUTPUT_MISSING: self._mark_output_lost,
            Kind.BLOB_DAMAGED: self._set_damaged_aside,
            Kind.OUTPUT_DAMAGED: self._mark_output_lost,
            Kind.BLOB_WITHOUT_ROW: self._settle_stray_blob,
            Kind.COUNTS_WRONG: self._recount,
            Kind.TALLIES_WRONG: self._tally_again,
            Kind.OPEN_TO_OTHERS: self._close_to_others,
        }
        done = actions[finding.kind](finding)
        return Finding(finding.kind, finding.store, finding.subject, done)

    def _keep_orphan(self, finding: Finding) -> str:
        self._move_to_lost(self._layout.spool / finding.subject, finding.subject)
        return "moved to lost+found"

    def _remove_partial_file(self, finding: Finding) -> str:
        (self._layout.spool / finding.subject).unlink(missing_ok=True)
        return "removed"

    def _mark_missing(self, finding: Finding) -> str:
        return self._lose_source(finding.subject, BLOB_MISSING)

    def _set_damaged_aside(self, finding: Finding) -> str:
        path = self._blobs[StoreName.SOURCE].path_of(finding.subject)
        self._move_to_lost(path, f"source-{finding.subject}")
        return "moved to lost+found, " + self._lose_source(finding.subject, BLOB_DAMAGED)

    def _lose_source(self, receipt_id: str, reason: str) -> str:
        """Write down that the received bytes of a receipt are gone."""
        state = self._state(receipt_id)
        with transaction(self._connection):
            if state in {State.STORED, State.QUARANTINED}:
                # What became of it stays true; only the source can be shown no longer.
                self._hide(StoreName.SOURCE, receipt_id)
                self._connection.execute(
                    "UPDATE receipts SET place = ?, reason = ?, changed_at = ? WHERE id = ?",
                    (Place.GONE.value, reason, self._now, receipt_id),
                )
                return "taken out of the source index"
            check_damage(state, State.QUARANTINED)
            mark_missing(self._connection, receipt_id, self._now, reason)
        return f"quarantined as {reason}"

    def _mark_output_lost(self, finding: Finding) -> str:
        """Hide the output and quarantine its receipt, from where a retry can make the output again."""
        receipt_id = finding.subject
        state = self._state(receipt_id)
        reason = BLOB_MISSING if finding.kind is Kind.OUTPUT_MISSING else BLOB_DAMAGED
        garbage: list[Garbage] = []
        with transaction(self._connection):
            blob = self._hide(StoreName.DEID, receipt_id)
            if blob:
                list_garbage(self._connection, StoreName.DEID, blob)
                garbage.append(Garbage(StoreName.DEID, blob))
            if state is State.STORED:
                check_damage(state, State.QUARANTINED)
                self._connection.execute(
                    "UPDATE receipts SET state = ?, reason = ?, changed_at = ? WHERE id = ?",
                    (State.QUARANTINED.value, reason, self._now, receipt_id),
                )
        remove_garbage(self._connection, self._blobs, garbage)
        return f"quarantined as {reason}" if state is State.STORED else "taken out of the index"

    def _settle_stray_blob(self, finding: Finding) -> str:
        store = StoreName(finding.store)
        receipt_id = finding.subject[:_ID_LENGTH]
        row = self._connection.execute(
            "SELECT state, reason FROM receipts WHERE id = ?", (receipt_id,)
        ).fetchone()
        blobs = self._blobs[store]
        if row is None:
            self._move_to_lost(blobs.path_of(finding.subject), f"{store}-{finding.subject}")
            return "moved to lost+found"
        if (
            store is StoreName.SOURCE
            and row["state"] == State.QUARANTINED
            and row["reason"] == BLOB_MISSING
        ):
            with transaction(self._connection):
                self._connection.execute(
                    "UPDATE receipts SET place = ?, changed_at = ? WHERE id = ?",
                    (Place.SOURCE.value, self._now, receipt_id),
                )
            return "its receipt has it back and can be retried"
        remove_garbage(self._connection, self._blobs, [Garbage(store, finding.subject)])
        return "removed"

    def _recount(self, finding: Finding) -> str:
        with transaction(self._connection):
            indexing.recount(self._connection, StoreName(finding.store), int(finding.subject))
        return "counted again"

    def _tally_again(self, _: Finding) -> str:
        with transaction(self._connection):
            self._connection.execute("DELETE FROM tallies")
            self._connection.execute(f"INSERT INTO tallies {_TALLIES_NOW}")
            for store in StoreName:
                self._connection.execute(
                    "UPDATE totals SET (instances, bytes) = (SELECT count(*),"  # noqa: S608 - fixed names
                    f" coalesce(sum(size), 0) FROM {store}_instances) WHERE store = ?",
                    (store.value,),
                )
        return "counted again"

    def _close_to_others(self, finding: Finding) -> str:
        path = self._layout.state_dir / finding.subject
        path.chmod(path.stat().st_mode & 0o700)
        return "rights taken away"

    def _hide(self, store: StoreName, receipt_id: str) -> str:
        indexed = indexing.find_of_receipt(self._connection, store, receipt_id)
        if indexed is None:
            return ""
        indexing.remove(self._connection, store, indexed)
        return indexed.blob

    def _state(self, receipt_id: str) -> State:
        (value,) = self._connection.execute(
            "SELECT state FROM receipts WHERE id = ?", (receipt_id,)
        ).fetchone()
        return State(value)

    def _move_to_lost(self, path: Path, name: str) -> None:
        make_private_folder(self._layout.lost)
        with suppress(FileNotFoundError):
            path.rename(self._layout.lost / name)
        sync_folder(self._layout.lost)
