"""From the keywords of a search to SQL: only fixed names in the text, every value a bound parameter.

How values compare (PS3.4 C.2.2.2, PS3.18 8.3.4.6):

==================  ============================================================================
universal           an empty value, or one of ``*`` only: no condition
single value        equal, as `dicomweb.attributes.normalise` writes it
list of UIDs        any of them
wildcard            ``*`` and ``?`` where the VR allows them (not in dates, times, UIDs, integers)
range               dates and times: ``a-b``, ``a-``, ``-b``; a time matches to its own precision
person names        one component group (alphabetic, ideographic, phonetic) matches on its own;
                    fuzzy: every word asked for starts a word of the name, in any order
lower levels        that there is a series or instance below with it; each key for itself
==================  ============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.store.sqlite.columns import (
    DATE_OF_TIME,
    INDEXED_COLUMNS,
    KEY_COLUMNS,
    SPARSE_COLUMNS,
)
from dicomweb.attributes import MATCHABLE, SEARCHABLE, VR_OF_KEY, normalise, words, words_wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from daemon.store.rows import Store
    from dicomweb.ports import Level

ALIAS: Final[Mapping[Level, str]] = {"study": "s", "series": "e", "instance": "i"}
"""The table alias of each level in every search."""

TABLES: Final[Mapping[Level, str]] = {
    "study": "studies",
    "series": "series",
    "instance": "instances",
}
UID_COLUMNS: Final[Mapping[Level, str]] = {
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
}
COLUMNS: Final[Mapping[Level, tuple[str, ...]]] = {
    level: (UID_COLUMNS[level], *keys) for level, keys in KEY_COLUMNS.items()
}
INDEXED: Final[Mapping[Level, frozenset[str]]] = {
    level: frozenset({UID_COLUMNS[level], *INDEXED_COLUMNS[TABLES[level]]}) for level in TABLES
}
NAMES: Final = ("PatientName", "ReferringPhysicianName")
# One item of several may match: values are kept as \a\b\ and searched as such.
_SEVERAL: Final = frozenset({"ScheduledProcedureStepID", "RequestedProcedureID"})
DATES_AND_TIMES: Final[Mapping[str, str]] = {
    "StudyDate": "StudyTime",
    "SeriesDate": "SeriesTime",
    "PerformedProcedureStepStartDate": "PerformedProcedureStepStartTime",
    "ContentDate": "ContentTime",
    "AcquisitionDate": "AcquisitionTime",
}
"""Dates with the times of the same moment, which ranges of both ask for as one."""
_NO_WILDCARD: Final = frozenset({"UI", "DA", "TM", "IS", "DS"})
_LAST_CHARACTER: Final = "\U0010ffff"
_TIME_DIGITS: Final = len("HHMMSSFFFFFF")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on the rows of one level.

    Attributes
    ----------
    check
        An expression on one row (alias as in `ALIAS`) that keeps SQLite from choosing an index for
        it.
    candidates
        A SELECT of the ids of all rows that fulfil it, by an index; None where there is no index.
    parameters
        Those of either.
    """

    level: Level
    check: str
    candidates: str | None
    parameters: tuple[str, ...]


def column_of(keyword: str) -> str:
    """Return the column of a searchable keyword or ``Sequence.Attribute`` path."""
    return keyword.rpartition(".")[2]


_LEVEL_OF_COLUMN: Final[Mapping[str, Level]] = {
    column: level for level, columns in COLUMNS.items() for column in columns
}
_VR_OF_COLUMN: Final = {column_of(keyword): vr for keyword, vr in VR_OF_KEY.items()}


