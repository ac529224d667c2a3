"""One SQLite file, one thread that writes, a few that read.

Every durable step of the daemon ends in a commit with ``synchronous=FULL``. A commit costs a disk
flush, so the writer takes all work that waits at that moment into one transaction, with a savepoint
for each piece: a piece that fails undoes itself and none of its neighbours. Whoever asked is
resumed after the commit that holds his work, never before.

Work may need the disk before its rows (renames before the row that announces them). It then names a
`Stage`, which is shown all its pieces of one transaction at once and can group their flushes.
"""

from __future__ import annotations

import asyncio
import errno
import os
import queue
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from daemon.errors import DaemonError, SpoolFull, StoreUnavailable
from daemon.store import schema
from daemon.store.files import FILE_MODE, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

_GROUP_MOST: Final = 256
_READERS: Final = 2
BUSY_TIMEOUT_MS: Final = 10_000
_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_CONNECTION_SETTINGS: Final = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -32768",  # KiB
    "PRAGMA temp_store = MEMORY",
    "PRAGMA journal_size_limit = 67108864",
)


class Stage(Protocol):
    """What has to happen on the disk around the rows of one kind of work."""

    def prepare(
        self, connection: sqlite3.Connection, works: Sequence[Any]
    ) -> Mapping[int, Exception]:
        """Do it for all works of a group, before their transaction.

        Returns the works that failed by their position; these get no row. No transaction is open.
        """

    def undo(self, connection: sqlite3.Connection, works: Sequence[Any]) -> None:
        """Take back what was prepared for works whose rows did not come to be."""


@dataclass(slots=True, eq=False)
class _Piece:
    """One caller's work on its way through the writer."""

    apply: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    stage: Stage | None = None
    work: Any = None
    result: Any = None
    error: Exception | None = field(default=None)


def translated(error: sqlite3.Error | OSError) -> DaemonError:
    """Return the daemon's error for a refusal by the database or the disk; without foreign text."""
    if isinstance(error, OSError):
        if error.errno in _FULL_ERRNOS:
            return SpoolFull("the disk is full")
        return StoreUnavailable(f"the disk refused: {errno.errorcode.get(error.errno or 0, '?')}")
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return SpoolFull("the disk of the database is full")
    return StoreUnavailable(f"the database refused: {getattr(error, 'sqlite_errorname', '?')}")


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


def connect_current(path: Path, *, query_only: bool = False) -> sqlite3.Connection:
    """Return a connection to a database whose schema is exactly the one of this program.

    Raises
    ------
    SchemaTooNew
        If a newer program has migrated it.
    StoreUnavailable
        As `connect`, and if the daemon of this version has not migrated it yet.
    """
    connection = connect(path, query_only=query_only)
    try:
        schema.refuse_newer(connection)
        if not schema.is_current(connection):
            raise StoreUnavailable("the database has an older schema; start the daemon once")
    except sqlite3.Error as error:
        connection.close()
        raise translated(error) from error
    except DaemonError:
        connection.close()
        raise
    return connection


