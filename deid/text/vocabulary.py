"""What words are: recognised, a name, a place."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

from deid.tables.dictionary import CAMEL_PART
from deid.text import languages
from deid.text.folding import fold, spellings
from deid.text.standard import vocabulary as standard_vocabulary
from deid.text.stems import is_of_stems
from deid.text.words import read_lines, read_words

_MEASURE: Final = re.compile(
    r"\d{1,4}(?:[.,x]\d{1,4})*(?:mm|cm|m|ml|l|cc|mg|kg|g|mcg|ug|kv|kvp|ma|mas|hz|khz|mhz|t|s|sec|ms|min|h|hr"
    r"|hrs|d|w|wk|wks|mo|deg|fps|bpm|mbq|mci|gy|mgy|cgy|hu|mmhg|pct|fr|f|x|ch|st|nd|rd|th|ww|wl)?\Z",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    r"(?:[A-Z]{1,3}\d{1,2}|[A-Z]\d{2,4}[A-Z]?|\d[A-Z]{1,3}\d?|\d{1,2}[A-Z]{1,2}|[A-Z]\d[A-Z]\d?"
    r"|(?-i:[BHQSTU][a-z]\d\d[a-z]))\Z",
    re.IGNORECASE,
)
"""Vertebrae, weightings, kernels, b-values, echo and phase names: ``L4``, ``T2W``, ``B31f``, ``Br40d``."""
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
# Endings of nouns and adverbs that make no family names: German, then Romance ones.
_NOUN_ENDINGS: Final = (
    "ung", "ungen", "heit", "heiten", "keit", "keiten", "ektomie", "otomie", "skopie", "graphie", "grafie",
    "pathie", "ation", "ationen", "osen", "ismus", "zione", "zioni", "cion", "ciones", "cao", "coes",
    "logie", "logia", "logico", "logica", "logique", "grafia", "scopia", "ectomia", "patia", "tion", "tions",
    "aire", "aires", "ique", "iques", "ementi", "amento", "amiento", "miento", "mientos", "dade", "dades",
)  # fmt: skip
_CLINICAL_ENDINGS: Final = (
    "itis", "osis", "ectomy", "otomy", "ostomy", "oscopy", "graphy", "gram", "plasty", "pathy", "emia",
    "aemia", "uria", "algia", "oma", "omas", "lysis", "megaly", "genic", "scopic", "graphic", "esthesia",
    "trophy", "plegia", "paresis", "rrhea", "rrhoea", "rrhage", "cele", "pexy", "tripsy", "stenosis",
    "vascular", "cellular", "thoracic", "costal", "phrenic", "hepatic", "gastric", "cranial", "dural",
    "sclerosis", "sclerotic", "echoic", "intense", "dense", "prazole", "statin", "sartan", "dipine",
    "cillin", "mycin", "floxacin", "mab", "pril", "olol", "azole",
)  # fmt: skip


_DECLENSIONS: Final = (
    ("", "e", "en", "er", "es", "em"),
    ("o", "a", "os", "as", "e", "i"),
    ("or", "ora", "ores", "oras"),
    ("eur", "euse", "eurs", "euses", "rice"),
)
"""Endings of German and of Romance words that stand for each other."""
_LEAST_DECLINED: Final = 8
"""Shorter words that are declined alike are names as often: Rossi, Longo."""
_ABBREVIATION: Final = re.compile(r"(?:[BCDFGHJKLMNPQRSTVWXZ]{3,5}|[a-z]{1,2}[A-Z]{2,4})\Z")
"""Capitals without a vowel, and small letters before capitals: ``DFC``, ``rBF``. Names are never written so."""
_PREFIXES: Final = (
    "non", "un", "re", "pre", "post", "sub", "supra", "infra", "peri", "intra", "inter", "hyper", "hypo",
    "para", "micro", "macro", "mid", "over", "under", "neuro", "ultra",
)  # fmt: skip


_WIDE_RUN: Final = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\u3040-\u30ff]+")
"""Ideographs, kana and hangul, in which words stand without spaces between them or with endings on them."""
_ACRONYM: Final = re.compile(r"[a-z]{1,2}(?=[A-Z][A-Za-z]{2,})")
"""Small letters before an acronym: ``rCBV``, ``mpMRI``, ``eADC``."""
_CAMEL: Final = re.compile(r"(?:[A-Z][a-z]{2,}){2,}")
_CAMEL_PART: Final = re.compile(r"[A-Z][a-z]+")
_COMPOUNDING: Final = ("German", "Dutch", "Swedish", "Danish", "Finnish", "Hungarian")
_LINKS: Final = ("", "s", "es", "n", "en", "er", "e")
_PART: Final = 4
"""The shortest part of a compound: shorter ones fit into names."""
_MAX_COMPOUND: Final = 40
_GRADE: Final = re.compile(r"(?:I{2,3}|IV|VI{1,3}|IX|XII)[a-cA-CF]?\Z")
"""Grades, classes and types: ``II``, ``IIIb``, ``IIF``; without XI, which is a family."""
_NO_PART: Final = frozenset(
    {"mann", "frau", "herr", "herrn", "kind", "gross", "stein", "mark", "alte", "neue"}
)


@cache
def eponyms() -> frozenset[str]:
    """Return names that stand for diseases, signs, devices and places in the body."""
    return read_words("eponyms.txt")


@cache
def eponym_pairs() -> frozenset[tuple[str, ...]]:
    """Return names that stand together for one thing, each as its words in order: Salter-Harris."""
    return frozenset(tuple(each.split("-")) for each in read_words("eponym_pairs.txt"))


@cache
def paired() -> frozenset[str]:
    """Return the words of all of these pairs."""
    return frozenset(part for pair in eponym_pairs() for part in pair)


@cache
def _other_scripts() -> frozenset[str]:
    """Return clinical and common words in scripts other than Latin."""
    return read_words("scripts.txt")


@cache
def _compound_parts() -> tuple[frozenset[str], ...]:
    """Return, for each language that joins words, the words that it joins."""
    parts: dict[str, set[str]] = {name: set() for name in _COMPOUNDING}
    chosen: set[str] | None = None
    for line in (*read_lines("european.txt"), *read_lines("languages.txt")):
        if line.startswith("#"):
            chosen = next((parts[name] for name in _COMPOUNDING if name in line), None)
        elif chosen is not None:
            for word in line.split():
                chosen.update(each for each in spellings(word) if len(each) >= _PART)
    names = given_names() | family_names() | _NO_PART
    return tuple(frozenset(listed - names) for listed in parts.values())


@cache
def common_words() -> frozenset[str]:
    """Return the words of prose and of other languages that say nothing about anybody."""
    return read_words("english.txt") | _european()


@cache
def clinical_words() -> frozenset[str]:
    """Return the recognised clinical words and abbreviations, ours and the standard's.

    Eponyms are none by themselves: `deid.text.eponyms` tells where they stand for something.
    """
    standard = frozenset(fold(word) for word in standard_vocabulary() if len(word) > 2)
    return _own_clinical() | (standard - _only_names() - (eponyms() - common_words()))


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
def words_also_names() -> frozenset[str]:
    """Return clinical words of ours, of six letters and more, that are names of people somewhere as well."""
    return read_words("also_names.txt")


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
        return word.isupper() or word.islower() or fold(word) in _other_scripts()
    folded = fold(word.removesuffix("'s").removesuffix("\u2019s"))
    if _WIDE_RUN.search(word):
        return _is_written_together(word)
    if _is_listed(folded) or _is_inflected(folded) or _is_foreign(folded) or _is_medical(folded):
        return True
    if languages.is_as_written(word):
        return True
    if _CAMEL.fullmatch(word):
        # Words joined by their capitals, as devices name protocols: BestDiast, PreMonitoring.
        parts = _CAMEL_PART.findall(word)
        return all(is_recognised(part) and not is_name(part) for part in parts)
    acronym = _ACRONYM.match(word)
    return acronym is not None and _is_listed(fold(word[acronym.end() :]))


@lru_cache(maxsize=65536)
def is_made_as_surname(word: str) -> bool:
    """Whether a word is recognised for its stem alone, and ends as who does it is called: ``Planter``."""
    folded = fold(word)
    return folded.endswith(("er", "or", "man")) and is_recognised(word) and not _is_listed(folded)


def _is_listed(folded: str) -> bool:
    return (
        folded in clinical_words()
        or folded in common_words()
        or (not folded.isascii() and folded in _other_scripts())
    )


def _is_written_together(word: str) -> bool:
    """Whether a run of ideographs, kana or hangul, and what Latin is in it, is made of recognised words."""
    rest = [each for each in _WIDE_RUN.split(word) if each]
    if not all(is_recognised(each) for each in rest):
        return False
    for run in _WIDE_RUN.findall(word):
        folded = fold(run) if len(fold(run)) == len(run) else run
        reached = {0}
        for start in range(len(folded)):
            if start in reached:
                reached.update(
                    stop
                    for stop in range(start + 1, min(start + 7, len(folded)) + 1)
                    if folded[start:stop] in _other_scripts() or run[start:stop] in _other_scripts()
                )
        if len(folded) not in reached:
            return False
    return True


def _is_compound(folded: str, parts: frozenset[str], *, depth: int = 2) -> bool:
    """Whether a word is put together of words of one language and of medicine: ``Verlaufskontrolle``."""
    for at in range(_PART, len(folded) - _PART + 1):
        first = folded[:at]
        if not any(
            first.endswith(link) and _is_part(first[: at - len(link)], parts) for link in _LINKS
        ):
            continue
        last = folded[at:]
        if any(
            last.endswith(end) and _is_part(last[: len(last) - len(end)], parts) for end in _LINKS
        ):
            return True
        if depth and _is_compound(last, parts, depth=depth - 1):
            return True
    return False


def _is_part(piece: str, parts: frozenset[str]) -> bool:
    return piece in parts or (
        len(piece) > _PART and (piece in own_clinical_words() or is_of_stems(piece))
    )


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
        if rest != folded and len(rest) > 3 and _is_listed(rest) and not is_name(rest):
            return True
    return False


def _is_foreign(folded: str) -> bool:
    """Whether a word is made as German, Dutch, Swedish or Romance clinical words are."""
    if len(folded) < 2 * _PART or folded in given_names() or folded in family_names():
        return False
    if len(folded) > 2 * _PART and folded.endswith(_NOUN_ENDINGS):
        return True
    if len(folded) >= _LEAST_DECLINED and any(
        folded.endswith(ending)
        and any(folded.removesuffix(ending) + other in _european() for other in endings)
        for endings in _DECLENSIONS
        for ending in endings
        if ending
    ):
        return True
    return len(folded) < _MAX_COMPOUND and any(
        _is_compound(folded, parts) for parts in _compound_parts()
    )


def _is_medical(folded: str) -> bool:
    """Whether a word is one of orders in some language, or made of the stems of medicine, and no listed name.

    Endings of English make no more words of them: ``scheur`` does not make ``Scheurer`` one.
    """
    if folded in given_names() or folded in family_names():
        return False
    return (
        folded in languages.words() or is_of_stems(folded) or languages.is_ending_otherwise(folded)
    )


_OF_MEDICINE: Final = ("laboratory.txt", "medicines.txt", "examinations.txt")


@lru_cache(maxsize=65536)
def is_own_clinical(word: str) -> bool:
    """Whether a word is in our lists of imaging's words, not merely in prose, the standard or all of medicine.

    What stands beside a name and is one makes it an eponym; beside serum and insulin stand people.
    """
    return fold(word) in own_clinical_words()


@cache
def own_clinical_words() -> frozenset[str]:
    """Return our own list of clinical words and of consoles' words, folded, without the standard's."""
    return read_words("clinical.txt") | read_words("consoles.txt")


@cache
def _own_clinical() -> frozenset[str]:
    return own_clinical_words().union(*map(read_words, _OF_MEDICINE))


@lru_cache(maxsize=65536)
def is_prose(word: str) -> bool:
    """Whether a word is everyday English or from the standard's texts, and no clinical one of ours."""
    folded = fold(word)
    return (
        folded not in _own_clinical()
        and folded not in _european()
        and folded not in _other_scripts()
        and (_is_listed(folded) or _is_inflected(folded))
        and not (len(folded) > 7 and folded.endswith(_CLINICAL_ENDINGS))
    )


