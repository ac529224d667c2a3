"""Bodies of requests as they come, within limits of patience, and the fields of posted forms."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

FORM: Final = "application/x-www-form-urlencoded"


class Patience(Protocol):
    """How long a body may take."""

    @property
    def body_timeout_s(self) -> float:
        """How long it may stand still."""

    @property
    def min_bytes_per_s(self) -> float:
        """What it must gain, on the average over `body_timeout_s` of waiting for it."""


class FormUnusable(Exception):
    """What was posted as a form is too much, or none; its text says which."""


async def chunks(request: web.Request, patience: Patience) -> AsyncIterator[bytes]:
    """Yield a body as it comes; raises `TimeoutError` where it stands still or is too slow."""
    clock = asyncio.get_running_loop().time
    least = patience.min_bytes_per_s * patience.body_timeout_s
    gained, waited_s = 0, 0.0
    while True:
        began = clock()
        async with asyncio.timeout(patience.body_timeout_s):
            chunk = await request.content.readany()
        if not chunk:
            return
        waited_s += clock() - began
        gained += len(chunk)
        if gained >= least:
            gained, waited_s = 0, 0.0
        elif waited_s > patience.body_timeout_s:
            raise TimeoutError
        yield chunk


async def form_fields(
    request: web.Request, patience: Patience, *, most_bytes: int, most_fields: int
) -> list[tuple[str, str]]:
    """Return the fields of a posted form, in their order.

    Parameters
    ----------
    most_fields
        What is made of a few bytes each takes seconds for a megabyte, here and by whoever goes through them.

    Raises
    ------
    FormUnusable, TimeoutError
    """
    body = bytearray()
    async for chunk in chunks(request, patience):
        body += chunk
        if len(body) > most_bytes:
            raise FormUnusable(f"a form has at most {most_bytes} bytes")
    if body.count(b"&") >= most_fields:
        raise FormUnusable(f"a form has at most {most_fields} fields")
    try:
        return await asyncio.to_thread(_fields, body)
    except UnicodeDecodeError:
        raise FormUnusable("the form is not percent-encoded") from None


def _fields(body: bytearray) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("ascii"), keep_blank_values=True)
