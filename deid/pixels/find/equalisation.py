"""Contrast-limited adaptive histogram equalisation, as OpenCV computes it, and sooner where levels are few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from deid.pixels.find.places import by_bands

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CLIP_LIMIT: Final = 4.0
_TILES: Final = 16
_LEAST_TILE: Final = 32  # pixels; in less, noise is all there is to equalise
_LEVELS: Final = 1 << 16
#: Up to so many levels and pixels it is cheaper to count by level, and takes little memory.
_MOST_LEVELS: Final = 8192
_MOST_PIXELS: Final = 2_000_000
_BAND: Final = 128  # rows that are floating point at a time, for the sake of memory
_FEW_ROWS: Final = 16  # that stay in the processor's cache through all steps


def local_contrast(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Equalise the whole range of stored values tile by tile, with limited contrast, to 8 bits.

    Parameters
    ----------
    values
        Shape (rows, columns).
    """
    low, high = float(values.min()), float(values.max())
    tiles = min(max(min(values.shape) // _LEAST_TILE, 1), _TILES)
    spread = _Spread(low, high)
    ranked = _ranked(values, low) if high - low < _LEVELS and values.size <= _MOST_PIXELS else None
    if ranked is not None:
        ranks, levels = ranked
        return _equalised(ranks, spread(levels + low).astype(np.uint16), tiles)
    wide = by_bands(spread, 0, np.uint16, values, height=_BAND)
    equalised = cv2.createCLAHE(_CLIP_LIMIT, (tiles, tiles)).apply(wide, wide)
    return by_bands(_eight_bits, 0, np.uint8, equalised, height=_BAND)


def _ranked(values: NDArray[Any], low: float) -> tuple[NDArray[np.uint16], NDArray[Any]] | None:
    """Return which level each value has, and the levels above the lowest; None for fractions and many."""
    above = by_bands(lambda band: band - np.float32(low), 0, np.uint16, values, height=_BAND)
    bands = range(0, len(values), _BAND)
    if values.dtype.kind == "f" and not all(
        np.array_equal(above[top:][:_BAND] + np.float32(low), values[top:][:_BAND]) for top in bands
    ):
        return None
    levels = np.flatnonzero(np.bincount(above.ravel()))
    if len(levels) > _MOST_LEVELS:
        return None
    ranks = np.zeros(levels[-1] + 1, np.uint16)
    ranks[levels] = np.arange(len(levels))
    return ranks.take(above), levels


class _Spread:
    """Spreads values from `low` to `high` over 16 bits, in 32-bit floating point."""

    def __init__(self, low: float, high: float) -> None:
        self._low = np.float32(low)
        self._factor = np.float32(
            (_LEVELS - 1) / max(float(np.float32(high)) - float(self._low), 1)
        )

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray((values.astype(np.float32) - self._low) * self._factor)


def _eight_bits(levels: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(levels / np.float32(257))


def _equalised(own: NDArray[Any], levels: NDArray[Any], tiles: int) -> NDArray[np.uint8]:
    """Return what `cv2.createCLAHE` makes of a frame of 16 bits, as 8 bits.

    OpenCV clips, fills up and sums all 65536 levels of each tile, of which a frame has some hundred: in a CT
    of 512 x 512 that is nine tenths of its time. Levels between those that occur need not be known.

    Parameters
    ----------
    own
        Which of the levels each pixel has.
    levels
        Those that occur, in order.
    """
    maps, tile = _maps(own, levels, tiles)
    rows, columns = own.shape
    above, below, down = _between(rows, tile[0], tiles)
    before, after, across = _between(columns, tile[1], tiles)
    width = maps.shape[2]
    of_any = maps.ravel()
    equalised: NDArray[Any] = np.empty((rows, columns), np.uint8)
    for top in range(0, rows, _FEW_ROWS):
        some = slice(top, top + _FEW_ROWS)
        at = own[some].astype(np.intp)
        mixed = np.zeros(at.shape, np.float32)
        # Sums in OpenCV's order: along a row first.
        for tile_rows, weight in ((above, 1 - down), (below, down)):
            first = at + (tile_rows[some, None] * tiles + before) * width
            second = at + (tile_rows[some, None] * tiles + after) * width
            line = of_any.take(first) * (1 - across) + of_any.take(second) * across
            mixed += line * weight[some, None]
        equalised[some] = _eight_bits(np.rint(mixed))
    return equalised


def _maps(
    own: NDArray[Any], levels: NDArray[Any], tiles: int
) -> tuple[NDArray[np.uint16], tuple[int, int]]:
    """Return what each tile makes of each level, shape (tiles, tiles, levels), and the size of a tile."""
    rows, columns = own.shape
    if rows % tiles or columns % tiles:  # then OpenCV adds rows and columns, even a tile's worth
        more = tiles - rows % tiles, tiles - columns % tiles
        own = cv2.copyMakeBorder(own, 0, more[0], 0, more[1], cv2.BORDER_REFLECT_101)
    tile = own.shape[0] // tiles, own.shape[1] // tiles
    pixels, count = tile[0] * tile[1], len(levels)
    limit = max(int(_CLIP_LIMIT * pixels / _LEVELS), 1)
    scale = np.float32(_LEVELS - 1) / np.float32(pixels)
    at = levels.astype(np.float64)
    beside = (np.arange(tiles) * count)[:, None]
    maps: NDArray[Any] = np.empty((tiles, tiles, count), np.uint16)
    for number, strip in enumerate(own.reshape(tiles, tile[0], tiles, tile[1])):
        counts = np.bincount((strip + beside).ravel(), minlength=tiles * count)
        kept = np.minimum(counts.reshape(tiles, count), limit)
        clipped = pixels - kept.sum(axis=1)
        # What was clipped is given back: as much to each level, and what is left one by one in equal steps.
        each, left = np.divmod(clipped, _LEVELS)
        step = _LEVELS // np.maximum(left, 1)
        sums = kept.cumsum(axis=1) + each[:, None] * (at + 1)
        sums += np.minimum(np.floor(at / step[:, None]) + 1, left[:, None])
        maps[number] = np.minimum(np.rint(sums.astype(np.float32) * scale), _LEVELS - 1)
    return maps, tile


def _between(
    pixels: int, side: int, tiles: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return the tiles whose middles a row or column is between, and how far it is on the way to the second."""
    place = np.arange(pixels, dtype=np.float32) * (np.float32(1) / np.float32(side)) - np.float32(
        0.5
    )
    first = np.floor(place)
    before = first.astype(np.intp)
    return before.clip(0), (before + 1).clip(max=tiles - 1), place - first
