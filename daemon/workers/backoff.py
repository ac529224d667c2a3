"""How long to wait before the next try."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits with jitter, so that what failed together does not come back together.

    Attributes
    ----------
    first_s, longest_s
        Seconds before the second try, and the most that is ever waited.
    randomness
        Where the jitter comes from; each wait is between half of itself and itself.
    """

    first_s: float
    longest_s: float
    randomness: random.Random = field(default_factory=random.Random)

    def delay_s(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row (1 is the first)."""
        exponent = min(failures - 1, 32)  # beyond it, floats would only grow past any `longest_s`
        full = min(self.first_s * 2.0**exponent, self.longest_s)
        return full * (1 + self.randomness.random()) / 2

    def delays(self) -> Iterator[float]:
        """Yield the waits after the first, second, ... failure, without end."""
        return (self.delay_s(failures) for failures in count(1))
