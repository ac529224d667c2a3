"""How many worker processes this machine can take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PROCESS_BYTES: Final = 384 << 20
"""What a worker takes that looks at pixels; one that does not takes a third of it."""
_MEMORY: Final = Path("/proc/meminfo")
_GROUP: Final = Path("/sys/fs/cgroup")


def most_processes() -> int:
    """Return how many processes have a core and memory of their own; at least one."""
    return max(1, min(len(os.sched_getaffinity(0)), available_bytes() // _PROCESS_BYTES))


def available_bytes(memory: Path = _MEMORY, group: Path = _GROUP) -> int:
    """Return how much memory is there to be had, by the machine's and the control group's account."""
    fields = dict(line.split(":", 1) for line in memory.read_text("ascii").splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    try:
        most, used = (
            (group / name).read_text().strip() for name in ("memory.max", "memory.current")
        )
        return available if most == "max" else min(available, max(0, int(most) - int(used)))
    except (OSError, ValueError):  # no control group of the second version
        return available
