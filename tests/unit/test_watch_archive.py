"""Zip archives: what is read, and what stops a hostile one."""

from __future__ import annotations

import io
import stat
import struct
import zipfile

import pytest

from daemon.errors import Refused
from daemon.receive.archive import Archive, ArchiveLimits, has_end_record

PLENTY = ArchiveLimits()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return bytearray(buffer.getvalue())


def refusal(content: bytes | bytearray, limits: ArchiveLimits = PLENTY) -> str:
    """Read everything and return why that was refused."""
    with pytest.raises(Refused) as refused:
        read_all(content, limits)
    return refused.value.reason


def read_all(content: bytes | bytearray, limits: ArchiveLimits = PLENTY) -> dict[str, bytes]:
    found = {}
    with Archive(io.BytesIO(content), limits) as archive:
        for entry in archive.entries():
            assert entry.reason == ""
            pieces = []
            with archive.open(entry.index) as reader:
                while piece := reader.read(65536):
                    pieces.append(piece)
            found[entry.name] = b"".join(pieces)
    return found


def test_entries_are_read_in_order_without_folders_and_hidden_files() -> None:
    members = {"b": b"1", "a/": b"", "a/.DS_Store": b"", "__MACOSX/._b": b"", "../../x": b"2"}
    assert read_all(zipped(members)) == {"b": b"1", "../../x": b"2"}
    with Archive(io.BytesIO(zipped(members)), PLENTY) as archive:
        assert len(list(archive.entries(hidden=True))) == 4


@pytest.mark.parametrize("cut", [1, 5, 21, 30])
def test_without_its_end_an_archive_is_incomplete(cut: int) -> None:
    content = zipped({"a": b"hello"})
    assert has_end_record(io.BytesIO(content))
    assert not has_end_record(io.BytesIO(content[:-cut]))
    assert refusal(content[:-cut]) == "archive_broken"


def test_an_archive_with_a_comment_has_its_end() -> None:
    buffer = io.BytesIO(zipped({"a": b"hello"}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"PK\x05\x06 in a comment" * 50
    assert has_end_record(buffer)


def test_wrong_check_sums_are_refused() -> None:
    content = zipped({"a": b"hello" * 100}, zipfile.ZIP_STORED)
    content[content.index(b"hello")] ^= 1
    assert refusal(content) == "archive_broken"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (ArchiveLimits(entries=2), "archive_too_many_entries"),
        (ArchiveLimits(total_bytes=1000), "archive_bomb"),
        (ArchiveLimits(entry_bytes=400), ""),
    ],
)
def test_limits_hold(limits: ArchiveLimits, reason: str) -> None:
    content = zipped({name: bytes(500) for name in "abc"})
    if reason:
        assert refusal(content, limits) == reason
    else:
        with Archive(io.BytesIO(content), limits) as archive:
            assert {entry.reason for entry in archive.entries()} == {"too_large"}


def test_a_declared_size_that_lies_does_not_help() -> None:
    content = zipped({"a": bytes(5000)})
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 10)
    struct.pack_into("<I", content, 22, 10)
    assert refusal(content, ArchiveLimits(entry_bytes=1000)) in {"archive_broken", "too_large"}


def test_the_ratio_counts_once_much_has_come_out() -> None:
    assert refusal(zipped({"a": bytes(100 << 20)})) == "archive_bomb"


def test_a_directory_too_large_for_its_entries_is_refused_before_it_is_read() -> None:
    content = zipped({f"{number:0400}": b"" for number in range(2000)})
    assert refusal(content, ArchiveLimits(entries=1000)) == "archive_too_many_entries"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_ask_for_much_memory_are_refused(method: int) -> None:
    with Archive(io.BytesIO(zipped({"a": b"hello"}, method)), PLENTY) as archive:
        assert [entry.reason for entry in archive.entries()] == ["archive_method"]


def test_links_and_encrypted_entries_are_refused() -> None:
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("secret", "x")
    content = bytearray(buffer.getvalue())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    with Archive(io.BytesIO(content), PLENTY) as opened:
        assert [entry.reason for entry in opened.entries()] == ["not_regular", "archive_encrypted"]


def test_damaged_archives_are_refused_and_nothing_else_is_raised() -> None:
    content = zipped({"a": b"hello" * 200, "b": b"world"})
    for at in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        try:
            with Archive(io.BytesIO(damaged), PLENTY) as archive:
                for entry in archive.entries(hidden=True):
                    if not entry.reason:
                        with archive.open(entry.index) as reader:
                            while reader.read(65536):
                                pass
        except Refused:
            continue
