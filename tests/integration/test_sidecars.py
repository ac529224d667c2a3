"""FHIR resources beside instances, through the whole service: what is tied, told again, and never told."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import socket
import time
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pydicom
import pytest

from tests.factories import PATIENTS, encoded, make_ct
from tests.fhir_peer import FhirPeer
from tests.service import RunningDaemon, wait_until
from tests.sidecar_samples import make_resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydicom.dataset import Dataset

SETTINGS = "[workers]\ncount = 1\n"
SEVERAL = "[workers]\ncount = 2\n"
PEOPLE = PATIENTS[:4]


@contextmanager
def running(
    folder: Path, settings: str = SETTINGS, *, is_prepared: bool = True
) -> Iterator[RunningDaemon]:
    inbox = folder / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    key = folder / "site.key"
    key.touch(0o600)
    key.write_bytes(bytes(range(100, 132)))
    settings = f'{settings}[key]\nfile = "{key}"\n'
    daemon = RunningDaemon(
        folder / "state", folder, inbox=inbox, settings=settings, is_prepared=is_prepared
    )
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


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """Run one service for tests that wait for results of their own, and look at no others."""
    with running(tmp_path_factory.mktemp("shared")) as daemon:
        yield daemon


@pytest.mark.parametrize(("how", "person"), [("bundle", 1), ("ndjson", 2), ("ndjson.gz", 3)])
def test_resources_come_in_bundles_lines_and_gzip_and_in_a_zip_with_their_images(
    shared: RunningDaemon, how: str, person: int
) -> None:
    before = len(downloaded(results(shared)))
    instances = study(person)
    data = packed(make_resources(instances[0], PATIENTS[person], f"b{person}"), how)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for number, each in enumerate(instances):
            zipped.writestr(f"DICOM/{number}", encoded(each))
        zipped.writestr(f"fhir/record.{how}", data)
    assert shared.inbox is not None
    drop(shared.inbox, {f"{how}.zip": archive.getvalue()})
    wait_for_results(shared, before + 7)


def test_resources_that_come_before_or_after_their_images_come_out_the_same(folder: Path) -> None:
    instances = study(0)
    files = {f"i{n}.dcm": encoded(each) for n, each in enumerate(instances)}
    resources = {"r.json": packed(make_resources(instances[0], PATIENTS[0], "a"), "bundle")}
    outcomes = []
    for name, first, second in (("one", files, resources), ("two", resources, files)):
        with running(folder / name, is_prepared=name == "two") as daemon:
            drop(folder / name / "inbox", first)
            daemon.wait_until_settled(len(first))
            drop(folder / name / "inbox", second)
            outcomes.append(wait_for_results(daemon, 7))
    assert outcomes[0] == outcomes[1]


CLEANING = """
[workers]
count = 2
[deidentifiers.default.config.dicom]
filterProfile = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"
[deidentifiers.default.config.fhir]
[deidentifiers.default.config.dicomveil]
options = ["clean_descriptors"]
"""


def descriptions(daemon: RunningDaemon) -> list[str]:
    found = daemon.instances("deid")
    studies = {each["0020000D"]["Value"][0] for each in found}
    series = {each["0020000E"]["Value"][0] for each in found}
    (one_study,), (one_series,) = studies, series
    told = []
    for each in found:
        data = daemon.retrieve(one_study, one_series, each["00080018"]["Value"][0])
        told.append(str(pydicom.dcmread(io.BytesIO(data)).StudyDescription))
    return told


def test_a_name_that_a_resource_tells_later_is_cleaned_from_images_that_are_there_already(
    folder: Path,
) -> None:
    instances = study(7, instances=4)
    for each in instances:
        each.StudyDescription = "Thorax Small nodule"
    resources = make_resources(instances[0], PATIENTS[7], "late")
    resources[0]["name"] = [{"family": "Small", "given": ["Ada"]}]
    with running(folder, CLEANING) as daemon:
        drop(folder / "inbox", {f"{n}.dcm": encoded(each) for n, each in enumerate(instances)})
        daemon.wait_until_settled(4)
        assert set(descriptions(daemon)) == {"Thorax Small nodule"}
        drop(folder / "inbox", {"late.json": packed(resources, "bundle")})

        def is_clean() -> bool:
            told = descriptions(daemon)
            assert len(told) == 4  # each is served whole, old or new, and never missing
            return not any("Small" in each for each in told)

        wait_until(is_clean, what="the name is gone from every instance")
        status = json.loads(daemon.command("status", "--json").stdout)
        assert status["resources"] == {"done": 7}


def test_nothing_is_fetched_from_addresses_in_resources(shared: RunningDaemon) -> None:
    before = len(downloaded(results(shared)))
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.0)
        address = f"http://127.0.0.1:{canary.getsockname()[1]}"
        resource = {
            "resourceType": "DocumentReference",
            "id": "d",
            "status": "current",
            "meta": {"profile": [f"{address}/profile"], "source": f"{address}/source"},
            "subject": {"reference": f"{address}/Patient/1"},
            "content": [{"attachment": {"url": f"{address}/scan.pdf"}}],
        }
        assert source(shared).update(resource).status == 201
        wait_for_results(shared, before + 1)
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_a_posted_resource_is_told_again_updated_and_deleted_with_its_original(
    folder: Path,
) -> None:
    with running(folder) as daemon:
        peer, told = source(daemon), results(daemon)
        patient = {
            "resourceType": "Patient",
            "id": "p",
            "gender": "female",
            "name": [{"family": "Quillfeather"}],
        }
        observation = {
            "resourceType": "Observation",
            "id": "o",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
            "subject": {"reference": "Patient/p"},
        }
        peer.update(observation)
        peer.update(patient)
        found = {each["resourceType"]: each for each in wait_for_results(daemon, 2)}
        subject = found["Observation"]["subject"]["reference"]
        assert subject == f"Patient/{found['Patient']['id']}"
        assert "Quillfeather" not in json.dumps(found)
        peer.update({**patient, "gender": "male"})
        wait_until(
            lambda: told.get(f"/{subject}").json.get("gender") == "male",
            what="the change is told again",
        )
        # What was told before was made with less knowledge.
        assert told.get(f"/{subject}/_history/1").status == 404
        peer.ask("DELETE", "/Patient/p")
        wait_until(lambda: told.get(f"/{subject}").status == 410, what="the result is gone")


def test_a_dropped_file_that_cannot_be_read_is_quarantined_with_its_reason(folder: Path) -> None:
    broken = {
        "twice.json": b'{"resourceType":"Patient","id":"a","id":"b"}',
        "nan.json": b'{"resourceType":"Observation","valueDecimal":NaN}',
        "half.ndjson": b'{"resourceType":"Patient"}\n{"resourceType":"Pat}',
        "utf16.json": b"\xff\xfe" + b'{"resourceType":"Patient"}' + b"}",
        "bomb.json.gz": gzip.compress(
            b'{"resourceType":"Patient","x":"' + b"a" * 300_000_000 + b'"}'
        ),
        "cut.json.gz": gzip.compress(b'{"resourceType":"Patient"}')[:-5],
    }
    with running(folder) as daemon:
        drop(folder / "inbox", broken)
        wait_until(lambda: len(daemon.journal()) == 5, what="all are received or refused")
        daemon.wait_until_settled(5)
        assert sorted(each.reason for each in daemon.journal()) == [
            "duplicate_name",
            "inflate_limit",
            "number_refused",
            "truncated",
            "truncated",
        ]
        assert source(daemon).get("/$export").body == b""
        assert "Traceback" not in daemon.log


def test_what_waits_or_was_refused_is_listed_without_a_value_and_looked_at_again(
    folder: Path,
) -> None:
    orphan = {"resourceType": "Observation", "id": "Quillfeather", "status": "final"}
    event = {"resourceType": "AuditEvent", "id": "Badgerbrock"}
    with running(folder) as daemon:
        drop(folder / "inbox", {"Quillfeather.json": json.dumps(orphan).encode()})
        source(daemon).update(event)

        def listed(*arguments: str) -> list[dict[str, Any]]:
            done = daemon.command("resources", "list", "--json", *arguments)
            assert "Quillfeather" not in done.stdout
            assert "Badgerbrock" not in done.stdout
            found: list[dict[str, Any]] = json.loads(done.stdout)
            return found

        wait_until(lambda: bool(listed()) and bool(listed("--waiting")), what="both are listed")
        assert [each["type"] for each in listed("--waiting")] == ["Observation"]
        ((refused, number),) = [(each["reason"], each["number"]) for each in listed()]
        assert refused == "resource_not_listed"
        assert listed("--reason", "truncated") == []
        retried = daemon.command("resources", "retry", str(number))
        assert retried.stdout.startswith("1 will be looked at again")
        wait_until(lambda: len(listed()) == 1, what="it is refused again")
        source(daemon).update({"resourceType": "Patient", "id": "Badgerbrock"})
        wait_for_results(daemon, 1)
        # Counted in the order of arrival; which of the first two came first is not known.
        shown = json.loads(daemon.command("resources", "show", "3", "--json").stdout)
        (result,) = shown["results"]
        assert result.startswith("default/Patient/")
        assert ["Patient.id", "replaced", 1] in shown["outcome"]["default"]["elements"]
        assert "Badgerbrock" not in json.dumps(shown)
        table = daemon.command("resources", "list").stdout
        assert "resource_not_listed" in table


def test_resources_come_back_from_their_files_when_the_database_is_lost(folder: Path) -> None:
    instances = study(1)
    resources = make_resources(instances[0], PATIENTS[1], "back")
    with running(folder, is_prepared=False) as daemon:
        drop(folder / "inbox", {f"{n}.dcm": encoded(each) for n, each in enumerate(instances)})
        drop(folder / "inbox", {"r.json": packed(resources, "ndjson.gz")})
        source(daemon).update(
            {"resourceType": "Patient", "id": "posted", "birthDate": "1970-02-03"}
        )
        source(daemon).update(
            {"resourceType": "Patient", "id": "posted", "birthDate": "1971-02-03"}
        )
        before = wait_for_results(daemon, 8)
        daemon.stop()
        assert daemon.command("fsck").returncode == 0
        for path in daemon.database.parent.glob(f"{daemon.database.name}*"):
            path.unlink()
        assert daemon.command("fsck", "--reindex").returncode == 0
        daemon.start()
        assert wait_for_results(daemon, 8) == before
        assert len(source(daemon).get("/$export").body.splitlines()) == 8
        daemon.wait_until_settled(3)
        assert daemon.command("fsck").returncode == 0
        daemon.assert_no_traceback()


def contents(daemon: RunningDaemon) -> dict[str, str]:
    """Return the digest of each instance in the destination, as it is served."""
    where = [
        [each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
        for each in daemon.instances("deid")
    ]
    return {each[2]: hashlib.sha256(daemon.retrieve(*each)).hexdigest() for each in where}


def test_kills_while_folders_are_dropped_lose_nothing_and_double_nothing(folder: Path) -> None:
    outcomes = []
    for name, kills in (("undisturbed", 0), ("killed", 30)):
        choose = random.Random(20261128)
        with running(folder / name, SEVERAL, is_prepared=name == "killed") as daemon:
            for number in range(30):
                instances = study(number % 8, 1 + number // 8)
                resources = make_resources(instances[0], PATIENTS[number % 8], f"k{number}")
                files = {f"{number}/{n}.dcm": encoded(each) for n, each in enumerate(instances)}
                drop(folder / name / "inbox", files)
                drop(folder / name / "inbox", {f"{number}/r.json": packed(resources, "bundle")})
                if number < kills:
                    time.sleep(choose.uniform(0.0, 2.5))
                    daemon.kill()
                    daemon.start()
            found = wait_for_results(daemon, 210)
            wait_until(lambda: len(daemon.instances("deid")) == 60, what="all instances are there")
            # Names that resources tell have instances made again; then nothing more happens.
            daemon.wait_until_settled(60)
            outcomes.append((found, contents(daemon)))
            daemon.assert_no_traceback()
    assert outcomes[0] == outcomes[1]
