"""The HTTP server put together: DICOMweb and FHIR, health, readiness, metrics, a page of addresses."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from aiohttp import web
from aiohttp.http_exceptions import (
    BadHttpMethod,
    BadStatusLine,
    InvalidURLError,
    LineTooLong,
)
from aiohttp.web_protocol import RequestHandler

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.web.guard import ConnectionGuard

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from aiohttp.typedefs import Handler

    from config.settings import Http
    from daemon.web.callers import Callers

_log = structlog.get_logger(__name__)
_SHUTDOWN_S: Final = 2.0
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_RETRY_AFTER_S: Final = 10
# A refused upload may go on for so long before its connection is closed.
_LINGERING_S: Final = 2.0
# Twice as much of a request's body is read ahead before the client has to wait.
_READ_BYTES: Final = 256 * 1024
# A request's line; a list of 10 000 frames (`dicomweb.wado`) has 49 000 characters.
_LINE_BYTES: Final = 64 * 1024
# Of a path; one to bulk data in nested sequences has two for each.
_MOST_STEPS: Final = 200
# Neither ours nor the libraries' versions concern anybody who only connects.
_SERVER: Final = "dicomveil"
_NOWHERE: Final = "there is nothing at this address: / tells what there is\n"
_SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Health(Protocol):
    """What the probes say of the service."""

    @property
    def is_alive(self) -> bool:
        """Whether the loop that probes is running on time."""

    @property
    def is_ready(self) -> bool:
        """Whether instances can be received and served now."""

    async def metrics(self) -> tuple[bytes, str]:
        """Return the metrics' text and its media type."""