def stored_columns(level: Level, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the key columns of a level's row, by name, from an instance's searchable values."""
    by_column = {column_of(keyword): text for keyword, text in keys.items()}
    return {column: _stored(column, by_column.get(column, "")) for column in KEY_COLUMNS[level]}


def _stored(column: str, text: str) -> str:
    if text and column in _SEVERAL:
        return f"\\{text}\\"
    if text and _VR_OF_COLUMN.get(column) == "TM":
        return _padded_time(text, "0")
    return text


def stored_terms(keys: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what person names are found by: ``<keyword>`` each component group, ``<keyword>~`` each word."""
    for keyword in NAMES:
        for name in normalise(keyword, keys.get(keyword, "")).split("\\"):
            for group in name.split("="):
                if group:
                    yield keyword, group
                for word in words(group):
                    yield f"{keyword}~", word


def conditions(
    store: Store, level: Level, matches: Mapping[str, Sequence[str]], *, fuzzy: bool
) -> list[Condition]:
    """Return the conditions of a search, without those that match everything.

    Raises
    ------
    KeyError
        If a keyword is not one of `dicomweb.attributes.MATCHABLE`; the service checks that first.
    """
    for keyword in matches:
        if keyword not in MATCHABLE:
            raise KeyError(keyword)
    wanted = {
        keyword: [normalise(keyword, value) for value in values]
        for keyword, values in matches.items()
    }
    wanted = {
        keyword: values
        for keyword, values in wanted.items()
        if values and all(value.strip("*") for value in values)
    }
    found: list[Condition] = []
    for date, time in DATES_AND_TIMES.items():
        if _is_one_range(wanted.get(date, ()), wanted.get(time, ())):
            found.append(_combined(level, date, time, wanted[date][0], wanted.pop(time)[0]))
    for keyword, values in wanted.items():
        if keyword in SEARCHABLE[level]:
            found += _conditions(store, keyword, values, fuzzy=fuzzy)
        else:
            found.append(_below(store, level, keyword, values))
    return found


def sort_terms(sort: Sequence[tuple[str, bool]]) -> Iterator[tuple[Level, str]]:
    """Yield the level and the expression of each key of `Query.sort`; what has no value comes last."""
    for keyword, descends in sort:
        direction = "DESC" if descends else "ASC"
        if keyword in NAMES:
            value = f"(SELECT min(term) FROM terms WHERE study_id = s.id AND keyword = '{keyword}')"  # noqa: S608 - fixed names
            yield "study", f"{value} {direction} NULLS LAST"
            continue
        column = column_of(keyword)
        level = _LEVEL_OF_COLUMN[column]
        name = f"+{ALIAS[level]}.{column}"
        value = f"CAST({name} AS INTEGER)" if VR_OF_KEY[keyword] == "IS" else name
        yield level, f"{name} = '', {value} {direction}"


def _conditions(
    store: Store, keyword: str, values: Sequence[str], *, fuzzy: bool
) -> Iterator[Condition]:
    column = column_of(keyword)
    if keyword == "ModalitiesInStudy":
        test, parameters = _test("CS", "Modality", values)
        yield _of_study(store, "series", test, parameters)
    elif keyword in NAMES and fuzzy:
        # Every word narrows the result, wherever it stands in the name.
        for word in words_wanted(values):
            test, parameters = _prefix("term", word)
            yield _of_study(store, "terms", f"keyword = ? AND {test}", (f"{keyword}~", *parameters))
    elif keyword in NAMES:
        for groups in _groups(values):
            test, parameters = _test("PN", "term", groups)
            yield _of_study(store, "terms", f"keyword = ? AND {test}", (keyword, *parameters))
    elif column in _SEVERAL:
        test, parameters = _test_several(f"e.{column}", values)
        yield Condition("series", test, None, parameters)
    else:
        level = _LEVEL_OF_COLUMN[column]
        vr = VR_OF_KEY[keyword]
        check, parameters = _test(vr, f"+{ALIAS[level]}.{column}", values)
        candidates = _looked_up(store, level, column, "id", values)
        yield Condition(level, check, candidates, parameters)


def _groups(names: Sequence[str]) -> list[Sequence[str]]:
    """Return what each has to match some component group of a name: all groups of one, or one of several names.

    PS3.4 C.2.2.2.1.1 leaves it open what becomes of ``Wang^XiaoDong=王^小東``.
    """
    parts = [[group for group in name.split("=") if group.strip("*")] for name in names]
    if len(parts) == 1:
        return [[group] for group in parts[0]]
    longest = [max(groups, key=len) for groups in parts if groups]
    return [longest] if len(longest) == len(parts) else []


def _is_one_range(dates: Sequence[str], times: Sequence[str]) -> bool:
    """Whether a date and a time are ranges of the same form (PS3.4 C.2.2.2.5.4, PS3.18 8.3.4.1.1)."""
    if len(dates) != 1 or len(times) != 1 or "-" not in dates[0] or "-" not in times[0]:
        return False
    date, time = dates[0].partition("-"), times[0].partition("-")
    return [bool(end) for end in date] == [bool(end) for end in time]


def _combined(level: Level, date: str, time: str, dates: str, times: str) -> Condition:
    """Return the condition that a moment lies between two, beside that of its date."""
    of = _LEVEL_OF_COLUMN[date]
    own = f"+{ALIAS[of]}." if date in SEARCHABLE[level] else f"+below_{ALIAS[of]}."
    tests, parameters = [], []
    day, at = f"{own}{date}", f"{own}{time}"
    for sign, end, padding in ((">", 0, "0"), ("<", 2, "9")):
        edge = dates.partition("-")[end]
        if edge:
            moment = _padded_time(times.partition("-")[end], padding)
            # What has no time is in no range of that day.
            tests.append(f"({day} {sign} ? OR ({day} = ? AND {at} <> '' AND {at} {sign}= ?))")
            parameters += [edge, edge, moment]
    check = " AND ".join([f"{day} <> ''", *tests])
    if date not in SEARCHABLE[level]:
        check = _exists_below(level, of, check)
        return Condition(level, check, None, tuple(parameters))
    return Condition(of, f"({check})", None, tuple(parameters))


def _below(store: Store, level: Level, keyword: str, values: Sequence[str]) -> Condition:
    """Return the condition that a study or series has a row below it whose column passes the test."""
    column = column_of(keyword)
    of = _LEVEL_OF_COLUMN[column]
    alias = f"below_{ALIAS[of]}"
    vr = VR_OF_KEY[keyword]
    if column in _SEVERAL:
        check, parameters = _test_several(f"{alias}.{column}", values)
    else:
        check, parameters = _test(vr, f"+{alias}.{column}", values)
    candidates = None
    if column not in _SEVERAL:
        candidates = _looked_up(store, of, column, f"{level}_id", values)
    return Condition(level, _exists_below(level, of, check), candidates, parameters)


def _exists_below(level: Level, of: Level, check: str) -> str:
    """Return the SQL that a row of a level below passes a check of its alias ``below_``."""
    alias = f"below_{ALIAS[of]}"
    # Instances are found by their series, for which there is an index.
    rows = f"{TABLES[of]} {alias}"
    joined = f"{alias}.{level}_id = {ALIAS[level]}.id"
    if (level, of) == ("study", "instance"):
        rows = f"series parent CROSS JOIN {rows} ON {alias}.series_id = parent.id"
        joined = f"parent.study_id = {ALIAS[level]}.id"
    return f"EXISTS (SELECT 1 FROM {rows} WHERE {joined} AND {check})"  # noqa: S608 - fixed names


def _looked_up(
    store: Store, level: Level, column: str, wanted: str, values: Sequence[str]
) -> str | None:
    """Return the SELECT of a column of all rows that match, by an index; None where there is none."""
    table = TABLES[level]
    test, _ = _test(_VR_OF_COLUMN[column], column, values)
    date = DATE_OF_TIME.get(column)
    if date is not None:
        # From one date to the next, which are few however many rows there are, and its times.
        dates = f"SELECT min({date}) FROM {table} WHERE store_id = {store.id}"  # noqa: S608 - fixed names
        return (
            f"WITH RECURSIVE dates (date) AS ({dates} UNION ALL SELECT ({dates} AND {date} > date)"  # noqa: S608 - fixed names
            f" FROM dates WHERE date IS NOT NULL) SELECT {wanted} FROM dates CROSS JOIN {table}"
            f" ON store_id = {store.id} AND {date} = date WHERE {test}"
        )
    if column not in INDEXED[level]:
        return None
    if column in SPARSE_COLUMNS:
        test = f"{test} AND {column} <> ''"
    return f"SELECT {wanted} FROM {table} WHERE store_id = {store.id} AND {test}"  # noqa: S608 - fixed names


def _test_several(column: str, values: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the SQL that one of the values is among those of a column."""
    test = _any_of([f"{column} GLOB ?"] * len(values))
    return test, tuple(f"*\\{_globbed(value)}\\*" for value in values)


def _of_study(store: Store, table: str, test: str, parameters: tuple[str, ...]) -> Condition:
    """Return the condition that a study has a row in another table that passes the test."""
    return Condition(
        "study",
        f"EXISTS (SELECT 1 FROM {table} WHERE study_id = s.id AND {_unindexed(test)})",  # noqa: S608 - fixed names
        f"SELECT study_id FROM {table} WHERE store_id = {store.id} AND {test}",  # noqa: S608 - fixed names
        parameters,
    )


def _unindexed(test: str) -> str:
    for column in ("keyword", "term", "Modality"):
        test = test.replace(f"{column} ", f"+{column} ")
    return test


def _test(vr: str, column: str, values: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the SQL that one of the values matches, and its parameters."""
    equal = [value for value in values if _is_single(vr, value)]
    tests: list[str] = []
    parameters: list[str] = [*equal]
    if len(equal) > 1 or (equal and vr == "UI"):
        tests.append(f"{column} IN ({', '.join('?' * len(equal))})")
    elif equal:
        tests.append(f"{column} = ?")
    for value in values:
        if not _is_single(vr, value):
            test, bound = _test_one(vr, column, value)
            tests.append(test)
            parameters += bound
    return _any_of(tests), tuple(parameters)


def _any_of(tests: Sequence[str]) -> str:
    """Return the SQL that one of the tests holds; halves of halves, as SQLite takes no deep expression."""
    if len(tests) == 1:
        return tests[0]
    middle = len(tests) // 2
    return f"({_any_of(tests[:middle])} OR {_any_of(tests[middle:])})"


def _is_single(vr: str, value: str) -> bool:
    """Whether a value stands for itself alone."""
    if vr == "UI":
        return True
    if vr == "TM" or (vr == "DA" and "-" in value):
        return False
    return vr in _NO_WILDCARD or not ("*" in value or "?" in value)


def _test_one(vr: str, column: str, value: str) -> tuple[str, tuple[str, ...]]:
    if vr == "TM":
        earliest, _, latest = value.partition("-") if "-" in value else (value, "-", value)
        return _between(column, _padded_time(earliest, "0"), _padded_time(latest, "9"))
    if vr == "DA" and "-" in value:
        earliest, _, latest = value.partition("-")
        return _between(column, earliest, latest)
    return _wildcard(column, value)


def _between(column: str, earliest: str, latest: str) -> tuple[str, tuple[str, ...]]:
    # An absent value is in no range: it is kept as the empty string, which sorts first.
    return f"({column} >= ? AND {column} <= ?)", (earliest or "0", latest or _LAST_CHARACTER)


def _wildcard(column: str, value: str) -> tuple[str, tuple[str, ...]]:
    literal = value[: min(value.find(sign) for sign in "*?" if sign in value)]
    if not literal:
        return f"{column} GLOB ?", (_globbed(value),)
    # The range is what an index can look up.
    test, bounds = _prefix(column, literal)
    return f"({test} AND {column} GLOB ?)", (*bounds, _globbed(value))


def _prefix(column: str, literal: str) -> tuple[str, tuple[str, ...]]:
    return f"({column} >= ? AND {column} < ?)", (literal, literal + _LAST_CHARACTER)


def _globbed(value: str) -> str:
    """Return DICOM's wildcard as SQLite's GLOB, in which an opening bracket is special too."""
    return value.replace("[", "[[]")


def _padded_time(text: str, digit: str) -> str:
    """Return ``HHMMSSFFFFFF``: a time cut short stands for its first or last microsecond."""
    text = text.replace(".", "")
    return text and text.ljust(_TIME_DIGITS, digit)
