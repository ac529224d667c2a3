"""Request bodies: whole, within limits of size and patience; large ones in files."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from daemon.fhir.errors import (
    BadRequest,
    NotAcceptable,
    PayloadTooLarge,
    Unavailable,
    UnsupportedMedia,
)
from daemon.web.bodies import FORM, HELD, FormUnusable, NoRoom, chunks, form_fields
from deid.fhir.pieces import SMALL
from dicomweb.media import parse_accept, parse_content_type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from pathlib import Path

    from aiohttp import web

    from dicomweb.patience import Patience

FHIR_JSON: Final = "application/fhir+json"
NDJSON: Final = "application/fhir+ndjson"
_JSON: Final = frozenset({FHIR_JSON, "application/json", "text/json", "json"})
_MOST_FORM_BYTES: Final = 65536
_MOST_FORM_FIELDS: Final = 1000


async def read_body(
    request: web.Request,
    max_bytes: int,
    patience: Patience,
    media_types: Collection[str] = _JSON,
) -> bytes:
    """Return a body.

    Only the time counts in which we waited for the client.

    Raises
    ------
    Unavailable
        When too much of others is in memory.
    PayloadTooLarge, UnsupportedMedia, BadRequest, TimeoutError
    """
    body = bytearray()
    async for chunk in _whole(request, max_bytes, patience, media_types):
        body += chunk
        note_held(request, len(body))
    return bytes(body)


def note_held(request: web.Request, size: int) -> None:
    """Note how much of a body is in memory until its request is answered; raises `Unavailable`."""
    try:
        HELD.note(request, size)
    except NoRoom:
        raise Unavailable("too many large bodies at the same time; send it again later") from None


@asynccontextmanager
async def held_body(
    request: web.Request, max_bytes: int, patience: Patience, place: Callable[[], Path]
) -> AsyncIterator[bytes | Path]:
    """Return a body, or a file that holds one of more than 8 MiB; it is removed in the end.

    Raises
    ------
    Unavailable
        When the disk refuses, or too much of others is in memory.
    PayloadTooLarge, UnsupportedMedia, BadRequest, TimeoutError
    """
    body = bytearray()
    path: Path | None = None
    try:
        async for chunk in _whole(request, max_bytes, patience):
            body += chunk
            note_held(request, len(body))
            if len(body) > SMALL:
                path = path or place()
                await asyncio.to_thread(_append, path, body)
                body.clear()
        if path is not None:
            await asyncio.to_thread(_append, path, body)
            note_held(request, 0)
        yield bytes(body) if path is None else path
    finally:
        HELD.let_go(request)
        if path is not None:
            await asyncio.to_thread(path.unlink, missing_ok=True)


async def read_form(request: web.Request, patience: Patience) -> list[tuple[str, str]]:
    """Return the parameters of a search that was posted, in their order.

    Raises
    ------
    BadRequest, TimeoutError
    """
    if request.content_type != FORM:
        raise BadRequest("the parameters of a search are posted as a form")
    try:
        return await form_fields(
            request, patience, most_bytes=_MOST_FORM_BYTES, most_fields=_MOST_FORM_FIELDS
        )
    except FormUnusable as error:
        raise BadRequest(str(error)) from None


def _append(path: Path, data: bytearray) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise Unavailable("no room now; send it again later") from error


async def _whole(
    request: web.Request,
    max_bytes: int,
    patience: Patience,
    media_types: Collection[str] = _JSON,
) -> AsyncIterator[bytes]:
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise UnsupportedMedia("Content-Encoding is not supported: send the body as it is")
    media_type, parameters = parse_content_type(request.headers.get("Content-Type", ""))
    if media_type not in media_types:
        raise UnsupportedMedia(f"the body is taken as {' or '.join(sorted(media_types))}")
    if parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMedia("JSON is taken in UTF-8")
    if request.content_length is not None and request.content_length > max_bytes:
        raise PayloadTooLarge(f"the body is longer than {max_bytes} bytes")
    size = 0
    async for chunk in chunks(request, patience):
        size += len(chunk)
        if size > max_bytes:
            raise PayloadTooLarge(f"the body is longer than {max_bytes} bytes")
        yield chunk
    if not size:
        raise BadRequest("the body is empty")


def answered_type(request: web.Request) -> str:
    """Return the media type of the answer.

    Raises
    ------
    NotAcceptable
        When the client takes no JSON.
    """
    wanted = request.query.get("_format", "")
    if wanted:
        # A plus sign in a query string means a space; no media type has one.
        media_type = parse_content_type(wanted.replace(" ", "+"))[0]
        if media_type not in _JSON:
            raise NotAcceptable("only JSON is answered")
        return "application/json" if media_type == "application/json" else FHIR_JSON
    ranges = parse_accept(request.headers.getall("Accept", []))
    best, quality = "", 0.0
    for each in ranges:
        found = FHIR_JSON if each.media_type in {"*/*", "application/*"} else each.media_type
        if found in _JSON and each.quality > quality:
            best, quality = found, each.quality
    if ranges and not best:
        raise NotAcceptable("only JSON is answered")
    return best if best == "application/json" else FHIR_JSON
