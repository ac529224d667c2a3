"""Taking an instance out of sight, with all that is known because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance
    from daemon.store.store_set import StoreSet


def hide(session: Session, stores: StoreSet, instance: IndexedInstance) -> None:
    """Remove an instance from its index; the identifiers of its study go with its last instance."""
    session.instances.remove(instance)
    if instance.store_id == stores.destination.id:
        return  # nothing is known of people there
    store = next((each for each in session.stores.all() if each.id == instance.store_id), None)
    if store is not None and not session.instances.has_study(store, instance.study_uid):
        session.identifiers.forget_study(store, instance.study_uid)


def delete(session: Session, stores: StoreSet, instance: IndexedInstance) -> None:
    """Hide an instance for good: whoever asks for it learns that it was there (410)."""
    hide(session, stores, instance)
    session.deletions.add(instance)
