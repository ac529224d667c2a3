"""Paths with ``*``, ``**`` and ``?`` in them, as the API's ``gcsSource.uri`` knows them.

Matched in time that grows with the length of the path times that of the pattern, whatever the pattern is: who
asks must not be able to have the service busy with one address.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

_WILD: Final = re.compile(r"\*+|\?")
_ONE: Final = "?"
_SOME: Final = "*"
_ANY: Final = "**"


def plain_part(address: str) -> str | None:
    """Return the folder that all paths lie in which an address means; None when it means one path."""
    wild = _WILD.search(address)
    return None if wild is None else address[: wild.start()].rpartition("/")[0]


class Wildcards:
    """What a path has to look like.

    Parameters
    ----------
    text
        Percent-encoded, relative. ``?`` is a character and ``*`` are any number of them but for slashes; ``**``
        goes through folders.
    """

    def __init__(self, text: str) -> None:
        self._pieces: list[str] = []
        at = 0
        for wild in _WILD.finditer(text):
            self._pieces += _characters(text[at : wild.start()])
            self._pieces.append(wild[0][:2])
            at = wild.end()
        self._pieces += _characters(text[at:])

    def match(self, path: str) -> bool:
        """Tell whether a path, with slashes and not encoded, is one of those that are meant."""
        places = self._with_following({0})
        for character in path:
            places = self._with_following(
                {
                    place + (piece not in {_SOME, _ANY})
                    for place, piece in self._pieces_at(places)
                    if _takes(piece, character)
                }
            )
        return len(self._pieces) in places

    def _pieces_at(self, places: set[int]) -> Sequence[tuple[int, str]]:
        return [(each, self._pieces[each]) for each in places if each < len(self._pieces)]

    def _with_following(self, places: set[int]) -> set[int]:
        """Return places in the pattern, and those that are reached from them without a character."""
        found = set(places)
        for place in places:
            following = place
            while following < len(self._pieces) and self._pieces[following] in {_SOME, _ANY}:
                following += 1
                found.add(following)
        return found


def _characters(text: str) -> list[str]:
    # A star that is encoded is a character, and no piece is: pieces of one character are told by a slash.
    return [f"/{each}" for each in unquote(text, errors="surrogateescape")]


def _takes(piece: str, character: str) -> bool:
    if piece == _ANY:
        return True
    if piece in {_SOME, _ONE}:
        return character != "/"
    return piece[1:] == character
