"""How a job says that it is about to look at pixels: its time limit follows them, not the compressed bytes."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _to_nobody(_: int) -> None:
    """Do nothing: this is no worker process."""


#: Set by the process that runs the job, for that job.
announcing: ContextVar[Callable[[int], None]] = ContextVar("announcing", default=_to_nobody)


def announce(pixels: int) -> None:
    """Say that so many pixels are looked at next."""
    announcing.get()(pixels)
