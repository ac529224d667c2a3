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

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.geometry import Box, tiles
from deid.pixels.ports import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from deid.pixels.ports import TextDetector, TextRegion
    from deid.pixels.views import FrameLook

_CELL = 16
_PART_OVERLAP = 96
_SURROUND = 20
_GUTTER = 40  # less is read as a space between words


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
    is_resolved: Callable[[TextRegion], bool] = lambda _: True,
) -> list[FoundRegion]:
    """Return the text regions of all frames.

    Parameters
    ----------
    looks
        One per frame, in order; consumed one at a time.
    frames
        How many there are.
    is_resolved
        Whether the place of a region needs no further look (it will be filled); a region that is
        kept may show something else in a later frame.
    """
    novelty = novelty or Novelty()
    if frames <= novelty.few_frames:
        return [
            FoundRegion(number, region)
            for number, look in enumerate(looks)
            for region in detector.find([look.picture()])[0]
        ]
    search = _Search(detector, novelty, is_resolved)
    for number, look in enumerate(looks):
        search.look(number, look)
    return search.finished()


class _Search:
    """What has been found so far, and what is still to be examined."""

    def __init__(
        self,
        detector: TextDetector,
        novelty: Novelty,
        is_resolved: Callable[[TextRegion], bool],
    ) -> None:
        self._detector, self._novelty, self._is_resolved = detector, novelty, is_resolved
        self._found: list[FoundRegion] = []
        self._kept: list[Box] = []
        self._state: tuple[_RunningExtremes, _Sheet] | None = None

    def look(self, number: int, look: FrameLook) -> None:
        """Examine a frame, or note what is new in it."""
        if self._state is None:
            self._state = _RunningExtremes(look, self._novelty), _Sheet(*look.high.shape)
            regions = self._detector.find([look.picture()])[0]
            self._add([FoundRegion(number, region) for region in regions])
            return
        running, sheet = self._state
        for box in running.new_boxes(look):
            for part in tiles(self._with_kept_texts(box, look), sheet.side, _PART_OVERLAP):
                if not sheet.place(number, part, look):
                    self._add(list(sheet.found(self._detector)))
                    sheet.place(number, part, look)

    def finished(self) -> list[FoundRegion]:
        """Examine what is left and return everything found."""
        if self._state is not None:
            self._add(list(self._state[1].found(self._detector)))
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
        self._resolved: NDArray[Any] = np.zeros(self._high.shape, np.bool_)

    def forget(self, boxes: Iterable[Box]) -> None:
        """Look no more at places that will be filled."""
        rows, columns = self._resolved.shape
        for box in boxes:
            inside = box.grown(1).clipped(rows, columns)
            if inside is not None:
                self._resolved[inside.top : inside.bottom, inside.left : inside.right] = True

    def new_boxes(self, look: FrameLook) -> list[Box]:
        """Return the boxes of what is new in this frame, and remember it."""
        self._level = max(self._level, look.level)
        margin = self._novelty.levels * self._level
        is_new: NDArray[Any] = cv2.subtract(look.high, self._high) > margin
        is_new |= cv2.subtract(self._low, look.low) > margin
        is_new &= ~self._resolved
        step: Any = self._fade()
        self._high = cv2.max(cv2.subtract(self._high, step), look.high)
        self._low = cv2.min(cv2.add(self._low, step), look.low)
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
    cells = padded.reshape(padded.shape[0] // _CELL, _CELL, padded.shape[1] // _CELL, _CELL)
    busy = (cells.sum(axis=(1, 3), dtype=np.int32) >= pixels).astype(np.uint8)
    if not busy.any():
        return []
    joined = cv2.dilate(busy, np.ones((1, 5), np.uint8))  # across words
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = []
    for rectangle in stats[1:count]:
        left, top, width, height = (int(number) for number in rectangle[:4])
        cell_box = Box(left * _CELL, top * _CELL, width * _CELL, height * _CELL)
        inside = cell_box.grown(_SURROUND).clipped(rows, columns)
        if inside is not None:
            boxes.append(inside)
    return _merged(boxes)


def _merged(boxes: list[Box]) -> list[Box]:
    merged: list[Box] = []
    for box in sorted(boxes, key=lambda found: (found.top, found.left)):
        wide = box
        while True:
            touching = [other for other in merged if other.overlap(wide)]
            if not touching:
                break
            for other in touching:
                merged.remove(other)
                wide = wide.joined(other)
        merged.append(wide)
    return merged


class _Sheet:
    """Rectangles cut from frames, laid out in shelves on one square picture."""

    def __init__(self, rows: int, columns: int) -> None:
        # Small frames are enlarged by the detector; their sheets must be small too.
        self.side = 640 if max(rows, columns) < 700 else 960
        self._clear()

    def _clear(self) -> None:
        self._display = np.zeros((self.side, self.side, 3), np.uint8)
        self._contrast: NDArray[Any] | None = None
        self._entries: list[tuple[int, Box, int, int]] = []
        self._left = self._top = self._shelf = 0

    def place(self, frame: int, box: Box, look: FrameLook) -> bool:
        """Copy the box of a frame onto the sheet; False when there is no room."""
        left, top, shelf = self._left, self._top, self._shelf
        if left + box.width > self.side:
            left, top, shelf = 0, top + shelf + _GUTTER, 0
        if top + box.height > self.side:
            return False
        part = look.part(box)
        area = slice(top, top + box.height), slice(left, left + box.width)
        self._display[area] = part.display
        if part.contrast is not None:
            if self._contrast is None:
                self._contrast = np.full((self.side, self.side), 127, np.uint8)
            self._contrast[area] = part.contrast
        self._entries.append((frame, box, left, top))
        self._left, self._top = left + box.width + _GUTTER, top
        self._shelf = max(shelf, box.height)
        return True

    def found(self, detector: TextDetector) -> Iterator[FoundRegion]:
        """Examine the sheet, then clear it."""
        entries = self._entries
        if not entries:
            return
        used_rows = max(top + box.height for _, box, _, top in entries)
        used_columns = max(left + box.width for _, box, left, _ in entries)
        used = slice(used_rows), slice(used_columns)
        sheet = Picture(
            np.ascontiguousarray(self._display[used]),
            None if self._contrast is None else np.ascontiguousarray(self._contrast[used]),
        )
        regions = detector.find([sheet])[0]
        self._clear()
        for region in regions:
            yield from _moved_back(region, entries)


def _moved_back(
    region: TextRegion, entries: Iterable[tuple[int, Box, int, int]]
) -> Iterator[FoundRegion]:
    for frame, box, left, top in entries:
        placed = Box(left, top, box.width, box.height)
        shared = region.box.overlap(placed)
        if shared * 4 < region.box.area:
            continue
        # Only the part inside this entry: what is beyond belongs to a neighbour on the sheet.
        inside = Box(
            region.box.left - left, region.box.top - top, region.box.width, region.box.height
        ).clipped(box.height, box.width)
        if inside is not None:
            yield FoundRegion(frame, replace(region, box=inside.moved(box.left, box.top)))
