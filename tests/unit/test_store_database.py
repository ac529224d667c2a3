"""The writer's thread: grouping, savepoints, refusals."""

from __future__ import annotations

import asyncio
import stat
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from daemon.errors import RowRefused, SchemaTooNew, SpoolFull, StoreUnavailable
from daemon.store.sqlite.connections import connect
from daemon.store.sqlite.database import SqliteDatabase, connect_current, create_or_migrate
from tests.store_samples import raw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from daemon.store.ports import Session
    from daemon.store.sqlite.session import SqliteSession


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dicomveil.sqlite"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(path, busy_timeout_ms=50)
    await opened.write(
        lambda session: session.connection.execute("CREATE TABLE t (n INTEGER CHECK (n < 100))")
    )
    yield opened
    await opened.close()


def insert(number: int) -> Callable[[SqliteSession], int]:
    def apply(session: SqliteSession) -> int:
        session.connection.execute("INSERT INTO t VALUES (?)", (number,))
        return number

    return apply


async def numbers(database: SqliteDatabase) -> list[int]:
    return await database.read(
        lambda session: [row[0] for row in session.connection.execute("SELECT n FROM t ORDER BY n")]
    )


async def test_what_was_written_can_be_read(database: SqliteDatabase) -> None:
    assert await database.write(insert(1)) == 1
    assert await numbers(database) == [1]


async def test_waiting_work_shares_transactions(database: SqliteDatabase) -> None:
    commits = 0

    def count(_: SqliteSession) -> None:
        nonlocal commits
        commits += 1

    database.call_after_commit(count)
    await asyncio.gather(*(database.write(insert(number)) for number in range(90)))
    assert len(await numbers(database)) == 90
    assert commits < 90


async def test_what_waited_behind_others_waits_so_much_less_for_a_lock(path: Path) -> None:
    database = SqliteDatabase(path, busy_timeout_ms=60_000)
    begun, held = threading.Event(), threading.Event()

    def hold(_: Session) -> None:
        begun.set()
        held.wait(30)

    def patience(session: Session) -> int:
        timeout_ms: int = raw(session).execute("PRAGMA busy_timeout").fetchone()[0]
        return timeout_ms

    holding = asyncio.create_task(database.write(hold))
    await asyncio.to_thread(begun.wait, 30)
    waiting = asyncio.create_task(database.write(patience))
    await asyncio.sleep(0.6)  # at least: what it has waited when its turn comes
    held.set()
    await holding
    assert await waiting <= 59_400
    began = time.monotonic()
    told = await database.write(patience)
    # What this one has waited for its turn, if the machine is slow, is all that it lacks.
    assert told >= 60_000 - 1000 * (time.monotonic() - began)
    await database.close()


async def test_nobody_waits_for_a_lock_to_take_back_what_failed_for_it(path: Path) -> None:
    database = SqliteDatabase(path, busy_timeout_ms=50)
    left = []

    class Taking:
        def prepare(self, *_: object) -> Mapping[int, Exception]:
            return {}

        def undo(self, session: Session, _: Sequence[object]) -> None:
            left.append(raw(session).execute("PRAGMA busy_timeout").fetchone()[0])

    with closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await database.write_staged(Taking(), None, lambda _: None)
    assert left == [0]
    await database.close()


async def test_work_that_fails_does_not_undo_its_neighbours(database: SqliteDatabase) -> None:
    results = await database.write_all([insert(1), insert(100), insert(2)])
    assert results[0] == 1
    assert isinstance(results[1], StoreUnavailable)
    assert results[2] == 2
    assert await numbers(database) == [1, 2]


async def test_work_that_fails_undoes_all_of_itself(database: SqliteDatabase) -> None:
    def apply(session: SqliteSession) -> None:
        insert(1)(session)
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(apply)
    assert await numbers(database) == []


async def test_a_full_disk_is_told_as_full(database: SqliteDatabase) -> None:
    def fill(session: SqliteSession) -> None:
        connection = session.connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.executemany("INSERT INTO t VALUES (?)", [(1,)] * 100_000)

    with pytest.raises(SpoolFull):
        await database.write(fill)
    assert await numbers(database) == []


async def test_a_database_locked_by_another_is_told_as_unavailable(
    database: SqliteDatabase, path: Path
) -> None:
    other = connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await database.write(insert(1))
    other.execute("ROLLBACK")
    other.close()
    assert await database.write(insert(2)) == 2
    assert await numbers(database) == [2]


async def test_another_process_can_write_while_the_daemon_runs(
    database: SqliteDatabase, path: Path
) -> None:
    other = connect_current(path)
    other.execute("INSERT INTO t VALUES (7)")
    other.close()
    assert await numbers(database) == [7]


