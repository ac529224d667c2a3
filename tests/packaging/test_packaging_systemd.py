"""The unit is valid, confined, and says what the service needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.deidentifiers.key_file import CREDENTIAL

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "dicomveil.service"
MOST_EXPOSED = 15
"""In tenths: an overall exposure of 1.5."""


def settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.peer("systemd-analyze")
def test_the_unit_verifies_without_a_word(tmp_path: Path) -> None:
    # The program must exist to verify: it is this environment's here.
    unit = tmp_path / UNIT.name
    unit.write_text(
        re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT.read_text()).replace(
            "file:/opt/dicomveil/README.md", f"file:{ROOT}/README.md"
        )
    )
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in run.stderr.splitlines() if "dicomveil" in line]
    assert (run.returncode, ours) == (0, [])


@pytest.mark.peer("systemd-analyze")
def test_the_unit_is_confined() -> None:
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.peer("systemd-sysusers")
def test_the_account_can_be_made() -> None:
    run = subprocess.run(
        ["systemd-sysusers", "--dry-run", str(ROOT / "systemd" / "sysusers.d" / "dicomveil.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.peer("systemd-tmpfiles")
def test_the_folders_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\ndicomveil:x:0:0::/:/bin/sh\n")
    (tmp_path / "etc" / "group").write_text("root:x:0:\ndicomveil:x:0:\n")
    run = subprocess.run(
        [
            "systemd-tmpfiles", "--create", f"--root={tmp_path}",
            str(ROOT / "systemd" / "tmpfiles.d" / "dicomveil.conf"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "var/lib/dicomveil").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "etc/dicomveil").stat().st_mode & 0o777 == 0o750


def test_the_key_comes_as_the_credential_that_the_service_looks_for() -> None:
    assert settings()["LoadCredential"] == [f"{CREDENTIAL}:/etc/dicomveil/{CREDENTIAL}"]


def test_systemd_waits_for_readiness_and_watches_the_service() -> None:
    unit = settings()
    assert unit["Type"] == ["notify"]
    assert unit["WatchdogSec"] == ["60s"]


def test_a_wrong_configuration_is_not_started_again_and_again() -> None:
    assert settings()["RestartPreventExitStatus"] == ["78"]


def test_what_may_pass_is_tried_for_as_long_as_it_takes() -> None:
    assert settings()["Restart"] == ["on-failure"]
    assert settings()["StartLimitIntervalSec"] == ["0"]


def test_a_worker_that_the_kernel_kills_does_not_take_the_service_along() -> None:
    assert settings()["OOMPolicy"] == ["continue"]


def test_the_models_run_where_no_page_is_both_written_and_executed() -> None:
    # What MemoryDenyWriteExecute= forbids, asked of the kernel directly (PR_SET_MDWE, Linux 6.3).
    script = """
import ctypes, sys
zero = ctypes.c_ulong(0)
if ctypes.CDLL(None).prctl(65, ctypes.c_ulong(1), zero, zero, zero):
    sys.exit(99)
import imagecodecs, numpy, onnxruntime, pathlib, rapidocr
pixels = numpy.zeros((64, 64), numpy.uint8)
assert imagecodecs.jpeg2k_decode(imagecodecs.jpeg2k_encode(pixels)).shape == (64, 64)
assert imagecodecs.jpegls_decode(imagecodecs.jpegls_encode(pixels)).shape == (64, 64)
model = next(pathlib.Path(rapidocr.__file__).parent.glob("models/*det*.onnx"))
session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
session.run(None, {name: numpy.zeros((1, 3, 64, 64), numpy.float32)})
print("ran")
"""
    assert settings()["MemoryDenyWriteExecute"] == ["yes"]
    run = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False
    )
    if run.returncode == 99:
        pytest.skip("this kernel cannot refuse such pages on request")
    assert run.stdout.strip() == "ran", run.stderr
