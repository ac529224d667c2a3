"""The stores of all datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.store.rows import Role, Store, StoreKind
from daemon.store.sqlite.numbering import bounds

if TYPE_CHECKING:
    import sqlite3

_LAST: Final = "last_store"
"""The fact that remembers the highest number, so that what was removed leaves none behind."""
_COLUMNS: Final = "id, dataset, kind, name, role, folder"


class StoreTable:
    """Implements `daemon.store.ports.StoreRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> list[Store]:
        """Return every store."""
        return self._some("ORDER BY id")

    def find(self, dataset: str, kind: StoreKind, name: str) -> Store | None:
        """Return a store by its name."""
        found = self._some("WHERE dataset = ? AND kind = ? AND name = ?", dataset, kind.value, name)
        return found[0] if found else None

    def of_dataset(self, dataset: str, kind: StoreKind) -> list[Store]:
        """Return the stores of a dataset, by name."""
        return self._some("WHERE dataset = ? AND kind = ? ORDER BY name", dataset, kind.value)

    def add(self, dataset: str, kind: StoreKind, name: str) -> Store:
        """Make a store without a role, and return it."""
        store_id = 1 + self.newest()
        self._connection.execute(
            "INSERT INTO facts (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_LAST, str(store_id)),
        )
        store = Store(store_id, dataset, kind, name, Role.NONE, f"store-{store_id}")
        self._connection.execute(
            "INSERT INTO stores (id, dataset, kind, name, role, folder) VALUES (?, ?, ?, ?, ?, ?)",
            (store.id, store.dataset, store.kind.value, store.name, store.role.value, store.folder),
        )
        return store

    def newest(self) -> int:
        """Return the highest number that was ever given to a store."""
        (found,) = self._connection.execute(
            "SELECT max((SELECT max(id) FROM stores),"
            " coalesce((SELECT CAST(value AS INTEGER) FROM facts WHERE name = ?), 0))",
            (_LAST,),
        ).fetchone()
        return int(found)

    def settings(self, store: Store) -> str:
        """Return what a store's owner said of it."""
        (found,) = self._connection.execute(
            "SELECT settings FROM stores WHERE id = ?", (store.id,)
        ).fetchone()
        return str(found)

    def set_settings(self, store: Store, settings: str) -> None:
        """Keep what a store's owner says of it."""
        self._connection.execute(
            "UPDATE stores SET settings = ? WHERE id = ?", (settings, store.id)
        )

    def remove(self, store: Store) -> None:
        """Forget a store and all that its rows say."""
        first, last = bounds(store.id)
        for table in ("instance_json", "metadata", "instances", "series_json", "series"):
            self._delete(table, "id BETWEEN ? AND ?", first, last)
        self._delete("study_json", "id BETWEEN ? AND ?", first, last)
        for table in ("terms", "studies", "identifiers", "study_patients", "garbage", "deletions"):
            self._delete(table, "store_id = ?", store.id)
        self._delete("operation_outcomes", "store_id = ?", store.id)
        for table in ("fhir_tokens", "fhir_dates", "fhir_keys", "fhir_sidecars"):
            self._delete(table, "store_id = ?", store.id)
        self._delete("fhir_versions", "resource BETWEEN ? AND ?", first, last)
        self._delete("fhir_resources", "id BETWEEN ? AND ?", first, last)
        self._delete("totals", "store_id = ?", store.id)
        self._delete("stores", "id = ?", store.id)

    def _delete(self, table: str, condition: str, *values: int) -> None:
        self._connection.execute(f"DELETE FROM {table} WHERE {condition}", values)  # noqa: S608 - fixed words

    def _some(self, conditions: str, *values: object) -> list[Store]:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM stores {conditions}",  # noqa: S608 - fixed words
            values,
        )
        return [
            Store(store_id, dataset, StoreKind(kind), name, Role(role), folder)
            for store_id, dataset, kind, name, role, folder in rows
        ]
