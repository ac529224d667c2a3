"""Datasets and operations as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from daemon.store.operation_rows import Dataset, Failure, Operation
from daemon.store.sqlite import packing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from daemon.store.operation_rows import OperationChange
    from daemon.store.rows import Store

_COLUMNS: Final = (
    "id, dataset, version, method, created_at, ended_at, is_cancelled,"
    " (SELECT w.work FROM operation_work w WHERE w.operation = id) work, step, after_, pending, success,"
    " failure, error_code, error, response"
)
_COLUMN_OF: Final = {"after": "after_"}
_FIELD_OF: Final = {"after_": "after"}
_HIGHEST: Final = (1 << 63) - 1


class DatasetTable:
    """Implements `daemon.store.operation_rows.DatasetRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> list[Dataset]:
        """Return every dataset, by name."""
        rows = self._connection.execute("SELECT name, settings FROM datasets ORDER BY name")
        return [Dataset(*row) for row in rows]

    def get(self, name: str) -> Dataset | None:
        """Return one."""
        row = self._connection.execute(
            "SELECT name, settings FROM datasets WHERE name = ?", (name,)
        ).fetchone()
        return Dataset(*row) if row else None

    def put(self, dataset: Dataset) -> None:
        """Write one in place of an earlier one of that name."""
        self._connection.execute(
            "INSERT INTO datasets (name, settings) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET settings = excluded.settings",
            (dataset.name, dataset.settings),
        )

    def remove(self, name: str) -> None:
        """Forget one."""
        self._connection.execute("DELETE FROM datasets WHERE name = ?", (name,))


class OperationTables:
    """Implements `daemon.store.operation_rows.OperationRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(
        self, dataset: str, version: str, method: str, *, created_at: float, work: str, pending: int
    ) -> Operation:
        """Begin an operation."""
        number = self._connection.execute(
            "INSERT INTO operations (dataset, version, method, created_at, work, pending)"
            " VALUES (?, ?, ?, ?, '', ?)",
            (dataset, version, method, created_at, pending),
        ).lastrowid
        assert number is not None
        self._set_work(number, work)
        found = self.get(number)
        assert found is not None
        return found

    def get(self, number: int) -> Operation | None:
        """Return one."""
        if number > _HIGHEST:
            return None
        found = self._some("WHERE id = ?", number)
        return found[0] if found else None

    def running(self) -> list[Operation]:
        """Return those that have not ended, oldest first."""
        return self._some("WHERE ended_at = 0 ORDER BY id")

    def page(self, dataset: str | None, before: int, limit: int) -> list[Operation]:
        """Return those with smaller numbers, the newest first."""
        if dataset is None:
            return self._some("WHERE id < ? ORDER BY id DESC LIMIT ?", before, limit)
        return self._some(
            "WHERE dataset = ? AND id < ? ORDER BY id DESC LIMIT ?", dataset, before, limit
        )

    def change(self, number: int, **changes: Unpack[OperationChange]) -> None:
        """Change what is named."""
        if "work" in changes:
            self._set_work(number, changes.pop("work"))
        if not changes:
            return
        columns = ", ".join(f"{_COLUMN_OF.get(name, name)} = ?" for name in changes)
        self._connection.execute(
            f"UPDATE operations SET {columns} WHERE id = ?",  # noqa: S608 - names of fields
            (*changes.values(), number),
        )

    def _set_work(self, number: int, work: str) -> None:
        # It may be long, and counters change with every batch: a row is written as a whole.
        self._connection.execute(
            "INSERT OR REPLACE INTO operation_work (operation, work) VALUES (?, ?)", (number, work)
        )

    def add_failures(self, number: int, failures: Sequence[Failure]) -> None:
        """Keep why something was not done."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO operation_failures (operation, store_id, number, reason, where_)"
            " VALUES (?, ?, ?, ?, ?)",
            [(number, *failure) for failure in failures],
        )

    def failures(self, number: int, limit: int, after: tuple[int, int] = (0, 0)) -> list[Failure]:
        """Return what was not done, from after a store and number on."""
        rows = self._connection.execute(
            "SELECT store_id, number, reason, where_ FROM operation_failures WHERE operation = ?"
            " AND (store_id, number) > (?, ?) ORDER BY store_id, number LIMIT ?",
            (number, *after, limit),
        )
        return [Failure(*row) for row in rows]

    def add_changed(self, number: int, changed: Sequence[int]) -> None:
        """Note that rows of a source have changed."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO operation_changes (operation, number) VALUES (?, ?)",
            [(number, each) for each in changed],
        )

    def changed(self, number: int, limit: int) -> list[int]:
        """Return what was noted."""
        rows = self._connection.execute(
            "SELECT number FROM operation_changes WHERE operation = ? ORDER BY number LIMIT ?",
            (number, limit),
        )
        return [each for (each,) in rows]

    def settle_changed(self, number: int, changed: Sequence[int]) -> None:
        """Forget what was noted."""
        self._connection.executemany(
            "DELETE FROM operation_changes WHERE operation = ? AND number = ?",
            [(number, each) for each in changed],
        )

    def set_outcome(self, store: Store, sop_instance_uid: str, outcome: bytes) -> None:
        """Keep what was done to an instance; it goes with the store."""
        self._connection.execute(
            "INSERT OR REPLACE INTO operation_outcomes (store_id, sop_instance_uid, packed)"
            " VALUES (?, ?, ?)",
            (store.id, sop_instance_uid, packing.pack(outcome, packing.OUTCOME)),
        )

    def outcome(self, store: Store, sop_instance_uid: str) -> bytes:
        """Return what was done to an instance."""
        row = self._connection.execute(
            "SELECT packed FROM operation_outcomes WHERE store_id = ? AND sop_instance_uid = ?",
            (store.id, sop_instance_uid),
        ).fetchone()
        return b"" if row is None else packing.unpack(row[0], packing.OUTCOME)

    def forget_ended_before(self, time: float) -> int:
        """Forget those that ended before."""
        ended = "ended_at > 0 AND ended_at < ?"
        for table in ("operation_failures", "operation_work"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE operation IN (SELECT id FROM operations WHERE {ended})",  # noqa: S608 - fixed words and a mark
                (time,),
            )
        return self._connection.execute(f"DELETE FROM operations WHERE {ended}", (time,)).rowcount  # noqa: S608 - a mark only

    def _some(self, conditions: str, *values: object) -> list[Operation]:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM operations {conditions}",  # noqa: S608 - fixed words
            values,
        )
        return [
            Operation(
                **{
                    **{_FIELD_OF.get(name, name): row[name] for name in row.keys()},  # noqa: SIM118 - a row
                    "is_cancelled": bool(row["is_cancelled"]),
                }
            )
            for row in rows
        ]
