"""Every way in, through the real daemon, to the destination: what the main job promises."""

from __future__ import annotations

import io
import random
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pydicom
import pytest
from dicomweb_client import DICOMwebClient

from daemon.records import Receiver, State
from tests.factories import (
    PATIENTS,
    demonstration_instances,
    encoded,
    identifying_strings,
    make_ct,
    many_ct,
)
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

SENT, STORED, DROPPED = 500, 50, 100
ASSOCIATIONS = 4
BURNED_IN_LIKELY = ("US", "secondary capture", "PDF", "XA", "CR", "DX")
"""Kinds among the demonstration instances that may be put aside until pixels are cleaned."""


@pytest.fixture(scope="module")
def kinds() -> dict[str, Dataset]:
    return {f"{n} {entry.kind}": entry.dataset for n, entry in enumerate(demonstration_instances())}


@pytest.fixture(scope="module")
def sampled(kinds: dict[str, Dataset]) -> list[tuple[str, Dataset]]:
    """Return all kinds and a few of the many CT, as they were sent."""
    dice = random.Random(3)
    many = [*many_ct(SENT, seed=11), *many_ct(STORED, rows=64, seed=12)]
    some = [pydicom.dcmread(io.BytesIO(content)) for content in dice.sample(many, 12)]
    return [*kinds.items(), *((f"CT {n}", dataset) for n, dataset in enumerate(some))]


@pytest.fixture(scope="module")
def identifying(sampled: list[tuple[str, Dataset]]) -> set[bytes]:
    """Return what must not be found anywhere in the clear."""
    found = {text for _, dataset in sampled for text in identifying_strings(dataset)}
    for patient in PATIENTS:
        found |= {
            text.encode()
            for value in (patient.name, patient.patient_id, patient.comment, patient.address)
            for text in value.replace("=", "^").split("^")
            if len(text.encode()) > 5
        }
    return found


@pytest.fixture(scope="module")
def filled(
    tmp_path_factory: pytest.TempPathFactory, kinds: dict[str, Dataset]
) -> Iterator[RunningDaemon]:
    """Run a daemon to which all was sent by each way, and that has settled all."""
    folder = tmp_path_factory.mktemp("end-to-end")
    (folder / "inbox").mkdir()
    (folder / "tmp").mkdir()
    (folder / "state").mkdir(mode=0o700)
    daemon = RunningDaemon(
        state_dir=folder / "state",
        folder=folder,
        inbox=folder / "inbox",
        settings='[log]\nlevel = "debug"\nformat = "json"\n',
        workers=0,
        environment={"TMPDIR": str(folder / "tmp")},
    )
    daemon.start()
    try:
        _send_by_storescu(daemon, folder / "outbox")
        _store_by_dicomweb_client(daemon)
        _drop(daemon, kinds)
        daemon.wait_until_settled(SENT + STORED + DROPPED, deadline_s=500)
        yield daemon
    finally:
        daemon.stop()


def _send_by_storescu(daemon: RunningDaemon, outbox: Path) -> None:
    for number, content in enumerate(many_ct(SENT, seed=11)):
        path = outbox / str(number % ASSOCIATIONS) / f"{number}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    command = ["storescu", "-aec", "DICOMVEIL", "+sd", "127.0.0.1", str(daemon.dimse_port)]
    with ExitStack() as stack:
        senders = [
            stack.enter_context(
                subprocess.Popen([*command, outbox / str(n)], stderr=subprocess.PIPE)
            )
            for n in range(ASSOCIATIONS)
        ]
        for sender in senders:
            stack.callback(sender.kill)
        for sender in senders:
            _, complaint = sender.communicate(timeout=500)
            assert sender.returncode == 0, complaint


def _store_by_dicomweb_client(daemon: RunningDaemon) -> None:
    client = DICOMwebClient(url=f"{daemon.http}/dicomweb/source")
    datasets = [
        pydicom.dcmread(io.BytesIO(content)) for content in many_ct(STORED, rows=64, seed=12)
    ]
    for start in range(0, STORED, 10):
        client.store_instances(datasets=datasets[start : start + 10])


