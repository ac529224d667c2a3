"""Text in multi-frame instances for the price of a few frames.

The first frame is examined whole. Of each later frame only what is new is looked at: pixels that
are brighter than everything so far at their place (a running maximum), or darker (a running
minimum). Static text is found in the first frame, transient text when it appears, moving text at
every place it visits. What is new is cut out in rectangles, many rectangles are laid side by side
on one sheet, and the detector looks at the sheet.

Where text has been found already nothing needs to be looked at again: a region is filled in every frame
in which it is not flat. And a text that only moved since it was cut out is looked at once: what was found
of it has moved along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.find.codes import codes, may_show_codes
from deid.pixels.find.grown import unseen_codes, unseen_lines
from deid.pixels.find.moving import Shown, displacement
from deid.pixels.find.novelty import SURROUND, Novelty, RunningExtremes
from deid.pixels.find.sheets import GUTTER, laid_out, pages_of
from deid.pixels.geometry import Box, tiles
from deid.pixels.ports import FoundRegion, Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.views import FrameLook, Looks
    from deid.pixels.ports import TextDetector, TextRegion

    Find = Callable[[Sequence[Picture]], list[list[TextRegion]]]

_PART_OVERLAP = 96
#: Share of a frame that, where so much of it is new, is looked at whole: sheets cost more for their size.
_MOST_NEW = 0.5
_EDGE = 4  # text so near to the edge of a part may be cut
#: Columns and rows that a text moves by at most from one frame to a next, and with how many parts that may be
#: it a new one is compared.
_STEP, _MOST_TRIED = (24, 12), 2
#: New pixels that a region of text has at least, that regions may leave out of what is new, and squares of a
#: sheet's side that moved parts take together.
_LEAST_NEW, _MOST_BESIDE, _MOST_MOVED = 10, 3, 4


def find_text(
    looks: Looks,
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
        One per frame, in order; taken one at a time.
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
    return search.finished(looks.again)


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
        self._like_codes: list[tuple[int, Box]] = []
        self._state: tuple[RunningExtremes, _Sheet] | None = None

    def look(self, number: int, look: FrameLook) -> None:
        """Examine a frame, or note what is new in it."""
        if self._state is None:
            self._state = RunningExtremes(look, self._novelty), _Sheet(*look.high.shape)
            self._examine(number, look)
            return
        running, sheet = self._state
        is_new, boxes = running.new_in(look)
        if sum(box.area for box in boxes) >= _MOST_NEW * look.high.size:
            rows, columns = look.high.shape
            running.examined(look, [Box(0, 0, columns, rows)])
            self._examine(number, look)
            return
        running.examined(look, boxes)
        for box in boxes:
            for part in tiles(self._with_kept_texts(box, look), sheet.side, _PART_OVERLAP):
                sheet.add(_Part.of(number, part, look, is_new))
        if sheet.is_full:
            self._add(sheet.found(self._find))

    def _examine(self, number: int, look: FrameLook) -> None:
        """Examine a frame whole."""
        picture = look.picture()
        self._like_codes += [(number, place) for place in may_show_codes(picture.display)]
        self._add([FoundRegion(number, region) for region in self._find([picture])[0]])

    def finished(self, again: Callable[[int], FrameLook]) -> list[FoundRegion]:
        """Examine what is left, and what came in pieces as a whole; return everything found."""
        if self._state is not None:
            _, sheet = self._state
            self._add(sheet.found(self._find))
            for frame, line in unseen_lines([e for e in self._found if self._stays(e)]):
                look = again(frame)
                for part in tiles(_with_surround(line, look), sheet.side, _PART_OVERLAP):
                    sheet.add(_Part.of(frame, part, look, np.zeros(look.high.shape, np.bool_)))
            texts = [entry for entry in self._found if not entry.region.is_code]
            for frame, code in unseen_codes([*self._like_codes, *sheet.like_codes], texts):
                look = again(frame)
                box = _with_surround(code, look)
                found = [
                    _at(region, region.box.moved(*box[:2]), *box[:2])
                    for region in codes(look.part(box))
                ]
                self._found += [FoundRegion(frame, region) for region in found]
            self._add(sheet.found(self._find))
        return self._found

    def _stays(self, entry: FoundRegion) -> bool:
        return not (entry.region.is_code or self._is_resolved(entry.region))

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


def _with_surround(box: Box, look: FrameLook) -> Box:
    return box.grown(*SURROUND).clipped(*look.high.shape) or box


class _Sheet:
    """Rectangles cut from frames, to be laid out in shelves on one picture.

    Attributes
    ----------
    like_codes
        Frames, and boxes in them, of all that was laid out so far, that may show a code or a piece of one.
    """

    def __init__(self, rows: int, columns: int) -> None:
        # Small frames are enlarged by the detector; their sheets must be small too. Larger ones are as
        # large as the default detector looks at without cutting them.
        self.side = 640 if max(rows, columns) < 700 else 736
        self._size = rows, columns
        self.like_codes: list[tuple[int, Box]] = []
        self._parts: list[_Part] = []

    @property
    def is_full(self) -> bool:
        """Whether the rectangles would cover a square of the side, with what shelves waste."""
        needed = sum((part.box.width + GUTTER) * (part.box.height + GUTTER) for part in self._parts)
        held = sum(moved.box.area for part in self._parts for moved, _ in part.moved)
        return needed >= self.side**2 or held >= _MOST_MOVED * self.side**2

    def add(self, part: _Part) -> None:
        """Add what is new in a frame, or what only moved since a part that is still to be examined."""
        for number in self._near(part.box):
            other = self._parts[number]
            is_less = part.shown.new <= other.shown.new
            whole, piece = (other, part) if is_less else (part, other)
            by = displacement(whole.shown, piece.shown)
            if by is not None:
                self._parts[number] = whole.showing(piece, by, last=part.box)
                return
        self._parts.append(part)

    def _near(self, box: Box) -> Iterator[int]:
        """Yield the last parts from where something may have moved to a box in a frame or two."""
        near = (
            number
            for number in reversed(range(len(self._parts)))
            if self._parts[number].last.grown(*_STEP).overlap(box)
        )
        return islice(near, _MOST_TRIED)

    def found(self, find: Find) -> list[FoundRegion]:
        """Lay out what was added on as many pictures as it needs, examine them, and begin anew."""
        parts, self._parts = self._parts, []
        pairs: list[tuple[FoundRegion, Box]] = []
        while parts:
            seen: list[tuple[FoundRegion, _Part]] = []
            for page in pages_of([part.box for part in parts], self.side):
                seen += self._on_page([parts[number] for number in page], find)
            self.like_codes += [
                (part.frame, place.moved(part.box.left, part.box.top))
                for part in parts
                for place in may_show_codes(part.picture.display)
            ]
            pairs += [(entry, part.box) for entry, part in seen]
            left: list[_Part] = []
            for part in parts:
                own = [entry.region for entry, other in seen if other is part]
                for moved, by in part.moved:
                    along = self._moved_along(own, by, moved.shown)
                    if moved.shown.new_beside(region.box for region in along) <= _MOST_BESIDE:
                        pairs += [(FoundRegion(moved.frame, region), moved.box) for region in along]
                    else:
                        left.append(moved)
            parts = left
        return _without_pieces(pairs)

    def _moved_along(
        self, regions: Iterable[TextRegion], by: tuple[int, int], shown: Shown
    ) -> list[TextRegion]:
        """Return the regions of an earlier part of which something is new where they are in a later one."""
        boxes = ((region, region.box.moved(*by).clipped(*self._size)) for region in regions)
        return [
            _at(region, box, *by)
            for region, box in boxes
            if box is not None and shown.new_within(box) >= _LEAST_NEW
        ]

    def _on_page(self, parts: Sequence[_Part], find: Find) -> Iterator[tuple[FoundRegion, _Part]]:
        """Examine parts on one picture."""
        places, rows, columns = laid_out([part.box for part in parts], self.side)
        display = np.zeros((rows, columns, 3), np.uint8)
        has_contrast = any(part.picture.contrast is not None for part in parts)
        contrast = np.full((rows, columns), 127, np.uint8) if has_contrast else None
        for part, place in zip(parts, places, strict=True):
            cell = _cell_of(place, places, rows, columns)
            _lay(part.picture.display, display, cell)
            if contrast is not None and part.picture.contrast is not None:
                _lay(part.picture.contrast, contrast, cell)
        pixels = self._size[0] * self._size[1]
        for region in find([Picture(display, contrast, pixels, places)])[0]:
            yield from _moved_back(region, parts, places)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a box of a frame shows, and parts of other frames that show of it, elsewhere, what is new there."""

    frame: int
    picture: Picture
    shown: Shown
    last: Box  # where that was seen last
    moved: Sequence[tuple[_Part, tuple[int, int]]] = ()

    @classmethod
    def of(cls, frame: int, box: Box, look: FrameLook, is_new: NDArray[np.bool_]) -> _Part:
        return cls(frame, look.part(box), Shown.of(look, is_new, box), box)

    @property
    def box(self) -> Box:
        return self.shown.box

    def showing(self, other: _Part, by: tuple[int, int], *, last: Box) -> _Part:
        """Return this part, which shows what is new in another and in those that show that elsewhere."""
        moved = [(part, (by[0] + right, by[1] + down)) for part, (right, down) in other.moved]
        return replace(self, last=last, moved=(*self.moved, (replace(other, moved=()), by), *moved))


