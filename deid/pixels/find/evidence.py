"""Where a further look is worth its price, told without a model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.find.places import CELL, in_places, places_with, with_share
from deid.pixels.find.sieve import strokes_of
from deid.pixels.geometry import Box, joined_where_cheaper

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.sieve import Sieve, Sieved

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
#: Of strokes in the display: the levels by which they stand out at least, and how many times as much as
#: what is usual in the calmest place nearby, over so many pixels, or by so many levels wherever they are
#: (a page of text has no calm place); how many pixels of them make a cell worth a look. Wider strokes are
#: seen on a smaller scale.
FAINTEST = 12
_ABOVE_CALM = 2.0
_ANYWHERE = 40
_CALM, _NEARBY = 17, 33
_LEAST_PLAIN = 8
#: Levels between neighbouring colours up to which a frame is grey: fewer than what stands out.
_GREY = 8
#: In one colour so many times less stands out than in another.
_MUCH_CALMER = 2
_SMALLER = 3
#: Rows and columns around a pixel that matter for it, and for how much it stands out alone.
_EDGE, _STROKE_EDGE = 48, 16
_LEVELS = np.arange(256, dtype=np.float32)
_LEAST_WHERE_CLIPPED = np.minimum(
    np.maximum(_ABOVE_NOISE * _LEVELS, _FAINT_WHERE_CLIPPED), _SEEN_WHERE_CLIPPED
)
#: What is looked at around them: a row of parts is told from letters by what it goes on as, and lines run
#: in any direction.
_CONTEXT = 32, 32


def hidden_areas(
    display: NDArray[Any], contrast: NDArray[Any], sieved: Sieved | None = None
) -> list[Box]:
    """Return where strokes show in the view by local contrast and not in the display.

    Parameters
    ----------
    display
        Shape (rows, columns, 3), 8 bits.
    contrast
        Shape (rows, columns), 8 bits.
    sieved
        Of it: where there may be letters in it.
    """
    rows, columns = contrast.shape
    cells = max(columns // CELL, 1), max(rows // CELL, 1)
    share = _LEAST_PIXELS / CELL**2
    places = places_with(share, cells, _may_be_hidden, _EDGE, contrast)
    if not places:
        return []
    is_hidden = in_places(_are_hidden, _EDGE, places, display, contrast)
    busy = with_share(share, cells, is_hidden, places)
    if sieved is not None:
        busy = _lettered(sieved, busy, rows, columns)
    return _areas_of_cells(busy, rows, columns, _LEAST_CELLS, near=(1, 3), surround=_SURROUND)


def _may_be_hidden(contrast: NDArray[Any]) -> NDArray[np.bool_]:
    """Return what would be hidden wherever the display showed nothing."""
    strokes = _strokes(contrast)
    usual = cv2.blur(strokes, (_NEIGHBOURHOOD, _NEIGHBOURHOOD))
    return _are_at_least(strokes, _LEAST_WHERE_CLIPPED, usual)


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
    is_beyond = _are_at_least(strokes, _LEAST_WHERE_CLIPPED, usual)
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


@dataclass(frozen=True, slots=True)
class Strokes:
    """What stands out of a display as strokes do, and where that may be letters.

    Attributes
    ----------
    size
        Rows and columns of the display.
    own, coarse
        What does in its own size, and in a third of it: wide strokes.
    calm
        What does in the one colour in which much less does: a grid of that colour hides what is written on it
        in all others.
    parts
        Of frames that the display shows side by side; none where it shows one frame. What lies around one of
        them tells nothing of it.
    """

    size: tuple[int, int]
    own: StandOut
    coarse: StandOut | None
    calm: StandOut | None
    parts: Sequence[Box]

    @classmethod
    def of(
        cls,
        display: NDArray[Any],
        sieve: Sieve | None = None,
        *,
        level: int = FAINTEST,
        is_coarse: bool = True,
        parts: Sequence[Box] = (),
    ) -> Strokes:
        """Look for what stands out as strokes do; elsewhere no detector needs to look.

        Parameters
        ----------
        display
            Shape (rows, columns, 3), 8 bits.
        level
            By how much at least.
        is_coarse
            Whether wide strokes count, too.
        parts
            Of frames, where the display shows several side by side.
        """
        rows, columns = display.shape[:2]
        cells = max(columns // CELL, 1), max(rows // CELL, 1)
        view = _without_needless_colours(display)
        stand_out = partial(StandOut.of, sieve=sieve, level=level, cells=cells)
        own = stand_out(view, parts)
        calmest = calmest_colour(view)
        calm = None if calmest is None else stand_out(calmest, parts)
        coarse = None
        if is_coarse:
            size = max(columns // _SMALLER, 1), max(rows // _SMALLER, 1)
            smaller = cv2.resize(view, size, interpolation=cv2.INTER_AREA)
            thirds = [_in_third(part).clipped(size[1], size[0]) for part in parts]
            coarse = stand_out(smaller, [part for part in thirds if part is not None])
        return cls((rows, columns), own, coarse, calm, parts)

    @property
    def plainest(self) -> NDArray[Any]:
        """The display as it is looked at, in the calm colour where there is one."""
        return (self.calm or self.own).view

    def areas(self) -> list[Box]:
        """Return where to look, with what is around it."""
        rows, columns = self.size
        busy = self.own.lettered()
        for other in (self.coarse, self.calm):
            if other is not None:
                busy |= other.lettered()
        if not self.parts:
            return _areas_of_cells(busy, rows, columns, 1, near=(3, 3), surround=_CONTEXT)
        return areas_of(
            (area for part in self.parts for area in self._areas_in(part, busy)), rows, columns
        )

    def _areas_in(self, part: Box, busy: NDArray[Any]) -> Iterator[Box]:
        """Yield where to look in one part, with what it shows around that."""
        rows, columns = self.size
        across, down = busy.shape[1] / columns, busy.shape[0] / rows
        own = (
            slice(int(part.top * down), math.ceil(part.bottom * down)),
            slice(int(part.left * across), math.ceil(part.right * across)),
        )
        inside = np.zeros_like(busy)
        inside[own] = busy[own]
        for area in _areas_of_cells(inside, rows, columns, 1, near=(3, 3), surround=_CONTEXT):
            seen = area.within(part)
            if seen is not None:
                yield seen

    def without(self, lines: Sequence[Box]) -> Strokes:
        """Return what is left where these lines of letters are known."""
        coarse = self.coarse and self.coarse.without([_in_third(box) for box in lines])
        calm = self.calm and self.calm.without(lines)
        return replace(self, own=self.own.without(lines), coarse=coarse, calm=calm)


def _in_third(box: Box) -> Box:
    """Return all pixels of a display in a third of its size that show some of a box."""
    left, top = box.left // _SMALLER, box.top // _SMALLER
    return Box(left, top, -(-box.right // _SMALLER) - left, -(-box.bottom // _SMALLER) - top)


@dataclass(frozen=True, slots=True)
class StandOut:
    """What stands out of a view, (rows, columns) or (rows, columns, 3): a mask, and where it is not empty."""

    view: NDArray[Any]
    mask: NDArray[np.bool_]
    places: Sequence[Box]
    cells: tuple[int, int]
    sieved: Sieved | None

    @classmethod
    def of(
        cls,
        view: NDArray[Any],
        parts: Sequence[Box],
        *,
        sieve: Sieve | None,
        level: int,
        cells: tuple[int, int],
    ) -> StandOut:
        """Look for what stands out of a view by so much, in so many cells along it and down."""
        asked = None if sieve is None else sieve.of(view)
        if parts:
            mask = np.zeros(view.shape[:2], np.bool_)
            for part in parts:
                own = slice(part.top, part.bottom), slice(part.left, part.right)
                mask[own] = _stand_out(level, view[own])
            return cls(view, mask, parts, cells, asked)
        places = places_with(
            _LEAST_PLAIN / CELL**2, cells, partial(_may_stand_out, level), _STROKE_EDGE, view
        )
        mask = in_places(partial(_stand_out, level), _EDGE, places, view)
        return cls(view, mask, places, cells, asked)

    def lettered(self) -> NDArray[Any]:
        """Return the cells with strokes that may be letters', as 0 and 1."""
        busy = with_share(_LEAST_PLAIN / CELL**2, self.cells, self.mask, self.places)
        return busy if self.sieved is None else _lettered(self.sieved, busy, *self.mask.shape)

    def without(self, lines: Sequence[Box]) -> StandOut:
        """Return what is left beside lines of letters."""
        mask = self.mask.copy()
        for line in lines:
            inside = line.clipped(*mask.shape)
            if inside is not None:
                mask[inside.top : inside.bottom, inside.left : inside.right] = False
        sieved = None if self.sieved is None else self.sieved.without(lines)
        return replace(self, mask=mask, sieved=sieved)


