"""The last hour in figures, in memory: for people who look at how the work goes. Gone with the process."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERVAL_S: Final = 10.0
_SAMPLES: Final = 360


@dataclass(frozen=True, slots=True)
class Sample:
    """How the work stood at one moment.

    Attributes
    ----------
    at
        By the calendar.
    received
        Instances that were ever acknowledged.
    settled
        Instances settled since the start of the process.
    oldest_s
        How long the one has waited that waits longest; 0 when none does.
    """

    at: float
    received: int
    settled: int
    waiting: int
    oldest_s: float


class History:
    """Samples of an hour, ten seconds apart."""

    def __init__(self, *, interval_s: float = _INTERVAL_S, samples: int = _SAMPLES) -> None:
        self._interval_s = interval_s
        self._samples: deque[Sample] = deque(maxlen=samples)

    def note(self, sample: Sample) -> None:
        """Keep a sample, unless the last one is too recent; a clock that was set back begins anew."""
        if self._samples:
            passed = sample.at - self._samples[-1].at
            if passed < 0:
                self._samples.clear()
            elif passed < self._interval_s:
                return
        self._samples.append(sample)

    def columns(self) -> dict[str, Sequence[float]]:
        """Return what is drawn, by name: times, instances a second since the sample before, what waits."""
        pairs = list(zip(self._samples, list(self._samples)[1:], strict=False))
        return {
            "at": [each.at for _, each in pairs],
            "received": [_rate(a.received, b.received, b.at - a.at) for a, b in pairs],
            "settled": [_rate(a.settled, b.settled, b.at - a.at) for a, b in pairs],
            "waiting": [each.waiting for _, each in pairs],
            "oldest": [round(each.oldest_s, 1) for _, each in pairs],
        }


def _rate(before: int, after: int, seconds: float) -> float:
    return round(max(0, after - before) / seconds, 2)
