"""What failed after whoever asked for it had left: nobody else is told."""

from __future__ import annotations

import structlog

_log = structlog.get_logger(__name__)


class Unheard:
    """Counts such failures since the process started."""

    failures = 0


def tell(error: BaseException) -> None:
    """Log and count a failure that nobody waits to be told of; its text may hold anything, and stays out."""
    Unheard.failures += 1
    _log.warning("unheard_failure", error=type(error).__name__)
