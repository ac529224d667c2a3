"""Local contrast is OpenCV's CLAHE at 16 bits, level for level, whichever way it is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.pixels.find import equalisation
from deid.pixels.find.equalisation import local_contrast

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _values(rows: int, columns: int, low: int, high: int, dtype: Any) -> NDArray[Any]:
    """Return smooth noise with a flat part, as a frame has it, from `low` to `high`."""
    noise = np.random.default_rng(rows + high).random((rows, columns), np.float32)
    smooth: NDArray[Any] = cv2.GaussianBlur(noise, (0, 0), 1.5)
    smooth -= smooth.min()
    smooth *= (high - low) / max(float(smooth.max()), 1e-6)
    smooth[: rows // 3, columns // 4 :] = 0
    values: NDArray[Any] = (np.floor(smooth) + low).astype(dtype)
    return values


def _by_opencv(values: NDArray[Any]) -> NDArray[Any]:
    """Return what OpenCV makes of the values, spread over 16 bits as they have always been."""
    low, high = np.float32(values.min()), np.float32(values.max())
    factor = np.float32(65535 / max(float(high) - float(low), 1))
    wide = ((values.astype(np.float32) - low) * factor).astype(np.uint16)
    tiles = min(max(min(values.shape) // 32, 1), 16)
    equalised = cv2.createCLAHE(4.0, (tiles, tiles)).apply(wide)
    return np.asarray((equalised / np.float32(257)).astype(np.uint8))


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(1, 1), (3, 40), (31, 64), (64, 65), (333, 250), (512, 512), (520, 600), (900, 1100)],
)
@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 255, np.uint8),
        (7, 9, np.uint8),
        (0, 1782, np.uint16),
        (300, 8400, np.uint16),
        (-1024, 3071, np.int32),
        (-2000, 30000, np.float32),
        (5, 5, np.uint16),
    ],
)
def test_local_contrast_is_what_opencv_equalises_at_16_bits(
    rows: int, columns: int, low: int, high: int, dtype: Any
) -> None:
    values = _values(rows, columns, low, high, dtype)
    assert np.array_equal(local_contrast(values), _by_opencv(values))


@pytest.mark.parametrize(
    "values",
    [
        np.arange(200 * 300).reshape(200, 300).astype(np.uint16),
        _values(300, 200, -3, 90, np.float32) / 7,
        _values(300, 200, -50000, 50000, np.int32),
    ],
    ids=["many levels", "fractions", "wide"],
)
def test_what_has_too_many_levels_to_count_is_left_to_opencv(values: NDArray[Any]) -> None:
    assert np.array_equal(local_contrast(values), _by_opencv(values))


def test_a_large_frame_is_equalised_some_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = _values(400, 300, 0, 900, np.uint16)
    counted = local_contrast(values)
    assert len(np.unique(counted)) > 100
    monkeypatch.setattr(equalisation, "_MOST_PIXELS", 1000)
    assert np.array_equal(local_contrast(values), counted)
