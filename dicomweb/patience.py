"""Bodies of requests as they come, from clients that may stand still, or send a byte now and then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Patience(Protocol):
    """How long a body may take."""

    @property
    def body_timeout_s(self) -> float:
        """How long it may stand still."""

    @property
    def min_bytes_per_s(self) -> float:
        """What it must gain, on the average over `body_timeout_s` of waiting for it."""


async def patiently(
    read: Callable[[], Awaitable[bytes]], patience: Patience
) -> AsyncIterator[bytes]:
    """Yield what is read until there is no more; raises `TimeoutError` where it stands still or is too slow.

    Only the time counts in which we waited for the client: what we ourselves take is not its fault.
    """
    clock = asyncio.get_running_loop().time
    least = patience.min_bytes_per_s * patience.body_timeout_s
    gained, waited_s = 0, 0.0
    while True:
        began = clock()
        async with asyncio.timeout(patience.body_timeout_s):
            chunk = await read()
        if not chunk:
            return
        waited_s += clock() - began
        gained += len(chunk)
        if gained >= least:
            gained, waited_s = 0, 0.0
        elif waited_s > patience.body_timeout_s:
            raise TimeoutError
        yield chunk
