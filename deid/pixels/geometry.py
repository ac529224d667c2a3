"""Boxes in a frame: where text was found and what will be filled."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Box(NamedTuple):
    """A rectangle in pixels of the frame, counted from its top left corner."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column beyond the box."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row beyond the box."""
        return self.top + self.height

    @property
    def area(self) -> int:
        """Pixels inside."""
        return self.width * self.height

    def grown(self, columns: int, rows: int | None = None) -> Box:
        """Return the box with so many columns and rows (as many as columns) more on each side."""
        rows = columns if rows is None else rows
        return Box(
            self.left - columns, self.top - rows, self.width + 2 * columns, self.height + 2 * rows
        )

    def clipped(self, rows: int, columns: int) -> Box | None:
        """Return the part inside a frame of that size, None when nothing is."""
        left, top = max(self.left, 0), max(self.top, 0)
        right, bottom = min(self.right, columns), min(self.bottom, rows)
        if right <= left or bottom <= top:
            return None
        return Box(left, top, right - left, bottom - top)

    def within(self, other: Box) -> Box | None:
        """Return what of it lies in another box, None where nothing does."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None

    def without(self, other: Box) -> list[Box]:
        """Return what of it lies beyond another box: above, below, left and right of what they share."""
        shared = self.within(other)
        if shared is None:
            return [self]
        parts = (
            Box(self.left, self.top, self.width, shared.top - self.top),
            Box(self.left, shared.bottom, self.width, self.bottom - shared.bottom),
            Box(self.left, shared.top, shared.left - self.left, shared.height),
            Box(shared.right, shared.top, self.right - shared.right, shared.height),
        )
        return [part for part in parts if part.width and part.height]

    def moved(self, columns: int, rows: int) -> Box:
        """Return the box shifted right by `columns` and down by `rows`."""
        return Box(self.left + columns, self.top + rows, self.width, self.height)

    def overlap(self, other: Box) -> int:
        """Return how many pixels both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0

    def contains(self, other: Box) -> bool:
        """Whether `other` lies wholly inside."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def joined(self, other: Box) -> Box:
        """Return the smallest box around both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        return Box(
            left,
            top,
            max(self.right, other.right) - left,
            max(self.bottom, other.bottom) - top,
        )


def tiles(box: Box, side: int, overlap: int) -> Iterator[Box]:
    """Cut a box into as few equal parts as fit into squares of `side` and overlap enough."""
    for top, height in _spans(box.height, side, overlap):
        for left, width in _spans(box.width, side, overlap):
            yield Box(box.left + left, box.top + top, width, height)


def _spans(length: int, side: int, overlap: int) -> list[tuple[int, int]]:
    if length <= side:
        return [(0, length)]
    count = -(-(length - overlap) // (side - overlap))
    part = -(-(length + (count - 1) * overlap) // count)
    return [(round(at * (length - part) / (count - 1)), part) for at in range(count)]


def joined_where_cheaper(boxes: Iterable[Box]) -> list[Box]:
    """Join boxes that overlap where the joined box is no larger than both are.

    What others share is looked at twice, which is less than what would lie between them.
    """
    merged: list[Box] = []
    for box in sorted(boxes, key=lambda found: (found.top, found.left)):
        wide = box
        while True:
            other = next((other for other in merged if _are_cheaper_joined(other, wide)), None)
            if other is None:
                break
            merged.remove(other)
            wide = wide.joined(other)
        merged.append(wide)
    return merged


def _are_cheaper_joined(one: Box, other: Box) -> bool:
    return bool(one.overlap(other)) and one.joined(other).area <= one.area + other.area


def outside(boxes: Iterable[Box], rows: int, columns: int) -> list[Box]:
    """Return disjoint boxes that cover everything of a frame outside `boxes`.

    The frame is cut into horizontal bands at every upper and lower edge; in each band the gaps
    between the boxes remain. Bands with the same gaps are joined.
    """
    kept = [box for box in (box.clipped(rows, columns) for box in boxes) if box is not None]
    edges = sorted({0, rows, *(box.top for box in kept), *(box.bottom for box in kept)})
    bands: list[tuple[int, int, tuple[tuple[int, int], ...]]] = []
    for top, bottom in pairwise(edges):
        gaps = _gaps([box for box in kept if box.top <= top and box.bottom >= bottom], columns)
        if bands and bands[-1][2] == gaps:
            bands[-1] = (bands[-1][0], bottom, gaps)
        else:
            bands.append((top, bottom, gaps))
    return [
        Box(left, top, right - left, bottom - top)
        for top, bottom, gaps in bands
        for left, right in gaps
    ]


def _gaps(row: Sequence[Box], columns: int) -> tuple[tuple[int, int], ...]:
    gaps, at = [], 0
    for box in sorted(row):
        if box.left > at:
            gaps.append((at, box.left))
        at = max(at, box.right)
    if at < columns:
        gaps.append((at, columns))
    return tuple(gaps)
