"""Results of trials on one study: in stores of their own, which are removed again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.healthcare import names, streams
from daemon.healthcare.datasets import refuse_used
from daemon.healthcare.errors import FailedPrecondition
from daemon.healthcare.names import DRY_RUNS
from daemon.store.rows import StoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.store.ports import Database, Session
    from daemon.store.rows import Store
    from daemon.store.stores import Stores
    from daemon.store.studies import Pair, ResourcePair
    from dicomweb.ports import InstanceStore

KEPT: Final = 3
"""Trials of which results are kept."""
KEPT_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial was made of and what came of it, as the Compare page asks for it.

    Attributes
    ----------
    received_root, result_root
        Where the web services have the two stores, below their own root.
    """

    received: InstanceStore
    result: InstanceStore
    received_root: str
    result_root: str
    found: Sequence[Pair]
    store: Store
    database: Database

    async def pairs(self, _study_uid: str) -> Sequence[Pair]:
        """Return the instances of the study, whatever it is called."""
        return self.found

    async def resources(self, _study_uid: str) -> Sequence[ResourcePair]:
        """Return nothing: a trial is over instances."""
        return ()

    async def outcome_of_result(self, sop_instance_uid: str) -> bytes:
        """Return the outcome record of a result; empty where there is none."""
        return await self.database.read(
            lambda session: session.operations.outcome(self.store, sop_instance_uid)
        )

    async def outcome_of_received(self, _sop_instance_uid: str) -> bytes:
        """Return nothing: what is known of the received instance is about the configured destination."""
        return b""


def store_of(now: float) -> str:
    """Return the name of the store of a trial that begins now."""
    return f"dry-{int(now * 1000)}"


async def forget(stores: Stores, *, kept: int = KEPT, now: float | None = None) -> None:
    """Remove what trials made that began more than an hour ago, and all but the last few."""
    oldest = int(((time.time() if now is None else now) - KEPT_S) * 1000)

    def remove(session: Session) -> list[Store]:
        removed = []
        # What others make there is theirs.
        found = [
            each
            for each in session.stores.of_dataset(DRY_RUNS, StoreKind.DICOM)
            if names.is_trial(each)
        ]
        for position, store in enumerate(sorted(found, key=lambda each: -each.id)):
            if position < kept and _began(store) >= oldest:
                continue
            try:
                refuse_used(session, {store.id})
                streams.release(session, {store.id}, time.time())
            except FailedPrecondition:
                continue  # an operation uses it still
            session.stores.remove(store)
            removed.append(store)
        return removed

    for store in await stores.database.write(remove):
        await stores.empty(store)


def _began(store: Store) -> int:
    return int(store.name.rpartition("-")[2])
