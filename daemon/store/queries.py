"""What an operator asks of the state folder, and does to what was refused.

Synchronous functions on a connection of `daemon.store.database.connect_current`, for the command
line and the pages; they work while the daemon runs. The daemon notices retried instances within a
second.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daemon.pipeline.states import MOVES, WAITING, way
from daemon.records import Receipt, State, StoreName
from daemon.store import indexing
from daemon.store.database import transaction
from daemon.store.receipts import (
    RECEIPT_COLUMNS,
    Garbage,
    Place,
    list_garbage,
    receipt_of,
    strike_garbage,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from daemon.store.blobs import Blobs

REFUSED: Final = (State.QUARANTINED, State.UNROUTED)
"""States in which an instance waits for a person."""

_RATE_WINDOWS_S: Final = (60, 300, 900)
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Rate:
    """Instances per second over the last `window_s` seconds."""

    window_s: int
    received: float
    settled: float


@dataclass(frozen=True, slots=True)
class ReceiverFigures:
    """What came in by one way (``dimse``, ``stow``, ``watch``), since the beginning."""

    receiver: str
    instances: int
    bytes: int
    waiting: int
    refused: int


@dataclass(frozen=True, slots=True)
class DestinationFigures:
    """What one deidentifier sent to the destination store, or refused to."""

    deidentifier: str
    stored: int
    stored_bytes: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What one of the two stores holds."""

    store: str
    studies: int
    instances: int
    bytes: int


@dataclass(frozen=True, slots=True)
class DiskFigures:
    """The file system of the state folder, and the database in it; bytes."""

    total: int
    free: int
    database: int


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture at one moment.

    Attributes
    ----------
    states
        Receipts in every state, zero included.
    quarantine
        Quarantined receipts by reason, most frequent first.
    oldest_waiting_at
        When the instance was received that has waited longest for the pipeline; None when none
        waits.
    source_bytes
        Received bytes that are kept, indexed or not.
    """

    states: dict[str, int]
    quarantine: dict[str, int]
    waiting_bytes: int
    oldest_waiting_at: float | None
    rates: list[Rate]
    receivers: list[ReceiverFigures]
    destinations: list[DestinationFigures]
    stores: list[StoreFigures]
    source_bytes: int
    disk: DiskFigures


def status(connection: sqlite3.Connection, state_dir: Path, *, now: float | None = None) -> Status:
    """Return the figures of ``dicomveil status``; quick whatever the number of receipts."""
    now = time.time() if now is None else now
    tallies = connection.execute("SELECT * FROM tallies WHERE instances > 0").fetchall()
    waiting = frozenset(state.value for state in WAITING)
    return Status(
        states={
            state.value: sum(t["instances"] for t in tallies if t["state"] == state)
            for state in State
        },
        quarantine=_quarantine(tallies),
        waiting_bytes=sum(t["bytes"] for t in tallies if t["state"] in waiting),
        oldest_waiting_at=oldest_waiting(connection),
        rates=[_rate(connection, now, window_s) for window_s in _RATE_WINDOWS_S],
        receivers=_receivers(tallies, waiting),
        destinations=_destinations(tallies),
        stores=[_store(connection, store) for store in StoreName],
        source_bytes=sum(t["bytes"] for t in tallies if t["place"] != Place.GONE),
        disk=_disk(state_dir),
    )


def counts(connection: sqlite3.Connection) -> dict[State, int]:
    """Return the number of receipts in every state, zero included."""
    found: dict[State, int] = dict.fromkeys(State, 0)
    for value, count in connection.execute(
        "SELECT state, sum(instances) FROM tallies GROUP BY state"
    ):
        found[State(value)] = count
    return found


def oldest_waiting(connection: sqlite3.Connection) -> float | None:
    """Return when the instance was received that has waited longest for the pipeline."""
    row = connection.execute(
        "SELECT received_at FROM receipts INDEXED BY receipts_waiting"
        " WHERE state IN ('received', 'routed', 'deidentified') ORDER BY seq LIMIT 1"
    ).fetchone()
    return None if row is None else row[0]


def _quarantine(tallies: Sequence[sqlite3.Row]) -> dict[str, int]:
    by_reason: dict[str, int] = {}
    for tally in tallies:
        if tally["state"] == State.QUARANTINED:
            reason = tally["reason"]
            by_reason[reason] = by_reason.get(reason, 0) + tally["instances"]
    return dict(sorted(by_reason.items(), key=lambda item: (-item[1], item[0])))


def _rate(connection: sqlite3.Connection, now: float, window_s: int) -> Rate:
    since = now - window_s
    (received,) = connection.execute(
        "SELECT count(*) FROM receipts WHERE received_at > ?", (since,)
    ).fetchone()
    (settled,) = connection.execute(
        "SELECT count(*) FROM receipts WHERE changed_at > ? AND state IN"
        " ('stored', 'duplicate', 'unrouted', 'quarantined')",
        (since,),
    ).fetchone()
    return Rate(window_s, received / window_s, settled / window_s)


def _receivers(tallies: Sequence[sqlite3.Row], waiting: frozenset[str]) -> list[ReceiverFigures]:
    return [
        ReceiverFigures(
            receiver,
            instances=sum(t["instances"] for t in own),
            bytes=sum(t["bytes"] for t in own),
            waiting=sum(t["instances"] for t in own if t["state"] in waiting),
            refused=sum(t["instances"] for t in own if t["state"] in REFUSED),
        )
        for receiver in sorted({t["receiver"] for t in tallies})
        for own in [[t for t in tallies if t["receiver"] == receiver]]
    ]


def _destinations(tallies: Sequence[sqlite3.Row]) -> list[DestinationFigures]:
    return [
        DestinationFigures(
            name,
            stored=sum(t["instances"] for t in own if t["state"] == State.STORED),
            stored_bytes=sum(t["bytes"] for t in own if t["state"] == State.STORED),
            quarantined=sum(t["instances"] for t in own if t["state"] == State.QUARANTINED),
        )
        for name in sorted({t["deidentifier"] for t in tallies} - {""})
        for own in [[t for t in tallies if t["deidentifier"] == name]]
    ]


def _store(connection: sqlite3.Connection, store: StoreName) -> StoreFigures:
    (studies,) = connection.execute(f"SELECT count(*) FROM {store}_studies").fetchone()  # noqa: S608 - fixed names
    totals = connection.execute(
        "SELECT instances, bytes FROM totals WHERE store = ?", (store.value,)
    ).fetchone()
    return StoreFigures(store.value, studies, totals["instances"], totals["bytes"])


def _disk(state_dir: Path) -> DiskFigures:
    disk = os.statvfs(state_dir)
    database = sum(path.stat().st_size for path in state_dir.glob("dicomveil.sqlite*"))
    return DiskFigures(disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize, database)


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of one receipt, without an original value.

    Attributes
    ----------
    place
        Where the received bytes are: ``spool``, ``source`` or ``gone``.
    related
        The receipt that it is a duplicate of, conflicts with, or was replaced by; may be empty.
    changed_at
        When it came into its state.
    outcome
        The JSON outcome record; empty if there is none.
    """

    receipt: Receipt
    place: str
    related: str
    changed_at: float
    outcome: bytes