def _drop(daemon: RunningDaemon, kinds: dict[str, Dataset]) -> None:
    assert daemon.inbox is not None
    contents = [encoded(dataset) for dataset in kinds.values()]
    contents += many_ct(DROPPED - len(contents), rows=64, seed=13)
    for number, content in enumerate(contents):
        folder = daemon.inbox / f"from {number % 7}" / "deeper"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"Fictional^Mary {number}.dcm").write_bytes(content)


def _dropped_names(daemon: RunningDaemon) -> list[Path]:
    assert daemon.inbox is not None
    return [path for path in daemon.inbox.rglob("*.dcm") if ".refused" not in path.parts]


@pytest.mark.peer("storescu")
def test_everything_sent_was_received_and_nothing_twice(filled: RunningDaemon) -> None:
    journal = filled.journal()
    by_receiver = {
        receiver: sum(entry.receiver == receiver for entry in journal) for receiver in Receiver
    }
    assert by_receiver == {
        Receiver.DIMSE: SENT,
        Receiver.STOW: STORED,
        Receiver.WATCH: DROPPED,
        Receiver.RECOVERED: 0,
        Receiver.OPERATION: 0,
    }
    originals = [entry.original_uid for entry in journal]
    assert len(set(originals)) == len(originals)
    assert _dropped_names(filled) == []


@pytest.mark.peer("storescu")
def test_every_ct_is_in_the_destination_and_nothing_is_aside_without_a_reason(
    filled: RunningDaemon, kinds: dict[str, Dataset]
) -> None:
    journal = {entry.original_uid: entry for entry in filled.journal()}
    aside = [entry for entry in journal.values() if entry.state is not State.STORED]
    assert all(entry.state is State.QUARANTINED and entry.reason for entry in aside)
    expected = {
        str(dataset.SOPInstanceUID)
        for kind, dataset in kinds.items()
        if any(word in kind for word in BURNED_IN_LIKELY)
    }
    assert {entry.original_uid for entry in aside} <= expected
    assert len(filled.instances("deid")) == len(journal) - len(aside)
    assert len(filled.instances("source")) == len(journal)


@pytest.mark.peer("storescu", "dcmdump")
def test_dcmdump_of_outputs_shows_no_original_value(
    filled: RunningDaemon, sampled: list[tuple[str, Dataset]], tmp_path: Path
) -> None:
    replaced = filled.replaced()
    leaks = {}
    for kind, source in sampled:
        if source.SOPInstanceUID not in replaced:
            continue
        output = tmp_path / "output.dcm"
        output.write_bytes(filled.retrieve(*replaced[source.SOPInstanceUID]))
        shown = subprocess.run(
            ["dcmdump", "+L", "-q", output], capture_output=True, check=True
        ).stdout
        found = {text for text in identifying_strings(source) if text in shown}
        if found:
            leaks[kind] = found
    assert leaks == {}


@pytest.mark.peer("storescu", "dciodvfy")
def test_dciodvfy_reports_no_error_that_the_source_did_not_have(
    filled: RunningDaemon, sampled: list[tuple[str, Dataset]], tmp_path: Path
) -> None:
    replaced = filled.replaced()
    worse = {}
    for kind, source in sampled:
        if source.SOPInstanceUID not in replaced or "deflated" in kind:
            continue
        before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
        before.write_bytes(encoded(source))
        after.write_bytes(filled.retrieve(*replaced[source.SOPInstanceUID]))
        new = _errors(after) - _errors(before)
        if new:
            worse[kind] = new
    assert worse == {}


@pytest.mark.peer("storescu")
def test_no_output_holds_an_original_value_outside_its_pixels(
    filled: RunningDaemon, identifying: set[bytes]
) -> None:
    blobs = [path for path in (filled.state_dir / "deid").rglob("*") if path.is_file()]
    assert len(blobs) == len(filled.instances("deid"))
    headers = [_header_bytes(path) for path in blobs]
    leaks = {text for header in headers for text in identifying if text in header}
    assert leaks == set()


