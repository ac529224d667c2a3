"""Writing new bytes and spans of the source."""

from __future__ import annotations

import errno
import mmap
import os
import random
from typing import TYPE_CHECKING

import pytest

from daemon.workers.writing import write_segments
from deid.encoding.segments import Span

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

    from deid.encoding.segments import Segment

SOURCE = random.Random(7).randbytes(9_000_000)


def mapped(file: BinaryIO) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def written(path: Path, segments: Iterable[Segment]) -> tuple[int, bytes]:
    source, out = path / "source", path / "out"
    source.write_bytes(SOURCE)
    with source.open("rb") as file_in, out.open("wb") as file_out, mapped(file_in) as buffer:
        count = write_segments(file_out.fileno(), buffer, segments)
        assert file_in.tell() == 0
    return count, out.read_bytes()


def expected(segments: Iterable[Segment]) -> bytes:
    return b"".join(
        SOURCE[each.start : each.stop] if isinstance(each, Span) else each for each in segments
    )


@pytest.mark.parametrize(
    "segments",
    [
        [],
        [b""],
        [b"head", Span(0, 0), b"tail"],
        [b"head", Span(10, 20), b"", Span(100, 9_000_000), b"tail"],
        [Span(0, 9_000_000)],
        [Span(2_000_000, 2_100_000), Span(0, 100_000), Span(5, 6)],
        [b"x" * 9_000_000, Span(7, 9)],
        [piece for n in range(2000) for piece in (b"%d" % n, Span(n, n + 300))],
    ],
    ids=["none", "empty", "empty span", "mixed", "whole", "not in order", "large", "many"],
)
def test_segments_are_written_in_order(tmp_path: Path, segments: list[Segment]) -> None:
    count, data = written(tmp_path, segments)
    assert data == expected(segments)
    assert count == len(data)


@pytest.mark.parametrize("span", [Span(8_999_990, 9_000_010), Span(2_000_000, 10_000_000)])
def test_a_span_past_the_end_is_refused(tmp_path: Path, span: Span) -> None:
    with pytest.raises(EOFError):
        written(tmp_path, [span])


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, pieces: whole(fd, [b"".join(pieces)[:3]]))
    segments: list[Segment] = [b"abc", b"defgh", Span(0, 50)]
    assert written(tmp_path, segments)[1] == expected(segments)


def test_a_source_that_was_cut_short_meanwhile_is_an_error_of_reading(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.write_bytes(SOURCE)
    with source.open("rb") as file_in, out.open("wb") as file_out, mapped(file_in) as buffer:
        os.truncate(source, 0)
        with pytest.raises(OSError, match="cannot be read") as raised:
            write_segments(file_out.fileno(), buffer, [Span(0, 9_000_000)])
    assert raised.value.errno == errno.EIO


def test_a_full_disk_is_the_callers_to_hear_of(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(SOURCE)
    with (
        source.open("rb") as file_in,
        mapped(file_in) as buffer,  # and can still be unmapped
        open("/dev/full", "wb") as full,  # noqa: PTH123
    ):
        with pytest.raises(OSError, match="No space") as raised:
            write_segments(full.fileno(), buffer, [b"x" * 10, Span(7, 99)])
        assert raised.value.errno == errno.ENOSPC
