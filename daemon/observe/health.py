"""The probes: is the database writable, is there room, is the loop on time, does the work go on.

One loop does the probing, feeds systemd's watchdog, and sets the gauges of ``/metrics``. When it is late,
the event loop is blocked; when a probe fails, the service is not ready, and the watchdog is not fed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from daemon.errors import DaemonError, SpoolFull
from daemon.observe.history import Sample
from daemon.observe.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daemon.observe.history import History
    from daemon.observe.metrics import Metrics
    from daemon.observe.systemd import Notifier
    from daemon.records import State

_log = structlog.get_logger(__name__)
_INTERVAL_S: Final = 2.0
_PROBE_TIMEOUT_S: Final = 10.0
_LATE_S: Final = 20.0
_STUCK_S: Final = 60.0
_IDLE_S: Final = 400.0
"""Longer than what was put off may be put off for (`daemon.store.receipts`)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the work stands now.

    Attributes
    ----------
    states
        Received instances by state.
    waiting, waiting_bytes
        Those of them that wait for the pipeline.
    oldest
        When the one was received that has waited longest; None if none waits.
    """

    states: Mapping[State, int]
    waiting: int
    waiting_bytes: int
    oldest: float | None


@dataclass(frozen=True, slots=True)
class Work:
    """How the work goes on.

    Attributes
    ----------
    in_flight
        Instances that are being processed or settled.
    settled
        Instances settled since the start.
    refused_s, refusal
        Seconds since the store began to refuse, with nothing settled since, and what it says; 0 when it does
        not refuse.
    """

    in_flight: int = 0
    settled: int = 0
    refused_s: float = 0.0
    refusal: str = ""


class Probed(Protocol):
    """What is probed: the stores."""

    async def touch(self) -> None:
        """Write something, so that a disk or a database that refuses is noticed. Raises `DaemonError`."""

    def free_bytes(self) -> int:
        """Return how much room there is. Raises `OSError`."""

    async def standing(self) -> Standing:
        """Return how the work stands."""


class Probes:
    """Implements `daemon.web.server.Health`."""

    def __init__(
        self,
        probed: Probed,
        metrics: Metrics,
        notifier: Notifier,
        min_free: int,
        *,
        work: Callable[[], Work] = Work,
        history: History | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probed = probed
        self._work = work
        self._history = history
        self._clock = clock
        self._settled = 0
        self._moved_at = clock()
        self._told_at = float("-inf")
        self._metrics = metrics
        self._notifier = notifier
        self._min_free = min_free
        self._passed_at = -1e9
        self._passed = False
        self._probed_at = time.monotonic()
        self._is_draining = False

    @property
    def is_alive(self) -> bool:
        """Whether the last probe, whatever it found, is recent."""
        return time.monotonic() - self._probed_at < _LATE_S

    @property
    def is_ready(self) -> bool:
        """Whether the last probe passed, is recent, and the service is not draining."""
        is_recent = time.monotonic() - self._passed_at < _LATE_S
        return not self._is_draining and self._passed and is_recent

    def drain(self) -> None:
        """Say from now on that the service is not ready."""
        self._is_draining = True

    async def run(self) -> None:
        """Probe for ever."""
        interval_s = min(_INTERVAL_S, self._notifier.watchdog_interval_s or _INTERVAL_S)
        while True:
            try:
                await self.probe()
            except Exception as error:  # noqa: BLE001 (who stays without a probe is not alive, and told so)
                _log.error("probing_failed", error=type(error).__name__)
            await asyncio.sleep(interval_s)

    async def probe(self) -> None:
        """Write to the database, look at the disk, set the gauges; feed the watchdog if all is well.

        A full disk is not ready to receive, but starting anew would not help it, and what is stored is
        still served.
        """
        is_healthy = is_full = is_stuck = False
        free = 0
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                await self._probed.touch()
            free = self._probed.free_bytes()
            is_healthy = free >= self._min_free
            is_full = not is_healthy
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                standing = await self._probed.standing()
            is_stuck = self._is_stuck(standing.waiting)
            self._remember(standing)
        except (OSError, DaemonError, TimeoutError) as error:
            is_full = isinstance(error, SpoolFull)
            is_healthy = False
            _log.error(
                "probe_failed",
                error=type(error).__name__,
                code=getattr(error, "code", ""),
                folder=getattr(error, "folder", ""),
            )
        self._probed_at = time.monotonic()
        self._metrics.probed(is_healthy and not is_stuck, free)
        self._metrics.stuck(is_stuck)
        self._passed = is_healthy and not is_stuck
        if self._passed:
            self._passed_at = self._probed_at
        if is_healthy or is_full:
            self._notifier.alive()

    def _remember(self, standing: Standing) -> None:
        if self._history is None:
            return
        now, oldest = time.time(), standing.oldest
        self._history.note(
            Sample(
                now,
                sum(standing.states.values()),
                self._work().settled,
                standing.waiting,
                0.0 if oldest is None else max(0.0, now - oldest),
            )
        )

    def _is_stuck(self, waiting: int) -> bool:
        """Tell whether something waits and the work does not go on; say so in the log once a minute.

        One large instance may take its time. But a store that has refused for a minute, with nothing settled
        since, will not be better for more of them; nor will one from which nothing is taken any more.
        """
        now, work = self._clock(), self._work()
        if not waiting or work.in_flight or work.settled != self._settled:
            self._moved_at, self._settled = now, work.settled
        is_refused = bool(waiting) and work.refused_s > _STUCK_S
        is_idle = now - self._moved_at > _IDLE_S
        if (is_refused or is_idle) and now - self._told_at >= _STUCK_S:
            self._told_at = now
            _log.error("work_stuck", count=waiting, code=work.refusal)
        return is_refused or is_idle

    async def metrics(self) -> tuple[bytes, str]:
        """Return the exposition, with states and waiting instances as they are now."""
        now = await self._probed.standing()
        self._metrics.states(now.states)
        oldest_s = 0.0 if now.oldest is None else max(0.0, time.time() - now.oldest)
        self._metrics.spool(now.waiting, now.waiting_bytes, oldest_s)
        return self._metrics.exposition(), CONTENT_TYPE
