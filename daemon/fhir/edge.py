"""What every answer of a FHIR service has in common: its headers, and errors as OperationOutcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
import structlog
from aiohttp import web

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.fhir import representation
from daemon.fhir.bodies import FHIR_JSON, answered_type
from daemon.fhir.errors import FhirError
from daemon.web.bodies import HELD

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aiohttp.typedefs import Handler

log = structlog.get_logger()

_RETRY_AFTER_S: Final = 10
_WRITING: Final = ("POST", "PUT", "PATCH", "DELETE")
_ALLOWED_HEADERS: Final = (
    "Accept, Authorization, Content-Type, If-Match, If-None-Exist, If-None-Match, Prefer,"
    " X-Requested-With"
)
_EXPOSED_HEADERS: Final = (
    "Content-Location, Content-Type, ETag, Last-Modified, Location, Retry-After"
)


class Edge:
    """Stands around the handlers of one service.

    Parameters
    ----------
    is_writable
        Whether the store can be written to.
    cors_origins
        Of web pages that may read, and write where that can be done.
    """

    def __init__(self, *, is_writable: bool, cors_origins: Collection[str]) -> None:
        self._is_writable = is_writable
        self._cors_origins = cors_origins

    def _methods(self) -> Sequence[str]:
        return ("GET", "HEAD", "OPTIONS", *(_WRITING if self._is_writable else ()))

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add what every answer carries, errors included."""
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-cache")
        origins = self._cors_origins
        if not origins:
            return
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin", "")
        if not origin or (origin not in origins and "*" not in origins):
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = ", ".join(self._methods())
            response.headers["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
            response.headers["Access-Control-Max-Age"] = "600"

    @web.middleware
    async def handle_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn errors into OperationOutcomes."""
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": ", ".join(self._methods())})
        headers = {}
        try:
            # Who downloads lines may ask for lines; what else is asked for is the form of an error.
            if not request.path.endswith("/$export"):
                answered_type(request)
            response: web.StreamResponse = await handler(request)
        except FhirError as error:
            status, code, text = error.status, error.issue, str(error)
            if status == 405:
                headers["Allow"] = ", ".join(self._methods())
            if status == 503:
                headers["Retry-After"] = str(_RETRY_AFTER_S)
        except (SpoolFull, StoreUnavailable) as error:
            log.exception("store_unavailable", error=type(error).__name__)
            status, code, text = 503, "transient", "no room, or the store is away: try again later"
            headers["Retry-After"] = str(_RETRY_AFTER_S)
        except web.HTTPException as error:
            status, code, text = error.status, "not-supported", error.reason
            if "Allow" in error.headers:
                headers["Allow"] = error.headers["Allow"]
        except TimeoutError:
            status, code, text = 408, "timeout", "the request's body stood still for too long"
        except (ConnectionError, web.RequestPayloadError):
            status, code, text = 400, "incomplete", "the request's body was cut short"
        except Exception as error:  # the edge: our own bug
            log.exception("fhir_request_failed", error=type(error).__name__)
            status, code, text = 500, "exception", "internal error"
        else:
            return response
        finally:
            HELD.let_go(request)
        body = orjson.dumps(representation.outcome("error", code, text))
        answer = web.Response(status=status, body=body, headers=headers, content_type=FHIR_JSON)
        if request.can_read_body and not request.content.is_eof():
            answer.force_close()
        return answer
