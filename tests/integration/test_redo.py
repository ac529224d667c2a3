"""`dicomveil redo` over what is being read: every answer whole, old or new, none missing."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING

import pydicom
import pytest

from daemon.records import State
from tests.factories import many_ct
from tests.scu import PlainScu, dataset_of
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from pathlib import Path

INSTANCES = 200
OLD = """
[deidentifiers.default.config.dicom]
filterProfile = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"
"""
NEW = f"""{OLD}
[deidentifiers.default.config.dicomveil]
options = ["retain_patient_characteristics"]
"""

LAX = """
[deidentifiers.default.config.dicom]
filterProfile = "KEEP_ALL_PROFILE"
"""


class Readers:
    """Read everything again and again, each on its own, and remember what was wrong or missing."""

    def __init__(self, daemon: RunningDaemon, replaced: list[tuple[str, str, str]]) -> None:
        self._daemon = daemon
        self._replaced = replaced
        self._ended = threading.Event()
        self.faults: list[str] = []
        self.reads = 0
        self.sexes: set[str] = set()
        self._threads = [
            threading.Thread(target=self._retrieve, args=(replaced[part::2],)) for part in (0, 1)
        ] + [threading.Thread(target=self._search)]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _retrieve(self, part: list[tuple[str, str, str]]) -> None:
        while not self._ended.is_set():
            for uids in part:
                try:
                    instance = pydicom.dcmread(io.BytesIO(self._daemon.retrieve(*uids)))
                    assert instance.SOPInstanceUID == uids[2]
                    assert len(instance.PixelData) == instance.Rows * instance.Columns * 2
                    self.sexes.add(str(instance.get("PatientSex", "")))
                    self.reads += 1
                except Exception as error:  # noqa: BLE001 - reported by the test
                    self.faults.append(repr(error)[:200])

    def _search(self) -> None:
        studies = {study for study, _, _ in self._replaced}
        while not self._ended.is_set():
            found = self._daemon.instances()
            if len(found) != INSTANCES:
                self.faults.append(f"a search found {len(found)}")
            metadata = sum(
                len(json.loads(self._daemon.get(f"/dicomweb/deid/studies/{study}/metadata")[1]))
                for study in studies
            )
            if metadata != INSTANCES:
                self.faults.append(f"metadata of {metadata}")


@pytest.fixture
def daemon(tmp_path: Path) -> RunningDaemon:
    (tmp_path / "state").mkdir(mode=0o700)
    return RunningDaemon(tmp_path / "state", tmp_path, settings=OLD, workers=0, is_prepared=True)


def send(daemon: RunningDaemon, contents: list[bytes]) -> None:
    with PlainScu(daemon.dimse_port) as scu:
        for content in contents:
            uid = str(pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID)
            assert scu.store(dataset_of(content), uid.encode()) == 0


def counts(daemon: RunningDaemon) -> tuple[dict[str, int], int, dict[str, int]]:
    """Return states, what is done again, and instances of each store."""
    told = json.loads(daemon.command("status", "--json").stdout)
    states = {state: count for state, count in told["states"].items() if count}
    return states, told["done_again"], {each["store"]: each["instances"] for each in told["stores"]}


def undone(daemon: RunningDaemon) -> int:
    """Return how many are still to be done again; asked for often, so not of a command."""
    return sum(each.state is State.RECEIVED for each in daemon.journal())


def stored(daemon: RunningDaemon) -> bool:
    return not undone(daemon) and counts(daemon) == (
        {"stored": INSTANCES},
        0,
        {"source": INSTANCES, "deid": INSTANCES},
    )


def test_a_changed_configuration_is_applied_while_everything_can_be_read(
    daemon: RunningDaemon,
) -> None:
    daemon.start()
    try:
        send(daemon, list(many_ct(INSTANCES, rows=8, per_study=50)))
        daemon.wait_until_settled(INSTANCES)
        replaced = daemon.replaced()
        assert daemon.stop() == 0
        daemon.settings = NEW
        daemon.start()
        readers = Readers(daemon, list(replaced.values()))
        readers.begin()
        try:
            wait_until(lambda: readers.reads > 20, what="readers read")
            assert readers.sexes == {""}
            done = daemon.command("redo", "--all")
            assert (done.returncode, done.stdout) == (
                0,
                f"{INSTANCES} will be de-identified again\n",
            )
            wait_until(lambda: stored(daemon), what="all are stored again")
            reads = readers.reads
            wait_until(lambda: readers.reads > reads + INSTANCES, what="readers read on")
        finally:
            readers.end()
        assert readers.faults == []
        assert len(readers.sexes) > 1, "both the old and the new were read"
        assert daemon.replaced() == replaced
    finally:
        daemon.stop()
    checked = daemon.command("fsck")
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout


def test_searches_forget_what_a_stricter_configuration_takes_away(daemon: RunningDaemon) -> None:
    daemon.settings = LAX
    daemon.start()
    try:
        send(daemon, list(many_ct(4, rows=8, per_study=2)))
        daemon.wait_until_settled(4)
        asked = "/dicomweb/deid/instances?includefield=all"
        lax = {str(value) for told in json.loads(daemon.get(asked)[1]) for value in told.values()}
        name = str(json.loads(daemon.get(asked)[1])[0]["00100010"]["Value"][0]["Alphabetic"])
        assert daemon.stop() == 0
        daemon.settings = OLD
        daemon.start()
        assert daemon.command("redo", "--all").returncode == 0
        wait_until(lambda: not undone(daemon), what="all are stored again")
        for told in json.loads(daemon.get(asked)[1]):
            resource = told["00081190"]["Value"][0].partition("/dicomweb/")[2]
            (metadata,) = json.loads(daemon.get(f"/dicomweb/{resource}/metadata")[1])
            stale = {
                tag for tag, value in told.items() if tag in metadata and value != metadata[tag]
            }
            assert not stale
            assert "00080080" not in told
            assert str(told["00100010"]) not in lax
        assert daemon.get(f"/dicomweb/deid/studies?PatientName={name}")[1] == b"[]"
    finally:
        daemon.stop()


def test_killed_in_the_middle_everything_is_there_and_the_rest_is_done_after(
    daemon: RunningDaemon,
) -> None:
    daemon.start()
    try:
        send(daemon, list(many_ct(INSTANCES, rows=8, per_study=50)))
        daemon.wait_until_settled(INSTANCES)
        replaced = daemon.replaced()
        daemon.stop()
        daemon.settings = NEW
        assert daemon.command("redo", "--deidentifier", "default").returncode == 0
        assert counts(daemon)[:2] == ({"received": INSTANCES}, INSTANCES)
        for left in (150, 60):
            daemon.start()
            assert len(daemon.instances()) == INSTANCES
            wait_until(lambda left=left: undone(daemon) <= left, what="some are done")  # type: ignore[misc]
            daemon.kill()
        daemon.start()
        assert len(daemon.instances()) == INSTANCES
        wait_until(lambda: stored(daemon), what="all are stored again")
        assert daemon.replaced() == replaced
        for uids in replaced.values():
            assert pydicom.dcmread(io.BytesIO(daemon.retrieve(*uids))).PatientSex
    finally:
        daemon.stop()
    assert daemon.command("fsck").returncode == 0


def test_redo_asks_for_one_selection_that_exists(daemon: RunningDaemon) -> None:
    daemon.start()
    try:
        send(daemon, list(many_ct(2, rows=8)))
        daemon.wait_until_settled(2)
        assert daemon.command("redo").returncode == 2
        assert daemon.command("redo", "1.2", "--all").returncode == 2
        unknown = daemon.command("redo", "--deidentifier", "nobody")
        assert (unknown.returncode, "nobody" in unknown.stderr) == (2, True)
        assert daemon.command("redo", "9.9.9").returncode == 1
    finally:
        daemon.stop()
