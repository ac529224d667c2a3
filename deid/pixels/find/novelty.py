"""What is new in a frame of several: pixels brighter or darker than everything so far at their place.

The running extremes fade slowly, so that text which appears late where anatomy was once as bright
is new again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.geometry import Box, joined_where_cheaper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from deid.pixels.find.views import FrameLook

_CELL = 16
#: Columns and rows beside what is new: detectors want a little of what is beside a text.
SURROUND = 24, 12


@dataclass(frozen=True, slots=True)
class Novelty:
    """The figures that decide what is new.

    Attributes
    ----------
    levels
        A pixel is new when it passes the running extreme by more than this, in display levels
        (0 to 255).
    pixels
        A cell of 16 x 16 is new when it holds at least this many new pixels.
    fade
        Display levels by which the running extremes move back towards the frame, per frame.
    few_frames
        Up to this many frames each frame is examined whole.
    """

    levels: int = 20
    pixels: int = 10
    fade: float = 0.5
    few_frames: int = 3


class RunningExtremes:
    """The brightest and darkest that each pixel has been, less what has faded."""

    def __init__(self, look: FrameLook, novelty: Novelty) -> None:
        self._novelty = novelty
        self._high, self._low = look.high.copy(), look.low.copy()
        self._level = look.level
        self._faded = 0.0
        self._is_open: NDArray[Any] = np.ones(self._high.shape, np.bool_)

    def forget(self, boxes: Iterable[Box]) -> None:
        """Look no more at places that will be filled."""
        rows, columns = self._is_open.shape
        for box in boxes:
            inside = box.grown(1).clipped(rows, columns)
            if inside is not None:
                self._is_open[inside.top : inside.bottom, inside.left : inside.right] = False

    def new_in(self, look: FrameLook) -> tuple[NDArray[np.bool_], list[Box]]:
        """Return what is new in this frame, a mask and boxes around it, and remember it."""
        self._level = max(self._level, look.level)
        margin = self._novelty.levels * self._level
        if look.high.dtype.kind != "f":
            margin = math.floor(margin)  # compared with whole numbers, and several times as fast
        is_new: NDArray[Any] = cv2.subtract(look.high, self._high) > margin
        is_new |= cv2.subtract(self._low, look.low) > margin
        is_new &= self._is_open
        step: Any = self._fade()
        if step:
            self._high, self._low = cv2.subtract(self._high, step), cv2.add(self._low, step)
        self._high, self._low = cv2.max(self._high, look.high), cv2.min(self._low, look.low)
        return is_new, _boxes_of(is_new, self._novelty.pixels)

    def _fade(self) -> float:
        """Return how far to fade now: whole values, as samples are."""
        self._faded += self._novelty.fade * self._level
        step = float(int(self._faded))
        self._faded -= step
        return step


def _boxes_of(is_new: NDArray[np.bool_], pixels: int) -> list[Box]:
    rows, columns = is_new.shape
    padded = np.zeros((-(-rows // _CELL) * _CELL, -(-columns // _CELL) * _CELL), np.uint8)
    padded[:rows, :columns] = is_new
    busy = _busy_cells(padded, pixels)
    if not busy.any():
        return []
    joined = cv2.dilate(busy, np.ones((1, 5), np.uint8))  # across words
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = []
    for label in range(1, count):
        left, top, width, height = (int(number) for number in stats[label][:4])
        own = (labels[top : top + height, left : left + width] == label).astype(np.uint8)
        area = Box(left * _CELL, top * _CELL, width * _CELL, height * _CELL)
        inside = _around(padded[area.top : area.bottom, area.left : area.right], own)
        box = inside.moved(area.left, area.top).grown(*SURROUND).clipped(rows, columns)
        if box is not None:
            boxes.append(box)
    return joined_where_cheaper(boxes)


def _busy_cells(new: NDArray[np.uint8], pixels: int) -> NDArray[Any]:
    """Return the cells of 16 x 16 that hold at least so many pixels that are 1, as 0 and 1."""
    rows, columns = new.shape
    bands = new.reshape(rows // _CELL, _CELL, columns).sum(axis=1, dtype=np.uint8)
    counts = bands.reshape(rows // _CELL, columns // _CELL, _CELL).sum(axis=2, dtype=np.uint16)
    busy: NDArray[Any] = (counts >= pixels).astype(np.uint8)
    return busy


def _around(new: NDArray[np.uint8], cells: NDArray[np.uint8]) -> Box:
    """Return the smallest box around the new pixels in those cells."""
    rows, columns = new.shape
    mask = cv2.resize(cells, (columns, rows), interpolation=cv2.INTER_NEAREST)
    left, top, width, height = cv2.boundingRect(cv2.bitwise_and(new, mask))
    return Box(left, top, width, height)
