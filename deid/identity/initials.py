"""Initials and beginnings of a name, where something else says that they are those of a person.

Two letters are an abbreviation as often as they are somebody's initials. Beside digits of the person's own
number, birth or examination (``OD7781``, ``OD/F/61``, ``O.D. 25.8.``), with points (``O. D.``) or masks
(``O___ D___``) they are the person's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.identity.views import words

if TYPE_CHECKING:
    from collections.abc import Iterator

_TECHNICAL: Final = frozenset(
    words(
        """
    te tr ti fa ct mr pt us st sl im se ge kv ma bv wl ww va vb vc vd ve vx xa nm dx cr mg pa ap la ll
    rl hf ff ax br bw sd hu mm cm ml ms hz kg gy vr fs fl no nr id ir
    """
    )
)
"""Abbreviations that a number follows, whoever the patient is."""
_POSITIONS: Final = _TECHNICAL | frozenset(
    words(
        """
    ra lv rv lr si is ai ia pi ip al lp pl ar rp pr il li ri ir sl as ls rs sr sa ps sp ca ac iv po am pm eg ie
    nb ca op oa od os ou hd md mr dr ms st mt vs wt ht bp hr
    """
    )
)
"""What is written with points of nobody: views, positions, chambers, ways of giving, times of day."""
_GAP: Final = r"[.\s_#/:*'\u2019^+=(\[,|-]{0,3}"
_SEX: Final = r"(?:[\s/_.,-]{0,2}[fmwdx](?=[\s/_.,\d-]))?"
_LETTERS: Final = r"(?P<letters>[a-z]{2,12}|[a-z](?:[.\s_-]{1,2}[a-z]){1,2})"
_DIGITS: Final = r"(?P<digits>\d{1,2}(?:[./-]\d{1,2}){1,2}(?!\d)|\d{2,14}(?!\d))"
_LETTERS_FIRST: Final = re.compile(rf"(?<![a-z]){_LETTERS}{_SEX}{_GAP}{_DIGITS}(?![a-z])")
_DIGITS_FIRST: Final = re.compile(
    r"(?<![\da-z])(?P<digits>\d{2,14})[.\s_#/:*-]{0,2}" + _LETTERS + r"(?![a-z\d])"
)
_RUNS: Final = re.compile(r"\d{2,14}")
_PARTS: Final = re.compile(r"\d{1,2}(?:[./-]\d{1,2}){1,2}")
_TANGLED: Final = re.compile(
    r"(?<![a-z\d])(?:[a-z]\d{2,4}){2}(?!\d)|(?<![a-z\d])[a-z]\d{3,6}[a-z](?![a-z\d])"
)
_DOTTED: Final = re.compile(
    r"(?<![a-z\d.])([a-z])(?:\.|[_*#x]{2,12}|\.{2,})[,\s]{0,2}([a-z])(?:\.(?!\s?[a-z\d]\.)|[_*#x]{2,12}|\.{2,})(?![a-z\d])"
)
BEGINNINGS: Final = 6
"""Letters of two beginnings that are looked for beside each other without digits."""
_BEGINNINGS: Final = re.compile(r"(?<![a-z])(?=([a-z]{3})[\s./,_-]{1,2}([a-z]{3})(?![a-z]))")
SHAPES: Final = (
    rb"[a-z][._ #/:*'^+=(\[,|-]{0,3}\d\d?[\d./-]|\d\d[._ #/:*-]{0,2}[a-z]|[a-z]\d\d\d?\d?[a-z]",
    rb"(?:^|[^a-z0-9.])[a-z](?:\.|[_*#x][_*#x])[_*#x., ]{0,12}[a-z](?:\.|[_*#x][_*#x])",
)
"""What any of these looks like in lower case, for a quick look."""
_LEAST_WORD: Final = 3
_LEAST_PART: Final = 6
_PAIR: Final = 2


@dataclass(frozen=True, slots=True)
class Initials:
    """What the beginnings of somebody's name are, and the digits that prove them.

    Attributes
    ----------
    combinations
        Beginnings of two and more parts of a name, joined: ``od``, ``deod``.
    words
        Parts of names: plain letters in lower case.
    tails
        Digits that stand behind initials: of numbers and of days.
    """

    combinations: frozenset[str]
    words: frozenset[str]
    tails: frozenset[str]

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where they stand in a text in lower case."""
        if self._has_tails(text):
            for pattern in (_LETTERS_FIRST, _DIGITS_FIRST):
                for match in pattern.finditer(text):
                    if self._is_proved(match):
                        yield match.span()
        for match in _TANGLED.finditer(text):
            letters = "".join(c for c in match[0] if c.isalpha())
            digits = "".join(c for c in match[0] if c.isdigit())
            if letters in self.combinations and digits in self.tails:
                yield match.span()
        for match in _DOTTED.finditer(text):
            letters = match[1] + match[2]
            if letters in self.combinations and letters not in _POSITIONS:
                yield match.span()
        for match in _BEGINNINGS.finditer(text):
            if match[1] + match[2] in self.combinations and match[1] != match[2]:
                yield match.start(1), match.end(2)

    def _has_tails(self, text: str) -> bool:
        """Whether any digits of the person's stand in a text; most texts have none, which is soon seen."""
        if not self.tails.isdisjoint(_RUNS.findall(text)):
            return True
        return any(
            digits in self.tails for parts in _PARTS.findall(text) for digits in _as_digits(parts)
        )

    def _is_proved(self, match: re.Match[str]) -> bool:
        digits = match["digits"]
        if not any(each in self.tails for each in _as_digits(digits)):
            return False
        many = sum(map(str.isdigit, digits))
        is_glued = len(match[0]) == len(match["letters"]) + len(digits)
        for letters in _without_sex("".join(c for c in match["letters"] if c.isalpha())):
            if letters not in self.combinations and letters not in self.words:
                continue
            if letters in _TECHNICAL and many < _LEAST_WORD:
                continue
            if len(letters) < _LEAST_WORD or is_glued or many >= _LEAST_PART:
                return True
        return False


def _without_sex(letters: str) -> Iterator[str]:
    """Yield initials as they are, and without a letter for the sex behind or between them."""
    yield letters
    if len(letters) == _PAIR + 1:
        if letters[-1] in "fmwdx":
            yield letters[:-1]
        if letters[1] in "fmw":
            yield letters[0] + letters[2]


def _as_digits(written: str) -> Iterator[str]:
    """Yield digits as they are; of a day in parts, with two digits for each and the year's last two."""
    parts = re.split(r"[./-]", written)
    if len(parts) == 1:
        yield written
        return
    yield "".join(part.zfill(2) for part in parts)
