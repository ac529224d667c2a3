"""What pieces of one line identify together, though none of them does alone: 27 and FEB 2013, 4 7 1 1 0 8 1 5.

Labels and values stand in columns, letters are set apart, and a detector finds each by itself. A line may lie,
or stand as on the edge of a film: then it is read upwards or downwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from deid.pixels.burned_dates import DATE
from deid.pixels.geometry import Box
from deid.pixels.harmless import says_what_it_is

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from deid.pixels.ports import FoundRegion, TextRegion

    Judge = Callable[[TextRegion], str | None]

#: In heights, how far apart words of a line are, and what may still be one text.
_BESIDE: Final = 0.5
_APART: Final = 3.0
#: Pieces that are judged as one: a number has so many figures.
_MOST_PIECES: Final = 12
#: Signs of a piece that may stand as high as it is wide, or higher, in a line that lies.
_FEW_SIGNS: Final = 2
#: Reasons that tell of no person.
_NOBODY: Final = frozenset({None, "unreadable"})


def together(entry: FoundRegion, found: Sequence[FoundRegion], judge: Judge) -> str | None:
    """Return what a piece of text identifies with the next piece of its line, as 27 with FEB 2013.

    None as well when the two cannot be read as one.
    """
    region = entry.region
    says_itself = says_what_it_is(region.text)
    for other in found:
        if other is entry or other.frame != entry.frame:
            continue
        if says_itself and judge(other.region) not in _NOBODY:
            continue  # it is the other that identifies, as a record number beside a tube voltage
        for first, second in _orders(region, other.region):
            for between in (" ", ""):
                text = f"{first.text}{between}{second.text}"
                why = judge(replace(region, text=text, others=()))
                if why not in _NOBODY:
                    return why
    return None


def is_in_company(entry: FoundRegion, found: Sequence[FoundRegion], judge: Judge) -> bool:
    """Whether a piece that tells nothing by itself stays with the next piece of its line: Page and 1/3.

    Of words that are names as well numbers and other words tell that they are none.
    """
    region = entry.region
    return not region.is_code and any(
        judge(replace(region, text=f"{first.text} {second.text}", others=())) is None
        for other in found
        if other is not entry and other.frame == entry.frame and judge(other.region) is None
        for first, second in _orders(region, other.region)
    )


def _orders(one: TextRegion, other: TextRegion) -> Iterator[tuple[TextRegion, TextRegion]]:
    """Yield the orders in which two pieces beside each other may be read: none where they are not."""
    first, second = sorted((one, other), key=lambda piece: piece.box.left)
    if _follows(first, second, _BESIDE) and not (_stands(first) or _stands(second)):
        yield first, second
    first, second = sorted((one, other), key=lambda piece: piece.box.top)
    if _stands(first) and _stands(second) and _follows(first, second, _BESIDE, is_standing=True):
        yield first, second
        yield second, first


def identified_in_lines(found: Sequence[FoundRegion], judge: Judge) -> dict[int, str]:
    """Return what pieces identify as parts of longer texts, by their places in `found`.

    Of such texts none is part of another: what stands beside a text that identifies alone is no piece of it.
    """
    frames: dict[int, list[tuple[int, TextRegion]]] = {}
    for number, entry in enumerate(found):
        if not entry.region.is_code:
            frames.setdefault(entry.frame, []).append((number, entry.region))
    reasons: dict[int, str] = {}
    for pieces in frames.values():
        for is_standing in (False, True):
            for line in _lines(pieces, is_standing=is_standing):
                for ordered in (line, line[::-1])[: 1 + is_standing]:
                    for run, why in _identifying(ordered, judge):
                        reasons.update(dict.fromkeys(run - reasons.keys(), why))
    return reasons


def _lines(
    pieces: Iterable[tuple[int, TextRegion]], *, is_standing: bool
) -> Iterator[list[tuple[int, TextRegion]]]:
    """Yield the pieces of a frame that follow each other along a line, in their order."""
    left = sorted(
        (piece for piece in pieces if _lies_so(piece[1], is_standing=is_standing)),
        key=lambda piece: piece[1].box.top if is_standing else piece[1].box.left,
    )
    while left:
        line = left[:1]
        others: list[tuple[int, TextRegion]] = []
        for piece in left[1:]:
            is_next = _follows(line[-1][1], piece[1], _APART, is_standing=is_standing)
            (line if is_next else others).append(piece)
        left = others
        if len(line) > 1:
            yield line


def _identifying(
    line: Sequence[tuple[int, TextRegion]], judge: Judge
) -> Iterator[tuple[set[int], str]]:
    """Yield the shortest runs of pieces that identify somebody, with the rest of the text, and each reason."""
    regions = [region for _, region in line]
    reasons = [judge(region) for region in regions]
    taken = [why not in _NOBODY for why in reasons]
    runs = [(slice(at, at + 1), why) for at, why in enumerate(reasons) if why and taken[at]]
    for length in range(2, min(len(line), _MOST_PIECES) + 1):
        for start in range(len(line) - length + 1):
            run = slice(start, start + length)
            if any(taken[run]):
                continue
            why = _what_is_identified(regions[run], judge)
            if why is not None:
                taken[run] = [True] * length
                runs.append((run, why))
    for run, why in runs:
        wide = _with_all_of_it(regions, run)
        if wide.stop - wide.start > 1:
            yield {number for number, _ in line[wide]}, why


def _what_is_identified(pieces: Sequence[TextRegion], judge: Judge) -> str | None:
    """Return why pieces as one text identify somebody; the figures of a scale are no number."""
    are_signs = all(map(_is_sign, pieces))
    why = judge(_joined(pieces, between="" if are_signs else " "))
    return None if why in _NOBODY or (are_signs and why != "known_identifier") else why


def _with_all_of_it(pieces: Sequence[TextRegion], run: slice) -> slice:
    """Return a run of pieces with what is more of the same: single signs; the day or the year of a date."""
    start, stop = run.start, run.stop
    if all(map(_is_sign, pieces[run])):
        while start and _is_sign(pieces[start - 1]):
            start -= 1
        while stop < len(pieces) and _is_sign(pieces[stop]):
            stop += 1
        return slice(start, stop)
    text = _joined(pieces[run], between=" ").text.upper()
    is_more_before = start > 0 and _is_one_date(pieces[start - 1].text.strip().upper(), text)
    is_more_behind = stop < len(pieces) and _is_one_date(text, pieces[stop].text.strip().upper())
    return slice(start - is_more_before, stop + is_more_behind)


def _is_one_date(first: str, second: str) -> bool:
    """Whether a date begins in one text and ends in the next."""
    dates = DATE.finditer(f"{first} {second}")
    return any(found.start() < len(first) < found.end() - 1 for found in dates)


def _joined(pieces: Sequence[TextRegion], *, between: str) -> TextRegion:
    text = between.join(piece.text.strip() for piece in pieces)
    return replace(pieces[0], text=text, others=())


def _is_sign(piece: TextRegion) -> bool:
    return len(piece.text.strip()) <= 1


def _stands(region: TextRegion) -> bool:
    return 2 * region.box.height > 3 * region.box.width


def _lies_so(region: TextRegion, *, is_standing: bool) -> bool:
    """Whether a piece may be of a line that lies, or that stands: few signs of either."""
    return len(region.text.strip()) <= _FEW_SIGNS or _stands(region) == is_standing


def _follows(
    first: TextRegion, second: TextRegion, apart: float, *, is_standing: bool = False
) -> bool:
    """Whether a piece goes on with a line, so many heights behind another at most."""
    one, other = first.box, second.box
    if is_standing:
        one, other = (Box(box.top, box.left, box.height, box.width) for box in (one, other))
    low, high = sorted((one.height, other.height))
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    gap = other.left - one.right
    return gap <= apart * low and -gap <= low and 4 * shared >= 3 * low and 2 * low >= high
