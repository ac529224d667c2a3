"""What is to be filled: boxes around text that goes, widened, parted from text that stays, and united."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from rapidfuzz.distance import OSA, Hamming

from deid.pixels.find.candidates import corners_of
from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import FoundRegion, TextRegion


#: A slanted text is filled in steps of so many rows at least, by so many boxes at most.
_LEAST_ROWS = 3
_MOST_STEPS = 64
#: What is explained by other texts: how surely they were read, of how many signs, different ones for a code;
#: how much of it they cover, how high it is at least beside them; from when on it reads as something, and
#: clearly.
_SURELY, _LEAST_SIGNS = 0.95, 3
_MOST_OF_IT, _LEAST_HEIGHT = 0.8, 0.4
_READABLE, _CLEARLY, _PAIR = 0.5, 0.9, 2
#: How much of it they cover where it reads clearly as a piece of them each time.
_MUCH_OF_IT = 0.6
#: A box of one line is as long as a third of its height for each sign, or longer; how much of a piece it holds.
#: How much of one in another frame.
_SIGNS_WIDE, _NEARLY_ALL, _MOST_OF_GROWN = 3, 0.9, 0.75
#: Signs by which a piece may lie elsewhere in its line than its letters, as these are of different widths.
_OFF = 1.5
#: What letters are upside down, of those that are others then.
_UPSIDE_DOWN = str.maketrans("69MWnudpbq", "96WMundpqb")
#: A region of several lines is so much higher than a line that is left out of it, but for its rim: a line is so
#: many rims high.
_SEVERAL_LINES, _RIM = 1.5, 5


class Margins(NamedTuple):
    """How far a found region is widened on each side before it is filled.

    So many `pixels`, and these shares of its shorter side `along` the line of text and `across` it, but
    no more than `most_along` and `most_across` pixels: a large region is not all lettering.
    """

    pixels: int
    along: float
    across: float
    most_along: int = 48
    most_across: int = 16

    def of(self, short: float) -> tuple[int, int]:
        """Return the margins along and across for a region whose shorter side is that long."""
        along = min(round(self.along * short), self.most_along)
        return self.pixels + along, self.pixels + min(round(self.across * short), self.most_across)


@dataclass(frozen=True, slots=True)
class Filling:
    """A box to fill in every frame that shows something there, and why.

    `frames` are those that text was found in, counted from 0, which are filled in any case; rules
    have none. Where it `is_exact`, no other frame is looked at.
    """

    box: Box
    why: str
    frames: frozenset[int] = frozenset()
    is_exact: bool = False


def widened(box: Box, margins: Margins, neighbours: Sequence[Box] = ()) -> Box:
    """Return the box with its margins; towards a text that stays a narrow one, or none."""
    margin = margins.pixels
    wide, tall = margins.of(min(box.width, box.height))
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


def filled_for(
    region: TextRegion, margins: Margins, neighbours: Sequence[Box], rows: int, columns: int
) -> Iterator[Box]:
    """Yield what is filled for a region: its box with margins, or steps along a text that lies slanted.

    Of a code no letter is cut off, so that its margins are narrow.
    """
    if region.is_code:
        margins = Margins(margins.pixels, 0, 0)
    if region.outline:
        yield from _steps(_grown(np.array(region.outline, np.float64), margins), rows, columns)
        return
    box = widened(region.box, margins, neighbours).clipped(rows, columns)
    if box is not None:
        yield box


def _grown(corners: NDArray[Any], margins: Margins) -> NDArray[Any]:
    """Return the corners of a rectangle that lies slanted, farther out by its margins."""
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.maximum(np.linalg.norm(sides, axis=1), 1.0)
    wide, tall = margins.of(float(lengths.min()))
    grown: NDArray[Any] = corners.copy()
    for number in range(4):
        much = wide if lengths[number] >= lengths[number - 1] else tall
        step = sides[number] * (much / lengths[number])
        grown[number] -= step
        grown[(number + 1) % 4] += step
    return grown


def _steps(corners: NDArray[Any], rows: int, columns: int) -> Iterator[Box]:
    """Yield upright boxes that cover a convex shape, one below the other."""
    top, bottom = int(np.floor(corners[:, 1].min())), int(np.ceil(corners[:, 1].max()))
    height = max(-(-(bottom - top) // _MOST_STEPS), _LEAST_ROWS)
    for begin in range(top, bottom, height):
        edges = _columns_between(corners, begin, begin + height)
        if edges:
            left, right = int(np.floor(min(edges))), int(np.ceil(max(edges)))
            box = Box(left, begin, right - left + 1, height).clipped(rows, columns)
            if box is not None:
                yield box


def _columns_between(corners: NDArray[Any], top: float, bottom: float) -> list[float]:
    """Return the columns of a shape's corners between two rows, and where its edges cross them."""
    found = [float(column) for column, row in corners if top <= row <= bottom]
    for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        for row in (top, bottom):
            if (one[1] - row) * (other[1] - row) < 0:
                share = (row - one[1]) / (other[1] - one[1])
                found.append(float(one[0] + share * (other[0] - one[0])))
    return found


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


