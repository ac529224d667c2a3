"""The same instance again, as other programs encode it: one is kept, and nobody has to look at a conflict."""

from __future__ import annotations

import io
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest

from daemon.records import State
from tests.conftest import program
from tests.factories import encoded, make_ct, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service import RunningDaemon

VARIANTS = {
    "implicit": ("dcmconv", "+ti"),
    "big": ("dcmconv", "+tb"),
    "deflated": ("dcmconv", "+td"),
    "lengths": ("dcmconv", "-e", "+g"),
    "padding": ("dcmconv", "+p", "128", "64"),
    "rle": ("dcmcrle",),
    "jpegls": ("dcmcjpls",),
    "sv1": ("dcmcjpeg", "+e1"),
    "j2k": ("gdcmconv", "--j2k"),
    "jpeg": ("gdcmconv", "--jpeg"),
}
PEERS = ("storescu", "dcmconv", "dcmcrle", "dcmcjpls", "dcmcjpeg", "dcmdjpeg", "gdcmconv")


def run(*arguments: str | Path) -> None:
    name, *rest = (str(each) for each in arguments)
    path = program(name)
    assert path is not None
    subprocess.run([path, *rest], check=True, capture_output=True, timeout=240)


def variants(folder: Path, original: Path) -> list[Path]:
    """Encode a file as dcmtk and gdcm do, and one of theirs back again."""
    made = []
    for name, command in VARIANTS.items():
        made.append(folder / f"{name}.dcm")
        run(*command, original, made[-1])
    made.append(folder / "back.dcm")
    run("dcmdjpeg", folder / "jpeg.dcm", made[-1])
    return made


@pytest.mark.peer(*PEERS)
def test_what_other_programs_make_of_an_instance_is_a_duplicate_of_it(
    forked_daemon: RunningDaemon, disk_path: Path
) -> None:
    daemon = forked_daemon
    original = write(disk_path / "original.dcm", make_ct(rows=16))
    _send(daemon, original)
    daemon.wait_until_settled(1)
    others = variants(disk_path, original)
    assert daemon.inbox is not None
    for path in others:
        path.rename(daemon.inbox / path.name)
    journal = daemon.wait_until_settled(1 + len(others))
    states = [entry.state for entry in journal]
    assert states == [State.STORED] + [State.DUPLICATE] * len(others)
    assert len(daemon.instances()) == 1
    assert daemon.command("fsck").returncode == 0


@pytest.mark.peer("storescu")
def test_an_instance_sent_in_implicit_and_then_in_explicit_vr_is_one(
    forked_daemon: RunningDaemon, disk_path: Path
) -> None:
    original = write(disk_path / "original.dcm", make_ct(rows=16))
    for option in ("-xi", "-xe"):
        _send(forked_daemon, original, option)
    states = [entry.state for entry in forked_daemon.wait_until_settled(2)]
    assert states == [State.STORED, State.DUPLICATE]


@pytest.mark.peer(*PEERS)
def test_one_pixel_and_one_private_value_are_conflicts_in_every_encoding(
    forked_daemon: RunningDaemon, disk_path: Path
) -> None:
    daemon = forked_daemon
    _send(daemon, write(disk_path / "original.dcm", make_ct(rows=16)))
    daemon.wait_until_settled(1)
    sent = 1
    assert daemon.inbox is not None
    for name, change in (("pixel", _another_pixel), ("value", _another_value)):
        folder = disk_path / name
        path = folder / "changed.dcm"
        folder.mkdir()
        path.write_bytes(change(encoded(make_ct(rows=16))))
        for other in (path, *variants(folder, path)):
            other.rename(daemon.inbox / f"{name}-{other.name}")
            sent += 1
    states = [entry.state for entry in daemon.wait_until_settled(sent)]
    assert states == [State.STORED] + [State.QUARANTINED] * (sent - 1)
    assert {entry.reason for entry in daemon.journal()[1:]} == {"conflict"}


def _send(daemon: RunningDaemon, path: Path, *options: str) -> None:
    run("storescu", *options, "127.0.0.1", str(daemon.dimse_port), path)


def _another_pixel(content: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    pixels = np.frombuffer(dataset.PixelData, "<u2").copy()
    pixels[77] ^= 1
    dataset.PixelData = pixels.tobytes()
    return encoded(dataset)


def _another_value(content: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    dataset.private_block(0x0095, "ACME 1", create=True).add_new(1, "LO", "other")
    return encoded(dataset)
