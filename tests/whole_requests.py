"""Requests whose bodies are here already, and whether anybody else was served while one was read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp import web

T = TypeVar("T")


def posted(body: bytes, media_type: str) -> web.Request:
    """Return a request that nothing of is still to come."""
    content = StreamReader(BaseProtocol(asyncio.get_running_loop()), len(body) + 1)
    content.feed_data(body)
    content.feed_eof()
    return make_mocked_request("POST", "/", headers={"Content-Type": media_type}, payload=content)


async def lets_others_run(reading: Awaitable[T]) -> tuple[T, bool]:
    """Return what is awaited, and whether the loop was left for something else meanwhile."""
    others = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(others.set_result, None)
    found = await reading
    return found, others.done()
