"""One spelling for words that are written in several: case, diacritics, ligatures."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import chain
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
    # Between these stand ideographs and Hangul syllables, surrogates and private characters: no marks.
    for code in chain(range(0x300, 0x3400), range(0xA000, 0xAC00), range(0xF900, 0x10000)):
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
    bare = "".join(
        character
        for character in unicodedata.normalize("NFD", lowered)
        if not unicodedata.combining(character)
    )
    return unicodedata.normalize("NFC", bare)


@lru_cache(maxsize=65536)
def spellings(word: str) -> tuple[str, ...]:
    """Return the folded spellings of a word: ``Müller`` is ``muller`` and ``mueller``."""
    folded = fold(word)
    if word.isascii():
        return (folded,)
    lowered = unicodedata.normalize("NFC", word).lower()
    expanded = fold(lowered.translate(_UMLAUTS))
    return (folded,) if expanded == folded else (folded, expanded)


def _plain_forms() -> dict[int, str]:
    """Return characters to the ASCII ones that patterns are written in, one for one."""
    forms = dict.fromkeys(
        map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-"
    )
    forms |= dict.fromkeys(map(ord, "\u2018\u201b\u02bc\u02b9\u00b4"), "'")
    forms |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    for code in (*range(0x80, 0x3001), *range(0xA600, 0xAC00)):
        if unicodedata.category(chr(code)) == "Zs":
            forms[code] = " "
        elif (value := unicodedata.decimal(chr(code), None)) is not None:
            forms[code] = str(value)
    return forms


_PLAIN: Final = _plain_forms()
_INVISIBLE: Final = dict.fromkeys(
    [0xAD, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
)
"""Characters that are not seen: soft hyphens, spaces without width, marks of direction."""


def plain(text: str) -> str:
    """Return a text of the same length with ASCII digits, hyphens, spaces and full-width letters."""
    return text if text.isascii() else text.translate(_PLAIN)


def without_invisible(text: str) -> str:
    """Return a text without characters that are not seen, which would hide a name from every search."""
    return text if text.isascii() else text.translate(_INVISIBLE)


def words(listed: str) -> frozenset[str]:
    """Return the words of a list that is written as prose."""
    return frozenset(listed.split())


ENCODED: Final = re.compile(
    r"(?:0x[0-9a-f]{2}(?:[\s,;:]{1,2}|(?=0x)|\Z|(?![0-9a-z]))){3,}"
    r"|(?:\\[0-3]?[0-7]{2}){3,}"
    r"|(?=[-./\u00b7 ]{0,60}\.)(?=[-./\u00b7 ]{0,60}-)"
    r"(?<![\w.-])(?:[-.\u00b7]{1,5}[ /|]{1,3}){2,}[-.\u00b7]{1,5}(?![\w.-])"
    r"|[\u2801-\u28ff]{2,}"
    r"|(?<!\d)\d{2,10}(?:[*#\u2022]{2,}|x{3,})\d{2,10}(?!\d)",
    re.IGNORECASE,
)
"""Letters as a machine's numbers, in Morse or Braille, numbers hidden in their middle: not meant plainly."""
