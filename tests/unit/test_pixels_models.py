"""Memory of a process that has a detector."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from daemon.engines.pixels import engines
from tests.sections import make_pixels

_FREES_BLOCKS_AMONG_OTHERS = """
from pathlib import Path
import numpy as np
from daemon.engines.models import give_back_freed_memory

def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

give_back_freed_memory()
np.ones(30 << 20, np.uint8)  # as it comes, glibc keeps blocks of this size from here on
before = resident_pages()
blocks, pins = [], []
for _ in range(40):
    blocks.append(np.ones(2 << 20, np.uint8))
    pins.append(np.ones(100 << 10, np.uint8))
del blocks
print((resident_pages() - before) * 4096 >> 20)
"""


_LOADED = """
import sys
import numpy as np
from daemon.engines.models import make_detector
from deid.pixels.ports import Picture

view = np.zeros((64, 96, 3), np.uint8)
view[20:40, 20:80:6] = 255
make_detector().find([Picture(view, view[..., 0])])
print(*{name.partition(".")[0] for name in sys.modules})
"""
#: What the package that carries the models asks for, by import name.
_NOT_OURS = {
    "rapidocr",
    "shapely",
    "omegaconf",
    "requests",
    "yaml",
    "tqdm",
    "six",
    "colorlog",
    "pyclipper",
}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc")
def test_blocks_freed_among_others_go_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FREES_BLOCKS_AMONG_OTHERS],
        capture_output=True,
        check=True,
        text=True,
    )
    kept_mib = int(done.stdout)
    assert kept_mib < 20  # 80 MiB of blocks were freed, 4 MiB are still held


def test_a_worker_loads_its_detector_once_for_all_configurations() -> None:
    settings = make_pixels(engine="ppocr")
    assert engines(settings).detector() is engines(make_pixels()).detector()


def test_nothing_is_loaded_of_the_package_that_carries_the_models_nor_of_what_it_asks_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, check=True, text=True
    )
    loaded = set(done.stdout.split())
    assert {"onnxruntime", "cv2"} <= loaded
    assert not loaded & _NOT_OURS
