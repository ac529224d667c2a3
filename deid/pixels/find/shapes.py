"""What a region looks like, in numbers that do not depend on script, size or reading.

A candidate is straightened, its long side horizontal, and scaled until it is 21 pixels high; around it
remains as much as makes 40 rows. Long ones are seen through up to five windows of 160 columns. Text is
ink of one colour with edges as sharp as the frame allows, in strokes of one width, in many different
shapes of similar height on one line, unlike what is around it. Anatomy, noise, grids and devices are
some of that, seldom all of it. Size is left out: it tells more of the frame than of the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from deid.pixels.find.alike import evenness, features_of_lines
from deid.pixels.find.sharpness import sharpness_of
from deid.pixels.find.windows import (
    COLUMNS,
    HEIGHT,
    INSIDE,
    ROWS,
    TOP,
    around_of,
    features_of_windows,
    ink,
    otsu,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_MOST_WINDOWS = 5
_WINDOW = 132  # columns of text in a window; the rest is what lies beside it
_LONGEST_LINE = 480  # columns of a line that are compared with each other
#: Windows that are looked at together: what they need at once fits a processor's cache.
_AT_ONCE = 40


class _Straight(NamedTuple):
    """How a candidate is straightened.

    Attributes
    ----------
    scale
        From the pixels of the frame.
    windows
        For each the matrix that leads from its pixels to the frame's, and where the candidate begins and ends.
    line
        The matrix of the line as a whole, of its beginning when it is very long, and its columns.
    """

    scale: float
    windows: list[tuple[NDArray[Any], int, int]]
    line: tuple[NDArray[Any], int]


class _View(NamedTuple):
    """A candidate in one view: windows, the line as a whole, the frame's own pixels and which are inside."""

    windows: list[NDArray[Any]]
    line: NDArray[Any]
    pixels: tuple[NDArray[Any], NDArray[Any]]


class _Seen(NamedTuple):
    """A candidate in all views: how it was straightened, and the logarithm of length over height."""

    straight: _Straight
    views: list[_View]
    aspect: float


def features_of(
    views: Sequence[NDArray[Any]], candidates: Sequence[NDArray[Any]]
) -> list[NDArray[np.float32]]:
    """Return of each candidate a row of features for each window on it: display, contrast, and its sides.

    Parameters
    ----------
    views
        Display and local contrast, or the display alone, which stands for both then. 8 bits, shape
        (rows, columns) or (rows, columns, 3).
    candidates
        Corners (4, 2), clockwise, as column and row.
    """
    views = _without_colour_at_once(views, candidates)
    found: list[NDArray[np.float32]] = []
    waiting: list[_Seen] = []
    windows = 0
    for corners in candidates:
        waiting.append(_seen(views, corners))
        windows += len(waiting[-1].straight.windows) * len(views)
        if windows >= _AT_ONCE:
            found += _features(waiting)
            waiting, windows = [], 0
    return [*found, *_features(waiting)] if waiting else found


def _features(candidates: Sequence[_Seen]) -> Iterator[NDArray[np.float32]]:
    """Yield the features of candidates that are looked at together."""
    views = [view for seen in candidates for view in seen.views]
    places = [seen.straight.windows for seen in candidates for _ in seen.views]
    begin, end = np.array([place for own in places for _, *place in own]).T
    windows = np.array([window for view in views for window in view.windows])
    of_windows = iter(features_of_windows(windows, begin, end))
    of_lines = iter(_features_of_lines([view.line for view in views]))
    sharpness = iter(sharpness_of([view.pixels for view in views]))
    for seen in candidates:
        rows = [[next(of_windows) for _ in seen.straight.windows] for _ in seen.views]
        lines = [next(of_lines) for _ in seen.views]
        sharp = [next(sharpness) for _ in seen.views]
        beside = sharp[0], sharp[-1], [seen.aspect], lines[0], lines[-1]
        both = zip(rows[0], rows[-1], strict=True)
        yield np.array([np.concatenate((*pair, *beside)) for pair in both], np.float32)


