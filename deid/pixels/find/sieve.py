"""A small model of our own that tells where letters may be, so that nobody need look elsewhere.

It sees strokes, not pixels: how far each pixel stands out from what is wider than a stroke, on the bright and
on the dark side, the most of a frame's colours. So neither the level of what is around it nor the colour of a
text matters. It is asked where strokes stand out, and costs a ninth of what a look costs there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.find.candidates import short_side
from deid.pixels.find.sheets import edge_level
from deid.pixels.geometry import Box, joined_where_cheaper

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import Model

#: Made by `python -m tests.benchmarks.pixels.sieve`, which prints the digest.
SIEVE = "text_sieve.onnx"
#: Pixels of a side that one answer is of, and around it that matter for it.
STEP, AROUND = 8, 88
_WIDEST_STROKE = 9
#: From which height of a line on its letters are too high, and to which one it is made smaller.
_HIGH, _USUAL = 72, 40
_ROWS = 768  # that are asked at a time
_SEEN_BESIDE = 24  # pixels from letters in which cells are told to show some
_MOST = 0.8  # of a view; where more would be asked, all of it is: other questions follow


@dataclass(frozen=True, slots=True)
class Sieve:
    """Tells in which cells of a view letters may be.

    Attributes
    ----------
    model
        From strokes (1, 2, rows, columns), bright and dark, 0 to 255, both lengths multiples of 8, to
        the logarithm of the odds that a cell shows part of a letter of 6 to 48 pixels, (1, 1, rows / 8,
        columns / 8).
    least, peak
        Cells with at least `least` count, of those that hang together if one has at least `peak`.
    apart
        Odds from which a cell by itself may show a letter.
    """

    model: Model
    least: float = -2.0
    peak: float = 0.0
    apart: float = -1.0

    def of(self, view: NDArray[Any]) -> Sieved:
        """Return what it tells of a view, 8 bits, shape (rows, columns) or (rows, columns, 3)."""
        return Sieved(self, view)

    def odds_within(self, view: NDArray[Any], corners: NDArray[Any]) -> float:
        """Return `Sieved.odds_within`, of high letters the larger of that and of what a smaller view has."""
        odds = self.of(view).odds_within(corners)
        height = short_side(corners)
        if height < _HIGH:
            return odds
        rows, columns = view.shape[:2]
        size = tuple(max(round(side * _USUAL / height), 1) for side in (columns, rows))
        smaller = cv2.resize(view, size, interpolation=cv2.INTER_AREA)
        by = np.array(size, np.float32) / (columns, rows)
        return max(odds, self.of(smaller).odds_within(corners * by))


class Sieved:
    """Where letters may be in one view; nothing is asked twice.

    Parameters
    ----------
    view
        8 bits, shape (rows, columns) or (rows, columns, 3).
    """

    def __init__(self, sieve: Sieve, view: NDArray[Any]) -> None:
        self._sieve, self.view = sieve, view
        rows, columns = view.shape[:2]
        self._odds = np.full((-(-rows // STEP), -(-columns // STEP)), np.nan, np.float32)
        self._is_spilt = np.zeros(self._odds.shape, np.bool_)

    def odds(self, areas: Sequence[Box]) -> NDArray[np.float32]:
        """Return the logarithms of the odds, shape (rows / 8, columns / 8) rounded up, of the cells of areas.

        Others are -inf, unless they were asked before or it is less to ask all.
        """
        rows, columns = self.view.shape[:2]
        new = [area for area in areas if np.isnan(self._odds[_cells_of(area)]).any()]
        for area in _cheaper(new, rows, columns):
            for top in range(area.top // STEP * STEP, area.bottom, _ROWS):
                bottom = min(top + _ROWS, area.bottom)
                self._ask(Box(area.left, top, area.width, bottom - top))
        return np.where(np.isnan(self._odds), -np.inf, self._odds)

    def without(self, lines: Sequence[Box]) -> Sieved:
        """Return what it tells of the view without lines of letters: nothing in them, around them anew.

        Their letters are seen in cells beside them, too. What may be letters there is asked of a view without
        them, once it matters.
        """
        rows, columns = self.view.shape[:2]
        left = Sieved(self._sieve, without_strokes(self.view, lines))
        left._odds = self._odds.copy()
        for line in lines:
            beside = line.grown(_SEEN_BESIDE).clipped(rows, columns)
            if beside is not None:
                left._is_spilt[_cells_of(beside)] = True
        for line in lines:
            inside = line.clipped(rows, columns)
            if inside is not None:
                left._odds[_cells_within(inside)] = -np.inf
        return left

    def most_told_within(self, area: Box) -> float:
        """Return the highest odds of the cells of an area that were asked, -inf of none."""
        inside = area.clipped(*self.view.shape[:2])
        if inside is None:
            return -np.inf
        cells = _cells_of(inside)
        odds = np.where(self._is_spilt[cells], np.nan, self._odds[cells])
        return float(np.nan_to_num(odds, nan=-np.inf).max())

    def _ask(self, area: Box) -> None:
        """Ask the model of an area, with what matters for it around it."""
        rows, columns = self.view.shape[:2]
        first, last = _outward(area.top, area.bottom, rows)
        left, right = _outward(area.left, area.right, columns)
        part = self.view[first:last, left:right]
        shape = -(-part.shape[0] // STEP) * STEP, -(-part.shape[1] // STEP) * STEP
        given = np.zeros((1, 2, *shape), np.float32)
        given[0, :, : part.shape[0], : part.shape[1]] = strokes_of(part)
        found: NDArray[Any] = self._sieve.model(given)[0, 0]
        cells = _cells_of(area)
        own, new = self._odds[cells], found[_cells_of(area.moved(-left, -first))]
        self._odds[cells] = np.where(np.isnan(own), new, own)

    def are_beside_letters(self, columns: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Return for pixels whether their cells, or cells beside them, were told to show letters perhaps."""
        told = np.nan_to_num(self._odds, nan=-np.inf) >= self._sieve.least
        beside = cv2.dilate(told.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
        return np.asarray(beside[rows // STEP, columns // STEP])

    def with_letters(self, areas: Sequence[Box], known: Sequence[Box]) -> list[Box]:
        """Return the areas in which there may be letters that are not known.

        Parameters
        ----------
        known
            Where letters were found. Cells that lie in them only partly are asked all the same.
        """
        odds = self.odds(areas)
        for box in known:
            inside = box.clipped(*self.view.shape[:2])
            if inside is not None:
                odds[_cells_within(inside)] = -np.inf
        return [area for area in areas if odds[_cells_of(area)].max() >= self._sieve.apart]

    def odds_within(self, corners: NDArray[Any]) -> float:
        """Return the logarithm of the odds that the likeliest quarter of a rectangle's cells at least has.

        Parameters
        ----------
        corners
            In pixels of the view, shape (4, 2).
        """
        rows, columns = self.view.shape[:2]
        left, top = (int(edge) for edge in np.floor(corners.min(axis=0)))
        right, bottom = (int(edge) for edge in np.ceil(corners.max(axis=0)))
        area = Box(left, top, right - left, bottom - top).clipped(rows, columns)
        if area is None:
            return -np.inf
        odds = self.odds([area])
        inside = np.zeros(odds.shape, np.uint8)
        cv2.fillPoly(inside, [np.floor(corners / STEP).astype(np.int32)], 1)
        told = odds[(inside > 0) & np.isfinite(odds)]  # of cells beyond an edge nothing was asked
        return float(np.quantile(told, 0.75)) if told.size else -np.inf

    def letters_in(self, area: Box, *, least: float, peak: float) -> list[Box]:
        """Return boxes around the cells in an area of which letters are told, those apart by one cell joined.

        Parameters
        ----------
        least, peak
            The odds that each cell has, and that one in each box has.
        """
        inside = area.clipped(*self.view.shape[:2])
        if inside is None:
            return []
        cells = _cells_of(inside)
        boxes = _boxes_of(self.odds([inside])[cells], least, peak)
        return self._clipped(
            box.moved(STEP * cells[1].start, STEP * cells[0].start) for box in boxes
        )

    def letters_told(self, known: Sequence[Box], *, least: float, peak: float) -> list[Box]:
        """Return the same of all cells that were asked, but for those that show some of what is known."""
        odds = np.where(self._is_spilt | np.isnan(self._odds), -np.inf, self._odds)
        for box in self._clipped(known):
            odds[_cells_of(box)] = -np.inf
        return self._clipped(_boxes_of(odds, least, peak))

    def _clipped(self, boxes: Iterable[Box]) -> list[Box]:
        """Return what of boxes lies in the view."""
        inside = (box.clipped(*self.view.shape[:2]) for box in boxes)
        return [box for box in inside if box is not None]

    def may_be_letters(self, areas: Sequence[Box], busy: NDArray[Any]) -> NDArray[Any]:
        """Return the cells of `busy` that may show letters, as 0 and 1, in its shape.

        Parameters
        ----------
        areas
            Where they are.
        busy
            Cells of any size into which the view is cut evenly, as 0 and 1.
        """
        kept = self._kept(self.odds(areas), busy)
        again = self._is_spilt & (self._odds >= self._sieve.least)
        if kept.any() and again.any():
            near = cv2.resize(kept, self._odds.shape[::-1], interpolation=cv2.INTER_NEAREST)
            again &= cv2.dilate(near, np.ones((3, 3), np.uint8)) > 0
            if again.any():
                self._odds[again], self._is_spilt[again] = np.nan, False
                kept = self._kept(self.odds(_boxes_around(again, self.view.shape)), busy)
        return kept

    def _kept(self, odds: NDArray[Any], busy: NDArray[Any]) -> NDArray[Any]:
        cells = odds
        for axis in (0, 1):
            places = _places(self.view.shape[axis], busy.shape[axis], odds.shape[axis])
            cells = np.maximum.reduce([cells.take(place, axis) for place in places])
        weak = ((busy > 0) & (cells >= self._sieve.least)).astype(np.uint8)
        count, labels = cv2.connectedComponents(cv2.dilate(weak, np.ones((3, 3), np.uint8)))
        is_kept = np.zeros(count, np.uint8)
        is_kept[labels[(weak > 0) & (cells >= self._sieve.peak)]] = 1
        return np.asarray(weak & is_kept[labels])


def without_strokes(view: NDArray[Any], lines: Sequence[Box]) -> NDArray[Any]:
    """Return a copy of a view in which nothing stands out in some boxes; their ground is left."""
    copy = view.copy()
    rows, columns = view.shape[:2]
    for line in lines:
        wide = line.grown(_WIDEST_STROKE).clipped(rows, columns)
        inside = line.clipped(rows, columns)
        if inside is None or wide is None:
            continue
        part = view[wide.top : wide.bottom, wide.left : wide.right]
        ground = cv2.merge([_ground_of(channel) for channel in cv2.split(part)])
        down, along = inside.top - wide.top, inside.left - wide.left
        copy[inside.top : inside.bottom, inside.left : inside.right] = ground[
            down : down + inside.height, along : along + inside.width
        ]
    return copy


def _ground_of(channel: NDArray[Any]) -> NDArray[Any]:
    """Return what is wider than strokes.

    Of letters that lie close, the gaps would be taken for strokes, and a bar be left: that order of steps is
    right which leaves what is like the edge of the part, where no letters are.
    """
    kernel = np.ones((_WIDEST_STROKE, _WIDEST_STROKE), np.uint8)
    level = float(edge_level(channel))
    grounds = []
    for order in ((cv2.MORPH_OPEN, cv2.MORPH_CLOSE), (cv2.MORPH_CLOSE, cv2.MORPH_OPEN)):
        ground = channel
        for how in order:
            ground = cv2.morphologyEx(ground, how, kernel)
        grounds.append(ground)
    return min(grounds, key=lambda ground: float(np.abs(ground - level).mean()))


def without_bright_strokes(view: NDArray[Any]) -> NDArray[Any]:
    """Return of each pixel the darkest one within a stroke's width: bright strokes leave nothing."""
    return cv2.erode(view, np.ones((_WIDEST_STROKE, _WIDEST_STROKE), np.uint8))


def strokes_of(view: NDArray[Any]) -> NDArray[np.uint8]:
    """Return by how much each pixel stands out, bright and dark, shape (2, rows, columns)."""
    even = cv2.blur(view, (3, 3))
    return np.stack([standing_out(even, how) for how in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)])


def standing_out(view: NDArray[Any], how: int) -> NDArray[np.uint8]:
    """Return by how much each pixel stands out of what is wider than a stroke, in one of two ways.

    Parameters
    ----------
    how
        `cv2.MORPH_TOPHAT`, what is bright, or `cv2.MORPH_BLACKHAT`, what is dark.
    """
    kernel = np.ones((_WIDEST_STROKE, _WIDEST_STROKE), np.uint8)
    return np.asarray(_most(cv2.morphologyEx(view, how, kernel)))


def _most(strokes: NDArray[Any]) -> NDArray[Any]:
    """Return the highest of each pixel's colours, many times as fast as `max` along the last axis."""
    if strokes.ndim == 2:
        return strokes
    first, *others = cv2.split(strokes)
    for other in others:
        first = cv2.max(first, other)
    return np.asarray(first)


def _places(pixels: int, cells: int, answers: int) -> list[NDArray[Any]]:
    """Return which answers lie at the beginning, in the middle and at the end of each cell."""
    edges = np.arange(cells + 1) * (pixels / cells)
    ends = (edges[:-1], (edges[:-1] + edges[1:]) / 2, edges[1:] - 1)
    return [np.clip(at // STEP, 0, answers - 1).astype(np.int64) for at in ends]


def _cheaper(areas: Sequence[Box], rows: int, columns: int) -> Sequence[Box]:
    """Return areas that hold all of them, and need the fewest pixels with what matters around each.

    That is one around several that lie close, or the whole view.
    """
    around = joined_where_cheaper(area.grown(AROUND, AROUND) for area in areas)
    inside = [box.clipped(rows, columns) for box in around]
    if sum(box.area for box in inside if box is not None) >= _MOST * rows * columns:
        return [Box(0, 0, columns, rows)]
    joined = [box.grown(-AROUND, -AROUND).clipped(rows, columns) for box in around]
    return [area for area in joined if area is not None]


def _cells_of(area: Box) -> tuple[slice, slice]:
    return (
        slice(area.top // STEP, -(-area.bottom // STEP)),
        slice(area.left // STEP, -(-area.right // STEP)),
    )


def _cells_within(area: Box) -> tuple[slice, slice]:
    """Return the cells that lie wholly in an area."""
    return (
        slice(-(-area.top // STEP), area.bottom // STEP),
        slice(-(-area.left // STEP), area.right // STEP),
    )


def _boxes_of(odds: NDArray[Any], least: float, peak: float) -> list[Box]:
    """Return boxes around the cells of at least so much, those apart by one joined, of which one has a peak."""
    told = (odds >= least).astype(np.uint8)
    _, labels = cv2.connectedComponents(cv2.dilate(told, np.ones((1, 3), np.uint8)))
    labels[told == 0] = 0
    boxes = []
    for label in np.unique(labels[odds >= peak]):
        rows, columns = np.nonzero(labels == label)
        sides = columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
        boxes.append(Box(*(STEP * int(side) for side in sides)))
    return boxes


def _boxes_around(cells: NDArray[np.bool_], shape: tuple[int, ...]) -> list[Box]:
    """Return boxes around cells that touch."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(cells.view(np.uint8))
    boxes = [Box(*(STEP * side for side in sides[:4])) for sides in stats[1:].tolist()]
    return [box for box in (box.clipped(*shape[:2]) for box in boxes) if box is not None]


def _outward(low: int, high: int, length: int) -> tuple[int, int]:
    """Return what matters for pixels from `low` to `high`, beginning at a cell."""
    return max(low - AROUND, 0) // STEP * STEP, min(high + AROUND, length)
