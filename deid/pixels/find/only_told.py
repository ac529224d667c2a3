"""Letters of which only the sieve tells: no look found anything where it is sure of them.

The detection model misses now and then what it finds when it is cut otherwise. What the sieve is sure of
is a candidate of its own then, judged like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from deid.pixels.find.candidates import candidate, framed
from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate
    from deid.pixels.find.curves import Bare
    from deid.pixels.find.evidence import StandOut
    from deid.pixels.find.sieve import Sieve, Sieved


@dataclass(frozen=True, slots=True)
class OnlyTold:
    """The figures that decide of what the sieve is sure enough. Tuned on the benchmark's tuning half.

    Attributes
    ----------
    least, peak
        The odds that each of the cells of such letters has, and that one of them has.
    beside
        Pixels around what was found in which cells show some of that.
    confidence
        What the detection model's mean is taken for.
    around, around_of_height
        Pixels around the ink that count as the letters', or a share of its height where that is more.
    """

    least: float = 2.0
    peak: float = 6.0
    beside: int = 8
    confidence: float = 0.6
    around: int = 3
    around_of_height: float = 0.2


def only_told(
    stand_out: StandOut, found: Sequence[Candidate], figures: OnlyTold
) -> list[Candidate]:
    """Return the letters of which the sieve was sure, where it was asked, and which were not found.

    Parameters
    ----------
    stand_out
        Of the display: what stands out of it, and what the sieve told of it.
    """
    sieved = stand_out.sieved
    if sieved is None:
        return []
    inks = (_ink_in(stand_out.mask, box) for box in _told_beside(sieved, found, figures))
    return [_framed(ink, figures) for ink in inks if ink.area]


def told_across_curves(
    bare: Bare, sieve: Sieve, found: Sequence[Candidate], figures: OnlyTold
) -> list[Candidate]:
    """Return the letters of which the sieve is sure in a view without curves, and which were not found."""
    sieved = sieve.of(bare.view)
    sieved.odds(bare.areas)
    told = _told_beside(sieved, found, figures)
    return [replace(_framed(box, figures), bare=bare.view) for box in told]


def _told_beside(sieved: Sieved, found: Sequence[Candidate], figures: OnlyTold) -> list[Box]:
    known = [entry.area.grown(figures.beside) for entry in found]
    return sieved.letters_told(known, least=figures.least, peak=figures.peak)


def _framed(ink: Box, figures: OnlyTold) -> Candidate:
    corners = framed(ink, figures.around, figures.around_of_height)
    return candidate(corners, figures.confidence, 0)


def _ink_in(stand_out: NDArray[np.bool_], box: Box) -> Box:
    """Return the smallest box around what stands out in a box, empty where nothing does."""
    part = stand_out[box.top : box.bottom, box.left : box.right]
    left, top, width, height = cv2.boundingRect(part.view(np.uint8))
    return Box(box.left + left, box.top + top, width, height)
