"""What the consistency check finds, and what repairing does about it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

import pytest

from daemon.errors import StoreUnavailable
from daemon.records import State
from daemon.store import fsck, queries, retention
from daemon.store.embedded import EMBEDDED
from daemon.store.fsck import Kind
from daemon.store.layout import Layout, StateLock, is_locked
from daemon.store.rows import Role
from daemon.store.sqlite.connections import connect
from daemon.store.stores import Stores
from tests import store_samples
from tests.store_samples import ORIGIN, make_instance, receive, store, work

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.records import Receipt


async def filled(state_dir: Path) -> tuple[Receipt, Receipt]:
    """Make a state folder with a stored and a quarantined instance; return their receipts."""
    stores = await Stores.open(state_dir)
    stored = await store(stores, make_instance(1))
    refused = await store(stores, make_instance(2), state=State.QUARANTINED, reason="malformed")
    await stores.close()
    return stored, refused


def kinds(state_dir: Path, *, repair: bool = False) -> list[Kind]:
    return [finding.kind for finding in fsck.check(state_dir, repair=repair).findings]


FOLDERS = {Role.SOURCE: "source", Role.DESTINATION: "deid"}


def blob_path(state_dir: Path, role: Role, receipt: Receipt) -> Path:
    (path,) = (state_dir / FOLDERS[role]).rglob(f"{receipt.id}*")
    return path


def state_of(state_dir: Path, receipt: Receipt) -> tuple[State, str, str]:
    with EMBEDDED.session(Layout(state_dir), query_only=True) as session:
        shown = queries.show(session, receipt.id)
    assert shown is not None
    return shown.receipt.state, shown.receipt.reason, shown.place


def execute(state_dir: Path, sql: str) -> None:
    connection = connect(state_dir / "dicomveil.sqlite")
    connection.execute(sql)
    connection.close()


async def test_a_sound_state_folder_has_no_findings(tmp_path: Path) -> None:
    await filled(tmp_path)
    report = fsck.check(tmp_path)
    assert report.findings == []
    assert (report.receipts, report.blobs) == (2, 3)
    assert report.bytes_read > 0


async def test_a_stored_instance_that_lost_its_source_keeps_its_output(tmp_path: Path) -> None:
    stored, _ = await filled(tmp_path)
    blob_path(tmp_path, Role.SOURCE, stored).unlink()
    assert kinds(tmp_path) == [Kind.BLOB_MISSING]
    fsck.check(tmp_path, repair=True)
    assert kinds(tmp_path) == []
    assert state_of(tmp_path, stored) == (State.STORED, "blob_missing", "gone")
    assert blob_path(tmp_path, Role.DESTINATION, stored).exists()


async def test_a_waiting_instance_that_lost_its_file_is_quarantined(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    waiting = await receive(stores)
    await stores.close()
    (tmp_path / "spool" / waiting.id).unlink()
    assert kinds(tmp_path, repair=True) == [Kind.BLOB_MISSING]
    assert kinds(tmp_path) == []
    assert state_of(tmp_path, waiting) == (State.QUARANTINED, "blob_missing", "gone")


async def test_a_lost_output_is_quarantined_and_can_be_made_again(tmp_path: Path) -> None:
    stored, _ = await filled(tmp_path)
    blob_path(tmp_path, Role.DESTINATION, stored).unlink()
    assert kinds(tmp_path, repair=True) == [Kind.OUTPUT_MISSING]
    assert kinds(tmp_path) == []
    assert state_of(tmp_path, stored) == (State.QUARANTINED, "blob_missing", "source")
    with EMBEDDED.session(Layout(tmp_path)) as session:
        assert store_samples.retry(session, [stored.id]).changed == [stored.id]
    stores = await Stores.open(tmp_path)
    await stores.receipts.settle([work(stores, stored, make_instance(1))])
    await stores.close()
    assert kinds(tmp_path) == []
    assert state_of(tmp_path, stored) == (State.STORED, "", "source")


@pytest.mark.parametrize("damage", ["flipped", "longer"])
async def test_a_damaged_output_is_not_served_any_more(tmp_path: Path, damage: str) -> None:
    stored, _ = await filled(tmp_path)
    path = blob_path(tmp_path, Role.DESTINATION, stored)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"?" if damage == "flipped" else data + b"?")
    assert kinds(tmp_path, repair=True) == [Kind.OUTPUT_DAMAGED]
    assert kinds(tmp_path) == []
    assert state_of(tmp_path, stored) == (State.QUARANTINED, "blob_damaged", "source")
    assert not path.exists()


async def test_a_damaged_source_is_set_aside(tmp_path: Path) -> None:
    stored, _ = await filled(tmp_path)
    blob_path(tmp_path, Role.SOURCE, stored).write_bytes(b"damaged")
    assert kinds(tmp_path, repair=True) == [Kind.BLOB_DAMAGED]
    assert kinds(tmp_path) == []
    assert state_of(tmp_path, stored) == (State.STORED, "blob_damaged", "gone")
    (kept,) = (tmp_path / "lost+found").iterdir()
    assert kept.read_bytes() == b"damaged"


async def test_sizes_are_compared_even_without_digests(tmp_path: Path) -> None:
    stored, _ = await filled(tmp_path)
    blob_path(tmp_path, Role.SOURCE, stored).write_bytes(b"damaged")
    report = fsck.check(tmp_path, digests=False)
    assert [finding.kind for finding in report.findings] == [Kind.BLOB_DAMAGED]
    assert report.bytes_read == 0


@pytest.mark.parametrize("role", [Role.SOURCE, Role.DESTINATION])
async def test_a_blob_that_nobody_knows_is_kept_apart(tmp_path: Path, role: Role) -> None:
    await filled(tmp_path)
    stray = tmp_path / FOLDERS[role] / "ab" / "cd" / f"abcd{'0' * 28}.dcm"
    stray.parent.mkdir(parents=True, mode=0o700)
    stray.parent.parent.chmod(0o700)
    stray.touch(mode=0o600)
    assert kinds(tmp_path, repair=True) == [Kind.BLOB_WITHOUT_ROW]
    assert kinds(tmp_path) == []
    assert [path.name for path in (tmp_path / "lost+found").iterdir()] == [
        f"{FOLDERS[role]}-{stray.stem}"
    ]


@pytest.mark.parametrize("reason", ["blob_missing", "blob_damaged"])
async def test_a_blob_that_comes_back_is_received_again(tmp_path: Path, reason: str) -> None:
    """As of a folder that was not mounted, or not restored, when somebody repaired."""
    stored, refused = await filled(tmp_path)
    paths = {each: blob_path(tmp_path, Role.SOURCE, each) for each in (stored, refused)}
    kept = {each: path.read_bytes() for each, path in paths.items()}
    for path in paths.values():
        path.unlink() if reason == "blob_missing" else path.write_bytes(b"damaged")
    fsck.check(tmp_path, repair=True)
    assert state_of(tmp_path, refused) == (State.QUARANTINED, reason, "gone")
    assert state_of(tmp_path, stored) == (State.STORED, reason, "gone")
    for each, path in paths.items():
        path.write_bytes(kept[each])
        path.chmod(0o600)
    assert kinds(tmp_path, repair=True) == [Kind.BLOB_WITHOUT_ROW] * 2
    assert state_of(tmp_path, refused) == (State.RECEIVED, "", "source")
    assert state_of(tmp_path, stored) == (State.RECEIVED, "re_examine", "source")
    assert [path.read_bytes() for path in paths.values()] == list(kept.values())
    assert kinds(tmp_path) == []
    stores = await Stores.open(tmp_path)
    await stores.receipts.settle([work(stores, stored, make_instance(1))])
    await stores.close()
    assert state_of(tmp_path, stored) == (State.STORED, "", "source")
    assert kinds(tmp_path) == []


@pytest.mark.parametrize("damage", ["flipped", "away for a while"])
async def test_the_only_copy_of_a_result_is_kept_whatever_it_is_like(
    tmp_path: Path, damage: str
) -> None:
    """Where retention has removed what it was made from."""
    stored, _ = await filled(tmp_path)
    stores = await Stores.open(tmp_path)
    await retention.enforce(stores, retention.Retention(max_total_bytes=0))
    await stores.close()
    path = blob_path(tmp_path, Role.DESTINATION, stored)
    content = path.read_bytes()
    path.unlink()
    if damage == "flipped":
        content = content[:-1] + b"?"
    else:
        assert kinds(tmp_path, repair=True) == [Kind.OUTPUT_MISSING]
    path.write_bytes(content)
    path.chmod(0o600)
    assert len(kinds(tmp_path, repair=True)) == 1
    assert kinds(tmp_path) == []
    (kept,) = (tmp_path / "lost+found").iterdir()
    assert kept.read_bytes() == content


async def test_what_was_shown_ahead_of_its_result_comes_back_at_a_start(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    waiting = await receive(stores)
    await stores.receipts.show({waiting.id: make_instance(1)})
    await stores.close()
    path = blob_path(tmp_path, Role.SOURCE, waiting)
    content = path.read_bytes()
    path.unlink()
    fsck.check(tmp_path, repair=True)
    path.write_bytes(content)
    stores = await Stores.open(tmp_path)
    (due,) = await stores.receipts.due(10, [])
    assert stores.receipts.job(due).source.read_bytes() == content
    await stores.close()


async def test_what_retention_has_removed_does_not_come_back(tmp_path: Path) -> None:
    stored, _ = await filled(tmp_path)
    path = blob_path(tmp_path, Role.SOURCE, stored)
    content = path.read_bytes()
    stores = await Stores.open(tmp_path)
    await retention.enforce(stores, retention.Retention(max_total_bytes=0))
    await stores.close()
    path.write_bytes(content)
    path.chmod(0o600)
    assert kinds(tmp_path, repair=True) == [Kind.BLOB_WITHOUT_ROW]
    assert state_of(tmp_path, stored) == (State.STORED, "", "gone")
    assert not path.exists()


async def test_a_stray_file_in_the_spool_is_kept_apart(tmp_path: Path) -> None:
    await filled(tmp_path)
    (tmp_path / "spool" / ("e" * 32)).touch(mode=0o600)
    (tmp_path / "spool" / ("f" * 32 + ".part")).touch(mode=0o600)
    assert sorted(kinds(tmp_path, repair=True)) == [Kind.PARTIAL_FILE, Kind.SPOOL_ORPHAN]
    assert kinds(tmp_path) == []
    assert [path.name for path in (tmp_path / "lost+found").iterdir()] == ["e" * 32]


async def test_wrong_counts_are_counted_again(tmp_path: Path) -> None:
    await filled(tmp_path)
    execute(tmp_path, "UPDATE series SET instances = 7 WHERE store_id = 1")
    execute(tmp_path, "UPDATE studies SET instances = 9 WHERE store_id = 1")
    assert kinds(tmp_path, repair=True) == [Kind.COUNTS_WRONG]
    assert kinds(tmp_path) == []


async def test_wrong_tallies_are_counted_again(tmp_path: Path) -> None:
    await filled(tmp_path)
    execute(tmp_path, "UPDATE tallies SET instances = instances + 1")
    execute(tmp_path, "UPDATE totals SET bytes = 0")
    assert kinds(tmp_path, repair=True) == [Kind.TALLIES_WRONG]
    assert kinds(tmp_path) == []


async def test_files_open_to_others_are_closed(tmp_path: Path) -> None:
    stored, _ = await filled(tmp_path)
    blob_path(tmp_path, Role.DESTINATION, stored).chmod(0o644)
    assert kinds(tmp_path, repair=True) == [Kind.OPEN_TO_OTHERS]
    assert kinds(tmp_path) == []


async def test_a_running_daemon_can_be_checked_but_not_repaired(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    await store(stores, make_instance())
    half = stores.spool.open(ORIGIN)
    assert kinds(tmp_path) == []
    with pytest.raises(StoreUnavailable):
        fsck.check(tmp_path, repair=True)
    half.abort()
    await stores.close()


async def test_a_check_keeps_no_daemon_from_starting(tmp_path: Path) -> None:
    """Reading all may take hours; a manager that starts what was killed gives up after some attempts."""
    await filled(tmp_path)
    half = tmp_path / "spool" / ("a" * 32 + ".part")
    half.touch(mode=0o600)
    assert kinds(tmp_path) == [Kind.PARTIAL_FILE]
    started: list[StateLock] = []

    def start(_: fsck.Report) -> None:
        if not started:
            started.append(StateLock(Layout(tmp_path).lock))

    assert fsck.check(tmp_path, progress=start).findings == []  # it may be received just now
    assert len(started) == 1
    started[0].release()


async def test_two_daemons_cannot_share_a_state_folder(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path)
    with pytest.raises(StoreUnavailable):
        await Stores.open(tmp_path)
    await stores.close()
    await (await Stores.open(tmp_path)).close()


async def test_two_daemons_cannot_share_a_state_folder_whose_lock_was_removed(
    tmp_path: Path,
) -> None:
    stores = await Stores.open(tmp_path)
    (tmp_path / "lock").unlink()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await Stores.open(tmp_path)
    assert is_locked(Layout(tmp_path))
    await stores.close()
    assert not is_locked(Layout(tmp_path))
    await (await Stores.open(tmp_path)).close()


def test_where_folders_cannot_be_locked_the_file_alone_keeps_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, which locks what may be written to."""
    lock, code = fcntl.flock, errno.EBADF

    def of_files(descriptor: int, how: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", of_files)
    held = StateLock(tmp_path / "lock")
    with pytest.raises(StoreUnavailable):
        StateLock(tmp_path / "lock")
    held.release()
    code = errno.EIO
    with pytest.raises(OSError, match=os.strerror(code)):
        StateLock(tmp_path / "lock")


def test_where_there_is_no_state_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        fsck.check(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_an_output_that_lost_its_row_is_found(tmp_path: Path) -> None:
    stored, _ = await filled(tmp_path)
    with EMBEDDED.session(Layout(tmp_path)) as session:
        destination = next(s for s in session.stores.all() if s.role is Role.DESTINATION)
        (instance,) = session.instances.of_receipt(destination, stored.id)
        session.instances.remove(instance)
    found = kinds(tmp_path, repair=True)
    assert sorted(found) == [Kind.BLOB_WITHOUT_ROW, Kind.OUTPUT_MISSING]
    assert kinds(tmp_path) == []
    assert state_of(tmp_path, stored)[0] is State.QUARANTINED
