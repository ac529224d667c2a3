"""What was taken from folders whose files stay, so that a restart does not take it again.

A file is known by device, inode, size and modification time; its name is not kept. Losing the last
rows in a power cut means that some files are received again, which the pipeline recognises, so the
database need not wait for the disk. For the same reason one that is damaged is begun anew: it must not keep
the service from starting.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from daemon.receive.watch.settling import Signature

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = structlog.get_logger(__name__)
_PRIMARY = 0xFF
"""Of an extended result code, what the error is."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SCHEMA = """
create table if not exists taken (
    folder text not null,
    device integer not null,
    inode integer not null,
    size integer not null,
    mtime_ns integer not null,
    primary key (folder, device, inode, size, mtime_ns)
) without rowid
"""


class _Damaged(Exception):
    pass


class TakenRecord:
    """The signatures of files taken from one folder. May be used from several threads.

    Parameters
    ----------
    path
        The database, made with mode 0600 and shared by all watched folders; None for memory only.
    folder
        The watched folder as configured.
    """

    def __init__(self, path: Path | None, folder: Path) -> None:
        self._folder = str(folder)
        self._lock = threading.Lock()
        if path is not None:
            # SQLite gives its journal files the mode of the database.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            Path(path).chmod(0o600)
        try:
            self._database = _opened(path)
        except _Damaged:
            assert path is not None
            _log.error("watch_record_damaged", folder=self._folder)
            _set_aside(path)
            self._database = _opened(path)

    def __contains__(self, signature: object) -> bool:
        if not isinstance(signature, Signature):
            return False
        with self._lock:
            row = self._database.execute(
                "select 1 from taken where folder = ? and device = ? and inode = ?"
                " and size = ? and mtime_ns = ?",
                (self._folder, *_integers(signature)),
            ).fetchone()
        return row is not None

    def add(self, signature: Signature) -> None:
        """Remember a file that was made durable."""
        with self._lock:
            self._database.execute(
                "insert or ignore into taken values (?, ?, ?, ?, ?)",
                (self._folder, *_integers(signature)),
            )

    def count(self, device: int) -> int:
        """Return how many files of that device are remembered."""
        with self._lock:
            row = self._database.execute(
                "select count(*) from taken where folder = ? and device = ?",
                (self._folder, _signed(device)),
            ).fetchone()
        return int(row[0])

    def keep_only(self, present: Iterable[Signature], device: int) -> int:
        """Forget the files of that device that are not present any more; returns how many."""
        with self._lock:
            self._database.execute("begin")
            try:
                self._database.execute("create temp table present as select * from taken limit 0")
                self._database.executemany(
                    "insert into present values (?, ?, ?, ?, ?)",
                    ((self._folder, *_integers(signature)) for signature in present),
                )
                removed = self._database.execute(
                    "delete from taken where folder = ? and device = ?"
                    " and (inode, size, mtime_ns)"
                    " not in (select inode, size, mtime_ns from present)",
                    (self._folder, _signed(device)),
                ).rowcount
                self._database.execute("drop table present")
                self._database.execute("commit")
            except BaseException:
                self._database.execute("rollback")
                raise
        return removed

    def close(self) -> None:
        """Close the database. Safe to call twice."""
        with self._lock:
            self._database.close()


def _opened(path: Path | None) -> sqlite3.Connection:
    """Return a connection to a record that is sound."""
    database = sqlite3.connect(
        ":memory:" if path is None else path,
        check_same_thread=False,
        isolation_level=None,
        timeout=30,
    )
    try:
        _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection) -> None:
    try:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = normal")
        database.execute(_SCHEMA)
        (found,) = database.execute("pragma quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & _PRIMARY not in _DAMAGED:
            raise
        raise _Damaged from error
    if found != "ok":
        raise _Damaged


def _set_aside(path: Path) -> None:
    """Give a damaged record another name, in place of an earlier one; what belongs to it goes."""
    path.rename(f"{path}.damaged")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))


def _integers(signature: Signature) -> tuple[int, int, int, int]:
    return (
        _signed(signature.device),
        _signed(signature.inode),
        signature.size,
        _signed(signature.mtime_ns),
    )


def _signed(number: int) -> int:
    # SQLite's integers are signed; device and inode numbers may use all 64 bits.
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
