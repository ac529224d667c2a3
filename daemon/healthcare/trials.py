"""Results of trials on one study: in stores of their own, which are removed again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from daemon.healthcare.datasets import refuse_used
from daemon.healthcare.errors import FailedPrecondition
from daemon.healthcare.names import DRY_RUNS
from daemon.store.rows import StoreKind

if TYPE_CHECKING:
    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.stores import Stores

KEPT: Final = 3
KEPT_S: Final = 3600.0


def store_of(now: float) -> str:
    """Return the name of the store of a trial that begins now."""
    return f"dry-{int(now * 1000)}"


async def forget(stores: Stores, *, kept: int = KEPT, now: float | None = None) -> None:
    """Remove what trials made that began more than an hour ago, and all but the last few."""
    oldest = int(((time.time() if now is None else now) - KEPT_S) * 1000)

    def remove(session: Session) -> list[Store]:
        removed = []
        found = session.stores.of_dataset(DRY_RUNS, StoreKind.DICOM)
        for position, store in enumerate(sorted(found, key=lambda each: -each.id)):
            if position < kept and _began(store) >= oldest:
                continue
            try:
                refuse_used(session, {store.id})
            except FailedPrecondition:
                continue  # an operation writes it still
            session.stores.remove(store)
            removed.append(store)
        return removed

    for store in await stores.database.write(remove):
        await stores.empty(store)


def _began(store: Store) -> int:
    began = store.name.rpartition("-")[2]
    return int(began) if began.isascii() and began.isdigit() else 0
