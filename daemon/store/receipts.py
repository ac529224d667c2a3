"""Receipts as the pipeline sees them: what is due, and what became of it.

`Receipts.settle` is where an instance ends. Its steps, for all results given at once:

1. files: ``spool/<id>`` becomes a blob of the source store, the worker's output a blob of the
   destination (rename, then one fsync of each folder);
2. rows, in one transaction: duplicates and conflicts are decided, both indexes, the receipt's
   state, the outcome; what turned out not to be needed is listed as garbage;
3. garbage is removed, and then struck off the list.

Killed after 1, the receipt still waits: `job` finds its file in either place, and settling again
moves nothing twice. A destination blob is named after its receipt and its content, so that a
different output never overwrites one that a row points at: the row switches, then the old blob
goes.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from daemon.errors import StoreUnavailable
from daemon.pipeline.states import WAITING, is_terminal, way
from daemon.records import Job, Origin, Receipt, Receiver, State, StoreName
from daemon.store import indexing
from daemon.store.blobs import Move
from daemon.store.database import translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from daemon.records import Result, StoredInstance
    from daemon.store.blobs import Blobs
    from daemon.store.database import Database
    from daemon.store.indexing import IndexedInstance

log = structlog.get_logger(__name__)

BLOB_MISSING: Final = "blob_missing"
CONFLICT: Final = "conflict"
REPLACED: Final = "replaced"
_WAITING_SQL: Final = ", ".join(f"'{state}'" for state in WAITING)
_DIGEST_IN_NAME: Final = 16
_RUSH_INSTANCES: Final = 20
_RUSH_WINDOW_S: Final = 0.1
_LONGEST_WAIT_S: Final = 1.0
_LONGEST_DELAY_S: Final = 300.0
"""Of `postpone`. What seems to wait longer was postponed before the clock was set back."""

RECEIPT_COLUMNS: Final = (
    "id, receiver, calling_ae, called_ae, peer, received_at, size, state, attempts, reason, where_,"
    " route, deidentifier"
)


class ConflictPolicy(StrEnum):
    """What becomes of an instance whose SOP Instance UID is already there with other content."""

    QUARANTINE = "quarantine"
    REPLACE = "replace"
    KEEP_FIRST = "keep_first"


def receipt_of(row: sqlite3.Row) -> Receipt:
    """Return the record of a row read with `RECEIPT_COLUMNS`."""
    origin = Origin(Receiver(row["receiver"]), row["calling_ae"], row["called_ae"], row["peer"])
    return Receipt(
        id=row["id"],
        origin=origin,
        received_at=row["received_at"],
        size=row["size"],
        state=State(row["state"]),
        attempts=row["attempts"],
        reason=row["reason"],
        where=row["where_"],
        route=row["route"],
        deidentifier=row["deidentifier"],
    )


def output_blob(receipt_id: str, output: StoredInstance) -> str:
    """Return the name of a destination blob: the receipt and the content."""
    return f"{receipt_id}-{output.digest[:_DIGEST_IN_NAME]}"


class Place(StrEnum):
    """Where the received bytes of a receipt are."""

    SPOOL = "spool"
    SOURCE = "source"
    GONE = "gone"


class Garbage(NamedTuple):
    """A blob that no row needs any more."""

    store: StoreName
    blob: str


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a transaction made of one result."""

    state: State | None
    reason: str
    garbage: tuple[Garbage, ...]


class _There(NamedTuple):
    """Which of a result's files are in their stores."""

    source: bool
    output: bool


