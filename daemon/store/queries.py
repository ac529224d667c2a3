"""What an operator asks of the state folder.

Synchronous functions on a session of an engine, for the command line and the pages; they work while
the daemon runs.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daemon.pipeline.states import RE_EXAMINE, WAITING
from daemon.records import Receipt, Receiver, State
from daemon.store.rows import Role, StoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daemon.store.ports import Session
    from daemon.store.rows import Garbage, Store, Tally
    from daemon.store.store_set import StoreSet

REFUSED: Final = (State.QUARANTINED, State.UNROUTED)
"""States in which an instance waits for a person."""

_RATE_WINDOWS_S: Final = (60, 300, 900)
_ALL: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Rate:
    """Instances per second over the last `window_s` seconds."""

    window_s: int
    received: float
    settled: float


@dataclass(frozen=True, slots=True)
class ReceiverFigures:
    """What came in by one way (``dimse``, ``stow``, ``watch``), since the beginning."""

    receiver: str
    instances: int
    bytes: int
    waiting: int
    refused: int


@dataclass(frozen=True, slots=True)
class DestinationFigures:
    """What one deidentifier sent to the destination store, or refused to."""

    deidentifier: str
    stored: int
    stored_bytes: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What one store holds."""

    store: str
    studies: int
    instances: int
    bytes: int


@dataclass(frozen=True, slots=True)
class DiskFigures:
    """The file system of the state folder, and the database in it; bytes."""

    total: int
    free: int
    database: int


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture at one moment.

    Attributes
    ----------
    states
        Receipts in every state, zero included.
    quarantine
        Quarantined receipts by reason, most frequent first.
    waiting_bytes, oldest_waiting_at
        Of what waits in the spool: its bytes, and when the instance was received that has waited longest; None
        when none waits.
    done_again
        Receipts that were stored and wait to be de-identified again (``dicomveil redo``).
    divided_studies
        Studies whose instances name more than one patient: by several issuers (none is one), or Patient
        IDs, or by one in some instances and none in others.
    shared_patient_ids
        Patient IDs that more than one issuer gave.
    resources
        Received FHIR resources by what becomes of them: their state, or the reason of their quarantine.
    source_bytes
        Received bytes that are kept, indexed or not.
    """

    states: dict[str, int]
    quarantine: dict[str, int]
    waiting_bytes: int
    oldest_waiting_at: float | None
    done_again: int
    rates: list[Rate]
    receivers: list[ReceiverFigures]
    destinations: list[DestinationFigures]
    stores: list[StoreFigures]
    divided_studies: int
    shared_patient_ids: int
    resources: dict[str, int]
    source_bytes: int
    disk: DiskFigures


def status(session: Session, state_dir: Path, *, now: float | None = None) -> Status:
    """Return the figures of ``dicomveil status``; quick whatever the number of receipts."""
    now = time.time() if now is None else now
    tallies = session.figures.tallies()
    received = [each for each in tallies if each.receiver != Receiver.OPERATION]
    divided = [
        session.identifiers.divided(store)
        for store in session.stores.all()
        if store.kind is StoreKind.DICOM
    ]
    return Status(
        states={
            state.value: sum(t.instances for t in tallies if t.state == state) for state in State
        },
        quarantine=_quarantine(tallies),
        waiting_bytes=session.figures.waiting()[1],
        oldest_waiting_at=session.figures.oldest_waiting(),
        done_again=sum(
            t.instances for t in tallies if (t.state, t.reason) == (State.RECEIVED, RE_EXAMINE)
        ),
        rates=[_rate(session, now, window_s) for window_s in _RATE_WINDOWS_S],
        receivers=_receivers(received),
        destinations=_destinations(received),
        stores=[
            _store(session, store)
            for store in session.stores.all()
            if store.kind is StoreKind.DICOM
        ],
        divided_studies=sum(studies for studies, _patient_ids in divided),
        shared_patient_ids=sum(patient_ids for _studies, patient_ids in divided),
        resources=_resources(session),
        source_bytes=session.figures.kept_bytes(),
        disk=_disk(state_dir),
    )


def counts(session: Session) -> dict[State, int]:
    """Return the number of receipts in every state, zero included."""
    found: dict[State, int] = dict.fromkeys(State, 0)
    for tally in session.figures.tallies():
        found[State(tally.state)] += tally.instances
    return found


def _quarantine(tallies: Sequence[Tally]) -> dict[str, int]:
    by_reason: dict[str, int] = {}
    for tally in tallies:
        if tally.state == State.QUARANTINED:
            by_reason[tally.reason] = by_reason.get(tally.reason, 0) + tally.instances
    return dict(sorted(by_reason.items(), key=lambda item: (-item[1], item[0])))


def _rate(session: Session, now: float, window_s: int) -> Rate:
    since = now - window_s
    return Rate(
        window_s,
        session.figures.received_since(since) / window_s,
        session.figures.settled_since(since) / window_s,
    )


def _receivers(tallies: Sequence[Tally]) -> list[ReceiverFigures]:
    return [
        ReceiverFigures(
            receiver,
            instances=sum(t.instances for t in own),
            bytes=sum(t.bytes for t in own),
            waiting=sum(t.instances for t in own if t.state in WAITING),
            refused=sum(t.instances for t in own if t.state in REFUSED),
        )
        for receiver in sorted({t.receiver for t in tallies})
        for own in [[t for t in tallies if t.receiver == receiver]]
    ]


def _destinations(tallies: Sequence[Tally]) -> list[DestinationFigures]:
    return [
        DestinationFigures(
            name,
            stored=sum(t.instances for t in own if t.state == State.STORED),
            stored_bytes=sum(t.bytes for t in own if t.state == State.STORED),
            quarantined=sum(t.instances for t in own if t.state == State.QUARANTINED),
        )
        for name in sorted({t.deidentifier for t in tallies} - {""})
        for own in [[t for t in tallies if t.deidentifier == name]]
    ]


def _resources(session: Session) -> dict[str, int]:
    """Return received FHIR resources by state, or by the reason why they wait for a person."""
    found: dict[str, int] = {}
    for store in session.stores.all():
        if (store.kind, store.role) != (StoreKind.FHIR, Role.SOURCE):
            continue
        for (state, reason), count in sorted(session.sidecars.counts(store).items()):
            name = reason or state.value
            found[name] = found.get(name, 0) + count
    return found


def _store(session: Session, store: Store) -> StoreFigures:
    totals = session.figures.of_store(store)
    return StoreFigures(store.name, totals.studies, totals.instances, totals.bytes)


def _disk(state_dir: Path) -> DiskFigures:
    disk = os.statvfs(state_dir)
    database = sum(path.stat().st_size for path in state_dir.glob("dicomveil.sqlite*"))
    return DiskFigures(disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize, database)


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of one receipt, without an original value.

    Attributes
    ----------
    place
        Where the received bytes are: ``spool``, ``source`` or ``gone``.
    related
        The receipt that it is a duplicate of, conflicts with, or was replaced by; may be empty.
    changed_at
        When it came into its state.
    outcome
        The JSON outcome record; empty if there is none.
    """

    receipt: Receipt
    place: str
    related: str
    changed_at: float
    outcome: bytes


