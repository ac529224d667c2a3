"""``dicomveil deid`` as a user types it: arguments, keys, exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.folders import Deid, DeidHere

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def deid(disk_path: Path) -> Deid:
    return Deid(disk_path)


@pytest.fixture
def here(disk_path: Path) -> Deid:
    """Return the command without a process of its own, where it could not tell any difference."""
    return DeidHere(disk_path)


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


def test_another_key_gives_other_names(here: Deid) -> None:
    other = here.key_file("other.key", bytes(range(101, 133)))
    first = here.output("--key-file", here.key)
    assert not set(here.output("--key-file", other, out="other")) & set(first)


def test_two_deidentifiers_cannot_be_joined(here: Deid) -> None:
    (here.folder / "dicomveil.toml").write_text(
        '[deidentifiers.default]\nconfig = "basic"\n[deidentifiers.study]\nconfig = "basic"\n'
    )
    first = here.output("--key-file", here.key)
    second = here.output("--key-file", here.key, "--deidentifier", "study", out="study")
    assert not set(first) & set(second)


def test_a_configuration_file_stands_for_the_deidentifier_of_its_name(here: Deid) -> None:
    configuration = '{"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}'
    (here.folder / "default.json").write_text(configuration)
    first = here.output("--key-file", here.key)
    given = here.output("--key-file", here.key, "--deid-config", "default.json", out="given")
    assert given == first


def test_the_services_key_is_used_where_there_is_one(deid: Deid) -> None:
    (deid.folder / "state").mkdir()
    deid.key.rename(deid.folder / "state" / "site.key")
    run = deid(deid.inputs, "--out", "out")
    assert run.returncode == 0
    assert str(deid.folder / "state" / "site.key") in run.stderr


def test_without_a_key_one_of_the_users_own_is_made_and_kept(here: Deid) -> None:
    first = here.output()
    own = here.folder / "home" / ".local" / "state" / "dicomveil" / "site.key"
    assert own.stat().st_mode & 0o777 == 0o600
    assert here.output(out="again") == first


def test_the_report_holds_one_record_per_input(here: Deid) -> None:
    (here.inputs / "notes.txt").write_text("nothing")
    here(here.inputs, "--out", "out", "--key-file", here.key, "--report", "report.json")
    records = json.loads((here.folder / "report.json").read_text())
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
def test_a_wrong_configuration_ends_with_78(here: Deid, configuration: str) -> None:
    (here.folder / "own.json").write_text(configuration)
    run = here("in", "--out", "out", "--key-file", here.key, "--deid-config", "own.json")
    assert run.returncode == 78, run.stderr
    assert not (here.folder / "out").exists()


def test_a_weak_key_ends_with_78(deid: Deid) -> None:
    run = deid("in", "--out", "out", "--key-file", deid.key_file("weak.key", b"a" * 32))
    assert run.returncode == 78
    assert "too regular" in run.stderr


def test_an_output_folder_that_cannot_be_made_is_named(here: Deid) -> None:
    ended = here(here.inputs, "--out", "/proc/out", "--key-file", here.key)
    assert ended.returncode == 1
    assert "dicomveil: /proc/out cannot be written to: " in ended.stderr


def test_a_number_of_processes_is_a_number(here: Deid) -> None:
    ended = here(here.inputs, "--out", "out", "--jobs", "-1")
    assert ended.returncode == 2
    assert "expected a number of processes, found '-1'" in ended.stderr


def test_without_a_home_for_a_key_the_user_is_told_to_name_one(here: Deid) -> None:
    (here.folder / "home").write_bytes(b"")
    ended = here(here.inputs, "--out", "out")
    assert ended.returncode == 1
    assert "name one with --key-file" in ended.stderr
    assert "trace" not in ended.stderr.lower()


def test_the_body_of_a_request_is_taken_as_a_configuration_and_a_line_says_so(here: Deid) -> None:
    profile = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
    body = {
        "destinationStore": "s",
        "config": profile,
        "filterConfig": {"resourcePathsGcsUri": "g"},
    }
    (here.folder / "default.json").write_text(json.dumps(body))
    run = here(here.inputs, "--out", "out", "--key-file", here.key, "--deid-config", "default.json")
    assert run.returncode == 0
    assert "default.json: config stands in the body of a request" in run.stderr
    assert "default.json: filterConfig would limit a request" in run.stderr
    assert here.output("--key-file", here.key, out="named").keys() == {
        str(file.relative_to(here.folder / "out")) for file in (here.folder / "out").rglob("*.dcm")
    }


def test_what_a_configuration_does_not_cover_is_put_aside(here: Deid) -> None:
    (here.folder / "resources.json").write_text('{"fhir": {}, "text": {}}')
    run = here(
        here.inputs, "--out", "out", "--key-file", here.key, "--deid-config", "resources.json"
    )
    assert run.returncode == 3
    assert "not_configured 1" in run.stdout
    assert "DICOM instances are put aside as not_configured" in run.stderr
    assert not list((here.folder / "out").glob("*/*/*/*.dcm"))
