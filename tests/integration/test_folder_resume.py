"""``dicomveil deid --resume``: what is done stays, and nothing of two runs is mixed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import pydicom
import pytest

from tests.commands import typed
from tests.factories import (
    PATIENTS,
    Patient,
    ct_file,
    encoded,
    identifying_strings,
    make_ct,
    make_mr,
    make_sc,
    make_sr,
    make_us,
    original_uid,
)
from tests.folders import Deid, standing_still
from tests.service import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KEPT = ".dicomveil-run.jsonl"
_DEADLINE_S = 240.0
_LONG_AGO = 1_000_000_000
_KILLED_AT_THE_END = """
import os, signal
from daemon.batch.journal import Journal
from daemon.cli.main import main
Journal.finish = lambda self: os.kill(os.getpid(), signal.SIGKILL)
main()
"""
"""The program, killed where it would forget what it has done: who looks on from outside may come too late."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("resume") / "place"


@pytest.fixture
def deid(place: Path) -> Iterator[Deid]:
    """Hand out a dozen instances, at the same place and of the same time for each test."""
    place.mkdir()
    deid = Deid(place)
    for number in range(12):
        _write(deid.inputs / f"{number:02}.dcm", ct_file(instance=number, study=number % 3))
    for path in deid.inputs.rglob("*.dcm"):
        os.utime(path, (_LONG_AGO, _LONG_AGO))
    yield deid
    shutil.rmtree(place)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def undo(deid: Deid, journal: bytes, *names: str) -> None:
    """Make of a finished run one that was killed before these instances had their names."""
    (deid.folder / "out" / _KEPT).write_bytes(journal)
    for name in names:
        (deid.folder / "out" / name).unlink()


_WHOLE: dict[object, dict[str, str]] = {}


def undisturbed(deid: Deid, *arguments: str | Path) -> dict[str, str]:
    """Return what a run gives that nobody disturbs; the same inputs are run once for all tests."""
    asked = (arguments, tuple(sorted(tree(deid.inputs).items())))
    if asked not in _WHOLE:
        run = deid(deid.inputs, "--out", "whole", "--key-file", deid.key, *arguments)
        assert run.returncode == 0, run.stderr
        _WHOLE[asked] = tree(deid.folder / "whole")
    return _WHOLE[asked]


_KILLED: dict[object, Path] = {}


def interrupted(deid: Deid, *arguments: str | Path) -> tuple[bytes, dict[str, str]]:
    """Run, killed at the end, so that all is done and remembered; return the journal and the whole output.

    What the same inputs give is made once for all tests, and lies where it was made.
    """
    whole = undisturbed(deid, *arguments)
    out = deid.folder / "out"
    asked = (arguments, tuple(sorted(tree(deid.inputs).items())))
    if asked in _KILLED:
        shutil.copytree(_KILLED[asked], out)
        return (out / _KEPT).read_bytes(), whole
    with _started(deid, out, *arguments, program=("-c", _KILLED_AT_THE_END)) as child:
        child.communicate(timeout=_DEADLINE_S)
    assert child.returncode == -signal.SIGKILL
    _KILLED[asked] = deid.folder.with_name(f"killed-{len(_KILLED)}")
    shutil.copytree(out, _KILLED[asked])
    return (out / _KEPT).read_bytes(), whole


@contextmanager
def _started(
    deid: Deid, out: Path, *arguments: str | Path, program: tuple[str, ...]
) -> Iterator[subprocess.Popen[str]]:
    """Start it in a session of its own, which is killed where the block ends before it does."""
    command = [sys.executable, *program, "deid", deid.inputs, "--out", out]
    with subprocess.Popen(
        [*map(str, command), "--key-file", str(deid.key), *map(str, arguments)],
        cwd=deid.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=deid.environment,
        start_new_session=True,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)


def _wait_until_remembered(out: Path, count: int) -> None:
    wait_until(lambda: _remembered(out) >= count, what=f"{count} instances have their names")


@cache
def _screen(patient: Patient) -> bytes:
    return encoded(make_sc(patient, rows=8))


