"""Words of orders and reports in other languages than English, with the endings that they have there.

The list (`words/languages.txt`) is held apart: endings of English make no words of it, as ``scheur`` would
make the name ``Scheurer`` one.
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from typing import Final

from deid.text.folding import fold, spellings
from deid.text.words import read_lines, read_words

_INFLECTIONS: Final = {
    "Polish": "a e i o u y ow om ami ach em ie ej ego emu ym ych ymi im ich imi iego iej iem owi ia iu iach",
    "Czech": "a e i o u y ou em um ech ach ich ych eho emu im ym imi ymi ami emi ove ovy ovi ho mi ich iho",
    "Finnish": "n t a ta tta ssa sta lla lta lle ksi na en in iin hin den ten jen ien ja ia oita issa ista illa"
    " ilta ille nen sen set",
    "Hungarian": "t at et ot k ak ek ok ban ben ra re ba be bol rol tol ig nak nek val vel hoz hez n on en a e"
    " ja je i ai ei jai es os as eket okat",
    "Turkish": "da de ta te dan den tan ten a e i u in un nin nun si su lar ler lari leri larda lerde li lu siz"
    " suz ya ye yi inda inde",
    "Danish": "en et n ne ene erne er e s t",
    "Swedish": "en et n na ar arna or orna er erna a t s",
    "Dutch": "e en s n",
}  # fmt: skip
"""Endings of nouns and adjectives, folded, that stand for each other or for none."""
_LEAST: Final = 7
_SHORTEST: Final = 4
"""Letters that a word has more than without its ending: names are made as shorter ones."""


@cache
def words() -> frozenset[str]:
    """Return the words of the list, folded, but for those that are names without their diacritics."""
    return read_words("languages.txt") - frozenset(map(fold, _as_written()))


@cache
def _as_written() -> frozenset[str]:
    lines = read_lines("languages.txt")
    first = next(at for at, line in enumerate(lines) if line.startswith("# As written"))
    return frozenset(" ".join(lines[first + 1 :]).split())


def is_as_written(word: str) -> bool:
    """Whether a word is one that is a name without its diacritics, and has them: Turkish for a belly."""
    return not word.isascii() and unicodedata.normalize("NFC", word).lower() in _as_written()


@cache
def _inflected_stems() -> tuple[tuple[tuple[str, ...], frozenset[str]], ...]:
    """Return, for each language with endings of its own, these and its words without any of them."""
    found: dict[str, set[str]] = {name: set() for name in _INFLECTIONS}
    chosen: list[tuple[tuple[str, ...], set[str]]] = []
    for line in (*read_lines("european.txt"), *read_lines("languages.txt")):
        if line.startswith("#"):
            chosen = [(_endings(name), stems) for name, stems in found.items() if name in line]
            continue
        for word in line.split() if chosen else ():
            for folded in spellings(word):
                for endings, stems in chosen:
                    stems.update(_without(folded, endings))
    return tuple((_endings(name), frozenset(stems)) for name, stems in found.items())


def _endings(name: str) -> tuple[str, ...]:
    return ("", *_INFLECTIONS[name].split())


def _without(folded: str, endings: tuple[str, ...]) -> list[str]:
    """Return a word without each of some endings that it has, where enough is left."""
    return [
        folded[: len(folded) - len(ending)]
        for ending in endings
        if folded.endswith(ending) and len(folded) - len(ending) > _SHORTEST
    ]


@lru_cache(maxsize=65536)
def is_ending_otherwise(folded: str) -> bool:
    """Whether a word is a listed one with another ending of its language: ``nerkowych``, ``kovové``."""
    return len(folded) >= _LEAST and any(
        not stems.isdisjoint(_without(folded, endings)) for endings, stems in _inflected_stems()
    )