@cache
def _european() -> frozenset[str]:
    return read_words("european.txt")


def is_abbreviation(word: str) -> bool:
    """Whether a word is in capitals without a vowel, or has small letters before capitals, and is no name."""
    return _ABBREVIATION.match(word) is not None and not is_name(word)


def _may_be_name(word: str) -> bool:
    """Whether a word is a name as well as an everyday word, and no clinical one: Brown, but not Long."""
    return is_name(word) and not is_own_clinical(word)


def _is_joined(token: str) -> bool:
    """Whether words, and letters before them, are joined by their capitals: ``ThorRoutine``, ``LSpine``."""
    pieces = CAMEL_PART.findall(token)
    return (
        len(pieces) > 1
        and token.isascii()
        and "".join(pieces) == token
        and (len(pieces[0]) == 1 or len(pieces[0]) > 2)
        and all(
            len(piece) > 2 and is_recognised(piece) and not _may_be_name(piece)
            for piece in pieces[len(pieces[0]) == 1 :]
        )
    )


@lru_cache(maxsize=65536)
def is_clinical_token(token: str) -> bool:
    """Whether a token of a descriptor may stay: a recognised word, a short number, a code of the trade."""
    if token.isdigit():
        return len(token) <= 4
    if token.isalpha():
        if (_ABBREVIATION.match(token) and not is_name(token)) or _GRADE.match(token):
            return True
        return (is_recognised(token) and not _may_be_name(token)) or _is_joined(token)
    if _MEASURE.match(token) or _CODE.match(token) or _is_listed(fold(token)):
        return True
    return len(token) <= 12 and all(
        is_recognised(part) and not _may_be_name(part) if part.isalpha() else len(part) <= 4
        for part in re.findall(r"[^\W\d_]+|\d+", token)
    )


