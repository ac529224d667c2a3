"""Resources of FHIR stores as tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from daemon.pipeline.fhir_indexing import compartment
from daemon.resources import (
    COMPARTMENT,
    HIGHEST_TIME_MS,
    Content,
    DateFilter,
    DateTest,
    IdFilter,
    Method,
    Order,
    ResourceVersion,
    Span,
    TokenFilter,
)
from daemon.store.sqlite.numbering import bounds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from daemon.resources import Everything, Filter, ResourceQuery, TokenTest
    from daemon.store.rows import Store

_VERSION: Final = (
    "SELECT r.id AS number, r.type, r.fhir_id, v.version, v.updated_ms, v.method, v.meta, v.rest,"
    " r.deidentifier FROM fhir_resources r JOIN fhir_versions v ON v.resource = r.id"
)
_LATEST: Final = f"{_VERSION} AND v.version = r.version"


class ResourceTables:
    """Implements `daemon.store.resource_rows.ResourceRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, store: Store, resource_type: str, resource_id: str) -> ResourceVersion | None:
        """Return the latest version, which may say that the resource is deleted."""
        return self._one(
            f"{_LATEST} WHERE r.store_id = ? AND r.type = ? AND r.fhir_id = ?",
            store.id,
            resource_type,
            resource_id,
        )

    def by_number(self, store: Store, number: int) -> ResourceVersion | None:
        """Return the latest version of the resource that has this number."""
        return self._one(f"{_LATEST} WHERE r.id = ? AND r.store_id = ?", number, store.id)

    def version(
        self, store: Store, resource_type: str, resource_id: str, version: int
    ) -> ResourceVersion | None:
        """Return a version."""
        return self._one(
            f"{_VERSION} WHERE r.store_id = ? AND r.type = ? AND r.fhir_id = ? AND v.version = ?",
            store.id,
            resource_type,
            resource_id,
            version,
        )

    def history(
        self,
        store: Store,
        resource_type: str,
        resource_id: str,
        before: int | None,
        limit: int,
        *,
        most_bytes: int = 0,
    ) -> list[ResourceVersion]:
        """Return versions, the latest first."""
        return self._some(
            f"{_VERSION} WHERE r.store_id = ? AND r.type = ? AND r.fhir_id = ? AND v.version < ?"
            " ORDER BY v.version DESC LIMIT ?",
            store.id,
            resource_type,
            resource_id,
            HIGHEST_TIME_MS if before is None else before,
            limit,
            most_bytes=most_bytes,
        )

    def add_version(
        self,
        store: Store,
        resource_id: str,
        content: Content,
        *,
        method: Method,
        now_ms: int,
        deidentifier: str = "",
        keeps_earlier: bool = True,
    ) -> ResourceVersion:
        """Store what a resource says from now on, and return it."""
        number, version, updated_ms = self._next(
            store, content.type, resource_id, now_ms, deidentifier
        )
        self._forget_terms(number)
        self._write(number, version, updated_ms, method, content.meta, content.rest)
        self._connection.executemany(
            "INSERT OR IGNORE INTO fhir_tokens (store_id, type, name, value, system, resource)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (store.id, content.type, each.name, each.value, each.system, number)
                for each in content.tokens
            ],
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO fhir_dates (store_id, type, first_ms, last_ms, resource)"
            " VALUES (?, ?, ?, ?, ?)",
            [(store.id, content.type, *span, number) for span in content.dates],
        )
        if not keeps_earlier:
            self._forget_versions_before(number, version)
        return ResourceVersion(
            number,
            content.type,
            resource_id,
            version,
            updated_ms,
            method,
            content.meta,
            content.rest,
            deidentifier,
        )

    def delete(
        self,
        store: Store,
        resource_type: str,
        resource_id: str,
        *,
        now_ms: int,
        keeps_earlier: bool = True,
    ) -> ResourceVersion | None:
        """Add a version that says that the resource is gone."""
        latest = self.get(store, resource_type, resource_id)
        if latest is None or latest.is_deleted:
            return None
        number, version, updated_ms = self._next(
            store, resource_type, resource_id, now_ms, latest.deidentifier
        )
        self._forget_terms(number)
        self._write(number, version, updated_ms, Method.DELETE, b"", b"")
        self._connection.execute("UPDATE fhir_resources SET is_deleted = 1 WHERE id = ?", (number,))
        if not keeps_earlier:
            self._forget_versions_before(number, version)
        return ResourceVersion(
            number, resource_type, resource_id, version, updated_ms, Method.DELETE
        )

    def search(
        self, store: Store, query: ResourceQuery, *, most_bytes: int = 0
    ) -> list[ResourceVersion]:
        """Return resources that are not deleted and pass every filter, in the order of the query."""
        conditions, values = _conditions(store, query)
        if query.after is not None:
            condition, more = _AFTER[query.order]
            conditions += f" AND {condition}"
            place = {"number": query.after.number, "time": query.after.updated_ms}
            values += [place[name] for name in more]
        return self._some(
            f"{_LATEST} WHERE {conditions} ORDER BY {_ORDERS[query.order]} LIMIT ?",
            *values,
            query.limit,
            most_bytes=most_bytes,
        )

    def count(self, store: Store, query: ResourceQuery) -> int:
        """Return how many pass every filter, whatever the page."""
        conditions, values = _conditions(store, query)
        (found,) = self._connection.execute(
            f"SELECT count(*) FROM fhir_resources r WHERE {conditions}",  # noqa: S608 - fixed words, marks for values
            values,
        ).fetchone()
        return int(found)

    def everything(
        self, store: Store, wanted: Everything, *, most_bytes: int = 0
    ) -> list[ResourceVersion]:
        """Return what is in a patient's compartment, and what the patient refers to."""
        types = tuple(compartment())
        names = ("patient", "subject", COMPARTMENT)
        of_types = f" AND r.type IN ({_marks(wanted.types)})" if wanted.types else ""
        return self._some(
            f"{_LATEST} WHERE r.id > ? AND r.id IN ("  # noqa: S608 - marks only
            f"SELECT resource FROM fhir_tokens WHERE store_id = ? AND type IN ({_marks(types)})"
            f" AND name IN ({_marks(names)}) AND value = ? UNION SELECT id FROM fhir_resources"
            " WHERE store_id = ? AND (type, fhir_id) IN (SELECT json_extract(value, '$[0]'),"
            " json_extract(value, '$[1]') FROM json_each(?))"
            f") AND NOT r.is_deleted{of_types} AND r.updated_ms >= ?"
            " AND NOT (r.type = 'Patient' AND r.fhir_id = ?)"
            " AND (NOT EXISTS (SELECT 1 FROM fhir_dates d WHERE d.resource = r.id)"
            " OR EXISTS (SELECT 1 FROM fhir_dates d WHERE d.resource = r.id AND d.last_ms >= ?"
            " AND d.first_ms <= ?)) ORDER BY r.id LIMIT ?",
            wanted.after,
            store.id,
            *types,
            *names,
            f"Patient/{wanted.patient_id}",
            store.id,
            json.dumps(wanted.referred),
            *wanted.types,
            wanted.since_ms,
            wanted.patient_id,
            *wanted.care,
            wanted.limit,
            most_bytes=most_bytes,
        )

    def page(
        self,
        store: Store,
        after: int,
        limit: int,
        types: Sequence[str] = (),
        *,
        since_ms: int = -1,
        most_bytes: int = 0,
    ) -> list[ResourceVersion]:
        """Return resources that are not deleted and were changed since, in the order of their numbers."""
        first, last = bounds(store.id)
        of_types = f" AND r.type IN ({_marks(types)})" if types else ""
        return self._some(
            f"{_LATEST} WHERE r.id > ? AND r.id <= ? AND NOT r.is_deleted{of_types}"
            " AND r.updated_ms > ? ORDER BY r.id LIMIT ?",
            max(after, first),
            last,
            *types,
            since_ms,
            limit,
            most_bytes=most_bytes,
        )

    def last(self, store: Store) -> int:
        """Return the highest number that a resource has."""
        (highest,) = self._connection.execute(
            "SELECT max(id) FROM fhir_resources WHERE id BETWEEN ? AND ?", bounds(store.id)
        ).fetchone()
        return int(highest or 0)

    def newest_ms(self, store: Store) -> int:
        """Return when a resource was last changed."""
        (newest,) = self._connection.execute(
            "SELECT max(updated_ms) FROM fhir_resources WHERE store_id = ?", (store.id,)
        ).fetchone()
        return int(newest or 0)

    def types(self, store: Store) -> dict[str, int]:
        """Return how many resources a store has of each type."""
        rows = self._connection.execute(
            "SELECT type, count(*) FROM fhir_resources WHERE store_id = ? AND is_deleted = 0"
            " GROUP BY type",
            (store.id,),
        )
        return dict(rows.fetchall())

    def _next(
        self, store: Store, resource_type: str, resource_id: str, now_ms: int, deidentifier: str
    ) -> tuple[int, int, int]:
        """Return number, version and time of the version that comes next, and make it the latest."""
        found = self._connection.execute(
            "UPDATE fhir_resources SET version = version + 1, is_deleted = 0, deidentifier = ?,"
            " updated_ms = max(updated_ms + 1, ?) WHERE store_id = ? AND type = ? AND fhir_id = ?"
            " RETURNING id, version, updated_ms",
            (deidentifier, now_ms, store.id, resource_type, resource_id),
        ).fetchone()
        if found is not None:
            return tuple(found)
        first, last = bounds(store.id)
        (highest,) = self._connection.execute(
            "SELECT max(id) FROM fhir_resources WHERE id BETWEEN ? AND ?", (first, last)
        ).fetchone()
        number = (highest or first) + 1
        self._connection.execute(
            "INSERT INTO fhir_resources (id, store_id, type, fhir_id, version, updated_ms, deidentifier)"
            " VALUES (?, ?, ?, ?, 1, ?, ?)",
            (number, store.id, resource_type, resource_id, now_ms, deidentifier),
        )
        return number, 1, now_ms

    def _write(
        self,
        number: int,
        version: int,
        updated_ms: int,
        method: Method,
        meta: bytes,
        rest: bytes,
    ) -> None:
        self._connection.execute(
            "INSERT INTO fhir_versions (resource, version, updated_ms, method, meta, rest)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (number, version, updated_ms, method.value, meta, rest),
        )

    def _forget_terms(self, number: int) -> None:
        for table in ("fhir_tokens", "fhir_dates"):
            self._connection.execute(f"DELETE FROM {table} WHERE resource = ?", (number,))  # noqa: S608 - fixed names

    def _forget_versions_before(self, number: int, version: int) -> None:
        self._connection.execute(
            "DELETE FROM fhir_versions WHERE resource = ? AND version < ?", (number, version)
        )

    def _one(self, sql: str, *values: object) -> ResourceVersion | None:
        found = self._some(sql, *values)
        return found[0] if found else None

    def _some(self, sql: str, *values: object, most_bytes: int = 0) -> list[ResourceVersion]:
        found: list[ResourceVersion] = []
        size = 0
        for row in self._connection.execute(sql, values):
            each = ResourceVersion(
                row["number"],
                row["type"],
                row["fhir_id"],
                row["version"],
                row["updated_ms"],
                Method(row["method"]),
                row["meta"],
                row["rest"],
                row["deidentifier"],
            )
            found.append(each)
            size += each.size
            # Two are always told, as whoever looks for the only one has to see that there are more.
            if most_bytes and size > most_bytes and len(found) > 1:
                break
        return found


_ORDERS: Final = {
    Order.STORED: "r.id",
    Order.UPDATED: "r.updated_ms, r.id",
    Order.UPDATED_LAST_FIRST: "r.updated_ms DESC, r.id DESC",
}
_AFTER: Final = {
    Order.STORED: ("r.id > ?", ("number",)),
    Order.UPDATED: ("(r.updated_ms, r.id) > (?, ?)", ("time", "number")),
    Order.UPDATED_LAST_FIRST: ("(r.updated_ms, r.id) < (?, ?)", ("time", "number")),
}


_SELECTIVE: Final = {"identifier": 1, "patient": 2, "subject": 2, "code": 3}
"""Search parameters, those first of whose values few resources share."""


def _conditions(store: Store, query: ResourceQuery) -> tuple[str, list[object]]:
    """Return what the rows of a search have to fulfil, and the values for its marks."""
    # With a plus sign SQLite does not walk through all of a type where a filter names a few.
    is_narrow = any(not isinstance(each, DateFilter) for each in query.filters)
    plus = "+" if is_narrow else ""
    words = [f"{plus}r.store_id = ? AND {plus}r.type = ? AND {plus}r.is_deleted = 0"]
    values: list[object] = [store.id, query.type]
    # The filter that lets least pass finds rows; the others look at what these have.
    for position, each in enumerate(sorted(query.filters, key=_selectivity)):
        find = _further_condition if position else _condition
        condition, more = find(store, query.type, each)
        words.append(condition)
        values += more
    return " AND ".join(words), values


def _selectivity(each: Filter) -> int:
    if isinstance(each, TokenFilter):
        return _SELECTIVE.get(each.name, len(_SELECTIVE))
    return 0 if isinstance(each, IdFilter) else len(_SELECTIVE) + 1


def _further_condition(store: Store, resource_type: str, each: Filter) -> tuple[str, list[object]]:
    if not isinstance(each, TokenFilter):
        return _condition(store, resource_type, each)
    tests = [_token_test(test) for test in each.any_of]
    words = (
        "EXISTS (SELECT 1 FROM fhir_tokens t WHERE t.resource = r.id AND t.name = ?"  # noqa: S608 - marks only
        f" AND ({_any([test for test, _ in tests])}))"
    )
    return words, [each.name, *(value for _, more in tests for value in more)]


def _condition(store: Store, resource_type: str, each: Filter) -> tuple[str, list[object]]:
    if isinstance(each, IdFilter):
        words = (
            "r.id IN (SELECT id FROM fhir_resources WHERE store_id = ? AND type = ?"  # noqa: S608 - marks only
            f" AND fhir_id IN ({_marks(each.any_of)}))"
        )
        return words, [store.id, resource_type, *each.any_of]
    if isinstance(each, TokenFilter):
        tests = [_token_test(test) for test in each.any_of]
        words = (
            "r.id IN (SELECT resource FROM fhir_tokens WHERE store_id = ? AND type = ? AND name = ?"  # noqa: S608 - marks only
            f" AND ({_any([test for test, _ in tests])}))"
        )
        values = [value for _, more in tests for value in more]
        return words, [store.id, resource_type, each.name, *values]
    if each.is_of_update:
        tests = [
            _date_test(test, span, "r.updated_ms", "r.updated_ms") for test, span in each.any_of
        ]
        words = _any([test for test, _ in tests])
        return f"({words})", [value for _, more in tests for value in more]
    tests = [_date_test(test, span, "first_ms", "last_ms") for test, span in each.any_of]
    words = (
        "r.id IN (SELECT resource FROM fhir_dates WHERE store_id = ? AND type = ?"  # noqa: S608 - marks only
        f" AND ({_any([test for test, _ in tests])}))"
    )
    return words, [store.id, resource_type, *(value for _, more in tests for value in more)]


def _token_test(test: TokenTest) -> tuple[str, list[object]]:
    words, values = [], []
    for column, value in (("value", test.value), ("system", test.system)):
        if value is not None:
            words.append(f"{column} = ?")
            values.append(value)
    return f"({' AND '.join(words)})" if words else "0", list(values)


def _date_test(test: DateTest, span: Span, first: str, last: str) -> tuple[str, list[object]]:
    """Compare the range of a date with the range that is searched for (FHIR R4, 3.1.1.4.5)."""
    low, high = span
    within = f"({first} >= ? AND {last} <= ?)"
    match test:
        case DateTest.EQUAL:
            return within, [low, high]
        case DateTest.NOT_EQUAL:
            return f"NOT {within}", [low, high]
        case DateTest.GREATER:
            return f"{last} > ?", [high]
        case DateTest.LESS:
            return f"{first} < ?", [low]
        case DateTest.GREATER_OR_EQUAL:
            return f"({last} > ? OR {within})", [high, low, high]
        case DateTest.LESS_OR_EQUAL:
            return f"({first} < ? OR {within})", [low, low, high]
        case DateTest.STARTS_AFTER:
            return f"{first} > ?", [high]
        case DateTest.ENDS_BEFORE:
            return f"{last} < ?", [low]
        case DateTest.APPROXIMATELY:
            return f"({first} <= ? AND {last} >= ?)", [high, low]


def _any(tests: Sequence[str]) -> str:
    """Return one test or another; in halves, as SQLite takes no expression a thousand deep."""
    if len(tests) == 1:
        return tests[0]
    half = len(tests) // 2
    return f"({_any(tests[:half])}) OR ({_any(tests[half:])})"


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