def is_explained(entry: FoundRegion, found: Sequence[FoundRegion]) -> bool:
    """Whether a region that cannot be read shows nothing but pieces of texts that were read surely.

    A piece of a word, or of two lines, is found beside them and reads as nothing, or as the same but for one
    sign. What reads as something that they do not say is not explained.
    """
    region = entry.region
    around = [
        other.region
        for other in found
        if other is not entry
        and other.frame == entry.frame
        and other.region.legibility >= _SURELY
        and sum(map(str.isalnum, other.region.text)) >= _LEAST_SIGNS
        and other.region.box.overlap(region.box)
    ]
    if not around or region.is_code:
        return False
    lowest = min(min(other.box.width, other.box.height) for other in around)
    if min(region.box.width, region.box.height) < _LEAST_HEIGHT * lowest:
        return False
    readings = ((region.text, region.legibility), *region.others)
    said = "".join(_signs(other.text) for other in around)
    is_clear = region.legibility >= _CLEARLY and all(
        len(_signs(text)) >= _LEAST_SIGNS and _signs(text) in said
        for text, legibility in readings
        if legibility >= _READABLE
    )
    shown = _share_of(region.box, [other.box for other in around])
    return shown >= (_MUCH_OF_IT if is_clear else _MOST_OF_IT) and all(
        _is_said(_signs(text), legibility, said) for text, legibility in readings
    )


def _share_of(box: Box, boxes: Sequence[Box]) -> float:
    """Return the share of a box that others cover."""
    shown: NDArray[np.bool_] = np.zeros((box.height, box.width), np.bool_)
    for other in boxes:
        inside = other.moved(-box.left, -box.top).clipped(box.height, box.width)
        if inside is not None:
            shown[inside.top : inside.bottom, inside.left : inside.right] = True
    return float(shown.mean())


def _is_said(signs: str, legibility: float, said: str) -> bool:
    """Whether a piece reads as nothing, as some of what was read, or, not surely, as that but for one sign."""
    if legibility < _READABLE or signs in said:
        return True
    # Of two signs one that was left out, or added, would leave too little to know the text by.
    other = 1 if len(signs) > _PAIR else 0
    return legibility < _CLEARLY and any(
        OSA.distance(signs, said[end - size : end], score_cutoff=1) <= 1
        for size in range(len(signs) - other, len(signs) + other + 1)
        for end in range(size, len(said) + 1)
    )


def is_lettering(entry: FoundRegion, kept: Sequence[FoundRegion]) -> bool:
    """Whether what has the shape of a code is a piece of one line of text that was read surely and stays.

    Letters of a font of single pixels are squares on one grid. Bars read as few different signs.
    """
    region = entry.region
    lines = [
        other.region.box
        for other in kept
        if other.frame == entry.frame
        and other.region.legibility >= _SURELY
        and len(set(_signs(other.region.text))) >= _LEAST_SIGNS
        and 2 * other.region.box.height <= 3 * region.box.height
    ]
    return region.is_code and _share_of(region.box, lines) >= _MOST_OF_IT


