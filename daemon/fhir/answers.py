"""What requests and answers have in common: ids, headers, the body's resource, entries of a history."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

from daemon.fhir import representation
from daemon.fhir.bodies import answered_type
from daemon.fhir.errors import BadRequest, Unprocessable
from daemon.resources import PAGE_BYTES, number_in

if TYPE_CHECKING:
    from daemon.resources import ReadDocument, ReadResource, ResourceVersion


def new_id() -> str:
    """Return an id for a resource that is made here."""
    return str(uuid4())


def readable(document: ReadDocument) -> ReadDocument:
    """Return a document that could be read; raises `Unprocessable`."""
    if document.reason:
        where = f" ({document.where})" if document.where else ""
        raise Unprocessable(f"the body cannot be read: {document.reason}{where}")
    return document


def single(document: ReadDocument, resource_type: str) -> ReadResource:
    """Return the resource of a body; raises `BadRequest` when it is none of that type."""
    if document.bundle_type and resource_type == "Bundle":
        raise Unprocessable("a Bundle is not stored as a resource: post it to the store itself")
    resource = document.entries[0].resource if document.entries else None
    if document.bundle_type or resource is None or resource.content.type != resource_type:
        raise BadRequest("the resource's type is not that of the address")
    return resource


def version_headers(version: ResourceVersion) -> dict[str, str]:
    """Return the headers that tell a version."""
    return {
        "ETag": representation.etag(version),
        "Last-Modified": representation.http_date(version.updated_ms),
    }


def history_entry(address: str, version: ResourceVersion) -> bytes:
    """Return the entry of a version in a Bundle of versions."""
    body = b"" if version.is_deleted else representation.resource(version)
    url = f"{version.type}/{version.id}"
    method = version.method.value
    status = {"POST": "201", "PUT": "200", "DELETE": "204"}[method]
    return representation.entry(
        address,
        body,
        request={"method": method, "url": version.type if method == "POST" else url},
        response={
            "status": status,
            "etag": representation.etag(version),
            "lastModified": representation.instant(version.updated_ms),
        },
    )


def fitting(found: list[ResourceVersion], limit: int) -> tuple[list[ResourceVersion], bool]:
    """Return what of a page is answered, of which one more was asked for; and whether there may be more.

    A page ends before its limit, too, where what was found for it is long: of several, two are always found.
    """
    if len(found) > limit:
        return found[:limit], True
    if len(found) > 1 and sum(each.size for each in found) > PAGE_BYTES:
        return found[:-1], True
    return found, False


def number(text: str, name: str) -> int | None:
    """Return the number of a parameter, None when it is empty; raises `BadRequest`."""
    if not text:
        return None
    found = number_in(text)
    if found is None:
        raise BadRequest(f"{name} is no number")
    return found


def json_response(
    request: web.Request, status: int, body: bytes, headers: dict[str, str] | None = None
) -> web.Response:
    """Return an answer in the form of JSON that the client takes."""
    return web.Response(
        status=status,
        body=body,
        headers={**(headers or {}), "Content-Type": f"{answered_type(request)}; charset=utf-8"},
    )
