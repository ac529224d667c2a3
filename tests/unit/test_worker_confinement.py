"""What a worker process may no longer do: asked of the kernel, not of the code that asked for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_CONFINED = """
import ctypes, resource
from pathlib import Path
from daemon.workers.limits import confine
from tests.sections import make_limits
confine(make_limits(memory_bytes=512 << 20))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["NoNewPrivs"].strip(), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
      *resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_DATA)[1])
"""


def test_a_worker_gains_no_privileges_and_shows_its_memory_to_nobody() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _CONFINED], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    no_new_privileges, dumpable, *cores, data = told
    assert no_new_privileges == "1"
    assert dumpable == "0"
    assert cores == ["0", "0"]
    assert data == str(512 << 20)
