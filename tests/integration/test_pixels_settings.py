"""The section [pixels]: each value has its effect in the running service, and what cannot work is refused."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

from daemon.engines.pixels import PixelSettings, engines
from daemon.records import State
from deid.errors import ConfigurationInvalid, Reason, Unsafe
from tests import pixel_samples as samples
from tests.commands import typed
from tests.conftest import program
from tests.factories import encoded, make_ct, make_sc, make_us, write
from tests.sections import make_pixels
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from deid.identity.keys import SiteKey

ROOT = Path(__file__).parents[2]
CLEANING = """
[deidentifiers.default.config]
dicom = { filterProfile = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE" }
image = { textRedactionMode = "REDACT_ALL_TEXT" }
"""
TEMPLATE = """
[[template]]
name = "site"
manufacturer = "ACME*"
fill = [[0, 0, 16, 8]]
"""


def sent() -> dict[str, Dataset]:
    """Return one instance for each setting."""
    ultrasound = make_us(rows=120, frames=1)
    ultrasound.SequenceOfUltrasoundRegions[0].RegionLocationMinY0 = 40
    ultrasound.PixelData = (np.arange(120 * 160 * 3) % 7 + 90).astype(np.uint8).tobytes()
    return {
        "screen": make_sc(rows=64),
        "report": make_ct(rows=64, instance=2, ImageType=["DERIVED", "SECONDARY", "DOSE REPORT"]),
        "ultrasound": ultrasound,
        "machine": make_ct(rows=64, instance=3, Manufacturer="ACME"),
    }


def pixels_of(daemon: RunningDaemon, dataset: Dataset) -> Any:
    found = daemon.retrieve(*daemon.replaced()[dataset.SOPInstanceUID])
    return pydicom.dcmread(io.BytesIO(found)).pixel_array


@pytest.fixture
def daemon(disk_path: Path, state_dir: Path) -> Iterator[RunningDaemon]:
    inbox = disk_path / "inbox"
    inbox.mkdir()
    running = RunningDaemon(state_dir=state_dir, folder=disk_path, inbox=inbox, is_prepared=True)
    try:
        yield running
    finally:
        running.stop()
        running.assert_no_traceback()


def states(daemon: RunningDaemon, instances: dict[str, Dataset]) -> dict[str, tuple[State, str]]:
    assert daemon.inbox is not None
    for name, dataset in instances.items():
        write(daemon.inbox / f"{name}.dcm", dataset)
    found = {entry.original_uid: entry for entry in daemon.wait_until_settled(len(instances))}
    return {
        name: (found[dataset.SOPInstanceUID].state, found[dataset.SOPInstanceUID].reason)
        for name, dataset in instances.items()
    }


def counting_tesseract(folder: Path) -> dict[str, str]:
    """Return an environment in which tesseract leaves a mark for each language it is asked for."""
    folder.mkdir()
    real = program("tesseract")
    script = folder / "tesseract"
    script.write_text(
        f'#!/bin/sh\nwhile [ "$1" ]; do echo "$1" >> {folder}/calls; break; done\n'
        f'echo "$@" >> {folder}/calls\nexec {real} "$@"\n'
    )
    script.chmod(0o700)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_by_default_the_usual_objects_are_refused_and_rules_apply(daemon: RunningDaemon) -> None:
    daemon.settings = CLEANING
    daemon.start()
    instances = sent()
    assert states(daemon, instances) == {
        "screen": (State.QUARANTINED, "screen_capture"),
        "report": (State.STORED, ""),
        "ultrasound": (State.STORED, ""),
        "machine": (State.STORED, ""),
    }
    ultrasound = pixels_of(daemon, instances["ultrasound"])
    assert (ultrasound[:40] == 0).all()
    assert (ultrasound[40:] == instances["ultrasound"].pixel_array[40:]).all()
    assert (pixels_of(daemon, instances["machine"]) == instances["machine"].pixel_array).all()


@pytest.mark.peer("tesseract")
def test_every_setting_reaches_the_workers(daemon: RunningDaemon, tmp_path: Path) -> None:
    templates = daemon.folder / "own"
    templates.mkdir()
    (templates / "site.toml").write_text(TEMPLATE)
    daemon.settings = CLEANING + (
        "[pixels]\n"
        'engine = "tesseract"\n'
        'tesseract_languages = "eng+osd"\n'
        'templates = ["own"]\n'
        "blank_outside_ultrasound_regions = false\n"
        'trusted = ["secondary capture", "Workstation*"]\n'
        'untrusted = { image_type = "*dose report*" }\n'
    )
    daemon.environment = counting_tesseract(tmp_path / "bin")
    daemon.start()
    instances = sent()
    assert states(daemon, instances) == {
        "screen": (State.STORED, ""),
        "report": (State.QUARANTINED, "screen_capture"),
        "ultrasound": (State.STORED, ""),
        "machine": (State.STORED, ""),
    }
    ultrasound = pixels_of(daemon, instances["ultrasound"])
    # Tesseract takes some of the noise for letters.
    assert (ultrasound[:40] == instances["ultrasound"].pixel_array[:40]).mean() > 0.5
    machine = pixels_of(daemon, instances["machine"])
    assert len(np.unique(machine[:8, :16])) == 1
    calls = (tmp_path / "bin" / "calls").read_text()
    assert "stdin stdout -l eng+osd" in calls


@pytest.mark.peer("tesseract")
@pytest.mark.parametrize(
    ("engine", "uses_tesseract"), [("ppocr", False), ("tesseract", True), ("paranoid", True)]
)
def test_the_command_line_uses_the_engine_that_the_site_chose(
    tmp_path: Path, engine: str, *, uses_tesseract: bool
) -> None:
    environment = {**os.environ, **counting_tesseract(tmp_path / "bin")}
    frame = samples.with_text(samples.texture(bits=12, rows=120, columns=200), at=(30, 60))
    dataset = make_ct(rows=120, columns=200)
    dataset.PixelData, dataset.PixelRepresentation = frame.astype("<u2").tobytes(), 0
    write(tmp_path / "in.dcm", dataset)
    (tmp_path / "dicomveil.toml").write_text(f'{CLEANING}[pixels]\nengine = "{engine}"\n')
    key = tmp_path / "key"
    key.write_bytes(bytes(range(1, 33)))
    key.chmod(0o600)
    calls = tmp_path / "bin" / "calls"
    for arguments in (
        ["deid", "in.dcm", "--out", "out", "--key-file", "key", "--jobs", "1"],
        ["regions", "in.dcm"],
    ):
        calls.write_text("")
        command = [sys.executable, "-m", "daemon", *arguments, "--config", "dicomveil.toml"]
        ended = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=500,
            env={**environment, "PYTHONPATH": str(ROOT)},
        )
        assert ended.returncode == 0, ended.stderr
        assert ("stdin stdout" in calls.read_text()) is uses_tesseract


def check(tmp_path: Path, pixels: str, **environment: str) -> tuple[int, list[dict[str, str]]]:
    (tmp_path / "dicomveil.toml").write_text(f"[pixels]\n{pixels}\n")
    ended = typed(
        *("check-config", "--json"), folder=tmp_path, environment={**os.environ, **environment}
    )
    return ended.returncode, json.loads(ended.stdout)["problems"]


@pytest.mark.parametrize(
    ("pixels", "key", "said"),
    [
        ('engine = "ocr"', "pixels.engine", "one of"),
        ('templates = ["nowhere"]', "pixels.templates[0]", "cannot be read"),
        ('templates = ["."]', "pixels.templates[0]", "unknown table 'pixels'"),
        ('templates = ["none", "."]', "pixels.templates[1]", "unknown table 'pixels'"),
        ('trusted = ["screenshots"]', "pixels.trusted", "Secondary capture"),
        ('untrusted = {modalty = "OT"}', "pixels.untrusted.modalty", "modality"),
        ('tesseract_languages = "eng; rm"', "pixels.tesseract_languages", "deu+eng"),
    ],
)
def test_what_cannot_work_is_refused_by_file_and_key(
    tmp_path: Path, pixels: str, key: str, said: str
) -> None:
    status, problems = check(tmp_path, pixels)
    assert status == 78
    found = next(problem for problem in problems if problem["key"] == key)
    assert "dicomveil.toml" in found["source"]
    assert said in json.dumps(found)


@pytest.mark.parametrize("engine", ["tesseract", "paranoid"])
def test_a_tesseract_that_is_not_installed_is_refused(tmp_path: Path, engine: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(shutil.which("python3") or sys.executable)
    status, problems = check(tmp_path, f'engine = "{engine}"', PATH=str(tmp_path / "bin"))
    assert status == 78
    assert [(each["key"], each["expected"]) for each in problems] == [
        ("pixels.engine", "tesseract is not installed")
    ]


@pytest.mark.peer("tesseract")
def test_a_language_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    status, problems = check(tmp_path, 'engine = "tesseract"\ntesseract_languages = "eng+tlh"')
    assert status == 78
    assert [each["key"] for each in problems] == ["pixels.tesseract_languages"]
    assert "tlh" in problems[0]["expected"]


@pytest.mark.parametrize("command", ["serve", "deid"])
def test_what_cannot_work_does_not_start(tmp_path: Path, command: str) -> None:
    (tmp_path / "dicomveil.toml").write_text('[pixels]\ntemplates = ["nowhere"]\n')
    key = tmp_path / "key"
    key.write_bytes(bytes(range(1, 33)))
    key.chmod(0o600)
    more = ["dicomveil.toml", "--out", "out", "--key-file", "key"] if command == "deid" else []
    ended = subprocess.run(
        [sys.executable, "-m", "daemon", command, *more],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DICOMVEIL_STATE_DIR": str(tmp_path / "state")},
    )
    assert ended.returncode == 78
    assert "pixels.templates[0]" in ended.stderr
    assert "dicomveil.toml" in ended.stderr


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"trusted": ("*",), "untrusted": {"modality": ("OT",)}, "templates": (Path("/a"),)},
    ],
)
def test_settings_travel_to_the_workers_and_back(document: dict[str, Any]) -> None:
    settings = make_pixels(**document)
    assert PixelSettings.from_document(json.loads(json.dumps(settings.document()))) == settings


def test_a_site_that_trusts_all_still_refuses_what_it_names(site_key: SiteKey) -> None:
    chosen = engines(make_pixels(trusted=("*",), untrusted={"modality": ("o?",)}))
    with pytest.raises(Unsafe) as refused:
        samples.deidentified(encoded(make_sc()), samples.configuration(), site_key, chosen)
    assert refused.value.reason is Reason.SCREEN_CAPTURE
    assert refused.value.where == "pixels.untrusted names its modality"


def test_a_name_that_no_object_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationInvalid, match="Secondary capture"):
        engines(make_pixels(trusted=("Secondary captures",))).untrusted()
