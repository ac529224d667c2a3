"""Lines of plain letters: text without doubt, so that no detection model need look there.

Consoles write in letters of one level on calm ground. A line of ink is such text when three witnesses agree:
its parts lie as glyphs do, the judge finds its shape to be that of text, and the sieve is sure of letters. And
only when nothing near may be more of it, as half a word reads as another one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.find.candidates import candidate, framed
from deid.pixels.find.ink_lines import goes_on_as, ink_lines, is_near, rows_above
from deid.pixels.find.judge import judged
from deid.pixels.find.sieve import without_bright_strokes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate
    from deid.pixels.find.sieve import Sieved
    from deid.pixels.geometry import Box

#: Heights beside a line within which its next letter may be.
_FURTHER = 2
#: And in which none may be told of when the line is taken away.
_BESIDE = 3
#: Pixels beside a line that show its own edges, and how many a letter has at least as a share of its height's
#: square.
_EDGE, _LEAST_OF_LETTER = 2, 0.3
#: Levels by which letters may stand out and nobody sees them.
_UNSEEN = 12


@dataclass(frozen=True, slots=True)
class PlainLetters:
    """The figures that decide what is a line of plain letters. Tuned on the benchmark's tuning half.

    Attributes
    ----------
    shape, odds
        What its shape must score at least, and what the sieve must tell of it (both logarithms of odds).
    odds_beside
        What the sieve must not tell beside it, when all such lines are taken away.
    confidence
        What the detection model's mean is taken for: that of lettering on average.
    around, around_of_height
        Pixels around the ink that count as the line's, or a share of its height where that is more: about as
        much as the detection model's regions have.
    """

    shape: float = 3.0
    odds: float = 3.0
    odds_beside: float = 1.0
    confidence: float = 0.8
    around: int = 5
    around_of_height: float = 0.25


def plain_lines(
    views: Sequence[NDArray[Any]],
    areas: Sequence[Box],
    stand_out: NDArray[np.bool_],
    sieved: Sieved,
    figures: PlainLetters,
) -> list[Candidate]:
    """Return the lines of plain letters in areas of the first view.

    Parameters
    ----------
    views
        Display and local contrast, or the display alone. 8 bits, shape (rows, columns) or (rows, columns, 3).
    stand_out
        Whether each pixel of the display stands out as strokes do, however little; shape (rows, columns).
    sieved
        Of the display: where there may be letters, asked in these areas.
    """
    lines = ink_lines(sieved, areas)
    boxes = [line.box for line in lines]
    alone = [
        line.box
        for line in lines
        if line.is_alone
        and not _is_beside_more(line.box, boxes, stand_out)
        and not any(goes_on_as(line.box, other) for other in boxes if other != line.box)
    ]
    in_frame = {
        box: candidate(framed(box, figures.around, figures.around_of_height), figures.confidence, 0)
        for box in alone
    }
    told = [box for box in in_frame if sieved.odds_within(in_frame[box].corners) >= figures.odds]
    shapes = judged(views, [in_frame[box] for box in told])
    sure = {
        box: replace(found, is_plain=True)
        for box, found in zip(told, shapes, strict=True)
        if (found.shape or 0.0) >= figures.shape
    }
    areas_of = {box: found.area for box, found in sure.items()}
    return [sure[box] for box in _apart_from([box for box in boxes if box not in sure], areas_of)]


def without_letters_beside(
    lines: Sequence[Candidate], sieved: Sieved | None, figures: PlainLetters
) -> list[Candidate]:
    """Return the lines beside which there are no letters, fainter ones or of another colour.

    Parameters
    ----------
    sieved
        Of the display without any of the lines.
    """
    if sieved is None:
        return list(lines)
    along = [line.area.grown(_BESIDE * line.area.height, 0) for line in lines]
    return [
        line
        for line, area in zip(lines, along, strict=True)
        if sieved.most_told_within(area) < figures.odds_beside
    ]


def may_go_on_unseen(view: NDArray[Any], line: Box) -> bool:
    """Whether letters of a plain line's ink could lie beside it where the ground is as bright, or as dark.

    Parameters
    ----------
    view
        8 bits, shape (rows, columns) or (rows, columns, 3).
    """
    rows, columns = view.shape[:2]
    along = line.grown(_FURTHER * line.height, 0).clipped(rows, columns) or line
    own, beside = _cut(view, line), _cut(view, along)
    ground = float(np.median(own))
    if 2 * ground >= float(own.max()) + float(own.min()):
        own, beside, ground = cv2.bitwise_not(own), cv2.bitwise_not(beside), 255 - ground
    # Edges of letters lie between their level and the ground's.
    letters = own[own > (ground + float(own.max())) / 2]
    level = float(np.quantile(letters, 0.25)) if letters.size else float(own.max())
    return float(without_bright_strokes(beside).max()) > level - _UNSEEN


def _is_beside_more(line: Box, lines: Sequence[Box], stand_out: NDArray[np.bool_]) -> bool:
    """Whether as much as a letter stands out on any side of a line that is no line of ink: fainter letters."""
    rows, columns = stand_out.shape
    around = line.grown(_FURTHER * line.height, rows_above(line) + _EDGE).clipped(rows, columns)
    if around is None:
        return False
    mask = _cut(stand_out, around).copy()
    for other in lines:
        own = other.grown(_EDGE).moved(-around.left, -around.top).clipped(*mask.shape)
        if own is not None:
            mask[own.top : own.bottom, own.left : own.right] = False
    across = slice(line.left - around.left, line.right - around.left)
    down = slice(line.top - around.top, line.bottom - around.top)
    sides = (
        mask[down, : across.start],
        mask[down, across.stop :],
        mask[: down.start, across],
        mask[down.stop :, across],
    )
    least = _LEAST_OF_LETTER * line.height**2
    return any(_most_within(side, line.height) >= least for side in sides)


def _most_within(mask: NDArray[np.bool_], columns: int) -> int:
    """Return how many pixels of a mask at most lie within so many columns."""
    counts = np.count_nonzero(mask, axis=0)
    return int(np.convolve(counts, np.ones(columns, np.intp)).max()) if counts.any() else 0


def _cut(view: NDArray[Any], area: Box) -> NDArray[Any]:
    return view[max(area.top, 0) : area.bottom, max(area.left, 0) : area.right]


def _apart_from(doubtful: Sequence[Box], lines: Mapping[Box, Box]) -> list[Box]:
    """Return the lines near which there is none in doubt, nor one that such a line is near.

    None in doubt may lie in what counts as a line's, however low it is beside that: nobody would look at it.

    Parameters
    ----------
    lines
        The box of each line's ink, and what counts as its own around it.
    """
    left = list(lines)
    while doubtful:
        doubtful = [
            line
            for line in left
            if any(is_near(line, other) or lines[line].overlap(other) for other in doubtful)
        ]
        left = [line for line in left if line not in doubtful]
    return left
