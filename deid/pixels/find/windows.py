"""What windows on candidates show, in 38 numbers each: ink and its ground, its lie, its directions, its parts.

Many windows are looked at together. None of their numbers depends on which others are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from deid.pixels.find.parts import GUTTER, different, parts_of, shapes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROWS, COLUMNS, HEIGHT = 40, 160, 21
TOP = (ROWS - HEIGHT) // 2
#: Rows of the text with one more above and below, and those of what is around it.
INSIDE = slice(TOP - 1, TOP + HEIGHT + 1)
ABOVE, BELOW = slice(0, TOP - 2), slice(TOP + HEIGHT + 2, ROWS)
_INSIDE_ROWS = INSIDE.stop - INSIDE.start
#: Of edges, what is around begins a row farther in.
_EDGES_ABOVE, _EDGES_BELOW = slice(0, 8), slice(32, ROWS)
_SHORTEST_LAG, _LONGEST_LAG = 5, 48
_DIRECTIONS = 8
_EIGHTH = np.float32(np.tan(np.pi / _DIRECTIONS))
_LEAST_PIXELS = 6
_BIG = 0.3  # of the text's height
#: Connected parts of the ink that are compared with each other.
_MOST_PARTS = 24


def features_of_windows(
    windows: NDArray[np.uint8], begin: NDArray[np.intp], end: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return a row of features for each window.

    Parameters
    ----------
    windows
        Grey, shape (windows, 40, 160), the text's rows in the middle.
    begin, end
        Columns in which each candidate begins and ends.
    """
    column = np.arange(COLUMNS)
    is_within = (column >= begin[:, None]) & (column < end[:, None])
    around = around_of(windows)
    levels = [
        otsu(np.ascontiguousarray(window[INSIDE, first:last]))
        for window, first, last in zip(windows, begin.tolist(), end.tolist(), strict=True)
    ]
    level = np.array(levels)
    is_ink = ink(windows, level[:, None, None], around[:, None, None])
    across, down = _differences(windows)
    edges = np.sqrt(across * across + down * down)
    inside = _Inside.of(windows, is_ink, is_within, edges)
    apart = np.maximum(np.abs(inside.ink.mean - inside.ground.mean), 1.0)
    apart[(inside.ink.number == 0) | (inside.ground.number == 0)] = 1.0
    return np.column_stack(
        (
            _ink_features(windows, is_ink, edges, inside, apart),
            np.abs(around - level) / 255,
            _profile_features(inside),
            _direction_features(windows, across, down, inside, begin, end),
            _part_features(is_ink, is_within, begin, end),
        )
    )


