"""How many worker processes are started at most."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from daemon.workers.capacity import available_bytes, most_processes

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30


def test_no_more_than_there_are_cores() -> None:
    assert 1 <= most_processes() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("most", "used", "expected"),
    [
        ("max", "5", 8 * GIB),
        (str(3 * GIB), str(GIB), 2 * GIB),
        (str(GIB), str(2 * GIB), 0),
        (str(64 * GIB), "0", 8 * GIB),
        (None, None, 8 * GIB),
    ],
)
def test_memory_is_what_machine_and_group_leave(
    tmp_path: Path, most: str | None, used: str | None, expected: int
) -> None:
    memory = tmp_path / "meminfo"
    memory.write_text(f"MemTotal: 999 kB\nMemAvailable:   {8 * GIB // 1024} kB\n")
    for name, text in (("memory.max", most), ("memory.current", used)):
        if text is not None:
            (tmp_path / name).write_text(f"{text}\n")
    assert available_bytes(memory, tmp_path) == expected
