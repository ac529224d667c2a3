"""The DICOM stores of all datasets, as the viewer names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.healthcare.names import store_name
from daemon.store.rows import Role, StoreKind
from daemon.viewer.page import Source

if TYPE_CHECKING:
    from daemon.store.ports import Database, Session
    from daemon.store.rows import Store

_ORDER: Final = (Role.DESTINATION, Role.SOURCE, Role.NONE)


async def viewable(database: Database) -> list[Source]:
    """Return every DICOM store: the destination first, then the source, then the others."""
    return await database.read(_viewable)


def _viewable(session: Session) -> list[Source]:
    stores = [each for each in session.stores.all() if each.kind is StoreKind.DICOM]
    return [_source(each) for each in sorted(stores, key=lambda each: _ORDER.index(each.role))]


def _source(store: Store) -> Source:
    if store.role is Role.NONE:
        # Their names alone need not differ from each other's, nor from those of the configured ones.
        name = f"{store.dataset.rpartition('/')[2]}.{store.name}"
        return Source(name, f"v1/{store_name(store)}/dicomWeb", is_writable=True)
    return Source(store.name, f"dicomweb/{store.name}", is_writable=store.role is Role.SOURCE)
