"""Files dropped into a watched folder, with the real spool, the real database and real files."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    generate_uid,
)

from config.settings import Watch
from daemon.errors import SpoolFull
from daemon.receive.archive import ArchiveLimits
from daemon.receive.watch import NoEvents, WatchedFolder
from daemon.receive.watch.inbox import FolderNotOursError
from daemon.store.spool import FileSpool, FileSpoolFile
from daemon.store.sqlite.database import SqliteDatabase
from tests.sections import make_spool_limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from daemon.ports import SpoolFile
    from daemon.records import Origin, Receipt

# watchdog says so when a folder appears while it is being listed; in one of its threads it would be fatal.
pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")

DEADLINE_S = 240.0
ROOT = Path(__file__).resolve().parents[2]


def ct(number: int = 1, *, rows: int = 8, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["watch", str(number)])
    dataset.StudyInstanceUID = "1.2.3.4"
    dataset.SeriesInstanceUID = "1.2.3.4.5"
    dataset.PatientID = f"P{number}"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20200102", "101112", "1"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CT", 1, number
    dataset.PatientName = "ZQXPHI^WATCHED"
    dataset.Rows = dataset.Columns = rows
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = random.Random(number).randbytes(rows * rows * 2)
    return dataset


def part10(number: int = 1, *, rows: int = 8, syntax: str = ExplicitVRLittleEndian) -> bytes:
    buffer = io.BytesIO()
    ct(number, rows=rows, syntax=syntax).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def bare(number: int = 1, *, syntax: str = ExplicitVRLittleEndian) -> bytes:
    whole = part10(number, syntax=syntax)
    (meta_bytes,) = struct.unpack_from("<I", whole, 140)
    return whole[144 + meta_bytes :]


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


_PARTS = ("record_path", "archive", "in_flight", "retry_s")


@dataclass
class Counting(NoEvents):
    received: int = 0
    refused: list[str] = field(default_factory=list)
    held_open: int = 0

    def instance_received(self, size: int) -> None:
        self.received += 1

    def file_refused(self, reason: str) -> None:
        self.refused.append(str(reason))

    def files_held_open(self, count: int) -> None:
        self.held_open = count


@dataclass
class Bench:
    """A watched folder under test, and the spool behind it."""

    inbox: Path
    state: Path
    spool: FileSpool
    events: Counting = field(default_factory=Counting)

    @asynccontextmanager
    async def watching(self, **changes: Any) -> AsyncIterator[WatchedFolder]:
        settings = {
            "path": self.inbox,
            "settle_s": 0.05,
            "incomplete_s": 0.6,
            "scan_interval_s": 0.1,
        }
        parts = {name: changes.pop(name) for name in _PARTS if name in changes}
        watch = Watch(**{**settings, **changes})
        watched = WatchedFolder(watch, self.spool, self.events, **parts)
        await watched.start()
        try:
            yield watched
        finally:
            await watched.stop()

    def spooled(self) -> list[bytes]:
        """Return what is in the spool, in any order."""
        return [path.read_bytes() for path in self.spool.folder.iterdir() if path.suffix != ".part"]

    def refused(self) -> dict[str, dict[str, str]]:
        """Return the reason documents by the name of the file as it came."""
        documents = [
            json.loads(path.read_text()) for path in (self.inbox / ".refused").glob("*.reason.json")
        ]
        return {document.get("member") or document["name"]: document for document in documents}

    def waiting(self) -> list[Path]:
        """Return the files of others that are still in the inbox."""
        return [
            path
            for path in self.inbox.rglob("*")
            if not path.is_dir() and not path.relative_to(self.inbox).parts[0].startswith(".")
        ]


async def until(is_true: Callable[[], bool], what: str = "it happened") -> None:
    end = time.monotonic() + DEADLINE_S
    while not is_true():
        if time.monotonic() > end:
            raise AssertionError(f"gave up waiting until {what}")
        await asyncio.sleep(0.01)


@pytest.fixture
async def bench(disk_path: Path) -> AsyncIterator[Bench]:
    inbox, state = disk_path / "inbox", disk_path / "state"
    inbox.mkdir()
    state.mkdir(mode=0o700)
    database = SqliteDatabase(state / "dicomveil.sqlite")
    spool = FileSpool(state / "spool", database, make_spool_limits(min_free_bytes=0))
    yield Bench(inbox, state, spool)
    await database.close()
    spool.close()


def another_file_system(than: Path) -> Path:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == than.stat().st_dev:
        pytest.skip("needs /dev/shm on another file system")
    return memory


def start_child(bench: Bench, after: str) -> subprocess.Popen[bytes]:
    """Watch in a process of its own; returns once that takes files."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(bench.inbox), str(bench.state), after],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child.stdout:
        begun = child.stdout.readline()
    if begun != b"ready\n":
        child.kill()
        child.wait()
    assert begun == b"ready\n"
    return child


