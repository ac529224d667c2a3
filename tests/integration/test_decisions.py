"""Decisions about refused instances with the service running, killed, and started again."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pydicom
import pytest

from tests.factories import encoded, make_ct
from tests.scu import PlainScu, dataset_of
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
[deidentifiers.default]
config = "basic"
"""
REVIEWER = "Q. Canary-Reviewer"
BOX = "1:8,4,40,16"


@pytest.fixture
def daemon(tmp_path: Path) -> RunningDaemon:
    (tmp_path / "state").mkdir(mode=0o700)
    return RunningDaemon(tmp_path / "state", tmp_path, settings=SETTINGS, is_prepared=True)


def send(daemon: RunningDaemon, count: int) -> None:
    """Send instances that say of themselves that text is burned in."""
    with PlainScu(daemon.dimse_port) as scu:
        for number in range(1, count + 1):
            dataset = make_ct(rows=64, instance=number, BurnedInAnnotation="YES")
            uid = str(dataset.SOPInstanceUID)
            assert scu.store(dataset_of(encoded(dataset)), uid.encode()) == 0


def blanked(daemon: RunningDaemon) -> list[bool]:
    """Say of each result whether the box is filled in it and its account tells so."""
    results = [
        pydicom.dcmread(io.BytesIO(daemon.retrieve(*uids))) for uids in daemon.replaced().values()
    ]
    return [
        not each.pixel_array[4:20, 8:48].std()
        and each.BurnedInAnnotation == "NO"
        and "dicomveil 0.1 regions by hand" in each.DeidentificationMethod
        for each in results
    ]


def test_a_decision_holds_through_kills_and_when_all_is_done_again(daemon: RunningDaemon) -> None:
    daemon.start()
    try:
        send(daemon, 3)
        refused = daemon.wait_until_settled(3)
        assert {entry.reason for entry in refused} == {"pixels_not_cleaned"}
        listed = daemon.command("quarantine", "list", "--json").stdout
        first, second, _ = (each["id"] for each in json.loads(listed))
        # One is decided while the service runs and dies at once, one while it is dead.
        decide = ("--blank", BOX, "--reviewer", REVIEWER)
        assert daemon.command("quarantine", "release", first, *decide).returncode == 0
        daemon.kill()
        told = daemon.command("quarantine", "release", second, *decide)
        assert "1 will be released after filling" in told.stdout
        assert "No service runs" in told.stderr
        daemon.start()
        states = sorted(entry.state.value for entry in daemon.wait_until_settled(3))
        assert states == ["quarantined", "stored", "stored"]
        assert blanked(daemon) == [True, True]

        assert daemon.command("redo", "--all").returncode == 0
        daemon.wait_until_settled(3)
        assert blanked(daemon) == [True, True]

        decisions = daemon.command("quarantine", "decisions", first).stdout
        assert REVIEWER in decisions
        assert "1:8,4,40,16" in decisions
    finally:
        daemon.stop()
    assert REVIEWER not in daemon.log
    assert "Canary" not in daemon.log
    daemon.assert_no_traceback()
