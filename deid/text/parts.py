"""What an identifier is searched by in text: the words of names, codes without separators, days."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.identity.forms import with_particles
from deid.identity.places import says_only_its_kind
from deid.text.folding import LETTERS, fold, spellings, words
from deid.text.vocabulary import is_recognised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORD: Final = re.compile(rf"{LETTERS}(?:['\u2019]{LETTERS})*")
WIDE: Final = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\u3040-\u30ff]")
CASE_ENDINGS: Final = "аяоеийыьуюόοςαη"
MIXED: Final = re.compile(
    r"(?<![^\W_])(?=[^\W_]{0,40}\d)(?=\d{0,2}[^\W\d_])[^\W_]{2,40}(?:['\u2019][^\W_]{1,40})?(?![^\W_])"
)
"""Words with a digit between or before letters."""
MISREAD: Final = (str.maketrans("0134578", "oleastb"), str.maketrans("01345689", "oieasgbg"))
"""The letters that digits are mistaken for."""
GLUE: Final = (" ", "-", "'", ". ")
"""What stands between the words of a part of a name that is written apart."""
MOST_APART: Final = 4
"""Words that one part of a name is written as: ``Van den Berghe``."""
PHONE_DIGITS: Final = 7
"""At the end of a telephone number: what stands before them is written in many ways."""
CENTURY: Final = 100
"""A year of two digits may be of this century or of the last."""
_NAMES: Final = frozenset({"PERSON_NAME"})
_PHRASES: Final = frozenset({"LOCATION", "ORGANIZATION_NAME", "STREET_ADDRESS"})
_PLACES: Final = frozenset({"LOCATION", "ORGANIZATION_NAME"})
_DATES: Final = frozenset({"DATE", "DATE_OF_BIRTH"})
_TITLES: Final = words(
    """
    dr prof mr mrs ms miss md phd herr frau mme mlle sr sra ing dipl med von van der den de del la
    le el al bin ibn da dos di du st san santa jr sr ii iii iv mc mac the and of und et y
    """
)
_HARMLESS: Final = words(
    """
    anonymous anonymized anonymised unknown none null test patient name removed unbekannt
    """
)
_FEWEST_DIGITS: Final = 3
_SEPARATORS: Final = r"[\s._/:#-]{0,2}"
_MAX_PARTS: Final = 60


@dataclass(slots=True)
class Parts:
    """The parts of some identifiers.

    Attributes
    ----------
    words
        Folded word to infoType: parts of names, telling words of institutions and addresses.
    initials
        First letters of name parts.
    joined
        Two parts of a name in one word, or an initial and a part.
    wide
        Ideographs and syllables, as they may be written together.
    codes
        Patterns to infoTypes, for numbers and phrases.
    squeezed
        What the patterns match, without what may stand between, in lower case.
    tails
        Of telephone numbers, their last digits.
    born, days
        Year, month and day.
    """

    words: dict[str, str] = field(default_factory=dict)
    initials: set[str] = field(default_factory=set)
    joined: set[str] = field(default_factory=set)
    wide: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    squeezed: set[str] = field(default_factory=set)
    tails: set[str] = field(default_factory=set)
    born: set[tuple[int, int, int]] = field(default_factory=set)
    days: set[tuple[int, int, int]] = field(default_factory=set)

    def add(self, value: str, kind: str) -> None:
        """Add the parts of one identifier."""
        value = value.strip()
        if len(value) < 2 or fold(value) in _HARMLESS:
            return
        if kind in _NAMES:
            self._add_name(value)
        elif kind in _PLACES and says_only_its_kind(value):
            return
        elif kind in _PHRASES:
            self._add_phrase(value, kind)
        elif kind in _DATES:
            self._add_date(value, kind)
        elif kind != "AGE":
            self._add_code(value, kind)

    def _add_name(self, value: str) -> None:
        for group in value.split("="):
            parts = [part for part in re.split(r"[\^\s,;\\/]+", group) if part]
            if any(WIDE.search(part) for part in parts):
                self._add_wide(parts)
                continue
            folded_parts: list[str] = []
            for part in parts[:_MAX_PARTS]:
                for word in WORD.findall(part):
                    if fold(word) in _HARMLESS:
                        continue
                    folded_parts.append(fold(word))
                    self.initials.add(fold(word)[:1])
                    if len(word) >= 2 and fold(word) not in _TITLES:
                        for spelling in spellings(word):
                            self.words[spelling] = "PERSON_NAME"
            self.words.update(dict.fromkeys(with_particles(folded_parts), "PERSON_NAME"))
            self.joined.update(_shortened(folded_parts))
            for one in folded_parts[:6]:
                self.joined.update(
                    one + other for other in folded_parts[:6] if len(one + other) > 4
                )
                self.joined.update(
                    one[:1] + other for other in folded_parts[:6] if other != one and len(other) > 2
                )

    def _add_wide(self, parts: Sequence[str]) -> None:
        for glue in ("", " ", "　", "・", "^"):
            self.wide[glue.join(parts)] = "PERSON_NAME"
        for part in parts:
            if len(part) >= 2:
                self.wide[part] = "PERSON_NAME"

    def _add_phrase(self, value: str, kind: str) -> None:
        for line in re.split(r"[\\^\r\n,;]+", value):
            found = WORD.findall(line)
            if len(found) > 1 or re.search(r"\d", line):
                self._add_pieces(re.findall(r"[^\W_]+", line), kind)
            # The name of a street without its number, and without what it is: Winding Creek Court.
            named = [word for word in re.findall(r"[^\W_]+", line) if word.isalpha()]
            for run in (named, named[:-1]):
                if len(run) > 1 and any(map(_is_telling, run)):
                    self._add_pieces(run, kind)
            for word in found:
                if _is_telling(word) and (len(word) > 3 or len(found) == 1):
                    self.words.setdefault(fold(word), kind)

    def _add_pieces(self, pieces: Sequence[str], kind: str) -> None:
        if len("".join(map(re.escape, pieces))) >= 5:
            self.codes[r"[\W_]{1,3}".join(map(re.escape, pieces))] = kind
            self.squeezed.add("".join(pieces).lower())

    def _add_code(self, value: str, kind: str) -> None:
        for part in value.split("\\"):
            compact = re.sub(r"[\W_]+", "", part)
            if len(compact) < 3 or (compact.isalpha() and is_recognised(compact)):
                continue
            if len(compact) == 3 and not any(c.isdigit() for c in compact):
                continue
            if kind == "PHONE_NUMBER" and compact.isdigit() and len(compact) > PHONE_DIGITS:
                self.codes[_spaced(compact[-PHONE_DIGITS:], 12)] = kind
                self.tails.add(compact[-PHONE_DIGITS:].lstrip("0"))
            self._add_spaced(compact, kind)
            for run in re.findall(r"\d+", part):
                if run != compact and (
                    len(run) > 4 or (len(run) == 4 and run[:2] not in ("19", "20"))
                ):
                    self._add_spaced(run, kind)

    def _add_spaced(self, compact: str, kind: str) -> None:
        self.codes[_spaced(compact)] = kind
        self.squeezed.add(_stripped(compact).lower())

    def _add_date(self, value: str, kind: str) -> None:
        digits = re.sub(r"\D", "", value)[:8]
        if len(digits) != 8:
            return
        year, month, day = digits[:4], digits[4:6], digits[6:]
        when = (int(year), int(month), int(day))
        self.days.add(when)
        if kind != "DATE_OF_BIRTH":
            return
        self.born.add(when)
        short = year[2:]
        for order in (
            (day, month, year),
            (month, day, year),
            (year, day, month),
            (short, month, day),
            (day, month, short),
            (month, day, short),
        ):
            self.codes["".join(order)] = kind
            self.squeezed.add("".join(order))


def _shortened(parts: Sequence[str]) -> Iterator[str]:
    """Yield a name as four and more initials, and its parts without their vowels: ``nthn``, ``kwlczk``."""
    if _LEAST_SHORTENED <= len(parts) <= _MOST_INITIALS:
        yield "".join(part[:1] for part in parts)
    for part in parts:
        consonants = part.translate(_VOWELS) if part.isascii() else ""
        if _LEAST_SHORTENED <= len(consonants) <= len(part) - 2 and not is_recognised(consonants):
            yield consonants


_VOWELS: Final = str.maketrans("", "", "aeiouy'")
_LEAST_SHORTENED: Final = 4
_MOST_INITIALS: Final = 6


def _is_telling(word: str) -> bool:
    """Whether a word of a place or an institution is of no vocabulary."""
    return len(word) >= 3 and not is_recognised(word) and fold(word) not in _TITLES


def _stripped(compact: str) -> str:
    """Return a code without the zeros before it that may be missing.

    They may be where enough digits are left to tell it from any other number.
    """
    stripped = compact.lstrip("0") if compact.isdigit() else compact
    return stripped if len(stripped) >= _FEWEST_DIGITS else compact


def _spaced(compact: str, extra: int = 0) -> str:
    """Return a pattern for a code with separators anywhere, and leading zeros."""
    zeros = "0{0,6}" if compact[0].isdigit() else ""
    before = rf"(?:[\d+()]{_SEPARATORS}){{0,{extra}}}" if extra else ""
    return before + zeros + _SEPARATORS.join(re.escape(c) for c in _stripped(compact))
