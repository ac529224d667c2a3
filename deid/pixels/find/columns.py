"""Texts that stand in columns on one line and were found as one: parted where nothing stands between.

A value beside a name would go with it. What may stay by itself, and reads as before when it is cut apart, is a
text of its own then, as where it is found alone.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deid.pixels.find.candidates import candidate
from deid.pixels.find.reading import WELL_READ

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate
    from deid.pixels.find.reading import Reading, Recogniser

#: In heights of a line's box, how far apart the middles of two signs are where one column ends and one begins:
#: those of words are half of it.
_APART: Final = 1.0
#: Letters of a column that says what it is.
_FEWEST_LETTERS: Final = 2


def in_columns(
    recogniser: Recogniser,
    views: Sequence[NDArray[Any]],
    found: Candidate,
    reading: Reading,
) -> list[tuple[Candidate, list[Reading]]]:
    """Return the columns of a line with what they read, where some of them may stay and others not.

    No columns where the line is one text, may stay as it is, is not read surely, or reads otherwise in pieces.
    """
    text, legibility = reading
    if legibility < WELL_READ or " " not in text.strip() or recogniser.may_stay(text):
        return []
    places = recogniser.places(views, found)
    if _signs(place for place, _ in places) != _signs(text):
        return []
    pieces = [_between(found, begin, end) for begin, end in _columns(found, places)]
    if len(pieces) < 2:
        return []
    read = [recogniser.readings(views, piece) for piece in pieces]
    stays = [_says_something(readings[0][0], recogniser) for readings in read]
    is_same = _signs(readings[0][0] for readings in read) == _signs(text)
    is_sure = all(readings[0][1] >= WELL_READ for readings in read)
    if not (is_same and is_sure and any(stays) and not all(stays)):
        return []
    return list(zip(pieces, read, strict=True))


def _says_something(text: str, recogniser: Recogniser) -> bool:
    """Whether a column may stay and has a word: a mere number beside a name may be whose it is."""
    return recogniser.may_stay(text) and sum(map(str.isalpha, text)) >= _FEWEST_LETTERS


def _columns(
    found: Candidate, places: Sequence[tuple[str, float]]
) -> Iterator[tuple[float, float]]:
    """Yield where columns begin and end, in shares of a line's length."""
    along, down = (float(np.linalg.norm(found.corners[at] - found.corners[0])) for at in (1, 3))
    apart = _APART * down / max(along, 1.0)
    signs = [at for sign, at in places if not sign.isspace()]
    spaces = [at for sign, at in places if sign.isspace()]
    begin = 0.0
    for at, following in pairwise(signs):
        if following - at >= apart and any(at < space < following for space in spaces):
            middle = (at + following) / 2
            yield begin, middle
            begin = middle
    yield begin, 1.0


def _between(found: Candidate, begin: float, end: float) -> Candidate:
    """Return the piece of a line between two shares of its length."""
    top, bottom = (found.corners[right] - found.corners[left] for left, right in ((0, 1), (3, 2)))
    corners = np.array(
        (
            found.corners[0] + begin * top,
            found.corners[0] + end * top,
            found.corners[3] + end * bottom,
            found.corners[3] + begin * bottom,
        ),
        np.float32,
    )
    area = candidate(corners, found.confidence, found.view).area
    return replace(found, corners=corners, area=area)


def _signs(texts: Iterator[str] | str) -> str:
    return "".join(sign for text in texts for sign in text if not sign.isspace())
