"""Of an instance that comes alone the disk begins to write before it is whole."""

from __future__ import annotations

import os
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from daemon.store.files.early_writing import EarlyWriting
from daemon.store.spool import FileSpool
from daemon.store.sqlite.database import SqliteDatabase
from tests.sections import make_spool_limits
from tests.store_samples import ORIGIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LARGE = 200 * 1024
SMALL = 100 * 1024


@asynccontextmanager
async def opened(folder: Path, asked: list[int]) -> AsyncIterator[FileSpool]:
    """Open a spool that notes how much of the file was there each time it asked."""
    database = SqliteDatabase(folder / "dicomveil.sqlite")
    early = EarlyWriting(lambda descriptor: asked.append(os.fstat(descriptor).st_size))
    spool = FileSpool(folder / "spool", database, make_spool_limits(min_free_bytes=0), early=early)
    await spool.start()
    try:
        yield spool
    finally:
        await database.close()
        spool.close()


async def test_a_lone_instance_is_written_while_it_comes(tmp_path: Path) -> None:
    asked: list[int] = []
    async with opened(tmp_path, asked) as spool:
        file = spool.open(ORIGIN)
        for _ in range(4):
            file.write(bytes(SMALL))
        spool._early.close()  # all that was asked for is done now
        file.abort()
    assert len(asked) == 2
    assert asked[0] >= LARGE
    assert asked[1] == 4 * SMALL


async def test_a_small_instance_is_left_to_its_flush(tmp_path: Path) -> None:
    asked: list[int] = []
    async with opened(tmp_path, asked) as spool:
        file = spool.open(ORIGIN)
        file.write(bytes(SMALL))
        await file.commit()
    assert asked == []


async def test_of_several_instances_each_is_left_to_its_flush(tmp_path: Path) -> None:
    asked: list[int] = []
    async with opened(tmp_path, asked) as spool:
        files = [spool.open(ORIGIN) for _ in range(2)]
        for file in files:
            file.write(bytes(LARGE))
        for file in files:
            await file.commit()
    assert asked == []


async def test_one_that_is_alone_for_a_moment_is_left_to_its_flush(tmp_path: Path) -> None:
    asked: list[int] = []
    async with opened(tmp_path, asked) as spool:
        for file in [spool.open(ORIGIN) for _ in range(2)]:
            file.abort()
        for number in range(1, 5):
            alone = spool.open(ORIGIN)
            alone.write(bytes(LARGE))
            spool._early.close()
            alone.abort()
            assert len(asked) == number // 4


def test_where_the_disk_does_not_keep_up_hints_are_forgotten() -> None:
    let_go = threading.Event()
    written = []

    def write(descriptor: int) -> None:
        let_go.wait()
        written.append(descriptor)

    early = EarlyWriting(write)
    for number in range(100):
        early.begin(number)
    let_go.set()
    early.close()
    assert written == list(range(len(written)))
    assert 8 <= len(written) <= 9


def test_what_is_no_file_any_more_does_no_harm(tmp_path: Path) -> None:
    early = EarlyWriting()
    reading, writing = os.pipe()
    early.begin(reading)
    os.close(writing)
    early.begin(writing)
    with (tmp_path / "file").open("wb") as file:
        file.write(b"bytes")
        file.flush()
        early.begin(file.fileno())
        early.close()
    os.close(reading)
    assert (tmp_path / "file").read_bytes() == b"bytes"


def test_what_was_never_asked_anything_ends_at_once() -> None:
    EarlyWriting().close()