def create_or_migrate(path: Path) -> None:
    """Make the file (0600, WAL) with the current schema, or bring it there.

    Raises
    ------
    SchemaTooNew
        If a newer program has migrated it; the file is left as it was.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE))
        sync_folder(path.parent)
    path.chmod(FILE_MODE)
    connection = connect(path)
    try:
        schema.refuse_newer(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        schema.migrate(connection)
    except sqlite3.Error as error:
        raise translated(error) from error
    finally:
        connection.close()


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
            _roll_back(connection)
            raise
    except sqlite3.Error as error:
        raise translated(error) from error


class Database:
    """The daemon's own door to the database. Opens (and migrates) the file at once.

    Parameters
    ----------
    path
        The file; its folder exists.
    busy_timeout_ms
        How long to wait for another process that writes, before refusing.
    """

    def __init__(self, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self.path = path
        create_or_migrate(path)
        self._writer_connection = connect(path, busy_timeout_ms=busy_timeout_ms)
        self._pieces: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="database-read")
        self._reading = threading.local()
        self._read_connections: list[sqlite3.Connection] = []
        self._after_commit: list[Callable[[sqlite3.Connection], None]] = []
        self._closing = False
        # A process that ends without `close` is like a killed one: nothing promised is lost.
        self._writer = threading.Thread(
            target=self._write_until_closed, name="database-write", daemon=True
        )
        self._writer.start()

    def call_after_commit(self, function: Callable[[sqlite3.Connection], None]) -> None:
        """Have `function` called in the writer's thread after each transaction (read-only, quick)."""
        self._after_commit.append(function)

    @property
    def is_closing(self) -> bool:
        """Whether nothing is accepted any more."""
        return self._closing

    async def write(self, apply: Callable[[sqlite3.Connection], T]) -> T:
        """Run `apply` in the writer's thread inside a transaction; return its result once committed.

        If the caller is cancelled, the work is still done.

        Raises
        ------
        SpoolFull, StoreUnavailable
            If the disk or the database refused; then nothing of it was kept.
        """
        return cast("T", await self._submit(apply, None, None))

    async def write_all(
        self, applies: Sequence[Callable[[sqlite3.Connection], T]]
    ) -> list[T | BaseException]:
        """Run several in one go, each on its own savepoint; return results and errors in order."""
        futures: list[asyncio.Future[T]] = [self._submit(apply, None, None) for apply in applies]
        return await asyncio.gather(*futures, return_exceptions=True)

    async def write_staged(
        self, stage: Stage, work: object, apply: Callable[[sqlite3.Connection], T]
    ) -> T:
        """Like `write`, after the stage has prepared the work on the disk."""
        return cast("T", await self._submit(apply, stage, work))

    def _submit(
        self, apply: Callable[[sqlite3.Connection], Any], stage: Stage | None, work: object
    ) -> asyncio.Future[Any]:
        if self._closing:
            raise StoreUnavailable("the database is closed")
        loop = asyncio.get_running_loop()
        piece = _Piece(apply, loop, loop.create_future(), stage, work)
        self._pieces.put(piece)
        return piece.future

    async def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function` on a read-only connection in a thread, seeing all that was committed.

        Raises
        ------
        StoreUnavailable
            If the database refused.
        """
        if self._closing:
            raise StoreUnavailable("the database is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, function)

    def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return function(self._read_connection())
        except sqlite3.Error as error:
            raise translated(error) from error

    def _read_connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._reading, "connection", None)
        if connection is None:
            connection = self._reading.connection = connect(self.path, query_only=True)
            self._read_connections.append(connection)
        return connection

    async def close(self) -> None:
        """Finish what was asked for, then let go of the file. May be called twice."""
        if self._closing:
            return
        self._closing = True
        self._pieces.put(None)
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        self._writer.join()
        self._readers.shutdown()
        for connection in self._read_connections:
            connection.close()
        self._writer_connection.close()

    def _write_until_closed(self) -> None:
        while (group := self._next_group()) is not None:
            self._write_group(group)
            self._resume(group)

    def _next_group(self) -> list[_Piece] | None:
        """Return everything that waits now (at least one piece), or None at the end."""
        first = self._pieces.get()
        if first is None:
            return None
        group = [first]
        while len(group) < _GROUP_MOST:
            try:
                piece = self._pieces.get_nowait()
            except queue.Empty:
                break
            if piece is None:
                self._pieces.put(None)
                break
            group.append(piece)
        return group

    def _write_group(self, group: list[_Piece]) -> None:
        connection = self._writer_connection
        self._prepare(connection, group)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for piece in group:
                if piece.error is None:
                    _apply(connection, piece)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, every caller must hear of it
            _roll_back(connection)
            for piece in group:
                piece.error = piece.error or _known(error)
        else:
            self._tell_committed(connection)
        self._undo(connection, group)

    def _tell_committed(self, connection: sqlite3.Connection) -> None:
        for function in self._after_commit:
            # What was committed stays committed: a failing figure must not look like a failed
            # write.
            with suppress(sqlite3.Error):
                function(connection)

    def _prepare(self, connection: sqlite3.Connection, group: list[_Piece]) -> None:
        for stage in {piece.stage for piece in group if piece.stage is not None}:
            pieces = [piece for piece in group if piece.stage is stage]
            try:
                failures = stage.prepare(connection, [piece.work for piece in pieces])
            except Exception as error:  # noqa: BLE001 - as above
                _roll_back(connection)
                failures = dict.fromkeys(range(len(pieces)), _known(error))
            for position, failure in failures.items():
                pieces[position].error = _known(failure)

    def _undo(self, connection: sqlite3.Connection, group: list[_Piece]) -> None:
        for stage in {piece.stage for piece in group if piece.stage is not None}:
            works = [
                piece.work for piece in group if piece.stage is stage and piece.error is not None
            ]
            if works:
                with suppress(sqlite3.Error, OSError):  # recovery at the next start finds the rest
                    stage.undo(connection, works)

    def _resume(self, group: list[_Piece]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Piece]] = {}
        for piece in group:
            by_loop.setdefault(piece.loop, []).append(piece)
        for loop, pieces in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_deliver, pieces)


def _apply(connection: sqlite3.Connection, piece: _Piece) -> None:
    connection.execute("SAVEPOINT piece")
    try:
        piece.result = piece.apply(connection)
    except Exception as error:
        piece.error = _known(error)
        if not connection.in_transaction:
            raise  # SQLite gave up the whole transaction: nobody's work was kept
        connection.execute("ROLLBACK TO piece")
    connection.execute("RELEASE piece")


def _roll_back(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _known(error: Exception) -> Exception:
    if isinstance(error, (sqlite3.Error, OSError)):
        known = translated(error)
        known.__cause__ = error
        return known
    return error


def _deliver(pieces: list[_Piece]) -> None:
    for piece in pieces:
        if piece.future.done():
            continue
        if piece.error is not None:
            piece.future.set_exception(piece.error)
        else:
            piece.future.set_result(piece.result)
