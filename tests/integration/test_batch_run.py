"""``dicomveil deid`` over real files, with real worker processes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from daemon.batch.errors import BatchRefused
from daemon.batch.request import BatchProgress, BatchRequest, BatchSummary
from daemon.batch.run import run_batch
from daemon.workers.pool import WorkerPool
from tests.factories import PATIENTS, ct_file, encoded, make_ct, make_sc
from tests.prepared import worker_ahead
from tests.sections import make_limits, make_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.workers.spawning import Spawned

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes(range(32))
DEADLINE_S = 240.0
CONFIGURATION = json.loads((ROOT / "config/deidentifiers/basic.json").read_text())


def request(inputs: list[Path], out: Path, **changes: Any) -> BatchRequest:
    plain = BatchRequest(
        inputs=inputs,
        out=out,
        configuration=CONFIGURATION,
        key=KEY,
        limits=make_limits(),
        pixels=make_pixels(),
        deidentifier="basic",
        jobs=1,
    )
    return replace(plain, **changes)


def run(inputs: list[Path], out: Path, **changes: Any) -> tuple[BatchSummary, list[dict[str, Any]]]:
    """Run with a report, and a first worker that is a fork; return the summary and the records."""
    with worker_ahead(ROOT) as ahead:
        return run_by(ahead, inputs, out, **changes)


def run_by(
    ahead: list[Spawned], inputs: list[Path], out: Path, **changes: Any
) -> tuple[BatchSummary, list[dict[str, Any]]]:
    """Run by these workers first; without any, each has a process that nothing is known of."""
    report = out.parent / "report.json"
    summary = run_batch(request(inputs, out, report=report, **changes), spawned=ahead)
    return summary, json.loads(report.read_text())


def tree(folder: Path) -> dict[str, str]:
    """Digests of all files by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def bare(content: bytes) -> bytes:
    (meta_bytes,) = struct.unpack_from("<I", content, 140)
    return content[144 + meta_bytes :]


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def fill(folder: Path, count: int, rows: int = 4) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        content = ct_file(PATIENTS[number % 2], instance=number, series=2 + number % 2, rows=rows)
        (folder / f"{number:04}.dcm").write_bytes(content)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_an_object_that_has_no_study_is_written(tmp_path: Path) -> None:
    palette = Dataset()
    palette.SOPClassUID, palette.SOPInstanceUID = "1.2.840.10008.5.1.4.39.1", "1.2.3.4"
    palette.ContentLabel = "HOT_IRON"
    palette.file_meta = FileMetaDataset()
    palette.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "palette.dcm").write_bytes(encoded(palette))

    summary, (record,) = run([tmp_path / "in"], tmp_path / "out")

    assert record["state"] == "deidentified"
    assert summary.refused == 0
    (file,) = (tmp_path / "out").rglob("*.dcm")
    assert file.parent.name == "without-study"
    assert pydicom.dcmread(file).ContentLabel == "HOT_IRON"


