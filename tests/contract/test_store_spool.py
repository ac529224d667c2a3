"""What every `daemon.ports.Spool` does, whatever engine is under it."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from daemon.errors import CrossDevice, Refused, SpoolFull, StoreUnavailable
from daemon.records import Origin, Receiver, State
from daemon.store.stores import Stores
from tests.sections import make_spool_limits
from tests.store_samples import ORIGIN, receive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    from daemon.store.ports import Engine

WATCHED = Origin(Receiver.WATCH, peer="/srv/inbox")


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


@pytest.fixture
def dropped(tmp_path: Path) -> Path:
    path = tmp_path / "inbox" / "dropped.dcm"
    path.parent.mkdir()
    path.write_bytes(b"dropped bytes")
    return path


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def content(path: Path) -> bytes:
    return path.read_bytes()


def is_there(path: Path) -> bool:
    return path in files_in(path.parent)


async def test_a_committed_instance_is_there_with_its_bytes_and_origin(stores: Stores) -> None:
    file = stores.spool.open(ORIGIN)
    file.write(b"some ")
    file.write(bytearray(b"more "))
    file.write(memoryview(b"bytes"))
    receipt = await file.commit()
    (due,) = await stores.receipts.due(10, [])
    assert due == receipt
    assert (due.origin, due.size, due.state) == (ORIGIN, 15, State.RECEIVED)
    assert stores.receipts.job(due).source.read_bytes() == b"some more bytes"


async def test_ids_are_32_hex_digits_and_differ(stores: Stores) -> None:
    receipts = [await receive(stores) for _ in range(20)]
    assert len({receipt.id for receipt in receipts}) == 20
    assert all(len(receipt.id) == 32 and int(receipt.id, 16) >= 0 for receipt in receipts)


async def test_many_commit_at_once(stores: Stores) -> None:
    receipts = await asyncio.gather(*(receive(stores, b"%d" % n) for n in range(100)))
    found = await stores.receipts.due(200, [])
    assert {receipt.id for receipt in found} == {receipt.id for receipt in receipts}


async def test_an_aborted_instance_leaves_nothing(stores: Stores) -> None:
    file = stores.spool.open(ORIGIN)
    file.write(b"partial")
    file.abort()
    file.abort()
    assert files_in(stores.layout.spool) == []
    assert await stores.receipts.due(10, []) == []


async def test_abort_after_commit_does_nothing(stores: Stores) -> None:
    file = stores.spool.open(ORIGIN)
    file.write(b"whole")
    receipt = await file.commit()
    file.abort()
    assert stores.receipts.job(receipt).source.read_bytes() == b"whole"


async def test_a_second_commit_is_refused(stores: Stores) -> None:
    file = stores.spool.open(ORIGIN)
    await file.commit()
    with pytest.raises(StoreUnavailable):
        await file.commit()


async def test_writing_after_the_end_is_refused(stores: Stores) -> None:
    file = stores.spool.open(ORIGIN)
    file.abort()
    with pytest.raises(StoreUnavailable):
        file.write(b"late")


async def test_a_cancelled_commit_still_keeps_the_instance(stores: Stores) -> None:
    file = stores.spool.open(ORIGIN)
    file.write(b"whole")
    commit = asyncio.ensure_future(file.commit())
    await asyncio.sleep(0)
    commit.cancel()
    with suppress(asyncio.CancelledError):  # an engine without threads was quicker
        await commit
    file.abort()
    await receive(stores)
    assert len(await stores.receipts.due(10, [])) == 2


async def test_too_many_waiting_is_full_until_some_are_settled(
    tmp_path: Path, engine: Engine
) -> None:
    stores = await Stores.open(
        tmp_path / "state", make_spool_limits(max_waiting_instances=2), engine=engine
    )
    await receive(stores)
    open_file = stores.spool.open(ORIGIN)
    with pytest.raises(SpoolFull):
        stores.spool.open(ORIGIN)
    open_file.abort()
    stores.spool.open(ORIGIN).abort()
    await stores.close()


async def test_too_many_waiting_bytes_is_full(tmp_path: Path, engine: Engine) -> None:
    stores = await Stores.open(
        tmp_path / "state", make_spool_limits(max_waiting_bytes=1000), engine=engine
    )
    await receive(stores, bytes(600))
    file = stores.spool.open(ORIGIN)
    with pytest.raises(SpoolFull):
        file.write(bytes(500))
    file.abort()
    await stores.close()


async def test_an_instance_larger_than_allowed_is_full(tmp_path: Path, engine: Engine) -> None:
    stores = await Stores.open(
        tmp_path / "state", make_spool_limits(max_instance_bytes=10), engine=engine
    )
    file = stores.spool.open(ORIGIN)
    file.write(bytes(10))
    with pytest.raises(SpoolFull):
        file.write(b"x")
    file.abort()
    assert files_in(stores.layout.spool) == []
    await stores.close()


async def test_a_disk_that_is_nearly_full_turns_instances_away(
    tmp_path: Path, engine: Engine
) -> None:
    stores = await Stores.open(
        tmp_path / "state", make_spool_limits(min_free_bytes=1 << 60), engine=engine
    )
    with pytest.raises(SpoolFull):
        stores.spool.open(ORIGIN)
    await stores.close()


async def test_what_waits_counts_after_a_restart(tmp_path: Path, engine: Engine) -> None:
    stores = await Stores.open(tmp_path / "state", engine=engine)
    await receive(stores)
    await stores.close()
    stores = await Stores.open(
        tmp_path / "state", make_spool_limits(max_waiting_instances=1), engine=engine
    )
    assert stores.spool.is_full()
    await stores.close()


async def test_a_dropped_file_is_taken_whole(stores: Stores, dropped: Path) -> None:
    receipt = await stores.spool.adopt(dropped, WATCHED)
    assert not is_there(dropped)
    assert (receipt.origin, receipt.size) == (WATCHED, 13)
    assert stores.receipts.job(receipt).source.read_bytes() == b"dropped bytes"
    assert await stores.receipts.due(10, []) == [receipt]


async def test_many_dropped_files_are_taken_at_once(stores: Stores, dropped: Path) -> None:
    for number in range(50):
        (dropped.parent / f"{number}").write_bytes(b"%d" % number)
    paths = files_in(dropped.parent)
    await asyncio.gather(*(stores.spool.adopt(path, WATCHED) for path in paths))
    assert files_in(dropped.parent) == []
    assert len(await stores.receipts.due(100, [])) == 51


async def test_a_link_is_not_taken(stores: Stores, dropped: Path) -> None:
    link = dropped.with_name("link")
    link.symlink_to(dropped)
    with pytest.raises(Refused, match="not_a_regular_file"):
        await stores.spool.adopt(link, WATCHED)
    assert is_there(link)


async def test_a_pipe_is_not_taken(stores: Stores, dropped: Path) -> None:
    pipe = dropped.with_name("pipe")
    os.mkfifo(pipe)
    with pytest.raises(Refused, match="not_a_regular_file"):
        await stores.spool.adopt(pipe, WATCHED)


async def test_a_file_with_two_names_is_not_taken(stores: Stores, dropped: Path) -> None:
    os.link(dropped, dropped.with_name("second"))
    with pytest.raises(Refused, match="has_other_links"):
        await stores.spool.adopt(dropped, WATCHED)
    assert is_there(dropped)


async def test_a_file_that_is_swapped_while_it_is_taken_comes_back(
    stores: Stores, dropped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is the file that was opened and flushed, not what has its name by then."""
    other = dropped.with_name("other")
    other.write_bytes(b"not flushed")
    flush = os.fsync

    def swapping(descriptor: int) -> None:
        flush(descriptor)
        if other.exists():
            other.rename(dropped)

    monkeypatch.setattr(os, "fsync", swapping)
    with pytest.raises(Refused, match="changed_while_taken"):
        await stores.spool.adopt(dropped, WATCHED)
    assert content(dropped) == b"not flushed"
    assert files_in(stores.layout.spool) == []
    assert await stores.receipts.due(10, []) == []


