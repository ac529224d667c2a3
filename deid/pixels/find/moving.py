"""Whether a part of one frame shows, elsewhere, what is new in a part of another: it only moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from deid.pixels.find.views import FrameLook
    from deid.pixels.geometry import Box

#: Pixels around what is new that must be the same, too, and how many new ones there are at least.
_AROUND, _LEAST = 3, 40
#: Rows from which on that is no line of text.
_HIGHEST = 72
#: Of the new pixels, how many may differ: edges of letters lie between their level and the ground's.
_DIFFERENT = 0.05
#: Pixels around a region of text that are its own.
_OWN = 2


@dataclass(frozen=True, slots=True)
class Shown:
    """What a part of a frame shows, and what of it is new.

    Attributes
    ----------
    box
        Of the part, in the frame.
    high, low
        Shape (rows, columns) of the part: the highest and the lowest sample of each pixel.
    is_new
        Of that shape.
    new
        How many pixels are.
    """

    box: Box
    high: NDArray[Any]
    low: NDArray[Any]
    is_new: NDArray[np.bool_]
    new: int

    @classmethod
    def of(cls, look: FrameLook, is_new: NDArray[np.bool_], box: Box) -> Shown:
        """Copy a part of a frame."""
        part = slice(box.top, box.bottom), slice(box.left, box.right)
        high = look.high[part].copy()
        low = high if look.low is look.high else look.low[part].copy()
        own = is_new[part].copy()
        return cls(box, high, low, own, int(np.count_nonzero(own)))

    def new_within(self, box: Box) -> int:
        """Return how many new pixels lie in a box of the frame."""
        own = box.moved(-self.box.left, -self.box.top).clipped(*self.is_new.shape)
        if own is None:
            return 0
        return int(np.count_nonzero(self.is_new[own.top : own.bottom, own.left : own.right]))

    def new_beside(self, boxes: Iterable[Box]) -> int:
        """Return how many new pixels lie in none of these boxes of the frame."""
        left = self.is_new.copy()
        for box in boxes:
            own = box.grown(_OWN).moved(-self.box.left, -self.box.top).clipped(*left.shape)
            if own is not None:
                left[own.top : own.bottom, own.left : own.right] = False
        return int(np.count_nonzero(left))


def displacement(whole: Shown, piece: Shown) -> tuple[int, int] | None:
    """Return by how many columns and rows what is new in a piece lies from where the whole shows it.

    None where the whole does not show it: each pixel that is new in the piece, and each around those, must be
    ink in both, or in neither. Whether it is new in the whole, too, and which of both is of the earlier frame,
    does not matter.
    """
    new = piece.is_new.view(np.uint8)
    if piece.new < _LEAST:
        return None
    kernel = np.ones((2 * _AROUND + 1, 2 * _AROUND + 1), np.uint8)
    near = cv2.dilate(new, kernel)
    left, top, width, height = cv2.boundingRect(near)
    if height > min(whole.box.height, _HIGHEST) or width > whole.box.width:
        return None
    shown, wanted = _inks(whole, piece, new, cv2.subtract(near, new))
    cut = slice(top, top + height), slice(left, left + width)
    agree = cv2.matchTemplate(_signs(shown), _signs(wanted[cut]) * near[cut], cv2.TM_CCORR)
    _, most, _, (column, row) = cv2.minMaxLoc(agree)
    if int(np.count_nonzero(near)) - most > 2 * _DIFFERENT * piece.new:
        return None
    return (
        piece.box.left + left - (whole.box.left + column),
        piece.box.top + top - (whole.box.top + row),
    )


def _inks(
    whole: Shown, piece: Shown, new: NDArray[Any], beside: NDArray[Any]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what is ink in both: beyond the middle between what is new in the piece and what is beside it."""
    level, ground = (cv2.mean(piece.high, mask)[0] for mask in (new, beside))
    if level > ground:
        middle = (level + ground) / 2
        return whole.high > middle, piece.high > middle
    middle = sum(cv2.mean(piece.low, mask)[0] for mask in (new, beside)) / 2
    return whole.low < middle, piece.low < middle


def _signs(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(mask, np.float32(1), np.float32(-1))
