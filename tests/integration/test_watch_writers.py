"""Writers that pause, hold their files open, or make room before they fill it: nothing is taken under them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon.receive.watch import writers
from daemon.receive.watch.writers import Tail, Writers, is_remote, tail_of, writers_of
from tests.integration.test_watch_folder import bench, part10, until, zipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.test_watch_folder import Bench

__all__ = ["bench"]

CONTENT = part10(rows=64)
_LONG_AGO = 1_000_000_000
assert CONTENT[-2:].strip(b"\0"), "of this picture the end is not black"


@pytest.mark.parametrize("after", ["delete", "keep", "move"])
@pytest.mark.parametrize("begun", [0, 900, len(CONTENT)])
async def test_what_is_open_for_writing_is_never_taken(
    bench: Bench, begun: int, after: str
) -> None:
    """However long its writer pauses, and whatever is there: a whole instance, a part, nothing."""
    async with bench.watching(after=after, incomplete_s=0.3):
        with (bench.inbox / "held.dcm").open("wb", buffering=0) as file:
            file.write(CONTENT[:begun])
            before = os.fstat(file.fileno()).st_ctime_ns
            await until(lambda: bench.events.held_open == 1)
            assert os.fstat(file.fileno()).st_ctime_ns == before, "nor is it renamed meanwhile"
            (bench.inbox / "other.dcm").write_bytes(part10(2))
            await until(lambda: bench.events.received == 1)
            assert bench.events.refused == []
            file.write(CONTENT[begun:])
        await until(lambda: bench.events.received == 2)
        await until(lambda: bench.events.held_open == 0)
    assert CONTENT in bench.spooled()


async def test_waiting_for_a_writer_is_said_once(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    async with bench.watching(incomplete_s=0.2):
        with (bench.inbox / "held.dcm").open("wb", buffering=0) as file:
            file.write(CONTENT[:100])
            await until(lambda: bench.events.held_open == 1)
            for number in range(3):
                (bench.inbox / f"{number}.dcm").write_bytes(part10(number))
                await until(lambda wanted=number + 1: bench.events.received == wanted)  # type: ignore[misc]
            file.write(CONTENT[100:])
        await until(lambda: bench.events.received == 4)
    assert capsys.readouterr().out.count("watch_file_held_open") == 1


async def test_an_archive_that_is_open_for_writing_is_not_taken(bench: Bench) -> None:
    archive = zipped({"a.dcm": part10(1), "b.dcm": part10(2)})
    async with bench.watching(incomplete_s=0.2):
        with (bench.inbox / "held.zip").open("wb", buffering=0) as file:
            file.write(archive)
            await until(lambda: bench.events.held_open == 1)
            assert bench.events.received == 0
        await until(lambda: bench.events.received == 2)


def truncated(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(len(CONTENT))


def allocated(path: Path) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, len(CONTENT))


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(len(CONTENT)))


def begun(path: Path) -> None:
    path.write_bytes(CONTENT[:2000])
    with path.open("r+b") as file:
        file.truncate(len(CONTENT))


def zeroed_behind(path: Path) -> None:
    path.write_bytes(CONTENT[:2000] + bytes(len(CONTENT) - 2000))


@pytest.mark.parametrize("prepare", [truncated, allocated, zeroed, begun, zeroed_behind])
async def test_room_that_is_still_to_be_filled_is_not_yet_a_picture(
    bench: Bench, prepare: Callable[[Path], None]
) -> None:
    """Nobody has it open, its size is the last one, its time stands still; only its end tells."""
    path = bench.inbox / "room.dcm"
    prepare(path)
    then = time.time() - 100
    os.utime(path, (then, then))
    async with bench.watching(incomplete_s=3600.0, settle_s=0.1):
        (bench.inbox / "other.dcm").write_bytes(part10(2))
        await until(lambda: bench.events.received == 1)
        assert bench.events.refused == []
        assert path.exists()
        with path.open("r+b") as file:
            file.write(CONTENT)
        os.utime(path, (then, then))
        await until(lambda: bench.events.received == 2)
    assert CONTENT in bench.spooled()


async def test_a_picture_that_is_black_at_its_end_is_taken(bench: Bench) -> None:
    black = CONTENT[:-4000] + bytes(4000)
    (bench.inbox / "black.dcm").write_bytes(black)
    async with bench.watching(incomplete_s=3600.0):
        await until(lambda: bench.events.received == 1)
    assert bench.spooled() == [black]


async def test_a_picture_with_a_hole_at_its_end_is_taken_after_patience_has_ended(
    bench: Bench,
) -> None:
    path = bench.inbox / "sparse.dcm"
    path.write_bytes(CONTENT[:-5000])
    with path.open("r+b") as file:
        file.truncate(len(CONTENT))
    async with bench.watching(incomplete_s=0.5):
        await until(lambda: bench.events.received == 1)


@pytest.mark.parametrize("is_writing", [True, False])
def test_a_process_that_has_the_file_open_is_found_without_leases(
    disk_path: Path, is_writing: bool
) -> None:
    path = disk_path / "file"
    path.write_bytes(b"x")
    mode = "ab" if is_writing else "rb"
    script = f"import sys; f = open(sys.argv[1], {mode!r}); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        descriptor = os.open(path, os.O_RDONLY)
        try:
            found = writers._writers_by_proc(descriptor)
            assert (found is Writers.SOME) is is_writing
            assert (writers_of(descriptor) is Writers.SOME) is is_writing
        finally:
            os.close(descriptor)
            child.stdin.close()


def test_how_a_file_ends_is_told(disk_path: Path) -> None:
    def tail(name: str, prepare: Callable[[Path], object]) -> Tail:
        path = disk_path / name
        prepare(path)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return tail_of(descriptor, path.stat().st_size)
        finally:
            os.close(descriptor)

    assert tail("truncated", truncated) is Tail.HOLE
    assert tail("zeroed", zeroed) is Tail.ZEROS
    assert tail("filled", lambda path: path.write_bytes(CONTENT)) is Tail.FILLED
    assert tail("empty", lambda path: path.write_bytes(b"")) is Tail.FILLED


def test_this_machine_s_file_systems_are_known_as_such(disk_path: Path) -> None:
    for folder in (disk_path, Path("/dev/shm"), Path("/proc")):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            assert not is_remote(descriptor)
        finally:
            os.close(descriptor)


async def test_where_writers_cannot_be_known_the_content_has_to_settle(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share: what another machine writes changes neither size nor time that we see."""
    share = _Share(bench.inbox / "shared.dcm", looks=2)
    monkeypatch.setattr(writers, "_REMOTE", share)
    async with bench.watching(settle_s=0.0, incomplete_s=0.3):
        await until(lambda: bench.events.received == 1)
    assert share.left == 0, "what still changed was not taken"
    assert bench.spooled() == [share.last]


class _Share:
    """All file systems, and a writer who changes the file whenever it is looked at, so many times."""

    def __init__(self, path: Path, *, looks: int) -> None:
        self._path = path
        self.left = looks
        path.write_bytes(CONTENT)
        self._write()

    def __contains__(self, _magic: object) -> bool:
        if self.left and self._path.exists():  # what was taken is out of his reach
            self.left -= 1
            self._write()
        return True

    def _write(self) -> None:
        with self._path.open("r+b") as file:
            file.seek(3000)
            file.write(os.urandom(8))
        os.utime(self._path, (_LONG_AGO, _LONG_AGO))
        self.last = self._path.read_bytes()
