"""structlog without rich.

Where rich is installed, structlog draws tracebacks with it, local variables included, which hold what must not
be said; no log of ours shows one. And importing rich takes longer than all the rest of structlog.
"""

from __future__ import annotations

import sys

_rich = sys.modules.get("rich")
# As Python marks what cannot be imported.
sys.modules["rich"] = None  # type: ignore[assignment]
try:
    import structlog
finally:
    del sys.modules["rich"]
    if _rich is not None:
        sys.modules["rich"] = _rich

__all__ = ["structlog"]
