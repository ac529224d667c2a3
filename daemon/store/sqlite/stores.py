"""The stores of all datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.store.rows import Role, Store, StoreKind

if TYPE_CHECKING:
    import sqlite3


class StoreTable:
    """Implements `daemon.store.ports.StoreRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> list[Store]:
        """Return every store."""
        rows = self._connection.execute(
            "SELECT id, dataset, kind, name, role, folder FROM stores ORDER BY id"
        )
        return [
            Store(store_id, dataset, StoreKind(kind), name, Role(role), folder)
            for store_id, dataset, kind, name, role, folder in rows
        ]

    def add(self, dataset: str, kind: StoreKind, name: str) -> Store:
        """Make a store without a role, and return it."""
        (store_id,) = self._connection.execute("SELECT max(id) + 1 FROM stores").fetchone()
        store = Store(store_id, dataset, kind, name, Role.NONE, f"store-{store_id}")
        self._connection.execute(
            "INSERT INTO stores (id, dataset, kind, name, role, folder) VALUES (?, ?, ?, ?, ?, ?)",
            (store.id, store.dataset, store.kind.value, store.name, store.role.value, store.folder),
        )
        return store
