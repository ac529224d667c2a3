"""Operations that de-identify stores and datasets, by Google's own client."""

from __future__ import annotations

import csv
import json
import os
import stat
import time
from collections import Counter
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import fhirkit
import psutil
import pydicom
import pytest
from googleapiclient.errors import HttpError

from tests.commands import typed
from tests.factories import PATIENTS, ct_file, encoded, make_ct
from tests.healthcare_client import (
    DATASETS,
    OURS,
    ask,
    client,
    done,
    make_dataset,
    make_store,
    retrieve,
    search,
    store_instance,
)
from tests.service import DEADLINE_S, ROOT, RunningDaemon
from tests.sidecar_samples import make_resources

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
V1BETA1 = {"dicomTagConfig": {"profileType": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
CANARY = "Zqxwurm"
COUNT = 200


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, lists: Path) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("healthcare")
    settings = f'[workers]\ncount = 2\n[healthcare]\nfolders = ["{lists}"]\n'
    running = RunningDaemon(folder / "state", folder, settings=settings, is_prepared=True)
    running.start()
    yield running
    running.stop()


@pytest.fixture(params=["v1", "v1beta1"])
def service(daemon: RunningDaemon, request: pytest.FixtureRequest) -> Iterator[Any]:
    with client(daemon.http, request.param) as made:
        yield made


@pytest.fixture
def datasets(service: Any) -> Any:
    return service.projects().locations().datasets()


@pytest.fixture
def dataset(service: Any) -> str:
    return make_dataset(service, f"d-{uuid4().hex[:8]}")


@pytest.fixture
def source(service: Any, dataset: str) -> str:
    """Return a store with six instances of two studies, whose people are nobody."""
    store = make_store(service, dataset, "source")
    for content in _of_nobody():
        store_instance(service, store, content)
    return store


@cache
def _of_nobody() -> list[bytes]:
    return [
        encoded(
            make_ct(
                study=study,
                instance=instance,
                PatientName=f"{CANARY}^Ottilie",
                SeriesDescription="Thorax 5.0",
            )
        )
        for study in (1, 2)
        for instance in (1, 2, 3)
    ]


@pytest.fixture
def target(service: Any, dataset: str) -> str:
    return make_store(service, dataset, "target")


class Held:
    """The service's workers, standing still: an operation that is under way stays so."""

    def __init__(self, daemon: RunningDaemon) -> None:
        assert daemon.process is not None
        self._workers = psutil.Process(daemon.process.pid).children()

    def __enter__(self) -> Self:
        for each in self._workers:
            each.suspend()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._workers:
            each.resume()

    def go_on_until(self, is_true: Callable[[], bool]) -> None:
        """Let them work until something is so, and no longer."""
        end = time.monotonic() + DEADLINE_S
        self.__exit__()
        while not is_true():
            assert time.monotonic() < end
            time.sleep(0.001)
        self.__enter__()


def deidentify(datasets: Any, source: str, target: str, **body: Any) -> dict[str, Any]:
    body = {"destinationStore": target, **body}
    found: dict[str, Any] = (
        datasets.dicomStores().deidentify(sourceStore=source, body=body).execute()
    )
    return found


def typed_to(daemon: RunningDaemon, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command that asks the service, in this process."""
    state = {"DICOMVEIL_STATE_DIR": str(daemon.state_dir)}
    return typed(*arguments, folder=ROOT, environment={**os.environ, **state})


def dicomveil(daemon: RunningDaemon, *arguments: str, status: int = 0) -> str:
    run = typed_to(daemon, *arguments)
    assert run.returncode == status, run.stderr
    return run.stdout


def refused(request: Any, code: int, status: str) -> str:
    with pytest.raises(HttpError) as caught:
        request.execute()
    said = json.loads(caught.value.content)["error"]
    assert (said["code"], said["status"]) == (code, status), said
    return str(said["message"])


def uids(service: Any, store: str) -> list[tuple[str, ...]]:
    tags = ("0020000D", "0020000E", "00080018")
    return sorted(tuple(each[tag]["Value"][0] for tag in tags) for each in search(service, store))


def test_a_store_is_deidentified_into_another_and_stays_as_it_was(
    daemon: RunningDaemon, service: Any, datasets: Any, source: str, target: str
) -> None:
    before = uids(service, source)
    files = [retrieve(daemon.http, source, *each) for each in before]
    operation = deidentify(datasets, source, target, config=BASIC)
    assert operation.keys() == {"name"}
    ended = done(service, operation)
    assert ended["metadata"]["counter"] == {"success": "6"}
    assert ended["metadata"]["apiMethodName"].endswith("DeidentifyService.DeidentifyDicomStore")
    assert ended["response"]["@type"].endswith("deidentify.DeidentifyDicomStoreSummary")
    assert ended["metadata"]["createTime"] <= ended["metadata"]["endTime"]
    after = uids(service, target)
    assert len(after) == 6
    assert not set(after) & set(before)
    assert len({study for study, _, _ in after}) == len({study for study, _, _ in before})
    for each in after:
        written = pydicom.dcmread(BytesIO(retrieve(daemon.http, target, *each)))
        assert written.PatientIdentityRemoved == "YES"
        assert CANARY not in str(written)
    assert [retrieve(daemon.http, source, *each) for each in before] == files
    assert CANARY not in json.dumps(ended)
    assert CANARY not in daemon.log


def test_the_same_again_adds_nothing(service: Any, datasets: Any, source: str, target: str) -> None:
    done(service, deidentify(datasets, source, target, config=BASIC))
    first = uids(service, target)
    ended = done(service, deidentify(datasets, source, target, config=BASIC))
    assert ended["metadata"]["counter"] == {"success": "6"}
    assert uids(service, target) == first


@pytest.mark.parametrize("service", ["v1"], indirect=True)
def test_several_at_once_into_one_store_leave_each_instance_once(
    daemon: RunningDaemon, service: Any, datasets: Any, source: str, target: str
) -> None:
    begun = [deidentify(datasets, source, target, config=BASIC) for _ in range(3)]
    datasets.operations().cancel(name=begun[2]["name"], body={}).execute()
    datasets.operations().cancel(name=begun[2]["name"], body={}).execute()
    counters = [done(service, each)["metadata"]["counter"] for each in begun]
    assert counters[:2] == [{"success": "6"}] * 2
    assert len(uids(service, target)) == 6
    blobs = [each.name for each in daemon.state_dir.glob("store-*/*/*/*.dcm")]
    assert len({each[:4] for each in blobs}) > len(blobs) // 2, "files are spread over folders"


def test_without_a_configuration_the_safe_preset_is_taken_and_told(
    daemon: RunningDaemon, service: Any, datasets: Any, source: str, target: str
) -> None:
    ended = done(service, deidentify(datasets, source, target))
    assert "default" in ended["metadata"]["dicomveil"]["note"]
    for each in uids(service, target):
        assert CANARY.encode() not in retrieve(daemon.http, target, *each)


def test_the_how_to_with_a_profile_and_a_keep_list_runs_with_its_searches(
    daemon: RunningDaemon, service: Any, datasets: Any, source: str, target: str
) -> None:
    tags = ["StudyDescription", "SeriesDescription", "Modality", "BodyPartExamined"]
    dicom = {"filterProfile": "DEIDENTIFY_TAG_CONTENTS", "keepList": {"tags": tags}}
    ended = done(service, deidentify(datasets, source, target, config={"dicom": dicom}))
    assert ended["metadata"]["counter"] == {"success": "6"}
    original, cleaned = (
        search(service, store, "series", "&includefield=StudyDescription,SeriesDescription")[0]
        for store in (source, target)
    )
    for tag in ("00081030", "0008103E", "00080060"):
        assert cleaned[tag] == original[tag]
    assert len(search(service, target, "studies", "&limit=10")) == 2
    assert search(service, target, "studies", f"&PatientName={CANARY}*") == []
    for each in uids(service, target):
        assert CANARY.encode() not in retrieve(daemon.http, target, *each)


def test_a_list_of_paths_restricts_what_is_done(
    service: Any, datasets: Any, source: str, target: str, lists: Path
) -> None:
    study, series, instance = uids(service, source)[0]
    other = next(each for each in uids(service, source) if each[0] != study)
    file = lists / f"{uuid4().hex}.txt"
    path = f"/studies/{study}/series/{series}/instances/{instance}"
    file.write_text(f"/studies/{other[0]}\r\n{path}\n")
    only = {"resourcePathsGcsUri": file.as_uri()}
    ended = done(service, deidentify(datasets, source, target, config=BASIC, filterConfig=only))
    assert ended["metadata"]["counter"] == {"success": "4"}
    assert len(uids(service, target)) == 4


def test_files_are_read_only_where_the_configuration_allows_it(
    datasets: Any, source: str, target: str, lists: Path
) -> None:
    def with_list(address: str) -> Any:
        body = {"destinationStore": target, "filterConfig": {"resourcePathsGcsUri": address}}
        return datasets.dicomStores().deidentify(sourceStore=source, body=body)

    said = refused(with_list("gs://bucket/list"), 400, "INVALID_ARGUMENT")
    assert "file:///" in said
    refused(with_list("file:///etc/passwd"), 403, "PERMISSION_DENIED")
    refused(with_list(f"{lists.as_uri()}/../x"), 403, "PERMISSION_DENIED")
    refused(with_list(f"{lists.as_uri()}/none"), 400, "FAILED_PRECONDITION")


def test_the_destination_store_has_to_be_there(
    datasets: Any, dataset: str, source: str, target: str
) -> None:
    def into(store: str) -> Any:
        body = {"destinationStore": store, "config": BASIC}
        return datasets.dicomStores().deidentify(sourceStore=source, body=body)

    refused(into(f"{dataset}/dicomStores/none"), 404, "NOT_FOUND")
    refused(into("none"), 400, "INVALID_ARGUMENT")
    refused(into(source), 400, "INVALID_ARGUMENT")
    refused(into(f"{OURS}/dicomStores/source"), 400, "FAILED_PRECONDITION")
    missing = datasets.dicomStores().deidentify(
        sourceStore=f"{dataset}/dicomStores/none", body={"destinationStore": target}
    )
    refused(missing, 404, "NOT_FOUND")
    assert len(datasets.dicomStores().list(parent=dataset).execute()["dicomStores"]) == 2


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"dicom": {"keepList": {"tags": ["PatientIDD"]}}}, "PatientID"),
        ({"dicom": {"removeList": {}, "keepList": {"tags": ["PatientID"]}}}, "keepList"),
        ({"dicm": {}}, "dicom"),
        ({"fhir": {}}, "DICOM"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused_at_once(
    datasets: Any, source: str, target: str, config: dict[str, Any], said: str
) -> None:
    body = {"destinationStore": target, "config": config}
    request = datasets.dicomStores().deidentify(sourceStore=source, body=body)
    assert said in refused(request, 400, "INVALID_ARGUMENT")


def test_v1beta1_has_its_own_configuration(
    daemon: RunningDaemon, service: Any, datasets: Any, source: str, target: str
) -> None:
    if "v1beta1" not in service._baseUrl + str(service._rootDesc["version"]):
        body: dict[str, Any] = {"destinationStore": target, "config": V1BETA1}
        request = datasets.dicomStores().deidentify(sourceStore=source, body=body)
        assert "dicomTagConfig" in refused(request, 400, "INVALID_ARGUMENT")
        return
    ended = done(service, deidentify(datasets, source, target, config=V1BETA1))
    assert ended["metadata"]["@type"].endswith("healthcare.v1beta1.OperationMetadata")
    assert len(uids(service, target)) == 6


def test_where_it_is_processed_is_judged_by_the_version_of_the_request(
    service: Any, datasets: Any, source: str, target: str
) -> None:
    image: dict[str, Any] = {"textRedactionMode": "REDACT_SENSITIVE_TEXT"}
    config = {**BASIC, "image": image, "useRegionalDataProcessing": True}
    if service._rootDesc["version"] == "v1beta1":
        request = datasets.dicomStores().deidentify(
            sourceStore=source, body={"destinationStore": target, "config": config}
        )
        assert "LOCATION" in refused(request, 400, "INVALID_ARGUMENT")
        image["excludeInfoTypes"] = ["LOCATION"]
    ended = done(service, deidentify(datasets, source, target, config=config))
    assert ended["metadata"]["counter"] == {"success": "6"}


@pytest.mark.parametrize("service", ["v1beta1"], indirect=True)
def test_provenance_tells_what_was_done_without_an_original_value(
    service: Any, datasets: Any, dataset: str, source: str, target: str
) -> None:
    told = make_store(service, dataset, "told", fhir=True)
    config = {**V1BETA1, "operation_metadata": {"fhirOutput": {"fhir_store": told}}}
    ended = done(service, deidentify(datasets, source, target, config=config))
    number = ended["name"].rpartition("/")[2]
    found = {each["id"]: each for each in entries(datasets, told, "Provenance")}
    whole = found.pop(f"operation-{number}-all")
    assert ended["name"] in json.dumps(whole)
    assert target in json.dumps(whole)
    assert len(found) == 6
    text = json.dumps(list(found.values()))
    for study, series, instance in uids(service, target):
        assert all(f"urn:oid:{each}" in text for each in (study, series, instance))
    for each in uids(service, source):
        assert not any(uid in text + json.dumps(whole) for uid in each)
    assert CANARY not in text
    assert "(0010,0010)" in text
    for provenance in (whole, *found.values()):
        assert [str(issue) for issue in fhirkit.validate(provenance)] == []
    body = {"destinationStore": target, "config": config}
    refused(datasets.fhirStores().deidentify(sourceStore=told, body=body), 400, "INVALID_ARGUMENT")
    missing = {"operationMetadata": {"fhirOutput": {"fhirStore": f"{dataset}/fhirStores/none"}}}
    body = {"destinationStore": target, "config": {**V1BETA1, **missing}}
    refused(datasets.dicomStores().deidentify(sourceStore=source, body=body), 404, "NOT_FOUND")


def test_what_cannot_be_done_is_counted_and_the_rest_is_done(
    daemon: RunningDaemon, service: Any, datasets: Any, source: str, target: str
) -> None:
    # Two instances whose results have one SOP Instance UID already, with other content.
    done(service, deidentify(datasets, source, target, config=BASIC))
    keep = {"dicom": {"keepList": {"tags": ["StudyDescription"]}}}
    ended = done(service, deidentify(datasets, source, target, config=keep))
    assert ended["metadata"]["counter"] == {"failure": "6"}
    assert "response" in ended
    assert len(uids(service, target)) == 6
    log = f"{daemon.http}{ended['metadata']['logsUrl']}"
    first = ask(f"{log}?pageSize=4").json
    rest = ask(f"{log}?pageSize=4&pageToken={first['nextPageToken']}").json
    told = first["failures"] + rest["failures"]
    assert [each["reason"] for each in told] == ["conflict"] * 6
    assert "nextPageToken" not in rest

    def quarantined() -> set[str]:
        listing = ("quarantine", "list", "--reason", "conflict", "--json")
        entries = json.loads(dicomveil(daemon, *listing))
        return {each["id"] for each in entries if each["receiver"] == "operation"}

    assert {each["quarantineId"] for each in told} <= quarantined()
    done(service, deidentify(datasets, source, target, config=BASIC))
    assert not {each["quarantineId"] for each in told} & quarantined()
    assert "quarantineId" not in ask(log).json["failures"][0]
    done(service, deidentify(datasets, source, target, config=keep))
    again = {each["quarantineId"] for each in ask(log).json["failures"]}
    assert len(again) == 6
    assert again <= quarantined()


@pytest.mark.parametrize("service", ["v1"], indirect=True)
def test_what_could_not_be_done_is_named_to_those_who_ask_for_originals(
    daemon: RunningDaemon, service: Any, datasets: Any, dataset: str, target: str
) -> None:
    scan = make_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.999")
    scans = make_store(service, dataset, "scans")
    store_instance(service, scans, encoded(scan))
    told, clean = (make_store(service, dataset, name, fhir=True) for name in ("told", "clean"))
    for number, status in ((1, "final"), (2, ["final"])):
        observation = {"resourceType": "Observation", "id": f"{CANARY}-{number}", "status": status}
        datasets.fhirStores().fhir().update(
            name=f"{told}/fhir/Observation/{CANARY}-{number}", body=observation
        ).execute()
    begun = [
        deidentify(datasets, scans, target),
        datasets.fhirStores()
        .deidentify(sourceStore=told, body={"destinationStore": clean})
        .execute(),
    ]
    (uid,) = uids(service, scans)
    wanted = ["studies/{}/series/{}/instances/{}".format(*uid), f"Observation/{CANARY}-2"]
    for operation, original in zip(begun, wanted, strict=True):
        done(service, operation)
        number = operation["name"].rpartition("/")[2]
        (failure,) = json.loads(dicomveil(daemon, "operations", "show", number, "--json"))[
            "failures"
        ]
        assert "original" not in failure
        assert original in dicomveil(daemon, "operations", "show", number, "--originals")


@pytest.mark.parametrize("service", ["v1"], indirect=True)
def test_the_command_line_has_a_store_deidentified(
    daemon: RunningDaemon, service: Any, source: str, target: str, tmp_path: Path, lists: Path
) -> None:
    file = tmp_path / "configuration.json"
    file.write_text(str({"config": BASIC}))  # single quotes, in the body of a request
    study = uids(service, source)[0][0]
    chosen = lists / f"{uuid4().hex}.txt"
    chosen.write_text(f"/studies/{study}\n")

    def command(*more: str, into: str = target) -> subprocess.CompletedProcess[str]:
        return typed_to(daemon, "deidentify-store", source, into, *more)

    some = command("--config-file", str(file), "--filter", str(chosen))
    assert (some.returncode, some.stderr) == (0, "")
    assert "3 de-identified, 0 not" in some.stdout
    assert len(uids(service, target)) == 3
    begun = command("--config-file", str(file), "--async")
    assert "/operations/" in begun.stdout
    done(service, {"name": begun.stdout.strip()})
    assert len(uids(service, target)) == 6
    refused = command(into="none/dicomStores/none")
    assert refused.returncode == 1
    assert "destinationStore" in refused.stderr


@pytest.mark.parametrize("service", ["v1"], indirect=True)
def test_the_command_line_writes_who_was_who(
    daemon: RunningDaemon, service: Any, source: str, target: str, tmp_path: Path, lists: Path
) -> None:
    def command(place: Path, *more: str, to: str = target) -> subprocess.CompletedProcess[str]:
        return typed_to(daemon, "deidentify-store", source, to, "--mapping", place, *more)

    place, some = tmp_path / "locked" / "who.csv", tmp_path / "some.csv"
    chosen = lists / f"{uuid4().hex}.txt"
    chosen.write_text(f"/studies/{uids(service, source)[0][0]}\n")
    refused = command(place, to="none/dicomStores/none")
    assert (refused.returncode, place.exists()) == (1, False)
    assert command(some, "--filter", str(chosen)).returncode == 0
    assert len(some.read_text().splitlines()) == 4
    run = command(place)
    assert (run.returncode, run.stderr) == (0, "")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    rows = list(csv.DictReader(place.read_text().splitlines()))
    levels = ("study", "series", "sop")
    old = [tuple(row[f"old_{level}_instance_uid"] for level in levels) for row in rows]
    assert sorted(old) == uids(service, source)
    for row, before in zip(rows, old, strict=True):
        after = [row[f"new_{level}_instance_uid"] for level in levels]
        original = pydicom.dcmread(BytesIO(retrieve(daemon.http, source, *before)))
        written = pydicom.dcmread(BytesIO(retrieve(daemon.http, target, *after)))
        assert (row["old_patient_id"], row["new_patient_id"]) == (
            original.PatientID,
            written.PatientID,
        )
        assert original.InstanceNumber == written.InstanceNumber
    content = place.read_bytes()
    again = command(place)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert place.read_bytes() == content
    assert command(tmp_path / "x.csv", "--async").returncode == 2


@pytest.mark.parametrize("service", ["v1"], indirect=True)
def test_the_command_line_lists_shows_and_cancels(
    daemon: RunningDaemon, service: Any, datasets: Any, source: str, target: str
) -> None:
    def command(*arguments: str, status: int = 0) -> str:
        return dicomveil(daemon, "operations", *arguments, status=status)

    with Held(daemon):
        operation = deidentify(datasets, source, target, config=BASIC)
        number = operation["name"].rpartition("/")[2]
        assert "It will stop" in command("cancel", number)
        ended = done(service, operation)
    assert ended["error"]["code"] == 1
    listed = json.loads(command("list", "--json"))
    assert (listed[0]["number"], listed[0]["state"]) == (int(number), "cancelled")
    shown = json.loads(command("show", number, "--json"))
    assert shown["success"] == len(uids(service, target))
    assert shown["failures"] == []
    assert "cancelled" in command("show", number)
    assert DATASETS not in command("list", "--running")
    command("cancel", number, status=1)
    command("show", "999999", status=1)


def test_instances_go_into_and_out_of_allowed_folders(
    service: Any, datasets: Any, dataset: str, source: str, target: str, lists: Path
) -> None:
    stores = datasets.dicomStores()
    folder = lists / uuid4().hex
    body = {"gcsDestination": {"uriPrefix": folder.as_uri()}}
    exported = done(service, stores.export(name=source, body=body).execute())
    assert exported["metadata"]["counter"] == {"success": "6"}
    files = sorted(folder.rglob("*"))
    assert sorted(
        (each.parts[-3], each.parts[-2], each.stem) for each in files if each.is_file()
    ) == uids(service, source)
    (folder / "no-dicom.txt").write_text("nothing of ours")
    (folder / "link.dcm").symlink_to("/etc/passwd")
    imports = stores.import_(name=target, body={"gcsSource": {"uri": f"{folder.as_uri()}/**"}})
    imported = done(service, imports.execute())
    assert imported["metadata"]["counter"] == {"success": "6", "failure": "2"}
    assert imported["metadata"]["apiMethodName"].endswith("ImportDicomData")
    assert uids(service, target) == uids(service, source)
    again = done(service, imports.execute())
    assert again["metadata"]["counter"] == {"success": "6", "failure": "2"}
    assert len(uids(service, target)) == 6
    (folder / "chosen.txt").write_text(
        "/studies/{}/series/{}/instances/{}\n".format(*uids(service, source)[0])
    )
    some = {
        "gcsDestination": {"uriPrefix": (folder / "some").as_uri()},
        "filterConfig": {"resourcePathsGcsUri": (folder / "chosen.txt").as_uri()},
    }
    done(service, stores.export(name=source, body=some).execute())
    assert [each.stem for each in (folder / "some").rglob("*.dcm")] == [uids(service, source)[0][2]]
    # A file where one folder shall be, and a folder where one file shall be.
    (first, _, _), *_others, (study, series, instance) = uids(service, source)
    occupied = lists / uuid4().hex
    (occupied / study / series / f"{instance}.dcm").mkdir(parents=True)
    (occupied / first).touch()
    there = stores.export(name=source, body={"gcsDestination": {"uriPrefix": occupied.as_uri()}})
    assert done(service, there.execute())["metadata"]["counter"] == {"success": "2", "failure": "4"}
    assert list(occupied.rglob("*.part")) == []
    outside = stores.import_(name=target, body={"gcsSource": {"uri": "file:///etc"}})
    refused(outside, 403, "PERMISSION_DENIED")
    bucket = stores.export(name=source, body={"gcsDestination": {"uriPrefix": "gs://b/x"}})
    assert "healthcare.folders" in refused(bucket, 400, "INVALID_ARGUMENT")


# -- resources --


@pytest.fixture
def resources(service: Any, datasets: Any, dataset: str) -> str:
    store = make_store(service, dataset, "resources", fhir=True)
    fhir = datasets.fhirStores().fhir()
    patient = {
        "resourceType": "Patient",
        "id": "p-1",
        "name": [{"family": CANARY, "given": ["Ottilie"]}],
        "birthDate": "1943-07-17",
    }
    fhir.update(name=f"{store}/fhir/Patient/p-1", body=patient).execute()
    for number in range(3):
        observation = {
            "resourceType": "Observation",
            "id": f"o-{number}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
            "subject": {"reference": "Patient/p-1"},
            "effectiveDateTime": "2001-02-03",
        }
        fhir.update(name=f"{store}/fhir/Observation/o-{number}", body=observation).execute()
    return store


def entries(datasets: Any, store: str, kind: str) -> list[dict[str, Any]]:
    fhir = datasets.fhirStores().fhir()
    found = fhir.search(parent=store, body={"resourceType": kind}).execute()
    return [each["resource"] for each in found.get("entry", [])]


@pytest.mark.parametrize("config", [None, {"fhir": {}}])
def test_a_fhir_store_is_deidentified_with_its_references(
    service: Any, datasets: Any, dataset: str, resources: str, config: dict[str, Any] | None
) -> None:
    target = make_store(service, dataset, "clean", fhir=True)
    body = {"destinationStore": target, **({"config": config} if config else {})}
    stores = datasets.fhirStores()
    ended = done(service, stores.deidentify(sourceStore=resources, body=body).execute())
    assert ended["metadata"]["counter"] == {"success": "4"}
    assert ended["response"]["@type"].endswith("deidentify.DeidentifyFhirStoreSummary")
    (patient,) = entries(datasets, target, "Patient")
    observations = entries(datasets, target, "Observation")
    assert patient["id"] != "p-1"
    assert {each["subject"]["reference"] for each in observations} == {f"Patient/{patient['id']}"}
    assert {each["effectiveDateTime"] for each in observations} != {"2001-02-03"}
    assert CANARY not in json.dumps([patient, *observations])
    again = done(service, stores.deidentify(sourceStore=resources, body=body).execute())
    assert again["metadata"]["counter"] == {"success": "4"}
    assert {each["meta"]["versionId"] for each in entries(datasets, target, "Observation")} == {"1"}


def test_resources_go_into_and_out_of_allowed_folders(
    service: Any, datasets: Any, dataset: str, resources: str, lists: Path
) -> None:
    stores = datasets.fhirStores()
    folder = lists / uuid4().hex
    body = {"gcsDestination": {"uriPrefix": folder.as_uri()}}
    exported = done(service, stores.export(name=resources, body=body).execute())
    assert exported["metadata"]["counter"] == {"success": "4"}
    assert exported["metadata"]["apiMethodName"].endswith("FhirStoreService.ExportResources")
    files = sorted(folder.iterdir())
    assert [each.name.partition("-")[0] for each in files] == ["Observation", "Patient"]
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in files)
    lines = [json.loads(line) for each in files for line in each.read_text().splitlines()]
    assert {each["id"] for each in lines} == {"o-0", "o-1", "o-2", "p-1"}
    patient = {"resourceType": "Patient", "id": "p-2", "name": [{"family": CANARY}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "urn:uuid:1d1e4ab4-1d0f-4e5c-8a3c-6c5a7b2f0b11", "resource": patient},
            {
                "resource": {
                    "resourceType": "Observation",
                    "id": "o-9",
                    "status": "final",
                    "code": {"text": "weight"},
                    "subject": {"reference": "urn:uuid:1d1e4ab4-1d0f-4e5c-8a3c-6c5a7b2f0b11"},
                }
            },
            {"resource": {"resourceType": "Observation", "status": "final", "code": {}}},
        ],
    }
    (folder / "bundle.ndjson").write_text(f"\n{json.dumps(bundle)}\n{{no JSON}}\n")
    target = make_store(service, dataset, "imported", fhir=True)
    imports = stores.import_(
        name=target,
        body={"gcsSource": {"uri": f"{folder.as_uri()}/*.ndjson"}, "contentStructure": "RESOURCE"},
    )
    imported = done(service, imports.execute())
    assert imported["metadata"]["counter"] == {"success": "6", "failure": "2"}
    assert {each["id"] for each in entries(datasets, target, "Patient")} == {"p-1", "p-2"}
    subjects = {
        each["id"]: each["subject"]["reference"]
        for each in entries(datasets, target, "Observation")
    }
    assert subjects["o-9"] == "Patient/p-2"
    assert {each["meta"]["versionId"] for each in entries(datasets, target, "Patient")} == {"1"}
    done(service, imports.execute())
    assert {each["meta"]["versionId"] for each in entries(datasets, target, "Patient")} == {"1"}
    (folder / "pretty.json").write_text(json.dumps({**patient, "gender": "other"}, indent=2))
    pretty = {
        "gcsSource": {"uri": (folder / "pretty.json").as_uri()},
        "contentStructure": "RESOURCE_PRETTY",
    }
    once = done(service, stores.import_(name=target, body=pretty).execute())
    assert once["metadata"]["counter"] == {"success": "1"}
    only = {**body, "_type": "Patient", "_since": "2030-01-01T00:00:00Z"}
    none = done(service, stores.export(name=target, body=only).execute())
    assert none["metadata"]["counter"] == {}
    for wrong in ({"_type": "../x"}, {"_since": "yesterday"}):
        refused(stores.export(name=target, body={**body, **wrong}), 400, "INVALID_ARGUMENT")
    bucket = stores.import_(name=target, body={"gcsSource": {"uri": "gs://b/x"}})
    assert "healthcare.folders" in refused(bucket, 400, "INVALID_ARGUMENT")
    ours = f"{OURS}/fhirStores/source"
    refused(
        stores.import_(name=ours, body=imports.body and json.loads(imports.body)),
        400,
        "FAILED_PRECONDITION",
    )


def test_a_filter_names_the_resources_that_are_wanted(
    service: Any, datasets: Any, dataset: str, resources: str
) -> None:
    target = make_store(service, dataset, "clean", fhir=True)
    wanted = {"resources": {"resources": ["Observation/o-1", "Patient/p-1"]}}
    body = {"destinationStore": target, "resourceFilter": wanted, "skipModifiedResources": True}
    stores = datasets.fhirStores()
    ended = done(service, stores.deidentify(sourceStore=resources, body=body).execute())
    assert ended["metadata"]["counter"] == {"success": "2"}
    assert len(entries(datasets, target, "Observation")) == 1


# -- datasets --


def test_a_dataset_is_deidentified_into_one_that_is_made_with_its_stores(
    service: Any, datasets: Any, dataset: str, source: str, resources: str
) -> None:
    target = f"{dataset}-clean"
    body = {"destinationDataset": target, "config": {**BASIC, "fhir": {}}}
    ended = done(service, datasets.deidentify(sourceDataset=dataset, body=body).execute())
    assert ended["name"].startswith(f"{dataset}/operations/")
    assert ended["metadata"]["counter"] == {"success": "10"}
    assert ended["response"]["@type"].endswith("deidentify.DeidentifySummary")
    assert len(uids(service, f"{target}/dicomStores/source")) == 6
    assert len(entries(datasets, f"{target}/fhirStores/resources", "Observation")) == 3
    again = datasets.deidentify(sourceDataset=dataset, body=body)
    refused(again, 409, "ALREADY_EXISTS")


CLEANING = {
    "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
    "fhir": {
        "fieldMetadataList": [
            {"paths": ["Observation.note.text"], "action": "INSPECT_AND_TRANSFORM"},
        ],
    },
    "dicomveil": {"options": ["clean_descriptors"]},
}


@pytest.mark.parametrize("service", ["v1"], indirect=True)
def test_instances_and_resources_of_a_dataset_know_each_others_people(
    daemon: RunningDaemon, service: Any, datasets: Any, dataset: str
) -> None:
    person = PATIENTS[7]
    scan = make_ct(person, StudyDescription="Thorax Small nodule", SeriesDescription="Small")
    other = make_ct(PATIENTS[2], study=2, StudyDescription="Thorax Small nodule")
    resources = make_resources(scan, person, "one")
    # A name that only a resource tells, and one that only an instance tells.
    resources[0]["name"].append({"family": "Small", "given": ["Ada"]})
    scan.OperatorsName = "Large^Otto"
    (observation,) = [each for each in resources if each["resourceType"] == "Observation"]
    observation["note"] = [{"text": "Large seen, thorax clear"}]
    store = make_store(service, dataset, "images")
    for each in (scan, other):
        store_instance(service, store, encoded(each))
    told = make_store(service, dataset, "told", fhir=True)
    for resource in resources:
        datasets.fhirStores().fhir().update(
            name=f"{told}/fhir/{resource['resourceType']}/{resource['id']}", body=resource
        ).execute()
    target = f"{dataset}-clean"
    body = {"destinationDataset": target, "config": CLEANING}
    ended = done(service, datasets.deidentify(sourceDataset=dataset, body=body).execute())
    assert ended["metadata"]["counter"] == {"success": str(2 + len(resources))}
    written = [
        pydicom.dcmread(BytesIO(retrieve(daemon.http, f"{target}/dicomStores/images", *each)))
        for each in uids(service, f"{target}/dicomStores/images")
    ]
    by_description = {each.StudyDescription: each for each in written}
    # Of somebody else it is a word.
    assert by_description.pop("Thorax Small nodule") is not None
    ((description, clean),) = by_description.items()
    assert "Small" not in description
    clean_store = f"{target}/fhirStores/told"
    (patient,) = entries(datasets, clean_store, "Patient")
    assert patient["identifier"][0]["value"] == clean.PatientID
    (study,) = entries(datasets, clean_store, "ImagingStudy")
    assert f"urn:oid:{clean.StudyInstanceUID}" in json.dumps(study)
    (found,) = entries(datasets, clean_store, "Observation")
    assert found["note"] == [{"text": "[PERSON_NAME] seen, thorax clear"}]
    # The method of the store does the same: what it makes belongs to the same instances.
    again = make_store(service, target, "again", fhir=True)
    body = {"destinationStore": again, "config": CLEANING}
    done(service, datasets.fhirStores().deidentify(sourceStore=told, body=body).execute())
    for kind in {each["resourceType"] for each in resources}:
        first, second = (entries(datasets, where, kind) for where in (clean_store, again))
        for resource in (*first, *second):
            del resource["meta"]["lastUpdated"]
        assert first == second


def test_a_kind_that_the_configuration_leaves_out_is_skipped(
    service: Any, datasets: Any, dataset: str, source: str, resources: str
) -> None:
    target = f"{dataset}-clean"
    body = {"destinationDataset": target, "config": {"fhir": {}}}
    ended = done(service, datasets.deidentify(sourceDataset=dataset, body=body).execute())
    assert ended["metadata"]["counter"] == {"success": "4"}
    assert datasets.dicomStores().list(parent=target).execute() == {}


def test_the_destination_dataset_is_a_full_name_in_the_same_location(
    datasets: Any, dataset: str
) -> None:
    for name in ("bare", "projects/my-proj/locations/elsewhere/datasets/x", ""):
        body: dict[str, Any] = {"destinationDataset": name, "config": {"fhir": {}}}
        request = datasets.deidentify(sourceDataset=dataset, body=body)
        refused(request, 400, "INVALID_ARGUMENT")
    nothing = {"destinationDataset": f"{dataset}-none", "config": {"image": {}, "text": {}}}
    said = refused(
        datasets.deidentify(sourceDataset=dataset, body=nothing), 400, "INVALID_ARGUMENT"
    )
    assert "add dicom, fhir, or both" in said


# -- operations that are under way --


def many(service: Any, dataset: str, count: int) -> str:
    store = make_store(service, dataset, "many")
    for number in range(count):
        store_instance(service, store, ct_file(study=1 + number % 5, instance=number + 1))
    return store


def test_a_cancelled_operation_says_what_it_did_and_another_completes_it(
    daemon: RunningDaemon, service: Any, datasets: Any, dataset: str, target: str
) -> None:
    source = many(service, dataset, COUNT)
    work = daemon.state_dir / "work"
    # What cancelled operations had under way stays there until the service starts anew.
    before = set(work.glob("*.out"))
    with Held(daemon) as held:
        operation = deidentify(datasets, source, target, config=BASIC)
        held.go_on_until(lambda: len(set(work.glob("*.out")) - before) > 4)
        datasets.operations().cancel(name=operation["name"], body={}).execute()
        ended = done(service, operation)
    assert ended["error"]["code"] == 1
    assert ended["metadata"]["cancelRequested"] is True
    counter = {name: int(count) for name, count in ended["metadata"]["counter"].items()}
    assert 0 < counter["success"] == len(uids(service, target)) < COUNT
    assert counter["pending"] == COUNT - counter["success"]
    rest = done(service, deidentify(datasets, source, target, config=BASIC))
    assert rest["metadata"]["counter"] == {"success": str(COUNT)}
    assert max(Counter(uids(service, target)).values()) == 1
    assert len(uids(service, target)) == COUNT


def test_a_store_that_an_operation_uses_is_not_deleted(
    daemon: RunningDaemon, service: Any, datasets: Any, source: str, target: str
) -> None:
    with Held(daemon):
        operation = deidentify(datasets, source, target, config=BASIC)
        refused(datasets.dicomStores().delete(name=target), 400, "FAILED_PRECONDITION")
    done(service, operation)
    datasets.dicomStores().delete(name=target).execute()
