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

from deid.pixels.find.alike import evenness, features_of_line
from deid.pixels.find.percentiles import percentile, percentiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROWS, COLUMNS, HEIGHT = 40, 160, 21
_TOP = (ROWS - HEIGHT) // 2
_MOST_WINDOWS = 5
_WINDOW = 132  # columns of text in a window; the rest is what lies beside it
#: Connected parts of the ink that are compared with each other.
_MOST_PARTS = 24
_LONGEST_LINE = 480  # columns of a line that are compared with each other


def windows_of(view: NDArray[Any], corners: NDArray[Any]) -> list[tuple[NDArray[Any], int, int]]:
    """Return windows on a candidate, each with the columns in which the candidate begins and ends.

    Parameters
    ----------
    view
        8 bits, shape (rows, columns) or (rows, columns, 3).
    corners
        (4, 2), clockwise, as column and row.
    """
    origin, right, below, length, scale = _laid(corners)
    count = min(max(round(length / _WINDOW), 1), _MOST_WINDOWS)
    windows = []
    for number in range(count):
        middle = length * (number + 0.5) / count
        begin_at = origin + right * (middle - COLUMNS / 2) - below * _TOP
        window = _cut(view, begin_at, right, below, scale, COLUMNS)
        begin = max(round(COLUMNS / 2 - middle), 0)
        end = min(round(COLUMNS / 2 + length - middle), COLUMNS)
        windows.append((_grey(window), begin, max(end, begin + 2)))
    return windows


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


def _cut(
    view: NDArray[Any],
    origin: NDArray[Any],
    right: NDArray[Any],
    below: NDArray[Any],
    scale: float,
    columns: int,
) -> NDArray[Any]:
    matrix = np.array(((right[0], below[0], origin[0]), (right[1], below[1], origin[1])))
    cut = cv2.warpAffine(
        _fitting(view, scale),
        matrix,
        (columns, ROWS),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cut)


def _of_line(view: NDArray[Any], corners: NDArray[Any]) -> list[float]:
    """Return the features of a candidate as a whole, of its beginning when it is very long."""
    origin, right, below, length, scale = _laid(corners)
    columns = min(max(round(length), 4), _LONGEST_LINE)
    line = _cut(view, origin - below * _TOP, right, below, scale, columns)
    grey = _grey(line)
    rows = slice(_TOP - 1, _TOP + HEIGHT + 1)
    ring = np.concatenate((grey[: _TOP - 2], grey[_TOP + HEIGHT + 2 :]))
    _, is_ink = _ink(grey, rows, 0, columns, float(np.median(ring)))
    inside = is_ink[rows]
    return [*features_of_line(grey[rows], inside), evenness(line[rows], inside)]


def _fitting(view: NDArray[Any], scale: float) -> NDArray[Any]:
    # Candidates are cut out by `cut_around` first, so this blurs little; it keeps fine noise of large
    # frames from turning into false strokes.
    return cv2.blur(view, (round(0.5 / scale) * 2 - 1,) * 2) if scale < 0.34 else view