@dataclass
class _Meddled:
    """A spool; at the first bytes of the first instance, somebody writes to the file they come from."""

    spool: FileSpool
    inbox: Path
    content: bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.spool, name)

    def open(self, origin: Origin) -> SpoolFile:
        file, write = self.spool.open(origin), FileSpoolFile.write

        def meddling(data: bytes | bytearray | memoryview) -> None:
            write(file, data)
            if self.content:
                (path,) = (each for each in self.inbox.rglob("*x.dcm"))
                path.write_bytes(self.content)
                self.content = b""

        return cast("SpoolFile", _Forwarding(file, meddling))


class _Forwarding:
    """An instance being received, with another way to write it."""

    def __init__(self, file: FileSpoolFile, write: Callable[[bytes], None]) -> None:
        self._file = file
        self.write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("after", ["keep", "move"])
async def test_a_file_that_is_written_to_while_it_is_copied_is_received_as_it_ends_up(
    bench: Bench, disk_path: Path, after: str
) -> None:
    path, final = bench.inbox / "x.dcm", part10(2)
    path.write_bytes(part10(1))
    assert len(part10(1)) == len(final)
    target = disk_path / "moved"
    target.mkdir()
    bench.spool = cast("FileSpool", _Meddled(bench.spool, bench.inbox, final))
    async with bench.watching(after=after, **({"moved_to": target} if after == "move" else {})):
        await until(lambda: bench.events.received > 0)
    assert bench.spooled() == [final]


async def test_files_there_at_start_in_nested_folders_are_taken(bench: Bench) -> None:
    deep = bench.inbox / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (bench.inbox / "one.dcm").write_bytes(part10(1))
    (deep / "two").write_bytes(part10(2))
    async with bench.watching():
        await until(lambda: bench.events.received == 2)
    assert sorted(bench.spooled()) == sorted([part10(1), part10(2)])
    assert bench.waiting() == []
    assert list((bench.inbox / ".taking").iterdir()) == []


async def test_the_spooled_file_is_the_dropped_file_by_rename_and_closed_to_others(
    bench: Bench,
) -> None:
    dropped = bench.inbox / "x.dcm"
    dropped.write_bytes(part10())
    dropped.chmod(0o644)
    inode = dropped.stat().st_ino
    async with bench.watching():
        await until(lambda: bench.events.received == 1)
    (spooled,) = bench.spool.folder.iterdir()
    assert spooled.stat().st_ino == inode
    assert stat.S_IMODE(spooled.stat().st_mode) == 0o600


async def test_a_file_moved_in_is_noticed(bench: Bench, disk_path: Path) -> None:
    outside = disk_path / "outside"
    outside.mkdir()
    (outside / "x.dcm").write_bytes(part10(2))
    (bench.inbox / "first.dcm").write_bytes(part10(1))
    async with bench.watching(scan_interval_s=3600.0):
        # Events are listened for before the first scan: from here on only they can tell.
        await until(lambda: bench.events.received == 1)
        (outside / "x.dcm").rename(bench.inbox / "x.dcm")
        await until(lambda: bench.events.received == 2)


