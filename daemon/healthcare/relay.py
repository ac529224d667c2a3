"""The way from the API's addresses of stores to the DICOMweb and FHIR services that everybody uses.

``dicomStores/{s}/dicomWeb/...`` and ``fhirStores/{s}/fhir/...`` are answered by an application of the same
kind as ``/dicomweb/{store}`` and ``/fhir/{store}``. What Google's clients say beside is taken away first: the
API's global parameters, which no QIDO-RS or FHIR search knows, and ``Accept: application/json`` where no JSON
can be had.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import orjson
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from daemon.healthcare.calls import GLOBAL_PARAMETERS
from daemon.healthcare.errors import envelope
from daemon.healthcare.methods import PROJECT
from daemon.web.bodies import FORM, chunks

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from daemon.healthcare.methods import Meant
    from dicomweb.patience import Patience

_SERVICE: Final = re.compile(
    rf"(?P<dataset>projects/{PROJECT}/locations/[^/:]+/datasets/[^/:]+)"
    r"/(?P<kind>dicomStores|fhirStores)/(?P<store>[^/:]+)/(?P<service>dicomWeb|fhir)(?P<rest>/.*)?"
)
_SERVICES: Final = {"dicomStores": "dicomWeb", "fhirStores": "fhir"}
_RELAYED: Final = re.compile(
    r"projects\.locations\.datasets\."
    r"(?:dicomStores\.(?:.*\.)?(?:retrieve\w+|searchFor\w+|storeInstances)"
    r"|fhirStores\.fhir\.(?:Binary-\w+|bulk-export|capabilities|conditionalPatch|create|delete|executeBundle|history"
    r"|patch|Patient-everything|read|search|search-type|update|vread))"
)
"""Methods that the services answer; what they answer beside is no method of the API."""
_MOST_APPLICATIONS: Final = 256
_ORIGINAL: Final = "daemon.healthcare.relay"
_MOST_SEARCH_BYTES: Final = 65536


class Address(NamedTuple):
    """A store, as an address names it."""

    dataset: str
    kind: str
    store: str


class Services(Protocol):
    """Whoever makes the services of stores."""

    async def find(self, address: Address) -> Hashable:
        """Return what tells a store from any other, before it too; raises `NotFound`."""

    def application(self, store: Hashable) -> web.Application:
        """Return a service over a store that was found."""


class Relay:
    """Hands requests on."""

    def __init__(self, services: Services, patience: Patience) -> None:
        self._services = services
        self._patience = patience
        self._mounted: OrderedDict[Hashable, tuple[web.Application, web.Application]] = (
            OrderedDict()
        )

    async def answer(
        self,
        request: web.Request,
        verb: str,
        path: str,
        query: Sequence[tuple[str, str]],
        means: Meant | None,
    ) -> web.StreamResponse | None:
        """Return what the service of a store answers; None when the request is for none of them.

        Parameters
        ----------
        path
            From ``projects`` on.
        """
        named = _SERVICE.fullmatch(path)
        if named is None or _SERVICES[named["kind"]] != named["service"]:
            return None
        if means is not None and not _RELAYED.fullmatch(means.method.name):
            return None
        store = await self._services.find(Address(named["dataset"], named["kind"], named["store"]))
        rest = named["rest"] or ""
        whole = request.rel_url.raw_path.rstrip("/")
        prefix = whole[: len(whole) - len(rest)]
        mounted, service = self._application(prefix, store)
        kept = [pair for pair in query if pair[0] not in GLOBAL_PARAMETERS]
        if named["service"] == "fhir" and rest.endswith("/_search"):
            verb, rest, kept = await _search(request, verb, rest, kept, self._patience)
        address = URL(f"{prefix}{rest}", encoded=True).with_query(kept)
        cloned = request.clone(method=verb, rel_url=address, headers=_headers(request, named, rest))
        cloned[_ORIGINAL] = request
        # The one way to have a request answered as if it had come to another application.
        response = await mounted._handle(cloned)  # noqa: SLF001
        if not response.prepared:
            await service.on_response_prepare.send(cloned, response)
        return response if named["service"] == "fhir" else _enveloped(response)

    def _application(self, prefix: str, store: Hashable) -> tuple[web.Application, web.Application]:
        key = (prefix, store)
        if key in self._mounted:
            self._mounted.move_to_end(key)
            return self._mounted[key]
        service = self._services.application(store)
        mounted = web.Application()
        mounted.on_response_prepare.append(_prepare_as_asked)
        mounted.add_subapp(prefix, service)
        mounted.pre_freeze()
        mounted.freeze()
        self._mounted[key] = mounted, service
        if len(self._mounted) > _MOST_APPLICATIONS:
            self._mounted.popitem(last=False)
        return mounted, service


async def _prepare_as_asked(request: web.Request, response: web.StreamResponse) -> None:
    """Add to a streamed answer what the applications around the API add to every answer."""
    original: web.Request = request[_ORIGINAL]
    for app in original.match_info.apps:
        await app.on_response_prepare.send(original, response)


def _headers(request: web.Request, named: re.Match[str], rest: str) -> CIMultiDict[str]:
    """Return the headers that the service shall see."""
    headers = CIMultiDict(request.headers)
    headers.popall("X-HTTP-Method-Override", None)
    if named["service"] == "dicomWeb" and headers.get("Accept", "").strip() == "application/json":
        has_json = rest.rstrip("/").endswith(("/metadata", "/studies", "/series", "/instances"))
        if request.method != "POST" and not has_json:
            # Google's clients say so whatever they ask for.
            headers["Accept"] = "*/*"
    return headers


async def _search(
    request: web.Request,
    verb: str,
    rest: str,
    query: list[tuple[str, str]],
    patience: Patience,
) -> tuple[str, str, list[tuple[str, str]]]:
    """Turn a search that Google's clients post as JSON into one by address; others stay as they are."""
    if request.method != "POST" or request.content_type == FORM:
        return verb, rest, query
    body = bytearray()
    async for chunk in chunks(request, patience):
        body += chunk
        if len(body) > _MOST_SEARCH_BYTES:
            raise web.HTTPRequestEntityTooLarge(_MOST_SEARCH_BYTES, len(body))
    try:
        given = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(each, str) for each in given.values()):
        raise web.HTTPBadRequest(reason="a search is posted as a form, or as JSON of strings")
    query = query + list(given.items())
    types = [value for name, value in query if name == "resourceType"]
    query = [pair for pair in query if pair[0] != "resourceType"]
    path = rest.removesuffix("/_search")
    if not path:
        if not types:
            raise web.HTTPBadRequest(reason="resourceType says what is searched for")
        path = f"/{types[0]}"
    return "GET", path, query


def _enveloped(response: web.StreamResponse) -> web.StreamResponse:
    """Return a DICOMweb service's error as Google's is; an answer to STOW-RS says more, and stays."""
    if response.status < 400 or response.prepared or not isinstance(response, web.Response):
        return response
    try:
        said = orjson.loads(response.body if isinstance(response.body, bytes) else b"")
    except orjson.JSONDecodeError:
        return response
    if not isinstance(said, dict) or not isinstance(said.get("error"), str):
        return response
    found = envelope(response.status, said["error"])
    for name, value in response.headers.items():
        if name.lower() not in {"content-type", "content-length"}:
            found.headers[name] = value
    return found
