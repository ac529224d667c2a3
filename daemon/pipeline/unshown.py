"""What was acknowledged and is neither shown in the source nor settled yet, in the order of acknowledgement.

In memory: rows say the same, but whoever reads the source asks each time, and nearly always there is none.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Unshown:
    """Receipts by id, each with a number that tells the order. For one event loop."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._newest = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, receipt_id: str) -> None:
        """Note one more, acknowledged after all others."""
        self._newest += 1
        self._numbers[receipt_id] = self._newest

    def discard(self, receipt_ids: Iterable[str]) -> None:
        """Forget receipts, and let go on who waits for nothing older."""
        for receipt_id in receipt_ids:
            self._numbers.pop(receipt_id, None)
        oldest = next(iter(self._numbers.values()), self._newest + 1)
        while self._waiting and self._waiting[0][0] < oldest:
            _number, waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def oldest(self, limit: int) -> list[str]:
        """Return the ids of the first so many."""
        return list(islice(self._numbers, limit))

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits."""
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        return bool(self._waiting)

    async def none_of_now(self) -> None:
        """Return when nothing is left of what is here now; what comes later is not waited for."""
        if self._numbers:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((self._newest, waiter))
            await waiter
