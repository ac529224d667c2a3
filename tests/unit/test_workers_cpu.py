"""What a process does is told from outside: that it works, waits for its turn, or does neither."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from daemon.workers.cpu import is_runnable
from tests.service import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY = "while True: pass"
WAITING = "input()"
BUSY_BESIDE = f"import threading\nthreading.Thread(target=lambda: exec({BUSY!r}), daemon=True).start()\ninput()"
BUSY_BELOW = (
    f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(flush=True)\\n{BUSY}'])"
)


@contextmanager
def running(does: str) -> Iterator[int]:
    """Run a program until the block ends, from when it has begun with what it does."""
    begun = "" if does == BUSY_BELOW else "print(flush=True)\n"
    with subprocess.Popen(
        [sys.executable, "-c", begun + does],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("does", [BUSY, BUSY_BESIDE, BUSY_BELOW])
def test_what_works_is_runnable_whoever_of_it_does(does: str) -> None:
    with running(does) as pid:
        wait_until(lambda: is_runnable(pid), what="it works")


def test_what_waits_for_something_else_is_not_runnable() -> None:
    with running(WAITING) as pid:
        wait_until(lambda: not is_runnable(pid), what="it waits")


def test_what_has_ended_is_not_runnable() -> None:
    with running(WAITING) as pid:
        pass
    assert not is_runnable(pid)
