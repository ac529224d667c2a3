"""The FHIR REST service over one store, as an application to be mounted (FHIR R4, 3.1.0).

::

    GET    /metadata                                  what it can do       `daemon.fhir.capability`
    POST   /                                          batch, transaction   `daemon.fhir.bundles`, `executing`
    GET    /{type}  POST /{type}/_search              search               `daemon.fhir.searching`
    POST   /{type}                                    create
    GET, PUT, DELETE  /{type}/{id}                    read, update, delete
    PATCH  /{type}/{id}  PATCH /{type}?...            change in part       `daemon.fhir.patching`
    GET    /{type}/{id}/_history[/{version}]          versions
    GET    /Patient/{id}/$everything                  all of a patient     `daemon.fhir.everything`
    GET    /$export                                   everything, as NDJSON

Every error is an OperationOutcome; it names parameters and places, never a value. Answers to web pages of other
origins carry CORS headers, errors too. Nothing is fetched from any address that a resource names.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from daemon.fhir import capability, exporting, representation, searching
from daemon.fhir.answers import (
    fitting,
    history_entry,
    json_response,
    new_id,
    number,
    readable,
    single,
    version_headers,
)
from daemon.fhir.bodies import NDJSON, held_body, note_held, read_body, read_form
from daemon.fhir.bundles import condition_of, refuse_wrong_type, version_of
from daemon.fhir.edge import Edge
from daemon.fhir.errors import (
    BadRequest,
    Gone,
    NotAllowed,
    NotFound,
    PayloadTooLarge,
    Unprocessable,
)
from daemon.fhir.everything import everything
from daemon.fhir.executing import Executing
from daemon.fhir.large_batches import answer_in_pieces
from daemon.fhir.patching import PATCH_TYPES, Patching
from daemon.fhir.ports import Change, Wish
from daemon.resources import ID
from deid.tables.fhir import fhir_resources

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daemon.fhir.ports import (
        Changed,
        Reader,
        ResourceSink,
        ResourceStore,
        Settings,
    )
    from daemon.fhir.searching import Search
    from daemon.resources import ReadDocument, ResourceVersion
    from dicomweb.patience import Patience

_EXPORT_PAGE: Final = 200


def applications(
    stores: Mapping[str, tuple[ResourceStore, ResourceSink | None]],
    reader: Reader,
    *,
    settings: Settings,
    patience: Patience,
    cors_origins: Mapping[str, Collection[str]],
    root: str = "",
) -> dict[str, web.Application]:
    """Return a service for each store, by the path that it is to be mounted at with ``add_subapp``.

    Parameters
    ----------
    stores
        By their paths; one without a sink cannot be written to (405).
    cors_origins
        By path, origins of web pages that may read, and write where that can be done.
    root
        Address under which clients reach the server. Empty: what they call it themselves.

    Notes
    -----
    The server that this runs in must be made with ``auto_decompress=False``, and answer no Host but its own, as
    addresses in answers are made of it.
    """
    found = {}
    for path, (store, sink) in stores.items():
        public_root = f"{root}{path}" if root else ""
        service = _Service(store, sink, reader, settings, patience, public_root)
        edge = Edge(is_writable=sink is not None, cors_origins=cors_origins.get(path, ()))
        found[path] = web.Application(middlewares=[edge.handle_errors])
        found[path].add_routes(service.routes())
        found[path].on_response_prepare.append(edge.add_headers)
    return found


class _Service:
    def __init__(
        self,
        store: ResourceStore,
        sink: ResourceSink | None,
        reader: Reader,
        settings: Settings,
        patience: Patience,
        public_root: str,
    ) -> None:
        self._store = store
        self._sink = sink
        self._reader = reader
        self._settings = settings
        self._patience = patience
        self._types = fhir_resources()
        self._public_root = public_root.rstrip("/")
        self._version = importlib.metadata.version("dicomveil")
        self._started = representation.instant(int(time.time() * 1000))

    def routes(self) -> list[web.RouteDef]:
        one = "/{type:[A-Z][A-Za-z]*}/{id}"
        return [
            web.get("/metadata", self._capabilities),
            web.get("/$export", self._export),
            web.post("/", self._execute),
            web.post("", self._execute),
            web.get("/{type:[A-Z][A-Za-z]*}", self._search),
            web.post("/{type:[A-Z][A-Za-z]*}/_search", self._posted_search),
            web.post("/{type:[A-Z][A-Za-z]*}", self._create),
            web.get(one, self._read),
            web.get("/{type:Patient}/{id}/$everything", self._everything),
            web.put(one, self._update),
            web.delete(one, self._delete),
            web.patch(one, self._patch),
            web.patch("/{type:[A-Z][A-Za-z]*}", self._conditional_patch),
            web.get(f"{one}/_history", self._history),
            web.get(f"{one}/_history/{{version}}", self._vread),
        ]

    # -- reading --

    async def _capabilities(self, request: web.Request) -> web.Response:
        statement = capability.statement(
            self._root(request),
            sorted(self._types),
            is_writable=self._sink is not None,
            date=self._started,
            version=self._version,
        )
        return json_response(request, 200, orjson.dumps(statement))

    async def _read(self, request: web.Request) -> web.Response:
        resource_type, resource_id = self._resource(request)
        version = await self._store.get(resource_type, resource_id)
        if version is None:
            raise NotFound("there is no such resource")
        return self._version_response(request, version)

    async def _vread(self, request: web.Request) -> web.Response:
        resource_type, resource_id = self._resource(request)
        number = request.match_info["version"]
        version = None
        if number.isascii() and number.isdigit() and len(number) < 16:
            version = await self._store.version(resource_type, resource_id, int(number))
        if version is None:
            raise NotFound("there is no such version")
        return self._version_response(request, version)

    def _version_response(self, request: web.Request, version: ResourceVersion) -> web.Response:
        if version.is_deleted:
            raise Gone("the resource was deleted")
        headers = version_headers(version)
        wanted = request.headers.get("If-None-Match", "")
        if wanted and headers["ETag"].removeprefix("W/") in wanted.replace("W/", "").split(", "):
            return web.Response(status=304, headers=headers)
        return json_response(request, 200, representation.resource(version), headers)

    async def _history(self, request: web.Request) -> web.Response:
        resource_type, resource_id = self._resource(request)
        query = request.query
        limit = searching.count(query.get("_count", ""), self._settings.max_results)
        before = number(query.get("_page", ""), "_page")
        found = await self._store.history(resource_type, resource_id, before, limit + 1)
        if not found and before is None:
            raise NotFound("there is no such resource")
        root = self._root(request)
        address = f"{root}/{resource_type}/{resource_id}"
        links = [("self", f"{address}/_history?_count={limit}")]
        found, has_more = fitting(found, limit)
        if has_more and found:
            last = found[-1].version
            links.append(("next", f"{address}/_history?_count={limit}&_page={last}"))
        entries = [history_entry(address, each) for each in found]
        return json_response(request, 200, representation.bundle("history", entries, links=links))

    async def _search(self, request: web.Request) -> web.Response:
        return await self._searched(request, request.query.items())

    async def _posted_search(self, request: web.Request) -> web.Response:
        form = await read_form(request, self._patience)
        return await self._searched(request, [*request.query.items(), *form])

    async def _searched(
        self, request: web.Request, pairs: Collection[tuple[str, str]]
    ) -> web.Response:
        search = searching.parse(self._type(request), pairs, max_results=self._settings.max_results)
        return json_response(request, 200, await self.searchset(search, self._root(request)))

    async def searchset(self, search: Search, root: str) -> bytes:
        """Return the Bundle that answers a search."""
        found: list[ResourceVersion] = []
        links = [("self", search.address(root))]
        if search.wants_resources:
            found = await self._store.search(search.one_more)
            found, has_more = fitting(found, search.query.limit)
            if has_more:
                links.append(("next", search.address(root, found[-1])))
        total = await self._store.count(search.query) if search.wants_total else None
        entries = [
            representation.entry(
                f"{root}/{each.type}/{each.id}",
                representation.resource(each),
                search={"mode": "match"},
            )
            for each in found
        ]
        return representation.bundle("searchset", entries, total=total, links=links)

    async def _everything(self, request: web.Request) -> web.Response:
        _patient, patient_id = self._resource(request)
        body = await everything(
            self._store,
            patient_id,
            [*request.query.items()],
            max_results=self._settings.max_results,
            types=self._types,
            root=self._root(request),
        )
        return json_response(request, 200, body)

    async def _export(self, request: web.Request) -> web.StreamResponse:
        """Send every resource, a line each. What is stored meanwhile may or may not be among them."""
        prefer = ",".join(request.headers.getall("Prefer", ()))
        wanted = exporting.parse(request.query.items(), prefer, self._types)
        response = web.StreamResponse(headers={"Content-Type": NDJSON})
        await response.prepare(request)
        after = 0
        while page := await self._store.page(
            after, _EXPORT_PAGE, wanted.types, since_ms=wanted.since_ms
        ):
            await response.write(b"".join(representation.resource(each) + b"\n" for each in page))
            after = page[-1].number
        await response.write_eof()
        return response

    # -- writing --

    async def _create(self, request: web.Request) -> web.Response:
        sink, resource_type = self._writable(), self._type(request)
        document = await self._read_body(request)
        resource = single(document, resource_type)
        condition = request.headers.get("If-None-Exist", "")
        change = Change(
            Wish.CREATE,
            resource_type,
            new_id(),
            resource,
            if_none_exist=condition_of(resource_type, condition) if condition else None,
        )
        (changed,) = await sink.change([change])
        return self._changed_response(request, changed)

    async def _update(self, request: web.Request) -> web.Response:
        sink = self._writable()
        resource_type, resource_id = self._resource(request)
        document = await self._read_body(request)
        resource = single(document, resource_type)
        if resource.id != resource_id:
            raise BadRequest("the resource's id is not that of the address")
        if_match = version_of(request.headers.get("If-Match", ""))
        if request.headers.get("If-None-Match", "").strip() == "*":
            if_match = -1
        change = Change(Wish.UPDATE, resource_type, resource_id, resource, if_match=if_match)
        (changed,) = await sink.change([change])
        return self._changed_response(request, changed)

    async def _delete(self, request: web.Request) -> web.Response:
        sink = self._writable()
        resource_type, resource_id = self._resource(request)
        if_match = version_of(request.headers.get("If-Match", ""))
        change = Change(Wish.DELETE, resource_type, resource_id, if_match=if_match)
        (changed,) = await sink.change([change])
        version = changed.version
        return web.Response(
            status=204, headers={} if version is None else {"ETag": representation.etag(version)}
        )

    async def _patch(self, request: web.Request) -> web.Response:
        resource_type, resource_id = self._resource(request)
        patching, patch, if_match = await self._asked_patch(request)
        changed = await patching.patch(resource_type, resource_id, patch, if_match=if_match)
        return self._changed_response(request, changed)

    async def _conditional_patch(self, request: web.Request) -> web.Response:
        query = searching.conditional(self._type(request), request.query.items())
        patching, patch, if_match = await self._asked_patch(request)
        changed = await patching.patch_found(query, patch, if_match=if_match)
        return self._changed_response(request, changed)

    async def _asked_patch(self, request: web.Request) -> tuple[Patching, bytes, int]:
        patching = Patching(self._store, self._writable(), self._reader)
        if_match = version_of(request.headers.get("If-Match", ""))
        most = self._settings.max_body_bytes
        return patching, await read_body(request, most, self._patience, PATCH_TYPES), if_match

    async def _execute(self, request: web.Request) -> web.StreamResponse:
        sink = self._writable()
        executing = Executing(
            self._store,
            sink,
            self._reader,
            is_type=self._types.__contains__,
            answer=self.answer_of,
            root=self._root(request),
        )
        most = self._settings.max_body_bytes
        async with held_body(request, most, self._patience, self._reader.place) as held:
            if isinstance(held, Path):
                large = await self._reader.read_large(held)
                self._refuse_unasked(large.summary, large.summary.total)
                if large.summary.bundle_type == "batch":
                    await asyncio.to_thread(held.unlink)  # all of it is in pieces
                    return await answer_in_pieces(request, executing, large)
                note_held(request, self._refuse_long(held))
                body = await asyncio.to_thread(held.read_bytes)
            else:
                body = held
            document = await self._reader.read(body)
            self._refuse_unasked(document, len(document.entries))
            entries = await executing.execute(body, document)
        kind = f"{document.bundle_type}-response"
        return json_response(request, 200, representation.bundle(kind, entries))

    def _refuse_unasked(self, document: ReadDocument, entries: int) -> None:
        """Refuse what cannot be read, asks for nothing, or asks for too much."""
        refuse_wrong_type(readable(document).bundle_type)
        if entries > self._settings.max_entries:
            raise Unprocessable(f"a Bundle has more than {self._settings.max_entries} entries")

    def _refuse_long(self, transaction: Path) -> int:
        """Return how long one is, if it is not too long."""
        size, most = transaction.stat().st_size, self._settings.max_transaction_bytes
        if size > most:
            raise PayloadTooLarge(f"a transaction is taken up to {most} bytes: send a batch")
        return size

    async def answer_of(self, url: str, root: str) -> tuple[bytes, str]:
        """Return what an entry of a Bundle asks to read, and its version's tag, if it is one resource's."""
        path, _mark, query = url.partition("?")
        resource_type, _slash, resource_id = path.strip("/").partition("/")
        if resource_type not in self._types:
            raise NotFound("an entry reads what there is not")
        if resource_id:
            version = await self._store.get(resource_type, resource_id)
            if version is None:
                raise NotFound("there is no such resource")
            if version.is_deleted:
                raise Gone("the resource was deleted")
            return representation.resource(version), representation.etag(version)
        pairs = parse_qsl(query, keep_blank_values=True)
        limit = self._settings.max_results
        search = searching.parse(resource_type, pairs, max_results=limit)
        return await self.searchset(search, root), ""

    def _changed_response(self, request: web.Request, changed: Changed) -> web.Response:
        version = changed.version
        assert version is not None
        location = f"{self._root(request)}/{version.type}/{version.id}/_history/{version.version}"
        headers = {**version_headers(version), "Location": location}
        status = 201 if changed.is_new else 200
        prefer = request.headers.get("Prefer", "").replace(" ", "")
        if "return=minimal" in prefer:
            return web.Response(status=status, headers=headers)
        if "return=OperationOutcome" in prefer:
            said = representation.outcome("information", "informational", "stored")
            return json_response(request, status, orjson.dumps(said), headers)
        return json_response(request, status, representation.resource(version), headers)

    async def _read_body(self, request: web.Request) -> ReadDocument:
        body = await read_body(request, self._settings.max_body_bytes, self._patience)
        return readable(await self._reader.read(body))

    def _writable(self) -> ResourceSink:
        if self._sink is None:
            raise NotAllowed("this store holds results only: send resources to the source store")
        return self._sink

    # -- the address --

    def _type(self, request: web.Request) -> str:
        resource_type = request.match_info["type"]
        if resource_type not in self._types:
            raise NotFound("R4 has no such resource type")
        return resource_type

    def _resource(self, request: web.Request) -> tuple[str, str]:
        resource_type, resource_id = self._type(request), request.match_info["id"]
        if not ID.fullmatch(resource_id):
            raise NotFound("an id has up to 64 letters, digits, points and dashes")
        return resource_type, resource_id

    def _root(self, request: web.Request) -> str:
        """Return the address of this service, without a slash at its end."""
        if self._public_root:
            return self._public_root
        mounted = request.match_info.route.resource
        canonical = "" if mounted is None else mounted.canonical
        path = canonical.partition("/{")[0].rstrip("/")
        path = path.removesuffix("/metadata").removesuffix("/$export")
        return f"{request.scheme}://{request.host}{path}"
