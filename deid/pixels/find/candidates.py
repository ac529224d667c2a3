"""Places where a look found something like text, and one place for what several looks found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: A candidate is part of a larger one when it shares this much of its area with it.
_PART_SHARE = 0.7
_ONE_HEIGHT = 2.0
#: Heights by which what is on one line may be apart: spaced letters lie farther apart than words.
_APART = 2
#: A slanted text is filled along itself where it has no more than this share of its upright box.
_MUCH_LESS = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A rotated rectangle in frame pixels: corners (4, 2) from the top left clockwise.

    `area` is the upright box around it, `view` the number of the view that shows it, `shape` the logarithm of
    the odds that its shape is that of text, where that was asked. `is_plain` tells that it is a line of plain
    letters, which no model looked at (`deid.pixels.find.plain_lines`). What is written across a curve is seen
    in no view but in `bare`, shape (rows, columns), without the curve (`deid.pixels.find.curves`).
    """

    corners: NDArray[Any]
    confidence: float
    view: int
    area: Box
    shape: float | None = None
    is_plain: bool = False
    bare: NDArray[Any] | None = None

    def shown_in(self, views: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """Return of the views of a frame those that show it."""
        return views if self.bare is None else (self.bare,)


def candidate(corners: NDArray[Any], confidence: float, view: int) -> Candidate:
    """Return a candidate with the upright box around its corners."""
    left, top = (int(edge) for edge in np.floor(corners.min(axis=0)))
    right, bottom = (int(edge) for edge in np.ceil(corners.max(axis=0)))
    return Candidate(corners, confidence, view, Box(left, top, right - left, bottom - top))


def ordered(corners: NDArray[Any]) -> NDArray[Any]:
    """Return corners clockwise from the top left one."""
    by_column = corners[np.argsort(corners[:, 0], kind="stable")]
    left = by_column[:2][np.argsort(by_column[:2, 1])]
    right = by_column[2:][np.argsort(by_column[2:, 1])]
    return np.array((left[0], right[0], right[1], left[1]), np.float32)


def short_side(corners: NDArray[Any]) -> float:
    """Return the length of the shorter side, in pixels."""
    return float(
        min(np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0]))
    )


def merged(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Make one of candidates that show the same text: seen in both views, or cut by a tile's edge."""
    left = sorted(candidates, key=lambda found: -found.area.area)
    while True:
        kept: list[Candidate] = []
        for candidate in left:
            for number, larger in enumerate(kept):
                joined = _joined(larger, candidate)
                if joined is not None:
                    kept[number] = joined
                    break
            else:
                kept.append(candidate)
        if len(kept) == len(left):
            return kept
        left = sorted(kept, key=lambda found: -found.area.area)


def _joined(larger: Candidate, smaller: Candidate) -> Candidate | None:
    """Return one candidate for two, None when they show different texts.

    The larger one is read, as the smaller shows part of it; its area is widened to hold both.
    """
    shared = larger.area.overlap(smaller.area)
    if not shared:
        return None
    area = larger.area.joined(smaller.area)
    confidence = max(larger.confidence, smaller.confidence)
    is_same_place = shared * 2 > larger.area.area + smaller.area.area - shared
    is_one_line = _continue_each_other(larger, smaller)
    # A line within something much higher may be text where the other is none.
    is_of_one_height = short_side(larger.corners) <= _ONE_HEIGHT * short_side(smaller.corners)
    # Of lines of plain letters the ink is known: none is part of another, however close they lie.
    are_lines = larger.is_plain and smaller.is_plain
    is_part = shared >= _PART_SHARE * smaller.area.area and is_of_one_height and not are_lines
    if not (is_same_place or is_part or is_one_line):
        return None
    corners = larger.corners
    if is_one_line:
        corners = corners_of(area)
    elif _is_slanted(larger) and _is_slanted(smaller):
        points = np.concatenate((larger.corners, smaller.corners)).astype(np.float32)
        corners = rectangle_of(cv2.minAreaRect(points))
    if corners is larger.corners:
        return replace(larger, area=area, confidence=confidence)
    return replace(
        larger, corners=corners, area=area, confidence=confidence, shape=None, is_plain=False
    )


def continues(one: Candidate, other: Candidate) -> bool:
    """Whether one lies on the line of the other, of about its height, no farther away than spaced words are."""
    a, b = one.area, other.area
    if b.width < b.height:
        a, b = (Box(box.top, box.left, box.height, box.width) for box in (a, b))
    low, high = sorted((a.height, b.height))
    shared = min(a.bottom, b.bottom) - max(a.top, b.top)
    gap = max(a.left - b.right, b.left - a.right)
    return 5 * low >= 3 * high and 4 * shared >= 3 * low and gap <= _APART * low


def is_within(one: Candidate, other: Candidate) -> bool:
    """Whether the most of one lies in the other, so that it is a piece of it and does not lie beside it."""
    return 10 * one.area.overlap(other.area) >= 9 * one.area.area


def _continue_each_other(one: Candidate, other: Candidate) -> bool:
    """Whether two upright boxes are parts of one line that share a piece of it."""
    if _is_slanted(one) or _is_slanted(other):
        return False
    a, b = one.area, other.area
    if a.width < a.height and b.width < b.height:
        a, b = (Box(box.top, box.left, box.height, box.width) for box in (a, b))
    height = min(a.height, b.height)
    shared = min(a.right, b.right) - max(a.left, b.left)
    return shared * 2 > height and abs(a.top - b.top) + abs(a.bottom - b.bottom) < 0.7 * height


def _is_slanted(candidate: Candidate) -> bool:
    area = candidate.area
    return cv2.contourArea(candidate.corners) < 0.8 * area.area


def outline_of(found: Candidate) -> tuple[tuple[float, float], ...]:
    """Return the corners of what lies slanted; nothing for what its upright box describes."""
    if cv2.contourArea(found.corners) > _MUCH_LESS * found.area.area:
        return ()
    return tuple((float(column), float(row)) for column, row in found.corners)


def corners_of(box: Box) -> NDArray[Any]:
    """Return the corners of a box, clockwise from the top left."""
    return np.array(
        (
            (box.left, box.top),
            (box.right, box.top),
            (box.right, box.bottom),
            (box.left, box.bottom),
        ),
        np.float32,
    )


def framed(ink: Box, pixels: int, of_height: float) -> NDArray[Any]:
    """Return the corners of a line with so many pixels around its ink, or that share of its height."""
    return corners_of(ink.grown(max(pixels, round(of_height * ink.height))))


def resized(corners: NDArray[Any], by: float) -> NDArray[Any]:
    """Return corners of a rectangle that is longer and higher by this share of its height."""
    (middle, (width, height), angle) = cv2.minAreaRect(corners.astype(np.float32))
    more = by * min(width, height)
    return rectangle_of((middle, (width + more, height + more), angle))


def rectangle_of(rectangle: Any) -> NDArray[Any]:
    """Return the corners, clockwise from the top left, of what `cv2.minAreaRect` describes."""
    return ordered(cv2.boxPoints(rectangle))
