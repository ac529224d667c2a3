"""Receipts, their outcomes, intents and garbage as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Unpack

from daemon.records import Origin, Receipt, Receiver, State
from daemon.store.rows import Arrival, Entry, Garbage, Place
from daemon.store.sqlite import packing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from daemon.store.rows import ReceiptChange, Store

_COLUMNS: Final = (
    "id, receiver, calling_ae, called_ae, peer, drop_folder, drop_name, received_at, size, state,"
    " attempts, kills, reason, where_, route, deidentifier"
)
_IDENTITY: Final = "id, receiver, calling_ae, called_ae, peer, drop_folder, drop_name, received_at"
_ENTRY_COLUMNS: Final = f"{_COLUMNS}, seq, place, related, changed_at"
_COLUMN_OF: Final = {"where": "where_"}


def _receipt(row: sqlite3.Row) -> Receipt:
    return Receipt(
        id=row["id"],
        origin=_origin(row),
        received_at=row["received_at"],
        size=row["size"],
        state=State(row["state"]),
        attempts=row["attempts"],
        kills=row["kills"],
        reason=row["reason"],
        where=row["where_"],
        route=row["route"],
        deidentifier=row["deidentifier"],
    )


def _origin(row: sqlite3.Row) -> Origin:
    return Origin(
        Receiver(row["receiver"]),
        row["calling_ae"],
        row["called_ae"],
        row["peer"],
        row["drop_folder"],
        row["drop_name"],
    )


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(row["seq"], _receipt(row), Place(row["place"]), row["related"], row["changed_at"])


class ReceiptTables:
    """Implements `daemon.store.ports.ReceiptRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, receipt: Receipt) -> None:
        """Write the row that acknowledges an instance."""
        self._connection.execute(
            "INSERT INTO receipts"  # noqa: S608 - fixed names
            f" ({_IDENTITY}, changed_at, size, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *_identity(receipt),
                receipt.received_at,
                receipt.size,
                receipt.state.value,
            ),
        )

    def get(self, receipt_id: str) -> Entry | None:
        """Return a receipt's row."""
        row = self._connection.execute(
            f"SELECT {_ENTRY_COLUMNS} FROM receipts WHERE id = ?",  # noqa: S608 - fixed names
            (receipt_id,),
        ).fetchone()
        return None if row is None else _entry(row)

    def beginning_with(self, prefix: str, limit: int) -> list[Entry]:
        """Return receipts whose ids begin so."""
        end = prefix + "g"  # sorts behind every hexadecimal digit
        rows = self._connection.execute(
            f"SELECT {_ENTRY_COLUMNS} FROM receipts WHERE id >= ? AND id < ? LIMIT ?",  # noqa: S608 - fixed names
            (prefix, end, limit),
        )
        return [_entry(row) for row in rows]

    def change(self, receipt_id: str, **changes: Unpack[ReceiptChange]) -> None:
        """Change what is named."""
        columns = ", ".join(f"{_COLUMN_OF.get(name, name)} = ?" for name in changes)
        self._connection.execute(
            f"UPDATE receipts SET {columns} WHERE id = ?",  # noqa: S608 - names of a typed dictionary
            (*changes.values(), receipt_id),
        )

    def add_attempts(self, receipt_ids: Sequence[str], change: int) -> None:
        """Count attempts up or down, never below zero."""
        self._connection.executemany(
            "UPDATE receipts SET attempts = max(0, attempts + ?) WHERE id = ?",
            [(change, receipt_id) for receipt_id in receipt_ids],
        )

    def due(self, now: float, longest_delay_s: float, limit: int) -> list[Receipt]:
        """Return those that wait and are due: those in the spool first, in the order of arrival."""
        return self._some(
            "INDEXED BY receipts_waiting WHERE state = 'received'"
            " AND not_before NOT BETWEEN ? AND ? ORDER BY place DESC, seq LIMIT ?",
            (math.nextafter(now, math.inf), now + longest_delay_s, limit),
        )

    def waiting(self) -> list[Receipt]:
        """Return all that wait for the pipeline, in the order of arrival."""
        return self._some("INDEXED BY receipts_waiting WHERE state = 'received' ORDER BY seq", ())

    def refused(
        self, states: Sequence[State], reason: str | None, limit: int, offset: int
    ) -> list[Receipt]:
        """Return those in these states, and with that reason unless it is None, in order of arrival."""
        marks = ", ".join("?" * len(states))
        with_reason = "" if reason is None else " AND reason = ?"
        return self._some(
            f"WHERE state IN ({marks}){with_reason} ORDER BY seq LIMIT ? OFFSET ?",
            (*states, *(() if reason is None else (reason,)), limit, offset),
        )

    def first_arrival(self, since: float, until: float) -> int | None:
        """Return the number of the first to arrive of those received within that time, or None."""
        row = self._connection.execute(
            "SELECT seq FROM receipts WHERE received_at BETWEEN ? AND ? ORDER BY seq LIMIT 1",
            (since, until),
        ).fetchone()
        return None if row is None else int(row[0])

    def removable(self, limit: int, arrived_before: int | None = None) -> list[Receipt]:
        """Return those that are done with and still have their bytes in the source, oldest first."""
        return self._some(
            "INDEXED BY receipts_removable"
            " WHERE state IN ('discarded', 'duplicate', 'stored') AND place = 'source'"
            " AND (?1 IS NULL OR seq < ?1) ORDER BY received_at LIMIT ?2",
            (arrived_before, limit),
        )

    def _some(self, condition: str, parameters: tuple[object, ...]) -> list[Receipt]:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM receipts {condition}",  # noqa: S608 - text of this file
            parameters,
        )
        return [_receipt(row) for row in rows]

    def page(self, after: int, limit: int) -> list[Entry]:
        """Return receipts that come after that number, in the order of arrival."""
        rows = self._connection.execute(
            f"SELECT {_ENTRY_COLUMNS} FROM receipts WHERE seq > ? ORDER BY seq LIMIT ?",  # noqa: S608 - fixed names
            (after, limit),
        )
        return [_entry(row) for row in rows.fetchall()]

    def arrivals(self, source: Store, destination: Store, after: int, limit: int) -> list[Arrival]:
        """Return receipts that come after that number, with what the stores show of them."""
        rows = self._connection.execute(
            "SELECT r.seq, r.receiver, r.state, r.reason, r.where_, coalesce(i.SOPInstanceUID, ''),"  # noqa: S608 - fixed names
            " coalesce(s.PatientID, ''), coalesce(s.StudyInstanceUID, '') FROM receipts r"
            f" LEFT JOIN instances i ON i.receipt_id = r.id AND i.store_id = {source.id}"
            f" LEFT JOIN instances o ON o.receipt_id = r.id AND o.store_id = {destination.id}"
            " LEFT JOIN studies s ON s.id = o.study_id"
            " WHERE r.seq > ? ORDER BY r.seq LIMIT ?",
            (after, limit),
        )
        return [Arrival(seq, receiver, State(state), *rest) for seq, receiver, state, *rest in rows]

    def is_empty(self) -> bool:
        """Tell whether nothing was ever acknowledged."""
        return self._connection.execute("SELECT 1 FROM receipts LIMIT 1").fetchone() is None

    def newest(self) -> float:
        """Return when the last instance was received; 0 if none ever was."""
        row = self._connection.execute(
            "SELECT received_at FROM receipts ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return 0.0 if row is None else float(row[0])

    def outcome(self, receipt_id: str) -> bytes:
        """Return the JSON outcome record; empty if there is none."""
        row = self._connection.execute(
            "SELECT packed FROM outcomes WHERE receipt_id = ?", (receipt_id,)
        ).fetchone()
        return b"" if row is None else packing.unpack(row[0], packing.OUTCOME)

    def set_outcome(self, receipt_id: str, outcome: bytes) -> None:
        """Keep an outcome record in place of an earlier one; an empty one removes it."""
        self._connection.execute("DELETE FROM outcomes WHERE receipt_id = ?", (receipt_id,))
        if outcome:
            self._connection.execute(
                "INSERT INTO outcomes (receipt_id, packed) VALUES (?, ?)",
                (receipt_id, packing.pack(outcome, packing.OUTCOME)),
            )


class IntentTable:
    """Implements `daemon.store.ports.IntentRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, receipts: Sequence[Receipt]) -> None:
        """Announce receipts-to-be."""
        self._connection.executemany(
            f"INSERT INTO intents ({_IDENTITY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - fixed names
            [_identity(receipt) for receipt in receipts],
        )

    def all(self) -> list[Receipt]:
        """Return every intent; its size is not known."""
        rows = self._connection.execute("SELECT * FROM intents").fetchall()
        return [Receipt(row["id"], _origin(row), row["received_at"], 0) for row in rows]

    def remove(self, receipt_ids: Sequence[str]) -> None:
        """Forget intents."""
        self._connection.executemany(
            "DELETE FROM intents WHERE id = ?", [(receipt_id,) for receipt_id in receipt_ids]
        )


