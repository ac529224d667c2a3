"""Receipts, their outcomes, intents and garbage as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Unpack

from daemon.pipeline.states import terminal_states
from daemon.records import Origin, Receipt, Receiver, State
from daemon.store.rows import Arrival, Entry, Garbage, Place

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from daemon.store.rows import ReceiptChange, Store

_COLUMNS: Final = (
    "id, receiver, calling_ae, called_ae, peer, received_at, size, state, attempts, reason, where_,"
    " route, deidentifier"
)
_ENTRY_COLUMNS: Final = f"{_COLUMNS}, seq, place, related, changed_at"
# As the index `receipts_waiting` has it, which SQLite uses for the same words only. It names two states besides
# `received` that no row was ever in.
WAITING_STATES: Final = "'received', 'routed', 'deidentified'"
_DONE: Final = ", ".join(f"'{state}'" for state in sorted(terminal_states()))
_COLUMN_OF: Final = {"where": "where_"}


def _receipt(row: sqlite3.Row) -> Receipt:
    return Receipt(
        id=row["id"],
        origin=_origin(row),
        received_at=row["received_at"],
        size=row["size"],
        state=State(row["state"]),
        attempts=row["attempts"],
        reason=row["reason"],
        where=row["where_"],
        route=row["route"],
        deidentifier=row["deidentifier"],
    )


def _origin(row: sqlite3.Row) -> Origin:
    return Origin(Receiver(row["receiver"]), row["calling_ae"], row["called_ae"], row["peer"])


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(row["seq"], _receipt(row), Place(row["place"]), row["related"], row["changed_at"])


class ReceiptTables:
    """Implements `daemon.store.ports.ReceiptRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, receipt: Receipt) -> None:
        """Write the row that acknowledges an instance."""
        self._connection.execute(
            "INSERT INTO receipts"
            " (id, receiver, calling_ae, called_ae, peer, received_at, changed_at, size, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        """Return those that wait and are due, in the order of arrival."""
        return self._some(
            f"INDEXED BY receipts_waiting WHERE state IN ({WAITING_STATES})"
            " AND not_before NOT BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            (math.nextafter(now, math.inf), now + longest_delay_s, limit),
        )

    def waiting(self) -> list[Receipt]:
        """Return all that wait for the pipeline, in the order of arrival."""
        return self._some(
            f"INDEXED BY receipts_waiting WHERE state IN ({WAITING_STATES}) ORDER BY seq", ()
        )

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

    def removable(self, limit: int) -> list[Receipt]:
        """Return those that are done with and still have their bytes in the source, oldest first."""
        return self._some(
            f"INDEXED BY receipts_removable WHERE state IN ({_DONE}) AND place = 'source'"
            " ORDER BY received_at LIMIT ?",
            (limit,),
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
            f" LEFT JOIN {source.name}_instances i ON i.receipt_id = r.id"
            f" LEFT JOIN {destination.name}_instances o ON o.receipt_id = r.id"
            f" LEFT JOIN {destination.name}_studies s ON s.id = o.study_id"
            " WHERE r.seq > ? ORDER BY r.seq LIMIT ?",
            (after, limit),
        )
        return [Arrival(seq, receiver, State(state), *rest) for seq, receiver, state, *rest in rows]

    def is_empty(self) -> bool:
        """Tell whether nothing was ever acknowledged."""
        return self._connection.execute("SELECT 1 FROM receipts LIMIT 1").fetchone() is None

    def outcome(self, receipt_id: str) -> bytes:
        """Return the JSON outcome record; empty if there is none."""
        row = self._connection.execute(
            "SELECT outcome FROM outcomes WHERE receipt_id = ?", (receipt_id,)
        ).fetchone()
        return b"" if row is None else row[0]

    def set_outcome(self, receipt_id: str, outcome: bytes) -> None:
        """Keep an outcome record in place of an earlier one; an empty one removes it."""
        self._connection.execute("DELETE FROM outcomes WHERE receipt_id = ?", (receipt_id,))
        if outcome:
            self._connection.execute(
                "INSERT INTO outcomes (receipt_id, outcome) VALUES (?, ?)", (receipt_id, outcome)
            )


class IntentTable:
    """Implements `daemon.store.ports.IntentRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, receipts: Sequence[Receipt]) -> None:
        """Announce receipts-to-be."""
        self._connection.executemany(
            "INSERT INTO intents (id, receiver, calling_ae, called_ae, peer, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
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


def _identity(receipt: Receipt) -> tuple[str, str, str, str, str, float]:
    origin = receipt.origin
    return (
        receipt.id,
        origin.receiver.value,
        origin.calling_ae,
        origin.called_ae,
        origin.peer,
        receipt.received_at,
    )


class GarbageTable:
    """Implements `daemon.store.ports.GarbageRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, garbage: Garbage) -> None:
        """Note that a blob has to be removed."""
        self._connection.execute(
            "INSERT OR IGNORE INTO garbage (store, blob) VALUES (?, ?)", _names([garbage])[0]
        )

    def remove(self, garbage: Sequence[Garbage]) -> None:
        """Forget blobs that have been removed, or are needed again."""
        self._connection.executemany(
            "DELETE FROM garbage WHERE store = ? AND blob = ?", _names(garbage)
        )

    def has(self, garbage: Garbage) -> bool:
        """Tell whether a blob is listed."""
        found = self._connection.execute(
            "SELECT 1 FROM garbage WHERE store = ? AND blob = ?", _names([garbage])[0]
        )
        return found.fetchone() is not None

    def all(self) -> list[Garbage]:
        """Return the list."""
        rows = self._connection.execute("SELECT store, blob FROM garbage").fetchall()
        return [Garbage(_ID_OF[row["store"]], row["blob"]) for row in rows]


_NAME_OF: Final = {1: "source", 2: "deid"}
_ID_OF: Final = {name: store_id for store_id, name in _NAME_OF.items()}


def _names(garbage: Iterable[Garbage]) -> list[tuple[str, str]]:
    return [(_NAME_OF[piece.store_id], piece.blob) for piece in garbage]
