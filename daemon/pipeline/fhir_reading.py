"""What a worker makes of FHIR JSON that came from outside: resources, and what becomes of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from daemon.pipeline.fhir_indexing import dates_of, tokens_of
from daemon.resources import (
    BY_COUNT,
    BY_ISSUE,
    Content,
    ReadDocument,
    ReadEntry,
    ReadResource,
    span_of,
)
from deid.errors import Reason, Unsafe
from deid.fhir.entries import Entry, entries
from deid.fhir.known import known_identifiers
from deid.fhir.pieces import entries_of, refuse_odd
from deid.fhir.reading import Kind, read, write_resource
from deid.fhir.ties import ties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deid.fhir.reading import Resource

_OURS: Final = frozenset({"versionId", "lastUpdated"})
_HEAD: Final = frozenset({"resourceType", "id", "meta"})
_LINKS: Final = frozenset({"reference", "url", "uri"})
"""Members in which a transaction's references to its own entries stand (FHIR R4, 3.1.0.11.2)."""
_ISSUED: Final = frozenset({"DiagnosticReport", "Observation"})
_COUNTED: Final = re.compile(r"[1-9]\d{0,8}")


def read_document(body: bytes, resolved: Mapping[str, str]) -> ReadDocument:
    """Return what a request's body says; `resolved` is what references shall be instead."""
    try:
        return _read_document(body, resolved)
    except Unsafe as unsafe:
        return ReadDocument(reason=unsafe.reason.value, where=unsafe.where)


def _read_document(body: bytes, resolved: Mapping[str, str]) -> ReadDocument:
    document = read(body)
    if document.kind is Kind.NDJSON:
        raise Unsafe(Reason.NOT_FHIR, "more than one resource")
    (resource,) = document.resources
    if resolved:
        refer(resource, resolved)
    if document.kind is Kind.RESOURCE:
        return ReadDocument((ReadEntry(resource=read_resource(Entry("", resource), frozenset())),))
    return _read_bundle(resource)


def read_sidecar(text: bytes) -> ReadDocument:
    """Return the resources of a file: one, those of a Bundle, or of NDJSON."""
    try:
        document = read(text)
        for resource in document.resources:
            refuse_odd(resource)
        found = tuple(
            ReadEntry(each.full_url, resource=read_resource(each, frozenset()))
            for each in entries(document.resources)
        )
    except Unsafe as unsafe:
        return ReadDocument(reason=unsafe.reason.value, where=unsafe.where)
    return ReadDocument(found, document.kind.value)


def read_resource(entry: Entry, full_urls: frozenset[str]) -> ReadResource:
    """Return one resource in the parts that the store keeps.

    Parameters
    ----------
    full_urls
        What the entries of its Bundle are called.

    Raises
    ------
    Unsafe
        When its type, its id or its meta is none.
    """
    resource = entry.resource
    if not isinstance(resource.get("resourceType"), str):  # one of a Bundle: nobody looked yet
        raise Unsafe(Reason.MALFORMED, "resourceType")
    resource_id = resource.get("id", "")
    if not isinstance(resource_id, str):
        raise Unsafe(Reason.MALFORMED, "id")
    return ReadResource(
        resource_id,
        content_of(resource),
        ties_of(entry),
        tuple(dict.fromkeys(_unresolved(resource, full_urls))),
        tuple((each.info_type, each.value) for each in known_identifiers((resource,))),
        _stated_ms(resource),
    )


def _stated_ms(resource: Resource) -> int:
    """Return what a resource says of when this version came to be, for `daemon.resources.is_later`.

    `DiagnosticReport.issued` and `Observation.issued` are of a version by their definition: a report that is
    amended is issued once more.
    """
    meta = resource.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    updated = span_of(_text(meta, "lastUpdated"))
    if updated is not None:
        return updated.first_ms
    issued = span_of(_text(resource, "issued")) if resource["resourceType"] in _ISSUED else None
    if issued is not None and issued.first_ms > 0:
        return BY_ISSUE + issued.first_ms
    version = _text(meta, "versionId")
    return BY_COUNT + int(version) if _COUNTED.fullmatch(version) else 0


def content_of(resource: Resource) -> Content:
    """Return what a version of a resource says.

    Raises
    ------
    Unsafe
        When its meta is no object.
    """
    meta = resource.get("meta", {})
    if not isinstance(meta, dict):
        raise Unsafe(Reason.MALFORMED, "meta")
    return Content(
        str(resource.get("resourceType", "")),
        _inside({name: value for name, value in meta.items() if name not in _OURS}),
        _inside({name: value for name, value in resource.items() if name not in _HEAD}),
        tokens_of(resource),
        dates_of(resource),
    )


def _inside(members: Mapping[str, Any]) -> bytes:
    return write_resource(dict(members))[1:-1]


def _read_bundle(bundle: Resource) -> ReadDocument:
    objects = [each if isinstance(each, dict) else {} for each in entries_of(bundle)]
    full_urls = frozenset(_text(each, "fullUrl") for each in objects) - {""}
    found = tuple(
        read_entry(each, full_urls, f"entry {position}") for position, each in enumerate(objects, 1)
    )
    return ReadDocument(found, type_of_bundle(bundle))


def type_of_bundle(bundle: Resource) -> str:
    """Return what kind of Bundle it is."""
    return _text(bundle, "type") or "collection"


def read_entry(given: object, full_urls: frozenset[str], where: str) -> ReadEntry:
    """Return an entry of a Bundle that asks for something; `full_urls` as `read_resource` takes them.

    Raises
    ------
    Unsafe
        When its resource is none, or is a Bundle.
    """
    entry = given if isinstance(given, dict) else {}
    request = entry.get("request")
    request = request if isinstance(request, dict) else {}
    resource = entry.get("resource")
    full_url = _text(entry, "fullUrl")
    known = None
    if resource is not None:
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise Unsafe(Reason.NOT_FHIR, where)
        if resource["resourceType"] == "Bundle":
            raise Unsafe(Reason.RESOURCE_NOT_LISTED, where)
        known = read_resource(Entry(full_url, resource), full_urls)
    return ReadEntry(
        full_url,
        _text(request, "method"),
        _text(request, "url"),
        _text(request, "ifMatch"),
        _text(request, "ifNoneExist"),
        _text(request, "ifNoneMatch"),
        known,
    )


def _unresolved(value: Any, full_urls: frozenset[str]) -> Iterator[str]:
    for inner, name in _links(value):
        text = inner[name]
        if text in full_urls or (name == "reference" and "?" in text):
            yield text


def refer(value: Any, resolved: Mapping[str, str]) -> None:
    """Let links in a resource be others: those that are named, by what they say now."""
    for inner, name in _links(value):
        inner[name] = resolved.get(inner[name], inner[name])


def _links(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each object that holds a link, and the name that it holds it by; a Bundle's own links are none."""
    if isinstance(value, list):
        for each in value:
            yield from _links(each)
    elif isinstance(value, dict):
        is_entry = "fullUrl" in value or "request" in value
        for name, inner in value.items():
            if isinstance(inner, str):
                if name in _LINKS and not is_entry:
                    yield value, name
            elif not (is_entry and name == "request"):
                yield from _links(inner)


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""