async def test_a_folder_moved_in_is_noticed(bench: Bench, disk_path: Path) -> None:
    outside = disk_path / "outside" / "study"
    outside.mkdir(parents=True)
    for number in range(5):
        (outside / f"{number}.dcm").write_bytes(part10(number))
    async with bench.watching():
        (disk_path / "outside").rename(bench.inbox / "outside")
        await until(lambda: bench.events.received == 5)


async def test_a_file_written_slowly_is_taken_whole(bench: Bench) -> None:
    content = part10(rows=64)
    async with bench.watching():
        with (bench.inbox / "slow.dcm").open("wb", buffering=0) as file:
            for at in range(0, len(content), 500):
                file.write(content[at : at + 500])
                await asyncio.sleep(0.07)  # longer than settle_s: only that it is open tells
        await until(lambda: bench.events.received == 1)
    assert bench.spooled() == [content]


async def test_a_writer_that_reopens_the_file_between_its_parts_is_waited_for(bench: Bench) -> None:
    content = part10(rows=64)
    path = bench.inbox / "appended.dcm"
    async with bench.watching(incomplete_s=3600.0):
        for at in range(0, len(content), 2000):
            with path.open("ab") as file:
                file.write(content[at : at + 2000])
            await asyncio.sleep(0.1)  # closed and settled, but not all there
        await until(lambda: bench.events.received == 1)
    assert bench.spooled() == [content]


async def test_a_truncated_file_is_put_aside_after_patience_has_ended(bench: Bench) -> None:
    (bench.inbox / "cut.dcm").write_bytes(part10()[:-20])
    async with bench.watching():
        await until(lambda: bench.events.refused == ["truncated"])
    assert bench.spooled() == []
    (kept,) = (p for p in (bench.inbox / ".refused").iterdir() if p.suffix != ".json")
    assert kept.read_bytes() == part10()[:-20]


async def test_temporary_names_and_hidden_files_wait_until_renamed(bench: Bench) -> None:
    for name in ("x.dcm.part", "y.tmp", ".hidden", "~lock"):
        (bench.inbox / name).write_bytes(part10())
    (bench.inbox / "last.dcm").write_bytes(part10(2))
    async with bench.watching():
        await until(lambda: bench.events.received == 1)
        (bench.inbox / "x.dcm.part").rename(bench.inbox / "x.dcm")
        await until(lambda: bench.events.received == 2)
    assert sorted(path.name for path in bench.waiting()) == ["y.tmp", "~lock"]
    assert (bench.inbox / ".hidden").exists()


async def test_the_same_name_again_is_taken_again(bench: Bench) -> None:
    path = bench.inbox / "x.dcm"
    async with bench.watching():
        for number in range(4):
            path.write_bytes(part10(number))
            await until(lambda: not path.exists())
            wanted = number + 1
            await until(lambda wanted=wanted: bench.events.received == wanted)  # type: ignore[misc]
    assert sorted(bench.spooled()) == sorted(part10(number) for number in range(4))


async def test_thousands_dropped_at_once_in_nested_folders_are_taken(bench: Bench) -> None:
    content = part10()
    for folder in range(80):
        place = bench.inbox / f"p{folder % 10}" / f"s{folder}"
        place.mkdir(parents=True)
        for number in range(25):
            (place / f"{number}.dcm").write_bytes(content)
    async with bench.watching():
        await until(lambda: bench.events.received == 2000)
    assert bench.waiting() == []
    assert len(bench.spooled()) == 2000


async def test_files_that_come_with_folders_while_watching_are_all_taken(bench: Bench) -> None:
    content = part10()

    def drop() -> None:
        for folder in range(300):
            place = bench.inbox / f"s{folder}"
            place.mkdir()
            (place / "1.dcm").write_bytes(content)

    async with bench.watching():
        await asyncio.to_thread(drop)
        await until(lambda: bench.events.received == 300)


