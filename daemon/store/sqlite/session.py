"""One connection's rows, by subject. Implements `daemon.store.ports.Session`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.store.sqlite.connections import transaction
from daemon.store.sqlite.decisions import DecisionTable
from daemon.store.sqlite.deletions import DeletionTable
from daemon.store.sqlite.facts import FactTable
from daemon.store.sqlite.figures import FigureTables
from daemon.store.sqlite.identifiers import IdentifierTable
from daemon.store.sqlite.instances import InstanceTables
from daemon.store.sqlite.operations import DatasetTable, OperationTables
from daemon.store.sqlite.receipts import GarbageTable, IntentTable, ReceiptTables
from daemon.store.sqlite.resources import ResourceTables
from daemon.store.sqlite.sidecars import SidecarTables, StudyTables
from daemon.store.sqlite.stores import StoreTable

if TYPE_CHECKING:
    import sqlite3
    from contextlib import AbstractContextManager


class SqliteSession:
    """The rows of the SQLite file on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection: Final = connection
        self.datasets: Final = DatasetTable(connection)
        self.operations: Final = OperationTables(connection)
        self.stores: Final = StoreTable(connection)
        self.receipts: Final = ReceiptTables(connection)
        self.decisions: Final = DecisionTable(connection)
        self.intents: Final = IntentTable(connection)
        self.instances: Final = InstanceTables(connection)
        self.deletions: Final = DeletionTable(connection)
        self.identifiers: Final = IdentifierTable(connection)
        self.resources: Final = ResourceTables(connection)
        self.sidecars: Final = SidecarTables(connection)
        self.studies: Final = StudyTables(connection)
        self.garbage: Final = GarbageTable(connection)
        self.figures: Final = FigureTables(connection)
        self.facts: Final = FactTable(connection)

    def atomically(self) -> AbstractContextManager[None]:
        """Commit what happens inside, durably, or roll all of it back."""
        return transaction(self.connection)
