"""Decisions of people as a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from daemon.records import Ruling
from daemon.store.decision_rows import Choice, Decider, Decision, Place
from deid.ports import DrawnBox

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_COLUMNS: Final = "id, receipt_id, decided_at, place, reviewer, choice, reason, deidentifier, drawn"


class DecisionTable:
    """Implements `daemon.store.decision_rows.DecisionRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, decision: Decision) -> None:
        """Keep a decision."""
        self._connection.execute(
            "INSERT INTO decisions (receipt_id, decided_at, place, reviewer, choice, reason,"
            " deidentifier, drawn) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                decision.receipt_id,
                decision.decided_at,
                decision.decider.place.value,
                decision.decider.reviewer,
                decision.choice.value,
                decision.reason,
                decision.ruling.deidentifier,
                json.dumps(decision.ruling.drawn),
            ),
        )

    def page(self, receipt_id: str | None, limit: int, offset: int) -> list[Decision]:
        """Return decisions about a receipt, or about all, newest first."""
        about = "" if receipt_id is None else "WHERE receipt_id = ?"
        given = () if receipt_id is None else (receipt_id,)
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM decisions {about} ORDER BY id DESC LIMIT ? OFFSET ?",  # noqa: S608 - fixed text
            (*given, limit, offset),
        )
        return [_decision(row) for row in rows]

    def in_force(self, receipt_ids: Sequence[str]) -> dict[str, Ruling]:
        """Return the latest ruling of those receipts that have one that says something."""
        marks = ", ".join("?" * len(receipt_ids))
        rows = self._connection.execute(
            "SELECT receipt_id, deidentifier, drawn, max(id) FROM decisions"  # noqa: S608 - marks only
            f" WHERE receipt_id IN ({marks}) GROUP BY receipt_id",
            tuple(receipt_ids),
        )
        found = {row["receipt_id"]: _ruling(row) for row in rows}
        return {receipt_id: ruling for receipt_id, ruling in found.items() if ruling}


def _decision(row: sqlite3.Row) -> Decision:
    return Decision(
        row["receipt_id"],
        row["decided_at"],
        Decider(Place(row["place"]), row["reviewer"]),
        Choice(row["choice"]),
        row["reason"],
        _ruling(row),
        row["id"],
    )


def _ruling(row: sqlite3.Row) -> Ruling:
    drawn = tuple(DrawnBox(*box) for box in json.loads(row["drawn"]))
    return Ruling(row["deidentifier"], drawn)