async def test_with_keep_files_stay_and_a_restart_does_not_take_them_again(bench: Bench) -> None:
    path = bench.inbox / "x.dcm"
    path.write_bytes(part10(1))
    before = path.stat()
    keep = {"after": "keep", "record_path": bench.state / "watch.sqlite"}
    async with bench.watching(**keep):
        await until(lambda: bench.events.received == 1)
    async with bench.watching(**keep):
        (bench.inbox / "new.dcm").write_bytes(part10(2))
        await until(lambda: bench.events.received == 2)
    assert sorted(bench.spooled()) == sorted([part10(1), part10(2)])
    assert path.read_bytes() == part10(1)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_mode == before.st_mode
    for database in bench.state.glob("watch.sqlite*"):
        assert stat.S_IMODE(database.stat().st_mode) == 0o600


async def test_with_keep_changed_content_is_taken_anew(bench: Bench) -> None:
    path = bench.inbox / "x.dcm"
    path.write_bytes(part10(1))
    async with bench.watching(after="keep", record_path=bench.state / "watch.sqlite"):
        await until(lambda: bench.events.received == 1)
        path.write_bytes(part10(2))
        await until(lambda: bench.events.received == 2)
    assert path.read_bytes() == part10(2)


@pytest.mark.parametrize("is_alone", [True, False])
async def test_with_keep_what_has_the_inode_size_and_time_of_a_removed_file_is_taken(
    bench: Bench, *, is_alone: bool
) -> None:
    """As files have that an archive unpacks, where whole seconds are kept and slices are all of one size."""
    path, record = bench.inbox / "x.dcm", bench.state / "watch.sqlite"
    path.write_bytes(part10(1))
    os.utime(path, (1e9, 1e9))
    if not is_alone:
        (bench.inbox / "other.dcm").write_bytes(part10(3))
    others = int(not is_alone)
    async with bench.watching(after="keep", record_path=record):
        await until(lambda: bench.events.received == 1 + others)
        await until(lambda: remembered(record) == 1 + others)
        path.rename(bench.state / "elsewhere")
        (bench.inbox / ".wake").touch()
        await until(lambda: remembered(record) == others)
        path = bench.state / "elsewhere"
        assert len(part10(2)) == path.stat().st_size
        with path.open("r+b") as file:
            file.write(part10(2))
        os.utime(path, (1e9, 1e9))
        path.rename(bench.inbox / "y.dcm")
        await until(lambda: part10(2) in bench.spooled())


