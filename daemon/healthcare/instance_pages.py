"""The instances of a store that an operation wants, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.healthcare.batches import BATCH
from daemon.healthcare.work import is_wanted

if TYPE_CHECKING:
    from daemon.healthcare.work import Step
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance, Store
    from daemon.store.stores import Stores

_PAGE: Final = 1000


def count_wanted(session: Session, store: Store, step: Step) -> int:
    """Return how many instances of a store an operation wants."""
    chosen = step.chosen
    if chosen is None:
        return session.figures.of_store(store).instances
    last, count = 0, 0
    while page := session.instances.page(store, last, _PAGE):
        count += sum(is_wanted(each, chosen) for each in page)
        last = page[-1].id
    return count


async def next_wanted(
    stores: Stores, store: Store, step: Step, after: int
) -> tuple[int, list[IndexedInstance]]:
    """Return the number of the last instance that was looked at, and those of them that are wanted."""

    def read(session: Session) -> list[IndexedInstance]:
        return session.instances.page(store, after, BATCH)

    page = [each for each in await stores.database.read(read) if each.id <= step.last]
    wanted = [each for each in page if step.chosen is None or is_wanted(each, step.chosen)]
    return page[-1].id if page else after, wanted
