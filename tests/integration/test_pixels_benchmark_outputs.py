"""Every kind of instance that the benchmark burns texts into opens in dcmtk and gdcm once it is cleaned."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

from deid.pixels.cleaning import PixelCleaning
from deid.pixels.geometry import Box
from deid.pixels.ports import TextRegion
from tests import pixel_samples as samples
from tests.benchmarks.pixels.corpus import CATEGORIES, JPEG_BASELINE
from tests.benchmarks.pixels.corpus import samples as burned
from tests.benchmarks.pixels.files import write_file
from tests.conftest import program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.pixels.burn import Placed
    from tests.benchmarks.pixels.corpus import Sample


class _Knows:
    """Finds what was burned in, where it was."""

    def __init__(self, placed: Sequence[Placed]) -> None:
        boxes = [
            Box(left, top, right - left, bottom - top)
            for left, top, right, bottom in (entry.box for entry in placed)
        ]
        self._regions = [TextRegion(box, 1.0) for box in boxes]

    def find(self, pictures: Any, *, needs_reading: bool = True) -> list[list[TextRegion]]:
        return [self._regions for _ in pictures]


def _sample(category: str) -> Sample:
    return next(
        sample
        for sample in burned(range(3, 40, 2), only=category)
        if sample.category == category and sample.placed
    )


@pytest.mark.peer("dcmconv", "dcmdjpeg", "gdcmconv")
# Scripts need fonts that not every machine has, and are encoded as the others are.
@pytest.mark.parametrize(
    "category", [category.name for category in CATEGORIES if category.name != "scripts"]
)
def test_what_is_cleaned_opens_in_dcmtk_and_gdcm(tmp_path: Path, category: str) -> None:
    sample = _sample(category)
    first = [entry for frame, _, entry in sample.placed if frame == sample.placed[0][0]]
    cleaner = PixelCleaning("REDACT_ALL_TEXT", _Knows(first), untrusted=())
    cleaned = cleaner.clean(sample.instance)
    path = tmp_path / "cleaned.dcm"
    write_file(path, samples.written(sample.instance, cleaned))
    is_jpeg = sample.instance.transfer_syntax_uid == JPEG_BASELINE
    dcmtk = ["dcmdjpeg"] if is_jpeg else ["dcmconv", "+te"]
    for command in (dcmtk, ["gdcmconv", "--raw"]):
        found = program(command[0])
        assert found is not None
        plain = tmp_path / f"{command[0]}.dcm"
        done = subprocess.run(
            [found, *command[1:], str(path), str(plain)],
            capture_output=True,
            check=False,
            timeout=500,
        )
        assert done.returncode == 0, done.stderr[-300:]
        pixels = pydicom.dcmread(plain).pixel_array
        frames = pixels if sample.instance.attributes["NumberOfFrames"] > 1 else pixels[None]
        number = sample.placed[0][0]
        for entry in first:
            inside = frames[number][entry.ink]
            # Lossy colour comes back within a level or two.
            assert np.ptp(inside.astype(np.int64), axis=0).max() <= (3 if is_jpeg else 0)
