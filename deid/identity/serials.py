"""Days as programs and other calendars count them: of the year, of weeks, since some day long ago.

Spreadsheets, statistics programs, hospital databases and file systems write a day as one number. Each is a day
again to who knows which program it was; so a day that is known is looked for in all of them.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DAY_S: Final = 86_400
_TIME_ZONES: Final = 14 / 24
_SINCE: Final = (
    date(1899, 12, 30),  # Excel, and most other spreadsheets
    date(1904, 1, 1),  # Excel on early Macs
    date(1858, 11, 17),  # Modified Julian Day
    date(1840, 12, 31),  # $HOROLOG of MUMPS
    date(1970, 1, 1),  # Unix, R, Parquet
    date(1960, 1, 1),  # SAS, Stata
    date(1582, 10, 14),  # Lilian
)
"""The days from which whole days are counted; counts of five digits and more are told from other numbers."""
_LEAST_DIGITS: Final = 5
_SECONDS_SINCE: Final = (
    (date(1970, 1, 1), 1, 10**9), (date(1970, 1, 1), 10**3, 10**12), (date(1970, 1, 1), 10**6, 10**15),
    (date(1970, 1, 1), 10**9, 10**18), (date(2001, 1, 1), 1, 10**8), (date(1904, 1, 1), 1, 10**9),
    (date(1601, 1, 1), 10**7, 10**17), (date(1, 1, 1), 10**7, 10**17),
)  # fmt: skip
"""Unix in four units, Cocoa, the early Mac, Windows' file times, .NET's ticks: what is counted from when, how
many a second, and from which number on it is looked for, as fewer digits are measured as often."""
_FIRST_OF_FILEMAN: Final = 1700
_ERAS: Final = (
    ("t", "大正", 1911), ("s", "昭和", 1925), ("h", "平成", 1988), ("r", "令和", 2018),
)  # fmt: skip
_ERA: Final = re.compile(
    r"(?<![^\W\d_])([tshr]|大正|昭和|平成|令和)[\s.]?(\d{1,2})\D{1,2}(\d{1,2})\D{1,2}(\d{1,2})(?!\d)"
)
_ERAS_OR_SECONDS: Final = "[tshr大昭平令]|[0-9a-f]{8}"
_ORDINAL: Final = re.compile(
    r"(?<![\d.])(?:(?P<year>\d{4}|\d{2})[^\w]{0,2}(?P<day>\d{3})|d?(?P<first>\d{3})[^\w]?y?(?P<last>\d{4}|\d{2}))(?!\d)"
)
_WEEK: Final = re.compile(
    r"(?<![\d.])(?P<year>\d{4}|\d{2})[\s./-]?(?:w|kw|cw|wk|week|s)[\s.-]?(?P<week>\d{2})(?:[\s.-]?[1-7])?(?!\d)"
    r"|(?<![^\W\d_])(?:w|kw|cw|wk|week)[\s.]?(?P<first>\d{1,2})[\s./'\u2019-]{1,2}(?P<last>\d{4}|\d{2})(?!\d)"
    r"|(?<![\d./-])(?P<plain>1[3-9]|[2-5]\d)[/.-](?P<plain_year>(?:19|20)\d\d)(?![\d./-])"
)
_WEEK_AND_DAY: Final = re.compile(r"(?<![\d.])(\d{2})(\d{2})\.([1-7])(?!\d)")
_COUNT: Final = re.compile(r"(?<!\d)\d{5,7}(?!\d)")
_LONG_COUNT: Final = re.compile(r"(?<![\d.])[1-9]\d{8,18}(?!\d)")
_WHOLE: Final = re.compile(r"(?<![\d.])\d{7,14}(?!\d)")
SHAPES: Final = (
    rb"[0-9](?:\d\d\d\d\d\d\d\d|[0-9a-f]{7}|\d\d[ /.-]?y?\d\d|\d[ /.-]\d\d\d)",
    rb"[0-9][ ./-]?[wkcs][kwe ]{0,3}[ .-]?\d\d",
    rb"[wk][ .]?\d\d?[ ./'-]{1,2}\d\d|\d[/.-](?:19|20)\d\d|\d\d\d\d\.[1-7]",
    rb"[tshr][ .]?\d{1,2}[^\d\x00-\x1f]\d{1,2}[^\d\x00-\x1f]\d",
)
"""What these look like in lower case, for a quick look by RE2."""
PLACES: Final = re.compile(
    rb"[0-9](?:"
    rb"(?<![\d.]\d)\d{8,18}(?!\d)"  # counts of seconds
    rb"|(?<![0-9a-wyz]\d)[0-9a-f]{7}(?![0-9a-z])"
    rb"|(?<![\d.]\d)\d\d[^\w]?y?\d\d(?:\d\d)?(?!\d)"  # days of years
    rb"|(?<![\d.]\d)\d(?:\d\d)?[^\w]{1,2}\d{3}(?!\d)"
    rb"|[ ./-]?(?:w|kw|cw|wk|week|s)[ .-]?\d\d"  # weeks
    rb"|(?:(?<=[wk]\d)|(?<=[wk][ .]\d))\d?[ ./'-]{1,2}\d\d"
    rb"|(?<![\d./-]\d)\d[/.-](?:19|20)\d\d"
    rb"|(?<![\d.]\d)\d{3}\.[1-7](?!\d)"
    rb"|(?:(?<=[tshr]\d)|(?<=[tshr][ .]\d))\d?[^\d\x00-\x1f]\d{1,2}[^\d\x00-\x1f]\d"  # eras
    rb")"
)
"""The same, exactly; each begins with a digit, so that a search goes from digit to digit."""
_HEXADECIMAL: Final = re.compile(r"(?<![^\W_])(?:0x)?([0-9a-f]{8})(?![^\W_])")
_LONG_ORDINAL: Final = re.compile(r"(?<!\d)(\d{4})[^\w]{0,2}(\d{3})(?!\d)")
_MEASURED_DIGITS: Final = 7


class CountedDays:
    """Some known days, by what they are counted as.

    Parameters
    ----------
    days
        Known days, and what they are.
    """

    def __init__(self, days: Mapping[date, str]) -> None:
        self._days = dict(days)

    @cached_property
    def counts(self) -> dict[str, str]:
        """Counts of days as digits: each may stand for a day where no other digit is beside it."""
        return {
            form: kind
            for day, kind in self._days.items()
            for form in counts_of(day)
            if len(form) >= _LEAST_DIGITS
        }

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield where days stand in a text in lower case: whole counts, days of years and eras, weeks."""
        for match in _COUNT.finditer(text):
            if kind := self.counts.get(match[0]):
                yield *match.span(), kind
        for match in _LONG_COUNT.finditer(text):
            if kind := self.counted(int(match[0])):
                yield *match.span(), kind
        for match in _ORDINAL.finditer(text):
            year, day = match["year"] or match["last"], match["day"] or match["first"]
            if kind := self._ordinals.get((year, int(day))):
                yield *match.span(), kind
        yield from self._weeks_in(text)
        for match in _ERA.finditer(text):
            for letter, name, before in _ERAS:
                if match[1] in (letter, name):
                    when = (int(match[2]) + before, int(match[3]), int(match[4]))
                    if kind := self._by_date.get(when):
                        yield *match.span(), kind

    def are_written_in(self, text: str) -> bool:
        """Whether any day seems to stand in a text in lower case, other characters beside it included."""
        if self._needed.search(text) is None:
            return False
        hexadecimal = (int(match[1], base=16) for match in _HEXADECIMAL.finditer(text))
        return any(map(self.counted, hexadecimal)) or any(True for _ in self.find(text))

    def find_measured(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield where they stand in a number that may have been measured: seven digits have to agree."""
        for match in _WHOLE.finditer(text):
            kind = self.counts.get(match[0]) if len(match[0]) == _MEASURED_DIGITS else ""
            if kind or (kind := self.counted(int(match[0]), since=_SECONDS_SINCE[:2])):
                yield *match.span(), kind
        for match in _LONG_ORDINAL.finditer(text):
            if kind := self._ordinals.get((match[1], int(match[2]))):
                yield *match.span(), kind

    def _weeks_in(self, text: str) -> Iterator[tuple[int, int, str]]:
        for match in _WEEK.finditer(text):
            year = match["year"] or match["last"] or match["plain_year"]
            week = match["week"] or match["first"] or match["plain"]
            if kind := self._weeks.get((year, int(week))):
                yield *match.span(), kind
        for match in _WEEK_AND_DAY.finditer(text):
            if kind := self._days_of_weeks.get((match[1], int(match[2]), int(match[3]))):
                yield *match.span(), kind

    def counted(
        self, number: int, *, since: Sequence[tuple[date, int, int]] = _SECONDS_SINCE
    ) -> str:
        """Return what a count of seconds, or of parts of them, falls on; nothing where it is on none.

        Clocks of all time zones count.
        """
        for first, units, least in since:
            if number < least:
                continue
            days = number / units / _DAY_S
            for part in (days - _TIME_ZONES, days, days + _TIME_ZONES):
                if kind := self._by_number.get(first.toordinal() + int(part // 1)):
                    return kind
        return ""

    @cached_property
    def _needed(self) -> re.Pattern[str]:
        """What stands wherever a day is written: its year, a count, an era, or digits enough for seconds."""
        years = {day.strftime(year) for day in self._days for year in ("%y", "%g")}
        return re.compile("|".join((*sorted(years), *sorted(self.counts), _ERAS_OR_SECONDS)))

    @cached_property
    def _by_number(self) -> dict[int, str]:
        return {day.toordinal(): kind for day, kind in self._days.items()}

    @cached_property
    def _by_date(self) -> dict[tuple[int, int, int], str]:
        return {(day.year, day.month, day.day): kind for day, kind in self._days.items()}

    @cached_property
    def _ordinals(self) -> dict[tuple[str, int], str]:
        return {
            (day.strftime(year), day.timetuple().tm_yday): kind
            for day, kind in self._days.items()
            for year in ("%Y", "%y")
        }

    @cached_property
    def _weeks(self) -> dict[tuple[str, int], str]:
        return {
            (day.strftime(year), day.isocalendar().week): kind
            for day, kind in self._days.items()
            for year in ("%G", "%g")
        }

    @cached_property
    def _days_of_weeks(self) -> dict[tuple[str, int, int], str]:
        return {
            (day.strftime("%g"), day.isocalendar().week, day.isoweekday()): kind
            for day, kind in self._days.items()
        }


def counts_of(day: date) -> Iterator[str]:
    """Yield a day as programs write it in one number, of up to seven digits."""
    for since in _SINCE:
        yield str(abs((day - since).days))
    yield str(day.toordinal())
    yield str(day.toordinal() + 366)  # MATLAB
    yield str(day.toordinal() + 1_721_425)  # Julian Day Number, at noon
    yield str(day.toordinal() + 1_721_424)  # and before noon, with .5 and more behind it
    if day.year >= _FIRST_OF_FILEMAN:
        yield f"{day.year - _FIRST_OF_FILEMAN:03d}{day:%m%d}"
    yield f"{(day.year - 1900) // 100 % 10}{day:%y%m%d}"  # CYYMMDD of AS/400
    yield f"{day:%y%j}"


def other_calendars(day: date) -> Iterator[tuple[int, int, int]]:
    """Yield year, month and day in the Iranian calendar, and in the Islamic ones.

    These differ by a day from country to country, and from the table that is used here.
    """
    yield _iranian(day)
    for beside in (-1, 0, 1):
        yield _islamic(day.toordinal() + beside)


def _iranian(day: date) -> tuple[int, int, int]:
    """Return a day of the Iranian calendar, by the cycle of 33 years (as kept from 1800 to 2100)."""
    number = day.toordinal() + 1_721_425
    year = day.year - 621
    while (first := 1_948_320 + 365 * (year - 1) + (8 * year + 21) // 33) > number:
        year -= 1
    passed = number - first
    if passed < 6 * 31:
        return year, passed // 31 + 1, passed % 31 + 1
    return year, (passed - 6 * 31) // 30 + 7, (passed - 6 * 31) % 30 + 1


def _islamic(ordinal: int) -> tuple[int, int, int]:
    """Return the day of an ordinal in the Islamic calendar, by the table of 30 years."""
    passed = ordinal + 1_721_425 - 1_948_440
    year = (30 * passed + 10_646) // 10_631
    passed -= 354 * (year - 1) + (3 + 11 * year) // 30
    month = min(11, 2 * passed // 59)
    return year, month + 1, passed - (59 * month + 1) // 2 + 1
