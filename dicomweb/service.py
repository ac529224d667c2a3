"""The DICOMweb service over one store, as an application to be mounted (PS3.18 10).

::

    GET  /studies  /series  /instances  /studies/{}/series  /studies/{}/instances
         /studies/{}/series/{}/instances                            search       `dicomweb.qido`
    POST /studies  /studies/{}                                      store        `dicomweb.stow`
    GET  /studies/{}[/series/{}[/instances/{}]]                     retrieve     `dicomweb.wado`
         .../metadata  .../instances/{}/frames/{}  .../bulkdata/{}
         .../bulkdata  .../pixeldata                                all of it    `dicomweb.bulk`
         .../rendered  .../thumbnail                                pictures     `dicomweb.rendered`
         /wado?requestType=WADO&...                                 by query     `dicomweb.uri`
    OPTIONS, and GET of the root                                    offers       `dicomweb.capabilities`

Errors become statuses in one place; their bodies name parameters and headers, never a value of an
element. Answers to web viewers of other origins carry CORS headers, errors too.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson
import structlog
from aiohttp import web

from dicomweb import bulk, capabilities, qido, stow, uri, wado
from dicomweb.address import base_of, root_of
from dicomweb.errors import (
    BadRequest,
    DescribeError,
    DicomwebError,
    FileDamaged,
    Gone,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    RangeNotSatisfiable,
    StoreAway,
    StoreFull,
    UnsupportedMedia,
)
from dicomweb.intact import intact, missing
from dicomweb.media import DICOM, JSON, MediaRange, choose, parse_accept
from dicomweb.ports import Resource
from dicomweb.rendered import RenderedPictures
from dicomweb.searching import Searches

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dicomweb.ports import Imaging, InstanceFile, InstanceStore, Level, Settings, UploadSink

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_UID: Final = re.compile(r"[0-9.]{1,64}")
_STATUSES: Final[Mapping[type[Exception], int]] = {
    BadRequest: 400,
    Gone: 410,
    NotFound: 404,
    NotAcceptable: 406,
    PayloadTooLarge: 413,
    UnsupportedMedia: 415,
    RangeNotSatisfiable: 416,
    DescribeError: 500,
    FileDamaged: 500,
    StoreFull: 503,
    StoreAway: 503,
}
_RETRY_AFTER_S: Final = 10
_CHARSETS: Final = frozenset({"utf-8", "utf8", "iso_ir 192", "*"})
_DEFAULT_TEXT: Final = {404: "404: Not Found", 405: "405: Method Not Allowed"}
"""What aiohttp says where nobody has said anything."""
_ALLOWED_HEADERS: Final = (
    "Accept, Authorization, Content-Type, If-None-Match, If-Range, Range, X-Requested-With"
)
_FIELD_NAMES: Final = re.compile(r"[0-9A-Za-z-]{1,64}(?:, ?[0-9A-Za-z-]{1,64}){0,31}")
_EXPOSED_HEADERS: Final = (
    "Accept-Ranges, Content-Encoding, Content-Length, Content-Location, Content-Range, Content-Type,"
    " ETag, Retry-After, Warning"
)


def application(
    store: InstanceStore,
    sink: UploadSink | None,
    *,
    settings: Settings,
    imaging: Imaging | None = None,
    cors_origins: Collection[str] = (),
    public_root: str = "",
    send_timeout_s: float = 120.0,
) -> web.Application:
    """Return the service, to be mounted with ``add_subapp``.

    Parameters
    ----------
    sink
        Where STOW-RS puts instances; None makes a store that cannot be written to (405).
    imaging
        What draws and decodes; without it there are no pictures, and pixels are sent as they are stored.
    cors_origins
        Origins of web viewers that may read, and store where the store takes anything; ``*`` lets any read.
    public_root
        Address under which clients reach this service, such as ``https://pacs.example/dicomweb/deid``.
        Empty: addresses in answers are those that the client used, or, where that is not certain, paths
        from the server's root, right behind any proxy that keeps paths as they are.
    send_timeout_s
        How long a client may take to read 4 MiB of an answer.

    Notes
    -----
    The server that this runs in must be made with ``auto_decompress=False``, so that a compressed body
    is refused and not inflated.
    """
    service = _Service(
        store, sink, settings, imaging, cors_origins, public_root.rstrip("/"), send_timeout_s
    )
    app = web.Application(middlewares=[service.handle_errors])
    app.add_routes(service.routes())
    app.on_response_prepare.append(service.add_headers)
    return app


class _Service:
    def __init__(
        self,
        store: InstanceStore,
        sink: UploadSink | None,
        settings: Settings,
        imaging: Imaging | None,
        cors_origins: Collection[str],
        public_root: str,
        send_timeout_s: float,
    ) -> None:
        self._store = store
        self._sink = sink
        self._settings = settings
        self._cors_origins = cors_origins
        self._public_root = public_root
        self._send_timeout_s = send_timeout_s
        self._imaging = imaging
        self._pictures = (
            None if imaging is None else RenderedPictures(store, imaging, send_timeout_s)
        )
        self._searching = Searches(store, settings.max_long_searches, send_timeout_s)

    def routes(self) -> list[web.RouteDef]:
        study = "/studies/{study}"
        series = f"{study}/series/{{series}}"
        instance = f"{series}/instances/{{instance}}"
        # They are tried in this order: first what viewers ask for most.
        found: list[web.RouteDef] = [
            web.get(f"{instance}/frames/{{frames}}", self._frames),
            web.get(instance, self._retrieve),
            web.get("/studies", self._searches("study")),
            web.get("/series", self._searches("series")),
            web.get("/instances", self._searches("instance")),
            web.get(f"{study}/series", self._searches("series")),
            web.get(f"{study}/instances", self._searches("instance")),
            web.get(f"{series}/instances", self._searches("instance")),
            web.post("/studies", self._stores),
            web.post(study, self._stores),
            web.get(study, self._retrieve),
            web.get(series, self._retrieve),
            web.get(f"{instance}/bulkdata/{{path:.+}}", self._bulk),
            web.get("/wado", self._by_uri),
        ]
        for path in (series, instance, study):
            found.append(web.get(f"{path}/metadata", self._metadata))
            found.append(web.get(f"{path}/bulkdata", partial(self._all_bulk, pixels_only=False)))
            found.append(web.get(f"{path}/pixeldata", partial(self._all_bulk, pixels_only=True)))
        for path in (study, series, instance, f"{instance}/frames/{{frames}}"):
            found.append(web.get(f"{path}/rendered", self._rendered))
            found.append(web.get(f"{path}/thumbnail", self._thumbnail))
        # With a slash at its end a path means the same; of a path of bulk data it is part already.
        with_slash = [
            web.RouteDef(route.method, f"{route.path}/", route.handler, route.kwargs)
            for route in found
            if "{path:" not in route.path
        ]
        return [
            *found,
            *with_slash,
            web.get("/", self._at_root),
            web.get("", self._at_root),
        ]

    def _searches(self, level: Level) -> Handler:
        async def search(request: web.Request) -> web.StreamResponse:
            return await self._search(level, request)

        return search

    async def _search(self, level: Level, request: web.Request) -> web.StreamResponse:
        media_type = wado.metadata_type(_accepted(request))
        within = _resource(request) if "study" in request.match_info else None
        search = qido.parse(
            level, within, request.query.items(), max_results=self._settings.max_results
        )
        return await self._searching.answer(request, search, self._root(request), media_type)

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        media_type = wado.metadata_type(_accepted(request))
        resource = _resource(request)
        objects = await self._store.metadata(resource)
        if not objects:
            raise await missing(self._store, resource)
        return await wado.send_metadata(
            request,
            objects,
            root=self._root(request),
            media_type=media_type,
            send_timeout_s=self._send_timeout_s,
        )

    async def _retrieve(self, request: web.Request) -> web.StreamResponse:
        resource = _resource(request)
        files = await self._located(resource)
        return await wado.send_instances(
            request,
            files,
            _accepted(request),
            single=resource.sop_instance_uid is not None,
            root=self._root(request),
            imaging=self._imaging,
            send_timeout_s=self._send_timeout_s,
        )

    async def _frames(self, request: web.Request) -> web.StreamResponse:
        numbers = wado.parse_frame_list(request.match_info["frames"])
        (file, *_others) = await intact(await self._located(_resource(request)))
        return await wado.send_frames(
            request,
            file,
            numbers,
            _accepted(request),
            imaging=self._imaging,
            send_timeout_s=self._send_timeout_s,
        )

    async def _rendered(self, request: web.Request) -> web.StreamResponse:
        resource, frames, files = await self._drawable(request)
        assert self._pictures is not None
        return await self._pictures.rendered(
            request,
            files,
            _accepted(request),
            frames=frames,
            is_single=resource.sop_instance_uid is not None,
            root=self._root(request),
        )

    async def _thumbnail(self, request: web.Request) -> web.StreamResponse:
        _resource, frames, files = await self._drawable(request)
        assert self._pictures is not None
        return await self._pictures.thumbnail(
            request, files, _accepted(request), frames=frames, root=self._root(request)
        )

    async def _drawable(
        self, request: web.Request
    ) -> tuple[Resource, list[int] | None, list[InstanceFile]]:
        """Return what is to be drawn: which resource, which frames of it, and its whole files."""
        if self._pictures is None:
            raise NotAcceptable("this service draws no pictures")
        resource = _resource(request)
        given = request.match_info.get("frames")
        frames = None if given is None else wado.parse_frame_list(given)
        return resource, frames, await intact(await self._located(resource))

    async def _bulk(self, request: web.Request) -> web.StreamResponse:
        steps = wado.parse_bulk_path(request.match_info["path"].removesuffix("/"))
        (file, *_others) = await intact(await self._located(_resource(request)))
        return await wado.send_bulk(
            request,
            file,
            steps,
            _accepted(request),
            imaging=self._imaging,
            send_timeout_s=self._send_timeout_s,
        )

    async def _by_uri(self, request: web.Request) -> web.StreamResponse:
        asked = uri.parse(request.query)
        (file, *_others) = await intact(await self._located(asked.resource))
        given = request.headers.getall("Accept", [])
        kind = uri.media_type(
            asked, file, parse_accept(given), has_pictures=self._pictures is not None
        )
        if kind == DICOM:
            return await wado.send_instances(
                request,
                [file],
                uri.accepted_dicom(asked),
                single=True,
                root=self._root(request),
                imaging=self._imaging,
                send_timeout_s=self._send_timeout_s,
            )
        assert self._pictures is not None
        if kind in uri.DOCUMENTS:
            return await self._pictures.document(request, file, [MediaRange(kind, False)])
        understood, picture = await uri.picture(asked, file, kind, self._store)
        return await self._pictures.send(
            request,
            [(file, picture)],
            multipart=False,
            warnings=understood.warnings,
            root=self._root(request),
        )

    async def _all_bulk(self, request: web.Request, *, pixels_only: bool) -> web.StreamResponse:
        return await bulk.send_all(
            request,
            self._store,
            _resource(request),
            _accepted(request),
            pixels_only=pixels_only,
            root=self._root(request),
            imaging=self._imaging,
            send_timeout_s=self._send_timeout_s,
        )

    async def _located(self, resource: Resource) -> list[InstanceFile]:
        files = await self._store.locate(resource)
        if not files:
            raise await missing(self._store, resource)
        return files

    async def _stores(self, request: web.Request) -> web.StreamResponse:
        if self._sink is None:
            raise web.HTTPMethodNotAllowed(
                "POST",
                ["GET", "HEAD", "OPTIONS"],
                text="this store holds results only: send instances to the source store",
            )
        study_uid = _resource(request).study_uid if "study" in request.match_info else None
        return await stow.store(
            request, self._sink, self._settings, study_uid=study_uid, root=self._root(request)
        )

    def _options(self, request: web.Request) -> web.StreamResponse:
        """Answer a preflight request, whatever its path: whether there is a resource is not asked.

        Who asks for no preflight asks what can be done here (PS3.18 8.9).
        """
        if "Access-Control-Request-Method" in request.headers:
            response = web.Response(status=204)
        else:
            response = self._told_capabilities(request)
        methods = "GET, HEAD, OPTIONS" + (", POST" if self._sink is not None else "")
        response.headers["Allow"] = methods
        return response

    async def _at_root(self, request: web.Request) -> web.StreamResponse:
        # dicomweb-client takes the root for the address of the URI service.
        if "requestType" in request.query:
            return await self._by_uri(request)
        return self._told_capabilities(request)

    def _told_capabilities(self, request: web.Request) -> web.Response:
        offer = choose(_accepted(request), capabilities.OFFERS)
        if offer is None:
            raise NotAcceptable(f"capabilities can be produced as {capabilities.WADL} and {JSON}")
        offered = {
            "is_writable": self._sink is not None,
            "has_pictures": self._pictures is not None,
        }
        root = base_of(request, self._public_root)
        body = (
            orjson.dumps(capabilities.as_json(root, **offered))
            if offer.media_type == JSON
            else capabilities.as_wadl(root, **offered)
        )
        return web.Response(body=body, headers={"Content-Type": offer.media_type, "Vary": "Accept"})

    def _allowed(self, error: web.HTTPMethodNotAllowed) -> str:
        """Return what may be done with a path (RFC 9110 10.2.1): routes know nothing of the store."""
        refused = {"POST"} if self._sink is None else set()
        return ", ".join(sorted({*error.allowed_methods, "OPTIONS"} - refused))

    def _root(self, request: web.Request) -> str:
        """Return the address of this service, without a slash at its end."""
        return root_of(request, self._public_root)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add what every answer carries, errors included."""
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-cache")
        origins = self._cors_origins
        if not origins:
            return
        varies = response.headers.get("Vary")
        response.headers["Vary"] = f"{varies}, Origin" if varies else "Origin"
        origin = request.headers.get("Origin", "")
        if not origin or (origin not in origins and "*" not in origins):
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = response.headers.get(
                "Allow", "GET, HEAD, OPTIONS"
            )
            asked = request.headers.get("Access-Control-Request-Headers", "")
            # What else a viewer sends of its own does no harm: its origin may read everything here.
            more = f", {asked}" if _FIELD_NAMES.fullmatch(asked) else ""
            response.headers["Access-Control-Allow-Headers"] = f"{_ALLOWED_HEADERS}{more}"
            response.headers["Access-Control-Max-Age"] = "600"

    @web.middleware
    async def handle_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn errors into statuses; bodies say what was wrong, never a value."""
        try:
            if request.method == "OPTIONS":
                return self._options(request)
            _refuse_other_charsets(request)
            return await handler(request)
        except web.HTTPMethodNotAllowed as error:
            allowed = self._allowed(error)
            text = f"only {allowed} can be done here"
            own = error.text if error.text != _DEFAULT_TEXT[405] else ""
            return _error(405, own or text, {"Allow": allowed})
        except web.HTTPNotFound as error:
            own = error.text if error.text != _DEFAULT_TEXT[404] else ""
            return _error(
                404, own or "there is nothing at this path: OPTIONS of it tells what there is"
            )
        except web.HTTPException as error:
            return _error(error.status, error.text or error.reason, headers=error.headers)
        except DicomwebError as error:
            status = next(
                (status for kind, status in _STATUSES.items() if isinstance(error, kind)), 500
            )
            text = str(error) if status < 500 or status == 503 else "the instance cannot be read"
            response = _error(status, text)
            if isinstance(error, StoreAway):
                log.exception("store_unavailable", error=type(error).__name__)
            if status == 503:
                response.headers["Retry-After"] = str(_RETRY_AFTER_S)
            if isinstance(error, RangeNotSatisfiable):
                response.headers["Content-Range"] = f"bytes */{error.total}"
        except TimeoutError:
            response = _error(408, "the request's body stood still for too long")
        except (ConnectionError, web.RequestPayloadError):
            response = _error(400, "the request's body was cut short")
        except Exception as error:  # the edge: our own bug
            log.exception("dicomweb_request_failed", error=type(error).__name__)
            response = _error(500, "internal error")
        if request.can_read_body and not request.content.is_eof():
            response.force_close()
        return response


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    kept = {
        name: value
        for name, value in (headers or {}).items()
        if name.lower() not in {"content-type", "content-length"}
    }
    body = orjson.dumps({"status": status, "error": text})
    return web.Response(
        status=status, body=body, headers={**kept, "Content-Type": "application/json"}
    )


def _refuse_other_charsets(request: web.Request) -> None:
    """Refuse a ``charset`` parameter that names none that texts are written in (PS3.18 8.3.3.2)."""
    named = ",".join(request.query.getall("charset", [])).lower().split(",")
    wanted = {each.partition(";")[0].strip() for each in named} - {""}
    if wanted and not wanted & _CHARSETS:
        raise BadRequest("charset names none that is written here: it can be utf-8")


def _accepted(request: web.Request) -> list[MediaRange]:
    """Return what the client accepts: the ``accept`` parameter before the header (PS3.18 8.3.3.1)."""
    given = request.query.getall("accept", [])
    # A plus sign in a query string means a space; no media type has one.
    fields = [value.replace("dicom json", "dicom+json") for value in given]
    return parse_accept(fields or request.headers.getall("Accept", []))


def _resource(request: web.Request) -> Resource:
    names = ("study", "series", "instance")
    uids = [request.match_info.get(name) for name in names]
    for name, uid in zip(names, uids, strict=True):
        if uid is not None and not _UID.fullmatch(uid):
            raise BadRequest(f"the {name} in the path is not a UID")
    study_uid, series_uid, sop_instance_uid = uids
    assert study_uid is not None
    return Resource(study_uid, series_uid, sop_instance_uid)
