"""Sealing by configuration and restoring by command, as a trustee does it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pydicom

from tests.commands import typed
from tests.factories import make_ct, write
from tests.service import ROOT
from tests.unit.test_deid_encrypted import STRANGER, TRUSTEE, certificate, private

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


def dicomveil(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in this process: how it is started is not asked here."""
    return typed(*arguments, folder=ROOT, environment=os.environ)


def test_the_trustee_restores_what_was_sealed_and_a_stranger_does_not(tmp_path: Path) -> None:
    original = make_ct()
    write(tmp_path / "in" / "a.dcm", original)
    configuration = {
        "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
        "dicomveil": {"encryptedAttributes": {"certificates": [certificate(TRUSTEE).decode()]}},
    }
    (tmp_path / "sealed.json").write_text(json.dumps(configuration))
    key_file = tmp_path / "key"
    key_file.write_bytes(bytes(range(32)))
    key_file.chmod(0o600)
    done = dicomveil(
        "deid", tmp_path / "in", "--out", tmp_path / "out",
        "--deid-config", tmp_path / "sealed.json", "--key-file", key_file, "--jobs", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (sealed,) = (tmp_path / "out").rglob("*.dcm")
    assert str(original.PatientName).encode() not in sealed.read_bytes()
    for name, holder in (("trustee", TRUSTEE), ("stranger", STRANGER)):
        (tmp_path / f"{name}.key").write_bytes(private(holder))
        (tmp_path / f"{name}.pem").write_bytes(certificate(holder))
        restoring = dicomveil(
            "reidentify", sealed, "--out", tmp_path / name,
            "--private-key", tmp_path / f"{name}.key", "--certificate", tmp_path / f"{name}.pem",
        )  # fmt: skip
        assert restoring.returncode == (0 if name == "trustee" else 1)
    (restored,) = (tmp_path / "trustee").iterdir()
    assert restored.stat().st_mode & 0o777 == 0o600
    assert pydicom.dcmread(restored).PatientName == original.PatientName
    assert not list((tmp_path / "stranger").iterdir())
    again = dicomveil(
        "reidentify", sealed, "--out", tmp_path / "trustee",
        "--private-key", tmp_path / "trustee.key", "--certificate", tmp_path / "trustee.pem",
    )  # fmt: skip
    assert again.returncode == 1
    assert f"{restored} exists already" in again.stderr


def test_a_folder_is_restored_as_it_lies_and_each_failure_says_which_it_is(tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path / "in" / f"{number}.dcm", make_ct(instance=number))
    key_file = tmp_path / "key"
    key_file.write_bytes(bytes(range(32)))
    key_file.chmod(0o600)
    for name, holders in (("sealed", [TRUSTEE]), ("foreign", [STRANGER]), ("plain", [])):
        certificates = [certificate(holder).decode() for holder in holders]
        configuration = {
            "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
            **(
                {"dicomveil": {"encryptedAttributes": {"certificates": certificates}}}
                if holders
                else {}
            ),
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(configuration))
        done = dicomveil(
            "deid", tmp_path / "in", "--out", tmp_path / "all" / name,
            "--deid-config", tmp_path / f"{name}.json", "--key-file", key_file, "--jobs", "1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    (tmp_path / "key.pem").write_bytes(private(TRUSTEE))
    (tmp_path / "cert.pem").write_bytes(certificate(TRUSTEE))
    (tmp_path / "other.pem").write_bytes(certificate(STRANGER))
    keys = ("--private-key", tmp_path / "key.pem", "--certificate", tmp_path / "cert.pem")
    # The results go into the folder itself: they are not taken for more of it.
    restoring = dicomveil("reidentify", tmp_path / "all", "--out", tmp_path / "all" / "back", *keys)
    assert restoring.returncode == 1
    assert restoring.stdout == "2 restored, 4 failed\n"
    assert restoring.stderr.count("it was sealed for somebody else") == 2
    assert restoring.stderr.count("nothing was sealed in it") == 2
    back = tmp_path / "all" / "back"
    names = {str(path.relative_to(back)) for path in back.rglob("*.dcm")}
    assert names == {
        str(path.relative_to(tmp_path / "all"))
        for path in (tmp_path / "all" / "sealed").rglob("*.dcm")
    }
    assert {pydicom.dcmread(path).PatientID for path in back.rglob("*.dcm")} == {
        make_ct().PatientID
    }

    mixed = ("--private-key", tmp_path / "key.pem", "--certificate", tmp_path / "other.pem")
    wrong = dicomveil("reidentify", tmp_path / "all" / "sealed", "--out", tmp_path / "x", *mixed)
    assert wrong.stderr.count("do not belong to each other") == 2
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "note.txt").write_text("hello")
    nothing = dicomveil("reidentify", tmp_path / "empty", "--out", tmp_path / "y", *keys)
    assert nothing.returncode == 4
    assert "there is no DICOM file in what was named" in nothing.stderr
