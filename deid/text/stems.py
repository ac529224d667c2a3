"""Words of medicine that languages share: made of Greek and Latin stems, with endings of their own.

Mammographie, mamografía, mammografi, mammográfia: one stem. Stems and endings (`words/stems.txt`) are compared
without what spellings differ in (`_plain`).
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

from deid.text.words import read_lines

_SPELLINGS: Final = (
    ("sch", "sc"), ("qu", "c"), ("ph", "f"), ("th", "t"), ("rh", "r"), ("ch", "c"), ("ck", "c"),
    ("cz", "c"), ("sz", "s"), ("ae", "e"), ("oe", "e"), ("x", "cs"), ("k", "c"), ("y", "i"),
    ("j", "i"), ("w", "v"), ("z", "s"),
)  # fmt: skip
_PREFIXES: Final = (
    "", "anti", "bi", "dis", "endo", "epi", "ecstra", "emi", "hemi", "hiper", "iper", "hipo", "ipo",
    "infra", "inter", "intra", "micro", "mono", "multi", "para", "peri", "poli", "post", "pre",
    "pseudo", "re", "retro", "semi", "sub", "supra", "sopra", "trans", "tri", "ultra", "uni",
)  # fmt: skip
_LINKS: Final = ("", "o", "i", "a", "e")
_LEAST: Final = 7
"""Letters of a word: shorter ones are names as often."""
_LONG: Final = 5
_SHORT: Final = 4
_MOST: Final = 40
_MOST_STEMS: Final = 4


def _plain(text: str) -> str:
    """Return a folded word without what spellings of one stem differ in."""
    for written, plain in _SPELLINGS:
        text = text.replace(written, plain)
    return "".join(c for at, c in enumerate(text) if not at or c != text[at - 1])


@cache
def _listed() -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """Return the stems by their first letters, and the endings."""
    stems: dict[str, set[str]] = {}
    endings: set[str] = {""}
    is_ending = False
    for line in read_lines("stems.txt"):
        if line.startswith("#"):
            is_ending = "ndings" in line
            continue
        for word in map(_plain, line.split()):
            if is_ending:
                endings.add(word)
            elif len(word) >= _SHORT:
                stems.setdefault(word[:_SHORT], set()).add(word)
    return {first: frozenset(each) for first, each in stems.items()}, frozenset(endings)


@lru_cache(maxsize=65536)
def is_of_stems(folded: str) -> bool:
    """Whether a folded word is a stem of five letters or more, or several of four, with an ending.

    Between stems may stand a vowel, before them a prefix.
    """
    if not _LEAST <= len(folded) <= _MOST or not folded.isascii():
        return False
    word = _plain(folded)
    return any(
        word.startswith(prefix) and _goes_on(word, len(prefix), 0, most=_MOST_STEMS)
        for prefix in _PREFIXES
    )


def _goes_on(word: str, at: int, weight: int, *, most: int) -> bool:
    """Whether a word goes on from a place with stems and ends with an ending.

    `weight` is that of the stems before: 1 for a short one, 2 for a long one; two are enough.
    """
    stems, endings = _listed()
    for stem in stems.get(word[at : at + _SHORT], ()):
        if not word.startswith(stem, at):
            continue
        now, stop = weight + (2 if len(stem) >= _LONG else 1), at + len(stem)
        if now > 1 and word[stop:] in endings:
            return True
        if most > 1 and any(
            word.startswith(link, stop) and _goes_on(word, stop + len(link), now, most=most - 1)
            for link in _LINKS
        ):
            return True
    return False
