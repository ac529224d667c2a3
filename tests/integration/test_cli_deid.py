"""``dicomveil deid`` as a user types it: arguments, keys, exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.folders import Deid

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def deid(disk_path: Path) -> Deid:
    return Deid(disk_path)


def test_all_clean_ends_with_0_and_says_how_many(deid: Deid) -> None:
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key)
    assert run.returncode == 0
    assert run.stdout.startswith("1 de-identified")
    assert "\r" not in run.stderr


def test_something_refused_ends_with_3(deid: Deid) -> None:
    (deid.inputs / "b.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 100)
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key)
    assert run.returncode == 3
    assert "1 refused" in run.stdout


def test_again_gives_the_same_bytes_under_the_same_names(deid: Deid) -> None:
    first = deid.output("--key-file", deid.key)
    assert deid.output("--key-file", deid.key, "--jobs", "1", out="again") == first


def test_another_key_gives_other_names(deid: Deid) -> None:
    other = deid.key_file("other.key", bytes(range(101, 133)))
    first = deid.output("--key-file", deid.key)
    assert not set(deid.output("--key-file", other, out="other")) & set(first)


def test_two_deidentifiers_cannot_be_joined(deid: Deid) -> None:
    (deid.folder / "dicomveil.toml").write_text(
        '[deidentifiers.default]\nconfig = "basic"\n[deidentifiers.study]\nconfig = "basic"\n'
    )
    first = deid.output("--key-file", deid.key)
    second = deid.output("--key-file", deid.key, "--deidentifier", "study", out="study")
    assert not set(first) & set(second)


def test_a_configuration_file_stands_for_the_deidentifier_of_its_name(deid: Deid) -> None:
    configuration = '{"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}'
    (deid.folder / "default.json").write_text(configuration)
    first = deid.output("--key-file", deid.key)
    given = deid.output("--key-file", deid.key, "--deid-config", "default.json", out="given")
    assert given == first


def test_the_services_key_is_used_where_there_is_one(deid: Deid) -> None:
    (deid.folder / "state").mkdir()
    deid.key.rename(deid.folder / "state" / "site.key")
    run = deid(deid.inputs, "--out", "out")
    assert run.returncode == 0
    assert str(deid.folder / "state" / "site.key") in run.stderr


def test_without_a_key_one_of_the_users_own_is_made_and_kept(deid: Deid) -> None:
    first = deid.output()
    own = deid.folder / "home" / ".local" / "state" / "dicomveil" / "site.key"
    assert own.stat().st_mode & 0o777 == 0o600
    assert deid.output(out="again") == first


def test_the_report_holds_one_record_per_input(deid: Deid) -> None:
    (deid.inputs / "notes.txt").write_text("nothing")
    deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", "report.json")
    records = json.loads((deid.folder / "report.json").read_text())
    assert sorted(record["state"] for record in records) == ["deidentified", "skipped"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["in"],
        ["missing", "--out", "out"],
        ["in", "--out", "out", "--deidentifier", "nobody"],
        ["in", "--out", "out", "--deid-config", "x.toml"],
        ["in", "--out", "out", "--deidentifier", "default", "--deid-config", "x.json"],
        ["in", "--out", "out", "--jobs", "-1"],
        ["in", "--out", "out", "--jobs", "many"],
    ],
)
def test_wrong_usage_ends_with_2(deid: Deid, arguments: list[str]) -> None:
    run = deid(*arguments, "--key-file", deid.key)
    assert run.returncode == 2, run.stderr
    assert not (deid.folder / "out").exists()


@pytest.mark.parametrize(
    "configuration", ["{", '{"dicom": {"filterProfile": "X"}}', '{"dicm": {}}']
)
def test_a_wrong_configuration_ends_with_78(deid: Deid, configuration: str) -> None:
    (deid.folder / "own.json").write_text(configuration)
    run = deid("in", "--out", "out", "--key-file", deid.key, "--deid-config", "own.json")
    assert run.returncode == 78, run.stderr
    assert not (deid.folder / "out").exists()


def test_a_weak_key_ends_with_78(deid: Deid) -> None:
    run = deid("in", "--out", "out", "--key-file", deid.key_file("weak.key", b"a" * 32))
    assert run.returncode == 78
    assert "too regular" in run.stderr


def test_an_output_folder_that_cannot_be_made_is_named(deid: Deid) -> None:
    ended = deid(deid.inputs, "--out", "/proc/out", "--key-file", deid.key)
    assert ended.returncode == 1
    assert "dicomveil: /proc/out cannot be written to: " in ended.stderr


def test_a_number_of_processes_is_a_number(deid: Deid) -> None:
    ended = deid(deid.inputs, "--out", "out", "--jobs", "-1")
    assert ended.returncode == 2
    assert "expected a number of processes, found '-1'" in ended.stderr


def test_without_a_home_for_a_key_the_user_is_told_to_name_one(deid: Deid) -> None:
    (deid.folder / "home").write_bytes(b"")
    ended = deid(deid.inputs, "--out", "out")
    assert ended.returncode == 1
    assert "name one with --key-file" in ended.stderr
    assert "trace" not in ended.stderr.lower()


def test_the_body_of_a_request_is_taken_as_a_configuration_and_a_line_says_so(deid: Deid) -> None:
    profile = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
    body = {
        "destinationStore": "s",
        "config": profile,
        "filterConfig": {"resourcePathsGcsUri": "g"},
    }
    (deid.folder / "default.json").write_text(json.dumps(body))
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--deid-config", "default.json")
    assert run.returncode == 0
    assert "default.json: config stands in the body of a request" in run.stderr
    assert "default.json: filterConfig would limit a request" in run.stderr
    assert deid.output("--key-file", deid.key, out="named").keys() == {
        str(file.relative_to(deid.folder / "out")) for file in (deid.folder / "out").rglob("*.dcm")
    }


def test_what_a_configuration_does_not_cover_is_put_aside(deid: Deid) -> None:
    (deid.folder / "resources.json").write_text('{"fhir": {}, "text": {}}')
    run = deid(
        deid.inputs, "--out", "out", "--key-file", deid.key, "--deid-config", "resources.json"
    )
    assert run.returncode == 3
    assert "not_configured 1" in run.stdout
    assert "DICOM instances are put aside as not_configured" in run.stderr
    assert not list((deid.folder / "out").glob("*/*/*/*.dcm"))
