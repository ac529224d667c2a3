"""A person's identifiers in disguise: spelt, escaped, masked, in pieces, in words, as other numbers.

What stands in a text as it is, others find (`deid.text.known`, `deid.identity.residual`). Here is what a
reader sees all the same, and what a program undoes: the name letter by letter, in circled letters, in %41 or
base64, behind stars, as initials with digits of the own number or birth year; the record number with a digit
less, with points, in words; days in any order and spelling, as day of the year, as seconds since 1970.

A number that was measured may coincide with such a form: in numeric values seven digits have to agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.identity import views
from deid.identity.initials import Initials
from deid.identity.serials import CountedDays, other_calendars

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from deid.identity.views import View

_NUMERIC: Final = frozenset({"DS", "IS"})
_UNTOLD: Final = frozenset({"UI", "DA", "DT", "TM", "AS"})
"""VRs that follow rules of their own."""
LEAST_WORD: Final = 3
_FEWEST_DIGITS: Final = 3
_LEAST_DIGITS: Final = 5
_LEAST_PART: Final = 6
_MEASURED_DIGITS: Final = 7
_LEAST_KINDS: Final = 4
_WIDEST_GAP: Final = 3
_WIDEST_MARK: Final = 6

_LETTERS: Final = re.compile(r"[^\W\d_]+")
_MASKED: Final = re.compile(
    r"(?<![^\W_])[^\W\d_]{0,30}(?:(?:[*#?•·~]{1,30}|\.{2,30}|_{2,30}|-{2,30})[^\W\d_]{0,30}){1,8}(?![^\W_])"
    r"|(?<![^\W_])[^\W\d_]{2,12}?x{3,30}(?![^\W_])"
)
_MASK: Final = re.compile(r"[*#?•·~]+|\.{2,}|_{2,}|-{2,}|x{3,}\Z")
_MASKED_NUMBER: Final = re.compile(
    r"(?<![^\W_])(?:(?:[*#•x]{2,20}|\.{2,20}|…|(?:ends|ending|endet|last)(?: in| on| with| auf| four| 4)?)"
    r"[\s:-]{0,2}(\d{4,8})|(\d{4,8})[\s-]?[*#•x]{2,20})(?![^\W_])"
)
_TRIPLE: Final = re.compile(
    r"(?<!\d)(?=(\d{1,4})(\D{1,7})(\d{1,2})(\D{1,7})(\d{1,4})(?!\d|[.,]\d))"
)
_NEAR: Final = 4
_MOMENT: Final = re.compile(
    r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d"
)
_LIKE_DIGITS: Final = re.compile(r"(?<![^\W_])(?=[oilsbz]*\d)[\doilsbz]{5,20}(?![^\W_])")
_AS_DIGITS: Final = str.maketrans("oilsbz", "011582")
_MIXED: Final = re.compile(r"(?<![^\W_])(?=[a-z]*[0-9$@!|])[a-z0-9$@!|]{4,40}(?![^\W_])")
_AS_LETTERS: Final = (
    str.maketrans("0134578$@!|", "oleastbsail"), str.maketrans("01345689$@!|", "oieasgbgsail"),
    str.maketrans("0134579$@!|", "oieastgsail"),
)  # fmt: skip
_BASE_36_NUMBER: Final = re.compile(r"(?<![^\W_])(?=\d*[a-z])(?=[a-z]*\d)[0-9a-z]{4,9}(?![^\W_])")
_HEX_NUMBER: Final = re.compile(r"(?<![^\W_])(?:0x)?([0-9a-f]{5,14})(?:h)?(?![^\W_])")


class Trace(NamedTuple):
    """Where a disguised identifier stands in a text, and what it is."""

    start: int
    stop: int
    info_type: str


@dataclass(slots=True)
class Code:
    """A number of somebody's, as digits: all of them, and forms with one missing."""

    digits: str
    info_type: str
    least: int
    """How many digits agree at least where it stands."""
    is_part: bool = False
    """Whether so many digits are left out that the rest have to stand together."""