@cache
def _first_slice(patient: Patient) -> tuple[bytes, bytes]:
    made = make_mr(patient, rows=8)
    return encoded(made), made.SOPInstanceUID.encode()


def _slice(patient: Patient, number: int) -> bytes:
    """Return one of thousands of MR slices: their UIDs are of one length, and drawing takes its time."""
    content, uid = _first_slice(patient)
    return content.replace(uid, original_uid(patient.patient_id, "MR", number).encode())


def mixed(folder: Path, count: int) -> set[bytes]:
    """Fill a folder with all that people put into one; return what must stand nowhere in the output."""
    values: set[bytes] = set()
    for number in range(count):
        patient = PATIENTS[number % len(PATIENTS)]
        place = folder / f"{patient.patient_id} {patient.name[:5]}".replace("/", "_")
        kind = number % 20
        if kind == 3:
            _write(place / f"{number}.txt", b"a note")
        elif kind == 7:
            _write(place / f"{number}.dcm", _screen(patient))
        elif kind == 11:
            content = ct_file(patient, instance=number)
            _write(place / f"{number} cut.dcm", content[: len(content) // 2])
        elif kind == 13:
            _write(place / f"{number}.dcm", b"no DICOM at all")
        elif kind == 15:
            with zipfile.ZipFile(folder / f"{number}.zip", "w") as archive:
                for inner in range(3):
                    archive.writestr(
                        f"{patient.patient_id}/{inner}", _slice(patient, number * 3 + inner)
                    )
        elif kind == 17:
            _write(place / f"{number} again.dcm", ct_file(PATIENTS[0], instance=100))
        else:
            content = ct_file(patient, instance=number, study=1 + number % 4)
            _write(place / f"{number}.dcm", content)
            if number < 60:
                values |= identifying_strings(pydicom.dcmread(io.BytesIO(content)))
    for make in (make_sr, make_us):
        _write(folder / f"{make.__name__}.dcm", encoded(make()))
    return values


def test_2000_mixed_files_killed_and_resumed_give_the_bytes_of_an_undisturbed_run(
    disk_path: Path,
) -> None:
    deid = Deid(disk_path)
    values = mixed(deid.inputs, 2000)
    undisturbed = deid(
        deid.inputs, "--out", "whole", "--key-file", deid.key, "--report", "whole.jsonl"
    )
    assert undisturbed.returncode == 3, undisturbed.stderr
    out = deid.folder / "out"
    for target in (150, 500, 800):
        more = target - _remembered(out) + 600
        asked = ("--resume", "--report", "out.jsonl")
        with _started(deid, out, *asked, program=standing_still(more)) as child:
            _wait_until_remembered(out, target)
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate(timeout=_DEADLINE_S)
        assert child.returncode == -signal.SIGKILL
    before = _remembered(out)
    assert before >= 800
    resumed = deid(
        deid.inputs, "--out", "out", "--key-file", deid.key, "--resume", "--report", "out.jsonl"
    )
    assert resumed.returncode == 3, resumed.stderr
    assert f"({before} of them earlier)" in resumed.stdout
    assert tree(out) == tree(deid.folder / "whole")
    told, again = (
        [json.loads(line) for line in (deid.folder / name).read_text().splitlines()]
        for name in ("whole.jsonl", "out.jsonl")
    )
    assert len(told) > 2000
    assert again == told
    content = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert len(values) > 50
    assert [value for value in values if value in content] == []


def _remembered(out: Path) -> int:
    try:
        return (out / _KEPT).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def test_nothing_that_is_remembered_names_an_input(deid: Deid) -> None:
    (deid.inputs / "00.dcm").rename(deid.inputs / "0-JANEDOE.dcm")
    journal, _ = interrupted(deid)
    assert journal.count(b"\n") >= 1
    for word in (str(deid.inputs), "JANEDOE", PATIENTS[0].patient_id, PATIENTS[0].name):
        assert word.encode() not in journal


class TestDoneAgain:
    @pytest.mark.parametrize("harm", ["removed", "cut", "changed", "replaced by a link"])
    def test_an_output_that_is_not_as_it_was(self, deid: Deid, harm: str) -> None:
        journal, whole = interrupted(deid)
        undo(deid, journal)
        name = json.loads(journal.splitlines()[0])["output"]
        file = deid.folder / "out" / name
        content = file.read_bytes()
        file.unlink()
        if harm == "cut":
            file.write_bytes(content[:-10])
        elif harm == "changed":
            file.write_bytes(content[:-1] + b"!")
        elif harm == "replaced by a link":
            elsewhere = deid.folder / "elsewhere"
            elsewhere.write_bytes(content)
            file.symlink_to(elsewhere)
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--resume")
        assert run.returncode == 0, run.stderr
        assert f"({len(journal.splitlines()) - 1} of them earlier)" in run.stdout
        assert tree(deid.folder / "out") == whole
        assert not file.is_symlink()

    def test_an_input_that_has_changed(self, deid: Deid) -> None:
        journal, _ = interrupted(deid)
        undo(deid, journal)
        _write(deid.inputs / "00.dcm", encoded(make_ct(instance=0, study=0, rows=8)))
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--resume")
        assert run.returncode == 0, run.stderr
        assert tree(deid.folder / "out") == undisturbed(deid)

    def test_what_another_input_that_comes_first_gives_the_same_name(self, deid: Deid) -> None:
        journal, _ = interrupted(deid)
        undo(deid, journal)
        first = encoded(make_ct(instance=3, study=0, rows=8))
        _write(deid.inputs / "!first.dcm", first)
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--resume")
        fresh = deid(deid.inputs, "--out", "fresh", "--key-file", deid.key)
        assert run.returncode == fresh.returncode == 3
        assert "conflict 1" in run.stdout
        assert tree(deid.folder / "out") == tree(deid.folder / "fresh")

    def test_what_a_new_instance_of_its_study_tells_of_people(self, deid: Deid) -> None:
        shutil.rmtree(deid.inputs)
        speaks, names = make_ct(instance=1), make_ct(instance=2)
        speaks.PatientName, speaks.PatientComments = "", "told by kwurzelbaum, lungs clear"
        names.PatientName, names.PatientID = "Kwurzelbaum^Ottokar", speaks.PatientID
        _write(deid.inputs / "a.dcm", encoded(speaks))
        (deid.folder / "own.json").write_text(
            '{"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}, "text": {}}'
        )
        journal, _ = interrupted(deid, "--deid-config", "own.json")
        undo(deid, journal)
        _write(deid.inputs / "z.dcm", encoded(names))
        again = ("--key-file", deid.key, "--deid-config", "own.json")
        run = deid(deid.inputs, "--out", "out", *again, "--resume")
        assert run.returncode == 0, run.stderr
        content = b"".join(path.read_bytes() for path in (deid.folder / "out").rglob("*.dcm"))
        assert b"kwurzelbaum" not in content

    def test_a_last_line_that_was_cut_off(self, deid: Deid) -> None:
        journal, whole = interrupted(deid)
        undo(deid, journal[:-40])
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--resume")
        assert run.returncode == 0
        assert tree(deid.folder / "out") == whole


class TestNotMixed:
    def refused(self, deid: Deid, *arguments: str | Path) -> str:
        """Run in this process, as nothing comes of it; return what is said."""
        before = tree(deid.folder / "out")
        run = typed(
            *("deid", deid.inputs, "--out", "out", *arguments),
            folder=deid.folder,
            environment=deid.environment,
        )
        assert run.returncode == 2, run.stderr
        assert tree(deid.folder / "out") == before
        return run.stderr

    @pytest.mark.parametrize("resume", [["--resume"], []])
    def test_with_another_configuration_key_or_naming(self, deid: Deid, resume: list[str]) -> None:
        journal, _ = interrupted(deid)
        undo(deid, journal)
        other = deid.key_file("other.key", bytes(range(101, 133)))
        same_key = ("--key-file", deid.key)
        usual = deid.environment
        deid.environment = usual | {"DICOMVEIL_DEIDENTIFIERS__DEFAULT__CONFIG": "research"}
        assert "another configuration" in self.refused(deid, *same_key, *resume)
        deid.environment = usual
        assert "another key" in self.refused(deid, "--key-file", other, *resume)
        assert "--layout" in self.refused(deid, *same_key, "--layout", "flat", *resume)
        named = ("--deidentifier", "basic")
        assert "another key, or under another deidentifier" in self.refused(
            deid, *same_key, *named, *resume
        )
        run = deid(deid.inputs, "--out", "out", *same_key, *resume)
        assert run.returncode == 0

    def test_with_another_version(self, deid: Deid) -> None:
        interrupted(deid)
        mark = deid.folder / "out" / ".dicomveil.json"
        document = json.loads(mark.read_text())
        document["made_by"]["program"] = "0" * 32
        mark.write_text(json.dumps(document))
        assert "another version of dicomveil" in self.refused(
            deid, "--key-file", deid.key, "--resume"
        )

    def test_with_instances_that_somebody_else_put_there(self, deid: Deid) -> None:
        _write(deid.folder / "out" / "DOE" / "x.dcm", encoded(make_ct()))
        told = self.refused(deid, "--key-file", deid.key)
        assert "holds DICOM files that no run of dicomveil remembers" in told
        assert "DOE" not in told

    def test_with_a_mark_that_cannot_be_read(self, deid: Deid) -> None:
        _write(deid.folder / "out" / ".dicomveil.json", b"{")
        assert "cannot be read" in self.refused(deid, "--key-file", deid.key)


def test_what_an_earlier_run_made_of_inputs_that_are_gone_is_counted(deid: Deid) -> None:
    deid(deid.inputs, "--out", "out", "--key-file", deid.key)
    (deid.inputs / "00.dcm").unlink()
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key)
    assert run.returncode == 0
    assert "also holds 1 DICOM files that this run did not write" in run.stderr


def test_a_resumed_run_traces_all_and_counts_none_twice(deid: Deid) -> None:
    journal, _ = interrupted(deid)
    undo(deid, journal, json.loads(journal.splitlines()[0])["output"])
    run = deid(
        deid.inputs, "--out", "out", "--key-file", deid.key, "--resume", "--crosswalk", "c.jsonl"
    )
    assert run.returncode == 0, run.stderr
    deid(deid.inputs, "--dry-run", "--key-file", deid.key, "--crosswalk", "fresh.jsonl")
    rows = (deid.folder / "c.jsonl").read_text().splitlines()
    assert len(rows) == 13
    assert rows == (deid.folder / "fresh.jsonl").read_text().splitlines()


@pytest.fixture
def many(disk_path: Path) -> Deid:
    deid = Deid(disk_path)
    for number in range(60):
        _write(deid.inputs / f"{number:03}.dcm", ct_file(instance=number))
    return deid


def test_two_signals_end_a_run_at_once_and_nothing_is_half_written(many: Deid) -> None:
    deid, out = many, many.folder / "out"
    with _started(deid, out, program=standing_still(30, ends=False)) as child:
        _wait_until_remembered(out, 20)
        child.send_signal(signal.SIGINT)
        wait_until((deid.folder / "told-to-end").exists, what="the first one is obeyed")
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=_DEADLINE_S)
    assert child.returncode == 130
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--resume")
    fresh = deid(deid.inputs, "--out", "fresh", "--key-file", deid.key)
    assert run.returncode == fresh.returncode == 0, run.stderr
    assert tree(out) == tree(deid.folder / "fresh")


def test_a_first_signal_says_how_to_go_on(many: Deid) -> None:
    deid, out = many, many.folder / "out"
    with _started(deid, out, "--report", "r.jsonl", program=standing_still(30)) as child:
        _wait_until_remembered(out, 20)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=_DEADLINE_S)
    assert child.returncode == 130
    assert "with --resume goes on from there" in told
    assert len((deid.folder / "r.jsonl").read_text().splitlines()) >= 20
