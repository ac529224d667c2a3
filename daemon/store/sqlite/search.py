"""Reading the index of a store: searches, metadata and where the files are.

How a search is planned. For every condition that an index can look up, up to a thousand candidates
are counted. The condition with the fewest drives, and the few rows are sorted. Where none is that
selective, rows are walked study by study and checked one by one: with so many that fit, the page is
soon full. The order is the same in both cases: the newest study first, its series and instances as
they were stored; unless the search says how to sort.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import orjson

from daemon.store.rows import LocatedInstance
from daemon.store.sqlite import matching
from daemon.store.sqlite.matching import ALIAS, TABLES, UID_COLUMNS, Condition
from daemon.store.sqlite.metadata import of as metadata_of
from daemon.store.sqlite.metadata import unpacked
from daemon.store.sqlite.numbering import bounds
from daemon.store.sqlite.packing import METADATA, unpack
from daemon.store.sqlite.prepared import Above, members_of
from dicomweb.links import attributes_of
from dicomweb.ports import Match, Prepared

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from daemon.store.rows import Store
    from dicomweb.ports import Level, Query, Resource

_FEW: Final = 1000
_BULK: Final = b'"BulkDataURI":'
_LEVELS: Final[tuple[Level, ...]] = ("study", "series", "instance")
_JOINS: Final[Mapping[tuple[Level, Level], str]] = {
    ("study", "series"): "e.study_id = s.id",
    ("series", "instance"): "i.series_id = e.id",
}
_PARENTS: Final[Mapping[Level, str]] = {
    "study": "0 AS series_id, s.id AS study_id",
    "series": "e.id AS series_id, e.study_id AS study_id",
    "instance": "i.series_id AS series_id, i.study_id AS study_id",
}

_ORDER: Final[Mapping[Level, str]] = {"study": "s.id DESC", "series": "e.id", "instance": "i.id"}
_ORDER_ABOVE: Final[Mapping[Level, tuple[str, ...]]] = {
    "study": (),
    "series": ("e.study_id DESC",),
    "instance": ("i.study_id DESC", "i.series_id"),
}


def search(connection: sqlite3.Connection, store: Store, query: Query) -> list[Match]:
    """Run a search on a connection."""
    conditions = _within(store, query.within)
    conditions += matching.conditions(store, query.level, query.matches, fuzzy=query.fuzzy)
    driving, count = _most_selective(connection, conditions)
    if count == 0:
        return []
    return _answers(connection, query, _page(connection, store, query, conditions, driving))


def _within(store: Store, resource: Resource | None) -> list[Condition]:
    if resource is None:
        return []
    return [
        Condition(
            level,
            f"+{ALIAS[level]}.{UID_COLUMNS[level]} = ?",
            f"SELECT id FROM {TABLES[level]} WHERE store_id = {store.id} AND {UID_COLUMNS[level]} = ?",  # noqa: S608 - fixed names
            (uid,),
        )
        for level, uid in _uids(resource)
    ]


def _uids(resource: Resource) -> list[tuple[Level, str]]:
    uids = (resource.study_uid, resource.series_uid, resource.sop_instance_uid)
    return [(level, uid) for level, uid in zip(_LEVELS, uids, strict=True) if uid is not None]


def _most_selective(
    connection: sqlite3.Connection, conditions: Sequence[Condition]
) -> tuple[Condition | None, int]:
    """Return the condition with the fewest candidates, if any has few, and how many."""
    driving, fewest = None, _FEW
    for condition in conditions:
        if condition.candidates is not None:
            (count,) = connection.execute(
                f"SELECT count(*) FROM ({condition.candidates} LIMIT {_FEW})",  # noqa: S608 - fixed names
                condition.parameters,
            ).fetchone()
            if count < fewest:
                driving, fewest = condition, count
            if count <= 1:
                break
    return driving, fewest


def _page(
    connection: sqlite3.Connection,
    store: Store,
    query: Query,
    conditions: Sequence[Condition],
    driving: Condition | None,
) -> list[sqlite3.Row]:
    """Return the ids of the rows of one page, with those of the levels above, and the prepared answers."""
    own = ALIAS[query.level]
    keys = list(matching.sort_terms(query.sort))
    levels = _levels(query.level, [*(c.level for c in conditions), *(level for level, _ in keys)])
    offset = query.offset
    if driving is None:
        levels = list(_LEVELS[: _LEVELS.index(query.level) + 1])
    tests: list[str] = []
    parameters: list[str] = []
    for condition in conditions:
        if condition is not driving:
            tests.append(condition.check)
        elif (condition.level, query.level) == ("series", "instance"):
            # By their studies, so that the instances of a thousand series need not be sorted.
            levels = list(_LEVELS)
            tests.append(
                f"s.id IN (SELECT study_id FROM series WHERE id IN ({condition.candidates}))"  # noqa: S608 - fixed names
            )
            tests.append(condition.check)
            parameters += condition.parameters
        else:
            tests.append(f"{ALIAS[condition.level]}.id IN ({condition.candidates})")
        parameters += condition.parameters
    # SQLite nests the tables of a CROSS JOIN in the order written: the driving one is outermost.
    nested = levels
    if driving is None:
        # A walk from the top, through this store's rows only.
        first, last = bounds(store.id)
        if query.level == "instance" and offset and not conditions and not keys:
            last, offset = _study_at(connection, first, last, offset)
        tests.append(f"{ALIAS[nested[0]]}.id BETWEEN {first} AND {last}")
    elif driving.level == "instance":
        nested = list(reversed(levels))
    elif (driving.level, query.level) != ("series", "instance"):
        nested = sorted(levels, key=lambda level: level != driving.level)
    tests += [_JOINS[pair] for pair in itertools.pairwise(levels)]
    tables = " CROSS JOIN ".join(f"{TABLES[level]} {ALIAS[level]}" for level in nested)
    order = ", ".join([*(key for _, key in keys), *_newest_first(levels)])
    column = "packed" if query.level == "instance" else "attributes"
    attributes = f"j.{column}" if query.with_attributes else "x''"
    return connection.execute(
        f"WITH page AS MATERIALIZED (SELECT {own}.id AS id, {_PARENTS[query.level]} FROM {tables}"  # noqa: S608 - fixed names
        f"{' WHERE ' if tests else ''}{' AND '.join(tests)} ORDER BY {order} LIMIT ? OFFSET ?)"
        # Few rows in the order of the page: the outer loop of a CROSS JOIN.
        f" SELECT page.id, page.series_id, page.study_id, j.defaults, {attributes} AS attributes"
        f" FROM page CROSS JOIN {query.level}_json j ON j.id = page.id",
        (*parameters, query.limit, offset),
    ).fetchall()


def _newest_first(levels: Sequence[Level]) -> list[str]:
    """Return the order of rows: as `_ORDER` where its tables take part, else by what points at them."""
    return [*_ORDER_ABOVE[levels[0]], *(_ORDER[level] for level in levels)]


def _study_at(
    connection: sqlite3.Connection, first: int, last: int, offset: int
) -> tuple[int, int]:
    """Return the study that holds the instance with that offset, and its offset within the study.

    By the counts of studies: nobody walks through all instances before it.
    """
    row = connection.execute(
        "SELECT id, before FROM (SELECT id, sum(instances) OVER (ORDER BY id DESC) - instances AS before"
        " FROM studies WHERE id BETWEEN ? AND ?) WHERE before <= ? ORDER BY id LIMIT 1",
        (first, last, offset),
    ).fetchone()
    return (last, offset) if row is None else (row["id"], offset - row["before"])


def _levels(level: Level, others: Iterable[Level]) -> list[Level]:
    """Return the levels whose tables take part, from the highest down, without a gap."""
    highest = min([_LEVELS.index(level), *map(_LEVELS.index, others)])
    return list(_LEVELS[highest : _LEVELS.index(level) + 1])


def _answers(
    connection: sqlite3.Connection, query: Query, rows: Sequence[sqlite3.Row]
) -> list[Match]:
    """Return the answers, each with the attributes of the levels above that the path does not name."""
    own_position = _LEVELS.index(query.level)
    named = 0 if query.within is None else len(_uids(query.within))
    defaults_above = _LEVELS[min(named, own_position) : own_position]
    ids: dict[Level, list[int]] = {
        "study": [row["study_id"] for row in rows],
        "series": [row["series_id"] for row in rows],
    }
    above = _above(connection, "defaults", {level: ids[level] for level in defaults_above})
    defaults = [
        _with_above(row["defaults"], members) for row, members in zip(rows, above, strict=False)
    ]
    if not query.with_attributes:
        return [Match(attributes=b"", defaults=answer) for answer in defaults]
    all_above = {level: ids[level] for level in _LEVELS[:own_position]}
    above = _above(connection, "attributes", all_above)
    own = [row["attributes"] for row in rows]
    if query.level == "instance":
        own = [unpack(packed, METADATA) for packed in own]
        if query.also:
            further = _further(connection, [row["id"] for row in rows], query.also)
            own = [each.merged_into(value) for value, each in zip(own, further, strict=True)]
    return [
        Match(attributes=_with_above(attributes, members), defaults=answer)
        for attributes, members, answer in zip(own, above, defaults, strict=False)
    ]


def _further(
    connection: sqlite3.Connection, ids: Sequence[int], tags: frozenset[str]
) -> Iterator[Above]:
    """Yield, for each instance, what its metadata have of these tags."""
    for row_id in ids:
        told = metadata_of(connection, row_id)
        attributes = attributes_of(told) if told else {}
        named = {
            b'"%b"' % tag.encode(): b'"%b":%b' % (tag.encode(), orjson.dumps(attributes[tag]))
            for tag in tags & attributes.keys()
        }
        yield Above({tag: member for tag, member in named.items() if _BULK not in member})


def _with_above(own: bytes, above: Above | None) -> bytes:
    return own if above is None else above.merged_into(own)


def _above(
    connection: sqlite3.Connection, column: str, ids: Mapping[Level, list[int]]
) -> Iterable[Above | None]:
    """Return, for each row, the members of the objects of the levels above, by their quoted tag.

    `ids` has the levels wanted, highest first, and for each level the id in every row.
    """
    if not ids:
        return itertools.repeat(None)
    objects = {
        level: dict(
            connection.execute(
                f"SELECT id, {column} FROM {level}_json"  # noqa: S608 - fixed names
                " WHERE id IN (SELECT value FROM json_each(?))",
                (orjson.dumps(list(set(of_level))).decode(),),
            ).fetchall()
        )
        for level, of_level in ids.items()
    }
    known: dict[tuple[int, ...], Above] = {}
    found = []
    for key in zip(*ids.values(), strict=True):
        if key not in known:
            members: dict[bytes, bytes] = {}
            for level, row_id in zip(ids, key, strict=True):
                members |= members_of(objects[level].get(row_id, b"{}"))
            known[key] = Above(members)
        found.append(known[key])
    return found


def metadata(connection: sqlite3.Connection, store: Store, resource: Resource) -> list[bytes]:
    """Return the metadata of the instances of a resource, on a connection."""
    sql, parameters = _instances_of(store, resource, "CROSS JOIN metadata m ON m.id = i.id")
    rows = connection.execute(f"SELECT m.id, m.base, m.packed {sql}", parameters).fetchall()
    objects, checksums = [], []
    for value, sums in unpacked(connection, rows):
        objects.append(value)
        checksums.append(sums)
    return Prepared(objects, checksums)


def locate(
    connection: sqlite3.Connection, store: Store, resource: Resource
) -> list[LocatedInstance]:
    """Return where the instances of a resource are, on a connection."""
    sql, parameters = _instances_of(store, resource)
    rows = connection.execute(
        "SELECT s.StudyInstanceUID, e.SeriesInstanceUID, i.SOPInstanceUID, i.SOPClassUID,"
        f" i.transfer_syntax_uid, i.frames, i.blob, i.size {sql}",
        parameters,
    )
    return list(map(LocatedInstance._make, rows))


def _instances_of(store: Store, resource: Resource, also: str = "") -> tuple[str, list[str]]:
    uids = _uids(resource)
    tests = " AND ".join(f"{ALIAS[level]}.{UID_COLUMNS[level]} = ?" for level, _ in uids)
    return (
        "FROM studies s CROSS JOIN series e ON e.study_id = s.id"
        f" CROSS JOIN instances i ON i.series_id = e.id {also}"
        f" WHERE s.store_id = {store.id} AND {tests}"
        " ORDER BY e.id, i.id"
    ), [uid for _, uid in uids]