def _identity(receipt: Receipt) -> tuple[str, str, str, str, str, str, str, float]:
    origin = receipt.origin
    return (
        receipt.id,
        origin.receiver.value,
        origin.calling_ae,
        origin.called_ae,
        origin.peer,
        origin.drop_folder,
        origin.drop_name,
        receipt.received_at,
    )


class GarbageTable:
    """Implements `daemon.store.ports.GarbageRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, garbage: Garbage, removable_at: float = 0.0) -> None:
        """Note that a blob has to be removed, not before that time."""
        self._connection.execute(
            "INSERT OR IGNORE INTO garbage (store_id, blob, removable_at) VALUES (?, ?, ?)",
            (*garbage, removable_at),
        )

    def remove(self, garbage: Sequence[Garbage]) -> None:
        """Forget blobs that have been removed, or are needed again."""
        self._connection.executemany("DELETE FROM garbage WHERE store_id = ? AND blob = ?", garbage)

    def has(self, garbage: Garbage) -> bool:
        """Tell whether a blob is listed."""
        found = self._connection.execute(
            "SELECT 1 FROM garbage WHERE store_id = ? AND blob = ?", garbage
        )
        return found.fetchone() is not None

    def removable(self, now: float) -> list[Garbage]:
        """Return what may be removed at that time."""
        rows = self._connection.execute(
            "SELECT store_id, blob FROM garbage WHERE removable_at <= ?", (now,)
        )
        return [Garbage(*row) for row in rows.fetchall()]