def is_of_letters(entry: FoundRegion, kept: Sequence[FoundRegion]) -> bool:
    """Whether a region lies among the letters of one line of text that was read surely and stays.

    No other text can stand there. Such a piece reads as what the line says at that place; or, where it is no
    longer than the line is high, not clearly as several signs: of letters that are set in dots pieces are found
    by themselves, and read as anything.
    """
    region = entry.region
    signs = len(_signs(region.text))
    is_clear = region.legibility >= _CLEARLY and signs >= _PAIR
    errors = int(not is_clear and signs > _PAIR)
    return not region.is_code and any(
        other.frame == entry.frame
        and _is_one_line(other.region)
        and _lies_among(other.region.box, region.box)
        and (
            (not is_clear and max(region.box[2:]) <= min(other.region.box[2:]))
            or _says_there(other.region, region, errors)
        )
        for other in kept
    )


def says_at_its_place(line: TextRegion, piece: TextRegion) -> bool:
    """Whether a text is a piece of a line that was read surely, in this frame or another, and reads as it does.

    The line that grows is cut otherwise in each frame, so that more of the piece may lie beyond it, and through
    a sign: of three and more the first or the last may be another.
    """
    if not piece.box.overlap(line.box):  # as of most pairs, of which a cine may have millions
        return False
    signs = len(_signs(piece.text))
    return (
        _lies_among(line.box, piece.box, _MOST_OF_GROWN)
        and _is_one_line(line)
        and _says_there(line, piece, 0, least=1, at_ends=int(signs >= _LEAST_SIGNS))
    )


def _lies_among(line: Box, piece: Box, much: float = _NEARLY_ALL) -> bool:
    """Whether a place lies in a line, around its middle, so much of it at least."""
    beside = (
        abs(piece.left + piece.right - line.left - line.right)
        if line.width < line.height
        else abs(piece.top + piece.bottom - line.top - line.bottom)
    )
    is_in = piece.overlap(line) >= much * piece.area
    return is_in and 2 * beside <= min(line.width, line.height)


def _is_one_line(region: TextRegion) -> bool:
    """Whether a text was read surely, in a box that is no higher than one line of it."""
    signs = _signs(region.text)
    high, long = sorted((region.box.width, region.box.height))
    # FFS is a word; strokes of a scale read as 1I1.
    least = _PAIR if len(signs) >= _LEAST_SIGNS and signs.isalpha() else _LEAST_SIGNS
    return (
        not region.outline
        and region.legibility >= _SURELY
        and len(set(signs)) >= least
        and _SIGNS_WIDE * long >= len(signs) * high
    )


def _says_there(
    line: TextRegion, piece: TextRegion, errors: int, least: int = _PAIR, at_ends: int = 0
) -> bool:
    """Whether a piece of so many signs at least reads as its line does at about that place, but for errors.

    So many more may be of the first sign or the last.

    Letters stand at their share of the length, from either end, as a line may be read upside down. So may a
    piece: SO in Pos.
    """
    if piece.legibility < _READABLE or len(_signs(piece.text)) < least:
        return False
    box, place, read = line.box, piece.box, line.text.strip()
    at = [number for number, sign in enumerate(read) for _ in _signs(sign)]
    said = _signs(read)
    begin, end, length = (
        (place.left - box.left, place.right - box.left, box.width)
        if box.width >= box.height
        else (place.top - box.top, place.bottom - box.top, box.height)
    )
    sign = length / len(read)
    return any(
        _errors(said[start : start + len(signs)], signs, at_ends) <= errors
        and abs(at[start] * sign - first) <= _OFF * sign
        and abs((at[start + len(signs) - 1] + 1) * sign - last) <= _OFF * sign
        for signs in (_signs(piece.text), _signs(piece.text[::-1].translate(_UPSIDE_DOWN)))
        for start in range(len(said) - len(signs) + 1)
        for first, last in ((begin, end), (length - end, length - begin))
    )


def _errors(said: str, signs: str, at_ends: int) -> int:
    """Return how many signs are others than those that were said, at either end so many not counted."""
    last = len(signs) - at_ends
    return min(
        Hamming.distance(said[at_ends:], signs[at_ends:]),
        Hamming.distance(said[:last], signs[:last]),
    )


