"""Whether a text that no table names may stay: everything in it has to be recognised.

Table E.1-1 is the floor. Elements outside it carry text too (a code's meaning, a software version, a
label), and what somebody typed there is not safe because no table mentions it. A text stays when each
of its words is one that the standard, its codes or the makers of devices use, or is a short number.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final

from deid.encoding.character_sets import decode
from deid.tables.dictionary import CAMEL_PART, TOKEN, attributes, words_in
from deid.text.standard import known_codes, known_meanings, listed_names, vocabulary
from deid.text.words import read_words

_NUMBER: Final = re.compile(r"[+-]?\d*(\.\d*)?([eE][+-]?\d{1,3})?\Z")
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
_DIGIT_GROUPS: Final = re.compile(r"\d+(?:[-./:,_ ]\d+)+")
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
_SCHEME_VERSION: Final = 0x00080103
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
_DAY: Final = re.compile(r"[+-]?(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\.0*)?\Z")
_ROUND_DIGITS: Final = 4
_MOST_DIGITS: Final = 7
_COUNTS: Final = frozenset(
    {
        0x00180070, 0x00181074, 0x00181242, 0x00541300, 0x00541310, 0x00541311, 0x00541322,
    }
)  # fmt: skip
"""Doses, counts, durations and factors: measured, however many digits they have."""
_VALUE_BYTES: Final = {
    "US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "FD": 8, "SV": 8, "UV": 8,
}  # fmt: skip
SAMPLES: Final = frozenset({*_VALUE_BYTES, "OB", "OW", "OF", "OD", "OL", "OV"})
"""VRs of binary numbers."""
_LETTERS: Final = re.compile(rb"[A-Za-z]{5,}")
_NOT_PRINTABLE: Final = bytes(range(32, 127))
_MAKER_TAGS: Final = frozenset({0x00080070, 0x00081090})
"""Manufacturer and model: what the maker of a device calls itself is in no vocabulary."""
_VERSION: Final = re.compile(r"[A-Za-z]{0,3}\d{1,4}[A-Za-z]{0,2}\d{0,2}[A-Za-z]?\Z")


@dataclass(slots=True)
class Terms:
    """What one attribute holds besides the words that are recognised everywhere.

    Attributes
    ----------
    values
        Whole values, in lower case.
    words
        Words that any value of the attribute may have, in lower case.
    symbols
        The values of one or two characters as they are written: ``Cu`` is no more than a name elsewhere.
    shapes
        Patterns of whole values.
    """

    values: set[str] = field(default_factory=set)
    symbols: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    shapes: list[re.Pattern[str]] = field(default_factory=list)

    def hold(self, value: str) -> bool:
        """Whether a whole value is one of the attribute's own."""
        value = value.strip()
        if value.lower() in self.values and (
            len(value) > 2 or value in self.symbols or value.isupper()
        ):
            return True
        return any(shape.match(value) for shape in self.shapes)


_NO_TERMS: Final = Terms()


@cache
def attribute_terms() -> dict[int, Terms]:
    """Return the terms of attributes that have some of their own, by tag."""
    found: dict[int, Terms] = {}
    text = (files("deid.tables") / "defined_terms.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        terms = found.setdefault(int(row["tag"], 16), Terms())
        if row["kind"] == "shape":
            terms.shapes.append(re.compile(rf"(?:{row['terms']})\Z"))
        else:
            listed = row["terms"].split(";")
            (terms.values if row["kind"] == "value" else terms.words).update(map(str.lower, listed))
            terms.symbols.update(term for term in listed if len(term) <= 2)
    return found


@dataclass(frozen=True, slots=True)
class _Words:
    """The words that are recognised in an attribute: the general ones and its own."""

    general: frozenset[str]
    own: set[str]

    def __contains__(self, word: str) -> bool:
        return word in self.general or word in self.own


def _words_of(tag: int) -> _Words:
    general = _words_of_labels() if tag in _LABELS else vocabulary()
    return _Words(general, attribute_terms().get(tag, _NO_TERMS).words)


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
        r"|(?<!\d)(?:19|20)\d\d-?w[0-5]\d(?!\d)"
        r"|(?<!\d)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"
        r"|(?<!\d)\d{1,2}\|\d{1,2}\|(?:19|20)\d\d(?!\d)",
        re.IGNORECASE,
    )


def load() -> None:
    """Read the words and terms that the first text would otherwise wait for."""
    for table in (
        vocabulary,
        attribute_terms,
        known_codes,
        _meanings_in_lower_case,
        _date_in_words,
    ):
        table()


def may_stay(tag: int, vr: str, raw: bytes, charset: str) -> bool:
    """Whether an encoded value holds nothing but what is recognised, whatever its VR."""
    if tag == _ICC_PROFILE:
        return is_colour_profile(raw)
    if vr in SAMPLES:
        return is_numbers(tag, vr, raw)
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
        return all(_is_measure(tag, part.strip()) for part in text.split("\\"))
    if _CONTROL.search(text) or vr == "UR":
        return False
    if tag == _CODE_MEANING and text in known_meanings():
        return True
    if _is_meaning(text, anywhere=tag != _CODE_MEANING):
        return True
    if (terms := attribute_terms().get(tag)) is not None:
        text = "\\".join(part for part in text.split("\\") if not terms.hold(part))
        if not text:
            return True
    if tag == _SCHEME_VERSION and _is_version_day(text):
        return True
    if tag == _CODE_VALUE and (text in known_codes() or _CODE_SHAPE.match(text)):
        return True
    if tag == _COMPRESSION_METHOD and _COMPRESSION.match(text):
        return True
    if "^" in text or _is_date_like(text) or _HARDWARE_ADDRESS.search(text):
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


