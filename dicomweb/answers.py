"""JSON answers: compressed for who takes that, and not sent again to who has them (RFC 9110 8.8, 12.5.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.payload import Payload

from dicomweb.conditional import (
    COMPRESSED_MIN_BYTES,
    entity_tag,
    gzip,
    gzipper,
    is_known,
    not_modified,
    takes_gzip,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter

VARY: Final = "Accept, Accept-Encoding"
_LONGEST_LOCATION: Final = 4096
_PIECE_BYTES: Final = 256 * 1024
_AT_ONCE_BYTES: Final = 64 * 1024
"""Shorter bodies are compressed in the loop: a thread would take longer."""


async def json_answer(
    request: web.Request, body: bytes, media_type: str, *, root: str, etag: str = ""
) -> web.Response:
    """Return a whole body, or 304.

    Parameters
    ----------
    etag
        Of the body where the caller knows it; else it is made from the body.
    """
    etag = etag or entity_tag((body,), is_weak=True)
    if is_known(request, etag):
        return not_modified(etag, vary=VARY)
    response = web.Response(headers=headers(request, media_type, root=root, etag=etag))
    if len(body) >= COMPRESSED_MIN_BYTES and takes_gzip(request):
        is_short = len(body) <= _AT_ONCE_BYTES
        body = gzip(body) if is_short else await asyncio.to_thread(gzip, body)
        response.headers["Content-Encoding"] = "gzip"
    response.body = _Pieces(body, media_type) if len(body) > 2 * _PIECE_BYTES else body
    return response


class _Pieces(Payload):
    """A long body that is handed over in pieces, each let go of then: a client may be slow to read it.

    Handed over whole it would be held twice, here and in the buffer of the connection.
    """

    def __init__(self, body: bytes, media_type: str) -> None:
        pieces = [body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES)]
        super().__init__(None, content_type=media_type)
        self._size = len(body)
        self._pieces = pieces[::-1]

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return what is not handed over yet, as text."""
        return b"".join(self._pieces[::-1]).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Hand over piece by piece, as the client reads."""
        while self._pieces:
            await writer.write(self._pieces.pop())


def headers(
    request: web.Request, media_type: str, *, root: str, etag: str = ""
) -> Mapping[str, str]:
    """Return what a JSON answer says of itself.

    Content-Location is the request's own address: the representation is chosen by headers alone. A long one is
    left out, as clients do not take long headers.
    """
    found = {"Content-Type": media_type, "Vary": VARY}
    address = location(request, root)
    if len(address) <= _LONGEST_LOCATION:
        found["Content-Location"] = address
    if etag:
        found["ETag"] = etag
    return found


def location(request: web.Request, root: str) -> str:
    """Return the address of the request as clients reach it."""
    start = root.find("/", root.find("//") + 2) if "//" in root else 0
    prefix = root[start:] if start >= 0 else ""
    target = request.rel_url.raw_path_qs
    _, _, rest = target.partition(prefix) if prefix else ("", "", target)
    return f"{root}{rest}" if rest else target


class JsonStream:
    """A body sent piece by piece, compressed where the client takes that.

    Use it after the head is decided and before it is sent: it says so there.
    """

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._response = response
        self._gzipper = gzipper() if takes_gzip(request) else None
        if self._gzipper is not None:
            response.headers["Content-Encoding"] = "gzip"

    async def write(self, data: bytes | bytearray) -> None:
        """Send a piece."""
        if self._gzipper is not None:
            data = await asyncio.to_thread(self._gzipper.compress, data)
        if data:
            await self._response.write(data)

    async def end(self) -> None:
        """Send what is left."""
        if self._gzipper is not None:
            await self._response.write(self._gzipper.flush())
        await self._response.write_eof()
