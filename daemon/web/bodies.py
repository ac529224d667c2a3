"""Bodies of requests as they come, within limits of patience, and the fields of posted forms."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from dicomweb.patience import patiently

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from dicomweb.patience import Patience

FORM: Final = "application/x-www-form-urlencoded"


class FormUnusable(Exception):
    """What was posted as a form is too much, or none; its text says which."""


class NoRoom(Exception):
    """The bodies that are held in memory now leave no room for more."""


MOST_HELD_BYTES: Final = 256 << 20
"""Of all large bodies together: each of some hundred connections may send one of 64 MiB, and slowly."""
FREE_BYTES: Final = 1 << 20
"""Of each body that do not count."""


class Held:
    """How much of large bodies is in memory now, of all requests that are being answered."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._total = 0

    def note(self, request: web.BaseRequest, size: int) -> None:
        """Note how much of a request's body is held; raises `NoRoom`, and then nothing has changed."""
        before, counted = self._sizes.get(id(request), 0), max(0, size - FREE_BYTES)
        total = self._total - before + counted
        if counted > before and total > MOST_HELD_BYTES:
            raise NoRoom
        self._sizes[id(request)], self._total = counted, total

    def let_go(self, request: web.BaseRequest) -> None:
        """Note that a request is answered."""
        self._total -= self._sizes.pop(id(request), 0)


HELD: Final = Held()
"""Of this process."""


def chunks(request: web.Request, patience: Patience) -> AsyncIterator[bytes]:
    """Yield a body as it comes; raises `TimeoutError` where it stands still or is too slow."""
    return patiently(request.content.readany, patience)


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
