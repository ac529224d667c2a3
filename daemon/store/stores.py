"""The durable heart put together: one state folder, opened by one daemon at a time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from daemon.records import StoreName
from daemon.store import database as databases
from daemon.store.blobs import FileBlobs
from daemon.store.database import Database
from daemon.store.files import make_private_folder
from daemon.store.index import SqliteIndex
from daemon.store.layout import Layout, StateLock
from daemon.store.receipts import ConflictPolicy, SqliteReceipts
from daemon.store.recovery import Recovered, recover
from daemon.store.spool import FileSpool, SpoolLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Stores:
    """Everything durable. Made by `open`; ended by `close`."""

    def __init__(
        self,
        layout: Layout,
        lock: StateLock,
        database: Database,
        recovered: Recovered,
        limits: SpoolLimits,
        conflict: ConflictPolicy,
        clock: Callable[[], float],
    ) -> None:
        self.layout = layout
        self.recovered: Final = recovered
        self.database: Final = database
        self._lock = lock
        self.blobs: Final = {store: FileBlobs(layout.store(store)) for store in StoreName}
        self.receipts: Final = SqliteReceipts(
            database,
            spool_folder=layout.spool,
            work_folder=layout.work,
            source=self.blobs[StoreName.SOURCE],
            deid=self.blobs[StoreName.DEID],
            conflict=conflict,
            clock=clock,
        )
        self.spool: Final = FileSpool(
            layout.spool, database, limits, clock=clock, arrived=self.receipts.note_arrival
        )
        self.source: Final = SqliteIndex(StoreName.SOURCE, database, self.blobs[StoreName.SOURCE])
        self.deid: Final = SqliteIndex(StoreName.DEID, database, self.blobs[StoreName.DEID])

    @classmethod
    async def open(
        cls,
        state_dir: Path,
        limits: SpoolLimits | None = None,
        conflict: ConflictPolicy = ConflictPolicy.QUARANTINE,
        *,
        clock: Callable[[], float] = time.time,
    ) -> Stores:
        """Open a state folder (made if need be), migrate its database, and recover from a kill.

        Raises
        ------
        StoreUnavailable
            If another daemon has it, or the disk or the database refuses.
        SchemaTooNew
            If a newer program wrote the database.
        """
        layout = Layout(state_dir)
        lock, database, recovered = await asyncio.to_thread(_open, layout, clock)
        stores = cls(layout, lock, database, recovered, limits or SpoolLimits(), conflict, clock)
        await stores.spool.start()
        return stores

    async def close(self) -> None:
        """Finish what was promised and let go of the state folder. May be called twice."""
        await self.database.close()
        self.spool.close()
        self._lock.release()


def _open(layout: Layout, clock: Callable[[], float]) -> tuple[StateLock, Database, Recovered]:
    try:
        for folder in (layout.state_dir, layout.spool, layout.work):
            make_private_folder(folder)
        lock = StateLock(layout.lock)
    except OSError as error:
        raise databases.translated(error) from error
    try:
        databases.create_or_migrate(layout.database)
        recovered = _recover(layout, clock())
        return lock, Database(layout.database), recovered
    except OSError as error:
        lock.release()
        raise databases.translated(error) from error
    except BaseException:
        lock.release()
        raise


def _recover(layout: Layout, now: float) -> Recovered:
    connection = databases.connect(layout.database)
    try:
        return recover(
            connection,
            spool_folder=layout.spool,
            work_folder=layout.work,
            lost_folder=layout.lost,
            blobs={store: FileBlobs(layout.store(store)) for store in StoreName},
            now=now,
        )
    finally:
        connection.close()
