"""Where a code may be at all: where dark and bright change places often, and little lies between them.

Every code shows that, whatever its kind: bars and squares are narrow, of two values, and fill their place.
Noise is mostly between its extremes, the edge of an organ is one change, and most of a line of letters is
ground.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cv2
import numpy as np

from deid.pixels.geometry import Box, joined_where_cheaper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Mask = NDArray[np.uint8]

_ROOM: Final = 8  # pixels of a side; less has no room for a code
_SMALL: Final = 32  # of less all is one place
_STEP: Final = 2  # every second pixel of every second row is asked: they tell as much
_SIDE: Final = 3  # of those, along a cell
CELL: Final = _STEP * _SIDE
"""Pixels of a cell's side; each is judged with the eight around it, by 18 x 18 pixels."""
_BAND: Final = 16  # cells at a time: what they take stays in the processor's cache

_LEAST_SPAN: Final = 20  # display levels between the darkest and the brightest
_MARGIN: Final = 2  # cells around a place: the quiet zone that a reader wants


class _Least(NamedTuple):
    """How much of a cell and those around it must be so for a code to be there.

    Attributes
    ----------
    changes
        Of the pixels asked are dark beside a bright one, or bright beside a dark one, along the rows or along
        the columns: half of them where modules are one or two pixels wide, a fifth where they are five wide;
        what is wider is narrow at a smaller scale. A single edge makes a ninth.
    clear
        Of the pixels are in the darkest or the brightest third. Noise leaves a third of them there.
    each
        Of the pixels are in the darkest, and as many in the brightest third.
    cells
        Of nine are so.
    """

    changes: float
    clear: float
    each: float
    cells: int


#: Of 328 codes that a reader read, small, blurred, faint, noisy and torn ones among them, all but three have
#: the seven cells, and ninety-five in a hundred all nine; in ninety-nine five cells have changes of 0.31, are
#: clear to 0.74 and have 0.28 of each. A small code has fewer cells; its modules are small, too.
_SURELY: Final = (_Least(0.20, 0.65, 0.19, 7), _Least(0.27, 0.65, 0.20, 5))
_STILL: Final = _Least(0.14, 0.50, 0.15, 5)  # what goes on beside such cells is one place with them


def places_of_codes(view: Mask) -> list[Box]:
    """Return boxes around whatever may be a code, each with a margin; most frames have none.

    A code's modules must be five pixels wide at the most: of a frame, smaller views are asked, too.

    Parameters
    ----------
    view
        Shape (rows, columns).
    """
    rows, columns = view.shape
    if min(rows, columns) < _ROOM:
        return []
    if min(rows, columns) < _SMALL:
        return [Box(0, 0, columns, rows)]
    cells = _cells_of(view[::_STEP, ::_STEP])
    is_sure = cv2.max(*(_are(cells, least) for least in _SURELY))
    if not is_sure.any():
        return []
    nine = np.ones((3, 3), np.uint8)
    joined = cv2.max(cv2.dilate(_are(cells, _STILL), nine), is_sure)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for number in np.unique(labels[is_sure > 0]).tolist():
        box = Box(*(CELL * int(side) for side in stats[number][:4])).grown(_MARGIN * CELL)
        inside = box.clipped(rows, columns)
        if inside is not None:
            found.append(inside)
    return joined_where_cheaper(found)


class _Cells(NamedTuple):
    """What each cell and the eight around it show, shape (rows, columns) of cells; shares are 0 to 1."""

    span: Mask
    changes: NDArray[Any]
    dark: NDArray[Any]
    bright: NDArray[Any]


def _are(cells: _Cells, least: _Least) -> Mask:
    """Return the cells, as 0 and 1, that are so themselves and among as many that are."""
    so = (cells.span >= _LEAST_SPAN) & (cells.changes >= least.changes)
    so &= cells.dark + cells.bright >= least.clear
    so &= cv2.min(cells.dark, cells.bright) >= least.each
    own = so.astype(np.uint8)
    around = cv2.boxFilter(own, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(own & (around >= least.cells), np.uint8)


def _cells_of(view: Mask) -> _Cells:
    """Measure a view whose cells are four pixels wide and high; what is less than a cell is left out."""
    down, across = (side // _SIDE for side in view.shape)
    view = np.ascontiguousarray(view[: down * _SIDE, : across * _SIDE])
    darkest, brightest = _extremes(view)
    span = brightest - darkest
    third = span // 3
    levels = (darkest + third, darkest + span // 2, brightest - third)
    shares = np.zeros((4, down, across), np.uint8)
    for top in range(0, down, _BAND):
        band = slice(top, top + _BAND)
        if (span[band] >= _LEAST_SPAN).any():
            rows = view[top * _SIDE : (top + _BAND) * _SIDE]
            marked = _marked(rows, *(_smoothly(level[band], across) for level in levels))
            for share, mask in zip(shares, marked, strict=True):
                share[band] = _share(mask)
    along, below, dark, bright = (cv2.blur(one.astype(np.float32) / 255, (3, 3)) for one in shares)
    return _Cells(span, cv2.max(along, below), dark, bright)


def _extremes(view: Mask) -> tuple[Mask, Mask]:
    """Return the darkest and the brightest value of each cell and those around it."""
    along, nine = np.ones((1, _SIDE), np.uint8), np.ones((3, 3), np.uint8)
    stacked = view.reshape(-1, _SIDE, view.shape[1])
    found = []
    for extreme, spread in ((np.minimum, cv2.erode), (np.maximum, cv2.dilate)):
        rows = extreme.reduce(stacked, axis=1)
        own = spread(rows, along, anchor=(0, 0))[:, ::_SIDE]
        found.append(np.asarray(spread(np.ascontiguousarray(own), nine), np.uint8))
    return found[0], found[1]


def _smoothly(levels: Mask, across: int) -> Mask:
    """Return a level for every pixel: between cells it does not step, which would look like a change."""
    size = (across * _SIDE, len(levels) * _SIDE)
    return np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _marked(rows: Mask, low: Mask, middle: Mask, high: Mask) -> Iterator[Mask]:
    """Yield masks (0 and 255) of changes along the rows and down the columns, of what is dark, and bright."""
    is_bright = cv2.compare(rows, middle, cv2.CMP_GT)
    changes = np.zeros_like(rows)
    np.bitwise_xor(is_bright[:, 1:], is_bright[:, :-1], out=changes[:, 1:])
    yield changes
    changes[:, 0] = 0
    np.bitwise_xor(is_bright[1:], is_bright[:-1], out=changes[1:])
    changes[0] = 0
    yield changes
    yield np.asarray(cv2.compare(rows, low, cv2.CMP_LE), np.uint8)
    yield np.asarray(cv2.compare(rows, high, cv2.CMP_GE), np.uint8)


def _share(mask: Mask) -> Mask:
    """Return how much of each cell is marked, 0 to 255."""
    size = (mask.shape[1] // _SIDE, mask.shape[0] // _SIDE)
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)
