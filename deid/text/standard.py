"""The words that the standard uses: recognised everywhere, as they tell of nobody."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from deid.tables.dictionary import concepts, standard_words, uids, words_in
from deid.text.words import read_words


@cache
def vocabulary() -> frozenset[str]:
    """Return the recognised words, in lower case."""
    words = set(standard_words())
    for uid in uids().values():
        words.update(words_in(uid.name))
    # Authors, inventors and companies stand in those texts: Miller, Fischer, Robert. Ours are chosen.
    words -= listed_names()
    words.update((files("deid.tables") / "words.txt").read_text(encoding="utf-8").split())
    return frozenset(words)


@cache
def listed_names() -> frozenset[str]:
    """Return the given and family names that are listed, in lower case."""
    return read_words("given_names.txt") | read_words("family_names.txt")


@cache
def known_meanings() -> frozenset[str]:
    """Return the code meanings that the standard prints, as they stand."""
    return frozenset(meaning for _code, meaning in concepts())


@cache
def known_codes() -> frozenset[str]:
    """Return the code values that the standard prints: ``121022``, ``mm[Hg]``, ``5.6.3-9-61``."""
    return frozenset(code for code, _meaning in concepts())
