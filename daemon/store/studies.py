"""What the pages ask of studies: how far they are, what became of each instance, whether anything changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.store.queries import REFUSED
from dicomweb.ports import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.records import State
    from daemon.store.ports import Database, Session
    from daemon.store.rows import IndexedInstance
    from daemon.store.store_set import StoreSet


@dataclass(frozen=True, slots=True)
class Pair:
    """A received instance and the result that was made of it; at least one of them is shown.

    Attributes
    ----------
    received
        None when it is in the source no more.
    result
        None when it was refused, or waits.
    """

    received: Resource | None
    result: Resource | None
    state: State
    reason: str


class StudyQueries:
    """Reads source and destination together."""

    def __init__(self, database: Database, stores: StoreSet) -> None:
        self._database: Final = database
        self._stores: Final = stores

    async def marks(self) -> Mapping[str, str]:
        """Return a text for the studies and one for the quarantine; another one after a change."""
        return await self._database.read(self._marks)

    async def of_received(self, study_uids: Sequence[str]) -> dict[str, dict[State, int]]:
        """Return how many instances of each received study are in which state."""

        def read(session: Session) -> dict[str, dict[State, int]]:
            states = session.instances.states_of_study
            return {uid: states(self._stores.source, uid) for uid in study_uids}

        return await self._database.read(read)

    async def of_results(self, study_uids: Sequence[str]) -> dict[str, dict[State, int]]:
        """Return the same of the studies that these were made of, by the results' UIDs."""

        def read(session: Session) -> dict[str, dict[State, int]]:
            states = session.instances.states_of_study
            return {
                uid: {} if source is None else states(self._stores.source, source)
                for uid in study_uids
                for source in [self._received_as(session, uid)]
            }

        return await self._database.read(read)

    async def pairs(self, study_uid: str) -> list[Pair]:
        """Return the instances of a study, in the order in which they came.

        Parameters
        ----------
        study_uid
            Of a result: then other results of the same instances are left out. Or of what was received.
        """
        return await self._database.read(lambda session: self._pairs(session, study_uid))

    async def outcome_of_result(self, sop_instance_uid: str) -> bytes:
        """Return the JSON outcome record of a result; empty if there is none."""
        store = self._stores.destination
        return await self._database.read(
            lambda session: _outcome(session, session.instances.find(store, sop_instance_uid))
        )

    async def outcome_of_received(self, sop_instance_uid: str) -> bytes:
        """Return the JSON outcome record of what was received; empty if there is none."""
        store = self._stores.source
        return await self._database.read(
            lambda session: _outcome(session, session.instances.find(store, sop_instance_uid))
        )

    def _pairs(self, session: Session, study_uid: str) -> list[Pair]:
        instances, receipts = session.instances, session.receipts
        of_results = instances.of_study(self._stores.destination, study_uid)
        received_uid = self._received_as(session, study_uid) if of_results else study_uid
        of_received = instances.of_study(self._stores.source, received_uid) if received_uid else []
        found = []
        for receipt_id in dict.fromkeys([*of_received, *of_results]):
            entry = receipts.get(receipt_id)
            if entry is None:
                continue
            results: list[Resource | None] = [
                _resource(each)
                for each in instances.of_receipt(self._stores.destination, receipt_id)
                if not of_results or each.study_uid == study_uid
            ]
            received: list[Resource | None] = [
                _resource(each) for each in instances.of_receipt(self._stores.source, receipt_id)
            ]
            found += [
                Pair(each, result, entry.receipt.state, entry.receipt.reason)
                for each in received or [None]
                for result in results or [None]
                if each is not None or result is not None
            ]
        return found

    def _received_as(self, session: Session, result_uid: str) -> str | None:
        """Return the study that a result was made of; None where nothing of it is in the source any more."""
        for receipt_id in session.instances.of_study(self._stores.destination, result_uid):
            for received in session.instances.of_receipt(self._stores.source, receipt_id):
                return received.study_uid
        return None

    def _marks(self, session: Session) -> dict[str, str]:
        tallies = session.figures.tallies()
        refused = sorted((t.reason, t.instances) for t in tallies if t.state in REFUSED)
        every = sorted((t.state, t.deidentifier, t.instances) for t in tallies)
        shown = [
            session.instances.last(store)
            for store in (self._stores.source, self._stores.destination)
        ]
        return {"studies": f"{every}{shown}", "quarantine": f"{refused}"}


def _resource(instance: IndexedInstance) -> Resource:
    return Resource(instance.study_uid, instance.series_uid, instance.sop_instance_uid)


def _outcome(session: Session, instance: IndexedInstance | None) -> bytes:
    return b"" if instance is None else session.receipts.outcome(instance.receipt_id)
