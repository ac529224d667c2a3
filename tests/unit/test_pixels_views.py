"""The two views of a frame, and what making them takes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import cv2
import numpy as np
import pytest

from deid.pixels.description import describe
from deid.pixels.find.views import FrameLook
from deid.pixels.samples import Decoded
from tests import pixel_samples as samples


def _deep_frame(rows: int, columns: int) -> Any:
    noise = np.random.default_rng(1)
    return noise.integers(0, 4096, (rows, columns, 1)).astype(np.uint16)


def _look(frame: Any, **attributes: Any) -> FrameLook:
    described = samples.attributes(frame, bits=12) | {"NumberOfFrames": 1} | attributes
    return FrameLook(describe(described), Decoded(frame, "MONOCHROME2"), described)


def test_views_are_as_if_made_of_the_whole_frame_at_once() -> None:
    frame = _deep_frame(301, 257)
    picture = _look(frame, WindowCenter=2000.0, WindowWidth=1001.0).picture()
    values = frame[..., 0].astype(np.float32)
    shown = np.clip((values - np.float32(1499.5)) * np.float32(255 / 1000), 0, 255)
    assert np.array_equal(picture.display[..., 1], shown.astype(np.uint8))
    low, high = float(values.min()), float(values.max())
    wide = ((values - low) * np.float32(65535 / (high - low))).astype(np.uint16)
    equalised = cv2.createCLAHE(4.0, (8, 8)).apply(wide)
    assert picture.contrast is not None
    assert np.array_equal(picture.contrast, (equalised / np.float32(257)).astype(np.uint8))


def test_views_of_a_large_frame_need_no_whole_frame_of_floats() -> None:
    rows, columns = 1600, 1500
    look = _look(_deep_frame(rows, columns), WindowCenter=2000.0, WindowWidth=1001.0)
    tracemalloc.start()
    try:
        look.picture()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * rows * columns  # display 3, contrast 1, while it is made 2 more


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("columns", [6, 8, 1998, 2000, 2002, 2004])
def test_levels_that_are_counted_tell_the_range_that_sorting_them_does(
    bits: int, columns: int
) -> None:
    frame = np.random.default_rng(columns).integers(3, 2**bits, (1, columns, 1))
    frame = frame.astype(np.uint8 if bits == 8 else np.uint16)
    described = samples.attributes(frame, bits=bits)
    look = FrameLook(describe(described), Decoded(frame, "MONOCHROME2"), described)
    low, high = np.percentile(frame[::2, ::2], (0.1, 99.9))
    assert look.level == pytest.approx((high - low) / 255, rel=1e-12)
