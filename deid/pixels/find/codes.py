"""Bar codes and two-dimensional codes: record numbers that machines read and people do not.

A code that can be decoded is one. What has the shape of one counts, too (`deid.pixels.find.code_shapes`): a
label cut close, a damaged one, an unknown symbology.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from deid.pixels.find.candidates import candidate, corners_of, outline_of, rectangle_of
from deid.pixels.find.code_places import CELL, places_of_codes
from deid.pixels.find.code_reader import read_in, with_guards
from deid.pixels.find.code_shapes import (
    are_squares_between,
    bars_in,
    busy_part,
    directions_of,
    power_of,
    straightened,
)
from deid.pixels.geometry import Box, joined_where_cheaper
from deid.pixels.ports import TextRegion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import Picture, TextDetector

    Measure = Callable[[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], ...]]

#: How far a code is widened, in parts of its shorter side: its quiet zone, and modules at its edge.
_WIDER: Final = 0.06

_LARGE: Final = 1600  # pixels of the longer side
_COARSEST: Final = 4  # scale at which shapes are sought; twice as coarse in a large view
_LEAST_SIDE: Final = 64  # pixels of a view that is made smaller for codes of wider modules
_AROUND: Final = 15  # pixels over which directions are averaged
_STEP: Final = 3  # pixels from one average to the next
_BAND: Final = 16 * _STEP  # rows at a time: what they take stays in the processor's cache
_TWO_DIRECTIONS: Final = 0.6  # of 1: how alike edges' directions are, those across the same
_LEAST_ENERGY: Final = 400.0  # mean square of a gradient, in display levels
_MUCH_ENERGY: Final = (2000.0, 6000.0)  # what lies around a code is often busy, too
_LEAST_LENGTH, _LEAST_HEIGHT = 16, 8  # pixels
_LARGEST_WITHIN: Final = 88  # pixels of a box in which a code of squares is sought
_WHOLE_LINE: Final = 0.9  # of a line along a side of such a code


class WithCodes:
    """A text detector that finds codes, too, whatever finds its text."""

    def __init__(self, detector: TextDetector) -> None:
        self._detector = detector

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        """Return the text regions and the codes of each picture."""
        found = self._detector.find(pictures, needs_reading=needs_reading)
        return [
            [*regions, *codes(picture)] for regions, picture in zip(found, pictures, strict=True)
        ]


def may_show_codes(display: NDArray[Any]) -> list[Box]:
    """Return boxes around whatever may be a code, or a piece of one; most frames have none.

    Parameters
    ----------
    display
        8 bits, shape (rows, columns, 3).
    """
    grey = cv2.cvtColor(display, cv2.COLOR_RGB2GRAY)
    return [
        Box(*(scale * side for side in place))
        for scale, smaller in _scales(grey)
        for place in places_of_codes(smaller)
    ]


def codes(picture: Picture) -> list[TextRegion]:
    """Return the codes in a picture; one that both views show, or two scales, is returned as often."""
    grey = cv2.cvtColor(picture.display, cv2.COLOR_RGB2GRAY)
    found = [*_codes(grey, by_shape=True)]
    if picture.contrast is not None:
        found += _codes(picture.contrast, by_shape=False)
    return [_region(corners) for corners in found]


def _codes(view: NDArray[Any], *, by_shape: bool) -> Iterator[NDArray[Any]]:
    """Yield the corners of the codes in a view, at every scale, where one may be at all."""
    coarsest = _COARSEST if by_shape else 0
    if max(view.shape) >= _LARGE:
        coarsest *= 2
    places: list[Box] = []
    for scale, smaller in _scales(view):
        rows, columns = smaller.shape
        # What was narrow at the scale before may be so still.
        before = (box.clipped(rows, columns) for box in map(_half, places))
        places = places_of_codes(smaller)
        for place in joined_where_cheaper([*places, *(box for box in before if box is not None)]):
            for corners in read_in(smaller, place):
                yield corners * scale
            if scale <= coarsest:
                for corners in _whole_fields(smaller, place):
                    yield corners * scale


def _whole_fields(view: NDArray[Any], place: Box) -> list[NDArray[Any]]:
    """Return the corners of what has the shape of a code; one at the place's edge may go on beyond it."""
    found = [*fields(view, place)]
    inner = place.grown(-CELL)
    wide = place
    for corners in found:
        left, top = (int(side) for side in corners.min(axis=0))
        right, bottom = (int(side) for side in corners.max(axis=0))
        if not inner.contains(Box(left, top, right - left, bottom - top)):
            length = max(right - left, bottom - top)
            wide = wide.joined(Box(left, top, right - left, bottom - top).grown(length))
    more = wide.clipped(*view.shape)
    if more is not None and not place.contains(more):
        found += fields(view, more)
    return found


