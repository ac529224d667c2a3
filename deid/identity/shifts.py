"""How far the dates and times of a patient move, and the values of DA, DT and TM moved so (PS3.5 6.2)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.identity.values import even, split

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_S: Final = 86_400
_HOUR_S: Final = 3_600
_NOWHERE_DAYS: Final = 10**8
_DATE: Final = re.compile(rb"(\d{4})(\.?)(\d\d)\2(\d\d)\Z")
_DATE_TIME: Final = re.compile(rb"(\d{4})(\d\d)?(\d\d)?([\d.]*)([+-]\d{4})?\Z")
_TIME: Final = re.compile(rb"(\d\d)(?:(:?)(\d\d)(?:\2(\d\d)(\.\d{1,6})?)?)?\Z")


class Shift(NamedTuple):
    """How far everything moves that happened to one patient.

    `days` are whole days. `seconds` are none unless the site asks for them: then times of day move with the
    dates, and a moment that passes midnight takes its date along.
    """

    days: int
    seconds: int = 0

    def nowhere(self) -> Shift:
        """Return a shift that no day survives, nor a time of day where times move.

        Where days must not move, they become what days that cannot become.
        """
        return self._replace(days=_NOWHERE_DAYS)

    @property
    def is_nowhere(self) -> bool:
        """Whether it is one that no day survives."""
        return self.days == _NOWHERE_DAYS


UNMOVED: Final = Shift(0)


def moved(vr: str, value: bytes, shift: Shift, carries: Sequence[int] = ()) -> bytes | None:
    """Move every date and time in a DA, DT or TM value; keep its form. None when one of them cannot be read.

    Both ends of a range of dates move. Intervals hold to the fraction of a second, as whole seconds are
    moved by; a time of less precision is cut to it. A time passes midnight to the next day, or the one
    before. Partial DT values (year, or year and month) move with the first day they may mean.

    Parameters
    ----------
    carries
        Of a DA, the days by which the time of day that belongs to each value passes midnight
        (`carried`); empty where none does.
    """
    results: list[bytes] = []
    parts = split(value)
    for index, part in enumerate(parts):
        if not part:
            results.append(part)
            continue
        carry = carries[index] if len(carries) == len(parts) else 0
        ends = part.split(b"-") if vr == "DA" else [part]
        new = [_moved_one(vr, end, shift, carry) if end else end for end in ends]
        if len(ends) > 2 or any(each is None for each in new):
            return None
        results.append(b"-".join(each for each in new if each is not None))
    return even(b"\\".join(results), b" ")


def carried(times: bytes, shift: Shift) -> tuple[int, ...]:
    """Return by how many days each time of a TM value passes midnight: -1, 0 or 1."""
    found = (_TIME.match(part) for part in split(times))
    return tuple(_passed(each, shift.seconds)[0] if each else 0 for each in found)


def _moved_one(vr: str, part: bytes, shift: Shift, carry: int) -> bytes | None:
    if vr == "TM":
        time = _TIME.match(part)
        return (
            None if time is None else part if not shift.seconds else _passed(time, shift.seconds)[1]
        )
    if vr == "DA":
        found = _DATE.match(part)
        if not found:
            return None
        year, dot, month, day = found.groups()
        new = _added(year, month, day, shift.days + carry)
        separator = dot.decode()
        return None if new is None else f"{new:%Y{separator}%m{separator}%d}".encode()
    found = _DATE_TIME.match(part)
    if not found:
        return None
    year, month, day, rest, zone = found.groups()
    if rest and day is None:
        return None
    days = shift.days
    if rest and shift.seconds:
        time = _TIME.match(rest)
        if time is None:
            return None
        carry, rest = _passed(time, shift.seconds)
        days += carry
    new = _added(year, month or b"01", day or b"01", days)
    if new is None:
        return None
    kept = 8 if day else 6 if month else 4
    return f"{new:%Y%m%d}".encode()[:kept] + (rest or b"") + (zone or b"")


def _passed(time: re.Match[bytes], seconds: int) -> tuple[int, bytes]:
    """Return the days by which a time of day passes midnight, and what it becomes in its own form."""
    hours, colon, minutes, second, fraction = time.groups()
    # 60 is a leap second (PS3.5 6.2): it moves as any other.
    total = int(hours) * _HOUR_S + int(minutes or 0) * 60 + int(second or 0) + seconds
    carry, total = divmod(total, DAY_S)
    new = b"%02d" % (total // _HOUR_S)
    if minutes is not None:
        new += colon + b"%02d" % (total // 60 % 60)
    if second is not None:
        new += colon + b"%02d" % (total % 60)
    return carry, new + (fraction or b"")


def _added(year: bytes, month: bytes, day: bytes, days: int) -> date | None:
    try:
        new = date(int(year), int(month), int(day)) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return new if new.year >= 1000 else None
