"""When a file has settled; which folders overlap; what a record remembers."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from daemon.receive.watch.record import TakenRecord
from daemon.receive.watch.settling import Found, Settling, Signature

if TYPE_CHECKING:
    from pathlib import Path


def found(name: str = "x", *, size: int = 1, inode: int = 1, ours: bool = False) -> Found:
    return Found((), name, Signature(1, inode, size, 5), stat.S_IFREG, ours=ours)


def test_a_file_is_due_once_it_stood_still_for_the_time() -> None:
    settling = Settling(2.0)
    settling.observe([found()], 10.0)
    assert settling.due(11.9) == []
    assert settling.next_look() == 12.0
    assert settling.due(12.0) == [(found(), 10.0)]
    assert settling.due(13.0) == []  # somebody is looking at it


def test_a_file_that_grows_starts_anew() -> None:
    settling = Settling(2.0)
    settling.observe([found(size=1)], 10.0)
    settling.observe([found(size=2)], 11.0)
    assert settling.due(12.5) == []
    assert settling.due(13.0) == [(found(size=2), 11.0)]


def test_what_a_killed_run_left_is_due_at_once() -> None:
    settling = Settling(2.0)
    settling.observe([found(ours=True)], 10.0)
    assert settling.due(10.0) == [(found(ours=True), 10.0)]


def test_a_file_looked_at_too_early_keeps_the_time_since_which_it_stands_still() -> None:
    settling = Settling(2.0)
    settling.observe([found()], 10.0)
    settling.due(12.0)
    settling.not_yet(found(), 14.0)
    settling.observe([found()], 13.0)
    assert settling.due(13.9) == []
    assert settling.due(14.0) == [(found(), 10.0)]


def test_a_file_that_vanished_is_forgotten_unless_it_is_being_taken() -> None:
    settling = Settling(2.0)
    settling.observe([found("a"), found("b")], 10.0)
    settling.due(12.0)
    settling.not_yet(found("b"), 13.0)
    settling.observe([], 12.5)
    assert len(settling) == 1
    settling.gone(found("a"))
    assert len(settling) == 0


def test_an_ignored_file_is_left_alone_until_it_changes() -> None:
    settling = Settling(0.0)
    settling.observe([found()], 1.0)
    settling.due(1.0)
    settling.ignore(found())
    settling.observe([found()], 2.0)
    assert settling.due(9.0) == []
    settling.observe([found(size=9)], 10.0)
    assert settling.due(10.0) == [(found(size=9), 10.0)]


def test_no_more_files_are_kept_in_mind_than_allowed() -> None:
    settling = Settling(0.0, most=3)
    assert not settling.observe([found(str(n)) for n in range(5)], 1.0)
    assert len(settling) == 3
    for each, _ in settling.due(1.0):
        settling.gone(each)
    assert settling.observe([found("3"), found("4")], 2.0)
    assert len(settling) == 2


@pytest.mark.parametrize("is_on_disk", [True, False])
def test_a_record_knows_what_it_was_given_for_its_own_folder(
    tmp_path: Path, is_on_disk: bool
) -> None:
    path = tmp_path / "watch.sqlite" if is_on_disk else None
    record, other = TakenRecord(path, tmp_path / "a"), TakenRecord(path, tmp_path / "b")
    large = Signature(2**64 - 1, 2**63 + 5, 2**40, 2**62)
    record.add(large)
    record.add(large)
    assert large in record
    assert large not in other
    assert large._replace(mtime_ns=1) not in record
    record.close()
    other.close()


def test_a_record_forgets_what_is_not_present_on_that_device(tmp_path: Path) -> None:
    record = TakenRecord(tmp_path / "watch.sqlite", tmp_path)
    kept, gone, elsewhere = Signature(1, 1, 1, 1), Signature(1, 2, 1, 1), Signature(9, 2, 1, 1)
    for signature in (kept, gone, elsewhere):
        record.add(signature)
    assert record.keep_only({kept}, device=1) == 1
    assert kept in record
    assert gone not in record
    assert elsewhere in record
    record.close()


@pytest.mark.parametrize("damage", ["no database", "cut in half", "a page"])
def test_a_damaged_record_is_set_aside_and_begun_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "watch.sqlite"
    record = TakenRecord(path, tmp_path)
    for number in range(2000):
        record.add(Signature(1, number, 1, 1))
    record.close()
    whole = path.read_bytes()
    middle = len(whole) // 2 & ~0xFFF
    damaged = {
        "no database": bytes(range(256)) * 32,
        "cut in half": whole[:middle],
        "a page": whole[:middle] + b"\xff" * 4096 + whole[middle + 4096 :],
    }[damage]
    path.write_bytes(damaged)
    record = TakenRecord(path, tmp_path)
    record.add(Signature(1, 1, 1, 1))
    assert Signature(1, 1, 1, 1) in record
    assert Signature(1, 2, 1, 1) not in record
    record.close()
    assert (tmp_path / "watch.sqlite.damaged").read_bytes()[:16] == damaged[:16]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = TakenRecord(path, tmp_path)
    assert Signature(1, 1, 1, 1) in again
    again.close()
