"""Memory for answers under way: each may hold so much, all together so much."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Room:
    """Bytes that all answers together may hold.

    Parameters
    ----------
    size
        How many.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    @contextmanager
    def share(self, most: int) -> Iterator[Share]:
        """Let one answer hold at most so many bytes, until it has been sent."""
        share = Share(self, most)
        try:
            yield share
        finally:
            self._left += share.held

    def take(self, count: int) -> bool:
        """Hold so many bytes more, if there is room."""
        if count > self._left:
            return False
        self._left -= count
        return True


class Share:
    """What one answer holds."""

    def __init__(self, room: Room, most: int) -> None:
        self._room = room
        self._most = most
        self.held = 0
        self.is_full = False

    def take(self, count: int) -> bool:
        """Hold so many bytes more, if there is room; once there was none, nothing more."""
        if self.is_full or self.held + count > self._most or not self._room.take(count):
            self.is_full = True
            return False
        self.held += count
        return True
