"""What a configuration leaves to leniency, or lets through, reaches the people who should know."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pydicom
import pytest

from config import presets
from daemon.deidentifiers.identifying import told, warnings_of_configuration
from daemon.workers.capacity import most_processes
from deid.configuration.leniencies import LENIENCIES
from tests.factories import PATIENTS
from tests.folders import Deid, DeidHere
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from pathlib import Path

BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
CLEANED = {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}}
DATES = [{"infoTypes": ["DATE"], "dateShiftConfig": {}}]
IDENTIFYING: list[dict[str, Any]] = [
    {"dicom": {}},
    {"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}},
    {"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}, "image": {"textRedactionMode": "REDACT_ALL_TEXT"}},
    {"dicom": {"removeList": {"tags": ["PatientName"]}}},
    {"dicom": {"keepList": {"tags": ["PatientBirthDate"]}}},
    {"dicomTagConfig": {"profileType": "KEEP_ALL_PROFILE"}},
    CLEANED | {"text": {"excludeInfoTypes": ["PERSON_NAME"]}},
    CLEANED | {"text": {"additionalTransformations": DATES, "excludeInfoTypes": ["PERSON_NAME"]}},
]  # fmt: skip
HIDING: list[dict[str, Any]] = [
    BASIC,
    BASIC | {"dicomveil": {"options": ["retain_modified_dates", "retain_patient_characteristics"]}},
    BASIC | {"dicomveil": {"options": ["retain_uids", "retain_institution_identity"]}},
    {"dicom": {"filterProfile": "MINIMAL_KEEP_LIST_PROFILE"}},
    {"dicom": {"keepList": {"tags": ["StudyDescription", "PatientSex"]}}},
    {"dicomTagConfig": {}},
    CLEANED | {"text": {"additionalTransformations": DATES}},
    {"fhir": {}},
]


@pytest.fixture
def deid(disk_path: Path) -> Deid:
    return DeidHere(disk_path, config="")


@pytest.mark.parametrize("configuration", IDENTIFYING, ids=json.dumps)
def test_a_configuration_that_lets_a_patient_through_is_told(configuration: dict[str, Any]) -> None:
    warnings = warnings_of_configuration(configuration)
    assert any("still identifies patients" in told(warning) for warning in warnings)


@pytest.mark.parametrize("configuration", HIDING, ids=json.dumps)
def test_one_that_does_not_is_not_accused(configuration: dict[str, Any]) -> None:
    assert not [each for each in warnings_of_configuration(configuration) if "still" in each]


@pytest.mark.parametrize("preset", sorted({*presets.names()} - {"keep_all_pixels_only"}))
def test_no_preset_but_one_is_accused(deid: Deid, preset: str) -> None:
    run = deid(deid.inputs, "--dry-run", "--key-file", deid.key, "--deidentifier", preset)
    assert run.returncode == 0
    assert "still identifies" not in run.stderr
    assert "1 would be de-identified" in run.stdout


class TestKeepAll:
    @pytest.fixture
    def kept(self, deid: Deid) -> Deid:
        (deid.folder / "all.json").write_text('{"dicom": {}}')
        (deid.folder / "dicomveil.toml").write_text(
            '[deidentifiers.default]\nconfig = "all.json"\n[http]\nport = 0\n[dimse]\nport = 0\n'
        )
        return deid

    def test_the_summary_does_not_say_de_identified(self, kept: Deid) -> None:
        run = kept(kept.inputs, "--out", "out", "--key-file", kept.key)
        assert run.returncode == 0
        assert "1 rewritten, and still identify" in run.stdout
        assert "de-identified" not in run.stdout
        (written,) = (kept.folder / "out").rglob("*.dcm")
        assert pydicom.dcmread(written).PatientID == PATIENTS[0].patient_id

    def test_it_is_warned_before_and_in_the_report(self, kept: Deid) -> None:
        for name in ("r.json", "r.csv"):
            run = kept(kept.inputs, "--dry-run", "--key-file", kept.key, "--report", name)
            assert "warning: default: dicom.filterProfile is not set" in run.stderr
            assert "the result still identifies patients" in run.stderr
        (record,) = json.loads((kept.folder / "r.json").read_text())
        assert record["state"] == "rewritten"
        assert [each.split(":")[0] for each in record["warnings"]] == [
            "keeps_all_tags_by_default",
            "still_identifies",
        ]
        assert "still_identifies" in (kept.folder / "r.csv").read_text()

    def test_the_other_commands_say_so(self, kept: Deid) -> None:
        for command in (["check-config"], ["explain"]):
            run = kept.command(*command)
            assert run.returncode == 0, run.stderr
            assert "still identifies patients" in run.stdout
        notes = json.loads(kept.command("check-config", "--json").stdout)["notes"]
        assert len(notes) == 2
        assert "No problem found; 2 warnings above." in kept.command("check-config").stdout

    def test_the_service_logs_it_and_status_repeats_it(
        self, kept: Deid, disk_path: Path, state_dir: Path
    ) -> None:
        settings = f'[deidentifiers.default]\nconfig = "{kept.folder / "all.json"}"\n'
        service = RunningDaemon(
            state_dir=state_dir, folder=disk_path, settings=settings, is_prepared=True
        )
        service.start()
        try:
            log = service.log_path.read_text().splitlines()
            config = ("--config", str(service.config_path))
            status = kept.command("status", *config)
            document = json.loads(kept.command("status", "--json", *config).stdout)
        finally:
            service.stop()
        for reason in ("keeps_all_tags_by_default", "still_identifies"):
            assert any("configuration_lenient" in line and reason in line for line in log)
        assert "still identifies patients" in status.stdout
        assert len(document["warnings"]) == 2


def test_every_leniency_reaches_standard_error_and_the_report(deid: Deid) -> None:
    """Each with a configuration that asks for it."""
    samples: dict[str, str] = {
        "single_quoted_json": "{'dicom': {'filterProfile': 'MINIMAL_KEEP_LIST_PROFILE'}}",
        "keeps_all_tags_by_default": '{"dicom": {}}',
        "empty_list": '{"dicom": {"keepList": {"tags": []}}}',
        "enum_by_number": '{"dicom": {"filterProfile": 1}}',
        "request_body": json.dumps({"destinationStore": "s", "config": BASIC}),
        "tag_as_printed": '{"dicom": {"keepList": {"tags": ["(0008,0060)"]}}}',
    }
    for code, text in samples.items():
        (deid.folder / "own.json").write_text(text)
        run = deid(
            deid.inputs, "--dry-run", "--key-file", deid.key,
            "--deid-config", "own.json", "--report", "r.json",
        )  # fmt: skip
        assert run.returncode in {0, 3}, run.stderr
        assert LENIENCIES[code] in run.stderr, code
        if code != "single_quoted_json":
            (record,) = json.loads((deid.folder / "r.json").read_text())
            assert code in [each.split(":")[0] for each in record["warnings"]]


def test_a_file_name_that_decides_about_pseudonyms_is_told(deid: Deid) -> None:
    for name in ("one.json", "two.json"):
        (deid.folder / name).write_text(json.dumps(BASIC))
    first = deid(deid.inputs, "--out", "1", "--key-file", deid.key, "--deid-config", "one.json")
    second = deid(deid.inputs, "--out", "2", "--key-file", deid.key, "--deid-config", "two.json")
    assert "which is that of one.json: under another file name they are others" in first.stderr
    assert "the name two, which is that of two.json" in second.stderr
    assert {path.name for path in (deid.folder / "1").glob("[!.]*")}.isdisjoint(
        path.name for path in (deid.folder / "2").glob("[!.]*")
    )
    plain = deid(deid.inputs, "--out", "3", "--key-file", deid.key)
    assert "that key and the deidentifier's name, default" in plain.stderr


@pytest.mark.parametrize("jobs", ["100000", "999999"])
def test_more_processes_than_the_machine_has_room_for_are_not_started(
    deid: Deid, jobs: str
) -> None:
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--jobs", jobs)
    assert run.returncode == 0, run.stderr
    assert f"--jobs {jobs}: this machine has cores and memory for" in run.stderr
    assert 1 <= most_processes() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("jobs", ["9" * 5000, "1e3", "-1", "٣"])
def test_what_is_no_number_of_processes_is_a_usage_error(deid: Deid, jobs: str) -> None:
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, f"--jobs={jobs}")
    assert run.returncode == 2
    assert "expected a number of processes" in run.stderr
