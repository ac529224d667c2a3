"""Memory of a process that has a detector."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import deid
from daemon.engines import models, runtimes
from daemon.engines.models import read_pixel_models
from daemon.engines.pixels import engines
from deid.errors import Reason
from tests.factories import encoded, make_ct
from tests.sections import make_pixels

if TYPE_CHECKING:
    from deid.identity.keys import SiteKey

ROOT = Path(__file__).parents[2]
DEFAULT = (ROOT / "config" / "deidentifiers" / "default.json").read_text()

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
_LOOKS_WHEN_IT_MUST = """
import json
import sys
import deid
from daemon.engines.pixels import engines
from tests.factories import encoded, make_ct
from tests.sections import make_pixels

RUNTIMES = {"cv2", "onnxruntime", "openvino"}
configuration = json.loads(sys.argv[1])
key = deid.SiteKey(bytes(range(32)))
plan = deid.compile_plan(configuration, key, engines=engines(make_pixels())).prepare()
plain, drawn = make_ct(rows=8), make_ct(rows=8, BurnedInAnnotation="YES")
for dataset in (plain, drawn):
    assert deid.deidentify(encoded(dataset), plan).outcome
    print(bool(RUNTIMES & set(sys.modules)))
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


def test_no_model_and_no_picture_library_is_loaded_before_there_is_a_frame_to_look_at() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOOKS_WHEN_IT_MUST, DEFAULT],
        capture_output=True,
        check=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("image", "knows_phrases"),
    [
        ({"textRedactionMode": "REDACT_ALL_TEXT"}, False),
        ({"textRedactionMode": "REDACT_SENSITIVE_TEXT"}, False),
        ({"textRedactionMode": "REDACT_SENSITIVE_TEXT_CLEAN_DESCRIPTORS"}, True),
    ],
)
def test_a_plan_knows_whether_pixels_are_judged_by_phrases_of_the_header(
    image: dict[str, str], *, knows_phrases: bool, site_key: SiteKey
) -> None:
    configuration = {**json.loads(DEFAULT), "image": image}
    del configuration["dicomveil"]
    plan = deid.compile_plan(configuration, site_key, engines=engines(make_pixels()))
    assert plan.pixel_cleaner is not None
    assert plan.pixel_cleaner.knows_phrases is knows_phrases


def test_where_the_models_cannot_be_loaded_what_has_to_be_looked_at_is_put_aside(
    monkeypatch: pytest.MonkeyPatch, site_key: SiteKey
) -> None:
    def fails() -> None:
        raise ImportError

    monkeypatch.setattr(models, "make_detector", fails)
    chosen = engines(make_pixels(tesseract_languages="epo"))
    plan = deid.compile_plan(json.loads(DEFAULT), site_key, engines=chosen)
    assert not deid.deidentify(encoded(make_ct(rows=8)), plan).outcome.pixels_examined
    with pytest.raises(deid.Unsafe) as refused:
        deid.deidentify(encoded(make_ct(rows=8, BurnedInAnnotation="YES")), plan)
    assert refused.value.reason is Reason.PIXELS_NOT_CLEANED


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
