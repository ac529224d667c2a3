"""What a watched folder counts."""

from __future__ import annotations

from typing import Protocol


class WatchEvents(Protocol):
    """Told of what happens, for counters; called on the event loop and expected to return at once.

    A `reason` is one of a small fixed set of codes, never a name of a file.
    """

    def instance_received(self, size: int) -> None:
        """Count an instance that was made durable; `size` in bytes as spooled."""

    def file_refused(self, reason: str) -> None:
        """Count a file, or an entry of an archive, that was put aside."""

    def files_waiting(self, count: int) -> None:
        """Note how many files are in the folder and not yet taken."""

    def files_held_open(self, count: int) -> None:
        """Note how many of them their writers have held open for longer than one waits."""


class NoEvents:
    """Counts nothing."""

    def instance_received(self, size: int) -> None:
        """Do nothing."""

    def file_refused(self, reason: str) -> None:
        """Do nothing."""

    def files_waiting(self, count: int) -> None:
        """Do nothing."""

    def files_held_open(self, count: int) -> None:
        """Do nothing."""
