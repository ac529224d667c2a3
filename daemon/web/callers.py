"""Who may ask: requests that a web page of somebody else's sends from a browser on this network.

Without a check of the Host header a page whose name is made to point here (DNS rebinding) reads the
identified source as its own; without one of the Origin a page that merely knows our address has the
browser store what it likes. Neither can be done from outside a browser by somebody who could not connect
anyway, so this stands in for no authentication.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aiohttp.typedefs import Handler

_log = structlog.get_logger(__name__)

_TOLD: Final = {
    "host_foreign": "no name of this service; those that it is reached by stand in http.allowed_hosts",
    "origin_foreign": "its pages may not change anything here; those that may stand in http.cors_origins",
}
"""What a caller is told beside the refusal's name."""
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES: Final = frozenset(
    {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"}
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Callers:
    """Which names the service answers to, and which origins may change something.

    Attributes
    ----------
    hosts
        Names that requests may give beside loopback's and the address they came in at.
    public_root
        Address under which clients reach the service, or empty; its host is one of the names.
    origins
        By the path that a service is mounted at, the origins that may store into it. ``*`` lets read
        only.
    """

    hosts: Collection[str] = ()
    public_root: str = ""
    origins: Mapping[str, Collection[str]] = field(default_factory=dict)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer 421 to a foreign Host, 403 to a foreign Origin that would change something."""
        refusal = self._refusal(request)
        if refusal is None:
            return await handler(request)
        _log.warning("http_request_refused", reason=refusal)
        status = 421 if refusal == "host_foreign" else 403
        response = web.Response(status=status, text=f"{refusal}: {_TOLD[refusal]}\n")
        if request.can_read_body:
            response.force_close()
        return response

    def _refusal(self, request: web.Request) -> str | None:
        if not self._is_ours(request):
            return "host_foreign"
        if request.method in _READING or self._may_change(request):
            return None
        return "origin_foreign"

    def _is_ours(self, request: web.Request) -> bool:
        given = request.headers.getall("Host", [])
        # RFC 9112 3.2.2: a target in absolute form is what counts; a name must not come in by it.
        if not request.raw_path.startswith(("/", "*")):
            given = [*given, _split(request.raw_path)[1]]
        if not given:  # HTTP/1.0: no browser
            return request.version < (1, 1)
        return all(self._is_name_of_ours(host_of(each), request) for each in given)

    def _is_name_of_ours(self, host: str, request: web.Request) -> bool:
        if is_loopback_name(host) or host in {each.lower() for each in self.hosts}:
            return True
        if self.public_root and host == host_of(_split(self.public_root)[1]):
            return True
        # A page can point a name here, but not an address that is not this one.
        name = None if request.transport is None else request.transport.get_extra_info("sockname")
        address = _address(host)
        return bool(name) and address is not None and address == _address(str((name or [""])[0]))

    def _may_change(self, request: web.Request) -> bool:
        origins = request.headers.getall("Origin", [])
        site = request.headers.get("Sec-Fetch-Site", "none").lower()
        if not origins:
            return site in {"none", "same-origin"}
        if all(each in self._origins(request) for each in origins):
            return True
        return site != "cross-site" and all(self._is_own(each, request) for each in origins)

    def _origins(self, request: web.Request) -> Collection[str]:
        path = request.rel_url.raw_path
        for mounted, origins in self.origins.items():
            if path.startswith(f"{mounted}/"):
                return [each for each in origins if each != "*"]
        return ()

    def _is_own(self, origin: str, request: web.Request) -> bool:
        scheme, authority = _split(origin)
        if scheme not in _DEFAULT_PORTS:
            return False
        own = [request.headers.get("Host", ""), _split(self.public_root)[1]]
        return any(_place(each, scheme) == _place(authority, scheme) for each in own if each)


def host_of(authority: str) -> str:
    """Return the host of a Host header, in lower case, without port, brackets and final dot."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower().removesuffix(".")


@lru_cache(maxsize=64)
def is_loopback_name(host: str) -> bool:
    """Whether a host, as `host_of` gives it, can only mean the machine itself."""
    address = _address(host)
    return address.is_loopback if address is not None else host in _LOOPBACK_NAMES


def _split(address: str) -> tuple[str, str]:
    """Return scheme and authority; nothing of what is no address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def _place(authority: str, scheme: str) -> tuple[str, str]:
    port = authority.rpartition("]")[2].partition(":")[2]
    return host_of(authority), port or str(_DEFAULT_PORTS[scheme])


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
