"""What the pages ask of the stores, beside what `dicomweb.ports.InstanceStore` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.records import State
    from daemon.store.studies import Pair


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

    async def outcome_of_result(self, sop_instance_uid: str) -> bytes:
        """Return the JSON outcome record of a result, free of original values; empty if there is none."""

    async def outcome_of_received(self, sop_instance_uid: str) -> bytes:
        """Return that of what was received."""