def remembered(record: Path) -> int:
    with closing(sqlite3.connect(record)) as connection:
        return int(connection.execute("select count(*) from taken").fetchone()[0])


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody change the folder; root is only kept from it by the immutable attribute."""
    folder.chmod(0o500)
    is_root = os.geteuid() == 0
    if is_root and subprocess.run(["chattr", "+i", folder], check=False).returncode:
        pytest.skip("root may write to every folder here")
    try:
        yield
    finally:
        if is_root:
            subprocess.run(["chattr", "-i", folder], check=True)
        folder.chmod(0o700)


async def test_with_keep_a_read_only_folder_is_served(bench: Bench) -> None:
    (bench.inbox / "x.dcm").write_bytes(part10(1))
    (bench.inbox / "README.txt").write_text("hello")
    with read_only(bench.inbox):
        async with bench.watching(after="keep"):
            await until(lambda: bench.events.received == 1 and bench.events.refused != [])
            # Left alone from now on, though scanned again and again.
            (bench.inbox / "x.dcm").write_bytes(part10(2))
            await until(lambda: bench.events.received == 2)
    assert bench.events.refused == ["not_dicom"]
    assert len(bench.waiting()) == 2


async def test_with_move_files_go_to_the_done_folder_with_their_folders(bench: Bench) -> None:
    (bench.inbox / "a").mkdir()
    path = bench.inbox / "a" / "x.dcm"
    async with bench.watching(after="move"):
        for number in (1, 2):
            path.write_bytes(part10(number))
            await until(lambda: not path.exists())
            wanted = number
            await until(lambda wanted=wanted: bench.events.received == wanted)  # type: ignore[misc]
    done = bench.inbox / ".done" / "a"
    assert (done / "x.dcm").read_bytes() == part10(1)
    assert (done / "x.dcm.1").read_bytes() == part10(2)
    assert sorted(bench.spooled()) == sorted([part10(1), part10(2)])


async def test_with_move_to_another_file_system_files_are_copied_there(bench: Bench) -> None:
    memory = another_file_system(bench.inbox)
    target = memory / f"dicomveil-{os.getpid()}"
    try:
        (bench.inbox / "x.dcm").write_bytes(part10())
        async with bench.watching(after="move", moved_to=target):
            await until(lambda: bench.events.received == 1)
        assert [path.read_bytes() for path in target.iterdir()] == [part10()]
    finally:
        shutil.rmtree(target, ignore_errors=True)


async def test_an_inbox_on_another_file_system_is_copied_from_and_emptied(bench: Bench) -> None:
    memory = another_file_system(bench.spool.folder)
    bench.inbox = memory / f"dicomveil-inbox-{os.getpid()}"
    bench.inbox.mkdir()
    try:
        (bench.inbox / "x.dcm").write_bytes(part10())
        (bench.inbox / "README.txt").write_text("hello")
        async with bench.watching():
            await until(lambda: bench.events.received == 1 and bench.events.refused != [])
        assert bench.spooled() == [part10()]
        assert bench.waiting() == []
        assert list((bench.inbox / ".taking").iterdir()) == []
    finally:
        shutil.rmtree(bench.inbox, ignore_errors=True)


async def test_a_file_with_other_names_is_copied_and_the_other_name_stays(
    bench: Bench, disk_path: Path
) -> None:
    other = disk_path / "archive.dcm"
    other.write_bytes(part10())
    os.link(other, bench.inbox / "x.dcm")
    async with bench.watching():
        await until(lambda: bench.events.received == 1)
    (spooled,) = bench.spool.folder.iterdir()
    assert spooled.stat().st_ino != other.stat().st_ino
    assert other.read_bytes() == part10()
    assert bench.waiting() == []


async def test_links_sockets_and_fifos_are_refused_with_a_reason(
    bench: Bench, disk_path: Path
) -> None:
    secret = disk_path / "secret.dcm"
    secret.write_bytes(part10())
    (bench.inbox / "out.dcm").symlink_to(secret)
    (bench.inbox / "passwd").symlink_to("/etc/passwd")
    (bench.inbox / "folder").symlink_to(disk_path)
    (bench.inbox / "dangling").symlink_to("nowhere")
    os.mkfifo(bench.inbox / "fifo.dcm")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(bench.inbox / "socket.dcm"))
        async with bench.watching():
            await until(lambda: len(bench.events.refused) == 6)
    reasons = {name: document["reason"] for name, document in bench.refused().items()}
    assert reasons == {
        "out.dcm": "symbolic_link",
        "passwd": "symbolic_link",
        "folder": "symbolic_link",
        "dangling": "symbolic_link",
        "fifo.dcm": "not_regular",
        "socket.dcm": "not_regular",
    }
    assert secret.read_bytes() == part10()
    assert bench.spooled() == []
    assert bench.waiting() == []


async def test_refused_files_keep_their_bytes_beside_the_reason_and_are_closed_to_others(
    bench: Bench,
) -> None:
    (bench.inbox / "sub").mkdir()
    (bench.inbox / "sub" / "README.txt").write_text("hello")
    async with bench.watching():
        await until(lambda: bench.events.refused == ["not_dicom"])
        await until(lambda: bench.waiting() == [])
    document = bench.refused()["sub/README.txt"]
    folder = bench.inbox / ".refused"
    assert (folder / document["id"]).read_text() == "hello"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / f"{document['id']}.reason.json").stat().st_mode) == 0o600


async def test_files_over_the_limit_are_refused(bench: Bench) -> None:
    (bench.inbox / "x.dcm").write_bytes(part10())
    async with bench.watching(max_file_bytes=100):
        await until(lambda: bench.events.refused == ["too_large"])


async def test_an_entry_over_the_limit_for_files_is_refused(bench: Bench) -> None:
    (bench.inbox / "z.zip").write_bytes(zipped({"a": part10(1), "b": part10(2, rows=99)}))
    async with bench.watching(max_file_bytes=10_000):
        await until(lambda: bench.events.refused == ["too_large"])
        await until(lambda: bench.waiting() == [])
    assert bench.spooled() == [part10(1)]
    assert bench.refused()["z.zip"]["reason"] == "too_large"


async def test_a_dicomdir_is_refused_as_such(bench: Bench) -> None:
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    directory.FileSetID = "ZQXPHI"
    directory.DirectoryRecordSequence = []
    directory.save_as(bench.inbox / "DICOMDIR", enforce_file_format=True)
    async with bench.watching():
        await until(lambda: bench.events.refused == ["dicomdir"])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
async def test_a_bare_dataset_becomes_a_part_10_file(bench: Bench, syntax: str) -> None:
    (bench.inbox / "bare").write_bytes(bare(7, syntax=syntax))
    async with bench.watching():
        await until(lambda: bench.events.received == 1)
    (content,) = bench.spooled()
    read = pydicom.dcmread(io.BytesIO(content))
    assert read.file_meta.TransferSyntaxUID == syntax
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    assert content.endswith(bare(7, syntax=syntax))
    assert bench.waiting() == []


async def test_a_zip_is_entered_and_removed_once_all_entries_are_spooled(bench: Bench) -> None:
    members = {f"patient {number}/i.dcm": part10(number) for number in range(40)}
    members["bare/set"] = bare(100)
    (bench.inbox / "study.zip").write_bytes(zipped(members))
    async with bench.watching():
        await until(lambda: bench.waiting() == [])
        await until(lambda: list((bench.inbox / ".taking").iterdir()) == [])
    assert bench.events.received == 41
    assert {part10(number) for number in range(40)} < set(bench.spooled())
    assert not (bench.inbox / ".refused").exists()


async def test_what_is_refused_in_a_zip_is_laid_out_with_its_reason(bench: Bench) -> None:
    inner = zipped({"x.dcm": part10(9)})
    link = zipfile.ZipInfo("link.dcm")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO(
        zipped({"../../evil.dcm": part10(1), "README.txt": b"hello", "inner.zip": inner})
    )
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    (bench.inbox / "mixed.zip").write_bytes(buffer.getvalue())
    async with bench.watching():
        await until(lambda: bench.waiting() == [] and len(bench.events.refused) == 3)
    assert bench.spooled() == [part10(1)]
    reasons = {name: document["reason"] for name, document in bench.refused().items()}
    # The link cannot be laid out as a file, so the archive itself is kept.
    assert reasons == {
        "README.txt": "not_dicom",
        "inner.zip": "archive_nested",
        "mixed.zip": "not_regular",
    }


async def test_an_encrypted_zip_is_refused_whole(bench: Bench) -> None:
    content = bytearray(zipped({"x.dcm": part10()}, zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (bench.inbox / "secret.zip").write_bytes(content)
    async with bench.watching():
        await until(lambda: bench.events.refused == ["archive_encrypted"])
        await until(lambda: bench.waiting() == [])
    document = bench.refused()["secret.zip"]
    assert (bench.inbox / ".refused" / document["id"]).read_bytes() == bytes(content)


async def test_a_zip_bomb_is_refused_without_unfolding(bench: Bench) -> None:
    bomb = part10()[:132] + bytes(200 << 20)
    (bench.inbox / "bomb.zip").write_bytes(zipped({"x.dcm": bomb}))
    async with bench.watching():
        await until(lambda: bench.events.refused == ["archive_bomb"])
    assert bench.spooled() == []


async def test_too_many_entries_are_refused(bench: Bench) -> None:
    (bench.inbox / "many.zip").write_bytes(zipped({f"{n}": b"" for n in range(50)}))
    async with bench.watching(archive=ArchiveLimits(entries=20)):
        await until(lambda: bench.events.refused == ["archive_too_many_entries"])


async def test_a_zip_still_being_written_is_waited_for(bench: Bench) -> None:
    content = zipped({f"{n}.dcm": part10(n) for n in range(5)})
    path = bench.inbox / "slow.zip"
    async with bench.watching(incomplete_s=3600.0):
        path.write_bytes(content[: len(content) // 2])
        await asyncio.sleep(0.2)
        with path.open("ab") as file:
            file.write(content[len(content) // 2 :])
        await until(lambda: bench.events.received == 5)
    assert bench.events.refused == []


class FullAtFirst:
    """The real spool, which says for a while that it is full."""

    def __init__(self, spool: FileSpool, refusals: int) -> None:
        self._spool = spool
        self.refusals = refusals

    def _perhaps_full(self) -> None:
        if self.refusals > 0:
            self.refusals -= 1
            raise SpoolFull

    def open(self, origin: Origin) -> SpoolFile:
        self._perhaps_full()
        return self._spool.open(origin)

    async def adopt(self, path: Path, origin: Origin) -> Receipt:
        self._perhaps_full()
        return await self._spool.adopt(path, origin)


async def test_while_the_spool_is_full_files_wait_and_none_is_lost(bench: Bench) -> None:
    for number in range(10):
        (bench.inbox / f"{number}.dcm").write_bytes(part10(number))
    (bench.inbox / "z.zip").write_bytes(zipped({"a": part10(20), "b": part10(21)}))
    folder = bench.spool.folder
    full = FullAtFirst(bench.spool, 30)
    bench.spool = full  # type: ignore[assignment]
    async with bench.watching(retry_s=0.05):
        await until(lambda: bench.events.received == 12)
    expected = {part10(number) for number in (*range(10), 20, 21)}
    assert {path.read_bytes() for path in folder.iterdir()} == expected


async def test_stopping_while_the_spool_is_full_gives_files_their_names_back(bench: Bench) -> None:
    (bench.inbox / "x.dcm").write_bytes(part10())
    full = FullAtFirst(bench.spool, 10**9)
    bench.spool = full  # type: ignore[assignment]
    async with bench.watching():
        await until(lambda: full.refusals < 10**9)
    assert (bench.inbox / "x.dcm").read_bytes() == part10()
    assert list((bench.inbox / ".taking").iterdir()) == []


async def test_a_folder_that_is_missing_is_waited_for_and_may_vanish(bench: Bench) -> None:
    bench.inbox.rmdir()
    async with bench.watching():
        await asyncio.sleep(0.1)
        bench.inbox.mkdir()
        (bench.inbox / "1.dcm").write_bytes(part10(1))
        await until(lambda: bench.events.received == 1)
        shutil.rmtree(bench.inbox)
        await asyncio.sleep(0.1)
        bench.inbox.mkdir()
        (bench.inbox / "2.dcm").write_bytes(part10(2))
        await until(lambda: bench.events.received == 2)


async def test_what_a_killed_run_left_behind_is_taken(bench: Bench) -> None:
    taking = bench.inbox / ".taking"
    taking.mkdir(mode=0o700)
    (taking / f"{'0' * 32}.x.dcm").write_bytes(part10())
    (taking / f"{'1' * 32}.README.txt").write_text("hello")
    async with bench.watching():
        await until(lambda: bench.events.received == 1 and bench.events.refused == ["not_dicom"])
        await until(lambda: list(taking.iterdir()) == [])
    assert "README.txt" in bench.refused()


async def test_our_folders_being_links_stops_taking(bench: Bench, disk_path: Path) -> None:
    elsewhere = disk_path / "elsewhere"
    elsewhere.mkdir()
    (bench.inbox / ".taking").symlink_to(elsewhere)
    (bench.inbox / "x.dcm").write_bytes(part10())
    async with bench.watching() as watched:
        await until(lambda: "watch_folder_not_ours" in watched._complained)
    assert list(elsewhere.iterdir()) == []
    assert (bench.inbox / "x.dcm").exists()
    assert FolderNotOursError.__name__


async def test_emptied_folders_are_removed_when_asked(bench: Bench) -> None:
    (bench.inbox / "a" / "b").mkdir(parents=True)
    (bench.inbox / "untouched").mkdir()
    (bench.inbox / "a" / "b" / "x.dcm").write_bytes(part10())
    async with bench.watching(remove_empty_folders=True, incomplete_s=0.2):
        await until(lambda: not (bench.inbox / "a").exists())
    assert (bench.inbox / "untouched").exists()


async def test_a_swap_by_a_link_while_taking_never_reaches_outside(
    bench: Bench, disk_path: Path
) -> None:
    outside = disk_path / "outside"
    outside.mkdir()
    (outside / "x.dcm").write_bytes(part10(999))
    halt = asyncio.Event()

    def swap() -> int:
        rounds = 0
        folder, link = bench.inbox / "f", bench.inbox / ".link"
        while not halt.is_set():
            rounds += 1
            folder.mkdir(exist_ok=True)
            (folder / "x.dcm").write_bytes(part10(1))
            shutil.move(folder, bench.inbox / f".old{rounds}")
            link.symlink_to(outside)
            link.rename(folder)
            time.sleep(0.002)
            folder.unlink(missing_ok=True)
        return rounds

    async with bench.watching(settle_s=0.0, scan_interval_s=0.001):
        swapping = asyncio.create_task(asyncio.to_thread(_ignoring_races, swap))
        await asyncio.sleep(2)
        halt.set()
        await swapping
    assert part10(999) not in bench.spooled()
    assert (outside / "x.dcm").read_bytes() == part10(999)


def _ignoring_races(function: Callable[[], int]) -> int:
    try:
        return function()
    except OSError:
        return 0


_CHILD = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from config.settings import Watch
    from daemon.receive.watch import WatchedFolder
    from daemon.store.sqlite.database import SqliteDatabase
    from daemon.store.spool import FileSpool, FileSpoolFile
    from tests.sections import make_spool_limits

    async def main(inbox, state, after):
        database = SqliteDatabase(state / "dicomveil.sqlite")
        spool = FileSpool(state / "spool", database, make_spool_limits(min_free_bytes=0))
        settings = Watch(path=inbox, settle_s=0.0, after=after)
        await WatchedFolder(settings, spool, record_path=state / "watch.sqlite").start()
        print("ready", flush=True)
        await asyncio.sleep(600)

    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
    """
)


