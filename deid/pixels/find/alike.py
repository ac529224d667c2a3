"""How alike the parts of a line are, and how it returns to itself: letters differ, the parts of devices do not.

Screws, stents, chains, combs and traces are ink of one value in strokes of one width, as text is; but one
part follows the other, all of one shape and at one distance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deid.pixels.find.parts import ALIKE, GUTTER, different, parts_of, shapes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Shortest and longest way after which a line may return to itself, in heights of it.
_SHORTEST, _LONGEST = 0.2, 4.0
_MOST_PARTS = 32
_LEAST_PIXELS = 6
_BIG = 0.3  # of the line's height
_ONE_COLOUR = 24  # levels of each channel
#: Of a line's columns and the longest way, as Fourier transforms are fast at.
_SIZES = (32, 64, 96, 128, 160, 192, 240, 288, 360, 432, 512, 576)


def features_of_lines(
    lines: Sequence[NDArray[np.uint8]], inks: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Return 13 figures of each line of text, or of what claims to be one.

    Parameters
    ----------
    lines
        Straightened and grey, shape (rows, columns), all of the same rows.
    inks
        Which of their pixels are ink.
    """
    length = np.array([line.shape[1] for line in lines])
    first = np.cumsum([GUTTER, *(length + GUTTER)])
    canvas = np.zeros((len(lines[0]), first[-1]), np.uint8)
    for is_ink, begin in zip(inks, first.tolist(), strict=False):
        canvas[:, begin : begin + is_ink.shape[1]] = is_ink
    return np.column_stack(
        (
            _returns(lines),
            _crossings(canvas, first[:-1]),
            _part_features(canvas, first[:-1], length),
        )
    )


def evenness(line: NDArray[np.uint8], is_ink: NDArray[np.bool_]) -> float:
    """Return the share of the ink that has its usual colour; lettering has one, maps have many.

    Parameters
    ----------
    line
        Straightened, 8 bits, grey or in colour.
    """
    inked = line[is_ink]
    if not len(inked):
        return 0.0
    low, high = (len(inked) - 1) // 2, len(inked) // 2
    middle = np.partition(inked, (low, high), axis=0)[[low, high]].mean(axis=0)
    is_usual = (inked >= middle - _ONE_COLOUR) & (inked <= middle + _ONE_COLOUR)
    if line.ndim > 2:
        is_usual = is_usual.all(axis=1)
    return float(np.count_nonzero(is_usual) / len(inked))


