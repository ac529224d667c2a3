"""What the dispatcher is told, what it tells, and what it asks of the workers (`daemon.pipeline.dispatch`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from daemon.workers.backoff import Backoff

if TYPE_CHECKING:
    import asyncio

    from daemon.records import Comparison, Job, Receipt, Result


class Workers(Protocol):
    """What processes instances (`daemon.pipeline.instance_workers.InstanceWorkers`)."""

    async def process(self, job: Job, size: int) -> Result:
        """Return what became of one instance of so many bytes.

        Raises
        ------
        StoreUnavailable
            When a disk refused in a way that may pass.
        WorkerKilled
            When the worker died of it.
        PoolClosed
            When it was given up because the service ends.
        """

    async def are_alike(self, comparison: Comparison, size: int) -> bool:
        """Tell whether two files hold the same data set; raises as `process`."""


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """How much at once, how often, how long to wait.

    Attributes
    ----------
    max_kills
        As the site decided (`config.settings.Workers.max_attempts`).
    in_flight
        Instances taken at the same time, from `begin` to `settle`. Some per worker process, so that
        commits are shared; not many, for all of them are suspects after a power failure.
    max_begun
        An instance that was begun so often without any answer is quarantined, whatever the reason.
    settle_batch
        Results in one transaction, at most. A lone one never waits for others.
    gather_s
        While instances are under way, how long to let others gather before they are begun, and
        half of it before results are settled: each group is one flush of the disk, for which the
        receivers wait too.
    hold_back_s
        While instances arrive in a rush, how old one may become before it is begun all the same:
        a sender waits for each acknowledgement, and processing would share disk and processors.
    after_kill, after_refusal
        Waits before an instance that killed its worker, and before the store is asked again.
    """

    max_kills: int
    in_flight: int = 32
    max_begun: int = 6
    settle_batch: int = 64
    gather_s: float = 0.04
    hold_back_s: float = 1.0
    after_kill: Backoff = field(default_factory=lambda: Backoff(first_s=1.0, longest_s=60.0))
    after_refusal: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, longest_s=30.0))


@dataclass(frozen=True, slots=True)
class Progress:
    """What the dispatcher is doing now.

    Attributes
    ----------
    in_flight
        Instances between `begin` and `settle`.
    unsettled
        Those of them that have a result and wait for the store.
    longest_s
        Seconds since the oldest of them was begun; 0 when there is none.
    settled
        Instances settled since the start.
    refused_s, refusal
        Seconds since the store began to refuse, without an instance settled since, and what refused it
        last, as `StoreUnavailable.code` has it; 0 when it does not.
    """

    in_flight: int
    unsettled: int
    longest_s: float
    settled: int = 0
    refused_s: float = 0.0
    refusal: str = ""


@dataclass(slots=True, eq=False)
class Flight:
    """One instance between `begin` and `settle`."""

    receipt: Receipt
    begun_at: float
    task: asyncio.Task[None] | None = None
    result: Result | None = None
    refusals: int = 0
