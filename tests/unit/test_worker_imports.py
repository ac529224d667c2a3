"""What a worker process loads before its first job, and a command before it looks into the database."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from daemon.receive.archive import ArchiveLimits
from tests.sections import make_pixels

DEFAULT = Path(__file__).parents[2] / "config" / "deidentifiers" / "default.json"
# Loading pydantic alone takes as long as everything else that a worker needs to begin, and the picture
# libraries take as long again.
_SHOW = (
    "print(*sorted({name.partition('.')[0] for name in sys.modules}"
    " & {'pydantic', 'pydantic_core', 'config', 'cv2', 'onnxruntime', 'openvino'}))"
)


@pytest.mark.parametrize("target", ["daemon.pipeline.work", "daemon.batch.work"])
def test_a_worker_starts_without_what_only_reads_settings(target: str) -> None:
    assert _loaded(f"import sys, daemon.workers.child, {target}") == []


def test_a_worker_by_the_default_preset_begins_without_what_reads_settings_or_pictures(
    tmp_path: Path,
) -> None:
    document = {
        "configuration": json.loads(DEFAULT.read_text()),
        "out": str(tmp_path),
        "archive": asdict(ArchiveLimits()),
        "pixels": make_pixels().document(),
        "most_text_bytes": 1,
        "crowds": "",
    }
    code = (
        "import sys, json; from daemon.batch.work import start;"
        " handle = start(json.loads(sys.argv[1]), bytes(range(32)))"
    )
    assert _loaded(code, json.dumps(document)) == []


def test_what_only_looks_into_the_database_does_without_numpy() -> None:
    code = "import sys, daemon.store.embedded; print('numpy' in sys.modules); import numpy.linalg"
    assert _loaded(code)[0] == "False"


def test_what_draws_does_without_what_serves_and_downloads() -> None:
    code = "import sys, daemon.rendering.work; import pydicom.pixels"
    large = "{'aiohttp', 'requests', 'tqdm'}"
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*set(sys.modules) & {large})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == []


def _loaded(code: str, *arguments: str) -> list[str]:
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}; {_SHOW}", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.split()
