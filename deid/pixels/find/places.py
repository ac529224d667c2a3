"""Steps over whole frames: some rows at a time, and only where what they look for may be.

A large frame's steps would take much memory, and most of a frame has nothing of what a step looks for, which
a part of the step tells already.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Change = Callable[..., NDArray[Any]]

CELL: Final = 16
"""Pixels of a cell's side at least. What a frame has beyond whole cells is shared out among them."""
#: Rows that are asked at a time, whole cells, and how many times as many as matter beside them: few, so that
#: what a step takes stays in the processor's cache; memory new to a process costs more than most steps.
_BAND: Final = 128
_EDGES: Final = 8
_SMALL: Final = 1_500_000  # pixels
_ROUNDED: Final = 0.01  # pixels; shares are rounded to 16 bits
_WHOLE: Final = 0xFFFF  # the share 1, in 16 bits as 32 would take a large frame's memory twice
_MOST: Final = 0.7  # of the frame; where more may hold something, all of it is asked
_MANY: Final = 8  # places, each by itself, cost as much as the whole of a small frame


def by_bands(
    change: Change, edge: int, dtype: Any, *views: NDArray[Any], height: int = 0
) -> NDArray[Any]:
    """Return what `change` makes of views of one frame, shape (rows, columns), some rows at a time.

    Parameters
    ----------
    edge
        How many rows above and below matter for a pixel; `change` is given so many more.
    height
        How many rows, where each of them takes much memory.
    """
    rows, columns = views[0].shape[:2]
    height = height or max(_BAND, _EDGES * edge)
    changed = np.empty((rows, columns), dtype)
    for top in range(0, rows, height):
        changed[top : top + height] = _band(change, edge, slice(top, top + height), views)
    return changed


def _band(change: Change, edge: int, rows: slice, views: Sequence[NDArray[Any]]) -> NDArray[Any]:
    first = max(rows.start - edge, 0)
    band = change(*(view[first : rows.stop + edge] for view in views))
    return band[rows.start - first :][: rows.stop - rows.start]


def places_with(
    share: float, cells: tuple[int, int], marks: Change, edge: int, *views: NDArray[Any]
) -> list[Box]:
    """Return boxes around all cells of which such a share is marked, and around some others.

    Of a small frame all is one: to ask twice where something may be would cost more than it saves.

    Parameters
    ----------
    cells
        How many there are in a row and in a column of the frame.
    marks
        Makes a mask of views of one frame; `edge` as for `by_bands`.
    """
    rows, columns = views[0].shape[:2]
    if rows * columns < _SMALL:
        return [Box(0, 0, columns, rows)]
    pixels = rows * columns / (cells[0] * cells[1])
    least = max(math.ceil(share * pixels - _ROUNDED), 1)
    blocks: NDArray[Any] = np.zeros((-(-rows // CELL), -(-columns // CELL)), np.float32)
    height = max(_BAND, _EDGES * edge)
    for top in range(0, rows, height):
        counts = _counts(_band(marks, edge, slice(top, top + height), views))
        blocks[top // CELL :][: len(counts)] = counts
    # A cell is less than two blocks wide and high, and so lies within the nine around one of them.
    nine = np.ones((3, 3), np.uint8)
    may_be = cv2.boxFilter(blocks, -1, (3, 3), normalize=False) >= least
    if not may_be.any():
        return []
    _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(may_be.astype(np.uint8), nine))
    found = [Box(*(CELL * side for side in sides[:4])) for sides in stats[1:].tolist()]
    if sum(box.area for box in found) >= _MOST * rows * columns:
        return [Box(0, 0, columns, rows)]
    return [box for box in (box.clipped(rows, columns) for box in found) if box is not None]


def _counts(marked: NDArray[Any]) -> NDArray[Any]:
    """Return how many pixels of each block of 16 x 16 are marked."""
    rows, columns = (-(-side // CELL) * CELL for side in marked.shape)
    padded: NDArray[Any] = np.zeros((rows, columns), np.uint8)
    padded[: marked.shape[0], : marked.shape[1]] = marked
    high = padded.reshape(rows // CELL, CELL, columns).sum(axis=1, dtype=np.uint8)
    return np.asarray(high.reshape(len(high), -1, CELL).sum(axis=2, dtype=np.uint16))


def in_places(
    change: Change, edge: int, places: Sequence[Box], *views: NDArray[Any]
) -> NDArray[np.bool_]:
    """Return the mask that `change` makes of views of one frame, asked in some places only; nothing elsewhere.

    Parameters
    ----------
    edge
        How many rows and columns around matter for a pixel.
    """
    rows, columns = views[0].shape[:2]
    changed = np.zeros((rows, columns), np.bool_)
    for place in places:
        wide = place.grown(edge).clipped(rows, columns) or place
        area = slice(wide.top, wide.bottom), slice(wide.left, wide.right)
        part = by_bands(change, edge, np.bool_, *(view[area] for view in views))
        inside = part[place.top - wide.top :, place.left - wide.left :]
        own = changed[place.top : place.bottom, place.left : place.right]
        own[:] = inside[: place.height, : place.width]
    return changed


def with_share(
    share: float, cells: tuple[int, int], marked: NDArray[np.bool_], places: Sequence[Box]
) -> NDArray[Any]:
    """Return the cells of which such a share is marked, as 0 and 1; outside of the places nothing is marked."""
    are_many = len(places) > _MANY and marked.size < _SMALL
    if are_many or sum(place.area for place in places) >= _MOST * marked.size:
        shares = cv2.resize(marked * np.uint16(_WHOLE), cells, interpolation=cv2.INTER_AREA)
        return np.asarray(shares >= share * _WHOLE, np.uint8)
    found: NDArray[Any] = np.zeros(cells[::-1], np.uint8)
    for place in places:
        across, columns, own_columns = _parts(place.left, place.right, marked.shape[1], cells[0])
        down, rows, own_rows = _parts(place.top, place.bottom, marked.shape[0], cells[1])
        shares = down @ marked[rows, columns].astype(np.float64) @ across.T
        found[own_rows, own_columns] = np.rint(shares * _WHOLE) >= share * _WHOLE
    return found


def _parts(first: int, end: int, pixels: int, cells: int) -> tuple[NDArray[Any], slice, slice]:
    """Return how much of each cell each pixel is, and which pixels and cells these are: those around a place.

    As `cv2.resize` has it by area, for the few cells that may have something.
    """
    side = pixels / cells
    begin, stop = int(first / side), min(math.ceil(end / side), cells)
    edges = np.arange(begin, stop + 1) * side
    low, high = int(edges[0]), min(math.ceil(edges[-1]), pixels)
    at = np.arange(low, high)
    shared = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    return shared.clip(0, 1) / side, slice(low, high), slice(begin, stop)