@pytest.mark.peer("storescu")
def test_studies_of_one_patient_share_one_pseudonym_and_references_still_point(
    filled: RunningDaemon, kinds: dict[str, Dataset]
) -> None:
    replaced = filled.replaced()
    report = next(dataset for kind, dataset in kinds.items() if "key objects" in kind)
    slices = [item.ReferencedSOPSequence[0] for item in report.ContentSequence[1:]]
    output = pydicom.dcmread(io.BytesIO(filled.retrieve(*replaced[report.SOPInstanceUID])))
    evidence = output.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    pointed = [item.ReferencedSOPInstanceUID for item in evidence.ReferencedSOPSequence]
    assert pointed == [replaced[item.ReferencedSOPInstanceUID][2] for item in slices]
    first = pydicom.dcmread(
        io.BytesIO(filled.retrieve(*replaced[slices[0].ReferencedSOPInstanceUID]))
    )
    assert first.PatientID == output.PatientID
    assert first.StudyInstanceUID == output.StudyInstanceUID


@pytest.mark.peer("storescu")
def test_no_side_door_shows_an_original_value(
    filled: RunningDaemon, identifying: set[bytes]
) -> None:
    strings = identifying | {b"Fictional^Mary"}
    doors = {
        "log": filled.log_path.read_bytes(),
        "metrics": filled.get("/metrics", accept="*/*")[1],
        "studies": filled.get("/dicomweb/deid/studies?limit=1000&includefield=all")[1],
        "instances": filled.get("/dicomweb/deid/instances?limit=1000&includefield=all")[1],
        "error": filled.get("/dicomweb/deid/studies/1.2.3/series/4.5/instances/6.7")[1],
        "status": filled.command("status", "--json").stdout.encode(),
        "quarantine": filled.command("quarantine", "list", "--json").stdout.encode(),
        "names": "\n".join(
            str(path.relative_to(filled.folder))
            for path in filled.folder.rglob("*")
            if "outbox" not in path.parts and "inbox" not in path.parts
        ).encode(),
        "temporary": b"".join(
            path.read_bytes() for path in (filled.folder / "tmp").rglob("*") if path.is_file()
        ),
    }
    leaks = {name: {text for text in strings if text in door} for name, door in doors.items()}
    assert {name: found for name, found in leaks.items() if found} == {}


@pytest.mark.peer("storescu")
def test_only_the_owner_may_look_into_the_state_folder(filled: RunningDaemon) -> None:
    open_to_others = [
        path.relative_to(filled.state_dir)
        for path in filled.state_dir.rglob("*")
        if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ]
    assert open_to_others == []


@pytest.mark.peer("storescu")
def test_nothing_went_wrong_that_nobody_planned(filled: RunningDaemon) -> None:
    filled.assert_no_traceback()
    assert filled.is_alive()


def test_sigterm_right_behind_a_transfer_loses_nothing(running_daemon: RunningDaemon) -> None:
    client = DICOMwebClient(url=f"{running_daemon.http}/dicomweb/source")
    files = [pydicom.dcmread(io.BytesIO(content)) for content in many_ct(5, rows=4)]
    client.store_instances(datasets=files)
    assert running_daemon.stop() == 0
    assert len(running_daemon.journal()) == 5
    running_daemon.start()
    settled = running_daemon.wait_until_settled(5)
    assert [entry.state for entry in settled] == [State.STORED] * 5
    assert len(running_daemon.instances("deid")) == 5


def test_a_file_dropped_while_the_daemon_is_down_is_taken_at_start(
    forked_daemon: RunningDaemon,
) -> None:
    assert forked_daemon.inbox is not None
    forked_daemon.stop()
    (forked_daemon.inbox / "late.dcm").write_bytes(encoded(make_ct()))
    forked_daemon.start()
    forked_daemon.wait_until_settled(1)
    wait_until(
        lambda: not (forked_daemon.inbox and list(forked_daemon.inbox.glob("*.dcm"))),
        what="the inbox is empty",
    )
    assert len(forked_daemon.instances("deid")) == 1


def _header_bytes(path: Path) -> bytes:
    """Return a file without the bulk of large pixel data, in which chance finds short strings."""
    content = path.read_bytes()
    at = content.find(b"\xe0\x7f\x10\x00")
    return content if at < 0 else content[:at] + content[-256:]


def _errors(path: Path) -> set[str]:
    run = subprocess.run(["dciodvfy", path], capture_output=True, check=False)
    lines = (run.stdout + run.stderr).decode("utf-8", "replace").splitlines()
    return {line for line in lines if line.startswith("Error")}
