"""Counters of the running service, and their text for ``/metrics`` (Prometheus exposition format).

The parts of the daemon name what they count in small protocols (`daemon.receive.dimse.events`,
`daemon.receive.watch.events`, `daemon.pipeline.figures`, `daemon.workers.pool`); here is what
stands behind them. A label value is always one of a small set that we or the configuration made
up: a reason code, a state, a watched folder, the pattern of an HTTP route. Nothing that a sender
chooses becomes a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from daemon.observe.logs import Withheld
from daemon.observe.unheard import Unheard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.records import State

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_BYTES = tuple(float(4**power) for power in range(5, 17))  # 1 KiB to 4 GiB


class Metrics:
    """All metrics of one service; a second one in the same process is independent.

    Attributes
    ----------
    dimse, stow, pipeline, pool
        What these parts report to; `watch` gives one for each watched folder.
    watching
        What is in each of these, by the folder as configured.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._instances = _Instances(self.registry)
        self.dimse = DimseEvents(self.registry, self._instances)
        self.stow = InstanceEvents(self._instances, "stow")
        self.pipeline = DispatchFigures(self.registry)
        self.pool = WorkerFigures(self.registry)
        self.watching: dict[str, Watching] = {}
        self._files_waiting = _gauge(
            self.registry,
            "watch_files_waiting",
            "Files in a watched folder that are not yet taken.",
            "folder",
        )
        self._files_held_open = _gauge(
            self.registry,
            "watch_files_held_open",
            "Files in a watched folder that their writers have held open for longer than `incomplete_s`.",
            "folder",
        )
        self._requests = _histogram(
            self.registry,
            "http_request_seconds",
            "Time from the end of a request's header to the end of its response.",
            _SECONDS,
            "endpoint",
            "method",
            "status",
        )
        self._receipts = _gauge(self.registry, "receipts", "Received instances by state.", "state")
        self._spool_instances = _gauge(self.registry, "spool_instances", "Instances that wait.")
        self._spool_bytes = _gauge(self.registry, "spool_bytes", "Bytes that wait.")
        self._oldest = _gauge(
            self.registry,
            "oldest_waiting_seconds",
            "Age of the instance that waits longest; 0 if none does.",
        )
        self._free = _gauge(
            self.registry, "disk_free_bytes", "Bytes free on the disk of the state folder."
        )
        self._healthy = _gauge(
            self.registry, "healthy", "1 if the last probe of database and disk passed."
        )
        self._stuck = _gauge(
            self.registry,
            "work_stuck",
            "1 if something waits and nothing has been settled for a minute, as the store refuses.",
        )
        self._unheard = _gauge(
            self.registry,
            "unheard_failures",
            "Failures of what was done to its end after its client had left, since the start.",
        )
        self._withheld = _gauge(
            self.registry,
            "log_withheld",
            "Keys and event names that were kept out of the log since the start.",
        )
        self._lost = _gauge(
            self.registry,
            "log_lines_lost",
            "Lines that could not be written to the log since the start.",
        )

    def watch(self, folder: str) -> FolderEvents:
        """Return what a watched folder reports to; `folder` as configured."""
        return FolderEvents(
            self._instances,
            self._files_waiting.labels(folder),
            self._files_held_open.labels(folder),
            self.watching.setdefault(folder, Watching()),
        )

    def request(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count one HTTP request; `endpoint` is the route's pattern, never the path."""
        self._requests.labels(endpoint, method, str(status)).observe(seconds)

    def states(self, counts: Mapping[State, int]) -> None:
        """Set how many received instances are in each state."""
        for state, count in counts.items():
            self._receipts.labels(state.value).set(count)

    def spool(self, instances: int, size: int, oldest_s: float) -> None:
        """Set what waits."""
        self._spool_instances.set(instances)
        self._spool_bytes.set(size)
        self._oldest.set(oldest_s)

    def probed(self, is_healthy: bool, free_bytes: int) -> None:
        """Set what the probe of database and disk found."""
        self._healthy.set(is_healthy)
        self._free.set(free_bytes)

    def stuck(self, is_stuck: bool) -> None:
        """Set whether something waits and the work does not go on."""
        self._stuck.set(is_stuck)

    def exposition(self) -> bytes:
        """Return the text for ``/metrics``."""
        self._unheard.set(Unheard.failures)
        self._withheld.set(Withheld.keys + Withheld.events)
        self._lost.set(Withheld.lines)
        return generate_latest(self.registry)


class _Instances:
    """What every receiver counts, by receiver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = _counter(
            registry,
            "instances_received",
            "Instances made durable and acknowledged.",
            "receiver",
        )
        self.received_bytes = _counter(
            registry,
            "received_bytes",
            "Bytes of instances made durable and acknowledged.",
            "receiver",
        )
        self.size = _histogram(
            registry,
            "received_instance_bytes",
            "Size of received instances.",
            _BYTES,
            "receiver",
        )
        self.refused = _counter(
            registry,
            "instances_refused",
            "Instances answered with a failure, files put aside.",
            "receiver",
            "reason",
        )


class InstanceEvents:
    """Instances received and refused by one receiver."""

    def __init__(self, instances: _Instances, receiver: str) -> None:
        self._received = instances.received.labels(receiver)
        self._received_bytes = instances.received_bytes.labels(receiver)
        self._size = instances.size.labels(receiver)
        self._refused = instances.refused
        self._receiver = receiver

    def instance_received(self, size: int) -> None:
        """Count an instance that was made durable."""
        self._received.inc()
        self._received_bytes.inc(size)
        self._size.observe(size)

    def instance_refused(self, reason: str) -> None:
        """Count an instance that was answered with a failure."""
        self._refused.labels(self._receiver, reason).inc()


class DimseEvents(InstanceEvents):
    """What `daemon.receive.dimse.events.ReceiverEvents` asks for."""

    def __init__(self, registry: CollectorRegistry, instances: _Instances) -> None:
        super().__init__(instances, "dimse")
        self._accepted = _counter(registry, "associations_accepted", "Associations accepted.")
        self._rejected = _counter(
            registry,
            "associations_rejected",
            "Associations and connections turned away.",
            "reason",
        )
        self._aborted = _counter(
            registry,
            "associations_aborted",
            "Associations that did not end by release.",
            "reason",
        )

    def association_accepted(self) -> None:
        """Count an association that was accepted."""
        self._accepted.inc()

    def association_rejected(self, reason: str) -> None:
        """Count an association or connection that was turned away."""
        self._rejected.labels(reason).inc()

    def association_aborted(self, reason: str) -> None:
        """Count an association that ended otherwise than by release."""
        self._aborted.labels(reason).inc()


@dataclass(slots=True)
class Watching:
    """What is in a watched folder now, as `daemon.cli.status` shows it."""

    waiting: int = 0
    held_open: int = 0


class FolderEvents(InstanceEvents):
    """What `daemon.receive.watch.events.WatchEvents` asks for."""

    def __init__(
        self, instances: _Instances, waiting: Gauge, held_open: Gauge, watching: Watching
    ) -> None:
        super().__init__(instances, "watch")
        self._waiting = waiting
        self._held_open = held_open
        self._watching = watching

    def file_refused(self, reason: str) -> None:
        """Count a file, or an entry of an archive, that was put aside."""
        self.instance_refused(reason)

    def files_waiting(self, count: int) -> None:
        """Note how many files are in the folder and not yet taken."""
        self._waiting.set(count)
        self._watching.waiting = count

    def files_held_open(self, count: int) -> None:
        """Note how many of them their writers have held open for longer than one waits."""
        self._held_open.set(count)
        self._watching.held_open = count


class DispatchFigures:
    """What `daemon.pipeline.figures.PipelineFigures` asks for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._begun = _counter(registry, "instances_begun", "Instances handed to workers.")
        self._settled = _counter(
            registry,
            "instances_settled",
            "Instances that workers are done with.",
            "state",
            "reason",
        )
        self._bytes = _counter(
            registry, "settled_bytes", "Bytes of instances that workers are done with."
        )
        self._seconds = _histogram(
            registry,
            "processing_seconds",
            "Time from handing an instance to a worker to its end.",
            _SECONDS,
        )
        self._postponed = _counter(
            registry,
            "instances_postponed",
            "Instances put back to wait for another attempt.",
            "reason",
        )
        self._waited = _counter(
            registry,
            "store_waits",
            "Waits before another try of what the store refused.",
            "reason",
        )

    def begun(self, count: int) -> None:
        """Count instances that are on their way to workers now."""
        self._begun.inc(count)

    def settled(self, state: State, reason: str, seconds: float, size: int) -> None:
        """Count one that is done."""
        self._settled.labels(state.value, reason).inc()
        self._bytes.inc(size)
        self._seconds.observe(seconds)

    def postponed(self, reason: str) -> None:
        """Count one that goes back to wait."""
        self._postponed.labels(reason).inc()

    def waited(self, reason: str) -> None:
        """Count a wait before another try of what the store refused."""
        self._waited.labels(reason).inc()


class WorkerFigures:
    """What `daemon.workers.pool.PoolFigures` asks for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._started = _counter(registry, "workers_started", "Worker processes started.")
        self._seconds = _histogram(
            registry,
            "worker_start_seconds",
            "Time a worker process took to become ready.",
            _SECONDS,
        )
        self._ended = _counter(registry, "workers_ended", "Worker processes that ended.", "reason")

    def worker_started(self, seconds: float) -> None:
        """Count a process that became ready."""
        self._started.inc()
        self._seconds.observe(seconds)

    def worker_ended(self, reason: str) -> None:
        """Count one that is gone."""
        self._ended.labels(reason).inc()


def _counter(registry: CollectorRegistry, name: str, about: str, *labels: str) -> Counter:
    return Counter(f"dicomveil_{name}", about, labels, registry=registry)


def _gauge(registry: CollectorRegistry, name: str, about: str, *labels: str) -> Gauge:
    return Gauge(f"dicomveil_{name}", about, labels, registry=registry)


def _histogram(
    registry: CollectorRegistry,
    name: str,
    about: str,
    buckets: Sequence[float],
    *labels: str,
) -> Histogram:
    return Histogram(f"dicomveil_{name}", about, labels, buckets=buckets, registry=registry)
