"""What every `daemon.store.blobs.Blobs` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.store.blobs import Blobs, Move
from daemon.store.files.blobs import FileBlobs
from tests.document_engine import RowBlobs

if TYPE_CHECKING:
    from pathlib import Path

NAME = "0a1b" + "c" * 28
OTHER = "0a1b" + "d" * 28 + "-0123456789abcdef"
FAR = "ffff" + "e" * 28


@pytest.fixture(params=[FileBlobs, RowBlobs], ids=["files", "rows"])
def blobs(tmp_path: Path, request: pytest.FixtureRequest) -> Blobs:
    made: Blobs = request.param(tmp_path / "blobs")
    return made


def finished(tmp_path: Path, content: bytes = b"bytes") -> Path:
    path = tmp_path / f"finished-{content.hex()}"
    path.write_bytes(content)
    return path


def test_what_was_taken_is_there_whole(blobs: Blobs, tmp_path: Path) -> None:
    file = finished(tmp_path)
    assert blobs.take([Move(file, NAME)]) == [True]
    assert not file.exists()
    assert blobs.has(NAME)
    assert blobs.read(NAME, 0, 99) == b"bytes"


def test_many_are_taken_at_once(blobs: Blobs, tmp_path: Path) -> None:
    moves = [Move(finished(tmp_path, name.encode()), name) for name in (NAME, OTHER, FAR)]
    assert blobs.take(moves) == [True, True, True]
    assert sorted(blobs.names()) == sorted([NAME, OTHER, FAR])


def test_taking_again_after_a_crash_is_harmless(blobs: Blobs, tmp_path: Path) -> None:
    move = Move(finished(tmp_path), NAME)
    blobs.take([move])
    assert blobs.take([move]) == [True]
    assert blobs.read(NAME, 0, 99) == b"bytes"


def test_a_folder_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    """As one does who removes what is empty, after retention has emptied it."""
    blobs = FileBlobs(tmp_path / "blobs")
    blobs.take([Move(finished(tmp_path), NAME)])
    blobs.remove([NAME])
    blobs.path_of(NAME).parent.rmdir()
    move = Move(finished(tmp_path, b"later"), NAME)
    with pytest.raises(FileNotFoundError):
        blobs.take([move])
    assert move.file.exists()
    assert blobs.take([move]) == [True]
    assert blobs.read(NAME, 0, 99) == b"later"


def test_what_is_nowhere_is_told(blobs: Blobs, tmp_path: Path) -> None:
    there = Move(finished(tmp_path), NAME)
    assert blobs.take([Move(tmp_path / "none", FAR), there]) == [False, True]
    assert not blobs.has(FAR)


def test_removing_twice_is_not_an_error(blobs: Blobs, tmp_path: Path) -> None:
    blobs.take([Move(finished(tmp_path), NAME)])
    blobs.remove([NAME])
    blobs.remove([NAME, FAR])
    assert not blobs.has(NAME)
    assert list(blobs.names()) == []


def test_names_are_found_by_their_beginning(blobs: Blobs, tmp_path: Path) -> None:
    blobs.take([Move(finished(tmp_path, name.encode()), name) for name in (NAME, OTHER, FAR)])
    assert sorted(blobs.beginning_with("0a1b")) == sorted([NAME, OTHER])
    assert blobs.beginning_with("1234") == []


def test_a_range_of_bytes_is_read_and_the_size_is_told(blobs: Blobs, tmp_path: Path) -> None:
    blobs.take([Move(finished(tmp_path, b"0123456789"), NAME)])
    assert blobs.read(NAME, 2, 5) == b"234"
    assert blobs.read(NAME, 8, 99) == b"89"
    assert blobs.size(NAME) == 10
    assert blobs.size(FAR) is None
    with pytest.raises(FileNotFoundError):
        blobs.open(FAR)


def test_what_is_set_aside_is_a_file_and_no_blob(blobs: Blobs, tmp_path: Path) -> None:
    blobs.take([Move(finished(tmp_path), NAME)])
    blobs.set_aside(NAME, tmp_path / "aside" / "file")
    blobs.set_aside(NAME, tmp_path / "aside" / "other")
    assert not blobs.has(NAME)
    assert (tmp_path / "aside" / "file").read_bytes() == b"bytes"
    assert not (tmp_path / "aside" / "other").exists()


@pytest.mark.parametrize(
    "name", ["", "short", "../" * 12 + "etc/passwd", "A" * 32, "0" * 31 + "/", "0" * 31 + "."]
)
def test_a_name_that_is_not_ours_is_refused(blobs: Blobs, name: str) -> None:
    with pytest.raises(ValueError, match="not a blob name"):
        blobs.has(name)


def test_others_can_read_nothing_in_folders(tmp_path: Path) -> None:
    file = finished(tmp_path)
    file.chmod(0o644)
    blobs = FileBlobs(tmp_path / "blobs")
    blobs.take([Move(file, NAME)])
    path = blobs.local_path(NAME)
    for each in (path, path.parent, path.parent.parent, path.parent.parent.parent):
        assert each.stat().st_mode & 0o077 == 0
