"""Rows, blobs and the key must belong together; one that is missing is never a fresh start."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon.errors import DatabaseDamaged, StateIncomplete
from daemon.records import Origin, Receiver, State
from daemon.store import fsck, recovery, witnesses
from daemon.store.fsck import Kind
from daemon.store.stores import Stores
from dicomweb.ports import Query
from tests.factories import encoded, make_ct
from tests.store_samples import file_of, make_instance, receive, settle, store, work

if TYPE_CHECKING:
    from collections.abc import Iterator


async def test_waiting_files_outlive_an_older_database(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    await receive(stores)
    await stores.close()
    older = tmp_path.with_name("older.sqlite")
    shutil.copy(stores.layout.database, older)
    stores = await Stores.open(tmp_path)
    later = [await receive(stores, file_of(make_instance(number))) for number in (2, 3, 4)]
    await stores.close()
    for suffix in ("", "-wal", "-shm"):
        stores.layout.database.with_name(f"dicomveil.sqlite{suffix}").unlink(missing_ok=True)
    shutil.copy(older, stores.layout.database)

    stores = await Stores.open(tmp_path)

    assert stores.recovered.adopted == 3
    due = {receipt.id: receipt for receipt in await stores.receipts.due(10, [])}
    assert set(due) >= {receipt.id for receipt in later}
    assert due[later[0].id].origin == Origin(Receiver.RECOVERED)
    assert due[later[0].id].size == later[0].size
    await stores.close()


async def test_stored_instances_outlive_an_older_database(tmp_path: Path) -> None:
    """The rows of those that were settled since are gone, and their files have left the spool."""
    stores = await Stores.open(tmp_path)
    await store(stores, make_instance(1))
    await stores.close()
    older = tmp_path.with_name("older.sqlite")
    shutil.copy(stores.layout.database, older)
    stores = await Stores.open(tmp_path)
    for number in (2, 3, 4):
        await store(stores, make_instance(number))
    await stores.close()
    _remove_database(tmp_path)
    shutil.copy(older, stores.layout.database)

    stores = await Stores.open(tmp_path)

    assert stores.recovered.adopted == 3
    for receipt in await stores.receipts.due(10, []):
        number = json.loads(stores.receipts.job(receipt).source.read_bytes())["00200013"]["Value"]
        await settle(stores, [work(stores, receipt, make_instance(number[0]))])
    everything = Query("instance", {}, None, fuzzy=False, limit=99, offset=0)
    assert len(await stores.source.search(everything)) == 4
    assert len(await stores.destination.search(everything)) == 4
    await stores.close()
    assert fsck.check(tmp_path).findings == []


async def test_what_is_laid_aside_again_under_a_name_that_is_taken_has_another(
    tmp_path: Path,
) -> None:
    for content in (b"first", b"second"):
        await (await Stores.open(tmp_path)).close()
        (tmp_path / "spool" / "notes").write_bytes(content)
        folder = tmp_path / "spool" / "folder"
        folder.mkdir()
        (folder / "file").write_bytes(content)
    await (await Stores.open(tmp_path)).close()
    lost = tmp_path / "lost+found"
    assert [(lost / name).read_bytes() for name in ("notes", "notes.1")] == [b"first", b"second"]
    assert (lost / "folder.1" / "file").read_bytes() == b"second"


async def test_what_cannot_be_ours_or_is_empty_is_laid_aside(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    await stores.close()
    (tmp_path / "spool" / "notes").write_bytes(b"whose is this?")
    (tmp_path / "spool" / ("b" * 32)).write_bytes(b"")
    stores = await Stores.open(tmp_path)
    assert stores.recovered.kept_apart == 2
    assert {path.name for path in (tmp_path / "lost+found").iterdir()} == {"notes", "b" * 32}
    await stores.close()


@pytest.mark.parametrize(
    ("content", "is_torn"),
    [(b"DICM" * 2000, False), (b"DICM" + b"\0" * 8000, True), (b"", True)],
    ids=["whole", "a tail of zeros", "empty"],
)
def test_only_what_was_named_before_the_machine_came_up_may_be_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, is_torn: bool
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert recovery.may_be_torn(file) == (not content)
    monkeypatch.setattr(time, "clock_gettime", lambda _: -3600.0)  # came up in an hour from now
    assert recovery.may_be_torn(file) == is_torn


def test_a_file_with_a_hole_may_be_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    with file.open("wb") as stream:
        stream.seek(1 << 20)
        stream.write(b"end" * 4096)
    monkeypatch.setattr(time, "clock_gettime", lambda _: -3600.0)
    assert recovery.may_be_torn(file)


def _remove_database(state_dir: Path) -> None:
    for path in state_dir.glob("dicomveil.sqlite*"):
        path.unlink()


@pytest.mark.parametrize("left", ["all", "source", "deid"])
@pytest.mark.parametrize("becomes", ["missing", "empty"])
async def test_a_database_that_is_gone_beside_blobs_refuses_to_start(
    tmp_path: Path, becomes: str, left: str
) -> None:
    stores = await Stores.open(tmp_path)
    await store(stores, make_instance())
    await stores.close()
    for folder in {"source", "deid"} - {left} if left != "all" else ():
        shutil.rmtree(tmp_path / folder)
    _remove_database(tmp_path)
    if becomes == "empty":
        stores.layout.database.touch(0o600)

    with pytest.raises(StateIncomplete, match="fsck --reindex"):
        await Stores.open(tmp_path)


@pytest.mark.parametrize("name", ["source", "deid"])
@pytest.mark.parametrize("is_there", [False, True])
async def test_a_store_whose_blobs_are_all_gone_refuses_to_start(
    tmp_path: Path, name: str, *, is_there: bool
) -> None:
    """As of a folder that is not mounted, or was left out of a backup; put back, all is as it was."""
    state_dir = tmp_path / "state"
    stores = await Stores.open(state_dir)
    await store(stores, make_instance(1))
    await stores.close()
    (state_dir / name).rename(tmp_path / name)
    if is_there:
        (state_dir / name).mkdir(mode=0o700)
    for _ in range(2):
        with pytest.raises(StateIncomplete, match=f"{name} in .* put the folder back"):
            await Stores.open(state_dir)
    (state_dir / name).rmdir()
    (tmp_path / name).rename(state_dir / name)
    await (await Stores.open(state_dir)).close()
    assert fsck.check(state_dir).findings == []


@pytest.mark.parametrize("name", ["source", "deid"])
async def test_a_repair_takes_all_blobs_of_a_store_for_lost_and_the_service_starts(
    tmp_path: Path, name: str
) -> None:
    state_dir = tmp_path / "state"
    stores = await Stores.open(state_dir)
    await store(stores, make_instance(1))
    await stores.close()
    shutil.rmtree(state_dir / name)
    fsck.check(state_dir, repair=True)
    await (await Stores.open(state_dir)).close()


async def test_reindexing_receives_again_what_has_no_row(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    receipt = await store(stores, make_instance())
    await stores.close()
    _remove_database(tmp_path)

    found, aside = fsck.reindex(tmp_path)

    assert [finding.repaired for finding in found] == ["received again"]
    assert aside == ""
    stores = await Stores.open(tmp_path)
    (due,) = await stores.receipts.due(10, [])
    assert due.id == receipt.id
    job = stores.receipts.job(due)
    assert job.source.is_file()
    await stores.close()
    assert fsck.reindex(tmp_path) == ([], "")


def _fill_with_results(state_dir: Path, *digests: str) -> None:
    """Put results of one receipt into the destination, of which no row tells."""
    folder = state_dir / "deid" / "ab" / "cd"
    folder.mkdir(parents=True, mode=0o700)
    for digest in digests:
        (folder / f"abcd{'0' * 28}-{digest * 16}.dcm").write_bytes(encoded(make_ct()))


async def test_reindexing_shows_a_result_whose_original_is_not_kept(tmp_path: Path) -> None:
    _fill_with_results(tmp_path, "1")
    found, _ = fsck.reindex(tmp_path)
    assert [finding.repaired for finding in found] == ["shown again"]
    stores = await Stores.open(tmp_path)
    shown = await stores.database.read(
        lambda session: session.figures.of_store(stores.stores.destination).instances
    )
    assert shown == 1
    await stores.close()


def test_reindexing_shows_none_of_several_results_for_one_was_replaced(tmp_path: Path) -> None:
    _fill_with_results(tmp_path, "1", "2")
    found, _ = fsck.reindex(tmp_path)
    assert [finding.repaired for finding in found] == ["", ""]


async def test_what_reindexing_leaves_is_moved_away_by_a_repair_and_the_service_starts(
    tmp_path: Path,
) -> None:
    _fill_with_results(tmp_path, "1", "2")
    fsck.reindex(tmp_path)
    with pytest.raises(StateIncomplete, match=r"fsck --repair` moves to lost\+found"):
        await Stores.open(tmp_path)

    report = fsck.check(tmp_path, repair=True)

    assert {finding.repaired for finding in report.findings} == {
        "rights taken away",
        "moved to lost+found",
    }
    kept = list((tmp_path / "lost+found").iterdir())
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600, 0o600]
    await (await Stores.open(tmp_path)).close()
    assert fsck.check(tmp_path).findings == []


async def test_a_damaged_database_refuses_to_start_and_is_set_aside_by_reindexing(
    tmp_path: Path,
) -> None:
    stores = await Stores.open(tmp_path)
    await store(stores, make_instance())
    await stores.close()
    database = stores.layout.database
    with database.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(database.stat().st_size - 8192))

    with pytest.raises(DatabaseDamaged, match="fsck"):
        await Stores.open(tmp_path)
    report = fsck.check(tmp_path)
    assert {finding.kind for finding in report.findings} == {Kind.DATABASE_DAMAGED}

    found, aside = fsck.reindex(tmp_path)

    assert (tmp_path / aside).is_file()
    assert [finding.repaired for finding in found] == ["received again"]
    stores = await Stores.open(tmp_path)
    assert [receipt.state for receipt in await stores.receipts.due(10, [])] == [State.RECEIVED]
    await stores.close()


async def test_every_damaged_page_is_found_and_none_ends_in_a_traceback(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    for number in range(1, 6):
        await store(stores, make_instance(number))
    await stores.close()
    database = stores.layout.database
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    sound = database.read_bytes()
    unnoticed = []
    for page in range(len(sound) // size):
        database.write_bytes(sound[: page * size] + b"\xa5" * size + sound[(page + 1) * size :])
        found = {finding.kind for finding in fsck.check(tmp_path, repair=True).findings}
        if Kind.DATABASE_DAMAGED not in found:
            unnoticed.append(page)
        _remove_database(tmp_path)

    assert len(sound) // size > 40
    assert len(unnoticed) <= free  # pages that hold nothing


async def test_a_damaged_index_is_made_anew_by_a_repair(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    await store(stores, make_instance())
    await stores.close()
    with closing(sqlite3.connect(stores.layout.database)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, '(\"changed_at\")', '(\"received_at\")')"
            " WHERE name LIKE '%changed_at%'"
        )
        connection.commit()

    findings = fsck.check(tmp_path, repair=True).findings

    damage = [each for each in findings if each.kind is Kind.DATABASE_DAMAGED]
    assert damage
    assert {each.repaired for each in damage} == {"indexes made anew"}
    assert fsck.check(tmp_path).findings == []


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on another file system."""
    memory = Path(tempfile.mkdtemp(dir="/dev/shm"))
    assert memory.stat().st_dev != tmp_path.stat().st_dev
    yield memory
    memory.rmdir()


@pytest.mark.parametrize("part", ["spool", "work", "source", "deid"])
async def test_parts_on_another_file_system_are_refused_before_anything_is_received(
    tmp_path: Path, elsewhere: Path, part: str
) -> None:
    (tmp_path / part).symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(StateIncomplete, match=f"^{part} in .* on another file system"):
        await Stores.open(tmp_path)


async def test_another_key_is_refused_by_its_id(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    assert await stores.database.read(witnesses.has_no_key)
    await stores.database.write(lambda session: witnesses.refuse_other_key(session, "0123abcd"))
    await stores.database.write(lambda session: witnesses.refuse_other_key(session, "0123abcd"))
    assert not await stores.database.read(witnesses.has_no_key)
    with pytest.raises(StateIncomplete, match=r"ffff0000.*0123abcd"):
        await stores.database.write(lambda session: witnesses.refuse_other_key(session, "ffff0000"))
    await stores.close()
