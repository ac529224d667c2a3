"""Lines of ink: connected parts of one height that lie beside each other.

Ink is what stands out by many levels, and half as much as anything near it does. Where the sieve tells of
letters, its parts may be glyphs. Whether a line is text is not asked here (`deid.pixels.find.plain_lines`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from deid.pixels.find.sieve import standing_out
from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.sieve import Sieved

    Joined = Callable[[Any, Any, Any, Any], NDArray[np.bool_]]

#: Levels of 256 by which ink stands out, and the share of the most within so many pixels.
_LEVELS, _SHARE, _NEARBY = 40, 0.45, 25
_LEAST_PIXELS = 2
#: Where there are more parts than a page of print has, none is looked for.
_MOST_PARTS = 4000
#: Pixels that a glyph is high and wide at most.
_HIGHEST, _WIDEST = 48, 64
#: Glyphs of one word share so much of the lower one's rows, lie no farther apart than this share of the higher
#: one's height, and none is so many times as high as the other, and so many pixels.
_SAME_ROWS, _GLYPHS_APART, _TIMES_AS_HIGH, _AND_PIXELS = 0.6, 0.9, 4, 8
#: Words of one line share as much, lie no farther apart than this, and are about as high; groups of spaced
#: letters lie farther apart.
_WORDS_APART, _ABOUT_AS_HIGH = 2.0, 0.5
_SPACED_APART = 3.0
_FARTHEST = round(_WORDS_APART * _HIGHEST)
#: A line has so many glyphs, is so many times as long as high and so many pixels high; it is level, so no
#: higher than its highest glyph by much; and that is no more times as high as a quarter of them.
_LEAST_GLYPHS, _LEAST_ASPECT, _LOWEST, _LEVEL, _AND_ROWS = 3, 1.5, 5, 1.5, 2
_OUT_OF_LINE = 2.5
#: Heights beside and above a line within which other parts are its own: commas, accents, dots.
_OWN_BESIDE, _OWN_ABOVE = 0.5, 0.3
#: Heights, and pixels at least, beside and above a line within which other parts may be of it.
_BESIDE, _ABOVE = (1.5, 4), (0.5, 3)
#: Parts that are lower than this share of its height, or have fewer pixels than that of its square, are not.
_LEAST_HEIGHT, _LEAST_OF_SQUARE = 0.25, 0.02


class InkLine(NamedTuple):
    """The box around the ink of what may be a line of letters, and whether nothing near may be of it."""

    box: Box
    is_alone: bool


def ink_lines(sieved: Sieved, areas: Sequence[Box]) -> list[InkLine]:
    """Return the lines of ink in areas of the view that the sieve was asked of."""
    parts = _parts_in(sieved, areas)
    if parts is None or len(parts.left) > _MOST_PARTS:
        return []
    glyphs = np.flatnonzero(parts.is_glyph)
    words = [
        glyphs[word] for word in _groups([parts.some([own]).box() for own in glyphs], _are_of_word)
    ]
    lines = [
        np.concatenate([words[number] for number in line])
        for line in _groups([parts.some(word).box() for word in words], _are_of_line)
    ]
    boxes = [parts.some(line).box() for line in lines if _is_line(parts.some(line))]
    own = [parts.are_inside(_with_own(box)) for box in boxes]
    others = parts.some(~np.logical_or.reduce(own)) if boxes else parts
    return [
        InkLine(parts.some(inside).box(), not _are_near(box, others).any())
        for box, inside in zip(boxes, own, strict=True)
    ]


def is_near(line: Box, other: Box) -> bool:
    """Whether another line may be one with a line, or touch it."""
    return _reach(line).overlap(other) > 0 and other.height >= _LEAST_HEIGHT * line.height


def goes_on_as(line: Box, other: Box) -> bool:
    """Whether another line lies on the rows of a line, not much farther away than its words do."""
    shared = min(line.bottom, other.bottom) - max(line.top, other.top)
    between = max(line.left, other.left) - min(line.right, other.right)
    low, high = sorted((line.height, other.height))
    return shared >= _SAME_ROWS * low and between <= _SPACED_APART * high


def rows_above(line: Box) -> int:
    """Return within how many rows above a line and below it other ink may be of it."""
    share, least = _ABOVE
    return max(int(share * line.height), least)


def _reach(line: Box) -> Box:
    share, least = _BESIDE
    return line.grown(max(int(share * line.height), least), rows_above(line))


def _with_own(line: Box) -> Box:
    return line.grown(round(_OWN_BESIDE * line.height), round(_OWN_ABOVE * line.height))


class _Parts(NamedTuple):
    """Connected parts of ink, each an entry of the arrays; `is_glyph` tells which may be glyphs."""

    left: NDArray[Any]
    top: NDArray[Any]
    right: NDArray[Any]
    bottom: NDArray[Any]
    pixels: NDArray[Any]
    is_glyph: NDArray[np.bool_]

    def some(self, which: Any) -> _Parts:
        """Return some of them."""
        return _Parts(*(own[which] for own in self))

    def box(self) -> Box:
        """Return the box around all of them."""
        left, top = int(self.left.min()), int(self.top.min())
        return Box(left, top, int(self.right.max()) - left, int(self.bottom.max()) - top)

    def are_inside(self, box: Box) -> NDArray[np.bool_]:
        """Return which of them lie wholly in a box."""
        is_inside = (self.left >= box.left) & (self.right <= box.right)
        return np.asarray(is_inside & (self.top >= box.top) & (self.bottom <= box.bottom))


def _are_near(line: Box, others: _Parts) -> NDArray[np.bool_]:
    """Return which other parts may be of a line, or of one that touches it."""
    reach = _reach(line)
    is_near = (others.left < reach.right) & (others.right > reach.left)
    is_near &= (others.top < reach.bottom) & (others.bottom > reach.top)
    is_near &= others.bottom - others.top >= _LEAST_HEIGHT * line.height
    return np.asarray(is_near & (others.pixels >= _LEAST_OF_SQUARE * line.height**2))


def _is_line(glyphs: _Parts) -> bool:
    """Whether neighbours are enough, and level, to be a line of letters."""
    box, highest = glyphs.box(), int((glyphs.bottom - glyphs.top).max())
    is_level = box.height <= _LEVEL * highest + _AND_ROWS
    is_long = box.width >= _LEAST_ASPECT * box.height and box.height >= _LOWEST
    is_even = highest <= _OUT_OF_LINE * np.quantile(glyphs.bottom - glyphs.top, 0.75)
    return len(glyphs.left) >= _LEAST_GLYPHS and is_level and is_long and bool(is_even)


def _parts_in(sieved: Sieved, areas: Sequence[Box]) -> _Parts | None:
    """Return the parts of ink where the sieve tells of letters, None where nothing is asked."""
    found = [_parts_of(sieved.view, area) for area in areas]
    if not found:
        return None
    parts = _Parts(*(np.concatenate(own) for own in zip(*found, strict=True)))
    middle = (parts.left + parts.right) // 2, (parts.top + parts.bottom) // 2
    # What lies in two areas is one part.
    _, first = np.unique(np.column_stack(parts[:4]), axis=0, return_index=True)
    is_first = np.zeros(len(parts.left), np.bool_)
    is_first[first] = True
    return parts.some(is_first & sieved.are_beside_letters(*middle))


def _parts_of(view: NDArray[Any], area: Box) -> _Parts:
    """Return the parts of ink in an area; what the area cuts lies whole in another one."""
    part = view[area.top : area.bottom, area.left : area.right]
    is_dark = float(np.median(part[::4, ::4])) < 128
    strokes = standing_out(part, cv2.MORPH_TOPHAT if is_dark else cv2.MORPH_BLACKHAT)
    most = cv2.dilate(strokes, np.ones((_NEARBY, _NEARBY), np.uint8))
    ink = (strokes >= _LEVELS) & (strokes >= _SHARE * most)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink.view(np.uint8), connectivity=8)
    left, top, width, height, pixels = stats[1:][stats[1:, 4] >= _LEAST_PIXELS].T.astype(np.intp)
    left, top = left + area.left, top + area.top
    right, bottom = left + width, top + height
    rows, columns = view.shape[:2]
    is_whole = (left > area.left) | (area.left == 0)
    is_whole &= (top > area.top) | (area.top == 0)
    is_whole &= (right < area.right) | (area.right == columns)
    is_whole &= (bottom < area.bottom) | (area.bottom == rows)
    is_glyph = (height <= _HIGHEST) & (width <= _WIDEST)
    return _Parts(left, top, right, bottom, pixels, is_glyph).some(is_whole)


def _groups(boxes: Sequence[Box], are_joined: Joined) -> list[list[int]]:
    """Return the numbers of boxes in groups, each joined with another one of its group.

    Parameters
    ----------
    are_joined
        Of the rows that pairs share, the columns between them, and the heights of the lower and the higher one;
        never where more than `_FARTHEST` columns are between.
    """
    groups = {number: [number] for number in range(len(boxes))}
    of = list(groups)
    for one, other in _joined_pairs(boxes, are_joined):
        if of[one] != of[other]:
            moved = groups.pop(of[other])
            groups[of[one]] += moved
            for number in moved:
                of[number] = of[one]
    return list(groups.values())


def _joined_pairs(boxes: Sequence[Box], are_joined: Joined) -> Iterator[tuple[int, int]]:
    if not boxes:
        return
    order = np.argsort([box.left for box in boxes], kind="stable")
    left, top, width, height = np.array(boxes)[order].T
    right, bottom = left + width, top + height
    # With each those that begin after it does and not far beyond its end.
    number = np.arange(len(left))
    counts = np.searchsorted(left, right + _FARTHEST, "right") - number - 1
    one = np.repeat(number, counts)
    other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    joined = are_joined(
        np.minimum(bottom[one], bottom[other]) - np.maximum(top[one], top[other]),
        left[other] - right[one],
        np.minimum(height[one], height[other]),
        np.maximum(height[one], height[other]),
    )
    yield from zip(order[one[joined]].tolist(), order[other[joined]].tolist(), strict=True)


def _are_of_word(shared: Any, between: Any, low: Any, high: Any) -> NDArray[np.bool_]:
    is_beside = (shared >= _SAME_ROWS * low) & (between <= _GLYPHS_APART * high)
    return np.asarray(is_beside & (high <= _TIMES_AS_HIGH * low + _AND_PIXELS))


def _are_of_line(shared: Any, between: Any, low: Any, high: Any) -> NDArray[np.bool_]:
    is_beside = (shared >= _SAME_ROWS * low) & (between <= _WORDS_APART * high)
    return np.asarray(is_beside & (low >= _ABOUT_AS_HIGH * high))
