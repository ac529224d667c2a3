"""What is sent: resources put together from what the store keeps of them, Bundles, and OperationOutcome."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daemon.resources import ResourceVersion


def resource(version: ResourceVersion) -> bytes:
    """Return a version of a resource as JSON; it must not say that the resource is deleted."""
    meta = b'{"versionId":"%d","lastUpdated":"%s"%s%s}' % (
        version.version,
        instant(version.updated_ms).encode(),
        b"," if version.meta else b"",
        version.meta,
    )
    return b'{"resourceType":"%s","id":"%s","meta":%s%s%s}' % (
        version.type.encode(),
        version.id.encode(),
        meta,
        b"," if version.rest else b"",
        version.rest,
    )


def instant(time_ms: int) -> str:
    """Return a time as FHIR writes it."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def http_date(time_ms: int) -> str:
    """Return a time as HTTP writes it."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def etag(version: ResourceVersion) -> str:
    """Return the weak tag of a version (FHIR R4, 3.1.0.5)."""
    return f'W/"{version.version}"'


def outcome(severity: str, code: str, text: str) -> dict[str, Any]:
    """Return an OperationOutcome with one issue."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": text}],
    }


def bundle(
    kind: str,
    entries: Iterable[bytes],
    *,
    total: int | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return a Bundle of entries that are JSON objects already."""
    head: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        head["total"] = total
    if links:
        head["link"] = [{"relation": relation, "url": url} for relation, url in links]
    body = b",".join(entries)
    # An array may not be empty (FHIR R4, 2.6.2.2).
    return orjson.dumps(head)[:-1] + (b',"entry":[%s]}' % body if body else b"}")


def entry(address: str, body: bytes, **more: object) -> bytes:
    """Return an entry of a Bundle; `more` are its other members."""
    members = [b'"fullUrl":' + orjson.dumps(address)] if address else []
    members += [b'"resource":' + body] if body else []
    members += [orjson.dumps({name: value})[1:-1] for name, value in more.items()]
    return b"{%s}" % b",".join(members)
