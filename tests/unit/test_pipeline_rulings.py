"""What a worker does with an instance of which a person has decided something."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.uid import UID

import deid
from daemon.pipeline.messages import job_from, job_message
from daemon.pipeline.work import Work
from daemon.records import Job, Known, Origin, Receiver, Ruling, State
from deid.ports import DrawnBox
from tests.factories import encoded, make_ct
from tests.sections import make_route

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.records import Result

BASIC: dict[str, Any] = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
KEPT: dict[str, Any] = {
    "dicom": {"filterProfile": "KEEP_ALL_PROFILE"},
    "dicomveil": {"burnedIn": "pass"},
}
BOX = DrawnBox(0, 8, 4, 40, 16)


@pytest.fixture(scope="module")
def work() -> Work:
    plans = {
        name: deid.compile_plan(configuration, deid.SiteKey(bytes([position]) + bytes(range(31))))
        for position, (name, configuration) in enumerate({"default": BASIC, "other": KEPT}.items())
    }
    return Work([make_route()], plans)


def processed(work: Work, folder: Path, ruling: Ruling | None) -> Result:
    dataset = make_ct(rows=64, columns=64)
    dataset.BurnedInAnnotation = "YES"
    source = folder / "source"
    source.write_bytes(encoded(dataset))
    job = Job("0" * 32, Origin(Receiver.DIMSE), source, folder / "output", Known(), ruling)
    return work.process(job_from(job_message(job)))


def test_without_a_ruling_it_is_refused(work: Work, tmp_path: Path) -> None:
    result = processed(work, tmp_path, None)
    assert (result.state, result.reason) == (State.QUARANTINED, "pixels_not_cleaned")


def test_boxes_are_filled_and_the_outcome_says_by_hand(work: Work, tmp_path: Path) -> None:
    result = processed(work, tmp_path, Ruling("", (BOX,)))
    assert (result.state, result.deidentifier) == (State.STORED, "default")
    (region,) = json.loads(result.outcome)["regions"]
    assert region == {"frame": 1, "box": list(BOX[1:]), "why": "by_hand"}
    written = pydicom.dcmread(tmp_path / "output")
    assert not written.pixel_array[4:20, 8:48].std()


def test_another_deidentifier_is_taken_whatever_the_routes_say(work: Work, tmp_path: Path) -> None:
    result = processed(work, tmp_path, Ruling("other"))
    assert (result.state, result.deidentifier, result.route) == (State.STORED, "other", "")
    assert UID(pydicom.dcmread(tmp_path / "output").SOPInstanceUID)


def test_a_deidentifier_that_is_gone_is_a_reason_of_its_own(work: Work, tmp_path: Path) -> None:
    result = processed(work, tmp_path, Ruling("removed", (BOX,)))
    assert (result.state, result.reason, result.deidentifier) == (
        State.QUARANTINED,
        "deidentifier_gone",
        "removed",
    )
    assert result.source is not None
