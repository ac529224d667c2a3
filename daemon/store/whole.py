"""What is done to its end though nobody waits for it any more, as when a client leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from daemon.observe import unheard

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def to_its_end(doing: Coroutine[Any, Any, T]) -> T:
    """Return what is done; where who waits for it is cancelled, he ends when it does.

    For what has two halves, of which the first must not stay without the second. Where it fails then, the log
    is told: a row may be without its copy.
    """
    task = asyncio.ensure_future(doing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        if error is not None:
            unheard.tell(error)
        raise
