"""Connected parts of ink: where they are, how large, and how many different shapes they have.

The parts of many pictures are found at once, on one canvas on which the pictures lie apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What lies between two pictures on a canvas: even, as parts are numbered along pairs of rows.
GUTTER = 2
#: Two shapes are alike from this cosine on.
ALIKE = 0.82
_ROWS, _COLUMNS = 10, 8  # to which shapes are scaled
_USUAL_ASPECT = 0.6  # width over height of a letter


class Parts(NamedTuple):
    """The parts of a canvas, each an entry of the arrays, in the order of their first pixels.

    Attributes
    ----------
    labels
        Of each pixel of the canvas: 0, or 1 more than its part's entry.
    left, top, width, height, area
        In pixels.
    columns, rows
        Sums of its pixels' columns and rows, whole numbers: over the area they are the centre.
    """

    labels: NDArray[Any]
    left: NDArray[Any]
    top: NDArray[Any]
    width: NDArray[Any]
    height: NDArray[Any]
    area: NDArray[Any]
    columns: NDArray[Any]
    rows: NDArray[Any]


def parts_of(canvas: NDArray[np.uint8]) -> Parts:
    """Return the parts of ink, which touch by sides or corners.

    Parameters
    ----------
    canvas
        1 is ink. The first pixel and the last column have none.
    """
    # With `cv2.connectedComponentsWithStats` this takes twenty times as long.
    count, labels = cv2.connectedComponents(canvas, connectivity=8)
    turns = np.flatnonzero(canvas.reshape(-1)[1:] != canvas.reshape(-1)[:-1]) + 1
    begins, ends = turns[::2], turns[1::2]  # of runs of ink along a row
    part: NDArray[np.intp] = labels.reshape(-1)[begins].astype(np.intp) - 1
    row, begin = np.divmod(begins, canvas.shape[1])
    length = ends - begins
    end = begin + length
    left, top, right, bottom = (np.zeros(count - 1, np.intp) for _ in range(4))
    left[:] = canvas.shape[1]
    np.minimum.at(left, part, begin)
    np.maximum.at(right, part, end)
    top[part[::-1]] = row[::-1]  # the first of its runs stays
    bottom[part] = row + 1
    area, columns, rows = (
        np.bincount(part, values, count - 1)
        for values in (length, length * (begin + end - 1) / 2, length * row)
    )
    return Parts(labels, left, top, right - left, bottom - top, area, columns, rows)


def shapes_of(parts: Parts, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the shape of each chosen part as a vector of length 1, shape (chosen, 81)."""
    scaled = np.empty((len(chosen), _ROWS, _COLUMNS), np.float32)
    boxes = zip(
        chosen.tolist(),
        parts.left[chosen].tolist(),
        parts.top[chosen].tolist(),
        parts.width[chosen].tolist(),
        parts.height[chosen].tolist(),
        scaled,
        strict=True,
    )
    for part, left, top, width, height, small in boxes:
        own = parts.labels[top : top + height, left : left + width] == part + 1
        cv2.resize(own.astype(np.float32), (_COLUMNS, _ROWS), small, interpolation=cv2.INTER_AREA)
    vectors = np.empty((len(chosen), _ROWS * _COLUMNS + 1))
    flat = scaled.reshape(len(chosen), _ROWS * _COLUMNS)
    vectors[:, :-1] = flat - flat.mean(axis=1, keepdims=True)
    vectors[:, -1] = (parts.width[chosen] / parts.height[chosen] - _USUAL_ASPECT) * 2
    lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.maximum(lengths, 1e-6))


def different(shapes: NDArray[np.float64]) -> int:
    """Return how many shapes there are, those that are like an earlier one left out."""
    differ = (shapes @ shapes.T < ALIKE).tolist()
    kept: list[int] = []
    for number, own in enumerate(differ):
        if all(own[other] for other in kept):
            kept.append(number)
    return len(kept)
