"""How a job says what it is about to look at: its time limit follows that, not the compressed bytes."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _to_nobody(_pixels: int, _size: int) -> None:
    """Do nothing: this is no worker process."""


#: Set by the process that runs the job, for that job.
announcing: ContextVar[Callable[[int, int], None]] = ContextVar("announcing", default=_to_nobody)


def announce(pixels: int, size: int = 0) -> None:
    """Say that so many pixels are looked at next, or so many bytes of unpacked text."""
    announcing.get()(pixels, size)
