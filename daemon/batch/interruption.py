"""Signals during a run: the first ends it in order, a second at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def signals_restored() -> Iterator[None]:
    """Leave signals as they were before."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread
            for number, handler in handlers.items():
                signal.signal(number, handler)


def leave(number: int, _frame: object) -> None:
    """End at once, on a second signal: what has a name is whole, the next run removes the rest."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")  # the cursor, which the progress bar hides
        sys.stderr.flush()
    os._exit(128 + number)
