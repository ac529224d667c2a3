"""sqlite_utils without numpy.

Where numpy is installed, sqlite_utils loads it, for arrays that might be stored; no table of ours has any.
A command that only looks into the database loads nothing else that needs it, and is an eighth quicker without.
"""

from __future__ import annotations

import sys

_numpy = sys.modules.get("numpy")
# As Python marks what cannot be imported.
sys.modules["numpy"] = None  # type: ignore[assignment]
try:
    from sqlite_utils import Database, Migrations
finally:
    del sys.modules["numpy"]
    if _numpy is not None:
        sys.modules["numpy"] = _numpy

__all__ = ["Database", "Migrations"]