def _half(box: Box) -> Box:
    left, top = box.left // 2, box.top // 2
    return Box(left, top, -(-box.right // 2) - left, -(-box.bottom // 2) - top)


def _scales(view: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield a view, and each half as large as the one before while a code has room in it."""
    scale = 1
    yield scale, view
    while min(view.shape) >= _LEAST_SIDE:
        rows, columns = (side // 2 for side in view.shape)
        whole = view[: 2 * rows, : 2 * columns]
        view = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
        scale *= 2
        yield scale, view


def _region(corners: NDArray[Any]) -> TextRegion:
    (middle, size, angle) = cv2.minAreaRect(corners.astype(np.float32))
    wider = tuple(side + 2 * _WIDER * min(size) + 2 for side in size)
    found = candidate(rectangle_of((middle, wider, angle)), 1.0, 0)
    return TextRegion(found.area, 1.0, outline=outline_of(found), is_code=True)


def fields(view: NDArray[Any], place: Box) -> Iterator[NDArray[Any]]:
    """Yield the corners of what has the shape of a code.

    Parameters
    ----------
    view
        Shape (rows, columns), 8 bits.
    place
        The part of it in which codes are sought.
    """
    left, top = place.left - place.left % _STEP, place.top - place.top % _STEP
    corner = np.array((left, top), np.float32)
    seen: set[bytes] = set()
    asked: set[Box] = set()
    for found in _rectangles(view[top : place.bottom, left : place.right]):
        where = np.round(found).astype(np.int32).tobytes()
        if where in seen:
            continue
        seen.add(where)
        corners = _tight(view, found + corner)
        bars = bars_in(straightened(view, corners, 2))
        if bars is not None:
            yield with_guards(view, _tight(view, _part(corners, *(edge / 2 for edge in bars))))
        elif are_squares_between(view, corners):
            yield with_guards(view, corners)
        else:
            around = _around(corners).clipped(*view.shape)
            if around is not None and around not in asked:
                asked.add(around)
                yield from _within(view, around)


def _around(corners: NDArray[Any]) -> Box:
    """Return an upright box around corners, and a little of what is around it."""
    first, last = corners.min(axis=0).astype(int), corners.max(axis=0).astype(int)
    return Box(*first.tolist(), *(last - first).tolist()).grown(_AROUND // 2)


def _within(view: NDArray[Any], around: Box) -> Iterator[NDArray[Any]]:
    """Yield the corners of upright Data Matrix codes in a small box.

    A line of one value runs along two of its sides (ISO/IEC 16022, finder pattern): what hangs together with it
    is as wide and as high as the code.
    """
    if max(around.width, around.height) > _LARGEST_WITHIN:
        return
    part = view[around.top : around.bottom, around.left : around.right]
    _, is_bright = cv2.threshold(part, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    for values in (is_bright, 1 - is_bright):
        _, _, stats, _ = cv2.connectedComponentsWithStats(values, connectivity=4)
        for left, top, width, height, _ in stats[1:].tolist():
            box = Box(left, top, width, height)
            own = values[top : box.bottom, left : box.right]
            if min(width, height) < _LEAST_LENGTH or not _has_lines_along(own):
                continue
            corners = corners_of(box.moved(around.left, around.top))
            if are_squares_between(view, corners):
                yield corners


def _has_lines_along(values: NDArray[Any]) -> bool:
    """Whether two sides of a mask (0 and 1) that meet are of the one value."""
    sides = ((values[0], values[-1]), (values[:, 0], values[:, -1]))
    return all(max(float(side.mean()) for side in pair) >= _WHOLE_LINE for pair in sides)


def _rectangles(view: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the corners of fields full of edges, and of those whose edges have one direction.

    Or two across each other; a field of one direction is turned by it, any other as it lies.
    """
    (energy,) = _averages(view, power_of)
    is_busy = energy > _LEAST_ENERGY
    if not is_busy.any():
        return
    for much in _MUCH_ENERGY:
        for points, _ in _fields(energy > much):
            yield rectangle_of(cv2.minAreaRect(points))
    real, imaginary = _averages(view, directions_of)
    is_of_two = np.hypot(real, imaginary) > _TWO_DIRECTIONS * energy
    for least in (_LEAST_ENERGY, *_MUCH_ENERGY):
        for points, mine in _fields(is_of_two & (energy > least)):
            angle = np.arctan2(imaginary[mine].sum(), real[mine].sum()) / 4
            yield _along(points, float(angle))


def _averages(view: NDArray[Any], measure: Measure) -> Iterator[NDArray[Any]]:
    """Yield the mean, around every third pixel of every third row, of each thing that is measured of gradients.

    Some rows at a time: of a large frame each of a dozen steps would take four times its memory.
    """
    rows = view.shape[0]
    tops = range(0, rows - _STEP, _BAND)  # the last band is never less than a step high
    bands = []
    for top, bottom in zip(tops, (*tops[1:], rows), strict=True):
        wide = view[top : bottom + 1].astype(np.float32)
        own = wide[: bottom - top]
        across: NDArray[Any] = np.zeros_like(own)
        down: NDArray[Any] = np.zeros_like(own)
        across[:, :-1] = own[:, 1:] - own[:, :-1]
        down[: len(wide) - 1] = wide[1:] - wide[:-1]
        bands.append([_few(figures) for figures in measure(across, down)])
    around = (_AROUND // _STEP, _AROUND // _STEP)
    for parts in zip(*bands, strict=True):
        yield cv2.blur(np.concatenate(parts), around)


def _few(figures: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of every three rows and columns; what is missing at the ends is as what is before it."""
    rows, columns = (-(-side // _STEP) for side in figures.shape)
    padded = cv2.copyMakeBorder(
        figures,
        0,
        rows * _STEP - figures.shape[0],
        0,
        columns * _STEP - figures.shape[1],
        cv2.BORDER_REFLECT_101,
    )
    return cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)


def _fields(is_field: NDArray[np.bool_]) -> Iterator[tuple[NDArray[Any], Any]]:
    """Yield the pixels of each connected part of a mask, as (column, row), and as an index.

    Of the mask's pixels each is so many of the frame's; their outermost are among those yielded.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(is_field.astype(np.uint8))
    for number in range(1, count):
        left, top, width, height, area = (int(figure) for figure in stats[number])
        if _STEP**2 * area < _LEAST_LENGTH * _LEAST_HEIGHT:
            continue
        if _STEP * max(width, height) < _LEAST_LENGTH:
            continue
        rows, columns = np.nonzero(labels[top : top + height, left : left + width] == number)
        rows, columns = rows + top, columns + left
        first = np.stack((columns, rows), axis=1).astype(np.float32) * _STEP
        yield np.concatenate((first, first + _STEP - 1)), (rows, columns)


def _tight(view: NDArray[Any], corners: NDArray[Any]) -> NDArray[Any]:
    """Return the corners of the busy part of what lies between corners: fields reach beyond it."""
    return _part(corners, *busy_part(straightened(view, corners)))


def _part(
    corners: NDArray[Any], left: float, top: float, right: float, bottom: float
) -> NDArray[Any]:
    """Return the corners of a part of what lies between corners, in its pixels when straightened."""
    along, below = corners[1] - corners[0], corners[3] - corners[0]
    along = along / max(round(float(np.hypot(*along))), 1)
    below = below / max(round(float(np.hypot(*below))), 1)
    edges = ((left, top), (right, top), (right, bottom), (left, bottom))
    return np.array([corners[0] + x * along + y * below for x, y in edges], np.float32)


def _along(points: NDArray[Any], angle: float) -> NDArray[Any]:
    """Return the corners of the rectangle around points whose first side has that angle (radians)."""
    right = np.array((np.cos(angle), np.sin(angle)), np.float32)
    below = np.array((-right[1], right[0]), np.float32)
    x, y = points @ right, points @ below
    edges = ((x.min(), y.min()), (x.max(), y.min()), (x.max(), y.max()), (x.min(), y.max()))
    return np.array([a * right + b * below for a, b in edges], np.float32)