def test_instances_get_names_from_replacements_only(source: Path, out: Path) -> None:
    fill(source / "DOE^JANE", 6)
    before = tree(source)
    summary, records = run([source], out)
    assert (summary.deidentified, summary.refused) == (6, 0)
    assert len(records) == 6
    for record in records:
        written = pydicom.dcmread(out / record["output"])
        patient, study, series, name = Path(record["output"]).parts
        assert patient == written.PatientID
        assert study == written.StudyInstanceUID
        assert series == written.SeriesInstanceUID
        assert name == f"{written.SOPInstanceUID}.dcm"
        assert written.PatientIdentityRemoved == "YES"
        assert record["state"] == "deidentified"
        assert record["deidentifier"] == "basic"
        assert "113100" in record["method"]
    assert tree(source) == before
    assert [each.name for each in out.iterdir() if not each.is_dir()] == [".dicomveil.json"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_same_run_again_gives_the_same_bytes_whatever_the_number_of_workers(
    source: Path, out: Path, jobs: int
) -> None:
    fill(source, 30)
    (source / "broken.dcm").write_bytes((source / "0003.dcm").read_bytes()[:300])
    first, _ = run_by([], [source], out, jobs=2)
    before = tree(out)
    again, records = run_by([], [source], out, jobs=jobs)
    assert tree(out) == before
    assert (again.deidentified, again.refused) == (first.deidentified, first.refused)
    assert len(records) == 31
    elsewhere = out.parent / "other"
    run_by([], [source], elsewhere, jobs=jobs)
    assert tree(elsewhere) == before


def test_bare_datasets_are_completed(source: Path, out: Path) -> None:
    content = encoded(make_ct())
    (source / "bare").write_bytes(bare(content))
    (source / "whole").write_bytes(content)
    summary, records = run([source], out)
    assert [record["state"] for record in records] == ["deidentified", "duplicate"]
    assert summary.duplicates == 1


def test_what_is_no_instance_is_reported_and_does_not_fail_the_run(source: Path, out: Path) -> None:
    fill(source, 1)
    (source / "README.txt").write_text("hello")
    (source / "empty").write_bytes(b"")
    (source / "folder-link").symlink_to(source)
    os.mkfifo(source / "pipe")
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    directory.DirectoryRecordSequence = []
    directory.save_as(source / "DICOMDIR", enforce_file_format=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(source / "socket"))
        summary, records = run([source], out)
    reasons = {Path(record["input"]).name: record["reason"] for record in records}
    assert reasons == {
        "0000.dcm": "",
        "DICOMDIR": "dicomdir",
        "README.txt": "not_dicom",
        "empty": "not_dicom",
        "folder-link": "symbolic_link",
        "pipe": "not_regular",
        "socket": "not_regular",
    }
    assert (summary.skipped, summary.refused) == (6, 0)


def test_broken_files_are_copied_to_a_quarantine_where_one_is_named(
    source: Path, out: Path, tmp_path: Path
) -> None:
    whole = encoded(make_ct())
    (source / "ZQXPHI.dcm").write_bytes(b"ZQXPHI is no DICOM")
    (source / "cut").write_bytes(whole[: len(whole) // 2])
    quarantine = tmp_path / "aside" / "quarantine"
    summary, records = run([source], out, quarantine=quarantine)
    assert summary.refused == 2
    assert stat.S_IMODE(quarantine.stat().st_mode) == 0o700
    for record in records:
        copied = quarantine / f"{record['quarantine_id']}.dcm"
        document = json.loads((quarantine / f"{record['quarantine_id']}.json").read_text())
        assert document["reason"] == record["reason"] != ""
        assert document["id"] == record["quarantine_id"]
        assert copied.read_bytes() == Path(record["input"]).read_bytes()
        assert stat.S_IMODE(copied.stat().st_mode) == 0o600
        assert record["output"] == ""
    assert "ZQXPHI" not in "\n".join(str(path) for path in quarantine.iterdir())
    assert "ZQXPHI" not in "\n".join(path.read_text() for path in quarantine.glob("*.json"))
    assert {path.name for path in out.iterdir()} == {"refused.jsonl", ".dicomveil.json"}


def test_zip_archives_are_entered(source: Path, out: Path) -> None:
    members = {f"JANE DOE/{n}.dcm": encoded(make_ct(instance=n)) for n in range(5)}
    members["notes.txt"] = b"hello"
    members["bare"] = bare(encoded(make_ct(instance=9)))
    members["inner.zip"] = zipped({"x": b"y"})
    members["broken.dcm"] = b"nothing"
    (source / "study.zip").write_bytes(zipped(members))
    summary, records = run([source / "study.zip"], out)
    states = {record["member"]: (record["state"], record["reason"]) for record in records}
    assert states.pop("notes.txt") == ("skipped", "not_dicom")
    assert states.pop("inner.zip") == ("refused", "archive_nested")
    assert states.pop("broken.dcm") == ("refused", "not_dicom")
    assert set(states.values()) == {("deidentified", "")}
    assert summary.deidentified == 6


def test_a_broken_zip_and_an_encrypted_entry_are_refused(
    source: Path, out: Path, tmp_path: Path
) -> None:
    content = bytearray(zipped({"x.dcm": encoded(make_ct())}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (source / "encrypted.zip").write_bytes(content)
    (source / "half.zip").write_bytes(content[: len(content) // 2])
    quarantine = tmp_path / "quarantine"
    summary, records = run([source], out, quarantine=quarantine)
    assert [record["reason"] for record in records] == ["archive_encrypted", "archive_broken"]
    assert summary.refused == 2
    half = quarantine / f"{records[1]['quarantine_id']}.zip"
    assert half.read_bytes() == (source / "half.zip").read_bytes()


def test_the_first_in_sorted_order_wins_and_other_content_is_a_conflict(
    source: Path, out: Path
) -> None:
    for name, rows in (("b", 4), ("a", 8), ("c", 8)):
        (source / name).write_bytes(encoded(make_ct(rows=rows)))
    _, records = run([source], out, jobs=3)
    states = {Path(record["input"]).name: record["state"] for record in records}
    assert states == {"a": "deidentified", "b": "refused", "c": "duplicate"}
    (written,) = out.glob("*/*/*/*.dcm")
    assert pydicom.dcmread(written).Rows == 8
    (conflict,) = (record for record in records if record["state"] == "refused")
    assert conflict["reason"] == "conflict"


def test_input_in_the_output_folder_is_a_usage_error(source: Path, out: Path) -> None:
    fill(out / "sub", 1)
    for inputs in ([out], [out / "sub"], [source, out / "sub" / "0000.dcm"]):
        with pytest.raises(BatchRefused):
            run_batch(request(inputs, out))
    with pytest.raises(BatchRefused):
        run_batch(request([source / "missing"], out))


def test_an_output_folder_inside_the_input_is_not_walked(source: Path) -> None:
    fill(source, 3)
    out = source / "out"
    for _ in range(2):
        summary = run_batch(request([source], out))
        assert summary.deidentified == 3
        assert summary.duplicates == 0


def test_links_in_the_output_folder_are_not_followed(
    source: Path, out: Path, tmp_path: Path
) -> None:
    fill(source, 1)
    _, records = run([source], out)
    patient = Path(records[0]["output"]).parts[0]
    shutil.rmtree(out)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out.mkdir()
    (out / patient).symlink_to(elsewhere)
    with pytest.raises(Exception, match="cannot be written"):
        run([source], out)
    assert list(elsewhere.iterdir()) == []


def test_two_runs_into_one_folder_at_once_are_refused(source: Path, out: Path) -> None:
    fill(source, 1)
    import fcntl  # noqa: PLC0415

    out.mkdir()
    descriptor = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(BatchRefused, match="another run"):
            run_batch(request([source], out))
    finally:
        os.close(descriptor)


def test_leftovers_of_a_killed_run_are_removed(source: Path, out: Path) -> None:
    fill(source, 1)
    out.mkdir()
    (out / ".dicomveil-0123456789abcdef-7.part").write_bytes(b"half")
    (out / "mine.part").write_bytes(b"not ours")
    run([source], out)
    assert [path.name for path in out.rglob("*.part")] == ["mine.part"]


def test_an_instance_that_takes_too_long_is_refused_and_the_run_goes_on(
    source: Path, out: Path, tmp_path: Path
) -> None:
    fill(source, 4)
    plain = encoded(make_ct(instance=50))
    # 60 million empty elements to walk: real work, that never ends within the limit.
    with (source / "0002-slow.dcm").open("wb") as file:
        file.write(plain)
        element = struct.pack("<HH2sH", 0x0009, 0x1001, b"LO", 0)
        file.write(element * 8_000_000)
    summary, records = run([source], out, limits=make_limits(timeout_s=1.0, timeout_per_mb_s=0.0))
    states = {Path(record["input"]).name: record["state"] for record in records}
    assert states.pop("0002-slow.dcm") == "refused"
    assert set(states.values()) == {"deidentified"}
    assert summary.deidentified == 4


def test_the_report_may_be_lines(source: Path, out: Path, tmp_path: Path) -> None:
    fill(source, 3)
    report = tmp_path / "report.jsonl"
    run_batch(request([source], out, report=report))
    records = [json.loads(line) for line in report.read_text().splitlines()]
    assert [Path(record["input"]).name for record in records] == [
        "0000.dcm",
        "0001.dcm",
        "0002.dcm",
    ]
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_a_report_never_replaces_an_instance(source: Path, out: Path) -> None:
    fill(source, 1)
    [instance] = source.iterdir()
    before = instance.read_bytes()
    with pytest.raises(BatchRefused, match=r"does not end in \.json"):
        run_batch(request([source], out, report=instance))
    assert instance.read_bytes() == before


def test_progress_is_told_and_ends_complete(source: Path, out: Path) -> None:
    fill(source, 10)
    told: list[BatchProgress] = []
    run_batch(request([source], out), told.append)
    assert told[-1] == BatchProgress(done=10, total=10, refused=0, resumed=0)


def test_pixels_that_may_show_names_are_refused_and_the_rest_goes_on(
    source: Path, out: Path
) -> None:
    fill(source, 2)
    (source / "sc.dcm").write_bytes(encoded(make_sc()))
    summary, _ = run([source], out)
    assert summary.deidentified == 2
    assert summary.refused == 1


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Make a folder of instances, and what a run over it that nobody interrupts writes."""
    folder = tmp_path_factory.mktemp("many")
    fill(folder / "in", 200, rows=64)
    run_batch(request([folder / "in"], folder / "out"))
    return folder / "in", tree(folder / "out")


_CHILD = textwrap.dedent(
    """
    import json, sys
    from pathlib import Path
    from daemon.batch.errors import BatchInterrupted
    from daemon.batch.request import BatchRequest
    from daemon.batch.run import run_batch
    from tests.sections import make_limits, make_pixels

    def tell(progress):
        print(progress.done, flush=True)
        if progress.done >= 40:
            sys.stdin.readline()  # no further before the signal has been sent

    source, out, configuration = map(Path, sys.argv[1:])
    request = BatchRequest(
        [source], out, json.loads(configuration.read_text()), bytes(range(32)),
        make_limits(), make_pixels(), jobs=2
    )
    print("ready", flush=True)
    try:
        run_batch(request, tell)
    except BatchInterrupted as interrupted:
        sys.exit(128 + interrupted.signal_number)
    """
)


def _interrupt(source: Path, out: Path, number: int, is_time: Callable[[int], bool]) -> int:
    """Run in a child and send it a signal once so many are done; return its exit status."""
    configuration = ROOT / "config/deidentifiers/basic.json"
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(source), str(out), str(configuration)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            for line in child.stdout:
                if not child.stdin.closed and line.strip().isdigit() and is_time(int(line)):
                    child.send_signal(number)
                    child.stdin.close()
            return child.wait(DEADLINE_S)
        finally:
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_nothing_is_half_written_and_a_second_run_completes_it(
    many: tuple[Path, dict[str, str]], out: Path, number: signal.Signals
) -> None:
    source, expected = many
    status = _interrupt(source, out, number, lambda done: done >= 40)
    assert status == (-number if number == signal.SIGKILL else 128 + number)
    left = tree(out)
    assert left.pop(".dicomveil-run.jsonl")
    parts = {name for name in left if name.endswith(".part")}
    assert left.items() - {(name, left[name]) for name in parts} <= expected.items()
    if number != signal.SIGKILL:
        assert parts == set()
    _wait_until_free(out)
    summary, _ = run([source], out, resume=True)
    assert summary.resumed >= 40
    assert tree(out) == expected


def test_an_interrupted_run_may_be_begun_anew(many: tuple[Path, dict[str, str]], out: Path) -> None:
    source, expected = many
    _interrupt(source, out, signal.SIGTERM, lambda done: done >= 40)
    summary, _ = run([source], out)
    assert summary.resumed == 0
    assert tree(out) == expected


def _wait_until_free(out: Path) -> None:
    end = time.monotonic() + DEADLINE_S
    while any(str(out) in path for path in _open_files()):
        assert time.monotonic() < end
        time.sleep(0.05)


def _open_files() -> list[str]:
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            found.append(str(link.readlink()))
        except OSError:
            continue
    return found


def test_an_instance_is_cleaned_of_what_its_whole_study_tells(tmp_path: Path) -> None:
    """Whatever the order: the name stands in the last file of the folder only."""
    folder = tmp_path / "in"
    folder.mkdir()
    speaks, names = make_ct(instance=1), make_ct(instance=2)
    speaks.PatientName, speaks.PatientComments = "", "told by kwurzelbaum, lungs clear"
    names.PatientName, names.PatientID = "Kwurzelbaum^Ottokar", speaks.PatientID
    (folder / "a.dcm").write_bytes(encoded(speaks))
    (folder / "z.dcm").write_bytes(encoded(names))
    contents = {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}, "text": {}}
    run([folder], tmp_path / "out", configuration=contents)
    comments = [
        str(dataset.get("PatientComments", ""))
        for path in (tmp_path / "out").rglob("*.dcm")
        for dataset in [pydicom.dcmread(path)]
    ]
    assert any("lungs clear" in comment for comment in comments)
    assert not any("kwurzelbaum" in comment for comment in comments)


@pytest.mark.parametrize(("inputs", "processes"), [(1, 1), (2, 2), (3, 2)])
def test_no_more_processes_are_started_than_there_are_inputs(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, inputs: int, processes: int
) -> None:
    started: list[int] = []
    start = WorkerPool.start

    async def counted(pool: WorkerPool) -> None:
        await start(pool)
        started.append(len(pool.pids))

    monkeypatch.setattr(WorkerPool, "start", counted)
    fill(source, inputs)
    summary, _ = run([source], out, jobs=2)
    assert summary.deidentified == inputs
    assert started == [processes]
