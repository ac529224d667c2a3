"""Copies that stand for the only original: whole, on the disk, read back, or not there at all."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon.receive.watch.descriptors import copy, new_file
from tests.integration.test_watch_folder import another_file_system, bench, part10, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.test_watch_folder import Bench

__all__ = ["bench"]
ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1_500_000
CONTENT = os.urandom(1_900_000)
"""More than a chunk, so that the last write is the one that the limit cuts short."""
_COPY = textwrap.dedent(
    """
    import os, resource, sys
    from daemon.receive.watch.descriptors import copy

    source = os.open(sys.argv[1], os.O_RDONLY)
    folder = os.open(sys.argv[2], os.O_RDONLY | os.O_DIRECTORY)
    limit = int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        copy(source, folder, "copy")
    except OSError as error:
        print(error.errno)
    """
)
_FINISH = textwrap.dedent(
    """
    import resource, sys
    from pathlib import Path
    from config.settings import Watch
    from daemon.receive.watch.claims import Claim
    from daemon.receive.watch.inbox import Inbox

    settings = Watch(path=Path(sys.argv[1]), after="move", moved_to=Path(sys.argv[2]))
    inbox = Inbox(settings)
    (found,) = inbox.scan()
    claim = inbox.claim(found, patient=False)
    assert isinstance(claim, Claim)
    limit = int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        inbox.finish(claim)
    except OSError:
        inbox.put_back(claim)
        print("kept")
    """
)


@pytest.fixture
def elsewhere(disk_path: Path) -> Iterator[Path]:
    """Give a folder on another file system."""
    folder = another_file_system(disk_path) / f"dicomveil-copies-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run(script: str, *arguments: object) -> str:
    return subprocess.run(
        [sys.executable, "-B", "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.parametrize("limit", [LIMIT, 1 << 20, 100, 0])
def test_a_copy_that_does_not_fit_is_an_error_and_leaves_nothing(
    disk_path: Path, limit: int
) -> None:
    (disk_path / "source").write_bytes(CONTENT)
    target = disk_path / "target"
    target.mkdir()
    # The system says that no more fits, once it was asked to take the rest as well.
    assert run(_COPY, disk_path / "source", target, limit) == str(errno.EFBIG)
    assert list(target.iterdir()) == []


def test_a_copy_that_fits_is_the_same(disk_path: Path) -> None:
    (disk_path / "source").write_bytes(CONTENT)
    target = disk_path / "target"
    target.mkdir()
    assert run(_COPY, disk_path / "source", target, 1 << 30) == ""
    assert (target / "copy").read_bytes() == CONTENT


def test_the_original_stays_where_its_copy_does_not_fit(disk_path: Path, elsewhere: Path) -> None:
    inbox = disk_path / "inbox"
    inbox.mkdir()
    (inbox / "only.dcm").write_bytes(part10(rows=1100))
    assert run(_FINISH, inbox, elsewhere, LIMIT) == "kept"
    assert (inbox / "only.dcm").read_bytes() == part10(rows=1100)
    assert list(elsewhere.iterdir()) == []


def _write_and_spoil(folder: int, path: Path) -> None:
    with new_file(folder, path.name) as file:
        file.write(CONTENT)
        with path.open("r+b") as other:
            other.seek(1_000_000)
            other.write(b"something else")


def test_a_copy_that_reads_back_differently_is_an_error(disk_path: Path) -> None:
    folder = os.open(disk_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(OSError, match="differs"):
            _write_and_spoil(folder, disk_path / "copy")
        assert not (disk_path / "copy").exists()
    finally:
        os.close(folder)


def test_an_original_that_changes_while_it_is_copied_has_no_copy(
    disk_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = disk_path / "source", disk_path / "target"
    source.write_bytes(CONTENT)
    target.mkdir()

    def changing(*_: int) -> None:  # between the copy and the second look at the original
        with source.open("r+b") as other:
            other.write(b"something else")

    monkeypatch.setattr(os, "posix_fadvise", changing)
    descriptor, folder = os.open(source, os.O_RDONLY), os.open(target, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="changed"):
            copy(descriptor, folder, "copy")
    finally:
        os.close(descriptor)
        os.close(folder)
    assert list(target.iterdir()) == []


def test_a_name_that_is_taken_is_not_replaced(disk_path: Path) -> None:
    (disk_path / "source").write_bytes(CONTENT)
    (disk_path / "copy").write_bytes(b"of somebody")
    descriptor, folder = os.open(disk_path / "source", os.O_RDONLY), os.open(disk_path, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            copy(descriptor, folder, "copy")
    finally:
        os.close(descriptor)
        os.close(folder)
    assert (disk_path / "copy").read_bytes() == b"of somebody"


async def test_what_was_received_is_not_received_again_while_its_target_is_away(
    bench: Bench, disk_path: Path
) -> None:
    (bench.inbox / "x.dcm").write_bytes(part10())
    target = disk_path / "moved"
    target.write_text("a file where the folder should be")
    async with bench.watching(after="move", moved_to=target, retry_s=0.1):
        await until(lambda: bench.events.received == 1)
        for _ in range(5):
            (bench.inbox / "y.dcm").write_bytes(b"no instance")
            await until(lambda: not (bench.inbox / "y.dcm").exists())
        assert bench.events.received == 1
        target.unlink()
        await until(lambda: target.is_dir() and list(target.iterdir()) != [])
    assert [path.read_bytes() for path in target.iterdir()] == [part10()]
    assert len(bench.spooled()) == 1
