"""What ``dicomveil deid`` refuses: it stays where it was, and the output folder can be shared as it is."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from daemon.batch.naming import safe_component
from daemon.reasons import REASONS
from tests.factories import PATIENTS, encoded, identifying_strings, make_ct, make_sc, write
from tests.folders import ROOT, Deid, DeidHere

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset


@pytest.fixture
def deid(disk_path: Path) -> Deid:
    return DeidHere(disk_path)


def mixed(folder: Path) -> list[Dataset]:
    """Fill a folder with instances that pass, that are refused and that are none; return all of the former."""
    name = "MUELLER^JUERGEN 19610909"
    people = [make_ct(PATIENTS[0]), make_ct(PATIENTS[1], study=2), make_sc(PATIENTS[2])]
    for number, instance in enumerate(people):
        write(folder / name / f"{name}-{number}.dcm", instance)
    cut = encoded(make_ct(PATIENTS[3], study=4))
    (folder / name / f"{name} cut.dcm").write_bytes(cut[: len(cut) // 2])
    (folder / f"{name}.txt").write_text(name)
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        archive.writestr(f"{name}/x.dcm", cut[:700])
    return [*people, make_ct(PATIENTS[3], study=4)]


def test_a_zip_of_the_output_folder_holds_no_original_value(deid: Deid) -> None:
    people = mixed(deid.inputs)
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key)
    assert run.returncode == 3
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-c", "share.zip", "out"],
        cwd=deid.folder,
        check=True,
        timeout=500,
    )
    values = {value for person in people for value in identifying_strings(person)}
    values |= {b"MUELLER", b"JUERGEN", b"19610909", str(deid.inputs).encode()}
    with zipfile.ZipFile(deid.folder / "share.zip") as shared:
        names = shared.namelist()
        content = b"\n".join(shared.read(name) for name in names) + "\n".join(names).encode()
    assert len(values) > 20
    assert [value for value in values if value in content] == []
    assert any(name.endswith("refused.jsonl") for name in names)
    assert sum(name.endswith(".dcm") for name in names) == 2


def test_nothing_of_what_it_says_names_an_input(deid: Deid) -> None:
    mixed(deid.inputs)
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", "report.json")
    assert "MUELLER" not in run.stdout + run.stderr
    assert "MUELLER" in (deid.folder / "report.json").read_text()


def test_what_is_refused_stays_and_is_listed_by_the_number_in_the_report(deid: Deid) -> None:
    mixed(deid.inputs)
    before = {path: path.read_bytes() for path in deid.inputs.rglob("*") if path.is_file()}
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", "r.jsonl")
    assert run.returncode == 3
    lines = (deid.folder / "out" / "refused.jsonl").read_text().splitlines()
    refused = {each["input"]: each for each in map(json.loads, lines)}
    records = [json.loads(line) for line in (deid.folder / "r.jsonl").read_text().splitlines()]
    assert [record["number"] for record in records] == [*range(1, len(records) + 1)]
    expected = {each["number"]: each["reason"] for each in records if each["state"] == "refused"}
    assert {number: each["reason"] for number, each in refused.items()} == expected
    assert len(expected) == 3
    assert set(next(iter(refused.values()))) == {"input", "reason", "where", "means", "then"}
    assert before == {path: path.read_bytes() for path in deid.inputs.rglob("*") if path.is_file()}


def test_a_run_without_refusals_removes_the_list_of_an_earlier_one(deid: Deid) -> None:
    note = deid.inputs / "note.dcm"
    note.write_bytes(b"hello")
    deid(deid.inputs, "--out", "out", "--key-file", deid.key)
    assert (deid.folder / "out" / "refused.jsonl").exists()
    note.unlink()
    assert deid(deid.inputs, "--out", "out", "--key-file", deid.key).returncode == 0
    assert not (deid.folder / "out" / "refused.jsonl").exists()


def test_every_reason_is_told_with_its_remedy(deid: Deid) -> None:
    mixed(deid.inputs)
    (deid.inputs / "note.dcm").write_bytes(b"hello")
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key)
    lines = (deid.folder / "out" / "refused.jsonl").read_text().splitlines()
    reasons = {json.loads(line)["reason"] for line in lines}
    assert len(reasons) > 1
    for reason in reasons:
        assert f"x {reason}: {REASONS[reason].means} {REASONS[reason].then}" in run.stderr


class TestQuarantine:
    @pytest.mark.parametrize("place", ["out", "out/aside", ".", "in", "link/aside"])
    def test_it_lies_neither_in_the_output_nor_around_it_nor_around_an_input(
        self, deid: Deid, place: str
    ) -> None:
        (deid.folder / "out").mkdir()
        (deid.folder / "link").symlink_to(deid.folder / "out")
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--quarantine", place)
        assert run.returncode == 2, run.stderr
        assert list((deid.folder / "out").iterdir()) == []

    def test_one_inside_an_input_is_not_taken_for_input(self, deid: Deid) -> None:
        (deid.inputs / "note.dcm").write_bytes(b"hello")
        where = deid.inputs / "aside"
        for _ in range(2):
            run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--quarantine", where)
            assert "1 refused" in run.stdout
        assert len(list(where.iterdir())) == 2

    def test_what_cannot_be_written_there_ends_the_run_and_names_it(self, deid: Deid) -> None:
        (deid.inputs / "note.dcm").write_bytes(b"hello")
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--quarantine", "/proc/q")
        assert run.returncode == 2
        assert "/proc/q cannot be a quarantine" in run.stderr


class TestReport:
    def test_its_folders_are_made_for_the_user_alone(self, deid: Deid) -> None:
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", "a/b/r.json")
        assert run.returncode == 0
        report = deid.folder / "a" / "b" / "r.json"
        assert stat.S_IMODE(report.stat().st_mode) == 0o600
        assert stat.S_IMODE(report.parent.stat().st_mode) == 0o700

    def test_a_table_has_a_heading_and_a_row_for_each_input(self, deid: Deid) -> None:
        odd = os.fsencode(deid.inputs) + b'/a\nb,"c\xff.dcm'
        with open(odd, "wb") as file:  # noqa: PTH123 - no text is such a name
            file.write(encoded(make_ct(instance=7)))
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", "r.csv")
        assert run.returncode == 0
        rows = list(csv.DictReader(io.StringIO((deid.folder / "r.csv").read_text())))
        assert [row["state"] for row in rows] == ["deidentified", "deidentified"]
        assert rows[1]["input"].endswith('/a\nb,"c\\xff.dcm')
        assert "113100" in rows[0]["method"].split()

    @pytest.mark.parametrize("place", ["out/r.json", "out/a/b/r.csv", "link/r.jsonl"])
    def test_it_never_lies_in_the_output_folder(self, deid: Deid, place: str) -> None:
        (deid.folder / "out").mkdir()
        (deid.folder / "link").symlink_to(deid.folder / "out")
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", place)
        assert run.returncode == 2
        assert "inside the output folder" in run.stderr
        assert list((deid.folder / "out").iterdir()) == []

    def test_one_beside_the_inputs_is_not_taken_for_input(self, deid: Deid) -> None:
        report = deid.inputs / "r.json"
        for _ in range(2):
            run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", report)
            assert run.returncode == 0
            assert len(json.loads(report.read_text())) == 1

    def test_what_a_killed_run_left_of_it_is_removed(self, deid: Deid) -> None:
        leftover = deid.folder / ".r.json.0123abcd.part"
        leftover.write_text("names")
        deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", "r.json")
        assert not leftover.exists()


class TestNothingDone:
    def run(self, deid: Deid, folder: Path) -> str:
        run = deid(folder, "--out", "out", "--key-file", deid.key)
        assert run.returncode == 4, run.stderr
        assert "nothing was de-identified" in run.stderr
        return run.stderr

    def test_in_an_empty_folder(self, deid: Deid) -> None:
        (deid.folder / "empty").mkdir()
        assert "there is no file" in self.run(deid, deid.folder / "empty")

    def test_among_texts_only(self, deid: Deid) -> None:
        folder = deid.folder / "texts"
        folder.mkdir()
        for name in ("a.txt", "b.csv"):
            (folder / name).write_text("hello")
        assert "none of 2 files is a DICOM instance" in self.run(deid, folder)


class TestNames:
    @pytest.mark.parametrize(
        "name", ["..", ".hidden", "a/b", "NUL", "com1.x", "ends.", "", "x" * 65, "é"]
    )
    def test_what_no_file_system_takes_becomes_a_digest(self, name: str) -> None:
        assert safe_component(name).startswith("x-")

    def test_names_that_differ_in_case_only_differ_where_case_does_not_count(self) -> None:
        names = {safe_component(name).casefold() for name in ("anna", "Anna", "ANNA")}
        assert len(names) == 3

    @pytest.mark.parametrize("name", ["2.25.1234", "7F3KQ2BX", "without-study"])
    def test_pseudonyms_and_uids_stay(self, name: str) -> None:
        assert safe_component(name) == name


def test_more_folders_in_each_other_than_the_interpreter_recurses_are_walked(deid: Deid) -> None:
    deep = os.open(deid.inputs, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    with open(os.open("x.dcm", os.O_CREAT | os.O_WRONLY, dir_fd=deep), "wb") as file:  # noqa: PTH123
        file.write(encoded(make_ct(instance=9)))
    os.close(deep)
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key)
    subprocess.run(["rm", "-rf", deid.inputs / "d"], check=True)  # shutil recurses
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("2 de-identified")


def test_what_cannot_be_read_is_refused(deid: Deid) -> None:
    (deid.inputs / "memory").symlink_to("/proc/self/mem")
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key)
    assert run.returncode == 3
    assert "1 refused (unreadable 1)" in run.stdout
    assert run.stdout.startswith("1 de-identified")


_WALK_AS_NOBODY = """
import os, sys
from pathlib import Path
from daemon.batch.inputs import walk
from daemon.receive.archive import ArchiveLimits
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for each in walk([Path(sys.argv[1])], set(), ArchiveLimits(), None):
    print(Path(each.path).name, each.refuse)
"""


def test_folders_and_files_without_permission_are_refused_and_the_walk_goes_on(
    disk_path: Path,
) -> None:
    disk_path.chmod(0o755)
    folder = disk_path / "in"
    for name in ("a", "b", "c"):
        write(folder / name / f"{name}.dcm", make_ct())
    (folder / "a" / "a.dcm").chmod(0)
    (folder / "b").chmod(0)
    walked = subprocess.run(
        [sys.executable, "-c", _WALK_AS_NOBODY, folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=500,
    )
    (folder / "b").chmod(0o700)
    assert walked.stdout.splitlines() == ["a.dcm unreadable", "b unreadable", "c.dcm "]