def _returns(lines: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Tell how well lines fit themselves when they are moved along, and how far they were moved for that."""
    found = np.zeros((len(lines), 3))
    rows = len(lines[0])
    shortest = max(int(_SHORTEST * rows), 3)
    together: dict[int, list[int]] = {}
    for number, line in enumerate(lines):
        longest = _longest(line)
        if longest - shortest >= 4:
            needed = line.shape[1] + longest
            size = next(size for size in _SIZES if size >= needed)
            together.setdefault(size, []).append(number)
    for size, numbers in together.items():
        even = np.zeros((len(numbers), rows, size))
        for own, number in zip(even, numbers, strict=True):
            line = lines[number]
            np.subtract(line, line.mean(), out=own[:, : line.shape[1]])
        spectrum = np.fft.rfft(even, axis=2)
        power = (spectrum.real**2 + spectrum.imag**2).sum(axis=1)
        products = np.fft.irfft(power, size, axis=1)
        squares = np.cumsum((even * even).sum(axis=1), axis=1)
        for number, product, square in zip(numbers, products, squares, strict=True):
            line = lines[number]
            found[number] = _best_way(product, square, line.shape, shortest, _longest(line))
    return found


def _longest(line: NDArray[np.uint8]) -> int:
    rows, columns = line.shape
    return min(int(_LONGEST * rows), int(columns * 0.6))


def _best_way(
    products: NDArray[np.float64],
    squares: NDArray[np.float64],
    shape: tuple[int, int],
    shortest: int,
    longest: int,
) -> tuple[float, float, float]:
    """Return how well a line fits itself at best, that way in heights of it, and how badly at worst.

    Parameters
    ----------
    products
        Sum of what is multiplied when the line is moved so many columns.
    squares
        Sum of the squares up to a column.
    """
    rows, columns = shape
    squares = np.concatenate(((0.0,), squares[:columns]))
    own = slice(0, longest + 1)
    shared = np.sqrt(squares[columns - longest :][::-1] * (squares[columns] - squares[own]))
    alike = products[own] / np.maximum(shared, 1.0)
    inner = alike[shortest:-1]
    is_peak = (inner > alike[shortest - 1 : -2]) & (inner >= alike[shortest + 1 :])
    least = float(alike[shortest:].min())
    if not is_peak.any():
        return 0.0, 0.0, least
    best = int(np.where(is_peak, inner, -1).argmax()) + shortest
    return float(alike[best]), best / rows, least


def _crossings(canvas: NDArray[np.uint8], first: NDArray[np.intp]) -> NDArray[np.float64]:
    """Tell how often ink begins in the columns that have some, and how that differs between them."""
    begins = canvas[0] + (canvas[1:] > canvas[:-1]).sum(axis=0)
    columns, total, squares = (
        np.add.reduceat(values, first) for values in (begins > 0, begins, begins * begins)
    )
    mean, deviation = _moments(columns, total, squares)
    return np.column_stack((mean, deviation))


def _moments(
    count: NDArray[Any], total: NDArray[Any], squares: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation from sums, 0 of none."""
    some = np.maximum(count, 1)
    return total / some, np.sqrt(np.maximum(some * squares - total * total, 0)) / some


def _part_features(
    canvas: NDArray[np.uint8], first: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Tell how alike neighbouring parts of the ink are, how evenly they follow, how many differ."""
    lines, height = len(first), len(canvas)
    parts = parts_of(canvas)
    line = np.searchsorted(first, parts.left, side="right") - 1
    column = (parts.columns - first[line] * parts.area) / parts.area
    big = np.flatnonzero((parts.area >= _LEAST_PIXELS) & (parts.height >= _BIG * height))
    big = big[np.lexsort((big, column[big], line[big]))]  # from left to right on each line
    place = np.arange(len(big)) - np.searchsorted(line[big], line[big])
    big = big[place < _MOST_PARTS]
    own = line[big]
    shapes = shapes_of(parts, big)

    def summed(of: NDArray[np.intp], values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(of, values, lines).astype(np.float64)

    is_next = own[1:] == own[:-1]
    after = own[1:][is_next]
    alike = (shapes[1:] * shapes[:-1]).sum(axis=1)[is_next]
    gap = np.diff(column[big])[is_next]
    high = parts.height[big]
    count = np.bincount(own, minlength=lines)
    pairs = np.maximum(count - 1, 1)
    some = np.maximum(count, 1)
    mean_gap = summed(after, gap) / pairs
    gaps = np.sqrt(summed(after, (gap - mean_gap[after]) ** 2) / pairs)
    mean_height, heights = _moments(count, summed(own, high), summed(own, high * high))
    widest = np.zeros(lines)
    np.maximum.at(widest, own, parts.width[big])
    ends = np.cumsum(count)[:-1]
    kinds = np.array([different(of_line) for of_line in np.split(shapes, ends)])
    has_pairs = count > 1
    return np.column_stack(
        (
            count / np.maximum(columns / height, 1.0),
            count,
            np.where(has_pairs, summed(after, alike) / pairs, 0.0),
            np.where(has_pairs, summed(after, alike > ALIKE) / pairs, 0.0),
            np.where(has_pairs, gaps / np.maximum(mean_gap, 1.0), 1.0),
            np.where(has_pairs, kinds / some, 1.0),
            np.where(has_pairs, heights / np.maximum(mean_height, 1.0), 0.0),
            widest / columns,
        )
    )
