"""The API as applications to be mounted, one a version.

::

    request -> the method it means (`methods`)  -> who answers it (`Handlers`), with a body that makes sense
                     |                               |
                     |                               `- nobody: 501, naming the method
                     |- DICOMweb or FHIR of a store  -> the same service as everywhere (`relay`)
                     `- none: 404

Every error is in Google's envelope, but for what a FHIR service says itself: that is an OperationOutcome, as
Google's is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
import structlog
from aiohttp import web

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.healthcare import bodies
from daemon.healthcare.calls import Call, parameters
from daemon.healthcare.errors import ApiError, InvalidArgument, NotFound, Unimplemented, envelope
from daemon.healthcare.methods import VERSIONS, meant
from daemon.web.bodies import FORM, HELD, FormUnusable, form_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler as WebHandler

    from daemon.healthcare.calls import Handlers
    from daemon.healthcare.relay import Relay
    from dicomweb.patience import Patience

log = structlog.get_logger()

_OVERRIDE: Final = "X-HTTP-Method-Override"
_MOST_FORM_BYTES: Final = 1024 * 1024
_MOST_FIELDS: Final = 12_000
"""A list of as many UIDs as a search may have, each in a field of its own, has room."""
_NO_BODY: Final = frozenset({"GET", "DELETE", "HEAD"})


def applications(
    handlers: Handlers, patience: Patience, relay: Relay | None = None
) -> dict[str, web.Application]:
    """Return the API's versions by the path that each is to be mounted at with ``add_subapp``."""
    found = {}
    for version in VERSIONS:
        service = _Service(version, handlers, patience, relay)
        app = found[f"/{version}"] = web.Application(middlewares=[service.handle_errors])
        app.router.add_route("*", "/{path:.*}", service.answer)
    return found


class _Service:
    def __init__(
        self, version: str, handlers: Handlers, patience: Patience, relay: Relay | None
    ) -> None:
        self._version = version
        self._handlers = handlers
        self._patience = patience
        self._relay = relay

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request below the version."""
        verb, query = await self._asked(request)
        path = request.rel_url.raw_path.removeprefix(f"/{self._version}/").rstrip("/")
        means = meant(self._version, "GET" if verb == "HEAD" else verb, path)
        if self._relay is not None and (means is None or means.method.name not in self._handlers):
            relayed = await self._relay.answer(request, verb, path, query, means)
            if relayed is not None:
                return relayed
        if means is None:
            raise NotFound(f"{self._version} of this API has no such method or path")
        handler = self._handlers.get(means.method.name)
        if handler is None:
            raise Unimplemented(f"healthcare.{means.method.name} is not implemented here")
        # An overridden POST has a query where others have a body.
        body = {} if verb in _NO_BODY else await bodies.read(request, self._patience)
        kept = parameters(query)
        found = await handler(Call(self._version, means.method, means.parameters, kept, body))
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    async def _asked(self, request: web.Request) -> tuple[str, list[tuple[str, str]]]:
        """Return verb and query, which a client whose address became too long sends as a form."""
        verb = request.headers.get(_OVERRIDE, "").upper()
        query = list(request.query.items())
        if request.method != "POST" or verb in {"", "POST"}:
            return request.method, query
        if verb not in {"GET", "PUT", "PATCH", "DELETE"}:
            raise InvalidArgument(f"{_OVERRIDE} names no verb of this API")
        if request.content_type != FORM:
            return verb, query
        try:
            form = await form_fields(
                request, self._patience, most_bytes=_MOST_FORM_BYTES, most_fields=_MOST_FIELDS
            )
        except FormUnusable as error:
            raise InvalidArgument(str(error)) from None
        return verb, query + form

    @web.middleware
    async def handle_errors(self, request: web.Request, handler: WebHandler) -> web.StreamResponse:
        """Turn errors into Google's envelope; bodies say what was wrong, never a value."""
        headers: Mapping[str, str] = {}
        try:
            return await handler(request)
        except ApiError as error:
            response = envelope(error.http_status, str(error), error.status, error.details)
        except (SpoolFull, StoreUnavailable) as error:
            log.exception("store_unavailable", error=type(error).__name__)
            response = envelope(503, "no room, or the store is away: try again later")
            headers = {"Retry-After": "10"}
        except web.HTTPException as error:
            response = envelope(error.status, error.reason)
        except TimeoutError:
            response = envelope(408, "the request's body stood still for too long")
        except (ConnectionError, web.RequestPayloadError):
            response = envelope(400, "the request's body was cut short")
        except Exception as error:  # the edge: our own bug
            log.exception("healthcare_request_failed", error=type(error).__name__)
            response = envelope(500, "internal error")
        finally:
            HELD.let_go(request)
        response.headers.update(headers)
        if request.can_read_body and not request.content.is_eof():
            response.force_close()
        return response
