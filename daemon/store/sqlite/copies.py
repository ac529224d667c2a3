"""A copy of the database as it was before a migration, until the next start: what to go back to.

It lies beside the database as ``dicomveil.sqlite.before-<n>``, where n is the number of migrations that it has
had. To go back, stop the service, put the copy in the place of the database, remove ``-wal`` and ``-shm`` from
there, and install the earlier version. What was received since is not in the copy.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from daemon.store.files.folders import sync_folder
from daemon.store.layout import FILE_MODE
from daemon.store.sqlite import schema

if TYPE_CHECKING:
    from pathlib import Path

_INFIX: Final = ".before-"
_PAGES_AT_ONCE: Final = 4096


def keep(path: Path, connection: sqlite3.Connection) -> None:
    """Copy a database that has had a migration, durably, before it has more; a new one needs none."""
    if not schema.applied(connection):
        return
    copy = path.with_name(f"{path.name}{_INFIX}{schema.applied(connection)}")
    partial = copy.with_name(f"{copy.name}.part")
    partial.unlink(missing_ok=True)
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(partial, flags, FILE_MODE)
    try:
        with closing(sqlite3.connect(partial)) as target:
            connection.backup(target, pages=_PAGES_AT_ONCE)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    partial.rename(copy)
    sync_folder(copy.parent)


def remove(path: Path) -> None:
    """Remove copies: the service has started with this schema a second time."""
    for copy in path.parent.glob(f"{path.name}{_INFIX}*"):
        copy.unlink()
