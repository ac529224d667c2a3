"""The stores of a state folder with their blobs, and which of them the daemon is configured to use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from daemon.errors import StoreUnavailable
from daemon.store.rows import Garbage, Role, StoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daemon.store.blobs import Blobs
    from daemon.store.layout import Layout
    from daemon.store.ports import Engine, Session
    from daemon.store.rows import Store


class StoreSet:
    """Every store, by what is asked of it.

    Attributes
    ----------
    source, destination
        What instances are received into, and where results go.
    fhir_source, fhir_destination
        The same of FHIR resources.
    all
        Those that were there at the start.
    blobs
        Where each store keeps its files, by the store's number (`blobs_of` finds them of any).

    Raises
    ------
    StoreUnavailable
        If the rows name no source or no destination, or more than one.
    """

    def __init__(self, engine: Engine, layout: Layout, session: Session) -> None:
        self.all: Final[Sequence[Store]] = session.stores.all()
        self.source: Final = self._only(StoreKind.DICOM, Role.SOURCE)
        self.destination: Final = self._only(StoreKind.DICOM, Role.DESTINATION)
        self.fhir_source: Final = self._only(StoreKind.FHIR, Role.SOURCE)
        self.fhir_destination: Final = self._only(StoreKind.FHIR, Role.DESTINATION)
        self.blobs: Final[dict[int, Blobs]] = {
            store.id: engine.blobs(layout, store) for store in self.all
        }
        self._layout: Final = layout
        self._make_blobs: Final = partial(engine.blobs, layout)

    def blobs_of(self, store: Store) -> Blobs:
        """Return where a store keeps its files, of one that was made since as well."""
        if store.id not in self.blobs:
            self.blobs[store.id] = self._make_blobs(store)
        return self.blobs[store.id]

    def empty(self, store: Store) -> None:
        """Remove the files of a store whose rows are gone."""
        blobs = self.blobs_of(store)
        blobs.remove(list(blobs.names()))
        self.blobs.pop(store.id, None)

    def folders_without_rows(self, session: Session) -> list[Path]:
        """Return folders with blobs of stores that the rows, being of an older copy or new, know nothing of."""
        return [
            folder
            for number, folder in self._layout.store_folders()
            if number > session.stores.newest() and any(folder.glob("*/*/*"))
        ]

    def adopt(self, store: Store, folder: Path) -> None:
        """Let a new store have the blobs of such a folder."""
        if folder != self._layout.blobs(store):
            folder.rename(self._layout.blobs(store))
        self.blobs_of(store)

    def _only(self, kind: StoreKind, role: Role) -> Store:
        stores = [store for store in self.all if (store.kind, store.role) == (kind, role)]
        if len(stores) != 1:
            raise StoreUnavailable(f"{len(stores)} {kind} stores have the role {role}, not one")
        return stores[0]

    @property
    def in_use(self) -> tuple[Store, Store]:
        """Source and destination."""
        return self.source, self.destination

    @property
    def others(self) -> list[Store]:
        """DICOM stores that somebody made."""
        return [each for each in self.all if each.kind is StoreKind.DICOM and not each.role]

    @property
    def posted(self) -> list[Store]:
        """FHIR stores that are written to from outside: the source, and those that somebody made."""
        return [
            each
            for each in self.all
            if each.kind is StoreKind.FHIR and each.role is not Role.DESTINATION
        ]

    def called(self, store: Store) -> str:
        """Return what a finding calls a DICOM store: what somebody made may be named after anybody."""
        return store.name if store.role else store.folder

    def named(self, name: str) -> Store:
        """Return the DICOM store that a finding calls so."""
        return next(store for store in (*self.in_use, *self.others) if self.called(store) == name)

    def remove(self, garbage: Sequence[Garbage]) -> None:
        """Remove blobs; those that are gone already are passed over, and those of stores that are gone."""
        for piece in garbage:
            if piece.store_id in self.blobs:
                self.blobs[piece.store_id].remove([piece.blob])
