"""Dates as screens show them, and as recognisers misread them: the month's name above all.

15-SEP-2019 is read 15-SER-2019, and a series' number beside the year would stay. So of a day that is known of
the person two numbers are enough, whatever stands between them; of any other, separators as dates have.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rapidfuzz.distance import OSA

from deid.pixels.harmless import to_plain
from deid.text.months import MONTHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MONTHS: Final = r"(?:JAN|FEB|MAR|APR|MAY|MAI|JUN|JUL|AUG|SEP|OCT|OKT|NOV|DEC|DEZ)[A-Z]*"
_ANY_MONTH: Final = "|".join(
    sorted({to_plain(name) for forms in MONTHS.values() for names in forms for name in names})
)
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_YEAR: Final = r"(?:19|20)\d\d"
_BETWEEN: Final = r"\s?[-/.]\s?"
_WORD: Final = r"(?=[\w]*[^\W\d_])[^\W_]{1,12}"
_ROMAN: Final = r"(?:I{1,3}|IV|VI{0,3}|IX|XI{0,2})"

#: In upper case, without accents.
DATE: Final = re.compile(
    rf"(?<!\d){_YEAR}[-/. ]?{_MONTH}[-/. ]?(?:0[1-9]|[12]\d|3[01])(?!\d)"
    # 0.5-40 Hz is what a filter lets pass; 0.6/16 and 2/0.75 are no days.
    r"|(?<!\d)(?!\d{1,2}\.\d{1,2}-\d\d\s?HZ)(?!\d{1,2}(?:\.\d{1,2}/|/\d{1,2}\.)\d\d(?!\d))"
    rf"\d{{1,2}}[-/.]\d{{1,2}}[-/.](?:{_YEAR}|\d\d)(?!\d)"
    rf"|(?<![\d.,]){_DAY} (?:0?[1-9]|1[0-2]) {_YEAR}(?![\d.,])"
    rf"|(?<!\d)\d{{1,2}}[-/. ]*{_MONTHS}[-/., ]*\d{{2,4}}"
    rf"|\b{_MONTHS}[-/., ]*\d{{1,2}}(?:ST|ND|RD|TH)?[-/., ]+\d{{2,4}}"
    r"|\bD[A4]TE\s*[:=]"
    # Whatever stands for the month, between separators.
    rf"|(?<![\d.,]){_DAY}{_BETWEEN}{_WORD}{_BETWEEN}{_YEAR}(?!\d)"
    rf"|(?<![\d.,]){_YEAR}{_BETWEEN}{_WORD}{_BETWEEN}{_DAY}(?!\d)"
    rf"|(?<![\d.,/-]){_DAY}(?P<between>[-/])(?:{_ROMAN}|[^\W\d_]{{3,9}})(?P=between)\d\d(?![\d.,/-])"
    rf"|(?<![\d.,]){_DAY}\.? ?{_ROMAN}\.? ?{_YEAR}(?!\d)"
    # Of other calendars: 2562-09-15. With 2000/12/15 begin repetition, echo and flip angle.
    rf"|(?<![\d.,])\d{{4}}-{_MONTH}-(?:0[1-9]|[12]\d|3[01])(?!\d)"
    rf"|(?<![\d.,])(?:0[1-9]|[12]\d|3[01])(?P<below>[-/.]){_MONTH}(?P=below)\d{{4}}(?!\d)"
    # 12 DE OCT DE 2019, in any language whose words for it may stay.
    rf"|(?<!\d){_DAY}\.? (?:DEL?|DI|VAN) (?:{_ANY_MONTH})\b"
    # A day without its year, a month with it.
    rf"|(?<![\d.,])(?:0[1-9]|[12]\d|3[01])\.{_MONTH}\.(?!\d)"
    rf"|(?<![\d.,/-])0[1-9][-/.]{_YEAR}(?![\d.,/-])"
    rf"|(?<![\d.,/-])(?:19\d\d|20[0-3]\d)-{_MONTH}(?![\d.,/-])"
)

_LONG_YEARS: Final = (
    re.compile(
        r"(?<!\d)(?P<day>\d{1,2})(?:ST|ND|RD|TH)?\W{0,3}(?:(?=\w*[^\W\d_])\w{1,12}?)?\W{0,3}(?P<year>\d{4})(?!\d)"
    ),
    re.compile(
        r"(?<!\d)(?P<year>\d{4})\W{0,3}(?:(?=\w*[^\W\d_])\w{1,12}?)?\W{0,3}(?P<day>\d{1,2})(?!\d)"
    ),
)
_SHORT_YEARS: Final = (
    re.compile(
        r"(?<!\d)(?P<day>\d{1,2})(?:ST|ND|RD|TH)?\W{0,3}(?P<month>\w{1,12}?)\W{0,3}(?P<year>\d\d)(?!\d)"
    ),
    re.compile(
        r"(?<!\w)(?P<month>\w{1,12}?)\W{0,3}(?P<day>\d{1,2})(?:ST|ND|RD|TH)?\W{1,4}(?P<year>\d\d)(?!\d)"
    ),
)
_NO_DAY: Final = (
    re.compile(r"(?<![\d.,])(?P<month>0[1-9]|1[0-2])\s?[-/.]\s?(?P<year>\d{4})(?![\d.,])"),
    re.compile(r"(?<![\d.,])(?P<year>\d{4})\s?[-/.]\s?(?P<month>0[1-9]|1[0-2])(?![\d.,])"),
    re.compile(r"(?<!\w)(?P<month>[^\W\d]\w{1,11}?)\W{0,3}(?P<year>\d{4})(?!\d)"),
)
_BUDDHIST: Final = 543  # years before the common era
_CENTURY: Final = 100
_FEWEST: Final = 3  # letters of a month's name
_LONG: Final = 7  # from so many on two may be misread


class KnownDays:
    """Days that are known of a person, in whichever way a text shows them."""

    def __init__(self) -> None:
        self._days: set[tuple[int, int]] = set()
        self._short: dict[tuple[int, int], set[int]] = {}
        self._months: dict[int, set[int]] = {}

    def add(self, digits: str) -> None:
        """Add a day, as in ``20190915``."""
        year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
        self._days |= {(day, year), (day, year + _BUDDHIST)}
        self._short.setdefault((day, year % _CENTURY), set()).add(month)
        for each in (year, year + _BUDDHIST):
            self._months.setdefault(each, set()).add(month)

    def are_shown(self, upper: str) -> bool:
        """Whether a text shows one of them, in upper case and without accents."""
        if not self._days:
            return False
        days = ((int(day), int(year)) for day, year in _found(_LONG_YEARS, upper, "day", "year"))
        return (
            not self._days.isdisjoint(days)
            or any(
                _is_one_of(word, self._short.get((int(day), int(year)), ()))
                for day, word, year in _found(_SHORT_YEARS, upper, "day", "month", "year")
            )
            or any(
                _is_one_of(word, self._months.get(int(year), ()))
                for word, year in _found(_NO_DAY, upper, "month", "year")
            )
        )


def _found(
    patterns: Iterable[re.Pattern[str]], text: str, *groups: str
) -> Iterator[tuple[str, ...]]:
    """Yield what groups of patterns hold, wherever these begin in a text."""
    for pattern in patterns:
        found = pattern.search(text)
        while found:
            yield found.group(*groups)
            found = pattern.search(text, found.start() + 1)


def _is_one_of(word: str, months: Iterable[int]) -> bool:
    """Whether a word is a month's number, or nearly its name."""
    return any(
        int(word) == month
        if word.isdecimal()
        else word == _ROMANS[month - 1] or any(_is_like(name, word) for name in _NAMES[month])
        for month in months
    )


def _is_like(name: str, word: str) -> bool:
    allowed = 1 if len(name) < _LONG else 2
    return OSA.distance(name, word, score_cutoff=allowed) <= allowed


def _names() -> dict[int, frozenset[str]]:
    """Return the names of each month, in upper case and without accents."""
    found: dict[int, set[str]] = {number: set() for number in range(1, 13)}
    for forms in MONTHS.values():
        for listed in forms:
            for number, name in enumerate(listed, 1):
                found[number].add(to_plain(name))
    return {
        number: frozenset(name for name in names if len(name) >= _FEWEST)
        for number, names in found.items()
    }


_NAMES: Final = _names()
_ROMANS: Final = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


def numeric_forms(digits: str) -> Iterator[str]:
    """Yield a day, as in ``20190915``, in the orders in which its digits are written."""
    month, day = digits[4:6], digits[6:8]
    for year in (digits[:4], digits[2:4], str(int(digits[:4]) + _BUDDHIST)):
        yield from (year + month + day, day + month + year, month + day + year)
