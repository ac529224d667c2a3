"""How steep edges are in the frame's own pixels, and how even the ink is.

Burned-in letters go from ground to ink within a pixel or two, and most of their ink has one value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEVELS = 256
_LEAST_PIXELS = 8
_LEAST_SPAN = 4.0
#: Levels on each side that count as the same.
_NEAR = 2


def sharpness_of(
    pictures: Sequence[tuple[NDArray[np.uint8], NDArray[np.bool_]]],
) -> NDArray[np.float64]:
    """Return three figures of each picture, shape (pictures, 3), 0 where a candidate has hardly a pixel.

    The 95th percentile of the steps between neighbours, as a share of the span between dark and bright, and
    the shares of pixels whose values lie near the commonest bright one and the commonest dark one, the larger
    share first.

    Parameters
    ----------
    pictures
        Grey, and which of its pixels are inside of the candidate.
    """
    values, steps = (
        np.array([np.bincount(levels[is_inside], minlength=_LEVELS) for levels, is_inside in shown])
        for shown in (pictures, [(_steps(grey), is_inside) for grey, is_inside in pictures])
    )
    size = values.sum(axis=1)
    low, high = _percentile(values, 2), _percentile(values, 98)
    steep = _percentile(steps, 95) / np.maximum(high - low, _LEAST_SPAN)
    summed = np.cumsum(np.pad(values, ((0, 0), (_NEAR + 1, _NEAR))), axis=1)
    near = (summed[:, 2 * _NEAR + 1 :] - summed[:, : -2 * _NEAR - 1]) / np.maximum(size, 1)[:, None]
    is_dark = np.arange(_LEVELS) < ((low + high) / 2).astype(int)[:, None]
    dark, bright = (near * is_dark).max(axis=1), (near * ~is_dark).max(axis=1)
    found = np.stack((steep, np.maximum(dark, bright), np.minimum(dark, bright)), axis=1)
    return np.asarray(np.where((size >= _LEAST_PIXELS)[:, None], found, 0.0))


def _steps(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how much the next pixel to the right or below differs, whichever does more."""
    steps = np.zeros_like(grey)
    rows, columns = grey.shape
    if rows > 1 and columns:
        steps[:-1] = cv2.absdiff(grey[1:], grey[:-1])
    if columns > 1 and rows:
        beside = steps[:, :-1]
        np.maximum(beside, cv2.absdiff(grey[:, 1:], grey[:, :-1]), out=beside)
    return steps


def _percentile(counts: NDArray[np.intp], percent: float) -> NDArray[np.float64]:
    """Return a percentile of values that are counted, linear between neighbours, of each row."""
    summed = np.cumsum(counts, axis=1)
    last = np.maximum(summed[:, -1] - 1, 0)
    place = last * percent / 100
    low = place.astype(np.intp)
    below, above = (
        (summed <= rank[:, None]).sum(axis=1) for rank in (low, np.minimum(low + 1, last))
    )
    return np.asarray(below + (above - below) * (place - low))
