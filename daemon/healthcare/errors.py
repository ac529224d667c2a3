"""What can be wrong with a request to the Healthcare API, as Google's clients understand it.

::

    ApiError               code, status: google.rpc.Code's name
    |- InvalidArgument     400  3   the request makes no sense, now or ever
    |- FailedPrecondition  400  9   it would, were something else different
    |- PermissionDenied    403  7
    |- NotFound            404  5
    |- AlreadyExists       409  6
    |- TooLarge            413  8
    |- Unimplemented       501  12  a method that is not built, by name
    `- Unavailable         503  14

Messages name fields, methods and resources; never what a resource says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """Base of what a client is told in Google's envelope.

    Attributes
    ----------
    details
        Messages of ``google.rpc`` as JSON, each with its ``@type``.
    """

    http_status: ClassVar[int] = 500
    status: ClassVar[str] = "INTERNAL"
    rpc_code: ClassVar[int] = 13

    def __init__(self, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)


class InvalidArgument(ApiError):
    """The request makes no sense."""

    http_status, status, rpc_code = 400, "INVALID_ARGUMENT", 3


class FailedPrecondition(ApiError):
    """The request makes no sense as things are."""

    http_status, status, rpc_code = 400, "FAILED_PRECONDITION", 9


class PermissionDenied(ApiError):
    """What is configured does not allow it."""

    http_status, status, rpc_code = 403, "PERMISSION_DENIED", 7


class NotFound(ApiError):
    """There is no such resource."""

    http_status, status, rpc_code = 404, "NOT_FOUND", 5


class AlreadyExists(ApiError):
    """What shall be made is there."""

    http_status, status, rpc_code = 409, "ALREADY_EXISTS", 6


class TooLarge(ApiError):
    """The body is longer than any request's."""

    http_status, status, rpc_code = 413, "RESOURCE_EXHAUSTED", 8


class Unimplemented(ApiError):
    """A method of the API that is not built here."""

    http_status, status, rpc_code = 501, "UNIMPLEMENTED", 12


class Unavailable(ApiError):
    """Not now."""

    http_status, status, rpc_code = 503, "UNAVAILABLE", 14


_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    406: "INVALID_ARGUMENT",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    413: "RESOURCE_EXHAUSTED",
    415: "INVALID_ARGUMENT",
    416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}


def envelope(
    code: int, message: str, status: str = "", details: Sequence[Mapping[str, Any]] = ()
) -> web.Response:
    """Return an error as Google's clients expect it."""
    error: dict[str, Any] = {
        "code": code,
        "message": message,
        "status": status or _STATUSES.get(code, "INTERNAL" if code >= 500 else "UNKNOWN"),
    }
    if details:
        error["details"] = list(details)
    return web.Response(
        status=code, body=orjson.dumps({"error": error}), content_type="application/json"
    )
