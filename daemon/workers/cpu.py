"""How much CPU a process has used, seen from outside: by itself and by what it started."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
#: After the name, which may hold spaces and parentheses: state is the first, utime the twelfth.
_USER_TIME = 11


def cpu_seconds(pid: int) -> float | None:
    """Return CPU seconds of a process, of its children that have ended, and of those that run now.

    None where the system does not tell: the process is gone, or /proc hides what others do.
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split()
    except OSError:
        return None
    own = sum(int(ticks) for ticks in after_name[_USER_TIME : _USER_TIME + 4]) / _TICKS
    return own + sum(cpu_seconds(int(child)) or 0.0 for child in children)
