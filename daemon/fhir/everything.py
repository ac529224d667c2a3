"""All that a store has of a patient (FHIR R4, operation Patient/$everything).

As the Cloud Healthcare API has it: the patient, what refers to him by an element that puts it into his
compartment, and what he refers to himself. The date range is about what resources tell of; one that tells of
no time is always among them.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson

from daemon.fhir import representation, searching
from daemon.fhir.answers import fitting, number
from daemon.fhir.errors import BadRequest, Gone, NotFound
from daemon.resources import ANY_TIME, Everything, Span, span_of
from deid.fhir.references import Literal, parse_reference

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from daemon.fhir.ports import ResourceStore
    from daemon.resources import ResourceVersion

_USUAL_COUNT: Final = "100"
_TOKEN: Final = "_page_token"  # noqa: S105 - of a page
_PARAMETERS: Final = frozenset({"_count", _TOKEN, "_since", "_type", "end", "start"})
_IGNORED: Final = frozenset({"_format", "_pretty"})


async def everything(
    store: ResourceStore,
    patient_id: str,
    pairs: Collection[tuple[str, str]],
    *,
    max_results: int,
    types: Collection[str],
    root: str,
) -> bytes:
    """Return the Bundle of a page.

    Raises
    ------
    NotFound, Gone
        There is no such patient.
    BadRequest
        Naming the parameter.
    """
    wanted, is_first = _wanted(patient_id, pairs, max_results, types)
    patient = await store.get("Patient", patient_id)
    if patient is None:
        raise NotFound("there is no such resource")
    if patient.is_deleted:
        raise Gone("the resource was deleted")
    referred = await asyncio.to_thread(_referred, patient, root)
    wanted = replace(wanted, referred=tuple(referred))
    head = [patient] if is_first and _is_wanted(patient, wanted) else []
    room = max(0, wanted.limit - len(head))
    found = await store.everything(replace(wanted, limit=room + 1)) if wanted.limit else []
    address = f"{root}/Patient/{patient_id}/$everything"
    said = [pair for pair in pairs if pair[0] in _PARAMETERS - {_TOKEN}]
    links = [("self", _link(address, said, "" if is_first else str(wanted.after)))]
    found, has_more = fitting(found, room)
    if has_more:
        links.append(("next", _link(address, said, str(found[-1].number if found else 0))))

    def made() -> bytes:
        entries = [_entry(each, referred, root) for each in (*head, *found)]
        return representation.bundle("searchset", entries, links=links)

    return await asyncio.to_thread(made)


def _wanted(
    patient_id: str, pairs: Iterable[tuple[str, str]], max_results: int, types: Collection[str]
) -> tuple[Everything, bool]:
    """Return what is asked for, and whether it is the first page."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in _IGNORED:
            continue
        if name not in _PARAMETERS:
            raise BadRequest("a parameter of $everything is not supported")
        if name in given:
            raise BadRequest(f"{name} stands twice")
        given[name] = value
    kinds = tuple(dict.fromkeys(each for each in given.get("_type", "").split(",") if each))
    if not set(kinds) <= set(types):
        raise BadRequest("_type names a type that R4 does not have")
    start, end, since = (_span(name, given.get(name, "")) for name in ("start", "end", "_since"))
    after = number(given.get(_TOKEN, ""), _TOKEN)
    wanted = Everything(
        patient_id,
        types=kinds,
        since_ms=since.first_ms if since is not ANY_TIME else 0,
        care=Span(start.first_ms, end.last_ms),
        after=after or 0,
        limit=searching.count(given.get("_count", "") or _USUAL_COUNT, max_results),
    )
    return wanted, after is None


def _span(name: str, text: str) -> Span:
    if not text:
        return ANY_TIME
    # A plus sign in a query string means a space; no date has one.
    span = span_of(text.replace(" ", "+"))
    if span is None:
        raise BadRequest(f"{name} is no date")
    return span


def _is_wanted(patient: ResourceVersion, wanted: Everything) -> bool:
    is_of_type = not wanted.types or "Patient" in wanted.types
    return bool(wanted.limit) and is_of_type and patient.updated_ms >= wanted.since_ms


def _referred(patient: ResourceVersion, root: str) -> dict[tuple[str, str], None]:
    """Return type and id of each resource that a patient refers to; what is stored was read strictly."""
    found = map(parse_reference, dict.fromkeys(_references(orjson.loads(b"{%s}" % patient.rest))))
    return {
        (each.type, each.id): None
        for each in found
        if isinstance(each, Literal) and each.base.rstrip("/") in ("", root)
    }


def _references(value: Any) -> Iterator[str]:
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from _references(each)
    if isinstance(value, dict) and isinstance(value.get("reference"), str):
        yield value["reference"]


def _entry(version: ResourceVersion, referred: Collection[tuple[str, str]], root: str) -> bytes:
    is_referred = (version.type, version.id) in referred
    return representation.entry(
        f"{root}/{version.type}/{version.id}",
        representation.resource(version),
        search={"mode": "include" if is_referred else "match"},
    )


def _link(address: str, said: Iterable[tuple[str, str]], token: str) -> str:
    pairs = [*said, *([(_TOKEN, token)] if token else [])]
    return f"{address}?{urlencode(pairs)}" if pairs else address
