"""Memory of a process that has a detector."""

from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import pytest

from daemon.engines import runtimes
from daemon.engines.models import read_pixel_models
from daemon.engines.pixels import engines
from tests.sections import make_pixels

_FREES_BLOCKS_AMONG_OTHERS = """
from pathlib import Path
import numpy as np
from daemon.engines.models import map_large_blocks

def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

map_large_blocks()
np.ones(30 << 20, np.uint8)  # as it comes, glibc keeps blocks of this size from here on
before = resident_pages()
blocks, pins = [], []
for _ in range(40):
    blocks.append(np.ones(2 << 20, np.uint8))
    pins.append(np.ones(100 << 10, np.uint8))
del blocks
print((resident_pages() - before) * 4096 >> 20)
"""

_LOOKS_AND_GIVES_BACK = """
from pathlib import Path
import numpy as np
from daemon.engines.models import map_large_blocks, read_pixel_models
from daemon.engines.runtimes import OnnxRuntimeModel

def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

map_large_blocks()
model = OnnxRuntimeModel(read_pixel_models().detection)
model(np.zeros((1, 3, 64, 64), np.float32))
before = resident_pages()
for rows, columns in ((640, 640), (1024, 672), (736, 416), (64, 1600), (736, 736)):
    model(np.zeros((1, 3, rows, columns), np.float32))
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


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
def test_of_the_memory_of_looks_of_many_sizes_one_block_stays() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOOKS_AND_GIVES_BACK], capture_output=True, check=True, text=True
    )
    kept_mib = int(done.stdout)
    assert kept_mib < 110  # the block has 96 MiB


def test_a_model_answers_the_same_whatever_it_looked_at_before() -> None:
    model = runtimes.OnnxRuntimeModel(read_pixel_models().detection)
    noise = np.random.default_rng(3)
    given = noise.normal(0, 1, (1, 3, 96, 160)).astype(np.float32)
    first = model(given)
    model(noise.normal(0, 1, (1, 3, 320, 64)).astype(np.float32))
    another = runtimes.OnnxRuntimeModel(read_pixel_models().detection)
    another(noise.normal(0, 1, (1, 3, 64, 256)).astype(np.float32))
    assert np.array_equal(model(given), first)
    assert np.array_equal(another(given), first)


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
