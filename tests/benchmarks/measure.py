"""Measuring processes: processor time, wall time, memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

_SAMPLE_S = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work took.

    Attributes
    ----------
    cpu_s
        User and system time, of children too.
    peak_mb
        Largest private memory, in MB (10^6 bytes); mapped files do not count.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float = 0.0


def run(command: Sequence[str | Path], *, cwd: Path | None = None) -> Cost:
    """Run a command and measure it with all its children.

    Raises
    ------
    RuntimeError
        If it fails; the message ends with what it said.
    """
    before = os.times()
    started = time.perf_counter()
    with (
        subprocess.Popen(
            list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
        MemoryWatch(process.pid) as watch,
    ):
        said = process.communicate()[0]
    wall = time.perf_counter() - started
    after = os.times()
    if process.returncode != 0:
        message = f"{command[0]} ended with {process.returncode}: {said[-2000:]!r}"
        raise RuntimeError(message)
    cpu = (
        after.children_user - before.children_user + after.children_system - before.children_system
    )
    return Cost(wall, cpu, watch.peak_mb)


def expect(found: int, wanted: int, who: str) -> None:
    """Refuse a figure of somebody who did not do all of the work.

    Raises
    ------
    RuntimeError
        When not as many instances came out as went in.
    """
    if found != wanted:
        message = f"{who} did {found} of {wanted}: its figure would mean nothing"
        raise RuntimeError(message)


def here(work: Callable[[], object]) -> Cost:
    """Run a function in this process and measure it."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - started, time.process_time() - cpu)


@dataclass(slots=True)
class MemoryWatch:
    """Samples the private memory of a process and its children together.

    Attributes
    ----------
    peak_mb
        The largest sum seen.
    idle_mb
        The first sum seen: with a server that has started, its idle memory.
    """

    pid: int
    peak_mb: float = 0.0
    idle_mb: float = 0.0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        if self._thread:
            self._thread.join()

    def _sample(self) -> None:
        try:
            process = psutil.Process(self.pid)
        except psutil.NoSuchProcess:
            return
        while True:
            total = 0.0
            try:
                for one in (process, *process.children(recursive=True)):
                    total += private_mb(one.pid)
            except psutil.Error:
                pass
            self.idle_mb = self.idle_mb or total
            self.peak_mb = max(self.peak_mb, total)
            if self._stopped.wait(_SAMPLE_S):
                return


def private_mb(pid: int) -> float:
    """Return a process's anonymous resident memory in MB; 0 when it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    for line in status.splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def median(values: Sequence[float]) -> float:
    """Return the median; 0 of nothing."""
    return statistics.median(values) if values else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
