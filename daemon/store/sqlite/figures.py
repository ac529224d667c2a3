"""What is counted: tallies of receipts and totals of stores, both kept by triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.store.rows import StoreTotals, Tally
from daemon.store.sqlite.numbering import bounds

if TYPE_CHECKING:
    import sqlite3

    from daemon.store.rows import Store

_TALLIES_NOW: Final = (
    "SELECT receiver, state, deidentifier, reason, place, count(*) AS instances,"
    " sum(size) AS bytes FROM receipts GROUP BY receiver, state, deidentifier, reason, place"
)
_TOTALS_NOW: Final = (
    "SELECT s.id, count(i.id), coalesce(sum(i.size), 0) FROM stores s"
    " LEFT JOIN instances i ON i.store_id = s.id GROUP BY s.id"
)


class FigureTables:
    """Implements `daemon.store.ports.FigureRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def tallies(self) -> list[Tally]:
        """Return receipts counted by what they have in common."""
        rows = self._connection.execute(
            "SELECT receiver, state, deidentifier, reason, place, instances, bytes FROM tallies"
            " WHERE instances > 0"
        )
        return [Tally(*row) for row in rows]

    def waiting(self) -> tuple[int, int]:
        """Return instances and bytes that wait in the spool."""
        instances, size = self._connection.execute(
            "SELECT coalesce(sum(instances), 0), coalesce(sum(bytes), 0) FROM tallies"
            " WHERE state = 'received' AND place = 'spool'"
        ).fetchone()
        return instances, size

    def kept_bytes(self) -> int:
        """Return received bytes that are still there."""
        return self._number("SELECT coalesce(sum(bytes), 0) FROM tallies WHERE place <> 'gone'")

    def oldest_waiting(self) -> float | None:
        """Return when the instance was received that has waited longest."""
        row = self._connection.execute(
            "SELECT received_at FROM receipts INDEXED BY receipts_waiting"
            " WHERE state = 'received' AND place = 'spool' ORDER BY seq LIMIT 1"
        ).fetchone()
        return None if row is None else row[0]

    def received_since(self, since: float) -> int:
        """Count what was received after that time."""
        return self._number("SELECT count(*) FROM receipts WHERE received_at > ?", since)

    def settled_since(self, since: float) -> int:
        """Count what was settled after that time."""
        return self._number(
            "SELECT count(*) FROM receipts WHERE changed_at > ? AND state IN"
            " ('stored', 'duplicate', 'unrouted', 'quarantined')",
            since,
        )

    def _number(self, sql: str, *parameters: object) -> int:
        (number,) = self._connection.execute(sql, parameters).fetchone()
        return int(number)

    def of_store(self, store: Store) -> StoreTotals:
        """Return what a store holds."""
        studies, series = (
            self._number(
                f"SELECT count(*) FROM {table} WHERE id BETWEEN ? AND ?",  # noqa: S608 - fixed names
                *bounds(store.id),
            )
            for table in ("studies", "series")
        )
        totals = self._connection.execute(
            "SELECT instances, bytes FROM totals WHERE store_id = ?", (store.id,)
        ).fetchone()
        return StoreTotals(studies, totals["instances"], totals["bytes"], series)

    def are_wrong(self) -> bool:
        """Count the rows, and tell whether a figure differs."""
        wrong = self._connection.execute(
            f"SELECT EXISTS ({_TALLIES_NOW} EXCEPT SELECT * FROM tallies)"  # noqa: S608 - fixed names
            f" OR EXISTS (SELECT * FROM tallies WHERE instances <> 0 EXCEPT {_TALLIES_NOW})"
        ).fetchone()[0]
        wrong = wrong or self._number(
            f"SELECT EXISTS ({_TOTALS_NOW} EXCEPT SELECT * FROM totals)"  # noqa: S608 - fixed names
        )
        return bool(wrong)

    def count_again(self) -> None:
        """Write every figure anew from the rows."""
        self._connection.execute("DELETE FROM tallies")
        self._connection.execute(f"INSERT INTO tallies {_TALLIES_NOW}")
        self._connection.execute("DELETE FROM totals")
        self._connection.execute(f"INSERT INTO totals {_TOTALS_NOW}")
