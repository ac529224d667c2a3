"""Times of day as people write them: found in text, and moved by seconds in the form they were written in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.identity.shifts import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.text.dates import FoundDate

_HOUR: Final = r"(?P<hour>[01]?\d|2[0-4])"
_MINUTE: Final = r"(?P<minute>[0-5]\d)"
_SECOND: Final = r"(?P<second>[0-5]\d|60)(?:[.,]\d{1,6})?"
_HALF: Final = r"(?P<half>[ap]\.?\s?m\b\.?)"
_CLOCK: Final = r"(?:uhr|hrs?|hours|heures?|horas?|uur|godz|o['\u2019]clock)\b"
_FORMS: Final = (
    # 2:32 pm, 14:32, 14:32:05.123, T14:32:05
    rf"(?:(?<![\w:.])|(?<=\dT)){_HOUR}:{_MINUTE}(?::{_SECOND})?(?:\s?{_HALF})?(?![\w:])",
    # 14h32, 14h32m05s, 14 h 32
    rf"(?<![\w:.]){_HOUR}\s?h\s?{_MINUTE}(?:\s?(?:m|min)\s?(?P<second>[0-5]\d)\s?s?)?(?!\w)",
    # 2 pm, 2.32 p.m.
    rf"(?<![\w:.]){_HOUR}(?:\.{_MINUTE})?\s?{_HALF}",
    # 14.32 Uhr, 1432 hrs, 14 o'clock
    rf"(?<![\w:.]){_HOUR}(?:[.:]?{_MINUTE})?\s?{_CLOCK}",
    # 14時32分05秒, 14시 32분
    rf"(?<!\d){_HOUR}\s?[時时点點시]\s?{_MINUTE}\s?[分분](?:\s?(?P<second>[0-5]\d)\s?[秒초])?",
    # um 14 Uhr 32 is found above; at 1432, kl. 14.32, um 14.32
    rf"(?<!\w)(?:at|um|gegen|kl\.?|alle|at\sabout)\s(?P<time>{_HOUR}\.?{_MINUTE})(?![\w.,/%]|\s?(?:mm|cm|ms|ml|mg|kg))",
)
_PATTERNS: Final = tuple(re.compile(form, re.IGNORECASE) for form in _FORMS)
_BEHIND_A_DATE: Final = re.compile(
    r"[ T_-]?(?P<time>(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?:(?P<second>[0-5]\d)(?:\.\d{1,6})?)?)(?!\d)"
)
"""The time behind a date without separators: 20190203101530.5, 20190203 1015."""
_HAS_TIME: Final = re.compile(
    r"\d\s?(?:[:h時时点點시]|[ap]\.?\s?m|uhr|hrs?|hours|\w*['\u2019]?clock)|\d{4}", re.IGNORECASE
)
_AFTER: Final = re.compile(
    r"[\s,;@/T_-]{0,3}(?:(?:at|um|gegen|à|a\slas|alle(?:\sore)?|kl\.?|om|o|às)\s)?\s?\Z",
    re.IGNORECASE,
)
"""Between a date and the time of day that belongs to it."""
_BEFORE: Final = re.compile(
    r"[\s,;/]{0,3}(?:(?:on|am|vom|le|el|il|op|den|of)\s)?\s?\Z", re.IGNORECASE
)
"""Between a time of day and the date that it belongs to."""
_WIDEST_GAP: Final = 16


class FoundTime(NamedTuple):
    """A time of day in a text: where, and what matched."""

    start: int
    stop: int
    match: re.Match[str]


def find(text: str, days: Iterable[FoundDate]) -> list[FoundTime]:
    """Return the times of day in a text, in order, without overlaps; those behind its dates among them."""
    if not _HAS_TIME.search(text):
        return []
    taken = bytearray(len(text))
    found: list[FoundTime] = []
    matches = [match for day in days if (match := _behind(text, day)) is not None]
    for match in (*matches, *(each for pattern in _PATTERNS for each in pattern.finditer(text))):
        start, stop = match.span("time" if "time" in match.re.groupindex else 0)
        if not any(taken[start:stop]):
            taken[start:stop] = b"\x01" * (stop - start)
            found.append(FoundTime(start, stop, match))
    return sorted(found)


def _behind(text: str, day: FoundDate) -> re.Match[str] | None:
    return _BEHIND_A_DATE.match(text, day.stop) if day.form == "compact" else None


def moved(text: str, found: FoundTime, seconds: int) -> tuple[int, str]:
    """Return the days by which a time of day passes midnight, and what it becomes in its own form."""
    match, groups = found.match, found.match.re.groupindex
    half = (match["half"] or "").lower() if "half" in groups else ""
    hour, written = int(match["hour"]), match["hour"]
    if half:
        hour = hour % 12 + (12 if half[0] == "p" else 0)
    second = int(match["second"] or 0) if "second" in groups else 0
    carry, total = divmod(hour * 3600 + int(match["minute"] or 0) * 60 + second + seconds, DAY_S)
    hour, minute, second = total // 3600, total // 60 % 60, total % 60
    shown = (hour % 12 or 12) if half else hour
    pieces = [("hour", f"{shown:02d}" if len(written) == 2 and written[0] in "01" else str(shown))]
    if match["minute"]:
        pieces[0] = ("hour", f"{shown:02d}" if len(written) == 2 else str(shown))
        pieces.append(("minute", f"{minute:02d}"))
    if "second" in groups and match["second"]:
        pieces.append(("second", f"{second:02d}"))
    if half:
        letter = "p" if hour >= 12 else "a"
        letter = letter.upper() if match["half"][0].isupper() else letter
        pieces.append(("half", letter + match["half"][1:]))
    result, at = "", found.start
    for name, new in pieces:
        result += text[at : match.start(name)] + new
        at = match.end(name)
    return carry, result + text[at : found.stop]


def belonging(text: str, day: FoundDate, times: Iterable[FoundTime]) -> FoundTime | None:
    """Return the time of day that belongs to a date: the one right behind it, or right before it."""
    before: FoundTime | None = None
    for each in times:
        if 0 <= each.start - day.stop <= _WIDEST_GAP and _AFTER.match(text[day.stop : each.start]):
            return each
        if 0 <= day.start - each.stop <= _WIDEST_GAP and _BEFORE.match(text[each.stop : day.start]):
            before = each
    return before
