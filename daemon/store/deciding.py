"""What a person decides of what was refused: try it again, release it with boxes drawn by hand, discard it.

A decision and what it does to the receipt are one transaction. What it rules holds whenever the instance is
processed, now and when it is done again, until a later decision about the same instance says otherwise: boxes
belong to the received bytes, which never change. The daemon notices what waits again within a second.

Each function has a form for the caller's own transaction (`decide`), and one that works through any number of
instances in transactions of its own (`in_batches`).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from daemon.pipeline.states import check_move
from daemon.reasons import REASONS
from daemon.records import Receiver, Ruling, State
from daemon.store.decision_rows import Choice, Decision
from daemon.store.queries import REFUSED, Changed, remove_garbage
from daemon.store.rows import Garbage, Place, Role, StoreKind
from daemon.store.visibility import delete
from dicomweb.ports import Resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.records import Receipt
    from daemon.store.decision_rows import Decider
    from daemon.store.ports import Session
    from daemon.store.rows import Entry, IndexedInstance
    from daemon.store.store_set import StoreSet
    from deid.ports import DrawnBox

_BATCH: Final = 500
MOST_BOXES: Final = 200
MOST_REVIEWER: Final = 64
REFUSED_BY_OPERATION: Final = (
    "an operation refused it: begin another between the same stores, which takes it out of here once it can"
    " do it; or discard it"
)


class DecisionInvalid(Exception):
    """What was asked for makes no sense, whatever it is asked of; its text is for whoever asked."""


class Act(Protocol):
    """A decision, ready to be made about one instance after the other."""

    def apply(self, session: Session, entry: Entry, now: float, changed: Changed) -> None:
        """Make it about one that is refused, in the session's transaction, and note what became of it."""


def decide(
    session: Session, act: Act, receipt_ids: Sequence[str], *, now: float | None = None
) -> Changed:
    """Make a decision about refused instances, in the caller's transaction."""
    changed = Changed()
    _decide(session, act, receipt_ids, time.time() if now is None else now, changed)
    return changed


def in_batches(
    session: Session, act: Act, receipt_ids: Sequence[str], *, now: float | None = None
) -> Changed:
    """Make a decision about any number of refused instances, in transactions of a few hundred."""
    now = time.time() if now is None else now
    changed = Changed()
    for start in range(0, len(receipt_ids), _BATCH):
        with session.atomically():
            _decide(session, act, receipt_ids[start : start + _BATCH], now, changed)
        if isinstance(act, Discard):
            act.remove(session)
    return changed


def _decide(
    session: Session, act: Act, receipt_ids: Sequence[str], now: float, changed: Changed
) -> None:
    for receipt_id in receipt_ids:
        entry = session.receipts.get(receipt_id)
        if entry is None or entry.receipt.state not in REFUSED:
            changed.passed_over.append(receipt_id)
        else:
            act.apply(session, entry, now, changed)


@dataclass(frozen=True)
class Retry:
    """Let them go through the pipeline again, as if they had just come.

    Attributes
    ----------
    deidentifier
        Where they go, whatever the routes say; empty leaves it as it was decided before.
    as_configured
        Whether what was ruled before holds no longer.
    """

    decider: Decider
    deidentifier: str = ""
    as_configured: bool = False

    def apply(self, session: Session, entry: Entry, now: float, changed: Changed) -> None:
        """Let one wait again."""
        ruling = Ruling() if self.as_configured else _ruling_of(session, entry.receipt)
        if self.deidentifier:
            ruling = replace(ruling, deidentifier=self.deidentifier)
        _process_again(session, entry, _Decided(self.decider, Choice.RETRY, ruling), now, changed)


@dataclass(frozen=True)
class Release:
    """Fill boxes that a person drew, and take that person's word for the rest of the pixels.

    Only what waits for its pixels alone (`daemon.reasons.Advice.by_hand`) may be released so; whatever else
    refuses it refuses it again.
    """

    decider: Decider
    drawn: tuple[DrawnBox, ...]
    deidentifier: str = ""

    def apply(self, session: Session, entry: Entry, now: float, changed: Changed) -> None:
        """Let one wait again, to be released."""
        receipt = entry.receipt
        why_not = self._why_not(session, receipt)
        if why_not and entry.place is not Place.GONE:
            changed.not_allowed[receipt.id] = why_not
            return
        ruling = replace(_ruling_of(session, receipt), drawn=self.drawn)
        if self.deidentifier:
            ruling = replace(ruling, deidentifier=self.deidentifier)
        decided = _Decided(self.decider, Choice.RELEASE, ruling)
        _process_again(session, entry, decided, now, changed)

    def _why_not(self, session: Session, receipt: Receipt) -> str:
        advice = REASONS.get(receipt.reason)
        if advice is None or not advice.by_hand:
            reason = receipt.reason or receipt.state.value
            return f"{reason} is not about pixels alone, and boxes do not release it"
        picture = picture_of(session, receipt.id)
        if picture is None:
            return "it has no picture to draw boxes on"
        for number, box in enumerate(self.drawn, 1):
            if not picture.holds(box):
                size = f"{picture.columns} x {picture.rows}, frames {picture.frames}"
                return f"box {number} lies outside the picture ({size})"
        return ""


