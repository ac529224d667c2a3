"""The words that the standard uses: recognised everywhere, as they tell of nobody."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from pydicom._dicom_dict import DicomDictionary
from pydicom._private_dict import private_dictionaries
from pydicom._uid_dict import UID_dictionary
from pydicom.sr._concepts_dict import concepts

from deid.text.words import read_words

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN: Final = re.compile(r"[^\W_]+", re.UNICODE)
CAMEL_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@cache
def vocabulary() -> frozenset[str]:
    """Return the recognised words, in lower case."""
    words: set[str] = set()
    for _vr, _vm, name, _retired, keyword in DicomDictionary.values():
        words.update(words_in(name), words_in(keyword))
        words.update(part.lower() for part in CAMEL_PART.findall(keyword))
    for name, *_rest in UID_dictionary.values():
        words.update(words_in(name))
    for _code, meaning in _concepts():
        words.update(words_in(meaning))
    for creator, block in private_dictionaries.items():
        words.update(words_in(creator))
        for entry in block.values():
            words.update(words_in(entry[2]))
    # Authors, inventors and companies stand in those texts: Miller, Fischer, Robert. Ours are chosen.
    words -= listed_names()
    words.update((files("deid.tables") / "words.txt").read_text(encoding="utf-8").split())
    return frozenset(words)


@cache
def listed_names() -> frozenset[str]:
    """Return the given and family names that are listed, in lower case."""
    return read_words("given_names.txt") | read_words("family_names.txt")


def _concepts() -> Iterator[tuple[str, str]]:
    """Yield code value and meaning of the concepts that the standard uses (PS3.16)."""
    schemes: dict[str, dict[str, dict[str, tuple[str, list[int]]]]] = concepts  # type: ignore[assignment]
    for scheme in schemes.values():
        for codes in scheme.values():
            for code, (meaning, _cids) in codes.items():
                yield code, meaning


@cache
def known_meanings() -> frozenset[str]:
    """Return the code meanings that the standard prints, as they stand."""
    return frozenset(meaning for _code, meaning in _concepts())


@cache
def known_codes() -> frozenset[str]:
    """Return the code values that the standard prints: ``121022``, ``mm[Hg]``, ``5.6.3-9-61``."""
    return frozenset(code for code, _meaning in _concepts())


def words_in(name: str) -> set[str]:
    """Return the words of a name that the standard gives, in lower case."""
    return {token.lower() for token in TOKEN.findall(name)}