def refused(
    session: Session,
    *,
    states: Sequence[State] = (State.QUARANTINED,),
    reason: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Receipt]:
    """Return what was refused, oldest first, optionally for one reason."""
    return session.receipts.refused(states, reason, limit, offset)


def begin_with(session: Session, beginning: str) -> int:
    """Return how many receipts have an id that begins so; 2 stands for more than one."""
    return len(session.receipts.beginning_with(beginning, 2))


def show(session: Session, receipt_id: str) -> Shown | None:
    """Return all that is known of a receipt, or None.

    Parameters
    ----------
    receipt_id
        Its id, or the beginning of it if that fits one receipt only.
    """
    entries = session.receipts.beginning_with(receipt_id, 2)
    if len(entries) != 1:
        return None
    (entry,) = entries
    return Shown(
        entry.receipt,
        place=entry.place,
        related=entry.related,
        changed_at=entry.changed_at,
        outcome=session.receipts.outcome(entry.receipt.id),
    )


@dataclass(slots=True)
class Changed:
    """What a decision did.

    Attributes
    ----------
    changed
        Ids that were changed.
    missing
        Ids that cannot be retried, because their bytes are gone.
    passed_over
        Ids that are not refused (any more), or not known.
    not_allowed
        Why others stay as they are, by id: a sentence.
    """

    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    not_allowed: dict[str, str] = field(default_factory=dict)

    def add(self, other: Changed) -> None:
        """Take in what another one says."""
        self.changed += other.changed
        self.missing += other.missing
        self.passed_over += other.passed_over
        self.not_allowed |= other.not_allowed


def refused_ids(
    session: Session,
    *,
    states: Sequence[State] = (State.QUARANTINED,),
    reason: str | None = None,
) -> list[str]:
    """Return the ids of everything refused, optionally for one reason, to retry or discard."""
    return [receipt.id for receipt in session.receipts.refused(states, reason, _ALL, 0)]


def remove_garbage(session: Session, stores: StoreSet, garbage: Sequence[Garbage]) -> None:
    """Remove blobs that a committed transaction has listed as garbage, then strike them off.

    A blob that cannot be removed stays listed, and the next start of the daemon tries again.
    """
    removed = []
    for piece in garbage:
        with suppress(OSError):
            stores.remove([piece])
            removed.append(piece)
    session.garbage.remove(removed)
