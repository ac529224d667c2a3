"""Services as forks of one process that has loaded what a service loads: half of what it takes to start one.

For tests that ask what a service does once it runs, and what comes of it when it is killed. How it starts, what
it loads, and how much memory it takes is asked of one that is started as a user starts it. A fork has a folder,
an environment, a log, a session and signals of its own, like any other. What it shares with other forks is the
order of its sets: of runs that must come out the same, one is not a fork.

Run as ``python -m tests.prepared DESCRIPTOR`` it is that process, and a test's process asks it by that socket.
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
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

_LARGEST = 100_000
"""Bytes of a question: arguments and an environment."""


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
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    question = {"arguments": list(arguments), "folder": str(root), "environment": dict(environment)}
    with theirs:
        control = _prepared(root)
        socket.send_fds(control, [json.dumps(question).encode()], [log.fileno(), theirs.fileno()])
    return Forked(ours)


@cache
def _prepared(root: Path) -> socket.socket:
    """Start the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.prepared", str(theirs.fileno())],
            cwd=root,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "SSL_CERT_FILE": os.devnull},
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
            question, descriptors, _flags, _address = socket.recv_fds(control, _LARGEST, 2)
            if not question:
                return None
            log, answering = descriptors
            pid = os.fork()
            if pid == 0:
                _take_over(log, answering)
                control.close()
                for other, (_, answers) in running.items():
                    os.close(other)
                    answers.close()
                return dict(json.loads(question))
            os.close(log)
            running[os.pidfd_open(pid)] = pid, socket.socket(fileno=answering)


def _take_over(log: int, answering: int) -> None:
    """Write to the log from now on, and say that signals may come."""
    os.setsid()
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    with socket.socket(fileno=answering) as answers:
        answers.send(str(os.getpid()).encode())


def main() -> None:
    """Load everything, and fork; a fork goes on as the program."""
    from daemon.cli import main as program  # noqa: PLC0415

    _load()
    gc.freeze()
    question = _next_fork(socket.socket(fileno=int(sys.argv[1])))
    if question is None:
        return
    os.chdir(question["folder"])
    os.environ.clear()
    os.environ.update(question["environment"])
    sys.argv = [str(program.__file__), *question["arguments"]]
    program.main()


if __name__ == "__main__":
    main()
