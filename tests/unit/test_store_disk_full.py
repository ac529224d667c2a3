"""A disk that refuses: the peer is told so, nothing is left behind, and the next one succeeds."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.records import Origin, Receiver, State
from daemon.store import queries
from daemon.store.stores import Stores
from tests.store_samples import ORIGIN, make_instance, raw, receive, work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from daemon.store.ports import Session

WATCHED = Origin(Receiver.WATCH, peer="/srv/inbox")


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state")
    yield opened
    await opened.close()


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Let the kernel refuse to make a file larger, as a full disk or a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # or halves of modules
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_none
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> Iterator[None]:
    """Let one call of the operating system fail."""

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(os, name, fail)
        yield


async def insert_filler(stores: Stores) -> None:
    for _ in range(100):
        await stores.database.write(
            lambda session: raw(session).execute("INSERT INTO filler VALUES (zeroblob(3900))")
        )


async def allow_no_new_pages(stores: Stores) -> None:
    def apply(session: Session) -> None:
        connection = raw(session)
        connection.execute("CREATE TABLE filler (data BLOB)")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    await stores.database.write(apply)
    with pytest.raises(SpoolFull):
        await insert_filler(stores)


async def allow_new_pages(stores: Stores) -> None:
    await stores.database.write(
        lambda session: raw(session).execute("PRAGMA max_page_count = 1000000")
    )


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def fill_until_refused(stores: Stores) -> None:
    for _ in range(1000):
        await receive(stores)
    pytest.fail("the database never became full")


async def test_a_file_that_cannot_grow_is_told_as_full(stores: Stores) -> None:
    file = stores.spool.open(ORIGIN)
    file.write(bytes(1000))
    with file_size_limit(1500), pytest.raises(SpoolFull):
        file.write(bytes(1000))
    file.abort()
    assert files_in(stores.layout.spool) == []
    await receive(stores)


async def test_a_full_database_is_told_as_full_and_leaves_no_file(stores: Stores) -> None:
    await allow_no_new_pages(stores)
    with pytest.raises(SpoolFull):
        await fill_until_refused(stores)
    waiting = await stores.receipts.due(1000, [])
    assert files_in(stores.layout.spool) == sorted(receipt.id for receipt in waiting)
    await allow_new_pages(stores)
    await receive(stores)


async def test_a_full_database_leaves_a_dropped_file_where_it_was(
    stores: Stores, tmp_path: Path
) -> None:
    await allow_no_new_pages(stores)
    with pytest.raises(SpoolFull):
        await fill_until_refused(stores)
    dropped = tmp_path / "dropped"
    dropped.write_bytes(b"bytes")
    before = files_in(stores.layout.spool)
    taken = 0

    async def take_until_refused() -> None:
        nonlocal taken
        while True:
            await stores.spool.adopt(dropped, WATCHED)
            taken += 1
            dropped.write_bytes(b"bytes")

    with pytest.raises(SpoolFull):
        await take_until_refused()
    assert dropped.read_bytes() == b"bytes"
    assert len(files_in(stores.layout.spool)) == len(before) + taken


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
async def test_a_flush_that_fails_is_no_success(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with failing(monkeypatch, call, OSError(5, "")), pytest.raises(StoreUnavailable):
        await receive(stores)
    assert files_in(stores.layout.spool) == []
    assert await stores.receipts.due(10, []) == []


async def test_a_flush_that_fails_puts_a_dropped_file_back(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dropped = tmp_path / "dropped"
    dropped.write_bytes(b"bytes")
    with failing(monkeypatch, "fsync", OSError(5, "")), pytest.raises(StoreUnavailable):
        await stores.spool.adopt(dropped, WATCHED)
    assert dropped.read_bytes() == b"bytes"


async def test_a_settlement_that_the_disk_refuses_can_be_repeated(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = await receive(stores)
    result = work(stores, receipt, make_instance())
    with failing(monkeypatch, "fsync", OSError(28, "")), pytest.raises(SpoolFull):
        await stores.receipts.settle([result])
    assert [due.id for due in await stores.receipts.due(10, [])] == [receipt.id]
    assert stores.receipts.job(receipt).source.exists()
    await stores.receipts.settle([result])
    shown = await stores.database.read(lambda session: queries.show(session, receipt.id))
    assert shown is not None
    assert shown.receipt.state is State.STORED
    assert stores.source.blobs.has(receipt.id)
