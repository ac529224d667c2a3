"""What a worker's environment is for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.workers.spawning import KEPT_MEMORY, ONE_THREAD, spawn

#: Takes and gives back four arrays of 3 MiB, as the steps over a frame do, and prints how many pages were new.
_STEPS = """
import resource, numpy

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    arrays = [numpy.ones(3 << 20, numpy.uint8) for _ in range(4)]

step()
before = faults()
for _ in range(40):
    step()
print(faults() - before)
"""


def _new_pages(environment: dict[str, str]) -> int:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", _STEPS],
        env=kept | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


def test_what_a_step_gives_back_is_there_for_the_next() -> None:
    pages_of_a_step = 4 * (3 << 20) // 4096  # without it all steps take new ones, on Linux 120 000
    assert _new_pages(KEPT_MEMORY) < pages_of_a_step


def test_a_worker_is_started_with_one_thread_and_keeps_memory() -> None:
    started = spawn()
    try:
        given = Path(f"/proc/{started.process.pid}/environ").read_bytes().split(b"\0")
    finally:
        started.abandon()
    assert {
        f"{name}={value}".encode() for name, value in (ONE_THREAD | KEPT_MEMORY).items()
    } <= set(given)


@pytest.mark.parametrize("writes", [True, False])
def test_a_worker_lays_down_modules_only_where_its_parent_does(
    monkeypatch: pytest.MonkeyPatch, *, writes: bool
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", not writes)
    started = spawn()
    given = started.process.args
    started.abandon()
    assert isinstance(given, list)
    assert ("-B" in given) is not writes
