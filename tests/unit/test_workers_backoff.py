"""How long to wait before another try."""

from __future__ import annotations

import random

from daemon.workers.backoff import Backoff


def test_waits_double_up_to_the_longest_and_vary_by_half() -> None:
    backoff = Backoff(first_s=1.0, longest_s=10.0, randomness=random.Random(1))
    for failures, full in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (50, 10), (10**9, 10)):
        waits = {backoff.delay_s(failures) for _ in range(50)}
        assert full / 2 <= min(waits)
        assert max(waits) <= full
        assert len(waits) > 40
