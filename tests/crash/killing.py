"""Kills by SIGKILL: the service, one of its workers, all of them, or the service while it starts."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import psutil

from tests.crash.account import account_for
from tests.crash.readers import Reader
from tests.crash.senders import Supply, sending
from tests.service import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.account import Account
    from tests.service import RunningDaemon

_PATIENCE_S: Final = 110.0
_MOST_BETWEEN: Final = 30
_LONGEST_START_S: Final = 2.5


class Killed(StrEnum):
    """Who is killed."""

    MAIN = "main"
    WORKER = "one worker"
    ALL = "all"
    STARTING = "while starting"


_TURNS: Final = (
    Killed.MAIN,
    Killed.WORKER,
    Killed.ALL,
    Killed.WORKER,
    Killed.MAIN,
    Killed.STARTING,
)


class Killing:
    """Kills a running service a number of times while everybody sends and reads.

    Attributes
    ----------
    counts
        How often who was killed.
    """

    def __init__(self, daemon: RunningDaemon, seed: int) -> None:
        self._daemon = daemon
        self._chance = random.Random(seed)
        self.supply = Supply(seed)
        self.reader = Reader(daemon, seed)
        self.counts: Counter[Killed] = Counter()

    def run(self, kills: int, tell: Callable[[int], None] = lambda _: None) -> Account:
        """Kill so many times, let everything be sent and settled, and account for it."""
        with sending(self._daemon, self.supply), self.reader.reading():
            for number in range(kills):
                self._wait_for_some()
                self._kill(_TURNS[number % len(_TURNS)])
                tell(number + 1)
            self.supply.close()
            wait_until(
                lambda: self.supply.is_done, what="the rest is acknowledged", deadline_s=_PATIENCE_S
            )
        return account_for(self._daemon, self.supply, self.reader.torn)

    def _wait_for_some(self) -> None:
        """Wait until a few more peers have their answers, and then a moment longer."""
        enough = self.supply.answered + self._chance.randint(1, _MOST_BETWEEN)
        wait_until(
            lambda: self.supply.answered >= enough,
            what="some more are acknowledged",
            deadline_s=_PATIENCE_S,
        )
        time.sleep(self._chance.random() / 20)

    def _kill(self, who: Killed) -> None:
        daemon = self._daemon
        self.counts[who] += 1
        if who is Killed.WORKER:
            self._kill_a_worker()
            return
        daemon.kill(workers_too=who is not Killed.MAIN)
        if who is Killed.STARTING:
            daemon.launch()
            time.sleep(self._chance.random() * _LONGEST_START_S)
            daemon.kill()
        daemon.start()

    def _kill_a_worker(self) -> None:
        """Kill one of the service's children; they are there a moment after it."""
        assert self._daemon.process is not None
        main = psutil.Process(self._daemon.process.pid)
        wait_until(lambda: bool(main.children()), what="there is a worker")
        with suppress(psutil.NoSuchProcess, IndexError):
            self._chance.choice(main.children()).kill()
