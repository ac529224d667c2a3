"""Lettering made of single dots, as character generators and needle printers make it.

A detector that knows strokes misses much of it. Where it may lie can be told without a model: dots
stand out from what is around them in all directions, which no part of a stroke does, and many of
them lie close together. There, and only there, the dots are joined to strokes for one more look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.find.places import CELL, in_places, places_with, with_share
from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Display levels (of 256) by which a dot stands out.
_LEVELS = 24
#: Cells of so many pixels square are dotted from this share of dots on; an area has at least three.
_LEAST_SHARE = 0.05
_LEASTCELLS = 3
#: Pixels around an area that are looked at with it.
_SURROUND = 16
_EDGE = 4  # rows: a line of three pixels reaches two
_LINES = (
    np.ones((1, 3), np.uint8),
    np.ones((3, 1), np.uint8),
    np.eye(3, dtype=np.uint8),
    np.ascontiguousarray(np.eye(3, dtype=np.uint8)[::-1]),
)


def dotted_areas(view: NDArray[Any]) -> list[Box]:
    """Return where many dots of one or two pixels lie, bright ones or dark ones.

    Parameters
    ----------
    view
        Shape (rows, columns, 3), 8 bits.
    """
    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
    rows, columns = grey.shape
    cells = max(columns // CELL, 1), max(rows // CELL, 1)
    places = places_with(_LEAST_SHARE, cells, _steps, _EDGE, grey)
    if not places:
        return []
    bright = _dense(grey, cells, places)
    np.subtract(255, grey, out=grey)
    return [*bright, *_dense(grey, cells, places)]


def with_dots_joined(view: NDArray[Any], areas: Sequence[Box]) -> NDArray[Any]:
    """Return a copy of a view in whose areas gaps of up to two pixels between dots are closed.

    The view may be grey, of shape (rows, columns).
    """
    joined = view.copy()
    for box in areas:
        area = slice(box.top, box.bottom), slice(box.left, box.right)
        grey = view[area] if view.ndim == 2 else cv2.cvtColor(view[area], cv2.COLOR_RGB2GRAY)
        are_bright = np.count_nonzero(_dots(grey)) >= np.count_nonzero(_dots(255 - grey))
        method = cv2.MORPH_CLOSE if are_bright else cv2.MORPH_OPEN
        joined[area] = cv2.morphologyEx(view[area], method, np.ones((3, 3), np.uint8))
    return joined


def _steps(grey: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels beside which a dot may lie: each dot stands out from its left or its right."""
    steps = np.zeros(grey.shape, np.bool_)
    steps[:, 1:] = cv2.absdiff(grey[:, 1:], grey[:, :-1]) >= _LEVELS
    steps[:, :-1] |= steps[:, 1:]
    return steps


def _dots(grey: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels that no bright line of three pixels in any of four directions covers."""
    lines: NDArray[Any] = np.zeros_like(grey)
    for line in _LINES:
        lines = cv2.max(lines, cv2.morphologyEx(grey, cv2.MORPH_OPEN, line))
    stands_out: NDArray[np.bool_] = cv2.subtract(grey, lines) >= _LEVELS
    return stands_out


def _dense(grey: NDArray[Any], cells: tuple[int, int], places: Sequence[Box]) -> list[Box]:
    rows, columns = grey.shape
    dots = in_places(_dots, _EDGE, places, grey)
    is_dotted = with_share(_LEAST_SHARE, cells, dots, places)
    if not is_dotted.any():
        return []
    joined = cv2.dilate(is_dotted, np.ones((1, 3), np.uint8))  # across spaces
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    dotted_cells = np.bincount(labels[is_dotted > 0], minlength=count)
    wide, tall = columns / cells[0], rows / cells[1]
    boxes = []
    for label in range(1, count):
        if dotted_cells[label] < _LEASTCELLS:
            continue
        left, top, width, height = (int(number) for number in stats[label][:4])
        box = Box(round(left * wide), round(top * tall), round(width * wide), round(height * tall))
        inside = box.grown(_SURROUND).clipped(rows, columns)
        if inside is not None:
            boxes.append(inside)
    return boxes
