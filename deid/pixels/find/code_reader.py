"""Codes that a reader reads, and those of which it knows the finder pattern, over their whole size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import zxingcpp

from deid.pixels.find.code_shapes import correlation, have_two_directions, straightened
from deid.pixels.find.percentiles import percentile
from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Symbologies whose finder patterns are believed although the code has errors, where it is about as high as
#: wide, and its edges lie along its sides: fringes and rings have such patterns, too. Data Matrix,
#: PDF417 and rMQR are not among them: their patterns are an edge or two, or a square and a line, which anatomy
#: and its fringes have.
_FOUND_WITH_ERRORS: Final = (
    zxingcpp.BarcodeFormat.QRCode,
    zxingcpp.BarcodeFormat.MicroQRCode,
    zxingcpp.BarcodeFormat.Aztec,
    zxingcpp.BarcodeFormat.MaxiCode,
)
_AS_HIGH_AS_WIDE: Final = 0.8  # the shorter side of the longer
_SMALLEST_WITH_ERRORS: Final = 8  # pixels of a side
_PDF417: Final = zxingcpp.BarcodeFormat.PDF417
_SQUARES: Final = zxingcpp.BarcodeFormat.AllMatrix
_BARS: Final = zxingcpp.BarcodeFormat.AllLinear
_BESIDE: Final = 64  # pixels of a row beside a place that are read with it
_READER: Final = 8  # pixels of the squares by which the reader tells dark from bright
_LONG_BARS: Final = 40  # pixels from which a code of bars is followed along them
_ALIKE: Final = 0.8  # correlation of its rows
_GUARD: Final = 20  # narrow bars: no pattern that begins or ends a code is longer
_WIDEST_BAR: Final = 9  # of such a pattern, in narrow bars
_EVEN: Final = 0.85  # of a column beside a code has one value where a bar or a gap is
_LEAST_RUNS: Final = 16  # of narrow bars


def read_in(view: NDArray[Any], place: Box) -> Iterator[NDArray[Any]]:
    """Yield the corners of what can be read in a place, and of what only a code can be."""
    area, part = _squares_of(view, place)
    squares = _read(part, among=_SQUARES, return_errors=True)
    yield from _believed(view, area, squares)
    # Bright on dark the reader knows every symbology but this one.
    yield from _believed(view, area, _read(255 - part, among=_PDF417))
    # Bars it reads along the rows, each of which tells dark from bright by all that lies in it.
    area, part = _squares_of(view, place.grown(_BESIDE, 0))
    yield from _believed(view, area, _read(part, among=_BARS, try_rotate=False))
    turned = Box(place.top, place.left, place.height, place.width)
    area, part = _squares_of(view.T, turned.grown(_BESIDE, 0))
    for corners in _believed(view.T, area, _read(part, among=_BARS, try_rotate=False)):
        yield corners[:, ::-1]


def _read(
    part: NDArray[Any], *, among: zxingcpp.BarcodeFormat, **how: Any
) -> list[zxingcpp.Barcode]:
    # Sets of formats that live as long as the process are told of on standard error when it ends.
    formats = zxingcpp.BarcodeFormats(among)
    return list(zxingcpp.read_barcodes(part, try_downscale=False, formats=formats, **how))


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
        at = code.position
        corners = np.array(
            [
                (area.left + point.x, area.top + point.y)
                for point in (at.top_left, at.top_right, at.bottom_right, at.bottom_left)
            ],
            np.float32,
        )
        if not code.valid and not (
            code.format in _FOUND_WITH_ERRORS and _is_like_a_code(view, corners)
        ):
            continue
        if code.format == zxingcpp.BarcodeFormat.PDF417:
            yield with_guards(view, corners)
        else:
            yield _whole_bars(view, corners)


def _is_like_a_code(view: NDArray[Any], corners: NDArray[Any]) -> bool:
    """Whether what has a code's finder pattern has its shape and its edges, too."""
    shorter, longer = sorted(float(np.hypot(*(corners[end] - corners[0]))) for end in (1, 3))
    if shorter < max(_AS_HIGH_AS_WIDE * longer, _SMALLEST_WITH_ERRORS):
        return False
    return have_two_directions(straightened(view, corners))


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
    count = max(round(length), 2)
    own = _row(view, left, right, count)
    ends = []
    for sign in (-1, 1):
        step, misses, last = 0, 0, 0
        while misses < 3 and step < 2 * max(view.shape):
            step += 1
            moved = _row(view, left + sign * step * down, right + sign * step * down, count)
            is_alike = moved is not None and own is not None and correlation(own, moved) > _ALIKE
            misses, last = (0, step) if is_alike else (misses + 1, last)
        ends.append(last)
    grown = [left - ends[0] * down, right - ends[0] * down, right + ends[1] * down]
    grown.append(left + ends[1] * down)
    return np.concatenate((corners, np.array(grown))).astype(np.float32)


def with_guards(view: NDArray[Any], corners: NDArray[Any]) -> NDArray[Any]:
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
    return percentile(runs, 15) if len(runs) >= _LEAST_RUNS else 0.0


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


def _row(
    view: NDArray[Any], left: NDArray[Any], right: NDArray[Any], count: int
) -> NDArray[Any] | None:
    """Return so many values along a line, None where it leaves the frame."""
    at = np.round(np.linspace(left, right, count)).astype(int)
    rows, columns = view.shape
    if (at < 0).any() or (at[:, 0] >= columns).any() or (at[:, 1] >= rows).any():
        return None
    values: NDArray[Any] = view[at[:, 1], at[:, 0]].astype(np.float32)
    return values