def refused(
    connection: sqlite3.Connection,
    *,
    states: Sequence[State] = (State.QUARANTINED,),
    reason: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Receipt]:
    """Return what was refused, oldest first, optionally for one reason."""
    marks = ", ".join("?" * len(states))
    rows = connection.execute(
        f"SELECT {RECEIPT_COLUMNS} FROM receipts WHERE state IN ({marks})"  # noqa: S608 - fixed names
        f"{'' if reason is None else ' AND reason = ?'} ORDER BY seq LIMIT ? OFFSET ?",
        (*states, *(() if reason is None else (reason,)), limit, offset),
    )
    return [receipt_of(row) for row in rows]


def show(connection: sqlite3.Connection, receipt_id: str) -> Shown | None:
    """Return all that is known of a receipt, or None.

    Parameters
    ----------
    receipt_id
        Its id, or the beginning of it if that fits one receipt only.
    """
    end = receipt_id + "g"  # sorts behind every hexadecimal digit
    rows = connection.execute(
        f"SELECT {RECEIPT_COLUMNS}, place, related, changed_at FROM receipts"  # noqa: S608 - fixed names
        " WHERE id >= ? AND id < ? LIMIT 2",
        (receipt_id, end),
    ).fetchall()
    if len(rows) != 1:
        return None
    (row,) = rows
    outcome = connection.execute(
        "SELECT outcome FROM outcomes WHERE receipt_id = ?", (row["id"],)
    ).fetchone()
    return Shown(
        receipt_of(row),
        place=row["place"],
        related=row["related"],
        changed_at=row["changed_at"],
        outcome=b"" if outcome is None else outcome[0],
    )


