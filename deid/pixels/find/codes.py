"""Bar codes and two-dimensional codes: record numbers that machines read and people do not.

A code that can be decoded is one. What has the shape of one counts, too (`deid.pixels.find.code_shapes`): a
label cut close, a damaged one, an unknown symbology.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import zxingcpp

from deid.pixels.find.candidates import candidate, corners_of, outline_of, rectangle_of
from deid.pixels.find.code_places import CELL, places_of_codes
from deid.pixels.find.code_shapes import (
    are_squares_between,
    bars_in,
    busy_part,
    correlation,
    straightened,
)
from deid.pixels.find.percentiles import percentile
from deid.pixels.geometry import Box, joined_where_cheaper
from deid.pixels.ports import TextRegion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import Picture, TextDetector

    Measure = Callable[[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], ...]]

#: Symbologies whose finder patterns are believed although the code has errors. Data Matrix and PDF417 are
#: not among them: their patterns are an edge or two, which anatomy has.
_FOUND_WITH_ERRORS: Final = (
    zxingcpp.BarcodeFormat.QRCode,
    zxingcpp.BarcodeFormat.MicroQRCode,
    zxingcpp.BarcodeFormat.RMQRCode,
    zxingcpp.BarcodeFormat.Aztec,
    zxingcpp.BarcodeFormat.MaxiCode,
)
_PDF417: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.PDF417)
_SQUARES: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.AllMatrix)
_BARS: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.AllLinear)
#: How far a code is widened, in parts of its shorter side: its quiet zone, and modules at its edge.
_WIDER: Final = 0.06

_BESIDE: Final = 64  # pixels of a row beside a place that are read with it
_READER: Final = 8  # pixels of the squares by which the reader tells dark from bright
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
_LONG_BARS: Final = 40  # pixels from which a code of bars is followed along them
_ALIKE: Final = 0.8  # correlation of its rows
_GUARD: Final = 20  # narrow bars: no pattern that begins or ends a code is longer
_WIDEST_BAR: Final = 9  # of such a pattern, in narrow bars
_EVEN: Final = 0.85  # of a column beside a code has one value where a bar or a gap is


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
            for corners in _decoded(smaller, place):
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


def _decoded(view: NDArray[Any], place: Box) -> Iterator[NDArray[Any]]:
    """Yield the corners of what can be read in a place, and of what only a code can be."""
    area, part = _squares_of(view, place)
    yield from _believed(view, area, _read(part, formats=_SQUARES, return_errors=True))
    # Bright on dark the reader knows every symbology but this one.
    yield from _believed(view, area, _read(255 - part, formats=_PDF417))
    # Bars it reads along the rows, each of which tells dark from bright by all that lies in it.
    area, part = _squares_of(view, place.grown(_BESIDE, 0))
    yield from _believed(view, area, _read(part, formats=_BARS, try_rotate=False))
    turned = Box(place.top, place.left, place.height, place.width)
    area, part = _squares_of(view.T, turned.grown(_BESIDE, 0))
    for corners in _believed(view.T, area, _read(part, formats=_BARS, try_rotate=False)):
        yield corners[:, ::-1]


def _read(part: NDArray[Any], **how: Any) -> list[zxingcpp.Barcode]:
    return list(zxingcpp.read_barcodes(part, try_downscale=False, **how))


def _squares_of(view: NDArray[Any], place: Box) -> tuple[Box, NDArray[Any]]:
    """Return a place widened to whole squares of the reader, and what a view shows there."""
    left, top = (max(side, 0) // _READER * _READER for side in (place.left, place.top))
    right, bottom = (-(-end // _READER) * _READER for end in (place.right, place.bottom))
    part = np.ascontiguousarray(view[top:bottom, left:right])
    return Box(left, top, part.shape[1], part.shape[0]), part


def _believed(
    view: NDArray[Any], area: Box, read: list[zxingcpp.Barcode]
) -> Iterator[NDArray[Any]]:
    """Yield the corners of the codes that were read in an area of a view, or are known without."""
    for code in read:
        if not code.valid and code.format not in _FOUND_WITH_ERRORS:
            continue
        at = code.position
        corners = np.array(
            [
                (area.left + point.x, area.top + point.y)
                for point in (at.top_left, at.top_right, at.bottom_right, at.bottom_left)
            ],
            np.float32,
        )
        if code.format == zxingcpp.BarcodeFormat.PDF417:
            yield _with_guards(view, corners)
        else:
            yield _whole_bars(view, corners)


def _whole_bars(view: NDArray[Any], corners: NDArray[Any]) -> NDArray[Any]:
    """Return corners over the whole length of a code's bars: a reader is content with some rows.

    For codes of bars; in others the rows beside the code are unlike those in it.
    """
    left, right = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2
    across = right - left
    length = float(np.hypot(*across))
    if length < _LONG_BARS:
        return corners
    down = np.array((-across[1], across[0])) / length
    own = _row(view, left, right)
    ends = []
    for sign in (-1, 1):
        step, misses, last = 0, 0, 0
        while misses < 3 and step < 2 * max(view.shape):
            step += 1
            moved = _row(view, left + sign * step * down, right + sign * step * down)
            is_alike = moved is not None and own is not None and correlation(own, moved) > _ALIKE
            misses, last = (0, step) if is_alike else (misses + 1, last)
        ends.append(last)
    grown = [left - ends[0] * down, right - ends[0] * down, right + ends[1] * down]
    grown.append(left + ends[1] * down)
    return np.concatenate((corners, np.array(grown))).astype(np.float32)


def _with_guards(view: NDArray[Any], corners: NDArray[Any]) -> NDArray[Any]:
    """Return the corners of a code with the bars that begin and end it.

    A reader does without those of a PDF417, and they are no squares as the rest of it is.
    """
    for _ in range(2):  # along its rows, then along its columns
        corners = np.roll(corners, 1, axis=0)
        strip = straightened(view, corners)
        level, is_bright = cv2.threshold(strip, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        narrow = _narrow(is_bright)
        if not narrow:
            continue
        columns = strip.shape[1]
        step = (corners[[1, 2]] - corners[[0, 3]]) / columns
        around = round(_GUARD * narrow)
        wide = corners.astype(np.float32)
        wide[[0, 3]] -= around * step
        wide[[1, 2]] += around * step
        beside = (straightened(view, wide) > level).mean(axis=0)
        before, after = beside[: around + 1][::-1], beside[-around - 1 :]
        corners = corners.astype(np.float32)
        corners[[0, 3]] -= _bars_end(before, narrow) * step
        corners[[1, 2]] += _bars_end(after, narrow) * step
    return corners


def _narrow(is_bright: NDArray[Any]) -> float:
    """Return the usual width of the narrowest runs along the rows, 0 where there are too few."""
    steps = np.diff(is_bright.astype(np.int8), axis=1) != 0
    widths = [np.diff(np.flatnonzero(row)) for row in steps]
    runs = np.concatenate(widths) if widths else np.empty(0)
    return percentile(runs, 15) if len(runs) >= _LEAST_LENGTH else 0.0


def _bars_end(shares: NDArray[Any], narrow: float) -> int:
    """Return after how many columns outward the last bar ends; a share is a column's that is bright."""
    end, last, uneven = 0, None, 0
    for number, share in enumerate(shares):
        if 1 - _EVEN < share < _EVEN:
            uneven += 1  # the edge of a bar, or what is not quite straight
            if uneven > narrow:
                break
            continue
        uneven = 0
        is_bright = bool(share >= _EVEN)
        if last is not None and is_bright != last:
            end = number
        last = is_bright
        if number - end > _WIDEST_BAR * narrow:
            break
    return end


