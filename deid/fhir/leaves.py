"""What becomes of primitive values, by kind.

Each function makes one of a value and the run, which returns the new value, or None where nothing may stand.
A value of another JSON type than its element has is refused: what a reader makes of it, nobody knows.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from deid.errors import Reason, Unsafe
from deid.fhir.decimals import MARK, is_decimal
from deid.fhir.forms import is_usual_code
from deid.fhir.names import without_titles
from deid.identity.shifts import DAY_S, UNMOVED
from deid.tables.fhir import value_sets
from deid.text.transform import OLDEST_YEARS
from deid.text.vocabulary import is_recognised

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.fhir.run import Run
    from deid.identity.shifts import Shift

    Leaf = Callable[[Any, Run], Any]

REMOVED: Final = "removed"
SHIFTED: Final = "shifted"
_YEAR: Final = 4
REPLACED: Final = "replaced"
CLEANED: Final = "cleaned"
CAPPED: Final = "capped"
UNRECOGNISED: Final = "unrecognised"
UNREADABLE: Final = "unreadable"

_MOMENT: Final = re.compile(
    r"(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])"
    r"(?:T([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(\.\d{1,9})?(Z|[+-](?:0\d|1[0-4]):[0-5]\d))?)?)?\Z"
)
_TIME: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?\Z")
_OPEN_DIGITS: Final = 5
_WHOLE_DATE: Final = 10
MADE_IN: Final = 2026
"""Nobody has a resource de-identified before this was written: who was born long before is old by then."""
LONG_AGO: Final = str(MADE_IN - OLDEST_YEARS)
"""The first year of which a date tells of nobody that he is over 89."""


def malformed(path: str) -> Unsafe:
    """Return the refusal of a value that is no value of its element."""
    return Unsafe(Reason.MALFORMED, path)


def boolean(path: str) -> Leaf:
    """Stay."""

    def leaf(value: Any, _run: Run) -> Any:
        if value is True or value is False:
            return value
        raise malformed(path)

    return leaf


def number(path: str) -> Leaf:
    """Stay; one of many digits is looked for among what is known of people."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not int and not is_decimal(value):
            raise Unsafe(Reason.NUMBER_REFUSED, path) if type(value) is float else malformed(path)
        if type(value) is int and -10_000 < value < 10_000:
            return value
        text = str(value).removeprefix(MARK)
        if sum(map(str.isdigit, text)) < _OPEN_DIGITS or run.keeps(path, text):
            return value
        return None

    return leaf


def time_of_day(path: str) -> Leaf:
    """Move by the patient's seconds, where times move at all."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        if _TIME.match(value) is None:
            run.actions[path, UNREADABLE] += 1
            return None
        if not run.shift.seconds:
            return value
        run.actions[path, SHIFTED] += 1
        return shifted(f"2000-01-02T{value}Z", run.shift._replace(days=0), keep_date=False)

    return leaf


def moment(path: str) -> Leaf:
    """Move a date, a date and time or an instant by the patient's shift, in the precision that it has.

    One of more than 89 years ago goes: who was there then is older than that.
    """
    key = (path, SHIFTED)

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        dates = run.dates
        new = dates.get(value)
        if new is None:
            new = shifted(value, run.shift)
            if new is None:
                run.actions[path, UNREADABLE] += 1
                return None
            if value[:4] < LONG_AGO and run.shift != UNMOVED:
                run.actions[path, REMOVED] += 1
                return None
            dates[value] = new
        run.actions[key] += 1
        return new

    return leaf


def years(path: str) -> Leaf:
    """Cut a period that is the same for many, such as a year of insurance, to its years, which do not move.

    Moved by the patient's shift its first day would tell the shift: it is known to be a New Year's Day.
    """
    move = moment(path)

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not dict:
            raise malformed(path)
        ends = {name: value[name] for name in ("start", "end") if name in value}
        moved = {name: new for name, end in ends.items() if (new := move(end, run)) is not None}
        if run.plan.policy.keeps_dates:
            return moved or None
        return {name: ends[name][:_YEAR] for name in moved} or None

    return leaf


def shifted(text: str, shift: Shift, *, keep_date: bool = True) -> str | None:
    """Return a moment moved, None when it is none; partial dates move with the first day they may mean."""
    found = _MOMENT.match(text)
    if found is None:
        return None
    if not shift.seconds and keep_date:
        new = _shifted_day(text[:10], shift.days)
        return new and new + text[10:]
    _year, month, day, hour, minute, second, fraction, zone = found.groups()
    days, clock = shift.days, ""
    if hour is not None:
        clock = text[10:]
        if shift.seconds:
            total = int(hour) * 3600 + int(minute) * 60 + int(second) + shift.seconds
            carry, total = divmod(total, DAY_S)
            days += carry
            clock = (
                f"T{total // 3600:02}:{total // 60 % 60:02}:{total % 60:02}{fraction or ''}{zone}"
            )
    if not keep_date:
        return clock[1:-1]
    precision = 10 if day else 7 if month else 4
    new = _shifted_day(text[:precision], days)
    return new and new + clock


@lru_cache(maxsize=1 << 14)
def _shifted_day(text: str, days: int) -> str | None:
    """Return a date of any precision moved; many moments of a record are of one day."""
    try:
        first = text + "-01-01"[len(text) - 4 :] if len(text) < _WHOLE_DATE else text
        new = date.fromisoformat(first) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return new.isoformat()[: len(text)] if new.year >= 1000 else None


def code(path: str, value_set: str) -> Leaf:
    """Stay when it is one of the codes that its element requires, or has the shape of a usual one."""
    codes = value_sets().get(value_set, frozenset())
    if codes:

        def leaf(value: Any, run: Run) -> Any:
            if type(value) is not str:
                raise malformed(path)
            if value in codes:
                return value
            run.actions[path, UNRECOGNISED] += 1
            return None

        return leaf

    def by_shape(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        if is_usual_code(value) and run.keeps(path, value):
            return value
        run.actions[path, UNRECOGNISED] += 1
        return None

    return by_shape


def removed(path: str) -> Leaf:
    """Go, whatever it is."""

    def leaf(_value: Any, run: Run) -> None:
        run.actions[path, REMOVED] += 1

    return leaf


def met_and_removed(path: str, info_type: str) -> Leaf:
    """Go, and be looked for everywhere else."""

    def leaf(value: Any, run: Run) -> None:
        for each in value if isinstance(value, list) else (value,):
            is_name = info_type == "PERSON_NAME" and isinstance(each, str)
            run.meets(without_titles(each) if is_name else each, info_type)
        run.actions[path, REMOVED] += 1

    return leaf


def text(path: str) -> Leaf:
    """Go, or be cleaned, as the configuration says of free text."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        if not run.plan.inspects:
            run.actions[path, REMOVED] += 1
            return None
        return cleaned(path, value, run)

    return leaf


