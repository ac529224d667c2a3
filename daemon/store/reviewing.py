"""What the Quarantine page reads of what was refused, and how it writes what a person decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.records import Receiver, State
from daemon.store import deciding, queries
from daemon.store.deciding import Discard, Release, Retry
from deid.ports import DrawnBox
from dicomweb.ports import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.records import Receipt
    from daemon.store.deciding import Act, PictureSize
    from daemon.store.decision_rows import Decider, Decision
    from daemon.store.ports import Database, Session
    from daemon.store.queries import Changed
    from daemon.store.store_set import StoreSet

_FRAME: Final = re.compile(r"frame (\d+), \d+%: ")
_REGION: Final = re.compile(r"(\d+),(\d+) (\d+)x(\d+)")
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Refused:
    """One instance that waits for a person.

    Attributes
    ----------
    picture
        None where it has none, or none that is known.
    found
        Regions that the program would have filled, as far as `Receipt.where` tells of them.
    """

    receipt: Receipt
    picture: PictureSize | None
    found: Sequence[DrawnBox] = ()

    @property
    def is_of_operation(self) -> bool:
        """Whether an operation refused it: then it lies where that took it from, and only another decides."""
        return self.receipt.origin.receiver == Receiver.OPERATION


@dataclass(frozen=True, slots=True)
class Made:
    """A decision, and how far its instance is now.

    Attributes
    ----------
    state, reason
        Of the instance, now.
    result
        Study UID of its result in the destination; empty if it has none.
    """

    decision: Decision
    state: State
    reason: str
    result: str = ""


class Quarantine:
    """What waits for a person, over the rows of an engine.

    Parameters
    ----------
    deidentifiers
        Returns the names of those that are configured now.
    """

    def __init__(
        self, database: Database, stores: StoreSet, deidentifiers: Callable[[], Sequence[str]]
    ) -> None:
        self._database: Final = database
        self._stores: Final = stores
        self._deidentifiers: Final = deidentifiers

    @property
    def deidentifiers(self) -> Sequence[str]:
        """Names of those that are configured now."""
        return self._deidentifiers()

    async def counts(self) -> Mapping[str, int]:
        """Return how many wait, by reason code, most frequent first; what no route matched as ``unrouted``."""

        def read(session: Session) -> dict[str, int]:
            found: dict[str, int] = {}
            for tally in session.figures.tallies():
                if tally.state in queries.REFUSED:
                    reason = tally.reason or tally.state
                    found[reason] = found.get(reason, 0) + tally.instances
            return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

        return await self._database.read(read)

    async def of_operations(self, reason: str) -> int:
        """Return how many of those that wait for one reason were refused by operations."""

        def read(session: Session) -> int:
            return sum(
                tally.instances
                for tally in session.figures.tallies()
                if tally.state in queries.REFUSED
                and (tally.reason or tally.state) == reason
                and tally.receiver == Receiver.OPERATION
            )

        return await self._database.read(read)

    async def refused(self, reason: str, limit: int, offset: int) -> list[Refused]:
        """Return those that wait for one reason, oldest first."""

        def read(session: Session) -> list[Refused]:
            states, code = _meant(reason)
            found = queries.refused(session, states=states, reason=code, limit=limit, offset=offset)
            return [_refused(session, receipt) for receipt in found]

        return await self._database.read(read)

    async def chosen(self, receipt_ids: Sequence[str]) -> list[Refused]:
        """Return those of these that still wait."""

        def read(session: Session) -> list[Refused]:
            entries = [session.receipts.get(receipt_id) for receipt_id in receipt_ids]
            return [
                _refused(session, entry.receipt)
                for entry in entries
                if entry is not None and entry.receipt.state in queries.REFUSED
            ]

        return await self._database.read(read)

    async def ids_of(self, reason: str) -> list[str]:
        """Return all that wait for one reason."""

        def read(session: Session) -> list[str]:
            states, code = _meant(reason)
            return queries.refused_ids(session, states=states, reason=code)

        return await self._database.read(read)

    async def picture(self, receipt_id: str) -> Resource | None:
        """Return where the source has a refused instance; None where it has not."""

        def read(session: Session) -> Resource | None:
            entry = session.receipts.get(receipt_id)
            if entry is None or entry.receipt.state not in queries.REFUSED:
                return None
            found = deciding.source_instance(session, receipt_id)
            if found is None:
                return None
            return Resource(found.study_uid, found.series_uid, found.sop_instance_uid)

        return await self._database.read(read)

    async def retry(
        self, receipt_ids: Sequence[str], decider: Decider, deidentifier: str
    ) -> Changed:
        """Let them be processed again."""
        return await self._decide(Retry(decider, deidentifier), receipt_ids)

    async def forget(self, receipt_ids: Sequence[str], decider: Decider) -> Changed:
        """Let them be processed again, by nothing that was decided by hand before."""
        return await self._decide(Retry(decider, as_configured=True), receipt_ids)

    async def release(
        self,
        receipt_ids: Sequence[str],
        decider: Decider,
        deidentifier: str,
        drawn: Sequence[DrawnBox],
    ) -> Changed:
        """Fill boxes, and release them if nothing else is the matter."""
        act = Release(decider, deciding.checked_boxes(drawn), deidentifier)
        return await self._decide(act, receipt_ids)

    async def discard(self, receipt_ids: Sequence[str], decider: Decider) -> Changed:
        """Remove them for good; their bytes go with the next sweep."""
        return await self._decide(Discard(decider, self._stores), receipt_ids)

    async def decisions(self, limit: int, offset: int) -> list[Made]:
        """Return decisions, newest first."""

        def read(session: Session) -> list[Made]:
            found = session.decisions.page(None, limit, offset)
            return [self._made(session, decision) for decision in found]

        return await self._database.read(read)

    def _made(self, session: Session, decision: Decision) -> Made:
        entry = session.receipts.get(decision.receipt_id)
        if entry is None:
            return Made(decision, State.DISCARDED, "")
        results = session.instances.of_receipt(self._stores.destination, decision.receipt_id)
        study_uid = results[0].study_uid if results else ""
        return Made(decision, entry.receipt.state, entry.receipt.reason, study_uid)

    async def _decide(self, act: Act, receipt_ids: Sequence[str]) -> Changed:
        changed = queries.Changed()
        for start in range(0, len(receipt_ids), _BATCH):
            batch = receipt_ids[start : start + _BATCH]

            def write(session: Session, batch: Sequence[str] = batch) -> Changed:
                return deciding.decide(session, act, batch)

            changed.add(await self._database.write(write))
        return changed


def _meant(reason: str) -> tuple[tuple[State, ...], str | None]:
    if reason == State.UNROUTED:
        return (State.UNROUTED,), None
    return (State.QUARANTINED,), reason


def _refused(session: Session, receipt: Receipt) -> Refused:
    return Refused(receipt, deciding.picture_of(session, receipt.id), found_regions(receipt.where))


def found_regions(where: str) -> list[DrawnBox]:
    """Return the regions that a place in pixels tells of (`deid.pixels.cleaning`)."""
    begin = _FRAME.match(where)
    if begin is None:
        return []
    frame = int(begin[1])
    return [DrawnBox(frame, *map(int, region)) for region in _REGION.findall(where[begin.end() :])]
