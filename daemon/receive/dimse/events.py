"""What the SCP counts."""

from __future__ import annotations

from typing import Protocol


class ReceiverEvents(Protocol):
    """Told of what happens, for counters; called on the event loop and expected to return at once.

    A `reason` is one of a small fixed set of codes, never text from the peer.
    """

    def association_accepted(self) -> None:
        """Count an association that was accepted."""

    def association_rejected(self, reason: str) -> None:
        """Count an association (or a connection, before one was asked for) that was turned away."""

    def association_aborted(self, reason: str) -> None:
        """Count an association that ended otherwise than by release, by us or by the peer."""

    def instance_received(self, size: int) -> None:
        """Count an instance that was made durable; `size` in bytes of its data set."""

    def instance_refused(self, reason: str) -> None:
        """Count an instance that was answered with a failure status."""


class NoEvents:
    """Counts nothing."""

    def association_accepted(self) -> None:
        """Do nothing."""

    def association_rejected(self, reason: str) -> None:
        """Do nothing."""

    def association_aborted(self, reason: str) -> None:
        """Do nothing."""

    def instance_received(self, size: int) -> None:
        """Do nothing."""

    def instance_refused(self, reason: str) -> None:
        """Do nothing."""
