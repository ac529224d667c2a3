"""What is to be filled: boxes around text that goes, widened, parted from text that stays, and united."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deid.pixels.find.cine import FoundRegion
    from deid.pixels.ports import TextRegion


class Margins(NamedTuple):
    """How far a found region is widened on each side before it is filled.

    So many `pixels`, and these shares of its shorter side `along` the line of text and `across` it.
    """

    pixels: int
    along: float
    across: float


@dataclass(frozen=True, slots=True)
class Filling:
    """A box to fill in every frame that shows something there, and why.

    `frames` are those that text was found in, counted from 0, which are filled in any case; rules
    have none.
    """

    box: Box
    why: str
    frames: frozenset[int] = frozenset()


def widened(box: Box, margins: Margins, neighbours: Sequence[Box] = ()) -> Box:
    """Return the box with its margins; towards a text that stays a narrow one, or none."""
    margin, along, across = margins
    short = min(box.width, box.height)
    wide, tall = margin + round(along * short), margin + round(across * short)
    if box.width < box.height:
        wide, tall = tall, wide
    grown = _parted(box, neighbours)
    for left, top, right, bottom in ((1, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1)):
        for much in (wide if left or right else tall, margin):
            wider = Box(
                grown.left - left * much,
                grown.top - top * much,
                grown.width + (left + right) * much,
                grown.height + (top + bottom) * much,
            )
            if not any(wider.overlap(other) > grown.overlap(other) for other in neighbours):
                grown = wider
                break
    return grown


def carried_over(
    entry: FoundRegion,
    filled: Sequence[FoundRegion],
    judge: Callable[[TextRegion], str | None],
) -> str | None:
    """Return why text is filled that continues one filled in an earlier frame, on the same line.

    Of text that moves only its leading end is new in each frame; the end alone tells nothing.
    """
    box = entry.region.box
    for earlier in filled:
        other = earlier.region.box
        if (
            earlier.frame < entry.frame
            and box.grown(2).overlap(other)
            and abs(box.top - other.top) + abs(box.bottom - other.bottom) <= box.height
        ):
            return judge(earlier.region) or "unreadable"
    return None


def together(
    entry: FoundRegion,
    found: Sequence[FoundRegion],
    judge: Callable[[TextRegion], str | None],
) -> str | None:
    """Return what a piece of text identifies with the next piece of its line, as 27 with FEB 2013.

    None as well when the two cannot be read as one.
    """
    region = entry.region
    for other in found:
        if other is entry or other.frame != entry.frame:
            continue
        first, second = sorted((region, other.region), key=lambda piece: piece.box.left)
        if not _are_neighbours(first.box, second.box):
            continue
        for between in (" ", ""):
            text = f"{first.text}{between}{second.text}"
            why = judge(replace(region, text=text, others=()))
            if why is not None and why != "unreadable":
                return why
    return None


def _are_neighbours(first: Box, second: Box) -> bool:
    """Whether two boxes lie on one upright line, no farther apart than words are."""
    if any(2 * box.height > 3 * box.width for box in (first, second)):
        return False
    low, high = sorted((first.height, second.height))
    shared = min(first.bottom, second.bottom) - max(first.top, second.top)
    gap = second.left - first.right
    return 2 * gap <= low and -gap <= low and 4 * shared >= 3 * low and 2 * low >= high


def _parted(box: Box, neighbours: Sequence[Box]) -> Box:
    """Return a line's box without what it shares with the lines above and below it that stay.

    Boxes reach beyond their letters, in proportion to the height; so is shared what two have in
    common. Boxes of very different heights are left alone: one of them may be slanted.
    """
    for other in neighbours:
        low, high = sorted((box.height, other.height))
        shared = min(box.bottom, other.bottom) - max(box.top, other.top)
        are_lines = box.width >= box.height and other.width >= other.height and high <= 2 * low
        if not (are_lines and box.overlap(other) and 2 * shared < low):
            continue
        less = shared * box.height // (box.height + other.height)
        top = box.top + less if other.top < box.top else box.top
        box = Box(box.left, top, box.width, box.height - less)
    return box


def united(fillings: Sequence[Filling]) -> list[Filling]:
    """Make one of boxes that share most of the smaller one, as moving text leaves a trail of them."""
    kept: list[Filling] = []
    for filling in sorted(fillings, key=lambda entry: -entry.box.area):
        united = filling
        while True:
            same = [
                other
                for other in kept
                if other.why == united.why
                and 2 * other.box.overlap(united.box) > min(other.box.area, united.box.area)
            ]
            if not same:
                break
            for other in same:
                kept.remove(other)
                united = Filling(
                    united.box.joined(other.box), united.why, united.frames | other.frames
                )
        kept.append(united)
    return kept
