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
import os
import queue
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from daemon.errors import DaemonError, StoreUnavailable
from daemon.store.files.folders import sync_folder
from daemon.store.layout import FILE_MODE
from daemon.store.sqlite import copies, schema
from daemon.store.sqlite.connections import (
    BUSY_TIMEOUT_MS,
    connect,
    roll_back,
    translated,
    translating,
)
from daemon.store.sqlite.session import SqliteSession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from daemon.store.ports import Stage

T = TypeVar("T")

_GROUP_MOST: Final = 256
_READERS: Final = 2
_SAME_MS: Final = 250


@dataclass(slots=True, eq=False)
class _Piece:
    """One caller's work on its way through the writer."""

    apply: Callable[[SqliteSession], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    stage: Stage | None = None
    work: Any = None
    result: Any = None
    error: Exception | None = field(default=None)
    asked_at: float = field(default_factory=time.monotonic)


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


def create_or_migrate(path: Path) -> bool:
    """Make the file (0600, WAL) with the current schema, or bring it there, keeping a copy of an earlier one.

    Returns whether there was anything to do.

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
        is_old = not schema.is_current(connection)
        if is_old:
            copies.keep(path, connection)
            # Tables are dropped whole, and their rows go to others that the same keys point at.
            connection.execute("PRAGMA foreign_keys = OFF")
            # What a power cut takes of it is done again at the next start; the first commit that somebody
            # relies on waits for all that was written before it.
            connection.execute("PRAGMA synchronous = NORMAL")
            schema.migrate(connection)
    except sqlite3.Error as error:
        raise translated(error) from error
    else:
        return is_old
    finally:
        connection.close()


class SqliteDatabase:
    """The daemon's own door to the database. Opens (and migrates) the file at once.

    Implements `daemon.store.ports.Database`.

    Parameters
    ----------
    path
        The file; its folder exists.
    busy_timeout_ms
        How long to wait for another process that writes, before refusing. Counted for each caller from
        when he asked: what waits behind others that wait is not refused later than they.
    readers
        Threads that read.
    """

    def __init__(
        self, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS, readers: int = _READERS
    ) -> None:
        self.path = path
        create_or_migrate(path)
        self._writer_session = SqliteSession(connect(path, busy_timeout_ms=busy_timeout_ms))
        self._busy_timeout_ms = self._patience_ms = busy_timeout_ms
        self._pieces: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="database-read")
        self._reading = threading.local()
        self._read_sessions: list[SqliteSession] = []
        self._looking: SqliteSession | None = None
        self._after_commit: list[Callable[[SqliteSession], None]] = []
        self._closing = False
        # A process that ends without `close` is like a killed one: nothing promised is lost.
        self._writer = threading.Thread(
            target=self._write_until_closed, name="database-write", daemon=True
        )
        self._writer.start()

    def call_after_commit(self, function: Callable[[SqliteSession], None]) -> None:
        """Have `function` called in the writer's thread after each transaction (read-only, quick)."""
        self._after_commit.append(function)

    @property
    def is_closing(self) -> bool:
        """Whether nothing is accepted any more."""
        return self._closing

    async def write(self, apply: Callable[[SqliteSession], T]) -> T:
        """Run `apply` in the writer's thread inside a transaction; return its result once committed.

        If the caller is cancelled, the work is still done.

        Raises
        ------
        SpoolFull, StoreUnavailable
            If the disk or the database refused; then nothing of it was kept.
        """
        return cast("T", await self._submit(apply, None, None))

    async def write_all(
        self, applies: Sequence[Callable[[SqliteSession], T]]
    ) -> list[T | BaseException]:
        """Run several in one go, each on its own savepoint; return results and errors in order."""
        futures: list[asyncio.Future[T]] = [self._submit(apply, None, None) for apply in applies]
        return await asyncio.gather(*futures, return_exceptions=True)

    async def write_staged(
        self, stage: Stage, work: object, apply: Callable[[SqliteSession], T]
    ) -> T:
        """Like `write`, after the stage has prepared the work on the disk."""
        return cast("T", await self._submit(apply, stage, work))

    def _submit(
        self, apply: Callable[[SqliteSession], Any], stage: Stage | None, work: object
    ) -> asyncio.Future[Any]:
        if self._closing:
            raise StoreUnavailable("the database is closed")
        loop = asyncio.get_running_loop()
        piece = _Piece(apply, loop, loop.create_future(), stage, work)
        self._pieces.put(piece)
        return piece.future

    async def read(self, function: Callable[[SqliteSession], T]) -> T:
        """Run `function` on a read-only connection in a thread, seeing all that was committed before.

        All that it reads is of one moment, so that rows it finds in several steps belong together.

        Raises
        ------
        StoreUnavailable
            If the database refused.
        """
        if self._closing:
            raise StoreUnavailable("the database is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, function)

    def look_up(self, function: Callable[[SqliteSession], T]) -> T:
        """Run `function` on a read-only connection in the event loop's thread, seeing all that was committed.

        For one step: what it reads in another may be of a later moment.

        Raises
        ------
        StoreUnavailable
            If the database refused, or would have it wait.
        """
        if self._closing:
            raise StoreUnavailable("the database is closed")
        with translating():
            if self._looking is None:
                connection = connect(self.path, query_only=True, busy_timeout_ms=0)
                self._looking = SqliteSession(connection)
                self._read_sessions.append(self._looking)
            return function(self._looking)

    def _read(self, function: Callable[[SqliteSession], T]) -> T:
        with translating():
            session = self._read_session()
            session.connection.execute("BEGIN")
            try:
                return function(session)
            finally:
                if session.connection.in_transaction:
                    session.connection.execute("ROLLBACK")

    def _read_session(self) -> SqliteSession:
        session: SqliteSession | None = getattr(self._reading, "session", None)
        if session is None:
            session = self._reading.session = SqliteSession(connect(self.path, query_only=True))
            self._read_sessions.append(session)
        return session

    async def touch(self) -> None:
        """Write a page, so that a disk or a file that refuses writing is noticed."""
        await self.write(_touch)

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
        for session in self._read_sessions:
            session.connection.close()
        self._writer_session.connection.close()

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
        session = self._writer_session
        connection = session.connection
        oldest = min(piece.asked_at for piece in group)
        self._be_patient(self._busy_timeout_ms - int(1000 * (time.monotonic() - oldest)))
        self._prepare(session, group)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for piece in group:
                if piece.error is None:
                    _apply(session, piece)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, every caller must hear of it
            roll_back(connection)
            for piece in group:
                piece.error = piece.error or _known(error)
            self._be_patient(0)  # whoever holds the lock has had its time
        else:
            self._tell_committed(session)
        self._undo(session, group)

    def _be_patient(self, timeout_ms: int) -> None:
        """Have the writer's connection wait so long for a lock; not said again for what is nearly the same."""
        timeout_ms = max(timeout_ms, 0)
        if abs(timeout_ms - self._patience_ms) > _SAME_MS or not timeout_ms:
            self._writer_session.connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")
            self._patience_ms = timeout_ms

    def _tell_committed(self, session: SqliteSession) -> None:
        for function in self._after_commit:
            # What was committed stays committed: a failing figure must not look like a failed
            # write.
            with suppress(sqlite3.Error):
                function(session)

    def _prepare(self, session: SqliteSession, group: list[_Piece]) -> None:
        for stage in {piece.stage for piece in group if piece.stage is not None}:
            pieces = [piece for piece in group if piece.stage is stage]
            try:
                failures = stage.prepare(session, [piece.work for piece in pieces])
            except Exception as error:  # noqa: BLE001 - as above
                roll_back(session.connection)
                failures = dict.fromkeys(range(len(pieces)), _known(error))
            for position, failure in failures.items():
                pieces[position].error = _known(failure)

    def _undo(self, session: SqliteSession, group: list[_Piece]) -> None:
        for stage in {piece.stage for piece in group if piece.stage is not None}:
            works = [
                piece.work for piece in group if piece.stage is stage and piece.error is not None
            ]
            if works:
                with suppress(
                    sqlite3.Error, OSError, DaemonError
                ):  # recovery at the next start finds the rest
                    stage.undo(session, works)

    def _resume(self, group: list[_Piece]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Piece]] = {}
        for piece in group:
            by_loop.setdefault(piece.loop, []).append(piece)
        for loop, pieces in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_deliver, pieces)


def _apply(session: SqliteSession, piece: _Piece) -> None:
    connection = session.connection
    connection.execute("SAVEPOINT piece")
    try:
        piece.result = piece.apply(session)
    except Exception as error:
        piece.error = _known(error)
        if not connection.in_transaction:
            raise  # SQLite gave up the whole transaction: nobody's work was kept
        connection.execute("ROLLBACK TO piece")
    connection.execute("RELEASE piece")


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


def _touch(session: SqliteSession) -> None:
    number = session.connection.execute("PRAGMA user_version").fetchone()[0]
    session.connection.execute(f"PRAGMA user_version = {int(number)}")
