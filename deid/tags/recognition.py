"""Whether a text that no table names may stay: everything in it has to be recognised.

Table E.1-1 is the floor. Elements outside it carry text too (a code's meaning, a software version, a
label), and what somebody typed there is not safe because no table mentions it. A text stays when each
of its words is one that the standard, its codes or the makers of devices use, or is a short number.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from deid.encoding.character_sets import decode
from deid.tables.dictionary import CAMEL_PART, TOKEN, words_in
from deid.tags.colour_profiles import is_colour_profile
from deid.tags.equipment import OF_VERSIONS
from deid.tags.labels import is_recognised_label
from deid.tags.numbers import SAMPLES, are_short, is_measure, is_numbers, is_snomed_identifier
from deid.tags.terms import NO_TERMS, attribute_terms, code_strings, is_printed
from deid.text.folding import ENCODED
from deid.text.standard import known_codes, known_meanings, listed_names, vocabulary
from deid.text.words import read_words

_RECOGNISED_DIGITS: Final = 5
_MIXED: Final = re.compile(r"(?=.*\d)[A-Za-z]{0,4}\d{1,5}[A-Za-z]{0,3}\d{0,3}\Z")
_NUMBERED: Final = re.compile(r"[A-Za-z]{3,}\d{1,2}\Z")
_DATE_LIKE: Final = re.compile(
    r"(?<!\d)(19|20)\d\d[-./ _]?(0[1-9]|1[0-2])[-./ _]?([0-2]\d|3[01])(?!\d)"
    r"|(?<!\d)([0-2]?\d|3[01])[-./_](0?[1-9]|1[0-2])[-./_](19|20)?\d\d(?!\d)"
    r"|(?<!\d)(0?[1-9]|1[0-2])[-/_]([0-2]?\d|3[01])[-/_](19|20)?\d\d(?!\d)"
    r"|(?<!\d)(0?[1-9]|1[0-2])\.([0-2]?\d|3[01])\.(19|20)\d\d(?!\d)"
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_COMPRESSION: Final = re.compile(r"ISO_\d{5}_\d{1,2}(\\ISO_\d{5}_\d{1,2})*\Z")
"""Defined terms of Lossy Image Compression Method (PS3.3 C.7.6.1.1.5)."""
_HARDWARE_ADDRESS: Final = re.compile(r"(?<![^\W_])[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}(?![^\W_])")
_DIGIT_GROUPS: Final = re.compile(r"(?<!\d)\d+(?:[-./:,_ ]\d+)+")
_MOST_GROUPED_DIGITS: Final = 6
_MOST_VERSION_DIGITS: Final = 9
_MOST_SINGLE_LETTERS: Final = 4
_SHORT_WORDS: Final = frozenset(
    {
        "an", "as", "at", "by", "ct", "fl", "ga", "gy", "hz", "id", "if", "in", "is", "it", "lu",
        "mr", "nm", "no", "of", "on", "or", "pa", "pt", "sd", "se", "sv", "tc", "to", "up", "us",
    }
)  # fmt: skip
_UNITS_LIKE_NAMES: Final = frozenset({"HU", "MA"})
_NON_ASCII_UNITS: Final = frozenset({"µ", "μ", "µm", "μm", "µs", "μs", "µa", "μa", "µv", "μv"})
_MACHINE_TAGS: Final = frozenset(
    {
        0x00181016, 0x00181018, 0x00181019, 0x00181020, 0x00181210, 0x00180024, 0x00181250,
        0x00181251, 0x00189005, 0x00189041, 0x00181160, 0x00181180, 0x00181022, 0x00080100,
        0x00080102, 0x00080103, 0x00080119, 0x00080120, 0x00541101, 0x00541103, 0x00541105,
    }
)  # fmt: skip
"""Software, coils, kernels, sequences and codes: shapes such as ``VB20A`` or ``0.1.2b`` are usual."""
_CODE_VALUE: Final = 0x00080100
_CODE_MEANING: Final = 0x00080104
_ICC_PROFILE: Final = 0x00282000
_LABELS: Final = frozenset({_CODE_MEANING, 0x00620005, 0x00620006})
"""Meanings of codes, labels and descriptions of segments: the words of anatomy and disease are theirs."""
_FIRST_YEAR: Final = 1993
"""DICOM is as old, and so are the versions of what it cites."""
_VERSION_DAY: Final = re.compile(r"_?((?:19|20)\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\Z")
_CAMEL_PARTS: Final = re.compile(r"(?:[A-Z]?[a-z]{2,})(?:[A-Z][a-z]{2,})+\Z")
_COUNTED: Final = re.compile(r"\d{1,2}[A-Za-z]{2,}\Z")
_CODE_DIGITS: Final = 6
_CODE_SHAPE: Final = re.compile(
    r"(C\d{7}|RID\d{1,6}|[A-Z][A-Z0-9]?-[0-9A-F]{4,5}[A-Z]?|5\.6\.3-\d{1,2}-\d{1,3})\Z"
)
"""Identifiers of UMLS and RadLex, of SNOMED before it was numeric (SRT), and of SCP-ECG."""
_COMPRESSION_METHOD: Final = 0x00282114
_MAKER_TAGS: Final = frozenset({0x00080070, 0x00081090})
"""Manufacturer and model: what the maker of a device calls itself is in no vocabulary."""
_VERSION: Final = re.compile(r"[A-Za-z]{0,3}\d{1,4}[A-Za-z]{0,2}\d{0,2}[A-Za-z]?\Z")


@dataclass(frozen=True, slots=True)
class _Words:
    """The words that are recognised in an attribute: the general ones and its own."""

    general: frozenset[str]
    own: set[str]

    def __contains__(self, word: str) -> bool:
        return word in self.general or word in self.own


def _words_of(tag: int) -> _Words:
    general = _words_of_labels() if tag in _LABELS else vocabulary()
    return _Words(general, attribute_terms().get(tag, NO_TERMS).words)


@cache
def _words_of_labels() -> frozenset[str]:
    clinical = {word for word in read_words("clinical.txt") if len(word) > 2}
    return vocabulary() | (clinical - listed_names())


@cache
def _meanings_in_lower_case() -> frozenset[str]:
    return frozenset(map(str.lower, known_meanings()))


def _is_meaning(text: str, *, anywhere: bool) -> bool:
    """Whether a text is a meaning that stays however it is written: as a meaning, or wherever it stands.

    A view that is called after somebody (``Miller``) is no more than a name when it is written otherwise.
    """
    lower = text.lower()
    if lower not in _meanings_in_lower_case():
        return False
    words = words_in(lower)
    if words <= listed_names():
        return False
    return not anywhere or (" " in lower and not words & listed_names())


@cache
def _date_in_words() -> re.Pattern[str]:
    """Return a search for a day with the name of its month, in any of the listed languages."""
    rows = csv.DictReader((files("deid.text.words") / "months.csv").read_text("utf-8").splitlines())
    names = {name for row in rows for name in row["names"].lower().split()}
    month = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    gap, year = r"[.,/\s-]{0,3}", r"(?:(?:19|20)\d\d|['\u2019]?\d\d)(?!\d)"
    return re.compile(
        rf"(?<!\d)\d{{1,2}}(?:st|nd|rd|th|\.|º)?{gap}(?:of |de |d')?(?:{month}){gap}(?:de )?{year}"
        rf"|\b(?:{month}){gap}\d{{1,2}}(?:st|nd|rd|th)?{gap}{year}"
        rf"|{year[:-6]}{gap}(?:{month}){gap}\d{{1,2}}(?!\d)"
        r"|(?<!\d)\d{1,2}[. ]{1,2}[ivx]{1,4}[. ]{1,2}(?:19|20)\d\d(?!\d)"
        r"|(?<!\d)(?:19|20)\d\d[\s,./-]{0,3}(?:w|weeks?|wk|kw|cw|woche|semaine)[\s.]?[0-5]?\d(?!\d)"
        r"|(?<!\w)(?:weeks?|wk|kw|cw|woche|semaine)[\s.]{0,2}[0-5]?\d[\s,./-]{1,3}(?:of\s)?(?:(?:19|20)\d\d|'\d\d)(?!\d)"
        r"|(?<!\d)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"
        r"|(?<!\d)\d{1,2}([|*~;#+])\d{1,2}\1(?:19|20)\d\d(?!\d)"
        r"|(?<!\d)\d{1,2}(?:st|nd|rd|th)\W{1,3}(?:of\W)?(?:the\W)?\d{1,2}(?:st|nd|rd|th)?\W{1,3}(?:19|20)\d\d(?!\d)"
        rf"|(?<!\d)(?:19|20)\d\d\W{{1,3}}(?:{month})\W{{1,3}}(?:the\W)?\d{{1,2}}(?!\d)"
        r"|(?<!\w)day\W{1,2}\d{1,3}\W{1,2}(?:of|in|/)\W?(?:19|20)\d\d(?!\d)"
        r"|(?<!\d)\d{1,2}[./]\W?\d{1,2}[./]\W?['\u2019]\d\d(?!\d)",
        re.IGNORECASE,
    )


def load() -> None:
    """Read the words and terms that the first text would otherwise wait for."""
    for table in (
        vocabulary,
        attribute_terms,
        code_strings,
        known_codes,
        _meanings_in_lower_case,
        _words_of_labels,
        _date_in_words,
    ):
        table()


def may_stay(tag: int, vr: str, raw: bytes, charset: str) -> bool:
    """Whether an encoded value holds nothing but what is recognised, whatever its VR."""
    if tag == _ICC_PROFILE:
        return is_colour_profile(raw)
    if vr in SAMPLES:
        return is_numbers(tag, vr, raw)
    if vr in ("DS", "IS") and are_short(raw):
        return True
    return recognised(tag, vr, decode(raw, charset))


def recognised(tag: int, vr: str, text: str) -> bool:
    """Whether a decoded value holds nothing but what is recognised.

    Parameters
    ----------
    tag
        The element; names of devices and codes may have shapes that others may not.
    vr
        The VR the value is read as.
    text
        The whole value, backslashes included.
    """
    text = text.strip(" \x00")
    if not text:
        return True
    if vr in ("IS", "DS"):
        return all(is_measure(tag, part.strip()) for part in text.split("\\"))
    if _CONTROL.search(text) or vr == "UR":
        return False
    if tag == _CODE_MEANING and text in known_meanings():
        return True
    if _is_meaning(text, anywhere=tag != _CODE_MEANING):
        return True
    if is_recognised_label(tag, text):
        return True
    text = "\\".join(part for part in text.split("\\") if not is_printed(tag, vr, part))
    if not text:
        return True
    if tag in OF_VERSIONS and _is_version_day(text):
        return True
    if tag == _CODE_VALUE and (text in known_codes() or _CODE_SHAPE.match(text)):
        return True
    if tag == _COMPRESSION_METHOD and _COMPRESSION.match(text):
        return True
    if "^" in text or ENCODED.search(text) or _is_date_like(text) or _HARDWARE_ADDRESS.search(text):
        return False
    if "\\" in text and _is_number_in_pieces(text):
        return False
    if tag in _MAKER_TAGS:
        return True
    if tag == _CODE_VALUE and text.isdigit():
        return len(text) <= _CODE_DIGITS or is_snomed_identifier(text)
    words = _words_of(tag)
    machine = tag in _MACHINE_TAGS
    return all(_is_recognised_value(part, words, machine) for part in text.split("\\"))


def is_standard(tag: int, vr: str, text: str) -> bool:
    """Whether every value is one that the standard prints for its attribute: a term, a code, its meaning."""
    if tag == _CODE_MEANING:
        return text in known_meanings()
    if tag == _CODE_VALUE and text in known_codes():
        return True
    return all(is_printed(tag, vr, part) for part in text.split("\\"))


def _is_version_day(text: str) -> bool:
    """Whether a text is the day from which a version of a coding scheme, context group or template is."""
    day = _VERSION_DAY.match(text)
    return day is not None and int(day[1]) >= _FIRST_YEAR


def _is_date_like(text: str) -> bool:
    if not any(map(str.isdigit, text)):
        return False
    return bool(_DATE_LIKE.search(text) or _date_in_words().search(text))


def _is_number_in_pieces(text: str) -> bool:
    """Whether several values are digits that are a day, or a record number, one after the other."""
    parts = [part.strip() for part in text.split("\\")]
    parts = [part for part in parts if part]
    if not all(part.isdigit() for part in parts):
        return False
    return _is_date_like("/".join(parts)) or len("".join(parts)) > _MOST_GROUPED_DIGITS


def _is_recognised_value(text: str, words: _Words, machine: bool) -> bool:
    for group in _DIGIT_GROUPS.findall(text):
        digits = sum(map(str.isdigit, group))
        is_version = machine and not group.replace(".", "").strip("0123456789")
        if digits > (_MOST_VERSION_DIGITS if is_version else _MOST_GROUPED_DIGITS):
            return False
    tokens = TOKEN.findall(text)
    single = 0
    for token in tokens:
        # Letters standing alone spell something when there are many of them in a row.
        single = single + 1 if len(token) == 1 and token.isalpha() else 0
        if single > _MOST_SINGLE_LETTERS or not _is_recognised_token(token, words, machine):
            return False
    return True


def _is_recognised_token(token: str, words: _Words, machine: bool) -> bool:
    if token.isdigit():
        return len(token) <= _RECOGNISED_DIGITS
    lower = token.lower()
    if len(token) <= 2 and token.isascii():
        # As people write names: ``Ng``, ``Xu``, ``LI``. Most abbreviations and units are written otherwise.
        is_like_a_name = len(token) == 2 and token.isalpha() and token[0].isupper()
        is_abbreviation = token.isupper() and (
            lower not in listed_names() or token in _UNITS_LIKE_NAMES
        )
        return not is_like_a_name or is_abbreviation or lower in _SHORT_WORDS or lower in words.own
    if lower in words:
        return True
    if not token.isascii():
        return lower in _NON_ASCII_UNITS
    if len(token) == 3 and token.isupper() and token.isalpha():
        return lower not in listed_names()
    if lower.endswith("s") and lower[:-1] in words and lower not in listed_names():
        return True
    if machine and _VERSION.match(token):
        return True
    if machine and _COUNTED.match(token):
        counted = lower.lstrip("0123456789")
        if counted in words and counted not in listed_names():
            return True
    if _CAMEL_PARTS.match(token):
        # Words joined by their capitals, as segments are labelled: FemurHead.
        return all(
            part in words and part not in listed_names()
            for part in map(str.lower, CAMEL_PART.findall(token))
        )
    if _NUMBERED.match(token) and lower.rstrip("0123456789") in words:
        return True
    return bool(_MIXED.match(token)) and sum(map(str.isdigit, token)) <= _RECOGNISED_DIGITS
