"""What a sender has its answer for, the source shows to whoever asks next; through the real daemon."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from pydicom.uid import generate_uid

from daemon.store import fsck
from tests.factories import encoded, make_ct
from tests.scu import PlainScu, dataset_of
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

ROUNDS = 20
KILLS = 6


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("daemon")
    running = RunningDaemon(folder / "state", folder, is_prepared=True)
    running.start()
    yield running
    running.stop()


def new_ct(study_uid: str = "") -> Dataset:
    dataset = make_ct(rows=16)
    dataset.StudyInstanceUID = study_uid or generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return dataset


@pytest.mark.parametrize("resource", ["search", "study", "instance", "metadata", "frame"])
def test_what_is_stored_by_stow_is_found_by_the_next_request(
    daemon: RunningDaemon, resource: str
) -> None:
    client = DICOMwebClient(f"{daemon.http}/dicomweb/source")
    for _ in range(ROUNDS):
        dataset = new_ct()
        study, series, instance = (
            dataset.StudyInstanceUID,
            dataset.SeriesInstanceUID,
            dataset.SOPInstanceUID,
        )
        client.store_instances([dataset])
        if resource == "search":
            filters = {"PatientID": dataset.PatientID, "StudyInstanceUID": study}
            assert len(client.search_for_studies(search_filters=filters)) == 1
        elif resource == "study":
            assert [each.SOPInstanceUID for each in client.retrieve_study(study)] == [instance]
        elif resource == "instance":
            assert client.retrieve_instance(study, series, instance).SOPInstanceUID == instance
        elif resource == "metadata":
            assert len(client.retrieve_study_metadata(study)) == 1
        else:
            (frame,) = client.retrieve_instance_frames(study, series, instance, [1])
            assert frame == dataset.PixelData


def test_what_is_stored_by_c_store_is_found_by_the_next_request(daemon: RunningDaemon) -> None:
    client = DICOMwebClient(f"{daemon.http}/dicomweb/source")
    with PlainScu(daemon.dimse_port) as scu:
        for _ in range(ROUNDS):
            dataset = new_ct()
            instance = dataset.SOPInstanceUID
            assert scu.store(dataset_of(encoded(dataset)), instance.encode()) == 0
            (found,) = client.search_for_instances(dataset.StudyInstanceUID)
            assert found["00080018"]["Value"] == [instance]


def test_a_study_is_complete_after_each_instance_of_it(daemon: RunningDaemon) -> None:
    client = DICOMwebClient(f"{daemon.http}/dicomweb/source")
    study = generate_uid()
    for count in range(1, ROUNDS + 1):
        client.store_instances([new_ct(study)])
        assert len(client.search_for_instances(study)) == count
        assert len(client.retrieve_study_metadata(study)) == count


def test_what_was_shown_ahead_is_stored_in_both_stores_once(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path / "state", tmp_path, workers=0, is_prepared=True)
    daemon.start()
    client = DICOMwebClient(f"{daemon.http}/dicomweb/source")
    sent = [new_ct() for _ in range(ROUNDS)]
    for dataset in sent:
        client.store_instances([dataset])
        client.store_instances([dataset])
        assert len(client.search_for_instances(dataset.StudyInstanceUID)) == 1
    journal = daemon.wait_until_settled(2 * ROUNDS)
    assert sorted(entry.state for entry in journal) == ["duplicate"] * ROUNDS + ["stored"] * ROUNDS
    assert len(daemon.instances("source")) == len(daemon.instances("deid")) == ROUNDS
    for dataset in sent:
        path = (
            f"/dicomweb/source/studies/{dataset.StudyInstanceUID}/series"
            f"/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"
        )
        _status, body = daemon.get(path, accept="application/dicom")
        assert pydicom.dcmread(io.BytesIO(body)).SOPInstanceUID == dataset.SOPInstanceUID
    assert daemon.stop() == 0
    assert list((tmp_path / "state" / "spool").iterdir()) == []


def test_what_was_acknowledged_is_found_at_once_after_a_kill_too(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path / "state", tmp_path, workers=0, is_prepared=True)
    study = generate_uid()
    sent = 0
    for kill in range(KILLS):
        daemon.start()
        client = DICOMwebClient(f"{daemon.http}/dicomweb/source")
        assert len(client.search_for_instances(study)) == sent
        for count in range(1, 8):
            client.store_instances([new_ct(study)])
            sent += 1
            # With the last, some are shown ahead and others neither shown nor settled.
            if count % (kill + 2) == 0:
                assert len(client.search_for_instances(study)) == sent
        daemon.kill(workers_too=kill % 2 == 0)
    daemon.start()
    daemon.wait_until_settled(sent)
    assert len(daemon.instances("source")) == len(daemon.instances("deid")) == sent
    assert {entry.state for entry in daemon.journal()} == {"stored"}
    assert daemon.stop() == 0
    assert fsck.check(tmp_path / "state").findings == []