def cleaned(path: str, value: str, run: Run) -> str | None:
    """Return a text without what identifies, None when nothing is left or somebody is still named."""
    left = run.plan.cleaned(value, run.known, run.shift)
    if left != value:
        run.actions[path, CLEANED] += 1
    return found_harmless(path, left, run)


def found_harmless(path: str, left: str, run: Run) -> str | None:
    """Return of a cleaned text what the last search lets stay, None when that is nothing.

    A word of prose that is somebody's name as well (Young, Small) stays when a text is cleaned, where it is not
    meant as one. The last search cannot tell: such words go, and the text as a whole only when they do not do.
    """
    if not left.strip():
        return None
    if run.keeps(path, left):
        return left

    def judged(word: re.Match[str]) -> str:
        return "" if is_recognised(word[0].lower()) and run.finds(word[0]) else word[0]

    rest = _SPACES.sub(" ", _WORD.sub(judged, left))
    return rest if rest.strip(" .,;:") and run.keeps(path, rest) else None


_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_SPACES: Final = re.compile(r" {2,}")


def term(path: str) -> Leaf:
    """Stay when every word is recognised; else be treated as free text."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        if run.plan.is_term(value) and run.keeps(path, value):
            return value
        if run.plan.inspects:
            return cleaned(path, value, run)
        run.actions[path, REMOVED] += 1
        return None

    return leaf


def standard_url(path: str) -> Leaf:
    """Stay when it is the address of a definition at a standards body."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        if run.plan.is_definition(value) and run.keeps(path, value):
            return value
        run.actions[path, REMOVED] += 1
        return None

    return leaf


def oid(path: str) -> Leaf:
    """Be replaced as UIDs are."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        run.actions[path, REPLACED] += 1
        return run.plan.oid_urn(value)

    return leaf


def uuid(path: str) -> Leaf:
    """Be replaced as UIDs are."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        run.actions[path, REPLACED] += 1
        return f"urn:uuid:{run.plan.uuid(value.lower().removeprefix('urn:uuid:'))}"

    return leaf


def one_of(path: str, values: frozenset[str]) -> Leaf:
    """Stay when it is one of a few."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        if value in values:
            return value
        run.actions[path, UNRECOGNISED] += 1
        return None

    return leaf


def formed(path: str, has_form: Callable[[str, Run], bool]) -> Leaf:
    """Stay when it has a certain form, in which nobody's name or number fits."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        if has_form(value, run) and run.keeps(path, value):
            return value
        run.actions[path, UNRECOGNISED] += 1
        return None

    return leaf
