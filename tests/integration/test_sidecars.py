"""FHIR resources beside instances, through the whole service: what is tied, told again, and never told."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories import PATIENTS, encoded, make_ct
from tests.fhir_peer import FhirPeer
from tests.service import RunningDaemon, wait_until
from tests.sidecar_samples import make_resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydicom.dataset import Dataset

SETTINGS = "[workers]\ncount = 2\n"
PEOPLE = PATIENTS[:4]


@contextmanager
def running(folder: Path, settings: str = SETTINGS) -> Iterator[RunningDaemon]:
    inbox = folder / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    key = folder / "site.key"
    key.touch(0o600)
    key.write_bytes(bytes(range(100, 132)))
    settings = f'{settings}[key]\nfile = "{key}"\n'
    daemon = RunningDaemon(folder / "state", folder, inbox=inbox, settings=settings)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def results(daemon: RunningDaemon) -> FhirPeer:
    return FhirPeer(f"{daemon.http}/fhir/deid")


def source(daemon: RunningDaemon) -> FhirPeer:
    return FhirPeer(f"{daemon.http}/fhir/source")


def downloaded(peer: FhirPeer) -> list[dict[str, Any]]:
    """Return everything in a store, without what tells when it was stored."""
    lines = [json.loads(line) for line in peer.get("/$export").body.splitlines()]
    for line in lines:
        for name in ("versionId", "lastUpdated"):
            del line["meta"][name]
    return sorted(lines, key=lambda line: (line["resourceType"], line["id"]))


def drop(inbox: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_bytes(data)
        unfinished.rename(path)


def study(person: int, number: int = 1, instances: int = 2) -> list[Dataset]:
    return [
        make_ct(PATIENTS[person], study=number, instance=instance, rows=16)
        for instance in range(1, instances + 1)
    ]


def packed(resources: list[dict[str, Any]], how: str) -> bytes:
    if how == "bundle":
        entries = [{"resource": each} for each in resources]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        return json.dumps(bundle).encode()
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in resources)
    return gzip.compress(lines) if how == "ndjson.gz" else lines


def wait_for_results(daemon: RunningDaemon, count: int) -> list[dict[str, Any]]:
    peer = results(daemon)
    wait_until(
        lambda: len(peer.get("/$export").body.splitlines()) >= count,
        what=f"{count} resources are in the destination",
    )
    return downloaded(peer)


def replaced_patient(daemon: RunningDaemon) -> set[tuple[str, str]]:
    """Return pseudonym and date of each study in the destination."""
    found = daemon.instances("deid")
    return {(each["00100020"]["Value"][0], each["0020000D"]["Value"][0]) for each in found}


@pytest.fixture
def folder(disk_path: Path) -> Path:
    return disk_path


def test_a_folder_with_a_study_and_its_resources_comes_out_as_one_story(folder: Path) -> None:
    instances = study(0)
    resources = make_resources(instances[0], PATIENTS[0], "a")
    with running(folder) as daemon:
        drop(folder / "inbox", {f"a/{n}.dcm": encoded(each) for n, each in enumerate(instances)})
        drop(folder / "inbox", {f"a/{r['id']}.json": json.dumps(r).encode() for r in resources})
        found = {each["resourceType"]: each for each in wait_for_results(daemon, len(resources))}
        wait_until(lambda: len(daemon.instances("deid")) == 2, what="the instances are there")
        ((pseudonym, study_uid),) = replaced_patient(daemon)
        assert found["Patient"]["identifier"][0]["value"] == pseudonym
        assert found["ImagingStudy"]["identifier"][0]["value"] == f"urn:oid:{study_uid}"
        patient = f"Patient/{found['Patient']['id']}"
        for kind in ("ServiceRequest", "ImagingStudy", "DiagnosticReport", "Observation"):
            assert found[kind]["subject"]["reference"] == patient
        assert found["DiagnosticReport"]["imagingStudy"][0]["reference"] == (
            f"ImagingStudy/{found['ImagingStudy']['id']}"
        )
        everything = json.dumps(list(found.values()), ensure_ascii=False)
        for original in ("Lüdenscheidt", "Jürgen", PATIENTS[0].patient_id, "1957-03-12", "5550142"):
            assert original not in everything
        served = results(daemon).get("/ImagingStudy", patient=patient)
        assert served.json["total"] == 1


@pytest.mark.parametrize("how", ["bundle", "ndjson", "ndjson.gz"])
def test_resources_come_in_bundles_lines_and_gzip_and_in_a_zip_with_their_images(
    folder: Path, how: str
) -> None:
    instances = study(1)
    data = packed(make_resources(instances[0], PATIENTS[1], "b"), how)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for number, each in enumerate(instances):
            zipped.writestr(f"DICOM/{number}", encoded(each))
        zipped.writestr(f"fhir/record.{how}", data)
    with running(folder) as daemon:
        drop(folder / "inbox", {"all.zip": archive.getvalue()})
        wait_for_results(daemon, 7)


def test_resources_that_come_before_or_after_their_images_come_out_the_same(folder: Path) -> None:
    instances = study(0)
    files = {f"i{n}.dcm": encoded(each) for n, each in enumerate(instances)}
    resources = {"r.json": packed(make_resources(instances[0], PATIENTS[0], "a"), "bundle")}
    outcomes = []
    for name, first, second in (("one", files, resources), ("two", resources, files)):
        with running(folder / name) as daemon:
            drop(folder / name / "inbox", first)
            daemon.wait_until_settled(len(first))
            drop(folder / name / "inbox", second)
            outcomes.append(wait_for_results(daemon, 7))
    assert outcomes[0] == outcomes[1]
