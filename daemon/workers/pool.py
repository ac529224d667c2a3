"""A set of worker processes that is always complete: what dies or tires is replaced.

The pool knows nothing of receipts or DICOM. The daemon and ``dicomveil deid`` use it alike.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, Self

import structlog

from daemon.errors import first_of
from daemon.observe.traces import trace
from daemon.workers.backoff import Backoff
from daemon.workers.errors import PoolClosed, WorkerKilled, WorkerStartFailed
from daemon.workers.frames import Kind, Message, encode
from daemon.workers.worker import PendingJob, Program, Worker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from daemon.workers.limits import Limits
    from daemon.workers.spawning import Spawned

_log = structlog.get_logger(__name__)
_SHORT_JOB_S = 0.05
_SMOOTHING = 0.1


class PoolFigures(Protocol):
    """What a pool tells of itself, for metrics."""

    def worker_started(self, seconds: float) -> None:
        """Count a process that became ready, after so many seconds."""

    def worker_ended(self, reason: str) -> None:
        """Count one that is gone: ``retired``, ``closed`` or a `WorkerReason`."""


class NoPoolFigures:
    """Tells nobody."""

    def worker_started(self, seconds: float) -> None:
        """Do nothing."""

    def worker_ended(self, reason: str) -> None:
        """Do nothing."""


class WorkerPool:
    """Runs jobs in child processes.

    Use it as an async context manager, or `start` and `close`. Start and use it in one event loop,
    in a thread that lives as long as the pool.

    Parameters
    ----------
    target
        ``module:function``, called once in each process with `document` and `secret`; it returns
        the handler: a callable that takes a job's `Message` and returns the answer's.
    document
        Settings; JSON.
    secret
        Handed over through the socket; never on a command line, in an environment or on a disk.
    count
        Processes; 0 is one per processor that this process may use.
    import_path
        More folders where `target` and what it needs are found.
    spawned
        Processes that were started ahead; the pool takes those it needs out of the list.
    """

    def __init__(
        self,
        target: str,
        document: dict[str, Any],
        secret: bytes,
        *,
        count: int = 0,
        limits: Limits,
        import_path: Sequence[Path] = (),
        figures: PoolFigures | None = None,
        spawned: list[Spawned] | None = None,
    ) -> None:
        self._program = Program(target, document, secret, limits, import_path)
        self.count = count or len(os.sched_getaffinity(0))
        self._spawned = [] if spawned is None else spawned
        self._figures = figures or NoPoolFigures()
        self._waiting: deque[PendingJob] = deque()
        self._workers: list[Worker] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._is_closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._typical_job_s = 0.0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def ready(self) -> int:
        """How many processes take jobs now."""
        return sum(worker.is_open for worker in self._workers)

    @property
    def pending(self) -> int:
        """How many jobs wait or run."""
        return len(self._waiting) + sum(len(worker.jobs) for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """Ids of the processes that are alive."""
        return [worker.pid for worker in self._workers]

    async def start(self) -> None:
        """Start all processes and wait until each is ready.

        Raises
        ------
        WorkerStartFailed
            When one cannot start; none is left running then. The message is a trace without values.
        """
        try:
            async with asyncio.TaskGroup() as group:
                starts = [group.create_task(self._start_worker()) for _ in range(self.count)]
        except BaseExceptionGroup as errors:
            error = first_of(errors, WorkerStartFailed, OSError)
            if error is None:
                raise
            await self.close()
            raise WorkerStartFailed(_told(error)) from None
        self._keepers = [
            asyncio.create_task(self._keep(started.result()), name=f"worker-keeper-{number}")
            for number, started in enumerate(starts)
        ]
        for keeper in self._keepers:
            keeper.add_done_callback(_report_keeper)

    async def run(self, job: Message, size: int = 0) -> Message:
        """Run one job and return its answer.

        Parameters
        ----------
        size
            Bytes that the job is about; they lengthen its time limit.

        Raises
        ------
        WorkerTimeout, WorkerCrashed, WorkerMemory
            The process that had begun it is gone (and being replaced). Jobs that were only queued
            behind it go to another process by themselves.
        WorkerRaised
            The handler raised.
        PoolClosed
            The pool was closed first.
        """
        if self._is_closing:
            raise PoolClosed("closed")
        limits = self._program.limits
        timeout_s = limits.job_timeout_s(size)
        header = {"cpu_s": timeout_s * (os.cpu_count() or 1), "body": job.header}
        frame = encode(Kind.JOB, Message(header, job.fields))
        pending = PendingJob(frame, timeout_s, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        self._idle.clear()
        self._assign()
        return await pending.answer

    async def close(self, drain_s: float = 0.0) -> None:
        """Take no more jobs, give those under way so many seconds, then end all processes."""
        self._is_closing = True
        if drain_s > 0:
            try:
                async with asyncio.timeout(drain_s):
                    await self._idle.wait()
            except TimeoutError:
                _log.warning("worker_drain_expired", count=self.pending)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []
        await asyncio.gather(*(self._end(worker) for worker in list(self._workers)))
        while self._waiting:
            _fail(self._waiting.popleft(), PoolClosed("closed"))

    # -- the processes --

    async def _start_worker(self) -> Worker:
        begun = time.monotonic()
        ahead = self._spawned.pop() if self._spawned else None
        worker = Worker(self._program, self._on_change, ahead)
        self._workers.append(worker)
        await worker.become_ready()
        seconds = time.monotonic() - begun
        self._figures.worker_started(seconds)
        _log.info("worker_started", pid=worker.pid, duration_s=round(seconds, 3))
        return worker

    async def _keep(self, worker: Worker) -> None:
        """Replace one worker whenever it ended, or is tired, for as long as the pool is open."""
        while True:
            await worker.tired.wait()
            tired, worker = worker, await self._replacement()
            if not tired.ended.is_set():
                tired.retire()  # only now: the new one is ready, so there was no gap

    async def _replacement(self) -> Worker:
        for delay_s in Backoff(first_s=0.1, longest_s=30.0).delays():
            try:
                return await self._start_worker()
            except (WorkerStartFailed, OSError) as error:
                _log.error("worker_start_failed", place=_told(error), delay_s=round(delay_s, 1))
                await asyncio.sleep(delay_s)
        raise AssertionError("delays never end")

    async def _end(self, worker: Worker) -> None:
        if worker.jobs:
            await worker.kill()
            return
        worker.retire()
        try:
            async with asyncio.timeout(1.0):
                await worker.ended.wait()
        except TimeoutError:
            await worker.kill()

    # -- the jobs --

    def _assign(self) -> None:
        while self._waiting and (worker := self._freest()) is not None:
            job = self._waiting.popleft()
            if not job.answer.done():  # else its caller was cancelled
                worker.submit(job)

    def _freest(self) -> Worker | None:
        # A second job behind short ones saves the process the wait for the loop; behind a long one
        # it would only wait longer than in our own queue.
        depth = 2 if self._typical_job_s < _SHORT_JOB_S else 1
        best = None
        for worker in self._workers:
            if worker.is_open and len(worker.jobs) < depth:
                depth, best = len(worker.jobs), worker
        return best

    def _on_change(self, worker: Worker) -> None:
        """Look at a worker that has answered or ended."""
        self._typical_job_s += _SMOOTHING * (worker.last_job_s - self._typical_job_s)
        if worker.ended.is_set() and worker in self._workers:
            self._workers.remove(worker)
            self._on_ended(worker)
        self._assign()
        if not self.pending:
            self._idle.set()

    def _on_ended(self, worker: Worker) -> None:
        jobs = list(worker.jobs)
        worker.jobs.clear()
        death = worker.death
        if self._is_closing:
            reason = "closed"
        elif worker.is_retiring and not jobs:
            reason = "retired"
        else:
            reason = death.reason.value
            _log.warning("worker_lost", pid=worker.pid, reason=reason, count=worker.served)
        self._figures.worker_ended(reason)
        if jobs:
            _fail(jobs[0], PoolClosed("closed") if self._is_closing else death)
        self._waiting.extendleft(reversed(jobs[1:]))


def _report_keeper(keeper: asyncio.Task[None]) -> None:
    if not keeper.cancelled() and (error := keeper.exception()) is not None:
        _log.critical("worker_keeper_failed", place=trace(error))


def _told(error: BaseException) -> str:
    # The text of our own error is a trace without values.
    return str(error) if isinstance(error, WorkerStartFailed) else trace(error)


def _fail(job: PendingJob, error: WorkerKilled | PoolClosed) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)