def around_of(windows: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the median of what is above and below the text, for each of windows of one size."""
    ring = np.concatenate((windows[:, ABOVE], windows[:, BELOW]), axis=1)
    ring = ring.reshape(len(windows), -1)
    middle = [(ring.shape[1] - 1) // 2, ring.shape[1] // 2]
    ring.partition(middle, axis=1)
    return np.asarray(ring[:, middle].mean(axis=1))


def otsu(inside: NDArray[np.uint8]) -> float:
    """Return Otsu's threshold."""
    level, _ = cv2.threshold(inside, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(level)


def ink(
    grey: NDArray[np.uint8], level: NDArray[np.float64], around: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return the side of a threshold on which the surroundings are not."""
    return (grey > level.astype(np.uint8)) ^ (around > level)


class _Moments(NamedTuple):
    """How many values there are, their mean and their standard deviation, 0 of none."""

    number: NDArray[Any]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, number: NDArray[Any], total: NDArray[Any], squares: NDArray[Any]) -> _Moments:
        """Make them of sums of whole numbers, which are exact."""
        some = np.maximum(number, 1).astype(np.float64)
        total, squares = total.astype(np.float64), squares.astype(np.float64)
        variance = (some * squares - total * total) / (some * some)
        return cls(number, total / some, np.sqrt(variance))


class _Inside(NamedTuple):
    """What is within the candidate, column by column.

    Attributes
    ----------
    is_within
        Shape (windows, 160).
    is_ink
        Shape (windows, 23, 160), no ink beside the candidate.
    edges
        How steep it is, shape (windows, 23, 160), 0 beside the candidate.
    columns
        Sum of the values of each column.
    span
        From the darkest to the brightest.
    """

    is_within: NDArray[np.bool_]
    is_ink: NDArray[np.bool_]
    edges: NDArray[np.float32]
    columns: NDArray[np.float64]
    span: NDArray[np.float64]
    all: _Moments
    ink: _Moments
    ground: _Moments

    @classmethod
    def of(
        cls,
        windows: NDArray[np.uint8],
        is_ink: NDArray[np.bool_],
        is_within: NDArray[np.bool_],
        edges: NDArray[np.float32],
    ) -> _Inside:
        """Cut the candidates out of their windows."""
        values, inked = windows[:, INSIDE], is_ink[:, INSIDE] & is_within[:, None]
        brightest = np.where(is_within, values.max(axis=1), 0).max(axis=1)
        darkest = np.where(is_within, values.min(axis=1), 255).min(axis=1)
        wide = values.astype(np.float32)
        shown = wide * inked
        number = is_within.sum(axis=1) * _INSIDE_ROWS
        number_of_ink = np.count_nonzero(inked, axis=(1, 2))
        # Of a column they are whole numbers below 2**24.
        columns = [wide.sum(axis=1), (wide * wide).sum(axis=1)]
        total, squares = ((own * is_within).sum(axis=1, dtype=np.float64) for own in columns)
        total_of_ink, squares_of_ink = (
            own.sum(axis=1).sum(axis=1, dtype=np.float64) for own in (shown, shown * wide)
        )
        return cls(
            is_within,
            inked,
            edges[:, INSIDE] * is_within[:, None],
            columns[0].astype(np.float64),
            np.maximum(brightest.astype(np.float64) - darkest, 4.0),
            _Moments.of(number, total, squares),
            _Moments.of(number_of_ink, total_of_ink, squares_of_ink),
            _Moments.of(number - number_of_ink, total - total_of_ink, squares - squares_of_ink),
        )


def _differences(windows: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how much the neighbours on both sides differ, across and down, 0 at the border."""
    wide = windows.astype(np.float32)
    across, down = np.zeros_like(wide), np.zeros_like(wide)
    np.subtract(wide[:, :, 2:], wide[:, :, :-2], out=across[:, :, 1:-1])
    np.subtract(wide[:, 2:], wide[:, :-2], out=down[:, 1:-1])
    return across, down


def _ink_features(
    windows: NDArray[np.uint8],
    is_ink: NDArray[np.bool_],
    edges: NDArray[np.float32],
    inside: _Inside,
    apart: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Tell how much ink there is, how it stands out, how even it and its ground are, how steep its edges."""
    outside = np.concatenate((windows[:, ABOVE], windows[:, BELOW]), axis=1).astype(np.float32)
    pixels = outside.shape[1] * COLUMNS
    sums = (
        entry.sum(axis=1).sum(axis=1, dtype=np.float64) for entry in (outside, outside * outside)
    )
    ring = _Moments.of(np.full(len(windows), pixels), *sums).deviation
    inked_outside = np.count_nonzero(is_ink[:, ABOVE], axis=(1, 2)) + np.count_nonzero(
        is_ink[:, BELOW], axis=(1, 2)
    )
    share, outside_share = inside.ink.number / inside.all.number, inked_outside / pixels
    spread = np.where(inside.all.deviation > 0, inside.all.deviation, 1.0)
    steep = _mean(inside.edges, inside.all.number)
    edges_outside = np.concatenate((edges[:, _EDGES_ABOVE], edges[:, _EDGES_BELOW]), axis=1)
    steep_outside = _mean(edges_outside, edges_outside.shape[1] * COLUMNS)
    is_steep = inside.edges > (0.5 * apart).astype(np.float32)[:, None, None]
    return np.column_stack(
        (
            share,
            outside_share,
            share / (outside_share + 0.02),
            apart / 255,
            share * (1 - share) * apart**2 / spread**2,
            inside.ink.deviation / apart,
            inside.ground.deviation / apart,
            ring / apart,
            spread / (ring + 2),
            steep / inside.span,
            steep / (steep_outside + 1),
            np.count_nonzero(is_steep, axis=(1, 2)) / inside.all.number,
        )
    )


def _mean(values: NDArray[np.float32], count: Any) -> NDArray[np.float64]:
    return np.asarray(values.sum(axis=1).sum(axis=1, dtype=np.float64) / count)


def _profile_features(inside: _Inside) -> NDArray[np.float64]:
    """Tell how ink lies on the line: by rows, by columns, how often it begins, how it returns."""
    length = inside.is_within.sum(axis=1)
    inked = inside.is_ink.view(np.uint8)
    by_row = inked.sum(axis=2, dtype=np.uint8) / length[:, None]
    by_column = inked.sum(axis=1, dtype=np.uint8).astype(np.intp)
    begins = np.count_nonzero(inside.is_ink[:, :, 1:] > inside.is_ink[:, :, :-1], axis=2)
    first = inside.is_within.argmax(axis=1)
    # What begins with the candidate does not count.
    begins -= inside.is_ink[np.arange(len(first)), :, first] & (first > 0)[:, None]
    starts = begins / np.maximum(length / _INSIDE_ROWS, 1)[:, None]
    third = slice(_INSIDE_ROWS // 4, -(_INSIDE_ROWS // 4))
    at_edges = by_row[:, :3].mean(axis=1) + by_row[:, -3:].mean(axis=1)
    is_empty = inside.is_within & (by_column / _INSIDE_ROWS < 0.04)
    columns = _Moments.of(length, by_column.sum(axis=1), (by_column * by_column).sum(axis=1))
    return np.column_stack(
        (
            at_edges / (2 * by_row.mean(axis=1) + 1e-3),
            by_row[:, third].mean(axis=1),
            by_row.std(axis=1),
            columns.deviation / _INSIDE_ROWS,
            np.count_nonzero(is_empty, axis=1) / length,
            starts[:, third].mean(axis=1),
            starts[:, third].std(axis=1),
            _returns(inside),
        )
    )


def _returns(inside: _Inside) -> NDArray[np.float64]:
    """Tell how well the columns' means fit themselves when they are moved along."""
    length = inside.is_within.sum(axis=1)
    means = inside.columns / _INSIDE_ROWS - inside.all.mean[:, None]
    means = np.where(inside.is_within, means, 0.0)
    spectrum = np.fft.rfft(means, 216, axis=1)  # no shorter than the columns and the longest lag
    products = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, 216, axis=1)
    lags = np.arange(_SHORTEST_LAG, _LONGEST_LAG)
    is_asked = (lags < (length // 2)[:, None]) & (length > 16)[:, None]
    best = np.where(is_asked, products[:, lags], 0.0).max(axis=1, initial=0.0)
    power = (means * means).sum(axis=1)
    return np.asarray(best / np.where(power > 0, power, np.inf))


def _direction_features(
    windows: NDArray[np.uint8],
    across: NDArray[np.float32],
    down: NDArray[np.float32],
    inside: _Inside,
    begin: NDArray[np.intp],
    end: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Tell how evenly edges are spread over directions, and how strong two of them are."""
    # At its own edges a candidate's values are compared with each other, not with those beside it.
    values = windows[:, INSIDE].astype(np.float32)
    across, down = across[:, INSIDE].copy(), down[:, INSIDE].copy()
    each = np.arange(len(windows))
    across[each, :, begin] = 2 * (values[each, :, begin + 1] - values[each, :, begin])
    across[each, :, end - 1] = 2 * (values[each, :, end - 1] - values[each, :, end - 2])
    down[:, 0] = 2 * (values[:, 1] - values[:, 0])
    down[:, -1] = 2 * (values[:, -1] - values[:, -2])
    least = np.maximum(_mean(inside.edges, inside.all.number), 1.0).astype(np.float32)
    is_strong = inside.edges > least[:, None, None]
    total = np.count_nonzero(is_strong, axis=(1, 2))
    direction = eighths(across[is_strong], down[is_strong])
    direction += np.repeat(each * _DIRECTIONS, total)
    counts = np.bincount(direction, minlength=len(windows) * _DIRECTIONS)
    shares = counts.reshape(-1, _DIRECTIONS) / np.maximum(total, 1)[:, None]
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    return np.column_stack((entropy, shares[:, 3] + shares[:, 4], shares[:, 0] + shares[:, 7]))


def eighths(across: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return in which eighth of half a turn each direction lies, from level on; 0 where there is none.

    By comparisons, as the last bit of an arctangent is not the same on all processors, and diagonals lie
    between two eighths: one to the right and down counts to the flatter, the others to the later one.

    Parameters
    ----------
    across, down
        Whole numbers.
    """
    wide, high = np.abs(across), np.abs(down)
    steps = (high > _EIGHTH * wide).astype(np.intp)
    steps += (high > wide) | ((across == down) & (across < 0))
    steps += _EIGHTH * high > wide
    is_second = (across * down < 0) | ((across == 0) & (down != 0))
    return np.where(is_second, _DIRECTIONS - 1 - steps, steps)


def _part_features(
    is_ink: NDArray[np.bool_],
    is_within: NDArray[np.bool_],
    begin: NDArray[np.intp],
    end: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Tell of the ink's connected parts: how many, how alike, their strokes' widths, their holes."""
    windows = len(is_ink)
    canvas = np.zeros((windows, GUTTER + ROWS, COLUMNS + GUTTER), np.uint8)
    canvas[:, GUTTER:, :COLUMNS] = is_ink
    parts = parts_of(canvas.reshape(-1, COLUMNS + GUTTER))
    window, top = np.divmod(parts.top, GUTTER + ROWS)
    top -= GUTTER
    column = parts.columns / parts.area
    row = parts.rows / parts.area - window * (GUTTER + ROWS) - GUTTER
    is_part = (
        (parts.area >= _LEAST_PIXELS)
        & (begin[window] <= column)
        & (column < end[window])
        & (row >= TOP - 2)
        & (row < TOP + HEIGHT + 2)
    )
    chosen = np.flatnonzero(is_part)
    heights, widths, areas = parts.height[chosen], parts.width[chosen], parts.area[chosen]
    own, bottoms = window[chosen], top[chosen] + heights
    is_touching = (top[chosen] <= 1) | (bottoms >= ROWS - 1)
    is_big = heights >= _BIG * HEIGHT

    def summed(values: Any) -> NDArray[np.float64]:
        return np.bincount(own, values, windows).astype(np.float64)

    count = np.bincount(own, minlength=windows)
    some = np.maximum(count, 1)
    high, wide = (
        _Moments.of(count, summed(sides), summed(sides * sides)) for sides in (heights, widths)
    )
    ends = _Moments.of(summed(is_big), summed(bottoms * is_big), summed(bottoms**2 * is_big))
    largest = np.zeros(windows)
    np.maximum.at(largest, own, areas)
    inked = np.maximum(summed(areas), 1.0)
    length = np.maximum((end - begin) / HEIGHT, 1.0)
    strokes = _stroke_features(is_ink, is_within)
    holes = np.bincount(window, minlength=windows) - _euler_numbers(canvas)
    features = np.column_stack(
        (
            count / length,
            summed(is_big) / length,
            high.mean / HEIGHT,
            high.deviation / HEIGHT,
            wide.mean / HEIGHT,
            wide.deviation / HEIGHT,
            summed(areas / (heights * widths)) / some,
            largest / inked,
            summed(areas * is_touching) / inked,
            strokes,
            np.where(ends.number > 0, ends.deviation / HEIGHT, 1.0),
            holes / length,
            _distinct([chosen[is_big & (own == number)] for number in range(windows)], parts),
        )
    )
    return np.where((count > 0)[:, None], features, 0.0)


def _distinct(chosen: Sequence[NDArray[np.intp]], parts: Any) -> list[int]:
    """Return how many different shapes there are among the parts of each window; rows of blobs repeat one."""
    chosen = [own[:_MOST_PARTS] for own in chosen]
    shapes = shapes_of(parts, np.concatenate(chosen))
    ends = np.cumsum([len(own) for own in chosen])[:-1]
    return [different(own) for own in np.split(shapes, ends)]


def _stroke_features(
    is_ink: NDArray[np.bool_], is_within: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return half the width of strokes, and how it varies: distances to the ground along their middles."""
    distance = np.zeros((len(is_ink), _INSIDE_ROWS + 1, COLUMNS), np.float32)
    for mask, own in zip(is_ink.view(np.uint8), distance, strict=True):
        own[:-1] = cv2.distanceTransform(mask, cv2.DIST_L2, 3)[INSIDE]
    distance *= is_within[:, None]
    flat = distance.reshape(-1, COLUMNS)
    highest = cv2.dilate(flat, np.ones((3, 3), np.uint8)).reshape(distance.shape)
    is_ridge = (distance >= highest - 0.01) & (distance > 0)
    ends = np.cumsum(np.count_nonzero(is_ridge, axis=(1, 2)))[:-1]
    figures = [_mean_and_variation(own) for own in np.split(distance[is_ridge], ends)]
    return np.array(figures)


def _mean_and_variation(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the mean and the standard deviation as a share of it, 0 of nothing."""
    if not len(values):
        return 0.0, 0.0
    mean = np.add.reduce(values) / np.float32(len(values))
    away = values - mean
    variance = np.add.reduce(away * away) / np.float32(len(values))
    return float(mean), float(np.sqrt(variance) / mean)


def _euler_numbers(canvas: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return how many parts each picture's ink has, less its holes, which touch the ground by sides.

    Counted by quadruples of pixels (Gray 1971): those with one of ink, with three, with two across.

    Parameters
    ----------
    canvas
        Shape (pictures, rows, columns), 1 is ink; the first rows and the last columns have none.
    """
    around = np.pad(canvas, ((0, 0), (0, 1), (1, 0)))
    above, below = around[:, :-1], around[:, 1:]
    first, second, third, fourth = above[..., :-1], above[..., 1:], below[..., :-1], below[..., 1:]
    total = first + second + third + fourth
    is_diagonal = (total == 2) & (first == fourth)
    ones, threes, diagonals = (
        np.count_nonzero(which, axis=(1, 2)) for which in (total == 1, total == 3, is_diagonal)
    )
    return np.asarray((ones - threes - 2 * diagonals) // 4)