@pytest.mark.parametrize("after", ["delete", "keep"])
async def test_killed_in_the_middle_of_taking_nothing_is_lost(bench: Bench, after: str) -> None:
    contents = {part10(number) for number in range(200)}
    for number in range(200):
        (bench.inbox / f"{number}.dcm").write_bytes(part10(number))
    for kill in range(4):
        child = await asyncio.to_thread(start_child, bench, after)
        with child:
            await asyncio.sleep(0.02 + 0.05 * kill)
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
    everywhere = set(bench.spooled()) | {
        path.read_bytes() for path in bench.inbox.rglob("*") if path.is_file()
    }
    assert contents <= everywhere
    async with bench.watching(after=after, record_path=bench.state / "watch.sqlite", retry_s=0.1):
        await until(lambda: contents <= set(bench.spooled()))
        if after == "delete":
            await until(lambda: bench.waiting() == [])


async def test_no_name_of_a_dropped_file_is_logged(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    (bench.inbox / "ZQXPHI^NAME.dcm").write_bytes(part10())
    (bench.inbox / "ZQXPHI.txt").write_text("ZQXPHI")
    (bench.inbox / "ZQXPHI.zip").write_bytes(zipped({"ZQXPHI": b"x", "ZQXPHI.dcm": part10(2)}))
    (bench.inbox / "ZQXPHI.lnk").symlink_to("ZQXPHI")
    async with bench.watching():
        await until(lambda: bench.events.received == 2 and len(bench.events.refused) == 3)
    captured = capfd.readouterr()
    assert "ZQXPHI" not in captured.out + captured.err
    assert "watch_file_refused" in captured.out + captured.err