def _lay(shown: NDArray[Any], page: NDArray[Any], cell: Box) -> None:
    """Put what a part shows at the beginning of a cell, and in the rest what lies at its edge, mirrored.

    As one level, or black, the rest would make a line of letters of a low part of speckle.
    """
    rows, columns = shown.shape[:2]
    beside, below = SURROUND
    own = page[cell.top : cell.bottom, cell.left : cell.right]
    own[:rows, :columns] = shown
    if cell.width > columns:
        edge = shown[:, -beside:]
        own[:rows, columns:] = _mirrored(edge, rows, edge.shape[1] + cell.width - columns)[
            :, edge.shape[1] :
        ]
    if cell.height > rows:
        edge = own[max(rows - below, 0) : rows]
        own[rows:] = _mirrored(edge, edge.shape[0] + cell.height - rows, cell.width)[
            edge.shape[0] :
        ]


def _mirrored(shown: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Return a picture of so many rows and columns that goes on as mirror images of itself."""
    more = rows - shown.shape[0], columns - shown.shape[1]
    return np.asarray(cv2.copyMakeBorder(shown, 0, more[0], 0, more[1], cv2.BORDER_REFLECT))


def _cell_of(place: Box, places: Sequence[Box], rows: int, columns: int) -> Box:
    """Return a place with all that lies between it and the next on its shelf, and the next shelf."""
    right = min(
        (p.left for p in places if p.top == place.top and p.left > place.left), default=columns
    )
    bottom = min((p.top for p in places if p.top > place.top), default=rows)
    return Box(place.left, place.top, right - place.left, bottom - place.top)


def _moved_back(
    region: TextRegion, parts: Sequence[_Part], places: Sequence[Box]
) -> Iterator[tuple[FoundRegion, _Part]]:
    """Yield where a region of the sheet lies in frames, each with the part it is in."""
    for part, placed in zip(parts, places, strict=True):
        shared = region.box.overlap(placed)
        if shared * 4 < region.box.area:
            continue
        # Only what is inside this place: what is beyond belongs to a neighbour on the sheet.
        inside = region.box.moved(-placed.left, -placed.top).clipped(placed.height, placed.width)
        if inside is not None:
            right, down = part.box.left - placed.left, part.box.top - placed.top
            box = inside.moved(part.box.left, part.box.top)
            yield FoundRegion(part.frame, _at(region, box, right, down)), part


def _at(region: TextRegion, box: Box, right: int, down: int) -> TextRegion:
    outline = tuple((column + right, row + down) for column, row in region.outline)
    return replace(region, box=box, outline=outline)


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
