"""What a process does with the CPU, seen from outside: by itself and by what it started."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
#: After the name, which may hold spaces and parentheses: state is the first, utime the twelfth.
_STATE, _USER_TIME = 0, 11
_RUNNABLE = b"R"


def cpu_seconds(pid: int) -> float | None:
    """Return CPU seconds of a process, of its children that have ended, and of those that run now.

    None where the system does not tell: the process is gone, or /proc hides what others do.
    """
    try:
        after_name = _after_name(Path(f"/proc/{pid}/stat"))
        children = _children(pid)
    except OSError:
        return None
    own = sum(int(ticks) for ticks in after_name[_USER_TIME : _USER_TIME + 4]) / _TICKS
    return own + sum(cpu_seconds(child) or 0.0 for child in children)


def is_runnable(pid: int) -> bool:
    """Tell whether a process, or one that it started, runs or waits for its turn; not for anything else."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = _children(pid)
    except OSError:
        return False
    return any(map(_is_runnable_thread, threads)) or any(map(is_runnable, children))


def _is_runnable_thread(thread: Path) -> bool:
    try:
        return _after_name(thread / "stat")[_STATE] == _RUNNABLE
    except OSError:  # it has ended
        return False


def _after_name(stat: Path) -> list[bytes]:
    return stat.read_bytes().rpartition(b")")[2].split()


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split()]
