"""Time, memory and looks of typical instances, each ratio within one run."""

from __future__ import annotations

import math
import multiprocessing
import os
import resource
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from daemon.engines.models import make_detector
from daemon.engines.tesseract import Tesseract, make_paranoid_detector
from daemon.workers.spawning import KEPT_MEMORY, ONE_THREAD
from deid.pixels.cleaning import PixelCleaning
from tests.benchmarks.pixels.bases import synthetic_cr, synthetic_ct, synthetic_ultrasound
from tests.benchmarks.pixels.burn import Manner, burn
from tests.benchmarks.pixels.corpus import make_cine, make_instance
from tests.benchmarks.pixels.strings import make_person, some_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from deid.identity.identifiers import KnownIdentifier
    from deid.pixels.ports import Model, TextDetector
    from deid.ports import PixelInstance
    from tests.benchmarks.pixels.strings import Burned

SLICES = 60
CASES = ("CT 512 x 512", "US 1024 x 768", "US cine, 60 frames", "DX 3000 x 2500")
#: Of these cines the speckle is another one in each frame, or moves through them.
SPECKLED = ("US cine, new speckle", "US cine, moving speckle")


def report(engine: str) -> None:
    """Print CPU and wall seconds, peak memory, and the cine's cost in frames, in processes like a worker's."""
    os.environ.update(ONE_THREAD | KEPT_MEMORY)
    context = multiprocessing.get_context("spawn")
    print(
        f"{engine}: start-up, then {'case':26} {'CPU s':>8} {'wall s':>8} {'peak MiB':>9} {'looks':>6}"
    )
    costs = {}
    for case in (*CASES, *SPECKLED):
        with context.Pool(1) as pool:
            start_up, cpu, wall, before, peak, looks = pool.apply(_measure, (engine, case))
        costs[case] = cpu
        print(
            f"{start_up:8.2f} s      {case:30} {cpu:8.2f} {wall:8.2f} {peak:9.0f} {looks:6.2f}"
            f" (idle {before:.0f})"
        )
    for case in ("US cine, 60 frames", *SPECKLED):
        print(f"{case}: {costs[case] / costs['US 1024 x 768']:.1f} x one frame")
    if engine == "ppocr":
        for name, texts in (("without text", 0), ("with four texts in its corners", 4)):
            with context.Pool(1) as pool:
                cpu, looks = pool.apply(_measure_series, (texts,))
            print(f"CT series of {SLICES} {name}: {cpu:.2f} s CPU, {looks:.0f} looks in all")


class Counting:
    """A detection model that counts how many pixels it was given.

    Attributes
    ----------
    pixels
        Of all looks so far.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.pixels = 0

    def __call__(self, given: NDArray[Any], /) -> NDArray[Any]:
        """Return the model's output."""
        self.pixels += given.shape[2] * given.shape[3]
        return self._model(given)


def counting() -> tuple[TextDetector, Counting]:
    """Return the default detector, and what counts its looks."""
    detector = make_detector()
    counted = detector._search._detection = Counting(detector._search._detection)
    return detector, counted


def _measure(engine: str, case: str) -> tuple[float, float, float, float, float, float]:
    instance = make_case(case)
    begin = time.perf_counter()
    detector, counted = counting() if engine == "ppocr" else (_engine(engine), None)
    cleaner = PixelCleaning("REDACT_ALL_TEXT", detector, untrusted=())
    cleaner.clean(make_small())
    start_up = time.perf_counter() - begin
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, pixels = _memory("VmRSS"), counted.pixels if counted else 0
    cpu, wall = _cpu(), time.perf_counter()
    cleaner.clean(instance)
    cpu, wall = _cpu() - cpu, time.perf_counter() - wall
    looks = (counted.pixels - pixels) / _frame_pixels(instance) if counted else math.nan
    return start_up, cpu, wall, before, _memory("VmHWM"), looks


def _measure_series(texts: int) -> tuple[float, float]:
    """Return the CPU seconds and the looks of a series, each slice an instance of its own."""
    detector, counted = counting()
    cleaner = PixelCleaning("REDACT_ALL_TEXT", detector, untrusted=())
    cleaner.clean(make_small())
    pixels, seconds, looks = counted.pixels, 0.0, 0.0
    for instance in make_series(texts):
        begin = _cpu()
        cleaner.clean(instance)
        seconds += _cpu() - begin
        looks += (counted.pixels - pixels) / _frame_pixels(instance)
        pixels = counted.pixels
    return seconds, looks


def _frame_pixels(instance: PixelInstance) -> int:
    return int(instance.attributes["Rows"] * instance.attributes["Columns"])


def _engine(name: str) -> TextDetector:
    return Tesseract() if name == "tesseract" else make_paranoid_detector()


def make_series(texts: int) -> Iterator[PixelInstance]:
    """Yield the slices of a CT: other anatomy in each, the same texts at the same places."""
    person = make_person(Random(5), 0)
    written = some_texts(Random(5), person, 0, texts) if texts else []
    for number in range(SLICES):
        base = synthetic_ct(Random(1000 + number))
        burned, _ = burn(Random(7), base, written, Manner(at_edge=True))
        yield make_instance([burned.values], burned.attributes, person.known)


def make_case(name: str) -> PixelInstance:
    """Return an instance with eight texts."""
    random = Random(5)
    person = make_person(random, 0)
    texts = some_texts(random, person, 0, 8)
    if name == "US cine, 60 frames":
        return make_cine(random, synthetic_ultrasound(random, 768, 1024), texts, person.known, 60)
    if name in SPECKLED:
        return _speckled(random, texts, person.known, is_new=name == SPECKLED[0])
    base = {
        "CT 512 x 512": lambda: synthetic_ct(random),
        "US 1024 x 768": lambda: synthetic_ultrasound(random, 768, 1024),
        "DX 3000 x 2500": lambda: synthetic_cr(random, 2500, 3000),
    }[name]()
    burned, _ = burn(random, base, texts, Manner())
    return make_instance([burned.values], burned.attributes, person.known)


def _speckled(
    random: Random, texts: list[Burned], known: tuple[KnownIdentifier, ...], *, is_new: bool
) -> PixelInstance:
    """Return a cine of 60 frames with texts that stay."""
    base = synthetic_ultrasound(random, 768, 1024)
    still, _ = burn(random, base, texts, Manner())
    is_written = (still.values != base.values).any(axis=2)
    tissue = cv2.GaussianBlur(base.values[..., 0].astype(np.float32), (0, 0), 12)
    noise, frames = np.random.default_rng(3), []
    grain = _grain(noise, tissue.shape)
    for number in range(60):
        grain = _grain(noise, tissue.shape) if is_new else grain
        shown = np.clip(tissue * np.roll(grain, 0 if is_new else 2 * number, axis=0), 0, 255)
        values = np.repeat(shown.astype(np.uint8)[..., None], 3, axis=2)
        values[is_written] = still.values[is_written]
        frames.append(values)
    return make_instance(frames, base.attributes, known)


def _grain(noise: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    return cv2.GaussianBlur(noise.rayleigh(1, shape).astype(np.float32), (0, 0), 1.5)


def make_small() -> PixelInstance:
    """Return a CT of 64 x 64: what it costs is all but the start."""
    base = synthetic_ct(Random(1), 64)
    return make_instance([np.ascontiguousarray(base.values)], base.attributes, ())


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _memory(line: str) -> float:
    """Return a figure of /proc/self/status in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(row for row in status.splitlines() if row.startswith(line)).split()[1]) / 1024
