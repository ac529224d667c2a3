"""The probes: is the database writable, is there room, is the loop on time.

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
from daemon.observe.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.observe.metrics import Metrics
    from daemon.observe.systemd import Notifier
    from daemon.records import State

_log = structlog.get_logger(__name__)
_INTERVAL_S: Final = 2.0
_PROBE_TIMEOUT_S: Final = 10.0
_LATE_S: Final = 20.0


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

    def __init__(self, probed: Probed, metrics: Metrics, notifier: Notifier, min_free: int) -> None:
        self._probed = probed
        self._metrics = metrics
        self._notifier = notifier
        self._min_free = min_free
        self._passed_at = -1e9
        self._probed_at = time.monotonic()
        self._is_draining = False

    @property
    def is_alive(self) -> bool:
        """Whether the last probe, whatever it found, is recent."""
        return time.monotonic() - self._probed_at < _LATE_S

    @property
    def is_ready(self) -> bool:
        """Whether the last probe passed, is recent, and the service is not draining."""
        return not self._is_draining and time.monotonic() - self._passed_at < _LATE_S

    def drain(self) -> None:
        """Say from now on that the service is not ready."""
        self._is_draining = True

    async def run(self) -> None:
        """Probe for ever."""
        interval_s = min(_INTERVAL_S, self._notifier.watchdog_interval_s or _INTERVAL_S)
        while True:
            await self.probe()
            await asyncio.sleep(interval_s)

    async def probe(self) -> None:
        """Write to the database, look at the disk, set the gauges; feed the watchdog if all is well.

        A full disk is not ready to receive, but starting anew would not help it, and what is stored is
        still served.
        """
        is_healthy = is_full = False
        free = 0
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                await self._probed.touch()
            free = self._probed.free_bytes()
            is_healthy = free >= self._min_free
            is_full = not is_healthy
        except (OSError, DaemonError, TimeoutError) as error:
            is_full = isinstance(error, SpoolFull)
            _log.error("probe_failed", error=type(error).__name__)
        self._probed_at = time.monotonic()
        self._metrics.probed(is_healthy, free)
        if is_healthy:
            self._passed_at = self._probed_at
        if is_healthy or is_full:
            self._notifier.alive()

    async def metrics(self) -> tuple[bytes, str]:
        """Return the exposition, with states and waiting instances as they are now."""
        now = await self._probed.standing()
        self._metrics.states(now.states)
        oldest_s = 0.0 if now.oldest is None else max(0.0, time.time() - now.oldest)
        self._metrics.spool(now.waiting, now.waiting_bytes, oldest_s)
        return self._metrics.exposition(), CONTENT_TYPE
