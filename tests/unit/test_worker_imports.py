"""What a worker process loads before its first job."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("target", ["daemon.pipeline.work", "daemon.batch.work"])
def test_a_worker_starts_without_what_only_reads_settings(target: str) -> None:
    # Loading pydantic alone takes as long as everything else that a worker needs to begin.
    code = (
        f"import sys, daemon.workers.child, {target}; print(*sorted("
        "{name.partition('.')[0] for name in sys.modules} & {'pydantic', 'pydantic_core', 'config'}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == ""
