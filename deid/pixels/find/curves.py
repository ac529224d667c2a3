"""Curves that run along a frame: traces of a heart, envelopes, axes.

What is written across one touches it, and as one neither looks like text. Where the writing is of another level
than the curve, it shows without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from deid.pixels.geometry import Box

#: Levels by which ink stands out of the ground, and the share of it by which a curve does, whose ink is the
#: strongest; writing of more than that goes with it.
_LEVELS, _STRONGEST, _SHARE = 40, 0.9, 0.8
#: Rows and columns across which a curve goes on where writing interrupts it.
_GAP = 5, 21
#: Columns of the frame that it runs along at least, and the share of the box around it that it covers at most:
#: so joined, letters cover more.
_LEAST_LENGTH, _MOST_COVERED = 0.3, 0.35
#: Share of an area's columns that a curve crosses at least.
_ACROSS = 0.9
#: Pixels beside it that show its edges, and from how far what lies there instead is taken.
_EDGE, _FROM = 3, 3


class Bare(NamedTuple):
    """A view without curves.

    Attributes
    ----------
    view
        Shape (rows, columns), 8 bits.
    areas
        Of those that were asked of, the ones in which there were curves.
    """

    view: NDArray[Any]
    areas: list[Box]


def without_curves(view: NDArray[Any], areas: Iterable[Box]) -> Bare | None:
    """Put the ground in place of the curves in some areas of a view; None where there are none.

    Parameters
    ----------
    view
        Shape (rows, columns) or (rows, columns, 3), 8 bits.
    """
    columns = view.shape[1]
    length = _LEAST_LENGTH * columns
    shown: NDArray[Any] | None = None
    changed: list[Box] = []
    for area in areas:
        own = slice(area.top, area.bottom), slice(area.left, area.right)
        if not _curves_in(_in_grey(view[own]), min(_ACROSS * area.width, length)).any():
            continue
        # What crosses the area may be a letter's line, or a curve.
        curves = _curves_in(_in_grey(view[own[0]]), length)[:, own[1]]
        if curves.any():
            shown = _in_grey(view).copy() if shown is None else shown
            shown[own] = cv2.inpaint(shown[own], curves, _FROM, cv2.INPAINT_TELEA)
            changed.append(area)
    return None if shown is None else Bare(shown, changed)


def _in_grey(view: NDArray[Any]) -> NDArray[Any]:
    return view if view.ndim == 2 else np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY))


def _curves_in(part: NDArray[Any], length: float) -> NDArray[np.uint8]:
    """Return which pixels of a part are of curves of so many columns, or beside one, as 0 and 1."""
    ground = np.full_like(part, np.median(part))
    brighter, darker = cv2.subtract(part, ground), cv2.subtract(ground, part)
    by = max(brighter, darker, key=lambda levels: np.count_nonzero(levels > _LEVELS))
    ink = by[by > _LEVELS]
    if not ink.size:
        return np.zeros(part.shape, np.uint8)
    strong = (by >= max(_SHARE * np.quantile(ink, _STRONGEST), _LEVELS)).astype(np.uint8)
    joined = cv2.morphologyEx(strong, cv2.MORPH_CLOSE, np.ones(_GAP, np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    _, _, width, height, covered = stats.T
    is_curve = (width >= length) & (covered < _MOST_COVERED * width * height)
    is_curve[0] = False  # the ground
    return np.asarray(cv2.dilate(strong & is_curve[labels], np.ones((_EDGE, _EDGE), np.uint8)))