@dataclass(slots=True)
class Changed:
    """What a retry or discard did.

    Attributes
    ----------
    changed
        Ids that were changed.
    missing
        Ids that cannot be retried, because their bytes are gone.
    passed_over
        Ids that are not refused (any more), or not known.
    """

    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def refused_ids(
    connection: sqlite3.Connection,
    *,
    states: Sequence[State] = (State.QUARANTINED,),
    reason: str | None = None,
) -> list[str]:
    """Return the ids of everything refused, optionally for one reason, to retry or discard."""
    marks = ", ".join("?" * len(states))
    rows = connection.execute(
        f"SELECT id FROM receipts WHERE state IN ({marks})"  # noqa: S608 - fixed names
        f"{'' if reason is None else ' AND reason = ?'} ORDER BY seq",
        (*states, *(() if reason is None else (reason,))),
    )
    return [row[0] for row in rows]


def retry(
    connection: sqlite3.Connection, receipt_ids: Sequence[str], *, now: float | None = None
) -> Changed:
    """Let refused instances go through the pipeline again, as if they had just come, in batches."""
    now = time.time() if now is None else now
    changed = Changed()
    for start in range(0, len(receipt_ids), _BATCH):
        with transaction(connection):
            for receipt_id in receipt_ids[start : start + _BATCH]:
                _retry_one(connection, receipt_id, now, changed)
    return changed


def _retry_one(
    connection: sqlite3.Connection, receipt_id: str, now: float, changed: Changed
) -> None:
    row = connection.execute(
        "SELECT state, place FROM receipts WHERE id = ?", (receipt_id,)
    ).fetchone()
    if row is None or State.RECEIVED not in MOVES[State(row["state"])]:
        changed.passed_over.append(receipt_id)
    elif row["place"] == Place.GONE:
        changed.missing.append(receipt_id)
    else:
        connection.execute(
            "UPDATE receipts SET state = 'received', reason = '', where_ = '', attempts = 0,"
            " not_before = 0, related = '', changed_at = ? WHERE id = ?",
            (now, receipt_id),
        )
        changed.changed.append(receipt_id)


def discard(
    connection: sqlite3.Connection,
    blobs: Mapping[StoreName, Blobs],
    receipt_ids: Sequence[str],
    *,
    now: float | None = None,
) -> Changed:
    """Remove the bytes of refused instances for good; their receipts stay, as discarded."""
    now = time.time() if now is None else now
    changed = Changed()
    for start in range(0, len(receipt_ids), _BATCH):
        garbage: list[Garbage] = []
        with transaction(connection):
            for receipt_id in receipt_ids[start : start + _BATCH]:
                garbage += _discard_one(connection, receipt_id, now, changed)
        remove_garbage(connection, blobs, garbage)
    return changed


def _discard_one(
    connection: sqlite3.Connection, receipt_id: str, now: float, changed: Changed
) -> list[Garbage]:
    row = connection.execute("SELECT state FROM receipts WHERE id = ?", (receipt_id,)).fetchone()
    if row is None or State(row["state"]) not in REFUSED:
        changed.passed_over.append(receipt_id)
        return []
    way(State(row["state"]), State.DISCARDED)
    garbage = [Garbage(StoreName.SOURCE, receipt_id)]
    for store in StoreName:
        indexed = indexing.find_of_receipt(connection, store, receipt_id)
        if indexed is not None:
            indexing.remove(connection, store, indexed)
            garbage.append(Garbage(store, indexed.blob))
    for piece in garbage:
        list_garbage(connection, piece.store, piece.blob)
    connection.execute("DELETE FROM outcomes WHERE receipt_id = ?", (receipt_id,))
    connection.execute(
        "UPDATE receipts SET state = ?, place = ?, changed_at = ? WHERE id = ?",
        (State.DISCARDED.value, Place.GONE.value, now, receipt_id),
    )
    changed.changed.append(receipt_id)
    return garbage


def remove_garbage(
    connection: sqlite3.Connection,
    blobs: Mapping[StoreName, Blobs],
    garbage: Sequence[Garbage],
) -> None:
    """Remove blobs that a committed transaction has listed as garbage, then strike them off.

    A blob that cannot be removed stays listed, and the next start of the daemon tries again.
    """
    removed = []
    for piece in garbage:
        with suppress(OSError):
            blobs[piece.store].remove([piece.blob])
            removed.append(piece)
    strike_garbage(connection, removed)
