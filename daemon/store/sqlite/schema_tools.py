"""sqlite_utils without numpy.

Where numpy is installed, sqlite_utils loads it, for arrays that might be stored; no table of ours has any.
A command that only looks into the database loads nothing else that needs it, and is an eighth quicker without.
"""

from __future__ import annotations

from daemon.importing import without

with without("numpy"):
    from sqlite_utils import Database, Migrations

__all__ = ["Database", "Migrations"]