def _is_version_day(text: str) -> bool:
    """Whether a text is the day from which a version of a coding scheme is."""
    day = _VERSION_DAY.match(text)
    return day is not None and int(day[1]) >= _FIRST_YEAR


def _is_date_like(text: str) -> bool:
    if not any(map(str.isdigit, text)):
        return False
    return bool(_DATE_LIKE.search(text) or _date_in_words().search(text))


def _is_number_in_pieces(text: str) -> bool:
    """Whether several values are digits that are a day, or a record number, one after the other."""
    parts = [part.strip() for part in text.split("\\")]
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


def is_number(text: str) -> bool:
    """Whether a DS or IS value holds one number and nothing else, however long."""
    return bool(text) and _NUMBER.match(text) is not None


def _is_measure(tag: int, part: str) -> bool:
    """Whether a number looks measured or counted, not issued: record numbers are long and not round."""
    if not _NUMBER.match(part):
        return False
    if tag in _COUNTS:
        return True
    if _DAY.match(part):
        return False
    whole = part.lstrip("+-0").partition(".")[0]
    whole = whole.lower().partition("e")[0]
    return len(whole) <= _MOST_DIGITS or len(whole.rstrip("0")) <= _ROUND_DIGITS


def is_snomed_identifier(digits: str) -> bool:
    """Whether digits are a SNOMED CT concept identifier by partition and check digit.

    SNOMED CT identifiers: 6 to 18 digits, partition ``00`` or ``10`` before a Verhoeff check digit.
    """
    if not 6 <= len(digits) <= 18 or digits[-3:-1] not in ("00", "10") or digits[0] == "0":
        return False
    check = 0
    for position, digit in enumerate(reversed(digits)):
        check = _VERHOEFF_PRODUCT[check][_VERHOEFF_TURN[position % 8][int(digit)]]
    return check == 0


_VERHOEFF_PRODUCT: Final = tuple(
    tuple(
        (a + b) % 5 if a < 5 and b < 5
        else 5 + (a + b) % 5 if a < 5
        else 5 + (a - b) % 5 if b < 5
        else (a - b) % 5
        for b in range(10)
    )
    for a in range(10)
)  # fmt: skip
"""Multiplication in the dihedral group of ten elements."""


def _turns() -> tuple[tuple[int, ...], ...]:
    turn = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    rows = [tuple(range(10))]
    while len(rows) < 8:
        rows.append(tuple(turn[digit] for digit in rows[-1]))
    return tuple(rows)


_VERHOEFF_TURN: Final = _turns()


def is_numbers(tag: int, vr: str, value: bytes) -> bool:
    """Whether a binary value is as long as its multiplicity allows and does not read as text."""
    size = _VALUE_BYTES.get(vr)
    if size is not None:
        most = _most_values(tag)
        if most and len(value) > most * size:
            return False
    return not _reads_as_text(value)


@cache
def _most_values(tag: int) -> int:
    """Return the highest multiplicity of an attribute; 0 when it has no limit or is not registered."""
    entry = attributes().get(tag)
    most = entry.vm.rpartition("-")[2] if entry else ""
    return int(most) if most.isdigit() else 0


def _reads_as_text(value: bytes) -> bool:
    """Whether bytes are mostly printable and have a word in them that is no ramp of numbers."""
    value = value.rstrip(b"\x00 ")
    if len(value) < 6 or len(value.translate(None, _NOT_PRINTABLE)) * 5 > len(value):
        return False
    for run in _LETTERS.findall(value):
        ascending = sorted(run)
        if len(set(run)) >= 4 and list(run) not in (ascending, ascending[::-1]):
            return True
    return False


def is_colour_profile(value: bytes) -> bool:
    """Whether bytes are an ICC profile whose tag table accounts for all of them.

    ICC.1 7.2 and 7.3: the size stands in the first four bytes, ``acsp`` at 36, the tag table at 128.
    What no tag covers must be zero, so that nothing can be appended.
    """
    size = int.from_bytes(value[:4], "big")
    if len(value) < 132 or value[36:40] != b"acsp" or size not in (len(value), len(value) - 1):
        return False
    count = int.from_bytes(value[128:132], "big")
    covered = 132 + 12 * count
    if not 0 < count <= 100 or covered > size:
        return False
    ranges = sorted(
        (
            int.from_bytes(value[at + 4 : at + 8], "big"),
            int.from_bytes(value[at + 8 : at + 12], "big"),
        )
        for at in range(132, covered, 12)
    )
    for start, length in ranges:
        if start + length > size or value[covered:start].strip(b"\x00"):
            return False
        covered = max(covered, start + length)
    return not value[covered:].strip(b"\x00")


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
