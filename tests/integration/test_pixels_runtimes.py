"""Both runtimes find the same; OpenVINO lies where `make test` put it (requirements/openvino.in)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_OPENVINO = Path(sys.prefix) / "openvino"

_BOTH = """
import json
import numpy as np
from daemon.engines.models import make_detector
from daemon.engines.runtimes import OnnxRuntimeModel
from deid.pixels.ports import Picture
from tests import pixel_samples as samples

detectors = [make_detector(), make_detector(runtime=OnnxRuntimeModel)]
name_of = lambda detector: type(detector._search._detection).__name__
found = {name_of(detector): [] for detector in detectors}
for number, text in enumerate(("SMITH JOHN 1961", "Fr. Erika Mustermann", "ID 77-01934")):
    frame = samples.with_text(samples.texture(number) // 4, text)
    view = np.repeat(np.asarray(frame, np.uint8), 3, axis=2)
    for detector in detectors:
        (regions,) = detector.find([Picture(view, np.ascontiguousarray(view[..., 0]))])
        found[name_of(detector)].append(
            sorted((*region.box, region.text) for region in regions)
        )
print(json.dumps(found))
"""


def _found(**environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _BOTH],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_where_openvino_is_installed_it_runs_the_models_and_finds_what_onnxruntime_finds() -> None:
    if not _OPENVINO.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail("OpenVINO is required here; `make test` installs it", pytrace=False)
        pytest.skip("OpenVINO is not installed in a folder apart")
    found = _found(PYTHONPATH=str(_OPENVINO))
    assert found.keys() == {"OpenVinoModel", "OnnxRuntimeModel"}
    assert found["OpenVinoModel"] == found["OnnxRuntimeModel"]
    assert all(found["OpenVinoModel"])


def test_without_openvino_the_models_are_run_by_onnxruntime() -> None:
    assert _found(PYTHONPATH="").keys() == {"OnnxRuntimeModel"}


def test_the_runtime_notes_nothing_to_tell_its_maker(tmp_path: Path) -> None:
    """Where a machine is taken for a builder's (CI) it is silent by itself, so that no test saw it."""
    subprocess.run(
        [sys.executable, "-c", _BOTH],
        stdout=subprocess.DEVNULL,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2],
    )
    assert list(tmp_path.rglob("*")) == []
