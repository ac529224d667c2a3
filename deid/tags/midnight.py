"""Which dates pass midnight with the time of day that belongs to them, where times of day move."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from deid.encoding.header import index_top_level, text_of
from deid.identity.shifts import carried
from deid.tables.dictionary import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.encoding.header import Buffer
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.identity.shifts import Shift

NONE: Final[Mapping[int, tuple[int, ...]]] = MappingProxyType({})


@cache
def times_of_dates() -> dict[int, int]:
    """Return DA attributes to the TM that gives the same moment's time: Study Date, Study Time.

    The data dictionary names them alike (PS3.6 Section 6); some dates have none.
    """
    by_keyword = {entry.keyword: tag for tag, entry in attributes().items() if entry.vr == "TM"}
    pairs = {
        tag: by_keyword.get(entry.keyword.replace("Date", "Time"))
        for tag, entry in attributes().items()
        if entry.vr == "DA"
    }
    return {date: time for date, time in pairs.items() if time is not None}


def carries(
    source: Buffer, pos: int, end: int, encoding: Encoding, shift: Shift
) -> Mapping[int, tuple[int, ...]]:
    """Return the dates of a data set or item to the days by which each value's time passes midnight.

    Parameters
    ----------
    pos, end
        Where its elements begin, and where they end at the latest.

    Raises
    ------
    Unsafe
        When lengths or nesting make no sense.
    """
    if not shift.seconds:
        return NONE
    found = index_top_level(source, pos, encoding, times_of_dates().values(), end=end)
    return {
        date: carried(text_of(source, found[time]), shift)
        for date, time in times_of_dates().items()
        if time in found
    }
