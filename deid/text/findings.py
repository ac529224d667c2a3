"""What was found in a text, and the engine that may find more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Finding(NamedTuple):
    """A stretch of text that identifies, `start` to `stop`, and as what.

    `rank` tells findings of different stages apart where they overlap: the lowest decides the infoType.
    """

    start: int
    stop: int
    info_type: str
    rank: int = 1


KNOWN, PATTERN, CODE, NAMED, GUESSED = range(5)


class EntityEngine(Protocol):
    """A named-entity model, or anything else that finds what our stages do not. None is needed."""

    def find(self, text: str) -> Iterable[Finding]:
        """Return what identifies in a text, with infoTypes of the Healthcare API."""


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings in order without overlaps: what overlaps becomes one, of the lowest rank's infoType.

    Of equal rank the longest decides, then the one that was given first.
    """
    result: list[Finding] = []
    best = (0, 0)
    for each in sorted(findings, key=lambda found: (found.start, found.rank, -found.stop)):
        if each.stop <= each.start:
            continue
        strength = (each.rank, each.start - each.stop)
        if result and each.start < result[-1].stop:
            last = result[-1]
            stop = max(last.stop, each.stop)
            if strength < best:
                best = strength
                result[-1] = Finding(last.start, stop, each.info_type, each.rank)
            else:
                result[-1] = Finding(last.start, stop, last.info_type, last.rank)
        else:
            best = strength
            result.append(each)
    return result


@dataclass(frozen=True, slots=True)
class CleanedText:
    """A text after cleaning; `findings` counts what was removed or replaced by infoType."""

    text: str
    findings: Mapping[str, int]
