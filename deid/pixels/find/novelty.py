"""What is new in a frame of several: pixels brighter or darker than everything so far at their place.

The running extremes fade slowly, so that text which appears late where anatomy was once as bright
is new again. And they follow what nobody examined only so far: text that appears little by little, in no frame
much brighter than in the one before, is new once it is so much brighter than what was looked at.
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
_EACH_BYTE, _LAST_BYTE = np.uint64(0x0101010101010101), np.uint64(56)
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
    unseen
        Display levels beyond what was examined at a place up to which the running extremes follow.
    few_frames
        Up to this many frames each frame is examined whole.
    """

    levels: int = 20
    pixels: int = 10
    fade: float = 0.5
    unseen: int = 20
    few_frames: int = 3


class RunningExtremes:
    """The brightest and darkest that each pixel has been, less what has faded."""

    def __init__(self, look: FrameLook, novelty: Novelty) -> None:
        self._novelty = novelty
        self._level = look.level
        self._are_whole = look.high.dtype.kind != "f"
        self._faded = 0.0
        self._shown = _Range(look.high, look.low, self._unseen)
        self._luma: _Range | None = None
        self._luma_now: NDArray[Any] | None = None
        self._is_open: NDArray[Any] = np.ones(look.high.shape, np.bool_)

    @property
    def _unseen(self) -> float:
        return self._stored(self._novelty.unseen * self._level)

    def _stored(self, much: float) -> float:
        """Return as much in whole values, where samples are, which are compared several times as fast."""
        return math.floor(much) if self._are_whole else much

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
        margin = self._stored(self._novelty.levels * self._level)
        step = self._fade()
        is_new = self._shown.followed(look.high, look.low, margin, step)
        luma = self._luma_now = look.luma()
        if luma is not None:
            if self._luma is None:  # what has turned coloured is new by its extremes
                self._luma = _Range(luma, luma, self._unseen)
            is_new |= self._luma.followed(luma, luma, margin, step)
        is_new &= self._is_open
        return is_new, _boxes_of(is_new, self._novelty.pixels)

    def examined(self, look: FrameLook, boxes: Iterable[Box]) -> None:
        """Remember that these boxes of the frame are looked at in which it was asked last what is new."""
        for box in boxes:
            own = slice(box.top, box.bottom), slice(box.left, box.right)
            self._shown.examined(own, look.high[own], look.low[own], self._unseen)
            if self._luma is not None and self._luma_now is not None:
                luma = self._luma_now[own]
                self._luma.examined(own, luma, luma, self._unseen)

    def _fade(self) -> float:
        """Return how far to fade now."""
        self._faded += self._novelty.fade * self._level
        step = self._stored(self._faded)
        self._faded -= step
        return step


class _Range:
    """From where to where the values of each pixel have been, and how far that may follow them unexamined."""

    def __init__(self, high: NDArray[Any], low: NDArray[Any], unseen: Any) -> None:
        self._high, self._low = high.copy(), low.copy()
        self._highest, self._lowest = cv2.add(high, unseen), cv2.subtract(low, unseen)

    def followed(
        self, high: NDArray[Any], low: NDArray[Any], margin: float, step: Any
    ) -> NDArray[Any]:
        """Return what is beyond the range by more than a margin; let it fade by a step, and follow."""
        is_new: NDArray[Any] = cv2.subtract(high, self._high) > margin
        is_new |= cv2.subtract(self._low, low) > margin
        if step:
            cv2.subtract(self._high, step, self._high)
            cv2.add(self._low, step, self._low)
        cv2.min(cv2.max(self._high, high, self._high), self._highest, self._high)
        cv2.max(cv2.min(self._low, low, self._low), self._lowest, self._low)
        return is_new

    def examined(
        self, own: tuple[slice, slice], high: NDArray[Any], low: NDArray[Any], unseen: Any
    ) -> None:
        """Widen the range of some pixels by what was examined of them."""
        self._highest[own] = cv2.max(self._highest[own], cv2.add(high, unseen))
        self._lowest[own] = cv2.min(self._lowest[own], cv2.subtract(low, unseen))
        self._high[own] = cv2.max(self._high[own], high)
        self._low[own] = cv2.min(self._low[own], low)


def _boxes_of(is_new: NDArray[np.bool_], pixels: int) -> list[Box]:
    rows, columns = is_new.shape
    padded = is_new.view(np.uint8)
    if rows % _CELL or columns % _CELL:
        padded = np.pad(padded, ((0, -rows % _CELL), (0, -columns % _CELL)))
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
    # The bytes of a word, each at most 16, are added in its last one by one multiplication.
    eights = (bands.view(np.uint64) * _EACH_BYTE >> _LAST_BYTE).astype(np.uint16)
    busy: NDArray[Any] = (eights[:, 0::2] + eights[:, 1::2] >= pixels).astype(np.uint8)
    return busy


def _around(new: NDArray[np.uint8], cells: NDArray[np.uint8]) -> Box:
    """Return the smallest box around the new pixels in those cells."""
    rows, columns = new.shape
    mask = cv2.resize(cells, (columns, rows), interpolation=cv2.INTER_NEAREST)
    left, top, width, height = cv2.boundingRect(cv2.bitwise_and(new, mask))
    return Box(left, top, width, height)
