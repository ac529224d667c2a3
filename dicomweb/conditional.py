"""Answers that a client has already, and bodies that it takes compressed (RFC 9110 8.8, 12.5.3, 13.1)."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final
from zlib import adler32, crc32

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterable

COMPRESSED_MIN_BYTES: Final = 1400
"""Shorter bodies go in one packet anyway."""
_LEVEL: Final = 2
_WHOLE_GZIP: Final = 16 + zlib.MAX_WBITS
_OPAQUE_TAG: Final = re.compile(r'"[^"]*"')
_TAG: Final = re.compile(r'(W/)?("[^"]*")')
_ZERO: Final = re.compile(r"0(?:\.0{0,3})?")


def entity_tag(parts: Iterable[bytes], *, is_weak: bool = False) -> str:
    """Return an entity tag of what a representation is made from; parts are told apart by their lengths.

    Two checksums, which cost a tenth of a digest: a tag tells what changed from what was, and nobody gains by
    making two answers of his own alike.
    """
    one, other, size = 0, 1, 0
    for part in parts:
        length = len(part).to_bytes(8, "little")
        one, other = crc32(part, crc32(length, one)), adler32(part, adler32(length, other))
        size += len(part)
    return f'{"W/" if is_weak else ""}"{one:08x}{other:08x}-{size:x}"'


def is_known(request: web.Request, etag: str) -> bool:
    """Whether the client has the representation of this tag (RFC 9110 13.1.2).

    Raises
    ------
    web.HTTPPreconditionFailed
        If the client wants that of another tag only: what it goes on with has changed (13.1.1).
    """
    wanted = ",".join(request.headers.getall("If-Match", []))
    # A weak tag is none of the same bytes.
    strong = [tag for weak, tag in _TAG.findall(wanted) if not weak]
    if wanted.strip() not in {"", "*"} and etag not in strong:
        raise web.HTTPPreconditionFailed(text="the representation is not that of If-Match")
    given = ",".join(request.headers.getall("If-None-Match", []))
    if given.strip() == "*":
        return True
    return etag.removeprefix("W/") in _OPAQUE_TAG.findall(given)


def not_modified(etag: str, *, vary: str = "") -> web.Response:
    """Return 304, which has no body."""
    response = web.Response(status=304, headers={"ETag": etag})
    if vary:
        response.headers["Vary"] = vary
    return response


def takes_gzip(request: web.Request) -> bool:
    """Whether the client accepts bodies in gzip (RFC 9110 12.5.3)."""
    found = anything = False
    for element in ",".join(request.headers.getall("Accept-Encoding", [])).split(","):
        coding, _, parameter = element.partition(";")
        name, _, weight = parameter.partition("=")
        is_wanted = not (name.strip().lower() == "q" and _ZERO.fullmatch(weight.strip()))
        match coding.strip().lower():
            case "gzip" | "x-gzip":
                return is_wanted
            case "*":
                found, anything = True, is_wanted
    return found and anything


def gzip(body: bytes) -> bytes:
    """Return a body in gzip; as fast as pays on a local network."""
    return zlib.compress(body, _LEVEL, _WHOLE_GZIP)


def gzipper() -> zlib._Compress:
    """Return what compresses a body piece by piece."""
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, _WHOLE_GZIP)
