"""structlog without rich.

Where rich is installed, structlog draws tracebacks with it, local variables included, which hold what must not
be said; no log of ours shows one. And importing rich takes longer than all the rest of structlog.
"""

from __future__ import annotations

from daemon.importing import without

with without("rich"):
    import structlog

__all__ = ["structlog"]
