"""The durable heart put together: one state folder, opened by one daemon at a time."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from config.settings import Spool
from daemon.errors import DaemonError
from daemon.store import witnesses
from daemon.store.dicom import DicomStore
from daemon.store.embedded import EMBEDDED
from daemon.store.fhir import FhirSink, FhirStore
from daemon.store.files.folders import make_private_folder, refusal
from daemon.store.knowing import known_of
from daemon.store.layout import Layout, StateLock
from daemon.store.posted import Posted
from daemon.store.receipts import StoreReceipts
from daemon.store.recovery import Recovered, recover
from daemon.store.settling import ConflictPolicy
from daemon.store.spool import FileSpool, SpoolLimits
from daemon.store.store_set import StoreSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from daemon.records import Known, Question
    from daemon.store.ports import Database, Engine, Session
    from daemon.store.retelling import Retelling
    from daemon.store.rows import Store

_REMEMBERED_S: Final = 400 * 86400
"""How long it is told that something was deleted, and not merely that it is not there."""


class Stores:
    """Everything durable. Made by `open`; ended by `close`.

    Attributes
    ----------
    stores
        Every store's row and blobs, and which of them are source and destination.
    source, destination
        Those two, for reading.
    fhir_source, fhir_destination
        The same of FHIR resources.
    fhir_sink
        Where received resources are written.
    """

    def __init__(
        self,
        engine: Engine,
        layout: Layout,
        lock: StateLock,
        database: Database,
        stores: StoreSet,
        recovered: Recovered,
        limits: SpoolLimits,
        conflict: ConflictPolicy,
        clock: Callable[[], float],
    ) -> None:
        self.engine: Final = engine
        self.layout: Final = layout
        self.recovered: Final = recovered
        self.database: Final = database
        self.stores: Final = stores
        self._lock = lock
        self._retelling: Retelling | None = None
        self.receipts: Final = StoreReceipts(
            database, stores, layout, conflict=conflict, clock=clock
        )
        self.spool: Final = FileSpool(
            layout.spool, database, limits, clock=clock, arrived=self.receipts.note_arrival
        )
        self.source: Final = self.dicom_store(stores.source)
        self.destination: Final = self.dicom_store(stores.destination)
        self.fhir_source: Final = FhirStore(stores.fhir_source, database)
        self.fhir_destination: Final = FhirStore(stores.fhir_destination, database)
        posted = self.posted(stores.fhir_source)
        self.fhir_sink: Final = FhirSink(
            stores, database, clock=clock, changed=self._note_resources, posted=posted
        )

    def dicom_store(self, store: Store) -> DicomStore:
        """Return a store as the web services read it."""
        return DicomStore(store, self.database, self.stores.blobs_of(store))

    def posted(self, store: Store) -> Posted:
        """Return where what was posted to a store, or imported into it, is kept beside its rows."""
        return Posted(self.stores.blobs_of(store), self.layout.work)

    async def empty(self, *stores: Store) -> None:
        """Remove the files of stores whose rows are gone; what the disk refuses nobody can read any more."""
        await asyncio.to_thread(self._empty, stores)

    def _empty(self, stores: Sequence[Store]) -> None:
        for store in stores:
            with suppress(OSError):
                self.stores.empty(store)

    def retell_by(self, retelling: Retelling) -> None:
        """Tell a loop of what it has to look at."""
        self._retelling = retelling
        self.receipts.call_when_settled(retelling.note_settled)

    def _note_resources(self) -> None:
        if self._retelling is not None:
            self._retelling.wake()

    async def known(self, question: Question) -> Known:
        """Return what is known of a study's people and of its patient: all of the study's, or it is cut."""
        if self._retelling is not None:
            self._retelling.note_answered(question.receipt_id)
        return await self.known_in(self.stores.source, question)

    async def known_in(self, store: Store, question: Question) -> Known:
        """Return the same as a store's instances tell it."""
        return await self.database.read(
            lambda session: known_of(session, store, question.study_uid, question.patient)
        )

    @classmethod
    async def open(
        cls,
        state_dir: Path,
        limits: SpoolLimits | None = None,
        conflict: ConflictPolicy = ConflictPolicy.QUARANTINE,
        *,
        clock: Callable[[], float] = time.time,
        engine: Engine = EMBEDDED,
    ) -> Stores:
        """Open a state folder (made if need be), migrate its database, and recover from a kill.

        Raises
        ------
        StoreUnavailable
            If another daemon has it, or the disk or the database refuses.
        DatabaseDamaged, StateIncomplete
            If what is there does not belong together: the message says what can be done.
        SchemaTooNew
            If a newer program wrote the database.
        """
        layout = Layout(state_dir)
        lock, database, stores, recovered, is_changed = await asyncio.to_thread(
            _open, engine, layout, clock
        )
        opened = cls(
            engine,
            layout,
            lock,
            database,
            stores,
            recovered,
            limits or SpoolLimits.of(Spool()),
            conflict,
            clock,
        )
        await opened.spool.start()
        await opened.receipts.start()
        if not is_changed:
            # The start before this one brought the rows to this schema, and so did this one succeed.
            engine.forget_copies(layout)
        return opened

    async def close(self) -> None:
        """Finish what was promised and let go of the state folder. May be called twice."""
        if not self.database.is_closing:
            with suppress(DaemonError):
                await self.receipts.sweep(closing=True)
        await self.database.close()
        self.spool.close()
        self._lock.release()


def _has_rows(session: Session, stores: StoreSet) -> bool:
    return not session.receipts.is_empty() or session.resources.last(stores.fhir_source) > 0


def _open(
    engine: Engine, layout: Layout, clock: Callable[[], float]
) -> tuple[StateLock, Database, StoreSet, Recovered, bool]:
    try:
        for folder in (layout.state_dir, layout.spool, layout.work):
            make_private_folder(folder)
        lock = StateLock(layout.lock)
    except OSError as error:
        raise refusal(error) from error
    try:
        witnesses.refuse_several_file_systems(layout)
        witnesses.refuse_damage(engine, layout)
        witnesses.refuse_missing_rows(layout, are_there=engine.exists(layout))
        is_changed = engine.prepare(layout)
        with engine.session(layout) as session:
            stores = StoreSet(engine, layout, session)
            witnesses.refuse_several_file_systems(layout, stores)
            witnesses.refuse_missing_rows(layout, are_there=_has_rows(session, stores))
            witnesses.refuse_missing_blobs(layout, session, stores)
            recovered = recover(session, stores, layout, now=clock())
            with session.atomically():
                session.deletions.forget(before=clock() - _REMEMBERED_S)
        return lock, engine.database(layout), stores, recovered, is_changed
    except OSError as error:
        lock.release()
        raise refusal(error) from error
    except BaseException:
        lock.release()
        raise
