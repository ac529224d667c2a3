"""One spelling for words that are written in several: case, diacritics, ligatures."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

_LETTERS: Final = str.maketrans(
    {
        "ß": "ss",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ł": "l",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
        "\u2019": "'",
        "\u0451": "\u0435",
    }
)
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "ß": "ss"})


def _marks() -> str:
    """Return a character class of combining marks: vowel signs, points, decomposed accents."""
    ranges: list[list[int]] = []
    for code in range(0x300, 0x10000):
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges)


MARKS: Final = _marks()
LETTERS: Final = rf"[^\W\d_](?:[^\W\d_]|[{MARKS}])*"
"""A run of letters with the marks on them, as a pattern."""


@lru_cache(maxsize=65536)
def fold(word: str) -> str:
    """Return a word in lower case without diacritics: ``Müller`` is ``muller``."""
    if word.isascii():
        return word.lower()
    lowered = unicodedata.normalize("NFKC", word).lower().translate(_LETTERS)
    return "".join(
        character
        for character in unicodedata.normalize("NFD", lowered)
        if not unicodedata.combining(character)
    )


@lru_cache(maxsize=65536)
def spellings(word: str) -> tuple[str, ...]:
    """Return the folded spellings of a word: ``Müller`` is ``muller`` and ``mueller``."""
    folded = fold(word)
    if word.isascii():
        return (folded,)
    lowered = unicodedata.normalize("NFC", word).lower()
    expanded = fold(lowered.translate(_UMLAUTS))
    return (folded,) if expanded == folded else (folded, expanded)


def words(listed: str) -> frozenset[str]:
    """Return the words of a list that is written as prose."""
    return frozenset(listed.split())
