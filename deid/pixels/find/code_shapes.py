"""What makes bars or squares a code: widths in no order, on one grid, of two values.

A code need not be readable to tell a number to whoever tries harder. Line pairs, rulers, combs and grids are
of two values on a grid as well, but in an order: one width, widths that only grow, one pattern.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from deid.pixels.find.percentiles import percentile, percentiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CALM: Final = 0.3  # of the usual energy of edges in a code
_LEAST_LENGTH, _LEAST_HEIGHT = 40, 8  # pixels of a code across its bars, and of its bars
_ALIKE: Final = 0.9  # correlation of neighbouring rows of a code of bars, half a pixel apart
_OF_BARS: Final = 0.5  # correlation of a row with the bars: scratches and noise leave as much
_NOT_UNLIKE: Final = 0.25  # the same of nine rows in ten: of ribs and windings each row is another
_MOVED: Final = 0.9  # correlation of a row with another one, moved along it: bars that lie aslant
_APART: Final = ((0.2, 0.5), (0.5, 0.8), (0.3, 0.7))  # such rows, in shares of the bars' height
_MOST_RUNS: Final = 4  # of such rows, that are looked at
_MOST_ROWS: Final = 256  # rows that are compared; of longer bars some
_LEAST_RUNS: Final = 24  # bars and gaps of the shortest codes
_LEAST_SPAN: Final = 24  # display levels between dark and bright
_CLEARLY: Final = 0.1  # of that, on either side of the middle
_MOSTLY_CLEAR: Final = 0.75  # of the edges go so far: others are noise
_WIDEST: Final = 12.0  # the widest bar or gap, in narrow ones
_THINNEST: Final = 1.1  # values along a line across bars, two or more a pixel: grain is thinner
_NARROW: Final = 1.6  # up to so many times the narrow width
_LEAST_SHARE: Final = 0.12  # of the bars, and of the gaps, are narrow, and as many wide
_LEAST_TURNS: Final = 0.3  # of what neighbours of other width there would be without any order

_TWO_LEVELS: Final = 0.65  # the same along a line across bars, which are narrow
_MULTIPLES: Final = 0.55  # how well widths are multiples of one, of 1
_IN_ORDER: Final = 0.5  # correlation of widths with the next ones: they grow, or shrink, or stay
_RETURNS: Final = 0.75  # correlation of such a line with itself, moved along: windings, rungs
_WAYS: Final = 3.0, 6.5  # narrow widths that it is moved by: an EAN's characters have seven

_ALONG_SIDES: Final = 0.2  # of 1: how alike edges' directions are to the sides of a code of squares
_OF_EACH: Final = 0.4  # of the power of edges is across at least, and as much down
_LEAST_SIDE: Final = 16  # pixels of a code of squares
_LEAST_SQUARES: Final = 7  # on a side: of the smallest rMQR
_LEAST_OBLONGS: Final = 4  # rows of a PDF417
_LEAST_IN_ALL: Final = 100  # a Data Matrix has ten by ten
_OF_ONE_SIDE: Final = 1.1  # squares are as high as they are wide, as well as both can be measured
_LEAST_OBLONG: Final = 1.8  # and rows of a PDF417 two modules high and more
_LARGEST_SIDE: Final = 640  # larger ones are looked at on a smaller scale
_MODULES: Final = np.arange(1.5, 16.01, 0.1)  # pixels of a square's side
_FINER: Final = np.arange(-0.1, 0.1, 0.02)
_WAVES: Final = np.exp(
    2j * np.pi * np.arange(1, _LARGEST_SIDE + 1)[None, :] / _MODULES[:, None]
).astype(np.complex64)
_ON_GRID: Final = 0.6  # how well edges lie on one grid, of 1
_TWO_VALUES: Final = 0.8  # of the variance is between dark and bright
_ALL_SQUARES: Final = 0.85  # of the pixels are of the value of their square
_CHANGING: Final = 0.05  # of the squares, along three of four lines between them
_NO_ORDER: Final = 3.2  # bits of four neighbouring squares, of 4


def straightened(view: NDArray[Any], corners: NDArray[Any], scale: int = 1) -> NDArray[np.uint8]:
    """Return what of a view lies between corners (clockwise from the top left), so many times as large."""
    columns, rows = (side * scale for side in _size(corners))
    target = np.array(((0, 0), (columns, 0), (columns, rows), (0, rows)), np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    strip = cv2.warpPerspective(
        view, matrix, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(strip, np.uint8)


def _size(corners: NDArray[Any]) -> tuple[int, int]:
    """Return the columns and rows of what lies between corners, straightened."""
    along, down = (float(np.hypot(*(corners[end] - corners[0]))) for end in (1, 3))
    return max(round(along), 1), max(round(down), 1)


def busy_part(strip: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return the left, top, right and bottom of what has edges in it, without the calm around it."""
    strip = strip.astype(np.float32)
    steps = np.diff(strip, axis=0, append=strip[-1:]) ** 2
    steps += np.diff(strip, axis=1, append=strip[:, -1:]) ** 2
    limits = []
    for axis in (0, 1):
        busy = steps.mean(axis=axis)
        at = np.flatnonzero(busy > _CALM * percentile(busy, 75))
        limits.append((int(at[0]), int(at[-1]) + 1) if len(at) else (0, len(busy)))
    (left, right), (top, bottom) = limits
    return left, top, right, bottom


