"""What ``dicomveil deid`` can be asked for beside its output: crosswalk, dry run, names."""

from __future__ import annotations

import csv
import json
import resource
import stat
import zipfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest

from daemon.batch.progress import LINE_INTERVAL_S, progress_lines
from daemon.batch.request import BatchProgress
from tests.factories import PATIENTS, encoded, make_ct, write
from tests.folders import Deid, DeidHere

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def deid(disk_path: Path) -> Deid:
    deid = DeidHere(disk_path)
    write(deid.inputs / "DOE^JANE" / "1.dcm", make_ct(PATIENTS[1], study=3))
    write(deid.inputs / "DOE^JANE" / "2.dcm", make_ct(PATIENTS[1], study=3, instance=2))
    with zipfile.ZipFile(deid.inputs / "ROE.zip", "w") as archive:
        archive.writestr("A/x", encoded(make_ct(PATIENTS[2], study=4)))
    return deid


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.dcm")}


class TestCrosswalk:
    def rows(self, deid: Deid, *arguments: str | Path) -> list[dict[str, str]]:
        run = deid(deid.inputs, "--key-file", deid.key, "--crosswalk", "keys/c.csv", *arguments)
        assert run.returncode == 0, run.stderr
        with (deid.folder / "keys" / "c.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_it_says_what_stands_for_what(self, deid: Deid) -> None:
        rows = self.rows(deid, "--out", "out", "--deidentifier", "research")
        assert len(rows) == 4
        for row in rows:
            if row["member"]:
                with zipfile.ZipFile(row["input"]) as archive, archive.open(row["member"]) as file:
                    before = pydicom.dcmread(file)
            else:
                before = pydicom.dcmread(row["input"])
            after = pydicom.dcmread(deid.folder / "out" / row["output"])
            for name, keyword in (
                ("patient_id", "PatientID"),
                ("study_instance_uid", "StudyInstanceUID"),
                ("series_instance_uid", "SeriesInstanceUID"),
                ("sop_instance_uid", "SOPInstanceUID"),
                ("accession_number", "AccessionNumber"),
            ):
                assert row[f"old_{name}"] == str(before[keyword].value).strip()
                assert row[f"new_{name}"] == str(after[keyword].value).strip()
            moved = _day(after.StudyDate) - _day(before.StudyDate)
            assert int(row["date_shift_days"]) == moved.days != 0

    def test_no_shift_is_told_where_dates_do_not_move(self, deid: Deid) -> None:
        rows = self.rows(deid, "--out", "out", "--deidentifier", "basic")
        assert {row["date_shift_days"] for row in rows} == {""}

    def test_nobody_else_may_read_it(self, deid: Deid) -> None:
        self.rows(deid, "--out", "out")
        crosswalk = deid.folder / "keys" / "c.csv"
        assert stat.S_IMODE(crosswalk.stat().st_mode) == 0o600
        assert stat.S_IMODE(crosswalk.parent.stat().st_mode) == 0o700

    def test_one_that_others_could_read_is_replaced_by_one_that_they_cannot(
        self, deid: Deid
    ) -> None:
        earlier = deid.folder / "keys" / "c.csv"
        earlier.parent.mkdir()
        earlier.write_text("old")
        earlier.chmod(0o644)
        self.rows(deid, "--out", "out")
        assert stat.S_IMODE(earlier.stat().st_mode) == 0o600

    @pytest.mark.parametrize(
        "place", ["out/c.csv", "link/c.csv", "out/a/c.json", "in/../out/c.csv"]
    )
    def test_it_never_lies_in_the_output_folder(self, deid: Deid, place: str) -> None:
        (deid.folder / "out").mkdir()
        (deid.folder / "link").symlink_to("out")
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--crosswalk", place)
        assert run.returncode == 2
        assert "inside the output folder" in run.stderr
        assert not list((deid.folder / "out").iterdir())

    def test_without_it_no_original_leaves_the_worker(self, deid: Deid) -> None:
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", "r.json")
        assert run.returncode == 0
        told = (deid.folder / "r.json").read_text() + run.stdout + run.stderr
        for patient in PATIENTS[:3]:
            assert patient.patient_id not in told


class TestDryRun:
    def test_it_reports_what_a_run_would_and_writes_nothing(self, deid: Deid) -> None:
        write(deid.inputs / "again.dcm", make_ct(PATIENTS[1], study=3))
        write(deid.inputs / "other.dcm", make_ct(PATIENTS[1], study=3, rows=8))
        (deid.inputs / "cut.dcm").write_bytes(encoded(make_ct())[:500])
        dry = deid(deid.inputs, "--dry-run", "--key-file", deid.key, "--report", "dry.json")
        assert dry.returncode == 3
        assert "4 would be de-identified" in dry.stdout
        assert {path.name for path in deid.folder.iterdir()} == {"in", "site.key", "dry.json"}
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", "run.json")
        assert run.returncode == 3
        told = [json.loads((deid.folder / name).read_text()) for name in ("dry.json", "run.json")]
        assert told[0] == told[1]
        states = sorted(each["state"] for each in told[0])
        assert states == ["deidentified"] * 4 + ["duplicate", "refused", "refused"]

    def test_an_output_folder_that_is_named_stays_as_it_is(self, deid: Deid) -> None:
        run = deid(deid.inputs, "--dry-run", "--out", "out", "--key-file", deid.key)
        assert run.returncode == 0
        assert not (deid.folder / "out").exists()

    def test_it_cannot_continue_anything(self, deid: Deid) -> None:
        run = deid(deid.inputs, "--dry-run", "--resume", "--key-file", deid.key)
        assert run.returncode == 2

    def test_without_it_an_output_folder_is_needed(self, deid: Deid) -> None:
        run = deid(deid.inputs, "--key-file", deid.key)
        assert run.returncode == 2
        assert "--out DIR is needed" in run.stderr


class TestNames:
    def test_flat_has_no_folders(self, deid: Deid) -> None:
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--layout", "flat")
        assert run.returncode == 0
        assert len(files(deid.folder / "out")) == 4
        assert not any("/" in name for name in files(deid.folder / "out"))

    @pytest.mark.parametrize("layout", ["flat", "patient/study/series"])
    def test_a_prefix_stands_before_each_name_in_the_folder_itself(
        self, deid: Deid, layout: str
    ) -> None:
        named = ("--layout", layout, "--prefix", "S1-")
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, *named)
        assert run.returncode == 0
        names = files(deid.folder / "out")
        assert len(names) == 4
        assert all(name.startswith("S1-") for name in names)
        assert not any("/S1-" in name for name in names)

    @pytest.mark.parametrize("prefix", ["../", "a/b", ".x", "-x", "é", "x" * 33, "a\nb"])
    def test_a_prefix_cannot_climb_out_or_hide(self, deid: Deid, prefix: str) -> None:
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, f"--prefix={prefix}")
        assert run.returncode == 2
        assert not (deid.folder / "out").exists()

    def test_keep_needs_a_new_name_for_each_folder(self, deid: Deid) -> None:
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--layout", "keep")
        assert run.returncode == 2
        assert "--rename-folders" in run.stderr
        keep = ("--layout", "keep", "--rename-folders", "names.csv")
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, *keep)
        assert run.returncode == 2
        assert "3 folders of the input have no new name; they stand in names.csv" in run.stderr
        assert "DOE" not in run.stderr
        assert not (deid.folder / "out").exists()
        names = deid.folder / "names.csv"
        assert stat.S_IMODE(names.stat().st_mode) == 0o600
        assert names.read_text() == "folder,name\nDOE^JANE,\nROE.zip/A,\na,\n"

        names.write_text("folder,name\nDOE^JANE,first\nROE.zip/A,second/part\n")
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, *keep)
        assert run.returncode == 2
        assert (deid.folder / "names.missing.csv").read_text() == "folder,name\na,\n"

        names.write_text("folder,name\nDOE^JANE,first\nROE.zip/A,second/part\na,.\n")
        run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, *keep, "--prefix", "S1-")
        assert run.returncode == 0, run.stderr
        folders = sorted(str(Path(name).parent) for name in files(deid.folder / "out"))
        assert folders == [".", "S1-first", "S1-first", "S1-second/part"]
        assert not [path for path in (deid.folder / "out").rglob("*") if "DOE" in path.name]

    @pytest.mark.parametrize(
        "name", ["..", "../x", "/etc", "a//b", ".x", "a b", "é", "NUL", "x" * 65]
    )
    def test_a_new_name_cannot_climb_out_or_hide(self, deid: Deid, name: str) -> None:
        rows = f"folder,name\nDOE^JANE,{name}\nROE.zip/A,x\na,y\n"
        (deid.folder / "names.csv").write_text(rows)
        run = deid(
            deid.inputs, "--out", "out", "--key-file", deid.key,
            "--layout", "keep", "--rename-folders", "names.csv",
        )  # fmt: skip
        if name == "/etc":  # strokes at the ends do not count
            assert (deid.folder / "out" / "etc").is_dir()
        else:
            assert run.returncode == 2, run.stderr
            assert not (deid.folder / "out").exists()

    @pytest.mark.parametrize(
        "table", ["", "folder;name\n", "folder,name\nDOE^JANE,x\nROE.zip/A,X\na,y\n", "\xff"]
    )
    def test_a_table_that_is_none_is_refused(self, deid: Deid, table: str) -> None:
        (deid.folder / "names.csv").write_bytes(table.encode("latin-1"))
        run = deid(
            deid.inputs, "--out", "out", "--key-file", deid.key,
            "--layout", "keep", "--rename-folders", "names.csv",
        )  # fmt: skip
        assert run.returncode == 2, run.stderr
        assert "names.csv" in run.stderr


