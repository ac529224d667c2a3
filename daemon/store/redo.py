"""Doing stored instances again, with the configuration of now.

A stored receipt goes back to *received* with the reason `re_examine`; its bytes are in the source store.
What the destination shows of it stays until its new result takes its place, in one transaction: readers
find the old or the new, never neither. It waits behind what is in the spool, and does not count as spooled.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from daemon.pipeline.states import RE_EXAMINE, check_move
from daemon.records import State
from daemon.store.queries import Changed
from daemon.store.rows import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.records import Receipt
    from daemon.store.ports import Session

_BATCH: Final = 500
_PAGE: Final = 1000


def of_study(session: Session, study_uid: str) -> list[str]:
    """Return the receipts of a study, named by its original UID or by that which stands for it."""
    found = [
        receipt_id
        for store in session.stores.all()
        if store.role
        for receipt_id in session.instances.of_study(store, study_uid)
    ]
    return list(dict.fromkeys(found))


def stored(session: Session, deidentifier: str | None = None) -> list[str]:
    """Return everything that is stored, or what one deidentifier made of it."""
    return [
        receipt.id
        for receipt in _receipts(session)
        if receipt.state is State.STORED and deidentifier in {None, receipt.deidentifier}
    ]


def _receipts(session: Session) -> Iterator[Receipt]:
    last = 0
    while entries := session.receipts.page(last, _PAGE):
        for entry in entries:
            yield entry.receipt
        last = entries[-1].seq


def redo(session: Session, receipt_ids: Sequence[str], *, now: float | None = None) -> Changed:
    """Let stored instances go through the pipeline again, in batches.

    Those whose received bytes are gone stay as they are (`Changed.missing`), as does what is not stored.
    """
    now = time.time() if now is None else now
    changed = Changed()
    for start in range(0, len(receipt_ids), _BATCH):
        with session.atomically():
            for receipt_id in receipt_ids[start : start + _BATCH]:
                _redo_one(session, receipt_id, now, changed)
    return changed


def redo_within(session: Session, receipt_ids: Sequence[str], now: float, changed: Changed) -> None:
    """Do the same inside the caller's transaction, and note in `changed` what became of each."""
    for receipt_id in receipt_ids:
        _redo_one(session, receipt_id, now, changed)


def _redo_one(session: Session, receipt_id: str, now: float, changed: Changed) -> None:
    entry = session.receipts.get(receipt_id)
    if entry is None or entry.receipt.state is not State.STORED:
        changed.passed_over.append(receipt_id)
    elif entry.place is Place.GONE:
        changed.missing.append(receipt_id)
    else:
        check_move(entry.receipt.state, State.RECEIVED)
        session.receipts.change(
            receipt_id,
            state=State.RECEIVED,
            reason=RE_EXAMINE,
            where="",
            attempts=0,
            not_before=0.0,
            changed_at=now,
        )
        changed.changed.append(receipt_id)