class Discard:
    """Remove the bytes of refused instances for good; their receipts stay, as discarded."""

    def __init__(self, decider: Decider, stores: StoreSet) -> None:
        self._decider = decider
        self._stores = stores
        self._garbage: list[Garbage] = []

    def apply(self, session: Session, entry: Entry, now: float, changed: Changed) -> None:
        """Take one out of sight, and list its bytes for removal."""
        receipt_id = entry.receipt.id
        check_move(entry.receipt.state, State.DISCARDED)
        garbage = [Garbage(self._stores.source.id, receipt_id)]
        for store in self._stores.in_use:
            for indexed in session.instances.of_receipt(store, receipt_id):
                delete(session, self._stores, indexed)
                garbage.append(Garbage(store.id, indexed.blob))
        for piece in garbage:
            session.garbage.add(piece)
        session.receipts.set_outcome(receipt_id, b"")
        session.receipts.change(receipt_id, state=State.DISCARDED, place=Place.GONE, changed_at=now)
        decided = _Decided(self._decider, Choice.DISCARD, Ruling())
        _record(session, entry.receipt, decided, now)
        changed.changed.append(receipt_id)
        self._garbage += garbage

    def remove(self, session: Session) -> None:
        """Remove the bytes, once the transaction is durable; what is not removed is swept later."""
        remove_garbage(session, self._stores, self._garbage)
        self._garbage = []


class _Decided(NamedTuple):
    decider: Decider
    choice: Choice
    ruling: Ruling


def _process_again(
    session: Session, entry: Entry, decided: _Decided, now: float, changed: Changed
) -> None:
    receipt_id = entry.receipt.id
    if entry.receipt.origin.receiver == Receiver.OPERATION:
        changed.not_allowed[receipt_id] = REFUSED_BY_OPERATION
        return
    if entry.place is Place.GONE:
        changed.missing.append(receipt_id)
        return
    _record(session, entry.receipt, decided, now)
    session.receipts.change(
        receipt_id,
        state=State.RECEIVED,
        reason="",
        where="",
        attempts=0,
        kills=0,
        not_before=0.0,
        related="",
        changed_at=now,
    )
    changed.changed.append(receipt_id)


def _record(session: Session, receipt: Receipt, decided: _Decided, now: float) -> None:
    session.decisions.add(
        Decision(
            receipt.id,
            now,
            decided.decider,
            decided.choice,
            receipt.reason or receipt.state.value,
            decided.ruling,
        )
    )


def _ruling_of(session: Session, receipt: Receipt) -> Ruling:
    return session.decisions.in_force([receipt.id]).get(receipt.id, Ruling())


class PictureSize(NamedTuple):
    """Rows and columns of the stored matrix, and how many frames there are."""

    rows: int
    columns: int
    frames: int

    def holds(self, box: DrawnBox) -> bool:
        """Tell whether a box lies in it, whole or with a part of it."""
        return (
            0 <= box.frame <= self.frames
            and box.width > 0
            and box.height > 0
            and 0 <= box.left < self.columns
            and 0 <= box.top < self.rows
        )


def picture_of(session: Session, receipt_id: str) -> PictureSize | None:
    """Return the size of a received instance's picture; None if it has none, or none that is known."""
    found = source_instance(session, receipt_id)
    if found is None:
        return None
    resource = Resource(found.study_uid, found.series_uid, found.sop_instance_uid)
    source = next(each for each in session.stores.all() if each.id == found.store_id)
    attributes = json.loads(session.instances.metadata(source, resource)[0])
    rows, columns = (_number(attributes, tag) for tag in ("00280010", "00280011"))
    if not rows or not columns:
        return None
    return PictureSize(rows, columns, _number(attributes, "00280008") or 1)


def source_instance(session: Session, receipt_id: str) -> IndexedInstance | None:
    """Return what the source shows of a receipt; None if it could not be described."""
    for store in session.stores.all():
        if (store.kind, store.role) == (StoreKind.DICOM, Role.SOURCE):
            for found in session.instances.of_receipt(store, receipt_id):
                return found
    return None


def _number(attributes: dict[str, dict[str, list[object]]], tag: str) -> int:
    values = attributes.get(tag, {}).get("Value", [])
    try:
        return int(str(values[0])) if values else 0
    except ValueError:
        return 0


def checked_boxes(drawn: Sequence[DrawnBox]) -> tuple[DrawnBox, ...]:
    """Return boxes as a release takes them.

    Raises
    ------
    DecisionInvalid
        When there are none, or more than anybody draws.
    """
    if not drawn:
        raise DecisionInvalid("draw at least one box")
    if len(drawn) > MOST_BOXES:
        raise DecisionInvalid(f"more than {MOST_BOXES} boxes")
    return tuple(drawn)


def checked_reviewer(name: str) -> str:
    """Return a reviewer's name as it is kept.

    Raises
    ------
    DecisionInvalid
        When it is longer than `MOST_REVIEWER`, or not printable.
    """
    name = name.strip()
    if len(name) > MOST_REVIEWER or not name.isprintable():
        raise DecisionInvalid(f"a reviewer's name has up to {MOST_REVIEWER} printable characters")
    return name
