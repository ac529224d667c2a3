"""What the pages ask of the stores, beside what `dicomweb.ports.InstanceStore` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.healthcare.trials import Trial
    from daemon.records import State
    from daemon.store.decision_rows import Decider
    from daemon.store.queries import Changed
    from daemon.store.reviewing import Made, Refused
    from daemon.store.studies import Pair, ResourcePair
    from deid.ports import DrawnBox
    from dicomweb.ports import Match, Resource


class Marks(Protocol):
    """What tells that something has changed."""

    async def marks(self) -> Mapping[str, str]:
        """Return by subject (``studies``, ``quarantine``) a text that is another after a change."""


class Progress(Protocol):
    """How far the instances of studies are."""

    async def of_received(self, study_uids: Sequence[str]) -> Mapping[str, Mapping[State, int]]:
        """Return how many instances of each received study are in which state."""

    async def of_results(self, study_uids: Sequence[str]) -> Mapping[str, Mapping[State, int]]:
        """Return the same of the studies that these were made of, by the results' UIDs."""


class Pairing(Protocol):
    """What was made of what. Who belongs to whom is itself a thing of the source."""

    async def pairs(self, study_uid: str) -> Sequence[Pair]:
        """Return the instances of a study, a result's or a received one, in the order in which they came."""

    async def resources(self, study_uid: str) -> Sequence[ResourcePair]:
        """Return the FHIR resources that belong to a study, a result's or a received one."""

    async def outcome_of_result(self, sop_instance_uid: str) -> bytes:
        """Return the JSON outcome record of a result, free of original values; empty if there is none."""

    async def outcome_of_received(self, sop_instance_uid: str) -> bytes:
        """Return that of what was received."""


class Review(Protocol):
    """What was refused, and what a person decides of it (`daemon.store.reviewing.Quarantine`)."""

    @property
    def deidentifiers(self) -> Sequence[str]:
        """Names of those that are configured."""

    async def counts(self) -> Mapping[str, int]:
        """Return how many wait, by reason code, most frequent first."""

    async def of_operations(self, reason: str) -> int:
        """Return how many of those that wait for one reason were refused by operations."""

    async def refused(self, reason: str, limit: int, offset: int) -> Sequence[Refused]:
        """Return those that wait for one reason, oldest first."""

    async def chosen(self, receipt_ids: Sequence[str]) -> Sequence[Refused]:
        """Return those of these that still wait."""

    async def ids_of(self, reason: str) -> Sequence[str]:
        """Return all that wait for one reason."""

    async def picture(self, receipt_id: str) -> Resource | None:
        """Return where the source has a refused instance."""

    async def retry(
        self, receipt_ids: Sequence[str], decider: Decider, deidentifier: str
    ) -> Changed:
        """Let them be processed again."""

    async def forget(self, receipt_ids: Sequence[str], decider: Decider) -> Changed:
        """Let them be processed again, by nothing that was decided by hand before."""

    async def release(
        self,
        receipt_ids: Sequence[str],
        decider: Decider,
        deidentifier: str,
        drawn: Sequence[DrawnBox],
    ) -> Changed:
        """Fill boxes, and release them if nothing else is the matter; raises `DecisionInvalid`."""

    async def discard(self, receipt_ids: Sequence[str], decider: Decider) -> Changed:
        """Remove them for good."""

    async def decisions(self, limit: int, offset: int) -> Sequence[Made]:
        """Return decisions, newest first."""


class Console(Protocol):
    """What is de-identified on demand (`daemon.healthcare.console.Console`); raises `ApiError`."""

    async def sources(self) -> Sequence[str]:
        """Return the full names of stores and datasets."""

    async def operations(self) -> Sequence[Mapping[str, Any]]:
        """Return the latest operations, as the API tells of them, newest first."""

    async def operation(self, name: str) -> Mapping[str, Any]:
        """Return one."""

    async def failures(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Return what one could not do, and why."""

    async def start(
        self, source: str, destination: str, configuration: Mapping[str, Any] | None
    ) -> str:
        """Begin to de-identify; return the operation's name."""

    async def cancel(self, name: str) -> None:
        """Let an operation end early."""

    async def studies(self, source: str) -> Sequence[Match]:
        """Return the newest studies of a store."""

    async def dry(
        self, source: str, study_uid: str, configuration: Mapping[str, Any] | None
    ) -> str:
        """Begin a trial on one study; return its operation's name."""

    async def trial(self, number: int) -> Trial | None:
        """Return what a trial made so far, beside what it was made of; None if there is no such trial."""
