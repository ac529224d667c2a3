"""One worker process, seen from the daemon: spawning, its socket, its time limit, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from daemon.workers.cpu import cpu_seconds, is_runnable
from daemon.workers.errors import (
    WorkerCrashed,
    WorkerKilled,
    WorkerMemory,
    WorkerRaised,
    WorkerStartFailed,
    WorkerTimeout,
)
from daemon.workers.frames import Decoder, Frame, FrameError, Kind, Message, encode
from daemon.workers.spawning import Spawned, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from daemon.workers.limits import Limits

_EXIT_GRACE_S = 2.0
_UNREAD_GRACE_S = 0.2
#: A job that has used less than this share of the time since it was last looked at hangs; on the
#: busiest machine one that works uses more.
_STANDS_STILL = 0.001
#: No job goes on for more than so many times the CPU that it may use.
_LONGEST = 20
#: Whatever a process says of what it looks at.
_MOST_FOR_A_LOOK_S = 3600.0


@dataclass(slots=True, eq=False)
class PendingJob:
    """A job that has no answer yet."""

    frame: bytes
    timeout_s: float
    answer: asyncio.Future[Message]


@dataclass(frozen=True, slots=True)
class Program:
    """What workers run.

    Attributes
    ----------
    target
        ``module:function``: called once per process with a JSON document and secret bytes, it
        returns the handler that is called with each job's `Message` and returns the answer's.
    import_path
        More folders where the target and what it needs are found.
    """

    target: str
    document: dict[str, Any]
    secret: bytes
    limits: Limits
    import_path: Sequence[Path] = ()


class _Look(NamedTuple):
    """When a job was looked at, by the loop's clock, and the CPU that it had used by then."""

    at: float
    cpu_s: float


