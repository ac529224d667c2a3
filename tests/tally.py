"""What a dispatcher under test tells of itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.records import State


@dataclass(slots=True)
class Tally:
    """Figures kept in memory since the start.

    Attributes
    ----------
    done
        Instances by (state, reason).
    postponements
        By reason.
    """

    taken: int = 0
    seconds: float = 0.0
    bytes: int = 0
    done: Counter[tuple[State, str]] = field(default_factory=Counter)
    postponements: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)

    def begun(self, count: int) -> None:
        """Count instances that are on their way to workers now."""
        self.taken += count

    def settled(self, state: State, reason: str, seconds: float, size: int) -> None:
        """Count one that is done."""
        self.done[state, reason] += 1
        self.seconds += seconds
        self.bytes += size

    def postponed(self, reason: str) -> None:
        """Count one that goes back to wait."""
        self.postponements[reason] += 1

    def waited(self, reason: str) -> None:
        """Count a wait before another try."""
        self.waits[reason] += 1
