"""Connections to the SQLite file, transactions on them, and what their refusals mean."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from daemon.errors import DatabaseDamaged, RowRefused, SpoolFull, StoreUnavailable
from daemon.store.files.folders import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.errors import DaemonError

BUSY_TIMEOUT_MS: Final = 10_000
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_NEVER: Final = frozenset(
    {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH}
)
_PRIMARY: Final = 0xFF
"""Of an extended result code, what the error is."""

_CONNECTION_SETTINGS: Final = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -32768",  # KiB
    "PRAGMA temp_store = MEMORY",
    "PRAGMA journal_size_limit = 67108864",
)


def translated(error: sqlite3.Error | OSError) -> DaemonError:
    """Return the daemon's error for a refusal by the database or the disk; without foreign text."""
    if isinstance(error, OSError):
        return refusal(error)
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return SpoolFull("the disk of the database is full")
    name = getattr(error, "sqlite_errorname", "?")
    if code is not None and code & _PRIMARY in _DAMAGED:
        return DatabaseDamaged(
            "the database is damaged; `dicomveil fsck` says how and what can be done", name
        )
    if code is not None and code & _PRIMARY in _NEVER:
        return RowRefused(f"the database refused: {name}", name)
    return StoreUnavailable(f"the database refused: {name}", name)


@contextmanager
def translating() -> Iterator[None]:
    """Raise the daemon's error for a refusal by the database."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error) from error


def connect(
    path: Path, *, query_only: bool = False, busy_timeout_ms: int = BUSY_TIMEOUT_MS
) -> sqlite3.Connection:
    """Return a connection to an existing database, for one thread at a time, without implicit transactions.

    Also the door for other processes (the command line) while the daemon runs.

    Raises
    ------
    StoreUnavailable
        If there is no such file, it is not a database, or it is locked for too long.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {int(busy_timeout_ms)}")
        for setting in _CONNECTION_SETTINGS:
            connection.execute(setting)
        if query_only:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise translated(error) from error
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what happens inside, durably, or roll all of it back.

    Raises
    ------
    SpoolFull, StoreUnavailable
        If the disk or the database refused.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise
    except sqlite3.Error as error:
        raise translated(error) from error


def roll_back(connection: sqlite3.Connection) -> None:
    """Leave the transaction, if there is one, without keeping anything of it."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
