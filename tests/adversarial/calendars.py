"""Days as the Iranian and the tabular Islamic calendar count them, by arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


def jalali(day: date) -> tuple[int, int, int]:
    """Return year, month and day of the Iranian calendar (the 33-year cycle; right from 1800 to 2100)."""
    before = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
    year = day.year + 1 if day.month > 2 else day.year
    days = 355666 + 365 * day.year + (year + 3) // 4 - (year + 99) // 100 + (year + 399) // 400
    days += day.day + before[day.month - 1]
    years = -1595 + 33 * (days // 12053)
    days %= 12053
    years += 4 * (days // 1461)
    days %= 1461
    if days > 365:
        years += (days - 1) // 365
        days = (days - 1) % 365
    if days < 186:
        return years, 1 + days // 31, 1 + days % 31
    return years, 7 + (days - 186) // 30, 1 + (days - 186) % 30


def hijri(day: date) -> tuple[int, int, int]:
    """Return year, month and day of the tabular Islamic calendar (civil epoch, 30-year cycle)."""
    days = day.toordinal() + 1_721_425 - 1_948_440 + 10_632
    cycle = (days - 1) // 10_631
    days = days - 10_631 * cycle + 354
    turn = ((10_985 - days) // 5316) * ((50 * days) // 17_719) + (days // 5670) * (
        (43 * days) // 15_238
    )
    days = (
        days
        - ((30 - turn) // 15) * ((17_719 * turn) // 50)
        - (turn // 16) * ((15_238 * turn) // 43)
        + 29
    )
    month = (24 * days) // 709
    return 30 * cycle + turn - 30, month, days - (709 * month) // 24
