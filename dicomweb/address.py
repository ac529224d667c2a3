"""Under which address this service is reached, for the addresses in its answers.

Both public client libraries want whole addresses of bulk data. Where nothing is configured, the Host header
tells them, as long as nobody seems to stand between: proxies rewrite it, and then only the path is safe.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp import web

_HOST: Final = re.compile(
    r"(?P<name>[0-9A-Za-z._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?P<port>:[0-9]{1,5})?"
)
_PROXIED: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")
_COLLECTION: Final = re.compile(r"/(?:studies|series|instances|wado)(?:/|$)")


def root_of(request: web.Request, public_root: str) -> str:
    """Return the address of the service without a slash at its end: whole, or from the server's root.

    Parameters
    ----------
    public_root
        As the operator configured it, or empty.
    """
    if public_root:
        return public_root
    mounted = request.match_info.route.resource
    prefix = "" if mounted is None else _mounted_at(mounted.canonical)
    path = prefix if request.rel_url.raw_path.startswith(prefix) else ""
    return f"{_origin(request)}{path}"


@lru_cache(maxsize=256)
def _mounted_at(pattern: str) -> str:
    """Return what the pattern of a route begins with before it names one of our resources."""
    match = _COLLECTION.search(pattern)
    return "" if match is None else pattern[: match.start()]


def base_of(request: web.Request, public_root: str) -> str:
    """Return the same of a request to any path, one that there is nothing at too."""
    path = request.rel_url.raw_path
    match = _COLLECTION.search(path)
    return (
        public_root or f"{_origin(request)}{path[: match.start()] if match else path.rstrip('/')}"
    )


def _origin(request: web.Request) -> str:
    """Return scheme, name and port that the client used, empty where that is not certain."""
    match = _HOST.fullmatch(request.headers.get("Host", ""))
    if match is None or any(name in request.headers for name in _PROXIED):
        return ""
    port = match["port"]
    if port is None:
        # Some clients leave the port out. Of a loopback name nobody else can be meant.
        if request.transport is None or not _is_loopback(match["name"]):
            return ""
        port = f":{request.transport.get_extra_info('sockname')[1]}"
    return f"{request.scheme}://{match['name']}{port}"


@lru_cache(maxsize=64)
def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