async def test_what_is_read_in_several_steps_is_of_one_moment(database: SqliteDatabase) -> None:
    loop = asyncio.get_running_loop()
    await database.write(insert(1))

    def read(session: SqliteSession) -> list[int]:
        found = []
        for number in (2, 3):
            (count,) = session.connection.execute("SELECT count(*) FROM t").fetchone()
            found.append(count)
            asyncio.run_coroutine_threadsafe(database.write(insert(number)), loop).result()
        return found

    assert await database.read(read) == [1, 1]
    assert await numbers(database) == [1, 2, 3]


async def test_a_reader_that_fails_leaves_the_next_one_the_newest(database: SqliteDatabase) -> None:
    def fail(session: SqliteSession) -> None:
        session.connection.execute("SELECT n FROM t").fetchall()
        raise ValueError("of its own")

    for number in range(10):
        with pytest.raises(ValueError, match="of its own"):
            await database.read(fail)
        await database.write(insert(number))
        assert await numbers(database) == list(range(number + 1))


async def test_readers_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(StoreUnavailable):
        await database.read(insert(1))


async def test_a_cancelled_writer_has_written(database: SqliteDatabase) -> None:
    writing = asyncio.ensure_future(database.write(insert(1)))
    await asyncio.sleep(0)
    writing.cancel()
    await database.write(insert(2))
    assert await numbers(database) == [1, 2]


async def test_close_finishes_what_was_asked_for(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.write(lambda session: session.connection.execute("CREATE TABLE t (n INTEGER)"))
    writing = [asyncio.ensure_future(database.write(insert(number))) for number in range(50)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writing) == list(range(50))


async def test_after_close_it_refuses(database: SqliteDatabase) -> None:
    await database.close()
    with pytest.raises(StoreUnavailable):
        await database.write(insert(1))
    with pytest.raises(StoreUnavailable):
        await numbers(database)


class _Stage:
    """Prepares numbers; refuses 13; keeps what it was asked to undo."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.undone: list[int] = []

    def prepare(self, session: Session, works: Sequence[int]) -> Mapping[int, Exception]:
        assert not raw(session).in_transaction
        self.groups.append(list(works))
        return {position: OSError(28, "") for position, work in enumerate(works) if work == 13}

    def undo(self, session: Session, works: Sequence[int]) -> None:
        self.undone += works


async def test_a_stage_prepares_before_the_rows_and_undoes_what_got_none(
    database: SqliteDatabase,
) -> None:
    stage = _Stage()
    results = await asyncio.gather(
        *(database.write_staged(stage, number, insert(number)) for number in (1, 13, 100, 2)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [int, SpoolFull, RowRefused, int]
    assert sorted(stage.undone) == [13, 100]
    assert await numbers(database) == [1, 2]


async def test_a_stage_that_breaks_fails_its_whole_group_only(database: SqliteDatabase) -> None:
    class Broken(_Stage):
        def prepare(self, session: Session, works: Sequence[int]) -> Mapping[int, Exception]:
            raise OSError(5, "")

    stage = Broken()
    results = await asyncio.gather(
        database.write_staged(stage, 1, insert(1)),
        database.write(insert(2)),
        return_exceptions=True,
    )
    assert isinstance(results[0], StoreUnavailable)
    assert results[1] == 2
    assert stage.undone == [1]


def test_the_file_is_readable_by_its_owner_only(path: Path) -> None:
    create_or_migrate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_commit_is_flushed_to_a_write_ahead_log(path: Path) -> None:
    create_or_migrate(path)
    connection = connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    connection.close()


def test_migrating_twice_changes_nothing(path: Path) -> None:
    create_or_migrate(path)
    before = path.read_bytes()
    create_or_migrate(path)
    assert path.read_bytes() == before


def test_a_database_of_a_newer_program_is_refused(path: Path) -> None:
    create_or_migrate(path)
    connection = connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('dicomveil', 'from_the_future', '')"
    )
    connection.close()
    for opener in (create_or_migrate, connect_current, SqliteDatabase):
        with pytest.raises(SchemaTooNew, match="1 migration"):
            opener(path)


def test_a_database_that_is_not_there_is_not_made_by_the_command_line(path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        connect_current(path)
    assert not path.exists()


def test_what_is_not_a_database_is_refused(path: Path) -> None:
    path.write_bytes(b"this is not a database, only some text of the right kind of length" * 20)
    with pytest.raises(StoreUnavailable):
        create_or_migrate(path)
