"""How alike the parts of a line are, and how it returns to itself: letters differ, the parts of devices do not.

Screws, stents, chains, combs and traces are ink of one value in strokes of one width, as text is; but one
part follows the other, all of one shape and at one distance.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Shortest and longest way after which a line may return to itself, in heights of it.
_SHORTEST, _LONGEST = 0.2, 4.0
_MOST_PARTS = 32
_ALIKE = 0.82
_LEAST_PIXELS = 6
_BIG = 0.3  # of the line's height
_ONE_COLOUR = 24  # levels of each channel


def features_of_line(line: NDArray[Any], is_ink: NDArray[np.bool_]) -> list[float]:
    """Return 13 figures of a line of text, or of what claims to be one.

    Parameters
    ----------
    line
        Straightened, 8 bits, shape (rows, columns).
    is_ink
        Of the same shape.
    """
    return [*_returns(line.astype(np.float32)), *_crossings(is_ink), *_parts(is_ink)]


def evenness(line: NDArray[Any], is_ink: NDArray[np.bool_]) -> float:
    """Return the share of the ink that has its usual colour; lettering has one, maps have many.

    Parameters
    ----------
    line
        Straightened, 8 bits, grey or in colour.
    """
    if not is_ink.any():
        return 0.0
    inked = line[is_ink].reshape(int(is_ink.sum()), -1).astype(np.float32)
    away = np.abs(inked - np.median(inked, axis=0)).max(axis=1)
    return float((away <= _ONE_COLOUR).mean())


def _returns(line: NDArray[np.float32]) -> list[float]:
    """Tell how well a line fits itself when it is moved along, and how far it was moved for that."""
    rows, columns = line.shape
    first, last = max(int(_SHORTEST * rows), 3), min(int(_LONGEST * rows), int(columns * 0.6))
    if last - first < 4:
        return [0.0, 0.0, 0.0]
    even = line - line.mean()
    size = 1 << (2 * columns - 1).bit_length()
    power = np.abs(np.fft.rfft(even, size, axis=1)) ** 2
    products = np.fft.irfft(power.sum(axis=0), size)[: last + 1]
    squares = np.concatenate(([0.0], np.cumsum((even**2).sum(axis=0))))
    lags = np.arange(last + 1)
    shared = np.sqrt(squares[columns - lags] * (squares[columns] - squares[lags]))
    alike = products / np.maximum(shared, 1.0)
    inner = alike[first:-1]
    is_peak = (inner > alike[first - 1 : -2]) & (inner >= alike[first + 1 :])
    if not is_peak.any():
        return [0.0, 0.0, float(alike[first:].min())]
    best = int(np.where(is_peak, inner, -1).argmax()) + first
    return [float(alike[best]), best / rows, float(alike[first:].min())]


def _crossings(is_ink: NDArray[np.bool_]) -> list[float]:
    """Tell how often ink begins in the columns that have some, and how that differs between them."""
    whole = np.pad(is_ink, ((1, 0), (0, 0))).astype(np.int8)
    begins = (np.diff(whole, axis=0) > 0).sum(axis=0)
    begins = begins[begins > 0]
    if not len(begins):
        return [0.0, 0.0]
    return [float(begins.mean()), float(begins.std())]


def _parts(is_ink: NDArray[np.bool_]) -> list[float]:
    """Tell how alike neighbouring parts of the ink are, how evenly they follow, how many differ."""
    height = len(is_ink)
    count, labels, stats, centres = cv2.connectedComponentsWithStats(
        is_ink.astype(np.uint8), connectivity=8
    )
    big = [
        number
        for number in range(1, count)
        if stats[number, 4] >= _LEAST_PIXELS and stats[number, 3] >= _BIG * height
    ]
    big = sorted(big, key=lambda number: float(centres[number, 0]))[:_MOST_PARTS]
    length = max(is_ink.shape[1] / height, 1.0)
    widest = max((float(stats[number, 2]) for number in big), default=0.0) / is_ink.shape[1]
    if len(big) < 2:
        return [len(big) / length, float(len(big)), 0.0, 0.0, 1.0, 1.0, 0.0, widest]
    shapes = [_shape(labels, stats[number], number) for number in big]
    neighbours = [float(a @ b) for a, b in pairwise(shapes)]
    gaps = np.diff([centres[number, 0] for number in big])
    heights = stats[big, 3].astype(np.float32)
    return [
        len(big) / length,
        float(len(big)),
        float(np.mean(neighbours)),
        float(np.mean([alike > _ALIKE for alike in neighbours])),
        float(gaps.std() / max(gaps.mean(), 1.0)),
        _different(shapes) / len(shapes),
        float(heights.std() / heights.mean()),
        widest,
    ]


def _shape(labels: NDArray[Any], place: NDArray[Any], number: int) -> NDArray[Any]:
    """Return a part's shape as a vector of length 1."""
    left, top, width, height = place[:4]
    shape = (labels[top : top + height, left : left + width] == number).astype(np.float32)
    small = cv2.resize(shape, (8, 10), interpolation=cv2.INTER_AREA).ravel()
    small = np.append(small - small.mean(), (width / height - 0.6) * 2)
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6))


def _different(shapes: Sequence[NDArray[Any]]) -> int:
    kept: list[NDArray[Any]] = []
    for shape in shapes:
        if all(float(shape @ other) < _ALIKE for other in kept):
            kept.append(shape)
    return len(kept)