def lettered_halves(display: NDArray[Any], sieve: Sieve) -> list[Box]:
    """Return where there may be letters in a frame that is looked at in half of its size.

    Everywhere in it is asked, whether much stands out there or little, and in a sixth of the size for letters
    of wide strokes.

    Parameters
    ----------
    display
        Shape (rows, columns, 3), 8 bits.
    """
    rows, columns = display.shape[:2]
    cells = max(columns // CELL // 2, 1), max(rows // CELL // 2, 1)
    busy = np.zeros(cells[::-1], np.uint8)
    shown = _without_needless_colours(display)
    for part in (2, 2 * _SMALLER):
        size = max(columns // part, 1), max(rows // part, 1)
        view = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
        busy |= sieve.of(view).may_be_letters([Box(0, 0, *size)], np.ones_like(busy))
    around = 2 * _CONTEXT[0], 2 * _CONTEXT[1]
    return _areas_of_cells(busy, rows, columns, 1, near=(3, 3), surround=around)


def _lettered(sieved: Sieved, busy: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Return the cells with strokes that may be letters', as 0 and 1."""
    areas = _areas_of_cells(busy, rows, columns, 1, near=(3, 3), surround=(0, 0))
    return sieved.may_be_letters(areas, busy) if areas else busy


def shows_strokes(display: NDArray[Any], level: int) -> bool:
    """Whether anything in a display, shape (rows, columns, 3), stands out by so much as strokes do."""
    even = cv2.blur(display, (3, 3))
    if int(even.max()) - int(even.min()) < level:
        return False
    return bool(Strokes.of(display, level=level).areas())


def _may_stand_out(level: int, view: NDArray[Any]) -> NDArray[np.bool_]:
    """Return what would stand out in the calmest place."""
    return np.asarray(_strokes(view) >= level)


def _stand_out(level: int, view: NDArray[Any]) -> NDArray[np.bool_]:
    strokes = _strokes(view)
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


def _without_needless_colours(display: NDArray[Any]) -> NDArray[Any]:
    """Return a display in grey, (rows, columns), unless something in it stands out by its colour.

    Each colour is looked at by itself, which costs three times as much. A grey frame that was compressed, or
    has noise in each colour, differs by a few levels, in which nothing can be read.
    """
    red, green, blue = cv2.split(display)
    apart = cv2.max(cv2.absdiff(red, green), cv2.absdiff(green, blue))
    if apart.max() > _GREY:
        return display
    return cv2.cvtColor(display, cv2.COLOR_RGB2GRAY)


def calmest_colour(view: NDArray[Any]) -> NDArray[Any] | None:
    """Return the colour in which much less stands out than in another, (rows, columns), if there is one.

    Parameters
    ----------
    view
        Shape (rows, columns) or (rows, columns, 3), 8 bits.
    """
    if view.ndim == 2:
        return None
    colours = cv2.split(view)
    busy = [int(np.count_nonzero(_strokes(colour) >= FAINTEST)) for colour in colours]
    calmest = int(np.argmin(busy))
    return colours[calmest] if _MUCH_CALMER * busy[calmest] < max(busy) else None


def _strokes(view: NDArray[Any]) -> NDArray[Any]:
    """Return by how much each pixel stands out, bright or dark, in the colour in which it does so most."""
    bright, dark = strokes_of(view)
    return np.asarray(cv2.max(bright, dark))


def areas_of(boxes: Iterable[Box], rows: int, columns: int) -> list[Box]:
    """Join boxes that are cheaper looked at together; the whole frame when they fill most of it."""
    merged = joined_where_cheaper(boxes)
    if sum(box.area for box in merged) >= 0.8 * rows * columns:
        return [Box(0, 0, columns, rows)]
    return merged
