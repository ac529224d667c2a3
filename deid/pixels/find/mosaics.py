"""Whether a frame is a mosaic: sections of one volume in rows, as functional and diffusion MR is stored.

Sections of a folded cortex are strokes of one width and sharp edges that change from tile to tile, which is
what makes lines of letters to all who judge by shape. But the tiles have one outline: each is much like the
next of its row and of its column.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Rows, or columns, of tiles, pixels of a tile's side, and how much longer one of its sides is than the other.
_FEWEST, _MOST = 3, 12
_SMALLEST, _LONGEST = 32, 2.0
#: Side to which a frame is made smaller, and a tile to be compared.
_FRAME, _TILE = 256, 16
#: A tile shows something when it varies by so much of what the frame does, and so many neighbours both do.
_SHOWS, _LEAST_SHOWN = 0.25, 0.4
#: How much alike neighbouring tiles are in a mosaic, by the median of their correlations; those of a column are
#: farther apart in the volume.
_ALIKE, _LESS_IN_COLUMNS = 0.4, 0.15
#: How much less a tile is like what lies half a tile away: so much in rows and columns, or so little in the one
#: and so much in the other. A leg, stripes and soft noise are as much alike at any distance.
_LESS, _LEAST_LESS, _MUCH_LESS = 0.35, 0.15, 0.8


def is_mosaic(display: NDArray[np.uint8]) -> bool:
    """Return whether a frame, shape (rows, columns, 3), is divided into tiles that are much alike."""
    grey = display[..., 1]
    longer = max(grey.shape)
    small = grey.astype(np.float32)
    if longer > _FRAME:
        size = [max(round(side * _FRAME / longer), 1) for side in grey.shape]
        small = np.asarray(cv2.resize(small, size[::-1], interpolation=cv2.INTER_AREA))
    least = _SHOWS * float(small.std())
    return least > 0 and any(_fits(small, *grid, least) for grid in _grids(*grey.shape))


def _grids(high: int, wide: int) -> Iterator[tuple[int, int]]:
    """Yield the rows and columns of tiles that a frame of that size may have."""
    for rows in range(_FEWEST, min(_MOST, high // _SMALLEST) + 1):
        for columns in range(_FEWEST, min(_MOST, wide // _SMALLEST) + 1):
            sides = high * columns, wide * rows  # in proportion
            if max(sides) <= _LONGEST * min(sides):
                yield rows, columns


def _fits(small: NDArray[Any], rows: int, columns: int, least: float) -> bool:
    """Return whether tiles are like their neighbours, and not like what lies between the two."""
    size = (columns * _TILE, rows * _TILE)
    sheet = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA))
    tiles, spread = _tiles(sheet)
    shows = spread > least
    beside, below = shows[:, 1:] & shows[:, :-1], shows[1:] & shows[:-1]
    shown, possible = int(beside.sum()) + int(below.sum()), beside.size + below.size
    if min(beside.sum(), below.sum()) < 2 or shown < _LEAST_SHOWN * possible:
        return False
    in_row = _likeness(tiles[:, :-1], tiles[:, 1:], beside)
    in_column = _likeness(tiles[:-1], tiles[1:], below)
    if min(in_row, in_column + _LESS_IN_COLUMNS) < _ALIKE:
        return False
    half = _TILE // 2
    between_columns, _ = _tiles(sheet[:, half:-half])
    between_rows, _ = _tiles(sheet[half:-half])
    less = sorted(
        (
            in_row - _likeness(tiles[:, :-1], between_columns, beside),
            in_column - _likeness(tiles[:-1], between_rows, below),
        )
    )
    return less[0] >= _LESS or (less[0] >= _LEAST_LESS and less[1] >= _MUCH_LESS)


def _tiles(sheet: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return tiles apart from what only slopes, of deviation 1, and how much they vary.

    Shapes (rows, columns, 256) and (rows, columns).
    """
    rows, columns = (side // _TILE for side in sheet.shape)
    tiles = sheet.reshape(rows, _TILE, columns, _TILE).swapaxes(1, 2).reshape(rows, columns, -1)
    tiles = tiles - (tiles @ _slopes()) @ _slopes().T
    spread = np.sqrt(np.mean(tiles * tiles, axis=2))
    return tiles / np.maximum(spread, 1e-6)[..., None], spread


def _likeness(some: NDArray[Any], others: NDArray[Any], are_shown: NDArray[np.bool_]) -> float:
    """Return the median of the correlations of tiles that show something."""
    return float(np.median(np.mean(some * others, axis=2)[are_shown]))


@cache
def _slopes() -> NDArray[Any]:
    """Return an orthonormal base of planes over a tile, shape (256, 3)."""
    down, right = np.mgrid[0:_TILE, 0:_TILE].reshape(2, -1) - (_TILE - 1) / 2
    planes = np.stack([np.ones_like(down), down, right], axis=1)
    return np.asarray(np.linalg.qr(planes)[0], np.float32)