def bars_in(strip: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Return the left, top, right and bottom of bars in a strip, of widths that a code has.

    They lie across its rows or along them. A field may hold more than the bars: what is unlike them above
    and below is not theirs.

    Parameters
    ----------
    strip
        Twice as large as in the frame.
    """
    rows, columns = strip.shape
    upright = _upright_bars(strip)
    if upright is not None:
        return 0, upright[0], columns, upright[1]
    lying = _upright_bars(strip.T)
    return None if lying is None else (lying[0], 0, lying[1], rows)


def _upright_bars(strip: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return the first row and the end of bars across a strip's rows."""
    rows, columns = strip.shape
    if columns < 2 * _LEAST_LENGTH or rows < 2 * _LEAST_HEIGHT:
        return None
    strip = np.ascontiguousarray(strip)
    found = (_bars_of(strip, *run) for run in _alike(strip))
    return next((bars for bars in found if bars is not None), None)


def _bars_of(strip: NDArray[np.uint8], begin: int, end: int) -> tuple[int, int] | None:
    """Return the first row and the end of bars of which some rows, which show the same, are a part."""
    edge = (end - begin) // 6
    profile = np.median(strip[begin + edge : end - edge], axis=0).astype(np.float32)
    if not has_widths_of_a_code(profile):
        return None
    wide = strip.astype(np.float32)
    away = wide - wide.mean(axis=1, keepdims=True)
    away /= np.maximum(np.sqrt((away**2).sum(axis=1, keepdims=True)), 1e-6)
    usual = profile - profile.mean()
    likeness = away @ usual / float(np.sqrt((usual**2).sum()))
    own = likeness[begin:end].astype(np.float64)
    if percentile(own, 10) < _NOT_UNLIKE and not _lie_aslant(strip[begin:end]):
        return None
    of_bars = np.flatnonzero(likeness >= _OF_BARS)
    if not len(of_bars):  # noise: alike to each other, and none to what they have in common
        return begin, end
    return min(begin, int(of_bars[0])), max(end, int(of_bars[-1]) + 1)


def _lie_aslant(strip: NDArray[np.uint8]) -> bool:
    """Whether the middle of each of some rows is found again in one far from it, anywhere along it.

    Of saw teeth a row is its mirror image on the other side of their middle, but no other one.
    """
    rows, columns = strip.shape
    middle = slice(columns // 4, columns - columns // 4)
    return all(
        cv2.matchTemplate(
            strip[None, int(other * rows)],
            strip[None, int(one * rows), middle],
            cv2.TM_CCOEFF_NORMED,
        ).max()
        >= _MOVED
        for one, other in _APART
    )


def _alike(strip: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return the first row and the end of rows, one after the other, that show the same: the most first.

    What lies beside the bars, their number in figures above all, is often in one field with them; and rows
    of what lies around them are alike, too.
    """
    step = max(len(strip) // _MOST_ROWS, 1)
    some = strip[::step].astype(np.float32)
    away = some - some.mean(axis=1, keepdims=True)
    away /= np.maximum(np.sqrt((away**2).sum(axis=1, keepdims=True)), 1e-6)
    is_alike = (away[1:] * away[:-1]).sum(axis=1) >= _ALIKE
    steps = np.diff(np.concatenate(([0], is_alike.astype(np.int8), [0])))
    begins, ends = np.flatnonzero(steps > 0), np.flatnonzero(steps < 0)
    runs = [
        (begin * step, end * step + 1)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]
    high = [run for run in runs if run[1] - run[0] >= 2 * _LEAST_HEIGHT]
    return sorted(high, key=lambda run: run[0] - run[1])[:_MOST_RUNS]


def correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return how alike two rows are, -1 to 1."""
    a, b = one - one.mean(), other - other.mean()
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / power if power > 0 else 0.0


def has_widths_of_a_code(profile: NDArray[Any]) -> bool:
    """Whether a line across bars shows bars and gaps of several widths in no order.

    Parameters
    ----------
    profile
        Values along the line, two or more to a pixel.
    """
    low, high = percentiles(profile, 10, 90)
    if high - low < _LEAST_SPAN:
        return False
    is_high = profile > (low + high) / 2
    share, apart = float(is_high.mean()), float(profile[is_high].mean() - profile[~is_high].mean())
    if share * (1 - share) * apart**2 < _TWO_LEVELS * float(profile.var()):
        return False
    crossings, are_clear = _crossings(profile, (low + high) / 2, _CLEARLY * (high - low))
    if are_clear.mean() < _MOSTLY_CLEAR:
        return False
    widths = np.diff(crossings)  # the outermost runs go on beyond the code
    if len(widths) < _LEAST_RUNS:
        return False
    narrows = sorted(percentile(own, 10) for own in (widths[::2], widths[1::2]))
    narrow = sum(narrows) / 2
    if narrow < _THINNEST or narrows[1] > _NARROW * narrows[0]:
        return False
    if not _are_multiples(widths, narrow):
        return False
    for own in (widths[::2], widths[1::2]):
        own_narrow = percentile(own, 10)
        is_wide = own > _NARROW * own_narrow
        share = float(is_wide.mean())
        if not _LEAST_SHARE <= share <= 1 - _LEAST_SHARE:
            return False
        if percentile(own, 95) > _WIDEST * own_narrow:
            return False
        turns = float(np.count_nonzero(is_wide[1:] != is_wide[:-1]))
        if turns < _LEAST_TURNS * 2 * share * (1 - share) * len(own):
            return False
        if correlation(np.log(own[1:] + 0.5), np.log(own[:-1] + 0.5)) > _IN_ORDER:
            return False
    return not _returns(profile, narrow)


def _returns(profile: NDArray[Any], narrow: float) -> bool:
    """Whether a line across bars fits itself when it is moved along by less than a code's character is long.

    Windings and rungs at one distance look like widths in no order where they fall between pixels. A number
    of one figure over and over fits itself, too, farther along.
    """
    shortest, longest = (way * narrow for way in _WAYS)
    ways = range(math.ceil(shortest), min(math.floor(longest), len(profile) // 2) + 1)
    return any(correlation(profile[way:], profile[:-way]) >= _RETURNS for way in ways)


def _are_multiples(widths: NDArray[Any], narrow: float) -> bool:
    """Whether bars with their gaps are some narrow widths long, or some halves of it.

    With their gaps: printing makes all bars wider by as much as it makes gaps narrower.
    """
    both = widths[1:] + widths[:-1]
    for part in (1, 2):
        sides = narrow / part * np.arange(0.85, 1.16, 0.02)
        if np.cos(2 * np.pi * both[None, :] / sides[:, None]).mean(axis=1).max() > _MULTIPLES:
            return True
    return False


def _crossings(
    profile: NDArray[Any], level: float, clearly: float
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return where a line crosses a level, between its pixels, and which crossings are clear.

    Clear is one on both sides of which the line goes so far from the level before it crosses again. Noise
    of what has that very level crosses it, too, in widths of no order.
    """
    away = profile.astype(np.float64) - level
    at = np.flatnonzero((away[1:] > 0) != (away[:-1] > 0))
    is_far = np.maximum.reduceat(np.abs(away), np.append(0, at + 1)) >= clearly
    return at + away[at] / (away[at] - away[at + 1]), is_far[1:] & is_far[:-1]


def power_of(across: NDArray[Any], down: NDArray[Any]) -> tuple[NDArray[Any]]:
    """Return the power of gradients."""
    return (across * across + down * down,)


def directions_of(across: NDArray[Any], down: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return real and imaginary part of the fourth power of each gradient, by its own power.

    Four times an angle is the same for directions that are a quarter turn apart.
    """
    (power,) = power_of(across, down)
    power += 1.0
    even, odd = across * across - down * down, 2 * across * down
    return (even * even - odd * odd) / power, 2 * even * odd / power


def have_two_directions(strip: NDArray[np.uint8]) -> bool:
    """Whether the edges in a strip lie along its rows and its columns, about as many along each."""
    smooth = cv2.GaussianBlur(strip, (3, 3), 0).astype(np.float32)
    across, down = np.diff(smooth, axis=1)[:-1], np.diff(smooth, axis=0)[:, :-1]
    (power,) = power_of(across, down)
    whole = float(power.sum())
    if not whole:
        return False
    share = float((across * across).sum()) / whole
    return (
        float(directions_of(across, down)[0].sum()) >= _ALONG_SIDES * whole
        and _OF_EACH <= share <= 1 - _OF_EACH
    )


def are_squares_between(view: NDArray[Any], corners: NDArray[Any]) -> bool:
    """Whether squares lie between corners; what is too small or too large for them is not straightened."""
    size = _size(corners)
    if min(size) < _LEAST_SIDE or max(size) > _LARGEST_SIDE:
        return False
    return _are_squares(straightened(view, corners))


def _are_squares(strip: NDArray[np.uint8]) -> bool:
    """Whether a strip shows dark and bright squares in no order on one grid.

    Parameters
    ----------
    strip
        As large as in the frame.
    """
    _, is_bright = cv2.threshold(strip, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    strip = strip.astype(np.float32)
    share = float(is_bright.mean())
    if not 0.25 <= share <= 0.75:
        return False
    bright, dark = strip[is_bright > 0], strip[is_bright == 0]
    apart = float(bright.mean() - dark.mean())
    if apart < _LEAST_SPAN:
        return False
    if share * (1 - share) * apart**2 < _TWO_VALUES * float(strip.var()):
        return False
    grids = [_grid(is_bright, axis) for axis in (0, 1)]
    if any(grid is None for grid in grids):
        return False
    (at_rows, row_of), (at_columns, column_of) = (
        _squares(*grid, count)
        for grid, count in zip((grid for grid in grids if grid), strip.shape, strict=True)
    )
    lower, higher = sorted(grid[0] for grid in grids if grid)
    are_oblong = higher >= _OF_ONE_SIDE * lower
    if are_oblong and higher < _LEAST_OBLONG * lower:
        return False
    least = _LEAST_OBLONGS if are_oblong else _LEAST_SQUARES
    if min(len(at_rows), len(at_columns)) < least or len(at_rows) * len(at_columns) < _LEAST_IN_ALL:
        return False
    squares = is_bright[np.ix_(at_rows, at_columns)]
    if not _change_everywhere(squares):
        return False
    drawn = squares[np.ix_(row_of, column_of)]
    return _bits_of(squares) >= _NO_ORDER and float((drawn == is_bright).mean()) >= _ALL_SQUARES


def _change_everywhere(squares: NDArray[Any]) -> bool:
    """Whether squares change along most lines between them; few edges that a grid fits by chance do not."""
    changes = (
        (squares[1:] != squares[:-1]).mean(axis=1),
        (squares.T[1:] != squares.T[:-1]).mean(axis=1),
    )
    return all(percentile(along, 25) >= _CHANGING for along in changes)


def _squares(side: float, offset: float, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the middle of each square along an axis, and in which square each pixel is."""
    which = np.floor((np.arange(count) + 0.5 - offset) / side).astype(int)
    first = int(which[0])
    middles = offset + (np.arange(first, int(which[-1]) + 1) + 0.5) * side
    return middles.astype(int).clip(0, count - 1), which - first


def _grid(is_bright: NDArray[Any], axis: int) -> tuple[float, float] | None:
    """Return side and offset of the squares along an axis, None when edges lie on no grid."""
    steps = np.diff(is_bright.astype(np.int8), axis=axis) != 0
    counts = steps.sum(axis=1 - axis).astype(np.float32)
    total = float(counts.sum())
    if not total:
        return None
    phases = np.einsum("sn,n->s", _WAVES[:, : len(counts)], counts) / total
    strengths = np.abs(phases)
    good = np.flatnonzero(strengths >= max(_ON_GRID, 0.9 * float(strengths.max())))
    if not len(good):
        return None
    best = int(good[-1])  # every part of a side fits as well as the side
    while best > 0 and strengths[best - 1] > strengths[best]:
        best -= 1
    sides = _MODULES[best] + _FINER
    at = np.arange(1, len(counts) + 1)
    phases = (np.exp(2j * np.pi * at[None, :] / sides[:, None]) * counts).sum(axis=1)
    best = int(np.abs(phases).argmax())
    side = float(sides[best])
    return side, float(np.angle(phases[best]) / (2 * np.pi) * side) % side


def _bits_of(squares: NDArray[Any]) -> float:
    """Return the entropy of the patterns of two by two neighbouring squares."""
    whole = squares.astype(np.int64)
    patterns = whole[:-1, :-1] * 8 + whole[:-1, 1:] * 4 + whole[1:, :-1] * 2 + whole[1:, 1:]
    counts = np.bincount(patterns.ravel(), minlength=16) / patterns.size
    return -float((counts[counts > 0] * np.log2(counts[counts > 0])).sum())
