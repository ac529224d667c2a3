"""What is done to its end though nobody waits for it any more, as when a client leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def to_its_end(doing: Coroutine[Any, Any, T]) -> T:
    """Return what is done; where who waits for it is cancelled, he ends when it does.

    For what has two halves, of which the first must not stay without the second.
    """
    task = asyncio.ensure_future(doing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody is left to be told
        raise
