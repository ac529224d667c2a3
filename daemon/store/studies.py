"""What the pages ask of studies: how far they are, what became of each instance, whether anything changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from daemon.store.queries import REFUSED
from daemon.store.sidecar_rows import KeyKind
from dicomweb.ports import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.records import State
    from daemon.resources import ResourceVersion
    from daemon.store.ports import Database, Session
    from daemon.store.rows import IndexedInstance
    from daemon.store.sidecar_rows import Made
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


@dataclass(frozen=True, slots=True)
class ResourcePair:
    """A received FHIR resource that belongs to a study, and the result that was made of it.

    Attributes
    ----------
    received, result
        The latest versions; None where there is none.
    state, reason
        Of what was received.
    outcome
        What was done, JSON, free of original values; empty if there is no result.
    """

    type: str
    received: ResourceVersion | None
    result: ResourceVersion | None
    state: str
    reason: str
    outcome: bytes


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

    async def resources(self, study_uid: str) -> list[ResourcePair]:
        """Return the FHIR resources that belong to a study, a result's or a received one.

        Of a result, only what its own deidentifier made of them.
        """
        return await self._database.read(lambda session: self._resources(session, study_uid))

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

    def _resources(self, session: Session, study_uid: str) -> list[ResourcePair]:
        source, destination = self._stores.fhir_source, self._stores.fhir_destination
        deidentifiers = {
            each.deidentifier
            for receipt_id in session.instances.of_study(self._stores.destination, study_uid)[:1]
            for each in session.instances.of_receipt(self._stores.destination, receipt_id)
            if each.study_uid == study_uid
        }
        received_uid = self._received_as(session, study_uid) if deidentifiers else study_uid
        found = []
        numbers = session.sidecars.having(source, KeyKind.STUDY, received_uid or "")
        for row in (session.sidecars.get(source, number) for number in numbers):
            if row is None:
                continue
            outcomes = orjson.loads(session.sidecars.outcome(row.number) or b"{}")
            made: list[Made | None] = [
                each for each in row.made if not deidentifiers or each.deidentifier in deidentifiers
            ]
            found += [
                ResourcePair(
                    row.type,
                    session.resources.get(source, row.type, row.id),
                    each and session.resources.get(destination, each.type, each.id),
                    row.state.value,
                    row.reason,
                    orjson.dumps(outcomes.get(each.deidentifier, {})) if each else b"",
                )
                for each in made or [None]
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
