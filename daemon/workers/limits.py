"""What one worker process may use, and setting it from inside that process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from config.settings import Workers

MIB = 1024 * 1024
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_NO_NEW_PRIVS = 38
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one worker process and of one job in it, as they travel to that process.

    Attributes
    ----------
    memory_bytes, timeout_s, timeout_per_mb_s, timeout_per_megapixel_s
        As the site decided (`config.settings.Workers`). The memory is set as RLIMIT_DATA, for which files
        that are mapped read-only do not count: a large instance needs no large limit.
    open_files
        RLIMIT_NOFILE.
    niceness
        Added to the daemon's, so that receiving goes before processing on a busy machine.
    recycle_after_jobs, recycle_above_bytes
        A worker that has done so many jobs, or kept so much anonymous memory, is replaced by a new
        one; the old one goes on until the new one is ready.
    start_timeout_s
        Seconds a new worker may take to become ready.
    """

    memory_bytes: int
    timeout_s: float
    timeout_per_mb_s: float
    timeout_per_megapixel_s: float
    open_files: int = 256
    niceness: int = 15
    recycle_after_jobs: int = 20_000
    recycle_above_bytes: int = 768 * MIB
    start_timeout_s: float = 60.0

    @classmethod
    def of(cls, section: Workers) -> Self:
        """Return what a site decided. Here and not in a worker, which does without pydantic."""
        return cls(
            section.memory_bytes,
            section.timeout_s,
            section.timeout_per_mb_s,
            section.timeout_per_megapixel_s,
        )

    def job_timeout_s(self, size: int) -> float:
        """Return how much CPU a job over `size` bytes may take."""
        return self.timeout_s + self.timeout_per_mb_s * size / _MEGABYTE

    def look_timeout_s(self, pixels: int, size: int = 0) -> float:
        """Return by how much a look for text in so many pixels, or at unpacked bytes, lengthens that."""
        seconds = self.timeout_per_megapixel_s * pixels + self.timeout_per_mb_s * size
        return seconds / _MEGABYTE

    def document(self) -> dict[str, Any]:
        """Return what `Limits(**document)` builds again in the child."""
        return asdict(self)


def confine(limits: Limits) -> None:
    """Put this process under its limits for good; it cannot raise them again."""
    with contextlib.suppress(OSError):
        # When memory runs out, the kernel shall take the worker, not the daemon. Before DUMPABLE,
        # which makes this file root's.
        Path("/proc/self/oom_score_adj").write_text("700", encoding="ascii")
    libc = ctypes.CDLL(None, use_errno=True)
    for option, argument in (
        (_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)),
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1)),
        (_PR_SET_DUMPABLE, ctypes.c_ulong(0)),  # neither cores nor ptrace: the key is in here
        (_PR_SET_NAME, ctypes.c_char_p(b"dicomveil-work")),
    ):
        zero = ctypes.c_ulong(0)
        if libc.prctl(option, argument, zero, zero, zero) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    os.nice(limits.niceness)
    _lower(resource.RLIMIT_DATA, limits.memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, limits.open_files)


def allow_cpu(seconds: float) -> None:
    """Let this process use so many more seconds of CPU; past them the kernel kills it (SIGXCPU).

    A backstop for a daemon that is stopped or too busy to kill in time; all threads count together.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(time.process_time() + seconds) + 2
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def allow_more_cpu(seconds: float) -> None:
    """Let this process use so many seconds of CPU more than it was allowed last."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if soft == resource.RLIM_INFINITY:
        return
    soft += int(seconds) + 1
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def anonymous_bytes() -> int:
    """Return how much memory of its own this process holds now (resident, without mapped files)."""
    with Path("/proc/self/statm").open("rb") as statm:
        _, resident, shared, *_ = statm.read().split()
    return (int(resident) - int(shared)) * resource.getpagesize()


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(limit, (value, value))