_UNITS: Final = frozenset(
    {
        "Gy", "cGy", "mGy", "GY", "CGY", "MU", "MeV", "keV", "MV", "kV", "mA", "mAs", "W", "mW", "kW", "J",
        "MGY", "mJ", "V", "mV", "µV", "uV", "µm", "um", "nm", "GHz", "Bq", "kBq", "MBq", "GBq", "Ci", "mCi",
        "µCi", "uCi", "Sv", "mSv", "µSv", "µg", "ug", "mcg", "kcps", "cps", "vox", "dpi", "mGycm",
        "Gycm2", "mGycm2", "dGycm2", "cGycm2", "µGym2", "uGym2", "kDa", "mmol", "mEq", "IU", "Pa", "kPa", "Nm",
        "rpm", "lx", "dB", "mT", "ppm",
    }
)  # fmt: skip
_NUMBER_BEFORE: Final = re.compile(r"(?<![^\W_])\d{1,8}(?:[.,]\d{1,8})?[\s_]?\Z")
_MOST_BEFORE: Final = 12


def is_unit(text: str, start: int, stop: int) -> bool:
    """Whether a word of a text is a unit, as it is written, behind its number: ``78 Gy``."""
    word = text[start:stop].replace("\u03bc", "\u00b5")
    return (
        word in _UNITS
        and _NUMBER_BEFORE.search(text, max(0, start - _MOST_BEFORE), start) is not None
    )
