"""The engine of one machine: rows in an SQLite file, blobs in folders."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from daemon.store.files.blobs import FileBlobs
from daemon.store.rows import StoreKind
from daemon.store.sqlite import copies, damage
from daemon.store.sqlite.connections import translating
from daemon.store.sqlite.database import SqliteDatabase, connect_current, create_or_migrate
from daemon.store.sqlite.session import SqliteSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.store.layout import Layout
    from daemon.store.rows import Store


class Embedded:
    """Implements `daemon.store.ports.Engine`.

    Parameters
    ----------
    readers
        Threads of the daemon that read.
    """

    def __init__(self, readers: int = 2) -> None:
        self._readers = readers

    def prepare(self, layout: Layout) -> bool:
        """Make the database, or bring it to the schema of this program; tell whether that was needed."""
        return create_or_migrate(layout.database)

    def forget_copies(self, layout: Layout) -> None:
        """Remove the copies of the database from before its migrations."""
        copies.remove(layout.database)

    def exists(self, layout: Layout) -> bool:
        """Tell whether there is a database."""
        return layout.database.is_file()

    def problems(self, layout: Layout, *, thorough: bool) -> list[str]:
        """Have SQLite check its file."""
        return damage.problems(layout.database, thorough=thorough)

    def rebuild_indexes(self, layout: Layout) -> None:
        """Make the indexes of the file anew."""
        damage.rebuild_indexes(layout.database)

    def set_aside(self, layout: Layout) -> str:
        """Rename the file."""
        return damage.set_aside(layout.database)

    @contextmanager
    def session(self, layout: Layout, *, query_only: bool = False) -> Iterator[SqliteSession]:
        """Open the database beside a daemon that may be running."""
        opened = connect_current(layout.database, query_only=query_only)
        with closing(opened) as connection, translating():
            yield SqliteSession(connection)

    def database(self, layout: Layout) -> SqliteDatabase:
        """Open what the daemon itself uses."""
        return SqliteDatabase(layout.database, readers=self._readers)

    def blobs(self, layout: Layout, store: Store) -> FileBlobs:
        """Return the folder of a store."""
        return FileBlobs(layout.blobs(store), ".json" if store.kind is StoreKind.FHIR else ".dcm")


EMBEDDED = Embedded()
