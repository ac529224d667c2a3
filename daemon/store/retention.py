"""How long the source store keeps what it received. Off by default.

Only instances that are done with are removed: stored in the destination, and not waiting,
quarantined or unrouted. Rows go first, so that nothing is served half; then blobs. The receipt and
its outcome stay, and tell that the source is gone. The destination store is never touched.
"""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from daemon.pipeline.states import terminal_states
from daemon.records import StoreName
from daemon.store import indexing
from daemon.store.receipts import Garbage, Place, list_garbage, strike_garbage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from daemon.store.blobs import Blobs
    from daemon.store.stores import Stores

log = structlog.get_logger(__name__)

_BATCH: Final = 100
_DONE_SQL: Final = ", ".join(f"'{state}'" for state in sorted(terminal_states()))


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
    blobs = stores.blobs[StoreName.SOURCE]
    removed = 0
    while True:
        garbage = await stores.database.write(
            functools.partial(_forget_batch, retention=retention, now=now)
        )
        if not garbage:
            break
        if await asyncio.to_thread(_remove_blobs, blobs, garbage):
            await stores.database.write(functools.partial(strike_garbage, garbage=garbage))
        removed += len(garbage)
    if removed:
        log.info("source_instances_expired", instances=removed)
    return removed


def _forget_batch(
    connection: sqlite3.Connection, *, retention: Retention, now: float
) -> list[Garbage]:
    """Take a batch of instances out of the source store, in the writer's transaction."""
    garbage = []
    for row in _expired(connection, retention, now):
        receipt_id = row["id"]
        indexed = indexing.find_of_receipt(connection, StoreName.SOURCE, receipt_id)
        if indexed is not None:
            indexing.remove(connection, StoreName.SOURCE, indexed)
        list_garbage(connection, StoreName.SOURCE, receipt_id)
        connection.execute(
            "UPDATE receipts SET place = ? WHERE id = ?", (Place.GONE.value, receipt_id)
        )
        garbage.append(Garbage(StoreName.SOURCE, receipt_id))
    return garbage


def _expired(connection: sqlite3.Connection, retention: Retention, now: float) -> list[sqlite3.Row]:
    too_much = 0
    if retention.max_total_bytes is not None:
        (kept,) = connection.execute(
            "SELECT coalesce(sum(bytes), 0) FROM tallies WHERE place <> 'gone'"
        ).fetchone()
        too_much = kept - retention.max_total_bytes
    before = float("-inf") if retention.max_age_s is None else now - retention.max_age_s
    expired = []
    for row in connection.execute(
        "SELECT id, size, received_at FROM receipts INDEXED BY receipts_removable"  # noqa: S608 - fixed names
        f" WHERE state IN ({_DONE_SQL}) AND place = 'source' ORDER BY received_at LIMIT {_BATCH}"
    ).fetchall():
        if row["received_at"] >= before and too_much <= 0:
            break
        expired.append(row)
        too_much -= row["size"]
    return expired


def _remove_blobs(blobs: Blobs, garbage: Sequence[Garbage]) -> bool:
    """Remove them; False if the disk refused, and the next start has to try again."""
    with suppress(OSError):
        blobs.remove([piece.blob for piece in garbage])
        return True
    return False