def cut_around(view: NDArray[Any], corners: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the part of a view with a candidate and its surroundings, and its corners in that part."""
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    margin = round(float(sides.min()) * COLUMNS / HEIGHT / 2) + 2
    rows, columns = view.shape[:2]
    left, top = (max(int(edge) - margin, 0) for edge in corners.min(axis=0))
    right = min(int(corners[:, 0].max()) + margin + 1, columns)
    bottom = min(int(corners[:, 1].max()) + margin + 1, rows)
    left, top = min(left, columns - 1), min(top, rows - 1)
    part = view[top : max(bottom, top + 1), left : max(right, left + 1)]
    return part, corners - np.array((left, top), corners.dtype)


def features_of(views: Sequence[NDArray[Any]], corners: NDArray[Any]) -> NDArray[np.float32]:
    """Return a row of features for each window on a candidate: display, contrast, and its sides.

    Parameters
    ----------
    views
        Display and local contrast, or the display alone, which stands for both then.
    """
    seen = [_of_view(view, corners) for view in views]
    display, contrast = seen[0], seen[-1]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    aspect = float(np.log(max(sides.max(), 1) / max(sides.min(), 1)))
    beside = (*display.sharpness, *contrast.sharpness, aspect, *display.line, *contrast.line)
    rows = [
        [*shown, *equalised, *beside]
        for shown, equalised in zip(display.windows, contrast.windows, strict=True)
    ]
    return np.asarray(rows, np.float32)


class _Seen(NamedTuple):
    """The features of a candidate in one view: of each window, at its edges, of the whole line."""

    windows: list[list[float]]
    sharpness: tuple[float, float, float]
    line: list[float]


def _of_view(view: NDArray[Any], corners: NDArray[Any]) -> _Seen:
    part, moved = cut_around(view, corners)
    if part.ndim == 3 and _is_without_colour(part):
        part = np.ascontiguousarray(part[..., 0])  # and nothing is done three times
    windows = [_of_window(*window) for window in windows_of(part, moved)]
    return _Seen(windows, _sharpness(part, moved), _of_line(part, moved))


def _is_without_colour(part: NDArray[Any]) -> bool:
    first, second, third = cv2.split(part)
    return np.array_equal(first, second) and np.array_equal(second, third)


def _grey(window: NDArray[Any]) -> NDArray[Any]:
    """Return the channel that varies most: colours of equal luminance differ in one at least."""
    if window.ndim == 2:
        return window
    _, deviations = cv2.meanStdDev(window)
    return np.ascontiguousarray(window[..., int(deviations.argmax())])


def _sharpness(part: NDArray[Any], corners: NDArray[Any]) -> tuple[float, float, float]:
    """Return how steep edges are in the frame's own pixels, and how even its ink is.

    Burned-in letters go from ground to ink within a pixel or two, and most of their ink has one value.
    """
    left, top = (max(int(edge) - 2, 0) for edge in corners.min(axis=0))
    right, bottom = (int(edge) + 4 for edge in corners.max(axis=0))
    grey = _grey(part)[top:bottom, left:right]
    mask: NDArray[Any] = np.zeros(grey.shape, np.uint8)
    cv2.fillConvexPoly(mask, (np.round(corners) - (left, top)).astype(np.int32), 1)
    inside = grey[mask > 0].astype(np.float32)
    if inside.size < 8:
        return 0.0, 0.0, 0.0
    low, high = percentiles(inside, 2, 98)
    span = max(high - low, 4.0)
    wide = grey.astype(np.float32)
    steps = np.maximum(
        np.abs(np.diff(wide, axis=0, append=wide[-1:])),
        np.abs(np.diff(wide, axis=1, append=wide[:, -1:])),
    )
    steep = percentile(steps[mask > 0], 95) / span
    counts = np.bincount(inside.astype(np.uint8), minlength=256).astype(np.float32)
    near = np.convolve(counts, np.ones(5), "same") / inside.size
    ends = near.copy()
    middle = int((low + high) / 2)
    lower, upper = float(ends[:middle].max(initial=0)), float(ends[middle:].max(initial=0))
    return steep, max(lower, upper), min(lower, upper)


def _of_window(grey: NDArray[Any], begin: int, end: int) -> list[float]:
    rows = slice(_TOP - 1, _TOP + HEIGHT + 1)
    wide = grey.astype(np.float32)
    inside, ring = (
        wide[rows, begin:end],
        np.concatenate((wide[: _TOP - 2], wide[_TOP + HEIGHT + 2 :])),
    )
    level, is_ink = _ink(grey, rows, begin, end, float(np.median(ring)))
    ink = is_ink[rows, begin:end]
    span = max(float(inside.max() - inside.min()), 4.0)
    share = float(ink.mean())
    inked, ground = inside[ink], inside[~ink]
    apart = abs(float(inked.mean()) - float(ground.mean())) if inked.size and ground.size else 0.0
    apart = max(apart, 1.0)
    spread = float(inside.std()) or 1.0
    outside_share = float(np.concatenate((is_ink[: _TOP - 2], is_ink[_TOP + HEIGHT + 2 :])).mean())
    edges = _gradients(wide)
    edges_in, edges_out = edges[rows, begin:end], np.concatenate((edges[:8], edges[32:]))
    features = [
        share,
        outside_share,
        share / (outside_share + 0.02),
        apart / 255,
        share * (1 - share) * apart**2 / spread**2,
        (float(inked.std()) if inked.size else 0.0) / apart,
        (float(ground.std()) if ground.size else 0.0) / apart,
        float(ring.std()) / apart,
        spread / (float(ring.std()) + 2),
        float(edges_in.mean()) / span,
        float(edges_in.mean()) / (float(edges_out.mean()) + 1),
        float((edges_in > 0.5 * apart).mean()),
        abs(float(np.median(ring)) - level) / 255,
    ]
    features += _profile_features(ink, wide[rows, begin:end])
    features += _direction_features(edges_in, wide[rows, begin:end])
    features += _part_features(is_ink, begin, end)
    return features


def _ink(
    grey: NDArray[Any], rows: slice, begin: int, end: int, around: float
) -> tuple[float, NDArray[np.bool_]]:
    """Return Otsu's threshold of what is inside, and the side of it on which the surroundings are not."""
    inside = np.ascontiguousarray(grey[rows, begin:end])
    level, _ = cv2.threshold(inside, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    is_ink: NDArray[np.bool_] = grey > level if around <= level else grey <= level
    return float(level), is_ink


def _gradients(wide: NDArray[Any]) -> NDArray[Any]:
    across = cv2.Sobel(wide, cv2.CV_32F, 1, 0, ksize=1)
    down = cv2.Sobel(wide, cv2.CV_32F, 0, 1, ksize=1)
    # Not `cv2.magnitude`, whose last bit depends on where in memory its operands begin.
    return np.asarray(np.sqrt(across * across + down * down))


def _profile_features(ink: NDArray[np.bool_], inside: NDArray[Any]) -> list[float]:
    """Tell how ink lies on the line: by rows, by columns, how often it begins, how it returns."""
    by_row, by_column = ink.mean(axis=1), ink.mean(axis=0)
    height = len(by_row)
    starts = (np.diff(ink.astype(np.int8), axis=1) > 0).sum(axis=1) / max(ink.shape[1] / height, 1)
    third = height // 4
    edge_rows = float(by_row[:3].mean() + by_row[-3:].mean()) / (2 * float(by_row.mean()) + 1e-3)
    columns = inside.mean(axis=0) - inside.mean()
    power = float((columns**2).sum())
    best = 0.0
    if power > 0 and len(columns) > 16:
        for lag in range(5, min(len(columns) // 2, 48)):
            best = max(best, float((columns[lag:] * columns[:-lag]).sum()) / power)
    return [
        edge_rows,
        float(by_row[third:-third].mean()),
        float(by_row.std()),
        float(by_column.std()),
        float((by_column < 0.04).mean()),
        float(starts[third:-third].mean()),
        float(starts[third:-third].std()),
        best,
    ]


def _direction_features(edges: NDArray[Any], inside: NDArray[Any]) -> list[float]:
    """Tell how evenly edges are spread over directions, and how strong two of them are."""
    across, down = np.gradient(inside, axis=1), np.gradient(inside, axis=0)
    strong = edges > max(float(edges.mean()), 1.0)
    if not strong.any():
        return [0.0, 0.0, 0.0]
    angles = np.arctan2(down[strong], across[strong]) % np.pi
    counts = np.bincount(np.minimum((angles / np.pi * 8).astype(int), 7), minlength=8) / len(angles)
    entropy = -float((counts[counts > 0] * np.log(counts[counts > 0])).sum())
    return [entropy, float(counts[3] + counts[4]), float(counts[0] + counts[7])]


def _part_features(is_ink: NDArray[np.bool_], begin: int, end: int) -> list[float]:
    """Tell of the ink's connected parts: how many, how alike, their strokes' widths, their holes."""
    mask = is_ink.astype(np.uint8)
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    parts = [
        number
        for number in range(1, count)
        if stats[number, 4] >= 6
        and begin <= centres[number, 0] < end
        and _TOP - 2 <= centres[number, 1] < _TOP + HEIGHT + 2
    ]
    length = max((end - begin) / HEIGHT, 1.0)
    if not parts:
        return [0.0] * 14
    boxes = stats[parts].astype(np.float32)
    heights, widths, areas = boxes[:, 3], boxes[:, 2], boxes[:, 4]
    inside = mask[_TOP - 1 : _TOP + HEIGHT + 1, begin:end]
    touching = (boxes[:, 1] <= 1) | (boxes[:, 1] + heights >= ROWS - 1)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)[_TOP - 1 : _TOP + HEIGHT + 1, begin:end]
    ridge = distance[
        (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)) - 0.01) & (inside > 0)
    ]
    bottoms = boxes[:, 1] + heights
    big = heights >= 0.3 * HEIGHT
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    holes = sum(entry[3] >= 0 for entry in hierarchy[0]) if contours else 0
    return [
        len(parts) / length,
        float(big.sum()) / length,
        float(heights.mean()) / HEIGHT,
        float(heights.std()) / HEIGHT,
        float(widths.mean()) / HEIGHT,
        float(widths.std()) / HEIGHT,
        float((areas / (heights * widths)).mean()),
        float(areas.max()) / max(float(areas.sum()), 1.0),
        float((areas * touching).sum()) / max(float(areas.sum()), 1.0),
        float(ridge.mean()) if ridge.size else 0.0,
        float(ridge.std() / ridge.mean()) if ridge.size else 0.0,
        float(bottoms[big].std()) / HEIGHT if big.any() else 1.0,
        holes / length,
        _distinct(
            labels, stats, [number for number, is_big in zip(parts, big, strict=True) if is_big]
        ),
    ]


def _distinct(labels: NDArray[Any], stats: NDArray[Any], parts: Sequence[int]) -> float:
    """Return how many different shapes there are among parts; rows of blobs repeat one."""
    kept: list[NDArray[Any]] = []
    for number in parts[:_MOST_PARTS]:
        left, top, width, height = stats[number, :4]
        shape = (labels[top : top + height, left : left + width] == number).astype(np.float32)
        small = cv2.resize(shape, (8, 10), interpolation=cv2.INTER_AREA).ravel()
        small = np.append(small - small.mean(), (width / height - 0.6) * 2)
        small /= max(float(np.linalg.norm(small)), 1e-6)
        if all(float(small @ other) < 0.82 for other in kept):
            kept.append(small)
    return float(len(kept))
