"""What the pages ask of the stores, beside what `dicomweb.ports.InstanceStore` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.records import State


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
