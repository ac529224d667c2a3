"""What the pages ask of studies: how far they are, and whether anything has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.store.queries import REFUSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.records import State
    from daemon.store.ports import Database, Session
    from daemon.store.store_set import StoreSet


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
