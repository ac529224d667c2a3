"""What people decided of refused instances, as policy asks an engine for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.records import Ruling


class Choice(StrEnum):
    """What was decided."""

    RETRY = "retry"
    RELEASE = "release"
    DISCARD = "discard"


class Place(StrEnum):
    """Where it was decided. Who is logged in there is not asked: it would stand in records for ever."""

    COMMAND_LINE = "command_line"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Decider:
    """Where a decision came from.

    Attributes
    ----------
    reviewer
        A name as somebody typed it for the record, or nothing. Shown with the decision, nowhere else.
    """

    place: Place
    reviewer: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about one instance.

    Attributes
    ----------
    id
        Counts decisions; 0 before it is kept.
    reason
        The code for which the instance waited.
    ruling
        What holds for the instance from then on: all of it, what earlier decisions said included.
    """

    receipt_id: str
    decided_at: float
    decider: Decider
    choice: Choice
    reason: str
    ruling: Ruling
    id: int = 0


class DecisionRows(Protocol):
    """Every decision, in order. None is changed, and none is removed before its receipt is."""

    def add(self, decision: Decision) -> None:
        """Keep a decision."""

    def page(self, receipt_id: str | None, limit: int, offset: int) -> list[Decision]:
        """Return decisions about a receipt, or about all, newest first."""

    def in_force(self, receipt_ids: Sequence[str]) -> Mapping[str, Ruling]:
        """Return the latest ruling of those receipts that have one that says something."""