@dataclass
class Disguises:
    """The identifiers of some people, ready to be searched for in disguise.

    Attributes
    ----------
    words
        Parts of names: plain letters in lower case.
    combinations
        What is made of the beginnings of the parts of one name: ``od``, ``deod``.
    logins
        Names of accounts that are made of a beginning of one part and a letter or two of another.
    codes
        Digits to what they are of, and how many of them agree.
    tails
        Digits that stand behind initials: of numbers and of birth days.
    days
        Known days, and what they are.
    uids
        Whole UIDs.
    """

    words: frozenset[str] = frozenset()
    combinations: frozenset[str] = frozenset()
    logins: frozenset[str] = frozenset()
    codes: dict[str, Code] = field(default_factory=dict)
    tails: frozenset[str] = frozenset()
    days: dict[date, str] = field(default_factory=dict)
    uids: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether there is anything to search for."""
        return bool(self.words or self.codes or self.days or self.uids)

    def find(self, text: str, *, vr: str = "LO") -> list[Trace]:
        """Return where they stand in a decoded value.

        Parameters
        ----------
        vr
            What the value is read as: DS and IS are numbers first, and coincide; dates, times, ages and UIDs
            follow rules of their own.
        """
        if vr in _UNTOLD or not text:
            return []
        if vr in _NUMERIC:
            return list(self._numbers_in(views.as_written(text), numeric=True))
        return list(self._found(text, again=True))

    def find_in_run(self, run: str) -> Iterator[Trace]:
        """Yield where they stand in a readable stretch between other bytes, as they are or as numbers."""
        view = views.looked_at(views.as_written(run))
        yield from self._plainly(view)
        yield from self._numbers_in(view, numeric=False)

    def occurs_in(self, text: str, *, vr: str = "LO") -> bool:
        """Whether any of them stands in a decoded value."""
        return bool(self.find(text, vr=vr))

    def _found(self, text: str, *, again: bool) -> Iterator[Trace]:
        written = views.as_written(text)
        read = views.looked_at(views.unescaped(written))
        if read.text != text.lower():
            yield from self._plainly(read)
            # What looks like an escape may be none: t=42972.
            yield from self._numbers_in(views.looked_at(written), numeric=False)
        if self.words:
            yield from self._in_numbers(written)
        yield from self._found_in_view(read)
        if again and (bare := views.without_markup(read)) is not read:
            yield from self._found_in_view(bare)
        if again:
            for inner, start, stop in views.encoded_in(text):
                view = views.looked_at(views.as_written(inner))
                traces = [*self._plainly(view), *self._found(inner, again=False)]
                yield from (Trace(start, stop, each.info_type) for each in traces[:1])

    def _found_in_view(self, read: View) -> Iterator[Trace]:
        if self.words:
            for match in _LETTERS.finditer(read.text):
                if match[0] in self.logins:
                    yield self._trace(read, *match.span(), "PERSON_NAME")
            yield from self._apart(read)
            yield from self._apart(views.in_letters(read))
            yield from self._masked(read)
            for start, stop in self._initials.find(read.text):
                yield self._trace(read, start, stop, "PERSON_NAME")
            yield from self._misread(read)
        yield from self._numbers_in(read, numeric=False)

    # ------------------------------------------------------------------ names

    def _plainly(self, view: View) -> Iterator[Trace]:
        """Yield parts of names and codes as they stand in a view that is not the text as written."""
        for match in _LETTERS.finditer(view.text):
            token = match[0]
            if token in self.words:
                yield self._trace(view, *match.span(), "PERSON_NAME")
                continue
            if len(token) > _LEAST_DIGITS:
                for word in self.words:
                    if len(word) >= _LEAST_DIGITS and word in token:
                        yield self._trace(view, *match.span(), "PERSON_NAME")
                        break
        for uid in self.uids:
            at = view.text.find(uid)
            if at >= 0:
                yield self._trace(view, at, at + len(uid), "DICOM_UID")

    def _trace(self, view: View, start: int, stop: int, info_type: str) -> Trace:
        return Trace(*view.span(start, stop), info_type)

    def _apart(self, view: View) -> Iterator[Trace]:
        """Yield names that are written in pieces: ``T A N N``, ``De-la-court``, ``DEL ACO URT``."""
        tokens = list(_LETTERS.finditer(view.text))
        if len(tokens) < 2:
            return
        joined = "".join(each[0] for each in tokens)
        begins: dict[int, int] = {}
        ends: dict[int, int] = {}
        at = 0
        for index, token in enumerate(tokens):
            begins[at] = index
            at += len(token[0])
            ends[at] = index
        for word in self._both_ways:
            at = joined.find(word)
            while at >= 0:
                first, last = begins.get(at), ends.get(at + len(word))
                if first is not None and last is not None and first < last:
                    pieces = tokens[first : last + 1]
                    if self._is_spelt(view.text, word, pieces):
                        yield self._trace(view, pieces[0].start(), pieces[-1].end(), "PERSON_NAME")
                at = joined.find(word, at + 1)

    @cached_property
    def _both_ways(self) -> tuple[str, ...]:
        backwards = {word[::-1] for word in self.words if len(word) > 4}
        return tuple(sorted(self.words | backwards))

    @staticmethod
    def _is_spelt(text: str, word: str, pieces: Sequence[re.Match[str]]) -> bool:
        longest = max(len(piece[0]) for piece in pieces)
        most = len(word) if len(word) > 5 else 2 if len(word) > 3 else 1
        gaps = [text[a.end() : b.start()] for a, b in pairwise(pieces)]
        near = all(len(gap) <= _WIDEST_GAP and "\n" not in gap for gap in gaps)
        if longest == 1 and len(set(gaps)) == 1 and len(gaps[0]) <= _WIDEST_MARK:
            near = True  # one letter a line, or each in quotation marks
        digits = any(c.isdigit() for gap in gaps for c in gap)
        return longest <= most and near and not (digits and longest > 2)

    def _masked(self, view: View) -> Iterator[Trace]:
        """Yield names and numbers of which a part is hidden: ``Del***``, ``D*l*c*urt``, ``****7781``."""
        for match in _MASKED.finditer(view.text):
            parts = _MASK.split(match[0])
            visible = sum(map(len, parts))
            if visible < 2:
                continue
            pattern = re.compile(".+".join(map(re.escape, parts)))
            for word in self.words:
                if len(word) <= visible or not pattern.fullmatch(word):
                    continue
                is_exact = len(match[0]) == len(word) and "*" in match[0]
                if visible >= LEAST_WORD or is_exact:
                    yield self._trace(view, *match.span(), "PERSON_NAME")
                    break
        for match in _MASKED_NUMBER.finditer(view.text):
            shown = match[1] or match[2]
            for code in self._whole_codes:
                ends = code.digits.endswith(shown) if match[1] else code.digits.startswith(shown)
                if ends and len(code.digits) > len(shown):
                    yield self._trace(view, *match.span(), code.info_type)
                    break

    @cached_property
    def _whole_codes(self) -> tuple[Code, ...]:
        return tuple(code for code in self.codes.values() if code.least == len(code.digits))

    @cached_property
    def _initials(self) -> Initials:
        return Initials(self.combinations, self.words, self.tails)

    def _in_numbers(self, view: View) -> Iterator[Trace]:
        """Yield names whose letters are written as numbers: ``4-5-12-1``, ``68 101 108``."""
        for letters in views.from_numbers(view):
            for word in self.words:
                at = letters.text.find(word)
                if at >= 0 and len(word) > LEAST_WORD:
                    yield self._trace(letters, at, at + len(word), "PERSON_NAME")

    def _misread(self, view: View) -> Iterator[Trace]:
        """Yield names in which digits or signs stand for letters: ``T4nn``, ``D3lac0urt``."""
        for match in _MIXED.finditer(view.text):
            if sum(c.isalpha() for c in match[0]) < 2:
                continue
            if any(match[0].translate(table) in self.words for table in _AS_LETTERS):
                yield self._trace(view, *match.span(), "PERSON_NAME")

    # ------------------------------------------------------------------ numbers and days

    def _numbers_in(self, view: View, *, numeric: bool) -> Iterator[Trace]:
        if not numeric:
            yield from self._in_other_bases(view)
            view = views.in_months(views.in_digits(view))
            view = views.mapped(view, _LIKE_DIGITS, lambda match: match[0].translate(_AS_DIGITS))
        if sum(c.isdigit() for c in view.text) < _FEWEST_DIGITS:
            return
        yield from self._codes_in(view, numeric=numeric)
        if self.days:
            yield from self._days_in(view, numeric=numeric)

    def _in_other_bases(self, view: View) -> Iterator[Trace]:
        """Yield numbers to the base of 16 and of 36."""
        for match in _HEX_NUMBER.finditer(view.text):
            if match[1].isdigit():
                continue
            named = self._hexadecimal.get(match[1].lstrip("0"))
            if named or (named := self.counted.counted(int(match[1], base=16))):
                yield self._trace(view, *match.span(), named)
        for match in _BASE_36_NUMBER.finditer(view.text):
            if named := self._in_base_36.get(match[0]):
                yield self._trace(view, *match.span(), named)

    @cached_property
    def _hexadecimal(self) -> dict[str, str]:
        whole = {
            f"{int(code.digits):x}": code.info_type
            for code in self._whole_codes
            if len(code.digits) >= _LEAST_PART
        }
        return whole | {f"{int(f'{day:%Y%m%d}'):x}": kind for day, kind in self.days.items()}

    @cached_property
    def _in_base_36(self) -> dict[str, str]:
        return {
            views.in_base_36(int(code.digits)): code.info_type
            for code in self._whole_codes
            if len(code.digits) > _LEAST_PART
        }

    def _codes_in(self, view: View, *, numeric: bool) -> Iterator[Trace]:
        """Yield digits of a number or day in a row, whatever little stands between them."""
        text = view.text
        if numeric:  # the exponent is no part of the digits
            text = re.sub(r"[eE][+-]?\d+", lambda match: " " * len(match[0]), text)
        places = [index for index, c in enumerate(text) if "0" <= c <= "9"]
        digits = "".join(text[index] for index in places)
        for form, code in self.codes.items():
            if numeric and (code.least < _MEASURED_DIGITS or _is_round(form)):
                continue
            at = digits.find(form)
            while at >= 0:
                span = places[at : at + len(form)]
                is_whole = span[-1] - span[0] + 1 == len(form)
                is_chance = numeric and _is_chance(text[span[0] : span[-1]], form)
                if not is_whole and (is_chance or code.is_part):
                    pass
                elif self._is_in_a_row(text, span, numeric=numeric):
                    yield self._trace(view, span[0], span[-1] + 1, code.info_type)
                at = digits.find(form, at + 1)

    @staticmethod
    def _is_in_a_row(text: str, span: Sequence[int], *, numeric: bool) -> bool:
        before, behind = text[span[0] - 1 : span[0]], text[span[-1] + 1 : span[-1] + 2]
        rest = text[span[-1] + 1 :].split("\\", 1)[0].strip(" \x00")
        if numeric and not rest.strip("0.") and "." in text[span[0] :].split("\\", 1)[0]:
            behind = ""  # 70617781.0, 7061778100.
        if not numeric and behind.isdigit() and _MOMENT.match(text, span[0]):
            behind = ""  # a day before a time of day, as in many UIDs
        if before.isdigit() and not (numeric and not text[: span[0]].strip("0.+- ")):
            return False
        if behind.isdigit():
            return False
        widest = max((b - a for a, b in pairwise(span)), default=1)
        return widest <= _WIDEST_GAP + 1

    def _days_in(self, view: View, *, numeric: bool) -> Iterator[Trace]:
        """Yield known days in an order and spelling of whatever kind."""
        text = view.text
        for match in _TRIPLE.finditer(text):
            one, first, two, second, three = match.groups()
            wide = len(one) == 4 or len(three) == 4
            dull = first == second and first not in (":", ".")
            dull = dull and not (numeric and "\\" in first)
            if (numeric and not wide) or not (wide or dull or first == second == "."):
                continue
            if any(c.isalpha() for c in first + second) and not wide:
                continue
            if not wide and max(len(first), len(second)) > _NEAR:
                continue
            kind = self._day_of(int(one), int(two), int(three), len(one), len(three))
            if kind:
                start, stop = match.start(1), match.end(5)
                yield self._trace(view, start, stop, kind)
        find = self.counted.find_measured if numeric else self.counted.find
        for start, stop, kind in find(text):
            yield self._trace(view, start, stop, kind)

    @cached_property
    def counted(self) -> CountedDays:
        """The known days as programs count them."""
        return CountedDays(self.days)

    def _day_of(self, one: int, two: int, three: int, wide_one: int, wide_three: int) -> str:
        for year, month, day, wide in (
            (one, two, three, wide_one),
            (one, three, two, wide_one),
            (three, two, one, wide_three),
            (three, one, two, wide_three),
        ):
            if kind := self._by_parts.get((year, month, day, max(wide, 2))):
                return kind
        return ""

    @cached_property
    def _by_parts(self) -> dict[tuple[int, int, int, int], str]:
        """Year, month, day and digits of the year: of our era, of the Buddhist's and the Minguo's."""
        found: dict[tuple[int, int, int, int], str] = {}
        for day, kind in self.days.items():
            for year, wide in (
                (day.year, 4), (day.year % 100, 2), (day.year + 543, 4), (day.year - 1911, 3),
            ):  # fmt: skip
                found[year, day.month, day.day, wide] = kind
            for year, month, number in other_calendars(day):
                found.setdefault((year, month, number, 4), kind)
        return found


def _is_round(digits: str) -> bool:
    """Whether a number is one that is measured, and chosen, anywhere: 1000000, 0000001."""
    return len(digits.strip("0")) < _LEAST_DIGITS


def _is_chance(text: str, digits: str) -> bool:
    """Whether digits came together by chance: 1.0, 0.0, 0.0, 0.0 and 1.0 in a row have 100000001."""
    return len(digits) < _MEASURED_DIGITS or ("\\" in text and len(set(digits)) < _LEAST_KINDS)
