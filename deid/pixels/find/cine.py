"""Text in multi-frame instances for the price of a few frames.

The first frame is examined whole. Of each later frame only what is new is looked at: pixels that
are brighter than everything so far at their place (a running maximum), or darker (a running
minimum). Static text is found in the first frame, transient text when it appears, moving text at
every place it visits. What is new is cut out in rectangles, many rectangles are laid side by side
on one sheet, and the detector looks at the sheet.

The running extremes fade slowly, so that text which appears late where anatomy was once as bright
is new again. Where text has been found already nothing needs to be looked at again: a region is
filled in every frame in which it is not flat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.find.sheets import GUTTER, LINE_GUTTER, edge_level, laid_out, pages_of
from deid.pixels.geometry import Box, joined_where_cheaper, tiles
from deid.pixels.ports import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.views import FrameLook
    from deid.pixels.ports import TextDetector, TextRegion

    Find = Callable[[Sequence[Picture]], list[list[TextRegion]]]

_CELL = 16
_PART_OVERLAP = 96
_SURROUND = 24, 12  # columns, rows: detectors want a little of what is beside a text
_EDGE = 4  # text so near to the edge of a part may be cut


@dataclass(frozen=True, slots=True)
class Novelty:
    """The figures that decide what is new.

    Attributes
    ----------
    levels
        A pixel is new when it passes the running extreme by more than this, in display levels
        (0 to 255).
    pixels
        A cell of 16 x 16 is new when it holds at least this many new pixels.
    fade
        Display levels by which the running extremes move back towards the frame, per frame.
    few_frames
        Up to this many frames each frame is examined whole.
    """

    levels: int = 20
    pixels: int = 10
    fade: float = 0.5
    few_frames: int = 3


@dataclass(frozen=True, slots=True)
class FoundRegion:
    """A text region and the frame it was found in, counted from 0."""

    frame: int
    region: TextRegion


def find_text(
    looks: Iterable[FrameLook],
    detector: TextDetector,
    *,
    frames: int,
    novelty: Novelty | None = None,
    needs_reading: bool = True,
    is_resolved: Callable[[TextRegion], bool] = lambda _: True,
) -> list[FoundRegion]:
    """Return the text regions of all frames.

    Parameters
    ----------
    looks
        One per frame, in order; consumed one at a time.
    frames
        How many there are.
    needs_reading
        Whether the texts are wanted, too, and not only their places.
    is_resolved
        Whether the place of a region needs no further look (it will be filled); a region that is
        kept may show something else in a later frame.
    """
    novelty = novelty or Novelty()
    find = partial(detector.find, needs_reading=needs_reading)
    if frames <= novelty.few_frames:
        return list(_in_each(looks, find))
    search = _Search(find, novelty, is_resolved)
    for number, look in enumerate(looks):
        search.look(number, look)
    return search.finished()


def _in_each(looks: Iterable[FrameLook], find: Find) -> Iterator[FoundRegion]:
    """Examine each frame whole."""
    number = 0
    for look in looks:
        picture = look.picture()
        del look  # and the samples with it, which are not needed while it is looked at
        for region in find([picture])[0]:
            yield FoundRegion(number, region)
        number += 1  # noqa: SIM113 - `enumerate` would hold what is looked at


class _Search:
    """What has been found so far, and what is still to be examined."""

    def __init__(
        self,
        find: Find,
        novelty: Novelty,
        is_resolved: Callable[[TextRegion], bool],
    ) -> None:
        self._find, self._novelty, self._is_resolved = find, novelty, is_resolved
        self._found: list[FoundRegion] = []
        self._kept: list[Box] = []
        self._state: tuple[_RunningExtremes, _Sheet] | None = None

    def look(self, number: int, look: FrameLook) -> None:
        """Examine a frame, or note what is new in it."""
        if self._state is None:
            self._state = _RunningExtremes(look, self._novelty), _Sheet(*look.high.shape)
            regions = self._find([look.picture()])[0]
            self._add([FoundRegion(number, region) for region in regions])
            return
        running, sheet = self._state
        for box in running.new_boxes(look):
            for part in tiles(self._with_kept_texts(box, look), sheet.side, _PART_OVERLAP):
                sheet.add(number, part, look)
        if sheet.is_full:
            self._add(sheet.found(self._find))

    def finished(self) -> list[FoundRegion]:
        """Examine what is left and return everything found."""
        if self._state is not None:
            self._add(self._state[1].found(self._find))
        return self._found

    def _add(self, found: list[FoundRegion]) -> None:
        assert self._state is not None
        self._found += found
        regions = [entry.region for entry in found]
        self._state[0].forget(region.box for region in regions if self._is_resolved(region))
        self._kept += [region.box for region in regions if not self._is_resolved(region)]

    def _with_kept_texts(self, box: Box, look: FrameLook) -> Box:
        # A text that was read and kept must not be cut when something changes beside it.
        for kept in self._kept:
            if kept.overlap(box):
                box = box.joined(kept.grown(6))
        rows, columns = look.high.shape
        return box.clipped(rows, columns) or box


class _RunningExtremes:
    """The brightest and darkest that each pixel has been, less what has faded."""

    def __init__(self, look: FrameLook, novelty: Novelty) -> None:
        self._novelty = novelty
        self._high, self._low = look.high.copy(), look.low.copy()
        self._level = look.level
        self._faded = 0.0
        self._is_open: NDArray[Any] = np.ones(self._high.shape, np.bool_)

    def forget(self, boxes: Iterable[Box]) -> None:
        """Look no more at places that will be filled."""
        rows, columns = self._is_open.shape
        for box in boxes:
            inside = box.grown(1).clipped(rows, columns)
            if inside is not None:
                self._is_open[inside.top : inside.bottom, inside.left : inside.right] = False

    def new_boxes(self, look: FrameLook) -> list[Box]:
        """Return the boxes of what is new in this frame, and remember it."""
        self._level = max(self._level, look.level)
        margin = self._novelty.levels * self._level
        if look.high.dtype.kind != "f":
            margin = math.floor(margin)  # compared with whole numbers, and several times as fast
        is_new: NDArray[Any] = cv2.subtract(look.high, self._high) > margin
        is_new |= cv2.subtract(self._low, look.low) > margin
        is_new &= self._is_open
        step: Any = self._fade()
        if step:
            self._high, self._low = cv2.subtract(self._high, step), cv2.add(self._low, step)
        self._high, self._low = cv2.max(self._high, look.high), cv2.min(self._low, look.low)
        return _boxes_of(is_new, self._novelty.pixels)

    def _fade(self) -> float:
        """Return how far to fade now: whole values, as samples are."""
        self._faded += self._novelty.fade * self._level
        step = float(int(self._faded))
        self._faded -= step
        return step


def _boxes_of(is_new: NDArray[np.bool_], pixels: int) -> list[Box]:
    rows, columns = is_new.shape
    padded = np.zeros((-(-rows // _CELL) * _CELL, -(-columns // _CELL) * _CELL), np.uint8)
    padded[:rows, :columns] = is_new
    busy = _busy_cells(padded, pixels)
    if not busy.any():
        return []
    joined = cv2.dilate(busy, np.ones((1, 5), np.uint8))  # across words
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = []
    for label in range(1, count):
        left, top, width, height = (int(number) for number in stats[label][:4])
        own = (labels[top : top + height, left : left + width] == label).astype(np.uint8)
        area = Box(left * _CELL, top * _CELL, width * _CELL, height * _CELL)
        inside = _around(padded[area.top : area.bottom, area.left : area.right], own)
        box = inside.moved(area.left, area.top).grown(*_SURROUND).clipped(rows, columns)
        if box is not None:
            boxes.append(box)
    return joined_where_cheaper(boxes)


def _busy_cells(new: NDArray[np.uint8], pixels: int) -> NDArray[Any]:
    """Return the cells of 16 x 16 that hold at least so many pixels that are 1, as 0 and 1."""
    rows, columns = new.shape
    bands = new.reshape(rows // _CELL, _CELL, columns).sum(axis=1, dtype=np.uint8)
    counts = bands.reshape(rows // _CELL, columns // _CELL, _CELL).sum(axis=2, dtype=np.uint16)
    busy: NDArray[Any] = (counts >= pixels).astype(np.uint8)
    return busy


def _around(new: NDArray[np.uint8], cells: NDArray[np.uint8]) -> Box:
    """Return the smallest box around the new pixels in those cells."""
    rows, columns = new.shape
    mask = cv2.resize(cells, (columns, rows), interpolation=cv2.INTER_NEAREST)
    left, top, width, height = cv2.boundingRect(cv2.bitwise_and(new, mask))
    return Box(left, top, width, height)


class _Sheet:
    """Rectangles cut from frames, to be laid out in shelves on one picture."""

    def __init__(self, rows: int, columns: int) -> None:
        # Small frames are enlarged by the detector; their sheets must be small too. Larger ones are as
        # large as the default detector looks at without cutting them.
        self.side = 640 if max(rows, columns) < 700 else 736
        self._pixels = rows * columns
        self._parts: list[_Part] = []

    @property
    def is_full(self) -> bool:
        """Whether the rectangles would cover a square of the side, with what shelves waste."""
        needed = sum((part.box.width + GUTTER) * (part.box.height + GUTTER) for part in self._parts)
        return needed >= self.side**2

    def add(self, frame: int, box: Box, look: FrameLook) -> None:
        """Copy the box of a frame."""
        self._parts.append(_Part(frame, box, look.part(box)))

    def found(self, find: Find) -> list[FoundRegion]:
        """Lay out what was added on as many pictures as it needs, examine them, and begin anew."""
        if not self._parts:
            return []
        parts, self._parts = self._parts, []
        pairs: list[tuple[FoundRegion, Box]] = []
        for page in pages_of([part.box for part in parts], self.side):
            pairs += self._on_page([parts[number] for number in page], find)
        return _without_pieces(pairs)

    def _on_page(self, parts: Sequence[_Part], find: Find) -> Iterator[tuple[FoundRegion, Box]]:
        """Examine parts on one picture."""
        places, rows, columns = laid_out([part.box for part in parts], self.side)
        display = np.zeros((rows, columns, 3), np.uint8)
        contrast: NDArray[Any] | None = None
        for part, place in zip(parts, places, strict=True):
            area = slice(place.top, place.bottom), slice(place.left, place.right)
            around = place.grown(GUTTER // 2, LINE_GUTTER // 2).clipped(rows, columns) or place
            display[around.top : around.bottom, around.left : around.right] = edge_level(
                part.picture.display
            )
            display[area] = part.picture.display
            if part.picture.contrast is not None:
                if contrast is None:
                    contrast = np.full((rows, columns), 127, np.uint8)
                contrast[area] = part.picture.contrast
        for region in find([Picture(display, contrast, self._pixels)])[0]:
            yield from _moved_back(region, parts, places)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a box of a frame shows."""

    frame: int
    box: Box
    picture: Picture