class SqliteReceipts:
    """The receipts table and the files that belong to it. Implements `daemon.ports.Receipts`."""

    def __init__(
        self,
        database: Database,
        *,
        spool_folder: Path,
        work_folder: Path,
        source: Blobs,
        deid: Blobs,
        conflict: ConflictPolicy = ConflictPolicy.QUARANTINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._spool_folder = spool_folder
        self._work_folder = work_folder
        self._blobs = {StoreName.SOURCE: source, StoreName.DEID: deid}
        self._conflict = conflict
        self._clock = clock
        self._arrival = asyncio.Event()
        self._arrivals: deque[float] = deque(maxlen=_RUSH_INSTANCES)

    def note_arrival(self) -> None:
        """Wake whoever waits on `job_arrived`. Call from the event loop."""
        self._arrivals.append(time.monotonic())
        self._arrival.set()

    def is_rushed(self) -> bool:
        """Tell whether the last twenty instances arrived within the last tenth of a second."""
        arrivals = self._arrivals
        return len(arrivals) == _RUSH_INSTANCES and time.monotonic() - arrivals[0] < _RUSH_WINDOW_S

    def job_arrived(self) -> Awaitable[None]:
        """Return an awaitable that ends when something may have become due, or after a second.

        For one waiter at a time.
        """
        return self._arrived()

    async def _arrived(self) -> None:
        try:
            await asyncio.wait_for(self._arrival.wait(), _LONGEST_WAIT_S)
        except TimeoutError:
            return
        self._arrival.clear()

    async def due(self, limit: int, exclude: Sequence[str]) -> list[Receipt]:
        """Return receipts waiting to be processed now, oldest first, without those named."""
        now = self._clock()
        excluded = frozenset(exclude)

        def read(connection: sqlite3.Connection) -> list[Receipt]:
            rows = connection.execute(
                f"SELECT {RECEIPT_COLUMNS} FROM receipts INDEXED BY receipts_waiting"  # noqa: S608 - fixed names
                f" WHERE state IN ({_WAITING_SQL}) AND not_before NOT BETWEEN ? AND ?"
                " ORDER BY seq LIMIT ?",
                (math.nextafter(now, math.inf), now + _LONGEST_DELAY_S, limit + len(excluded)),
            )
            return [receipt_of(row) for row in rows if row["id"] not in excluded][:limit]

        return await self._database.read(read)

    async def begin(self, receipt_ids: Sequence[str]) -> None:
        """Count an attempt, durably, before a worker sees the instance."""
        await self._change_attempts(receipt_ids, +1)

    async def release(self, receipt_ids: Sequence[str]) -> None:
        """Take back the attempt that `begin` counted."""
        await self._change_attempts(receipt_ids, -1)

    async def _change_attempts(self, receipt_ids: Sequence[str], change: int) -> None:
        def apply(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE receipts SET attempts = max(0, attempts + ?) WHERE id = ?",
                [(change, receipt_id) for receipt_id in receipt_ids],
            )

        if receipt_ids:
            await self._database.write(apply)

    async def postpone(self, receipt_id: str, reason: str, delay_s: float) -> None:
        """Leave the receipt waiting, with the reason, and try again no sooner than `delay_s` from now."""
        not_before = self._clock() + min(delay_s, _LONGEST_DELAY_S)

        def apply(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"UPDATE receipts SET not_before = ?, reason = ? WHERE id = ?"  # noqa: S608 - fixed names
                f" AND state IN ({_WAITING_SQL})",
                (not_before, reason, receipt_id),
            )

        await self._database.write(apply)

    def job(self, receipt: Receipt) -> Job:
        """Return the worker's job: where the received file is now, and where the output goes."""
        spooled = self._spool_folder / receipt.id
        source = self._blobs[StoreName.SOURCE].path_of(receipt.id)
        return Job(
            receipt.id,
            receipt.origin,
            source=spooled if spooled.exists() else source,
            output=self._output_file(receipt.id),
        )

    def _output_file(self, receipt_id: str) -> Path:
        return self._work_folder / f"{receipt_id}.out"

    async def settle(self, results: Sequence[Result]) -> None:
        """Apply results: blobs first (rename, folder fsync), then rows, one transaction for all.

        Each result stands for itself: one that fails undoes none of the others. Repeating it
        changes nothing.

        Raises
        ------
        SpoolFull, StoreUnavailable
            If the disk or database refused at least one; the receipts concerned still wait.
        """
        there = await asyncio.to_thread(self._move_files, results)
        settled = await self._database.write_all(
            [
                functools.partial(self._settle_rows, result=result, there=is_there)
                for result, is_there in zip(results, there, strict=True)
            ]
        )
        garbage = [g for done in settled if isinstance(done, _Settled) for g in done.garbage]
        await self._remove(garbage, results)
        for result, done in zip(results, settled, strict=True):
            if isinstance(done, BaseException):
                raise done
            if done.reason == BLOB_MISSING:
                log.error("received_file_missing", receipt_id=result.receipt_id)

    def _move_files(self, results: Sequence[Result]) -> list[_There]:
        try:
            sources = self._blobs[StoreName.SOURCE].take(
                [
                    Move(self._spool_folder / result.receipt_id, result.receipt_id)
                    for result in results
                ]
            )
            outputs = iter(
                self._blobs[StoreName.DEID].take(
                    [
                        Move(
                            self._output_file(result.receipt_id),
                            output_blob(result.receipt_id, result.output),
                        )
                        for result in results
                        if result.output is not None
                    ],
                    flush=True,
                )
            )
        except OSError as error:
            raise translated(error) from error
        return [
            _There(source, result.output is not None and next(outputs))
            for result, source in zip(results, sources, strict=True)
        ]

    async def _remove(self, garbage: Sequence[Garbage], results: Sequence[Result]) -> None:
        def remove() -> None:
            for result in results:
                self._output_file(result.receipt_id).unlink(missing_ok=True)
            for piece in garbage:
                self._blobs[piece.store].remove([piece.blob])

        # What cannot be removed now stays on the list, and the next start tries again.
        with suppress(OSError):
            await asyncio.to_thread(remove)
            if garbage:
                await self._database.write(functools.partial(strike_garbage, garbage=garbage))

    def _settle_rows(
        self, connection: sqlite3.Connection, result: Result, there: _There
    ) -> _Settled:
        row = connection.execute(
            "SELECT state FROM receipts WHERE id = ?", (result.receipt_id,)
        ).fetchone()
        settling = _Settling(connection, result, self._clock())
        if row is None or State(row["state"]) not in WAITING:
            settling.drop_unused_output()
            return settling.settled(None)
        state = State(row["state"])
        if not there.source:
            return settling.without_source(state)
        if result.state is State.STORED and not there.output:
            raise StoreUnavailable("the output of a worker is missing")
        if result.source is None:
            return settling.finish(state, result.state, result.reason)
        return self._settle_instance(settling, state, result.source)

    def _settle_instance(
        self, settling: _Settling, state: State, source: StoredInstance
    ) -> _Settled:
        earlier = settling.earlier(StoreName.SOURCE, source)
        if earlier is not None and _is_same(earlier, source):
            if self._has_its_files(settling, earlier):
                return settling.as_duplicate(state, earlier)
            log.error("stored_file_missing", receipt_id=earlier.receipt_id)
            settling.replace(earlier)
        elif earlier is not None:
            replaces = self._conflict is ConflictPolicy.REPLACE and settling.may_replace(earlier)
            if self._conflict is ConflictPolicy.KEEP_FIRST:
                return settling.as_duplicate(state, earlier, CONFLICT)
            if not replaces:
                return settling.as_conflict(state, earlier)
            settling.replace(earlier)
        if settling.result.state is not State.STORED:
            settling.show_source(source)
            return settling.finish(state, settling.result.state, settling.result.reason)
        return self._settle_output(settling, state, source)

    def _has_its_files(self, settling: _Settling, earlier: IndexedInstance) -> bool:
        """Tell whether an instance is still there, in both stores: a row alone is none."""
        output = settling.output_of(earlier)
        return self._blobs[StoreName.SOURCE].has(earlier.blob) and (
            output is None or self._blobs[StoreName.DEID].has(output.blob)
        )

    def _settle_output(self, settling: _Settling, state: State, source: StoredInstance) -> _Settled:
        output = settling.result.output
        assert output is not None
        earlier = settling.earlier(StoreName.DEID, output)
        if earlier is None:
            settling.show_output(output)
        elif _is_same(earlier, output):
            settling.share_output(earlier)
        elif self._conflict is ConflictPolicy.REPLACE:
            settling.replace(earlier)
            settling.show_output(output)
        elif self._conflict is ConflictPolicy.KEEP_FIRST:
            return settling.as_duplicate(state, earlier, CONFLICT)
        else:
            settling.show_source(source)
            return settling.finish(state, State.QUARANTINED, CONFLICT, related=earlier.receipt_id)
        settling.show_source(source)
        return settling.finish(state, State.STORED)


def _is_same(earlier: IndexedInstance, instance: StoredInstance) -> bool:
    return (
        earlier.study_uid == instance.study_uid
        and earlier.series_uid == instance.series_uid
        and earlier.dataset_digest == instance.dataset_digest
    )


class _Settling:
    """The rows of one result, inside the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection, result: Result, now: float) -> None:
        self.result = result
        self._connection = connection
        self._now = now
        self._garbage: list[Garbage] = []

    def settled(self, state: State | None, reason: str = "") -> _Settled:
        return _Settled(state, reason, tuple(self._garbage))

    def earlier(self, store: StoreName, instance: StoredInstance) -> IndexedInstance | None:
        """Return the instance that has this SOP Instance UID already, unless it came of this receipt."""
        found = indexing.find(self._connection, store, instance.sop_instance_uid)
        return None if found is None or found.receipt_id == self.result.receipt_id else found

    def output_of(self, earlier: IndexedInstance) -> IndexedInstance | None:
        """Return what the destination shows of an earlier instance."""
        return indexing.find_of_receipt(self._connection, StoreName.DEID, earlier.receipt_id)

    def finish(
        self,
        state: State,
        goal: State,
        reason: str = "",
        *,
        place: Place = Place.SOURCE,
        related: str = "",
    ) -> _Settled:
        """Move the receipt along the table to its goal, and keep its outcome."""
        way(state, goal)
        result = self.result
        self._connection.execute(
            "UPDATE receipts SET state = ?, reason = ?, where_ = ?, route = ?, deidentifier = ?,"
            " place = ?, related = ?, not_before = 0, changed_at = ? WHERE id = ?",
            (
                goal.value,
                reason,
                result.where if reason == result.reason else "",
                result.route,
                result.deidentifier,
                place.value,
                related,
                self._now,
                result.receipt_id,
            ),
        )
        self._connection.execute("DELETE FROM outcomes WHERE receipt_id = ?", (result.receipt_id,))
        if result.outcome and goal is result.state:
            self._connection.execute(
                "INSERT INTO outcomes (receipt_id, outcome) VALUES (?, ?)",
                (result.receipt_id, result.outcome),
            )
        if goal is not State.STORED:
            self.hide_output()
        self.drop_unused_output()
        return self.settled(goal, reason)

    def without_source(self, state: State) -> _Settled:
        """End a receipt whose file is gone: loudly, in quarantine."""
        self._hide(StoreName.SOURCE)
        return self.finish(state, State.QUARANTINED, BLOB_MISSING, place=Place.GONE)

    def as_duplicate(self, state: State, earlier: IndexedInstance, reason: str = "") -> _Settled:
        """End it as one that is there already, which stays as it is."""
        self._hide(StoreName.SOURCE)
        self._drop(StoreName.SOURCE, self.result.receipt_id)
        return self.finish(
            state, State.DUPLICATE, reason, place=Place.GONE, related=earlier.receipt_id
        )

    def as_conflict(self, state: State, earlier: IndexedInstance) -> _Settled:
        """Keep it apart: its bytes in the source store, but not in the index."""
        self._hide(StoreName.SOURCE)
        if self.result.state is State.STORED:
            return self.finish(state, State.QUARANTINED, CONFLICT, related=earlier.receipt_id)
        return self.finish(state, self.result.state, self.result.reason, related=earlier.receipt_id)

    def may_replace(self, earlier: IndexedInstance) -> bool:
        """Tell whether it may take the earlier one's place.

        Not, if it goes no further itself while the earlier one's output is visible: source and
        destination would then tell of different instances.
        """
        return self.result.state is State.STORED or self.output_of(earlier) is None

    def replace(self, earlier: IndexedInstance) -> None:
        """Take the earlier instance out of both stores; its receipt tells by which it was replaced."""
        for store in StoreName:
            self._hide(store, earlier.receipt_id)
        self._drop(StoreName.SOURCE, earlier.receipt_id)
        (value,) = self._connection.execute(
            "SELECT state FROM receipts WHERE id = ?", (earlier.receipt_id,)
        ).fetchone()
        state = State(value)
        if not is_terminal(state):
            state = way(state, State.DISCARDED)[-1]
        self._connection.execute(
            "UPDATE receipts SET state = ?, reason = ?, place = ?, related = ?, changed_at = ?"
            " WHERE id = ?",
            (
                state.value,
                REPLACED,
                Place.GONE.value,
                self.result.receipt_id,
                self._now,
                earlier.receipt_id,
            ),
        )

    def show_source(self, source: StoredInstance) -> None:
        """Make it visible in the source store, unless it is from an earlier attempt."""
        receipt_id = self.result.receipt_id
        if indexing.find_of_receipt(self._connection, StoreName.SOURCE, receipt_id) is None:
            indexing.add(
                self._connection, StoreName.SOURCE, source, blob=receipt_id, receipt_id=receipt_id
            )

    def show_output(self, output: StoredInstance) -> None:
        """Make it visible in the destination, in place of the output of an earlier attempt."""
        receipt_id = self.result.receipt_id
        blob = output_blob(receipt_id, output)
        own = indexing.find_of_receipt(self._connection, StoreName.DEID, receipt_id)
        if own is not None and own.blob == blob:
            return
        if own is not None:
            self._hide(StoreName.DEID)
        self._connection.execute(
            "DELETE FROM garbage WHERE store = ? AND blob = ?", (StoreName.DEID.value, blob)
        )
        indexing.add(self._connection, StoreName.DEID, output, blob=blob, receipt_id=receipt_id)

    def share_output(self, earlier: IndexedInstance) -> None:
        """Take over a visible output of the same content, made from an instance removed since."""
        self.hide_output()
        self._connection.execute(
            "UPDATE deid_instances SET receipt_id = ? WHERE id = ?",
            (self.result.receipt_id, earlier.id),
        )

    def hide_output(self) -> None:
        """Make sure that the destination shows nothing of this receipt."""
        self._hide(StoreName.DEID)

    def drop_unused_output(self) -> None:
        """List the worker's output as garbage unless a row points at it."""
        output = self.result.output
        if output is not None:
            blob = output_blob(self.result.receipt_id, output)
            if not indexing.is_referenced(self._connection, StoreName.DEID, blob):
                self._drop(StoreName.DEID, blob)

    def _hide(self, store: StoreName, receipt_id: str | None = None) -> None:
        found = indexing.find_of_receipt(
            self._connection, store, receipt_id or self.result.receipt_id
        )
        if found is not None:
            indexing.remove(self._connection, store, found)
            if store is StoreName.DEID:
                self._drop(store, found.blob)

    def _drop(self, store: StoreName, blob: str) -> None:
        list_garbage(self._connection, store, blob)
        self._garbage.append(Garbage(store, blob))


def list_garbage(connection: sqlite3.Connection, store: StoreName, blob: str) -> None:
    """Note, in the transaction that makes a blob superfluous, that it has to be removed."""
    connection.execute(
        "INSERT OR IGNORE INTO garbage (store, blob) VALUES (?, ?)", (store.value, blob)
    )


def strike_garbage(connection: sqlite3.Connection, garbage: Sequence[Garbage]) -> None:
    """Forget blobs that have been removed."""
    connection.executemany(
        "DELETE FROM garbage WHERE store = ? AND blob = ?",
        [(piece.store.value, piece.blob) for piece in garbage],
    )
