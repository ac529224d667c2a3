"""Where a further look is worth its price, told without a model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.geometry import Box, joined_where_cheaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

_CELL = 16
#: Levels of 256 by which strokes stand out in the view by local contrast (where the display shows nothing
#: at all: in any case, and above noise), and up to which the display hides them; a person sees about 18.
_SEEN = 40
_SEEN_WHERE_CLIPPED = 24
_FAINT_WHERE_CLIPPED = 12
_HIDDEN = 18
#: The display shows nothing up to this level, and from as far below white.
_CLIPPED = 2
#: Strokes stand out so many times as much as what is usual in a neighbourhood of so many pixels: noise
#: is everywhere.
_ABOVE_NOISE = 2.5
_NEIGHBOURHOOD = 65
#: Pixels of strokes in a cell, and cells next to each other, that make an area.
_LEAST_PIXELS = 12
_LEAST_CELLS = 2
_SURROUND = 24, 12
_WIDEST_STROKE = 9
#: Of strokes in the display: the levels by which they stand out at least, and how many times as much as
#: what is usual in the calmest place nearby, over so many pixels, or by so many levels wherever they are
#: (a page of text has no calm place); how many pixels of them make a cell worth a look. Wider strokes are
#: seen on a smaller scale.
_PLAIN = 12
_ABOVE_CALM = 2.0
_ANYWHERE = 40
_CALM, _NEARBY = 17, 33
_LEAST_PLAIN = 8
_SMALLER = 3
#: Rows of a frame that are asked at a time, and those above and below that matter for them.
_BAND, _BAND_EDGE = 768, 48
_LEVELS = np.arange(256, dtype=np.float32)
_WHOLE = 0xFFFF  # the share 1, in 16 bits as 32 would take a large frame's memory twice
#: What is looked at around them: a row of parts is told from letters by what it goes on as, and lines run
#: in any direction.
_CONTEXT = 32, 32


def hidden_areas(display: NDArray[Any], contrast: NDArray[Any]) -> list[Box]:
    """Return where strokes show in the view by local contrast and not in the display.

    Parameters
    ----------
    display
        Shape (rows, columns, 3), 8 bits.
    contrast
        Shape (rows, columns), 8 bits.
    """
    rows, columns = contrast.shape
    is_hidden = by_bands(_are_hidden, _BAND_EDGE, np.bool_, display, contrast)
    cells = max(columns // _CELL, 1), max(rows // _CELL, 1)
    busy = _with_share(is_hidden, _LEAST_PIXELS, cells)
    return _areas_of_cells(busy, rows, columns, _LEAST_CELLS, near=(1, 3), surround=_SURROUND)


def _are_hidden(display: NDArray[Any], contrast: NDArray[Any]) -> NDArray[np.bool_]:
    grey = cv2.cvtColor(display, cv2.COLOR_RGB2GRAY)
    strokes = _strokes(contrast)
    usual = cv2.blur(strokes, (_NEIGHBOURHOOD, _NEIGHBOURHOOD))
    kernel = np.ones((3, 3), np.uint8)
    is_clipped = (cv2.dilate(grey, kernel) <= _CLIPPED) | (
        cv2.erode(grey, kernel) >= 255 - _CLIPPED
    )
    is_faint = _are_at_least(strokes, np.maximum(_ABOVE_NOISE * _LEVELS, _SEEN), usual)
    is_faint &= cv2.dilate(_strokes(grey), kernel) < _HIDDEN
    least = np.maximum(_ABOVE_NOISE * _LEVELS, _FAINT_WHERE_CLIPPED)
    is_beyond = _are_at_least(strokes, np.minimum(least, _SEEN_WHERE_CLIPPED), usual)
    is_hidden: NDArray[Any] = is_faint | (is_clipped & is_beyond)
    return is_hidden


def _areas_of_cells(
    busy: NDArray[Any],
    rows: int,
    columns: int,
    least: int,
    *,
    near: tuple[int, int],
    surround: tuple[int, int],
) -> list[Box]:
    """Return areas around cells that lie together, at least so many of them.

    Parameters
    ----------
    near
        Rows and columns of cells within which two lie together.
    surround
        Pixels beside and above that an area takes along.
    """
    if not busy.any():
        return []
    joined = cv2.dilate(busy, np.ones(near, np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    busy_cells = np.bincount(labels[busy > 0], minlength=count)
    wide, tall = columns / busy.shape[1], rows / busy.shape[0]
    boxes = []
    for label in range(1, count):
        if busy_cells[label] < least:
            continue
        left, top, width, height = (int(number) for number in stats[label][:4])
        box = Box(int(left * wide), int(top * tall), round(width * wide), round(height * tall))
        inside = box.grown(*surround).clipped(rows, columns)
        if inside is not None:
            boxes.append(inside)
    return areas_of(boxes, rows, columns)


def stroked_areas(
    display: NDArray[Any], *, level: int = _PLAIN, is_coarse: bool = True
) -> list[Box]:
    """Return where anything stands out as strokes do; elsewhere no detector needs to look.

    Parameters
    ----------
    display
        Shape (rows, columns, 3), 8 bits.
    level
        By how much at least.
    is_coarse
        Whether wide strokes count, too.
    """
    rows, columns = display.shape[:2]
    cells = max(columns // _CELL, 1), max(rows // _CELL, 1)
    view = display if _has_colours(display) else np.ascontiguousarray(display[..., 0])
    busy = _stroked(view, level, cells)
    if is_coarse:
        size = max(columns // _SMALLER, 1), max(rows // _SMALLER, 1)
        smaller = cv2.resize(view, size, interpolation=cv2.INTER_AREA)
        busy |= _stroked(smaller, level, cells)
    return _areas_of_cells(busy, rows, columns, 1, near=(3, 3), surround=_CONTEXT)


def _stroked(view: NDArray[Any], level: int, cells: tuple[int, int]) -> NDArray[Any]:
    """Return the cells with strokes, as 0 and 1."""
    stand_out = by_bands(partial(_stand_out, level), _BAND_EDGE, np.bool_, view)
    return _with_share(stand_out, _LEAST_PLAIN, cells)


def _stand_out(level: int, view: NDArray[Any]) -> NDArray[np.bool_]:
    strokes = _strokes(view)
    if strokes.ndim == 3:
        strokes = np.asarray(strokes.max(axis=2))
    calm = cv2.blur(strokes, (_CALM, _CALM))
    calm = cv2.erode(calm, np.ones((_NEARBY, _NEARBY), np.uint8))
    least = np.maximum(np.minimum(_ABOVE_CALM * _LEVELS, _ANYWHERE), level)
    return _are_at_least(strokes, least, calm)


def _are_at_least(
    strokes: NDArray[Any], least: NDArray[Any], around: NDArray[Any]
) -> NDArray[np.bool_]:
    """Return which strokes are at least as strong as `least` says for the level around them."""
    below = (np.ceil(least) - 1).clip(0, 255).astype(np.uint8)
    return np.asarray(strokes > cv2.LUT(around, below))


def _with_share(marked: NDArray[np.bool_], pixels: int, cells: tuple[int, int]) -> NDArray[Any]:
    """Return the cells of which so many pixels of 16 x 16 are marked, as 0 and 1."""
    share = cv2.resize(marked * np.uint16(_WHOLE), cells, interpolation=cv2.INTER_AREA)
    return np.asarray(share >= pixels / _CELL**2 * _WHOLE, np.uint8)


def _has_colours(display: NDArray[Any]) -> bool:
    return not (
        np.array_equal(display[..., 0], display[..., 1])
        and np.array_equal(display[..., 1], display[..., 2])
    )


def _strokes(grey: NDArray[Any]) -> NDArray[Any]:
    """Return by how much a pixel stands out, bright or dark, from what is wider than a stroke."""
    even = cv2.blur(grey, (3, 3))
    kernel = np.ones((_WIDEST_STROKE, _WIDEST_STROKE), np.uint8)
    bright = cv2.morphologyEx(even, cv2.MORPH_TOPHAT, kernel)
    dark = cv2.morphologyEx(even, cv2.MORPH_BLACKHAT, kernel)
    return np.asarray(cv2.max(bright, dark))


def by_bands(
    change: Callable[..., NDArray[Any]], edge: int, dtype: Any, *views: NDArray[Any]
) -> NDArray[Any]:
    """Return what `change` makes of views of one frame, shape (rows, columns), some rows at a time.

    A large frame's steps would take much memory.

    Parameters
    ----------
    edge
        How many rows above and below matter for a pixel; `change` is given so many more.
    """
    rows, columns = views[0].shape[:2]
    changed = np.empty((rows, columns), dtype)
    for top in range(0, rows, _BAND):
        first = max(top - edge, 0)
        band = change(*(view[first : top + _BAND + edge] for view in views))
        changed[top : top + _BAND] = band[top - first :][:_BAND]
    return changed


def areas_of(boxes: Iterable[Box], rows: int, columns: int) -> list[Box]:
    """Join boxes that are cheaper looked at together; the whole frame when they fill most of it."""
    merged = joined_where_cheaper(boxes)
    if sum(box.area for box in merged) >= 0.8 * rows * columns:
        return [Box(0, 0, columns, rows)]
    return merged
