"""The FHIR resources of `tests.document_engine`: every search looks at everything."""

from __future__ import annotations

import base64
from dataclasses import asdict
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from daemon.pipeline.fhir_indexing import compartment
from daemon.resources import (
    COMPARTMENT,
    Content,
    DateTest,
    Everything,
    Filter,
    IdFilter,
    Method,
    Order,
    ResourceQuery,
    ResourceVersion,
    Span,
    Token,
    TokenFilter,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.store.rows import Store
    from tests.documents import Documents

KIND = "resource"


class DocumentResources:
    """Implements `daemon.store.resource_rows.ResourceRows`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def _key(self, store: Store, resource_type: str, resource_id: str) -> str:
        return f"{store.id}/{resource_type}/{resource_id}"

    def _versions(self, store: Store, resource_type: str, resource_id: str) -> list[Any]:
        key = self._key(store, resource_type, resource_id)
        return list(self._documents.get(KIND, key) or [])

    def _all(self, store: Store) -> list[Any]:
        found = [each for each in self._documents.all(KIND) if each[-1]["store"] == store.id]
        return sorted(found, key=lambda versions: versions[-1]["number"])

    def get(self, store: Store, resource_type: str, resource_id: str) -> ResourceVersion | None:
        versions = self._versions(store, resource_type, resource_id)
        return _version(versions[-1]) if versions else None

    def by_number(self, store: Store, number: int) -> ResourceVersion | None:
        found = (v[-1] for v in self._all(store) if v[-1]["number"] == number)
        return next((_version(each) for each in found), None)

    def version(
        self, store: Store, resource_type: str, resource_id: str, version: int
    ) -> ResourceVersion | None:
        versions = self._versions(store, resource_type, resource_id)
        return next((_version(each) for each in versions if each["version"] == version), None)

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
        found = [
            _version(each)
            for each in reversed(self._versions(store, resource_type, resource_id))
            if before is None or each["version"] < before
        ]
        return _first(found[:limit], most_bytes)

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
        versions = self._versions(store, content.type, resource_id)
        latest = versions[-1] if versions else None
        body = {
            "store": store.id,
            "number": latest["number"] if latest else self._documents.next_number("resource"),
            "type": content.type,
            "id": resource_id,
            "version": latest["version"] + 1 if latest else 1,
            "updated_ms": max(now_ms, latest["updated_ms"] + 1) if latest else now_ms,
            "method": method,
            "meta": base64.b64encode(content.meta).decode(),
            "rest": base64.b64encode(content.rest).decode(),
            "deidentifier": deidentifier,
            "tokens": content.tokens,
            "dates": content.dates,
        }
        kept = versions if keeps_earlier else []
        key = self._key(store, content.type, resource_id)
        self._documents.put(KIND, key, [*kept, body])
        return _version(body)

    def delete(
        self,
        store: Store,
        resource_type: str,
        resource_id: str,
        *,
        now_ms: int,
        keeps_earlier: bool = True,
    ) -> ResourceVersion | None:
        latest = self.get(store, resource_type, resource_id)
        if latest is None or latest.is_deleted:
            return None
        return self.add_version(
            store,
            resource_id,
            Content(resource_type, b"", b""),
            method=Method.DELETE,
            now_ms=now_ms,
            keeps_earlier=keeps_earlier,
        )

    def _found(self, store: Store, query: ResourceQuery) -> list[ResourceVersion]:
        bodies = [
            versions[-1]
            for versions in self._all(store)
            if versions[-1]["type"] == query.type
            and versions[-1]["method"] != Method.DELETE
            and all(_passes(versions[-1], each) for each in query.filters)
        ]
        if query.order is not Order.STORED:
            bodies.sort(
                key=lambda body: (body["updated_ms"], body["number"]),
                reverse=query.order is Order.UPDATED_LAST_FIRST,
            )
        return [_version(body) for body in bodies]

    def search(
        self, store: Store, query: ResourceQuery, *, most_bytes: int = 0
    ) -> list[ResourceVersion]:
        found = self._found(store, query)
        if query.after is not None:
            numbers = [each.number for each in found]
            found = found[numbers.index(query.after.number) + 1 :]
        return _first(found[: query.limit], most_bytes)

    def count(self, store: Store, query: ResourceQuery) -> int:
        return len(self._found(store, query))

    def everything(
        self, store: Store, wanted: Everything, *, most_bytes: int = 0
    ) -> list[ResourceVersion]:
        found = [
            _version(versions[-1])
            for versions in self._all(store)
            if versions[-1]["number"] > wanted.after and _is_of(versions[-1], wanted)
        ]
        return _first(found[: wanted.limit], most_bytes)

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
        found = [
            _version(versions[-1])
            for versions in self._all(store)
            if versions[-1]["number"] > after
            and versions[-1]["method"] != Method.DELETE
            and (not types or versions[-1]["type"] in types)
            and versions[-1]["updated_ms"] > since_ms
        ]
        return _first(found[:limit], most_bytes)

    def last(self, store: Store) -> int:
        return max((versions[-1]["number"] for versions in self._all(store)), default=0)

    def newest_ms(self, store: Store) -> int:
        return max((versions[-1]["updated_ms"] for versions in self._all(store)), default=0)

    def types(self, store: Store) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in self.page(store, 0, 1 << 30):
            found[each.type] = found.get(each.type, 0) + 1
        return found


def _version(body: dict[str, Any]) -> ResourceVersion:
    known = {name: body[name] for name in asdict(ResourceVersion(0, "", "", 0, 0, Method.CREATE))}
    known |= {name: base64.b64decode(body[name]) for name in ("meta", "rest")}
    return ResourceVersion(**{**known, "method": Method(body["method"])})


def _is_of(body: dict[str, Any], wanted: Everything) -> bool:
    address = (body["type"], body["id"])
    names = {
        name
        for name, value, _system in body["tokens"]
        if value == f"Patient/{wanted.patient_id}" and body["type"] in compartment()
    }
    dates = [Span(*each) for each in body["dates"]]
    return (
        bool(names & {"patient", "subject", COMPARTMENT}) or address in wanted.referred
    ) and not (
        body["method"] == Method.DELETE
        or address == ("Patient", wanted.patient_id)
        or (wanted.types and body["type"] not in wanted.types)
        or body["updated_ms"] < wanted.since_ms
        or (
            dates
            and not any(
                each.first_ms <= wanted.care.last_ms and each.last_ms >= wanted.care.first_ms
                for each in dates
            )
        )
    )


def _passes(body: dict[str, Any], by: Filter) -> bool:
    if isinstance(by, IdFilter):
        return body["id"] in by.any_of
    if isinstance(by, TokenFilter):
        tokens = [Token(*each) for each in body["tokens"] if each[0] == by.name]
        return any(
            test.value in {None, token.value} and test.system in {None, token.system}
            for test in by.any_of
            for token in tokens
        )
    updated_ms = body["updated_ms"]
    spans = [(updated_ms, updated_ms)] if by.is_of_update else body["dates"]
    return any(
        _holds(test, Span(*span), searched) for test, searched in by.any_of for span in spans
    )


def _first(found: list[ResourceVersion], most_bytes: int) -> list[ResourceVersion]:
    sizes = accumulate(each.size for each in found)
    full = (place for place, size in enumerate(sizes) if most_bytes and size > most_bytes)
    return found[: max(2, next(full, len(found)) + 1)]


def _holds(test: DateTest, span: Span, searched: Span) -> bool:
    is_within = searched.first_ms <= span.first_ms and span.last_ms <= searched.last_ms
    return {
        DateTest.EQUAL: is_within,
        DateTest.NOT_EQUAL: not is_within,
        DateTest.GREATER: span.last_ms > searched.last_ms,
        DateTest.LESS: span.first_ms < searched.first_ms,
        DateTest.GREATER_OR_EQUAL: span.last_ms > searched.last_ms or is_within,
        DateTest.LESS_OR_EQUAL: span.first_ms < searched.first_ms or is_within,
        DateTest.STARTS_AFTER: span.first_ms > searched.last_ms,
        DateTest.ENDS_BEFORE: span.last_ms < searched.first_ms,
        DateTest.APPROXIMATELY: span.first_ms <= searched.last_ms
        and span.last_ms >= searched.first_ms,
    }[test]
