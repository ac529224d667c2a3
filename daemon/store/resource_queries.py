"""Received FHIR resources as the command line asks for them: by numbers of ours, never by their ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.pipeline.ties import CONFLICTING_VERSIONS
from daemon.store.rows import Role, StoreKind
from daemon.store.sidecar_rows import SidecarState

if TYPE_CHECKING:
    from collections.abc import Collection

    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.sidecar_rows import SidecarRow

_COUNT: Final = (1 << 40) - 1
"""Of a number, what counts resources of a store."""
_ALL: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource that waits or was refused.

    Attributes
    ----------
    number
        Counts the resources of the store in the order of arrival.
    """

    number: int
    type: str
    received_at: float
    state: str
    reason: str
    where: str


def listed(session: Session, *, is_waiting: bool, reason: str | None, limit: int) -> list[Listed]:
    """Return those that wait, or were refused, with that reason unless it is None, oldest first."""
    state = SidecarState.WAITING if is_waiting else SidecarState.QUARANTINED
    rows = session.sidecars.in_state(_source(session), state, _ALL)
    fitting = [row for row in rows if reason is None or row.reason == reason]
    return [_listed(row) for row in fitting[:limit]]


@dataclass(frozen=True, slots=True)
class ShownResource:
    """All that is known of one resource, without an original value.

    Attributes
    ----------
    results
        What was made of it: deidentifier, type and new id.
    outcome
        What was done, by deidentifier: JSON.
    """

    listed: Listed
    results: tuple[tuple[str, str, str], ...]
    outcome: bytes


def show(session: Session, number: int) -> ShownResource | None:
    """Return what is known of a resource."""
    source = _source(session)
    row = session.sidecars.get(source, source.id << _COUNT.bit_length() | number)
    if row is None:
        return None
    results = tuple((each.deidentifier, each.type, each.id) for each in row.made)
    return ShownResource(_listed(row), results, session.sidecars.outcome(row.number))


def retry(session: Session, numbers: Collection[int] | None, *, reason: str | None) -> int:
    """Let refused resources be looked at again; return how many. None are all that were refused.

    Not those that came with two contents: only an update says which of them holds.
    """
    source = _source(session)
    with session.atomically():
        rows = [
            row
            for row in session.sidecars.in_state(source, SidecarState.QUARANTINED, _ALL)
            if row.reason != CONFLICTING_VERSIONS
            and (reason is None or row.reason == reason)
            and (numbers is None or row.number & _COUNT in numbers)
        ]
        for row in rows:
            session.sidecars.change(
                row.number, state=SidecarState.WAITING, reason="", where="", wanted="", kills=0
            )
        session.sidecars.mark([row.number for row in rows])
    return len(rows)


def _source(session: Session) -> Store:
    return next(
        store
        for store in session.stores.all()
        if (store.kind, store.role) == (StoreKind.FHIR, Role.SOURCE)
    )


def _listed(row: SidecarRow) -> Listed:
    return Listed(
        row.number & _COUNT, row.type, row.received_at, row.state.value, row.reason, row.where
    )
