"""What words are: recognised, a name, a place."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

from deid.tags.judge import vocabulary as standard_vocabulary
from deid.text.folding import fold, spellings
from deid.text.words import read_words

_MEASURE: Final = re.compile(
    r"\d{1,4}(?:[.,x]\d{1,4})*(?:mm|cm|m|ml|l|cc|mg|kg|g|mcg|ug|kv|kvp|ma|mas|hz|khz|mhz|t|s|sec|ms|min|h|hr"
    r"|hrs|d|w|wk|wks|mo|deg|fps|bpm|mbq|mci|gy|mgy|cgy|hu|mmhg|pct|fr|f|x|ch|st|nd|rd|th|ww|wl)?\Z",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    r"(?:[A-Z]{1,3}\d{1,2}|[A-Z]\d{2,4}[A-Z]?|\d[A-Z]{1,3}\d?|\d{1,2}[A-Z]{1,2}|[A-Z]\d[A-Z]\d?)\Z",
    re.IGNORECASE,
)
"""Vertebrae, weightings, kernels, b-values, echo and phase names: ``L4``, ``T2W``, ``B31f``, ``b1000``."""
_SUFFIXES: Final = (
    "s",
    "es",
    "ed",
    "ing",
    "ly",
    "al",
    "ally",
    "ness",
    "ity",
    "ities",
    "d",
    "er",
    "or",
    "e",
    "en",
    "n",
    "r",
    "ic",
)
_CLINICAL_ENDINGS: Final = (
    "itis", "osis", "ectomy", "otomy", "ostomy", "oscopy", "graphy", "gram", "plasty", "pathy", "emia",
    "aemia", "uria", "algia", "oma", "omas", "lysis", "megaly", "genic", "scopic", "graphic", "esthesia",
    "trophy", "plegia", "paresis", "rrhea", "rrhoea", "rrhage", "cele", "pexy", "tripsy", "stenosis",
    "vascular", "cellular", "thoracic", "costal", "phrenic", "hepatic", "gastric", "cranial", "dural",
    "sclerosis", "sclerotic", "echoic", "intense", "dense", "prazole", "statin", "sartan", "dipine",
    "cillin", "mycin", "floxacin", "mab", "pril", "olol", "azole",
)  # fmt: skip


_PREFIXES: Final = (
    "non", "un", "re", "pre", "post", "sub", "supra", "infra", "peri", "intra", "inter", "hyper", "hypo",
    "para", "micro", "macro", "mid", "over", "under", "neuro", "ultra",
)  # fmt: skip


@cache
def common_words() -> frozenset[str]:
    """Return the words of prose and of other languages that say nothing about anybody."""
    return read_words("english.txt") | _european()


@cache
def clinical_words() -> frozenset[str]:
    """Return the recognised clinical words and abbreviations, ours and the standard's."""
    standard = frozenset(fold(word) for word in standard_vocabulary() if len(word) > 2)
    return _own_clinical() | (standard - _only_names())


@cache
def _only_names() -> frozenset[str]:
    """Return names that the standard's texts hold (of authors, companies, views) and nothing else is."""
    return (given_names() | family_names()) - _own_clinical() - common_words()


@cache
def given_names() -> frozenset[str]:
    """Return common given names."""
    return read_words("given_names.txt")


@cache
def family_names() -> frozenset[str]:
    """Return common family names."""
    return read_words("family_names.txt")


@cache
def places() -> frozenset[str]:
    """Return countries, states and large cities."""
    return read_words("places.txt")


@lru_cache(maxsize=65536)
def is_name(word: str) -> bool:
    """Whether a word is listed as a name."""
    return any(
        folded in given_names() or folded in family_names()
        for folded in spellings(word.rstrip("'\u2019").removesuffix("'s").removesuffix("\u2019s"))
    )


@lru_cache(maxsize=65536)
def is_place(word: str) -> bool:
    """Whether a word is listed as a place."""
    return fold(word) in places()


@lru_cache(maxsize=65536)
def is_recognised(word: str) -> bool:
    """Whether a word is clinical or common, also inflected. Single letters are, but ideographs."""
    if len(word) == 1:
        return word.isupper() or word.islower()
    folded = fold(word.removesuffix("'s").removesuffix("\u2019s"))
    return _is_listed(folded) or _is_inflected(folded)


def _is_listed(folded: str) -> bool:
    return folded in clinical_words() or folded in common_words()


def _is_inflected(folded: str) -> bool:
    if len(folded) < 5:
        return folded.endswith("s") and len(folded) > 3 and _is_listed(folded[:-1])
    if folded in given_names() or folded in family_names():
        return False
    if len(folded) > 7 and folded.endswith(_CLINICAL_ENDINGS):
        return True
    for suffix in _SUFFIXES:
        stem = folded.removesuffix(suffix)
        if stem != folded and len(stem) > 3 and (_is_listed(stem) or _is_listed(stem + "e")):
            return True
    if folded.endswith("ies") and _is_listed(folded[:-3] + "y"):
        return True
    for prefix in _PREFIXES:
        rest = folded.removeprefix(prefix)
        if rest != folded and len(rest) > 3 and _is_listed(rest):
            return True
    return False


@lru_cache(maxsize=65536)
def is_own_clinical(word: str) -> bool:
    """Whether a word is in our list of clinical words, not merely in prose or the standard."""
    return fold(word) in _own_clinical()


@cache
def _own_clinical() -> frozenset[str]:
    return read_words("clinical.txt")


@lru_cache(maxsize=65536)
def is_prose(word: str) -> bool:
    """Whether a word is everyday English or from the standard's texts, and no clinical one of ours."""
    folded = fold(word)
    return folded not in _own_clinical() and folded not in _european()


@cache
def _european() -> frozenset[str]:
    return read_words("european.txt")


def _may_be_name(word: str) -> bool:
    """Whether a word is a name as well as an everyday word, and no clinical one: Brown, but not Long."""
    return is_name(word) and not is_own_clinical(word)


@lru_cache(maxsize=65536)
def is_clinical_token(token: str) -> bool:
    """Whether a token of a descriptor may stay: a recognised word, a short number, a code of the trade."""
    if token.isdigit():
        return len(token) <= 4
    if token.isalpha():
        return is_recognised(token) and not _may_be_name(token)
    if _MEASURE.match(token) or _CODE.match(token):
        return True
    parts = re.findall(r"[^\W\d_]+|\d+", token)
    return len(token) <= 12 and all(
        is_recognised(part) and not _may_be_name(part) if part.isalpha() else len(part) <= 4
        for part in parts
    )
