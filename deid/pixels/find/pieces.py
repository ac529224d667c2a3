"""Pieces of a candidate that the sieve takes for letters: of a text that touches what is no text.

The detection model takes a text and what it touches for one: a trace that runs through it, an organ's edge, the
whole of an arc. As one it is too large, or has too little of a text's shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.pixels.find.candidates import candidate, corners_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deid.pixels.find.candidates import Candidate
    from deid.pixels.find.sieve import Sieved
    from deid.pixels.geometry import Box

#: Of its own area, a piece covers less than this share of what it is a piece of, or it is the same.
_MOST = 0.7
#: Of a piece, what is known as text covers less than this share.
_KNOWN = 0.7
#: Of its columns, a text that is known lies on as many.
_ALONG = 0.85


@dataclass(frozen=True, slots=True)
class Pieces:
    """The figures that decide what is a piece.

    Attributes
    ----------
    levels
        Logarithms of odds from which the sieve's cells make pieces, one after the other: what is no text as it
        is cut by the first may be two lines that the next parts.
    peak
        Odds that one of a piece's cells has at least.
    read
        How surely a piece reads at least.
    """

    levels: tuple[float, ...] = (0.5, 2.5, 5.0)
    peak: float = 6.0
    read: float = 0.55


def text_in_pieces(
    whole: Sequence[Candidate],
    text: Sequence[Candidate],
    sieved: Callable[[int], Sieved],
    are_text: Callable[[Sequence[Candidate]], Sequence[bool]],
    figures: Pieces,
) -> list[Candidate]:
    """Return the pieces that are text of candidates that are none as a whole.

    Parameters
    ----------
    text
        What is known to be text, which has no pieces of its own.
    sieved
        What the sieve tells of a view, by the view's number.
    are_text
        Tells of candidates whether each is text.
    """
    found: list[Candidate] = []
    left = [*whole]
    for level in figures.levels:
        pieces: list[Candidate] = []
        same: list[Candidate] = []
        for entry in left:
            boxes = sieved(entry.view).letters_in(entry.area, least=level, peak=figures.peak)
            for box in boxes:
                piece = candidate(corners_of(box), entry.confidence, entry.view)
                if box.area >= _MOST * entry.area.area:
                    same.append(entry)
                elif any(_is_along(known.area, box) for known in text):
                    same.append(piece)
                elif not any(box.overlap(known.area) >= _KNOWN * box.area for known in text):
                    pieces.append(piece)
        answers = are_text(pieces)
        found += [piece for piece, is_text in zip(pieces, answers, strict=True) if is_text]
        left = [piece for piece, is_text in zip(pieces, answers, strict=True) if not is_text] + same
    return found


def _is_along(known: Box, piece: Box) -> bool:
    """Whether a text lies on a piece from end to end: it is that and what it touches, or two lines."""
    shared = min(known.right, piece.right) - max(known.left, piece.left)
    return shared >= _ALONG * piece.width and 2 * known.overlap(piece) >= known.area
