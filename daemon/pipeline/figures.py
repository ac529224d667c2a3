"""What the dispatcher tells of itself, for ``/metrics`` and ``dicomveil status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from daemon.records import State


class PipelineFigures(Protocol):
    """Receives what happens, as it happens. Calls are frequent and must be cheap."""

    def begun(self, count: int) -> None:
        """Count instances that are on their way to workers now."""

    def settled(self, state: State, reason: str, seconds: float, size: int) -> None:
        """Count one that is done: how long since it was begun, and its bytes."""

    def postponed(self, reason: str) -> None:
        """Count one that goes back to wait: a `WorkerReason`, or ``store_unavailable``."""

    def waited(self, reason: str) -> None:
        """Count a wait before another try of what was refused: ``take``, ``output``, ``settle``."""


class NoPipelineFigures:
    """Tells nobody."""

    def begun(self, count: int) -> None:
        """Do nothing."""

    def settled(self, state: State, reason: str, seconds: float, size: int) -> None:
        """Do nothing."""

    def postponed(self, reason: str) -> None:
        """Do nothing."""

    def waited(self, reason: str) -> None:
        """Do nothing."""
