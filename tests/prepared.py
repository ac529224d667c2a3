"""Services, and workers of `dicomveil deid`, as forks of a process that has loaded what they load.

Loading is half of what it takes to start a service, and nearly all of what it takes to start a worker.

For tests that ask what a service does once it runs, and what comes of it when it is killed. How it starts, what
it loads, and how much memory it takes is asked of one that is started as a user starts it. A fork has a folder,
an environment, a log, a session and signals of its own, like any other. What it shares with other forks is the
order of its sets: of runs that must come out the same, one is not a fork.

Run as ``python -m tests.prepared KIND DESCRIPTOR`` it is that process; a test's process asks it by that socket.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.workers.spawning import _PASSED_ON, KEPT_MEMORY, ONE_THREAD, Spawned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

_LARGEST = 100_000
"""Bytes of a question: arguments and an environment."""
_ENVIRONMENT = {
    "service": {"PYTHONUNBUFFERED": "1", "SSL_CERT_FILE": os.devnull},
    "worker": ONE_THREAD | KEPT_MEMORY,
}
"""What a process has to know before it loads anything."""


class Forked:
    """A service that was forked, with what a test asks of a `subprocess.Popen`."""

    def __init__(self, answers: socket.socket) -> None:
        self._answers = answers
        self.returncode: int | None = None
        answers.settimeout(None)
        told = answers.recv(100)
        assert told, "the process that forks services has ended"
        self.pid = int(told)

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal, or nothing while it runs."""
        return self._end(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit status."""
        status = self._end(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("a forked service", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _end(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._answers], [], [], timeout)[0]:
            told = self._answers.recv(100)
            assert told, "the process that forks services has ended"
            self.returncode = int(told)
            self._answers.close()
        return self.returncode


def fork(
    arguments: Sequence[str], *, root: Path, environment: Mapping[str, str], log: BinaryIO
) -> Forked:
    """Run the program with these arguments in a fork, which writes to a log, and is ready for signals."""
    with Path(os.devnull).open("rb") as nothing:
        streams = [nothing.fileno(), log.fileno(), log.fileno()]
        return _forked("service", root, arguments, environment, streams)


@contextmanager
def worker_ahead(root: Path) -> Iterator[list[Spawned]]:
    """Give a process that waits to become a worker, as `dicomveil deid` starts one before anything else."""
    ours, theirs = socket.socketpair()
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with theirs, Path(os.devnull).open("wb") as nothing:
        streams = [theirs.fileno(), nothing.fileno(), nothing.fileno()]
        made = _forked("worker", root, (), environment | ONE_THREAD | KEPT_MEMORY, streams)
    waiting = [Spawned(made, ours)]  # type: ignore[arg-type] # it is asked for no more than `Forked` has
    try:
        yield waiting
    finally:
        for each in waiting:
            each.abandon()


def _forked(
    kind: str,
    root: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    streams: Sequence[int],
) -> Forked:
    """Have it forked, with these as its standard input, output and error."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    folder = str(root) if kind == "service" else "/"
    question = {"arguments": list(arguments), "folder": folder, "environment": dict(environment)}
    with theirs:
        control = _prepared(kind, root)
        socket.send_fds(control, [json.dumps(question).encode()], [*streams, theirs.fileno()])
    return Forked(ours)


@cache
def _prepared(kind: str, root: Path) -> socket.socket:
    """Start the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.prepared", kind, str(theirs.fileno())],
            cwd=root,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT[kind]},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _load() -> None:
    """Load what ``dicomveil serve`` does, in its order, and no more."""
    import config  # noqa: F401, PLC0415
    from daemon.cli import check_config, main, serve  # noqa: F401, PLC0415

    main.parser()
    with serve._loading():
        import asyncio  # noqa: F401, PLC0415

        serve._load_pydicom()
        import daemon.app  # noqa: PLC0415
        import daemon.observe.logs  # noqa: F401, PLC0415


def _next_fork(control: socket.socket) -> dict[str, Any] | None:
    """Fork whenever it is asked for; return the question in the fork, and nothing at the end."""
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for ready in select.select([control.fileno(), *running], [], [])[0]:
            if ready != control.fileno():
                pid, answers = running.pop(ready)
                os.close(ready)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with answers:
                    answers.send(str(status).encode())
                continue
            question, descriptors, _flags, _address = socket.recv_fds(control, _LARGEST, 4)
            if not question:
                return None
            *streams, answering = descriptors
            pid = os.fork()
            if pid == 0:
                _take_over(streams, answering)
                control.close()
                for other, (_, answers) in running.items():
                    os.close(other)
                    answers.close()
                return dict(json.loads(question))
            for each in streams:
                os.close(each)
            running[os.pidfd_open(pid)] = pid, socket.socket(fileno=answering)


def _take_over(streams: Sequence[int], answering: int) -> None:
    """Read and write by these from now on, and say that signals may come."""
    os.setsid()
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    with socket.socket(fileno=answering) as answers:
        answers.send(str(os.getpid()).encode())


def main() -> None:
    """Load everything, and fork; a fork goes on as the program, or as a worker."""
    kind, descriptor = sys.argv[1:]
    if kind == "service":
        from daemon.cli import main as program  # noqa: PLC0415

        _load()
    else:
        from daemon.batch import work  # noqa: PLC0415
        from daemon.workers import child  # noqa: PLC0415

        work.load()
    gc.freeze()
    question = _next_fork(socket.socket(fileno=int(descriptor)))
    if question is None:
        return
    os.chdir(question["folder"])
    os.environ.clear()
    os.environ.update(question["environment"])
    if kind == "worker":
        child.main()
        os._exit(0)
    sys.argv = [str(program.__file__), *question["arguments"]]
    program.main()


if __name__ == "__main__":
    main()
