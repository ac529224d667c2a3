"""Instances that operations could not de-identify, in quarantine: where everything waits that is not passed on.

An operation never changes its source, so the bytes stay there; what quarantine has is a row of its own, under a
name that follows from source, destination and instance. What the next operation between these stores makes
of the instance settles it; should it be refused once more after that, it gets another row, as no state of a
receipt follows on *discarded*.
"""

from __future__ import annotations

import hashlib
from itertools import count
from typing import TYPE_CHECKING

from daemon.pipeline.states import check_move
from daemon.records import Origin, Receipt, Receiver, State
from daemon.store.rows import Place

if TYPE_CHECKING:
    from daemon.healthcare.batches import Made
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance, Store

_ID_LENGTH = 32


def waiting(session: Session, source: int, destination: int, number: int) -> tuple[str, bool]:
    """Return the receipt id of an instance that cannot go from one store into another, and whether it waits.

    Where none waits, it is the id that the next would have.

    Parameters
    ----------
    source, destination, number
        Of the stores, and of the instance in the first.
    """
    for turn in count():
        text = f"{source}/{destination}/{number}/{turn}"
        receipt_id = hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]
        entry = session.receipts.get(receipt_id)
        if entry is None or entry.receipt.state is not State.DISCARDED:
            return receipt_id, entry is not None
    raise AssertionError("counting does not end")


def refuse(
    session: Session,
    original: IndexedInstance,
    destination: Store,
    made: Made,
    *,
    operation: int,
    deidentifier: str,
    now: float,
) -> None:
    """Put an instance into quarantine, or tell there what was the matter this time."""
    receipt_id, is_there = waiting(session, original.store_id, destination.id, original.id)
    if not is_there:
        entry = session.receipts.get(original.receipt_id)
        received_at = now if entry is None else entry.receipt.received_at
        origin = Origin(Receiver.OPERATION, peer=f"operation {operation}")
        session.receipts.insert(Receipt(receipt_id, origin, received_at, original.size))
    session.receipts.change(
        receipt_id,
        state=State.QUARANTINED,
        reason=made.reason,
        where=made.where,
        deidentifier=deidentifier,
        place=Place.GONE,
        related=original.receipt_id,
        changed_at=now,
    )


def settle(session: Session, source: Store, destination: Store, number: int, now: float) -> None:
    """Take an instance out of quarantine that is in the destination now, if it was there."""
    receipt_id, is_there = waiting(session, source.id, destination.id, number)
    if not is_there:
        return
    check_move(State.QUARANTINED, State.DISCARDED)
    session.receipts.change(receipt_id, state=State.DISCARDED, reason="", where="", changed_at=now)
