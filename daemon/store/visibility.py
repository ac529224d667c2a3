"""Taking an instance out of sight, with all that is known because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance
    from daemon.store.store_set import StoreSet


def hide(session: Session, stores: StoreSet, instance: IndexedInstance) -> None:
    """Remove an instance from its index; the identifiers of its study go with the last source instance."""
    session.instances.remove(instance)
    source = stores.source
    if instance.store_id == source.id and not session.instances.has_study(
        source, instance.study_uid
    ):
        session.identifiers.forget_study(source, instance.study_uid)