async def test_what_its_row_does_not_follow_leaves_nothing_behind(
    stores: Stores, dropped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_refused(promise: Awaitable[object]) -> bool:
        try:
            await promise
        except (StoreUnavailable, SpoolFull):
            return True
        return False

    def failing(*_: int) -> None:
        raise OSError(errno.EIO, "told so")

    file = stores.spool.open(ORIGIN)
    file.write(b"bytes")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        assert await is_refused(file.commit())
    assert files_in(stores.layout.spool) == []
    with monkeypatch.context() as patch:
        patch.setattr(os, "fchmod", failing)  # when it has its new name already
        assert await is_refused(stores.spool.adopt(dropped, WATCHED))
    assert files_in(stores.layout.spool) == []
    assert content(dropped) == b"dropped bytes"
    assert await stores.receipts.due(10, []) == []


async def test_names_in_a_folder_that_took_the_place_of_another_are_made_durable(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stores.layout.spool
    folder.rename(folder.with_name("away"))
    folder.mkdir(mode=0o700)
    flushed: list[tuple[int, int]] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        status = os.fstat(descriptor)
        flushed.append((status.st_dev, status.st_ino))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    for _ in range(2):
        file = stores.spool.open(ORIGIN)
        file.write(b"bytes")
        await file.commit()
        status = folder.stat()
        assert flushed.pop() == (status.st_dev, status.st_ino)


async def test_a_file_that_is_not_there_is_not_taken(stores: Stores, dropped: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await stores.spool.adopt(dropped.with_name("none"), WATCHED)


async def test_a_file_of_another_file_system_has_to_be_copied(
    stores: Stores, dropped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "")

    with monkeypatch.context() as patched:
        patched.setattr(type(dropped), "rename", refuse)
        with pytest.raises(CrossDevice):
            await stores.spool.adopt(dropped, WATCHED)
    assert is_there(dropped)
    assert await stores.receipts.due(10, []) == []


async def test_a_dropped_file_that_is_too_large_is_refused(
    tmp_path: Path, engine: Engine, dropped: Path
) -> None:
    stores = await Stores.open(
        tmp_path / "state", make_spool_limits(max_instance_bytes=3), engine=engine
    )
    with pytest.raises(Refused, match="too_large"):
        await stores.spool.adopt(dropped, WATCHED)
    assert is_there(dropped)
    await stores.close()


async def test_after_close_nothing_is_promised(stores: Stores) -> None:
    file = stores.spool.open(ORIGIN)
    file.write(b"bytes")
    await stores.close()
    with pytest.raises(StoreUnavailable):
        await file.commit()
    assert files_in(stores.layout.spool) == []


async def test_others_can_read_nothing(stores: Stores, dropped: Path) -> None:
    os.chmod(dropped, 0o666)  # noqa: PTH101 - one call before anything runs
    await receive(stores)
    await stores.spool.adopt(dropped, WATCHED)
    state_dir = stores.layout.state_dir
    open_to_others = [
        path.name for path in (state_dir, *state_dir.rglob("*")) if path.stat().st_mode & 0o077
    ]
    assert open_to_others == []