class HttpServer:
    """One listener.

    Parameters
    ----------
    settings
        Address and limits. With port 0 the kernel chooses; `port` then tells.
    services
        Applications by the path they are mounted at, such as ``/dicomweb/deid`` and ``/fhir/deid``.
    observe
        Told of each request: endpoint's pattern, method, status, seconds.
    callers
        The names that requests may give, and the origins that may change something.
    tells_metrics
        Whether ``/metrics`` is here; where not, another listener may have it.
    tls
        Server-side context; None is plain TCP.
    pages
        What people look at, ``/`` among it; where there are none, ``/`` is a list of addresses.
    """

    def __init__(
        self,
        settings: Http,
        services: Mapping[str, web.Application],
        health: Health,
        observe: Callable[[str, str, int, float], None],
        *,
        callers: Callers,
        tells_metrics: bool = True,
        tls: ssl.SSLContext | None = None,
        pages: Sequence[web.RouteDef] = (),
    ) -> None:
        self._settings = settings
        self._tls = tls
        self._guard = ConnectionGuard(
            settings.max_connections, settings.header_timeout_s, settings.keepalive_timeout_s
        )
        self._health = health
        self._observe = observe
        app = web.Application(
            middlewares=[
                self._measured,
                self._until_stopped,
                self._guard.middleware,
                callers.middleware,
            ]
        )
        app.on_response_prepare.append(_name_server)
        app.add_routes(
            [
                *(pages or [web.get("/", self._index)]),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
            ]
        )
        if tells_metrics:
            app.add_routes([web.get("/metrics", self._metrics)])
        for path, service in services.items():
            app.add_subapp(path, service)
        self._addresses = first_addresses(services, tells_metrics=tells_metrics)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=settings.keepalive_timeout_s + 5,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_S,
            lingering_time=_LINGERING_S,
            read_bufsize=_READ_BYTES,
            max_line_size=_LINE_BYTES,
        )
        self._server: asyncio.Server | None = None
        self._ends_at: float | None = None
        self._limits: set[asyncio.Timeout] = set()
        self._all_answered = asyncio.Event()

    @property
    def port(self) -> int:
        """The bound port."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Bind and serve."""
        await self._runner.setup()
        handlers = self._runner.server
        assert handlers is not None
        handlers.request_handler = partial(_short, handlers.request_handler)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._guard.guard(_discreet(handlers())),
            self._settings.host,
            self._settings.port,
            ssl=self._tls,
            reuse_address=True,
            backlog=256,
        )

    async def stop(self, *, drain_s: float = 10.0) -> None:
        """Listen no more, let requests under way finish, and close.

        Parameters
        ----------
        drain_s
            How long they may take; those that are still being received then are answered 503.
        """
        if self._server is not None:
            self._server.close()
        self._ends_at = asyncio.get_running_loop().time() + drain_s
        for limit in self._limits:
            limit.reschedule(self._ends_at)
        # Only then aiohttp is told: from that moment on it reads no more of any body.
        if self._limits:
            self._all_answered.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._ends_at + _SHUTDOWN_S):
                    await self._all_answered.wait()
        await self._runner.cleanup()

    @web.middleware
    async def _until_stopped(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer 503 in time what would be broken off when the service ends."""
        if self._ends_at is not None and request.method not in _READING:
            return _stopping()
        try:
            async with asyncio.timeout_at(self._ends_at) as limit:
                self._limits.add(limit)
                try:
                    response = await handler(request)
                finally:
                    self._limits.discard(limit)
                    if not self._limits:
                        self._all_answered.set()
            if self._ends_at is not None and not response.prepared:
                response.force_close()
        except TimeoutError:
            if not limit.expired():
                raise
            if request.method in _READING:
                # Its head may be out: the only way left to say that there is no more is to break off.
                raise ConnectionResetError("stopping") from None
            return _stopping()
        return response

    @web.middleware
    async def _measured(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        status = 500
        try:
            response = await handler(request)
        except web.HTTPException as error:
            status = error.status
            if error is request.match_info.http_exception and status == 404:
                error.text = _NOWHERE
            raise
        except ConnectionError:
            status = 499
            raise
        except (SpoolFull, StoreUnavailable) as error:
            status = 503
            _log.error("store_unavailable", exc_info=error)
            return _try_again("no room, or the store is away: try again later")
        except Exception as error:  # noqa: BLE001 - the edge: no detail leaves, no value is logged
            _log.error("http_request_failed", exc_info=error)
            return web.Response(status=500, text="internal error\n")
        else:
            status = response.status
            return response
        finally:
            self._observe(_endpoint(request), request.method, status, time.perf_counter() - began)

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _plain(self._health.is_alive, "alive", "the probing loop is late")

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _plain(
            self._health.is_ready, "ready", "not ready: see the log and `dicomveil status`"
        )

    async def _metrics(self, _request: web.Request) -> web.Response:
        body, media_type = await self._health.metrics()
        return web.Response(body=body, headers={"Content-Type": media_type})

    async def _index(self, _request: web.Request) -> web.Response:
        rows, other = (
            "".join(f'<li><a href="{path}">{path}</a></li>' for path in paths)
            for paths in self._addresses
        )
        return web.Response(
            text=_PAGE.format(rows=rows, other=other),
            content_type="text/html",
            headers=_SECURITY_HEADERS,
        )


def first_addresses(services: Iterable[str], *, tells_metrics: bool) -> tuple[list[str], list[str]]:
    """Return where one may begin to read: of what is served, and of the service itself."""
    served = [path for service in services for path in _first_addresses(service)]
    return served, ["/healthz", "/readyz", *(["/metrics"] if tells_metrics else [])]


def _first_addresses(service: str) -> list[str]:
    if service == "/viewer":  # no address for programs
        return []
    if service.startswith("/v1"):
        return [f"{service}/projects/local/locations/local/datasets"]
    names = ["metadata"] if service.startswith("/fhir/") else ["studies", "series", "instances"]
    return [f"{service}/{name}" for name in names]


class _DiscreetHandler(RequestHandler):
    """Does not repeat what it could not understand: error bodies hold nothing of a request."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP."""
        if message:
            status, message = _malformed(exc, status)
        response = super().handle_error(request, status, exc, message)
        response.headers["Server"] = _SERVER
        return response


def _malformed(error: BaseException | None, status: int) -> tuple[int, str]:
    """Return a status and what was wrong with a request that is no HTTP; nothing of the request."""
    if isinstance(error, LineTooLong):
        if str(error.args[1]) == str(_LINE_BYTES):
            return 414, f"the request's address is longer than {_LINE_BYTES} bytes\n"
        return 431, "a field of the request's header is too long\n"
    if isinstance(error, InvalidURLError):
        return status, "the request's address holds a character that has to be percent-encoded\n"
    if isinstance(error, BadStatusLine | BadHttpMethod):
        return (
            status,
            "the request's first line is not a method, an address without spaces and a version\n",
        )
    return status, "the request is not valid HTTP/1.1\n"


def _discreet(handler: RequestHandler) -> RequestHandler:
    # The factory of aiohttp knows one class only; this one adds no fields to it.
    handler.__class__ = _DiscreetHandler
    return handler


async def _short(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], request: web.BaseRequest
) -> web.StreamResponse:
    """Answer what has a path of a few steps: aiohttp looks for its route from every step on, each time anew."""
    if request.rel_url.raw_path.count("/") <= _MOST_STEPS:
        return await answer(request)
    response = web.Response(status=414, text="the path has too many steps\n")
    response.headers["Server"] = _SERVER
    response.force_close()
    return response


def _stopping() -> web.Response:
    response = _try_again("stopping")
    response.force_close()
    return response


def _try_again(why: str) -> web.Response:
    return web.Response(status=503, text=f"{why}\n", headers={"Retry-After": str(_RETRY_AFTER_S)})


async def _name_server(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = _SERVER


def _endpoint(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"


def _plain(is_well: bool, well: str, ill: str) -> web.Response:
    return web.Response(status=200 if is_well else 503, text=f"{well if is_well else ill}\n")


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>dicomveil</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#1b2733}}
h1{{font-weight:600}}a{{color:#0b5cad}}li{{margin:.2rem 0}}</style></head>
<body><h1>dicomveil</h1><p>Instances that were received, and what de-identification made of them,
over DICOMweb (QIDO-RS, WADO-RS; STOW-RS into the source), and the FHIR resources that belong to
them:</p><ul>{rows}</ul>
<p>The service itself:</p><ul>{other}</ul></body></html>
"""