class Worker(asyncio.Protocol):
    """A process, spawned when this is made or before, that answers jobs in the order it is given them.

    Only the first unanswered job can be under way: the process reads the next one after it has
    answered. So when it dies, that one is to blame, and the others were not begun.

    Attributes
    ----------
    ended
        Set when the process is reaped and everything it had said was read.
    tired
        Set when the process asks to be replaced (it goes on meanwhile), and when it has ended.
    """

    def __init__(
        self,
        program: Program,
        on_change: Callable[[Worker], None],
        spawned: Spawned | None = None,
    ) -> None:
        self._program = program
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder()
        self._transport: asyncio.WriteTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_connected = False
        self._cause: WorkerKilled | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self.jobs: deque[PendingJob] = deque()
        self.ended = asyncio.Event()
        self.tired = asyncio.Event()
        self.is_retiring = False
        self.served = 0
        self.last_job_s = 0.0
        self._first_since = 0.0
        self._looked_at = _Look(0.0, 0.0)
        self._cpu_before = 0.0  # as the process said last: asking /proc costs more than a short job
        # From the loop's own thread: the death signal comes when the *thread* that spawned ends.
        spawned = spawned or spawn(program.import_path)
        self.process, self._ours = spawned.process, spawned.connection
        with contextlib.ExitStack() as undo:
            undo.callback(spawned.abandon)
            self._pidfd = os.pidfd_open(self.pid)
            undo.pop_all()
        self._loop.add_reader(self._pidfd, self._on_exit)

    @property
    def pid(self) -> int:
        """The process id, also that of its process group and session."""
        return self.process.pid

    @property
    def is_open(self) -> bool:
        """Whether it takes jobs."""
        is_ready = self._ready.done() and not self._ready.cancelled()
        return is_ready and self._is_connected and not self.is_retiring and self._cause is None

    @property
    def death(self) -> WorkerKilled:
        """Why it ended, for the job that it had begun. Only after `ended`."""
        if self._cause is not None:
            return self._cause
        code = self.process.returncode
        if code == -signal.SIGXCPU:
            return WorkerTimeout()
        return WorkerCrashed(signal=-code) if code < 0 else WorkerCrashed(exit_code=code)

    async def become_ready(self) -> None:
        """Tell the process what to run and wait until it can.

        Raises
        ------
        WorkerStartFailed
            When it does not become ready within its limit; the process is gone then.
        """
        self._ours.setblocking(False)
        try:
            await self._loop.create_unix_connection(lambda: self, sock=self._ours)
            self._write(encode(Kind.START, _start_message(self._program)))
            async with asyncio.timeout(self._program.limits.start_timeout_s):
                await self._ready
        except TimeoutError as error:
            await self.kill()
            raise WorkerStartFailed("not ready in time") from error
        except BaseException:
            self._ready.cancel()
            await self.kill()
            raise

    def submit(self, job: PendingJob) -> None:
        """Send a job; its answer arrives in its future unless the process ends first."""
        self.jobs.append(job)
        self._write(job.frame)
        if len(self.jobs) == 1:
            self._watch_first_job()

    def retire(self) -> None:
        """Take no more jobs, finish those it has, and end."""
        self.is_retiring = True
        self._close_when_done()

    async def kill(self) -> None:
        """End the process and everything it started, now, and wait until it is reaped."""
        self._kill(WorkerCrashed(signal=signal.SIGKILL))
        await self.ended.wait()

    # -- what the loop calls --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio)."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._is_connected = True

    def data_received(self, data: bytes) -> None:
        """Take what the process says (asyncio)."""
        try:
            for frame in self._decoder.feed(data):
                self._on_frame(frame)
        except (FrameError, KeyError, TypeError, ValueError, OverflowError):
            self._kill(WorkerCrashed())

    def connection_lost(self, exc: Exception | None) -> None:
        """Notice that nothing more will be said (asyncio)."""
        del exc
        self._is_connected = False
        if self.process.returncode is None:
            # Exiting closes the socket a moment before the exit can be seen. No process may go on
            # without a socket, though.
            self._loop.call_later(_EXIT_GRACE_S, self._kill_group)
        self._finish_if_over()

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._kill_group()  # programs it ran; before it is reaped, its number cannot be another's
        self.process.wait()
        self._finish_if_over()

    def _on_frame(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.READY if not self._ready.done():
                self._cpu_before = float(frame.message.header["cpu_s"])
                self._ready.set_result(None)
                self._on_change(self)
            case Kind.RAISED if not self._ready.done():
                self._ready.set_exception(WorkerStartFailed(str(frame.message.header["trace"])))
            case Kind.MEMORY if not self._ready.done():
                self._ready.set_exception(WorkerStartFailed("out of memory"))
            case Kind.REPLY | Kind.RAISED if self.jobs:
                self._on_answer(frame)
            case Kind.PIXELS if self.jobs:
                said = frame.message.header
                more_s = self._program.limits.look_timeout_s(int(said["pixels"]), int(said["size"]))
                self.jobs[0].timeout_s += min(max(more_s, 0.0), _MOST_FOR_A_LOOK_S)
            case Kind.MEMORY if self.jobs:
                self._kill(WorkerMemory())
            case _:
                raise FrameError("out of turn")

    def _on_answer(self, frame: Frame) -> None:
        header = frame.message.header
        self._cpu_before = float(header["cpu_s"])
        answer: Message | WorkerRaised
        if frame.kind is Kind.RAISED:
            answer = WorkerRaised(
                str(header["type"]), str(header["trace"]), str(header.get("code"))
            )
        else:
            answer = Message({**header["body"]}, frame.message.fields)
            if header["tired"]:
                self.tired.set()
        job = self.jobs.popleft()
        self.served += 1
        self.last_job_s = self._loop.time() - self._first_since
        if not job.answer.done():
            if isinstance(answer, WorkerRaised):
                job.answer.set_exception(answer)
            else:
                job.answer.set_result(answer)
        self._watch_first_job()
        if self.is_retiring:
            self._close_when_done()
        self._on_change(self)

    # -- time, and the end --

    def _watch_first_job(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._first_since = self._loop.time()
        if self.jobs:
            self._looked_at = _Look(self._first_since, 0.0)
            self._timer = self._loop.call_later(self.jobs[0].timeout_s, self._on_timeout)

    def _on_timeout(self) -> None:
        if self._has_unread():
            # It has answered; this loop was too busy (or stopped) to look.
            self._timer = self._loop.call_later(_UNREAD_GRACE_S, self._on_timeout)
            return
        left_s = self._left_s()
        if left_s > 0:
            self._timer = self._loop.call_later(max(left_s, _UNREAD_GRACE_S), self._on_timeout)
        else:
            self._kill(WorkerTimeout())

    def _left_s(self) -> float:
        """Return how much CPU the job under way may still use; none when it stands still.

        A job on a busy machine waits for its turn as long as it works, and is not to blame for that.
        """
        allowed_s, now = self.jobs[0].timeout_s, self._loop.time()
        used = cpu_seconds(self.pid)
        if used is None or now - self._first_since > _LONGEST * allowed_s:
            return 0.0
        look = _Look(now, used - self._cpu_before)
        before, self._looked_at = self._looked_at, look
        has_worked = look.cpu_s - before.cpu_s >= _STANDS_STILL * (look.at - before.at)
        # All of a machine that stood still for a moment, as virtual ones do, has only waited for its turn.
        if not has_worked and not is_runnable(self.pid):
            return 0.0
        return min(allowed_s - look.cpu_s, allowed_s)

    def _has_unread(self) -> bool:
        if self._transport is None or not self._is_connected:
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _kill(self, cause: WorkerKilled) -> None:
        if self._cause is None:
            self._cause = cause
        self._kill_group()
        if self._transport is not None:
            self._transport.abort()

    def _kill_group(self) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _close_when_done(self) -> None:
        if not self.jobs and self._transport is not None:
            self._transport.close()

    def _finish_if_over(self) -> None:
        if self._is_connected or self.process.returncode is None or self.ended.is_set():
            return
        if self._timer is not None:
            self._timer.cancel()
        if not self._ready.done():
            self._ready.set_exception(WorkerStartFailed(str(self.death)))
        self.ended.set()
        self.tired.set()
        self._on_change(self)

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)


def _start_message(program: Program) -> Message:
    header = {
        "target": program.target,
        "document": program.document,
        "limits": program.limits.document(),
    }
    return Message(header, (program.secret,))
