"""Looking for damage in the database's file, and setting a damaged one aside."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from daemon.errors import DatabaseDamaged
from daemon.store.files.folders import sync_folder
from daemon.store.sqlite.connections import connect, translated

if TYPE_CHECKING:
    from pathlib import Path

_MOST_PROBLEMS: Final = 100
_TOLD: Final = 5
_QUICK_S: Final = 20.0
"""How long a start may be held up by looking; what is wrong later shows in reading or by ``fsck``."""
_STEPS_BETWEEN_LOOKS: Final = 100_000
_WITH_IT: Final = ("-wal", "-shm")


def problems(path: Path, *, thorough: bool) -> list[str]:
    """Return what SQLite's own check says of the file: names of tables and numbers of pages and rows.

    Parameters
    ----------
    thorough
        ``integrity_check``, which also compares indexes with tables, instead of ``quick_check``.
    """
    deadline = time.monotonic() + _QUICK_S
    try:
        with closing(connect(path, query_only=True)) as connection:
            if not thorough:
                connection.set_progress_handler(
                    lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS
                )
            check = "integrity_check" if thorough else "quick_check"
            found = [
                str(row[0]).splitlines()[0]
                for row in connection.execute(f"PRAGMA {check}({_MOST_PROBLEMS})")
                if row[0] != "ok"
            ]
            # A table whose rows cannot be counted is damaged, whatever the check says of its pages.
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except DatabaseDamaged:
        return ["the file is not a database, or its first page is damaged"]
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return []
        if isinstance(translated(error), DatabaseDamaged):
            return ["pages are damaged so that the check itself cannot go on"]
        raise translated(error) from error
    rest = len(found) - _TOLD
    return [*found[:_TOLD], f"and {rest} more"] if rest > 0 else found


def rebuild_indexes(path: Path) -> None:
    """Make every index anew from its table.

    Raises
    ------
    DatabaseDamaged
        If the tables cannot be read either.
    """
    try:
        with closing(connect(path)) as connection:
            connection.execute("REINDEX")
    except sqlite3.Error as error:
        raise translated(error) from error


def set_aside(path: Path) -> str:
    """Rename the file and what belongs to it, durably; return the new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in _WITH_IT:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    sync_folder(path.parent)
    return aside.name
