"""Pieces of lines in instances of several frames, of lines that stay and are seen whole in another frame.

A text that fades in, that is typed or uncovered is found in pieces first: iver, Dep. Alone such a piece is in
no list and goes, with the place at which its line stays in all later frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.pixels.fillings import says_at_its_place
from deid.pixels.judgement import is_begun_perhaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from deid.pixels.ports import FoundRegion, TextRegion

    Judge = Callable[[TextRegion], str | None]

#: From which certainty on a piece says what stands there.
_CLEARLY: Final = 0.9


def may_be_piece(region: TextRegion, judge: Judge) -> bool:
    """Whether a text goes only for clear words in no list, or that need company: a piece perhaps of what stays.

    Where it is, something else may come to stand; so its place is looked at in later frames, too.
    """
    return (
        not region.is_code
        and region.legibility >= _CLEARLY
        and judge(region) == "unreadable"
        and all(
            is_begun_perhaps(text) or _is_letter(text)
            for text, legibility in ((region.text, region.legibility), *region.others)
            if legibility >= _CLEARLY
        )
    )


def _is_letter(text: str) -> bool:
    signs = [sign for sign in text if sign.isalnum()]
    return len(signs) == 1 and signs[0].isalpha()


def is_half_seen(entry: FoundRegion, kept: Iterable[FoundRegion]) -> bool:
    """Whether a piece reads as a line of any frame that stays does at its place."""
    return any(says_at_its_place(other.region, entry.region) for other in kept)


def half_seen(found: Sequence[FoundRegion], judge: Judge) -> frozenset[int]:
    """Return the places in `found` of pieces whose lines are seen whole, and stay as far as they go alone."""
    pieces = [number for number, entry in enumerate(found) if may_be_piece(entry.region, judge)]
    kept = [entry for entry in found if judge(entry.region) is None] if pieces else []
    return frozenset(number for number in pieces if is_half_seen(found[number], kept))