def as_code(entry: FoundRegion, filled: Sequence[FoundRegion]) -> TextRegion:
    """Return a region, as a code's where it shows little but a code that is filled, too.

    What was taken for letters there has none that its edge may have cut off.
    """
    region = entry.region
    corners = _corners(region)
    area = cv2.contourArea(corners)
    is_of_code = any(
        other.frame == entry.frame
        and other.region.is_code
        and cv2.intersectConvexConvex(corners, _corners(other.region))[0] >= _MOST_OF_IT * area
        for other in filled
    )
    return replace(region, is_code=True) if is_of_code else region


def _corners(region: TextRegion) -> NDArray[np.float32]:
    return np.array(region.outline, np.float32) if region.outline else corners_of(region.box)


def _signs(text: str) -> str:
    return "".join(sign for sign in text.upper() if sign.isalnum())


def _parted(box: Box, neighbours: Sequence[Box]) -> Box:
    """Return a line's box without what it shares with the lines above and below it that stay.

    Boxes reach beyond their letters, in proportion to the height; so is shared what two have in
    common. Boxes of very different heights are left alone: one of them may be slanted.
    """
    top, bottom = box.top, box.bottom
    for other in neighbours:
        low, high = sorted((box.height, other.height))
        shared = min(box.bottom, other.bottom) - max(box.top, other.top)
        are_lines = box.width >= box.height and other.width >= other.height and high <= 2 * low
        if not (are_lines and box.overlap(other) and 5 * shared <= 3 * low + 1):
            continue
        less = shared * box.height // (box.height + other.height)
        if other.top < box.top:
            top = max(top, box.top + less)
        else:
            bottom = min(bottom, box.bottom - less)
    return Box(box.left, top, box.width, bottom - top)


def without_lines(
    box: Box, region: TextRegion, kept: Sequence[TextRegion], gone: Sequence[TextRegion] = ()
) -> list[Box]:
    """Return what is filled of a box for a region of several lines, without those that were read and stay.

    Not where the region is read clearly itself, as what it says may stand anywhere in it; but where a line
    says the same that goes by itself.
    """
    boxes = [box]
    says = _signs(region.text)
    is_clear = region.legibility >= _CLEARLY and len(says) >= _LEAST_SIGNS
    is_known = any(
        says in _signs(other.text) and _is_one_line(other) and other.box.overlap(region.box)
        for other in gone
        if other is not region
    )
    if region.outline or region.is_code or (is_clear and not is_known):
        return boxes
    high = min(region.box.width, region.box.height)
    for line in kept:
        thick = min(line.box.width, line.box.height)
        if _is_one_line(line) and high >= _SEVERAL_LINES * thick:
            # Boxes reach beyond their letters: what stands there may be another text's.
            letters = line.box.grown(-(thick // _RIM))
            boxes = [part for entry in boxes for part in entry.without(letters)]
    return boxes


def united(fillings: Sequence[Filling], kept: Sequence[Box] = ()) -> list[Filling]:
    """Make one of boxes that share most of the smaller one, as moving text leaves a trail of them.

    Not where one box would cover more of what is kept than they do.
    """
    result: list[Filling] = []
    for filling in sorted(fillings, key=lambda entry: -entry.box.area):
        united = filling
        while True:
            before = united
            same = [
                other
                for other in result
                if other.why == united.why
                and 2 * other.box.overlap(united.box) > min(other.box.area, united.box.area)
            ]
            for other in same:
                if not _covers_more(other.box, united.box, kept):
                    result.remove(other)
                    united = Filling(
                        united.box.joined(other.box), united.why, united.frames | other.frames
                    )
            if united is before:
                break
        result.append(united)
    return result


def _covers_more(one: Box, other: Box, kept: Sequence[Box]) -> bool:
    """Whether the box around two covers more of what is kept than the two do."""
    both = one.joined(other)
    return any(both.overlap(box) > one.overlap(box) + other.overlap(box) for box in kept)