class TestLines:
    def told(self, *seconds: float) -> Iterator[str]:
        lines: list[str] = []
        now = [0.0]
        tell = progress_lines(lines.append, lambda: now[0])
        for number, second in enumerate(seconds):
            now[0] = second
            tell(BatchProgress(100 * number, 1000, 3, 100, is_counting=number == 0))
        return iter(lines)

    def test_a_line_now_and_then_says_how_far_a_run_is_where_there_is_no_terminal(self) -> None:
        step = LINE_INTERVAL_S
        assert list(self.told(0, 1, step + 1, step + 2, 2 * step + 1)) == [
            "200 of 1000, 3.3/s, 4:00 left, 100 done earlier, 3 refused",
            "400 of 1000, 5.0/s, 2:00 left, 100 done earlier, 3 refused",
        ]

    def test_counting_is_told_too(self) -> None:
        assert list(self.told(LINE_INTERVAL_S)) == ["counting: 1000 so far"]


def test_a_full_disk_ends_the_run_and_says_where(deid: Deid) -> None:
    write(deid.inputs / "large.dcm", make_ct(instance=9, rows=128))
    run = deid(
        deid.inputs, "--out", "out", "--key-file", deid.key,
        preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )  # fmt: skip
    assert run.returncode == 1
    assert "out cannot be written to: File too large" in run.stderr
    assert not list((deid.folder / "out").glob("*.part"))


def _day(value: str) -> date:
    return date(int(value[:4]), int(value[4:6]), int(value[6:8]))