def _features_of_lines(lines: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    greys = [_grey(line) for line in lines]
    inside = [np.ascontiguousarray(grey[INSIDE]) for grey in greys]
    inks = []
    for grey, own in zip(greys, inside, strict=True):
        around = around_of(grey[None])
        inks.append(ink(own, np.array(otsu(own)), around))
    even = [evenness(line[INSIDE], is_ink) for line, is_ink in zip(lines, inks, strict=True)]
    return np.column_stack((features_of_lines(inside, inks), even))


def _without_colour_at_once(
    views: Sequence[NDArray[Any]], candidates: Sequence[NDArray[Any]]
) -> list[NDArray[Any]]:
    """Return views of one channel where they have no colour and candidates take up as much as they do."""
    rows, columns = views[0].shape[:2]
    parts = (_around(corners, _sides(corners), rows, columns) for corners in candidates)
    pixels = sum((down.stop - down.start) * (along.stop - along.start) for down, along in parts)
    if pixels < rows * columns:
        return list(views)
    return [_without_colour(view) for view in views]


def _seen(views: Sequence[NDArray[Any]], corners: NDArray[Any]) -> _Seen:
    sides = _sides(corners)
    around = _around(corners, sides, *views[0].shape[:2])
    moved = corners - np.array((around[1].start, around[0].start), corners.dtype)
    straight = _straightened(moved)
    area, is_inside = _outlined(moved, around)
    seen = []
    for view in views:
        part = _without_colour(view[around])  # and nothing is done three times
        fitting = _fitting(part, straight.scale)
        windows = [_grey(_cut(fitting, matrix, COLUMNS)) for matrix, _, _ in straight.windows]
        line = _cut(fitting, *straight.line)
        seen.append(_View(windows, line, (_grey(part)[area], is_inside)))
    aspect = np.log(max(sides.max(), 1) / max(sides.min(), 1))
    return _Seen(straight, seen, float(aspect))


def _sides(corners: NDArray[Any]) -> NDArray[Any]:
    along = corners - corners[[3, 0, 1, 2]]
    return np.asarray(np.sqrt((along * along).sum(axis=1)))


def _around(
    corners: NDArray[Any], sides: NDArray[Any], rows: int, columns: int
) -> tuple[slice, slice]:
    """Return the rows and columns with a candidate and its surroundings."""
    margin = round(float(sides.min()) * COLUMNS / HEIGHT / 2) + 2
    left, top = (int(edge) - margin for edge in corners.min(axis=0).tolist())
    right, bottom = (int(edge) + margin + 1 for edge in corners.max(axis=0).tolist())
    left, top = min(max(left, 0), columns - 1), min(max(top, 0), rows - 1)
    right, bottom = max(min(right, columns), left + 1), max(min(bottom, rows), top + 1)
    return slice(top, bottom), slice(left, right)


def _straightened(corners: NDArray[Any]) -> _Straight:
    """Return windows of 160 columns along a candidate, and its line."""
    origin, right, below, length, scale = _laid(corners)
    count = min(max(round(length / _WINDOW), 1), _MOST_WINDOWS)
    windows = []
    for number in range(count):
        middle = length * (number + 0.5) / count
        begin_at = origin + right * (middle - COLUMNS / 2) - below * TOP
        begin = max(round(COLUMNS / 2 - middle), 0)
        end = min(round(COLUMNS / 2 + length - middle), COLUMNS)
        windows.append((_matrix(begin_at, right, below), begin, max(end, begin + 2)))
    columns = min(max(round(length), 4), _LONGEST_LINE)
    return _Straight(scale, windows, (_matrix(origin - below * TOP, right, below), columns))


def _laid(
    corners: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], float, float]:
    """Return how a candidate is straightened: its first corner, the steps of a pixel, length and scale."""
    first, second, _, last = corners.astype(np.float64)
    along, down = second - first, last - first
    if np.hypot(*along) < np.hypot(*down):
        first, along, down = last, first - last, second - first
    width, height = max(float(np.hypot(*along)), 1.0), max(float(np.hypot(*down)), 1.0)
    scale = HEIGHT / height
    return first, along / width / scale, down / height / scale, width * scale, scale


def _matrix(origin: NDArray[Any], right: NDArray[Any], below: NDArray[Any]) -> NDArray[Any]:
    return np.array(((right[0], below[0], origin[0]), (right[1], below[1], origin[1])))


def _cut(view: NDArray[Any], matrix: NDArray[Any], columns: int) -> NDArray[Any]:
    cut = cv2.warpAffine(
        view,
        matrix,
        (columns, ROWS),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cut)


def _fitting(view: NDArray[Any], scale: float) -> NDArray[Any]:
    # Candidates are cut out with what is around them first, so this blurs little; it keeps fine noise of
    # large frames from turning into false strokes.
    return cv2.blur(view, (round(0.5 / scale) * 2 - 1,) * 2) if scale < 0.34 else view


def _outlined(
    corners: NDArray[Any], around: tuple[slice, slice]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return the upright box of a candidate in what is around it, and which of its pixels are inside."""
    rows, columns = (side.stop - side.start for side in around)
    left, top = (max(int(edge) - 2, 0) for edge in corners.min(axis=0).tolist())
    right, bottom = (int(edge) + 4 for edge in corners.max(axis=0).tolist())
    mask = np.zeros((max(min(bottom, rows) - top, 0), max(min(right, columns) - left, 0)), np.uint8)
    cv2.fillConvexPoly(mask, (np.round(corners) - (left, top)).astype(np.int32), 1)
    return (slice(top, bottom), slice(left, right)), mask.view(np.bool_)


def _without_colour(view: NDArray[Any]) -> NDArray[Any]:
    """Return one channel where all three are the same."""
    if view.ndim == 2:
        return view
    grey = cv2.extractChannel(view, 0)
    is_grey = cv2.norm(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), view, cv2.NORM_INF) == 0
    return grey if is_grey else view


def _grey(window: NDArray[Any]) -> NDArray[Any]:
    """Return the channel that varies most: colours of equal luminance differ in one at least."""
    if window.ndim == 2:
        return window
    _, deviations = cv2.meanStdDev(window)
    return np.ascontiguousarray(window[..., int(deviations.argmax())])
