"""The stores of all datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.store.rows import Role, Store, StoreKind

if TYPE_CHECKING:
    import sqlite3

FIRST_STORES: Final = (
    Store(1, "default", StoreKind.DICOM, "source", Role.SOURCE, "source"),
    Store(2, "default", StoreKind.DICOM, "deid", Role.DESTINATION, "deid"),
)


class StoreTable:
    """Implements `daemon.store.ports.StoreRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> list[Store]:
        """Return every store."""
        return list(FIRST_STORES)