def _moved_back(
    region: TextRegion, parts: Sequence[_Part], places: Sequence[Box]
) -> Iterator[tuple[FoundRegion, Box]]:
    """Yield where a region of the sheet lies in frames, each with the box of the part it is in."""
    for part, placed in zip(parts, places, strict=True):
        shared = region.box.overlap(placed)
        if shared * 4 < region.box.area:
            continue
        # Only what is inside this place: what is beyond belongs to a neighbour on the sheet.
        inside = region.box.moved(-placed.left, -placed.top).clipped(placed.height, placed.width)
        if inside is not None:
            back = inside.moved(part.box.left, part.box.top)
            right, down = part.box.left - placed.left, part.box.top - placed.top
            outline = tuple((column + right, row + down) for column, row in region.outline)
            yield FoundRegion(part.frame, replace(region, box=back, outline=outline)), part.box


def _without_pieces(found: Sequence[tuple[FoundRegion, Box]]) -> list[FoundRegion]:
    """Leave out text that the edge of a part cut where another part of the frame showed it whole.

    Half a word reads as another one, which is not in the vocabulary.
    """
    whole = [entry for entry, part in found if part.grown(-_EDGE).contains(entry.region.box)]
    return [
        entry
        for entry, part in found
        if part.grown(-_EDGE).contains(entry.region.box)
        or not any(_is_piece_of(entry, other) for other in whole)
    ]


def _is_piece_of(entry: FoundRegion, other: FoundRegion) -> bool:
    box, larger = entry.region.box, other.region.box
    return (
        entry.frame == other.frame
        and larger.area > box.area
        and 10 * box.overlap(larger) >= 8 * box.area
    )
