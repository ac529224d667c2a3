"""How long the source store keeps what it received. Off by default.

By age, the clock is not believed alone, as what is removed is gone for good. What arrived after one that is
young is young, too, whatever the clock said at that time: a machine whose battery is empty comes up in another
year. And a clock that went ahead by more than a day since the last look (or a service that was off for so long)
is watched for a day, for somebody to set it right, before anything is removed by it.

Only instances that are done with are removed: stored in the destination, and not waiting,
quarantined or unrouted. Rows go first, so that nothing is served half; then blobs. The receipt and
its outcome stay, and tell that the source is gone. The destination store is never touched.

Of what was posted to FHIR stores, files go that later ones tell anew; the stores keep what they have.
"""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from daemon.store.posted import prune
from daemon.store.rows import Fact, Garbage, Place, Role, StoreKind
from daemon.store.visibility import delete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.records import Receipt
    from daemon.store.ports import Session
    from daemon.store.store_set import StoreSet
    from daemon.store.stores import Stores

log = structlog.get_logger(__name__)

_BATCH: Final = 100
_DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """What the source store keeps; None means without limit.

    Attributes
    ----------
    max_age_s
        Since the instance was received.
    max_total_bytes
        Of all received bytes that are kept; the oldest go first.
    """

    max_age_s: float | None = None
    max_total_bytes: int | None = None

    @property
    def is_off(self) -> bool:
        """Whether everything is kept."""
        return self.max_age_s is None and self.max_total_bytes is None


class _Before(NamedTuple):
    """Received before that time, and arrived before that number, where there is one."""

    time_s: float
    arrival: int | None


async def enforce(stores: Stores, retention: Retention, *, now: float | None = None) -> int:
    """Remove what need not be kept any more from the source store; return how many instances.

    Works in batches, so that receiving and serving go on in between.

    Raises
    ------
    StoreUnavailable, SpoolFull
        If the database or the disk refused; what was begun is finished later.
    """
    if retention.is_off:
        return 0
    now = time.time() if now is None else now
    before = await _too_old(stores, retention, now)
    removed = 0
    while True:
        garbage = await stores.database.write(
            functools.partial(
                _forget_batch, stores=stores.stores, retention=retention, before=before
            )
        )
        if not garbage:
            break
        if await asyncio.to_thread(_remove_blobs, stores.stores, garbage):
            await stores.database.write(functools.partial(_strike, garbage=garbage))
        removed += len(garbage)
    if removed:
        log.info("source_instances_expired", instances=removed)
    return removed


async def prune_posted(stores: Stores, max_age_s: float, *, now: float | None = None) -> int:
    """Remove files of what was posted that later ones tell anew; return how many.

    Raises
    ------
    StoreUnavailable, OSError
        If the database or the disk refused; the rest goes later.
    """
    before_ms = int(((time.time() if now is None else now) - max_age_s) * 1000)
    all_stores = await stores.database.read(lambda session: session.stores.all())
    removed = 0
    for store in all_stores:
        if store.kind is StoreKind.FHIR and store.role is not Role.DESTINATION:
            blobs = stores.stores.blobs_of(store)
            removed += await asyncio.to_thread(prune, blobs, before_ms)
    if removed:
        log.info("posted_files_expired", count=removed)
    return removed


async def _too_old(stores: Stores, retention: Retention, now: float) -> _Before | None:
    """Return what is too old to be kept; None where nothing is, or the clock is not believed."""
    if retention.max_age_s is None:
        return None
    is_doubted = await stores.database.write(functools.partial(_is_doubted, now=now))
    if is_doubted:
        return None
    time_s = now - retention.max_age_s
    young = await stores.database.read(lambda session: session.receipts.first_arrival(time_s, now))
    return _Before(time_s, young)


def _is_doubted(session: Session, *, now: float) -> bool:
    """Note the time, in a transaction; tell whether it is too far ahead to remove anything by it yet."""
    seen = float(session.facts.get(Fact.CLOCK_SEEN) or now)
    until = float(session.facts.get(Fact.CLOCK_DOUBTED_UNTIL) or 0.0)
    if now - seen > _DAY_S:
        until = now + _DAY_S
        log.warning("retention_held", delay_s=_DAY_S)
    elif now < seen:
        until = 0.0 if until - now > _DAY_S else until  # it was set right
    session.facts.set(Fact.CLOCK_SEEN, str(now))
    session.facts.set(Fact.CLOCK_DOUBTED_UNTIL, str(until))
    return now < until


def _forget_batch(
    session: Session, *, stores: StoreSet, retention: Retention, before: _Before | None
) -> list[Garbage]:
    """Take a batch of instances out of the source store, in a transaction."""
    garbage = []
    for receipt in _expired(session, retention, before):
        for indexed in session.instances.of_receipt(stores.source, receipt.id):
            delete(session, stores, indexed)
        piece = Garbage(stores.source.id, receipt.id)
        session.garbage.add(piece)
        session.receipts.change(receipt.id, place=Place.GONE)
        garbage.append(piece)
    return garbage


def _expired(session: Session, retention: Retention, before: _Before | None) -> list[Receipt]:
    if before is not None:
        oldest = session.receipts.removable(_BATCH, before.arrival)
        expired = [receipt for receipt in oldest if receipt.received_at < before.time_s]
        if expired:
            return expired
    if retention.max_total_bytes is None:
        return []
    too_much = session.figures.kept_bytes() - retention.max_total_bytes
    expired = []
    for receipt in session.receipts.removable(_BATCH):
        if too_much <= 0:
            break
        expired.append(receipt)
        too_much -= receipt.size
    return expired


def _strike(session: Session, garbage: Sequence[Garbage]) -> None:
    session.garbage.remove(garbage)


def _remove_blobs(stores: StoreSet, garbage: Sequence[Garbage]) -> bool:
    """Remove them; False if the disk refused, and the next start has to try again."""
    with suppress(OSError):
        stores.remove(garbage)
        return True
    return False