def _row(view: NDArray[Any], left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any] | None:
    """Return the values along a line, None where it leaves the frame."""
    count = max(round(float(np.hypot(*(right - left)))), 2)
    at = np.round(np.linspace(left, right, count)).astype(int)
    rows, columns = view.shape
    if (at < 0).any() or (at[:, 0] >= columns).any() or (at[:, 1] >= rows).any():
        return None
    values: NDArray[Any] = view[at[:, 1], at[:, 0]].astype(np.float32)
    return values


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
            yield _with_guards(view, _tight(view, _part(corners, *(edge / 2 for edge in bars))))
        elif are_squares_between(view, corners):
            yield _with_guards(view, corners)
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
    (energy,) = _averages(view, _power)
    is_busy = energy > _LEAST_ENERGY
    if not is_busy.any():
        return
    for much in _MUCH_ENERGY:
        for points, _ in _fields(energy > much):
            yield rectangle_of(cv2.minAreaRect(points))
    real, imaginary = _averages(view, _directions)
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


def _power(across: NDArray[Any], down: NDArray[Any]) -> tuple[NDArray[Any]]:
    return (across * across + down * down,)


def _directions(across: NDArray[Any], down: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return real and imaginary part of the fourth power of each gradient, by its own power.

    Four times an angle is the same for directions that are a quarter turn apart.
    """
    (power,) = _power(across, down)
    power += 1.0
    even, odd = across * across - down * down, 2 * across * down
    return (even * even - odd * odd) / power, 2 * even * odd / power


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
