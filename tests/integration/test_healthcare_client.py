"""The Healthcare API as Google's own client uses it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from googleapiclient.errors import HttpError

from tests.factories import encoded, make_ct
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
from tests.healthcare_tables import methods
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("healthcare")
    running = RunningDaemon(folder / "state", folder, is_prepared=True)
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


def refused(request: Any, code: int, status: str) -> str:
    """Execute what must be refused, and return what was said."""
    with pytest.raises(HttpError) as caught:
        request.execute()
    assert caught.value.resp.status == code, caught.value
    said = json.loads(caught.value.content)["error"]
    assert (said["code"], said["status"]) == (code, status)
    return str(said["message"])


def enveloped(body: Any) -> bool:
    """Tell whether an error is as Google's: in its envelope, or a FHIR service's own."""
    if body.get("resourceType") == "OperationOutcome":
        return True
    return {"code", "message", "status"} <= set(body["error"])


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_every_method_of_the_document_is_answered_none_as_an_unknown_route(
    daemon: RunningDaemon, version: str
) -> None:
    for name, (verb, path) in methods(version).items():
        address = f"{daemon.http}/{version}/" + re.sub(r"\{[^}]*\}", "made-up.1", path)
        body = b"{}" if verb in {"POST", "PUT", "PATCH"} else None
        answer = ask(f"{address}?alt=json", verb, body, Content_Type="application/json")
        assert answer.status < 500 or answer.status == 501, (name, answer)
        if answer.status >= 400:
            assert enveloped(answer.json), (name, answer)
            said = str(answer.json)
            assert "no such method or path" not in said, name
            if answer.status == 501:
                assert name in said, (name, said)


@pytest.mark.parametrize("path", ["/v1", "/v1/projects", "/v1/operators/x", "/v1beta1/x:y"])
def test_what_is_no_method_is_not_found_in_the_envelope(daemon: RunningDaemon, path: str) -> None:
    answer = ask(f"{daemon.http}{path}")
    assert answer.status == 404
    assert answer.json["error"]["status"] == "NOT_FOUND"


# -- datasets and stores --


def test_a_dataset_is_created_told_patched_and_deleted(service: Any, datasets: Any) -> None:
    name = make_dataset(service, f"d-{uuid4().hex[:8]}")
    assert datasets.get(name=name).execute() == {"name": name}
    body = {"timeZone": "Europe/Vienna"}
    patched = datasets.patch(name=name, updateMask="timeZone", body=body).execute()
    assert patched == {"name": name, **body}
    assert {"name": name, **body} in datasets.list(parent=DATASETS).execute()["datasets"]
    assert datasets.delete(name=name).execute() == {}
    refused(datasets.get(name=name), 404, "NOT_FOUND")


def test_a_dataset_of_a_name_that_is_there_is_refused(datasets: Any, dataset: str) -> None:
    again = datasets.create(parent=DATASETS, datasetId=dataset.rpartition("/")[2], body={})
    refused(again, 409, "ALREADY_EXISTS")


def test_the_configured_stores_are_in_a_dataset_of_their_own(datasets: Any) -> None:
    assert datasets.get(name=OURS).execute() == {"name": OURS}
    stores = datasets.dicomStores().list(parent=OURS).execute()["dicomStores"]
    assert [each["name"].rpartition("/")[2] for each in stores] == ["deid", "source"]
    resources = datasets.fhirStores().list(parent=OURS).execute()["fhirStores"]
    assert [each["version"] for each in resources] == ["R4", "R4"]
    refused(datasets.delete(name=OURS), 400, "FAILED_PRECONDITION")
    refused(
        datasets.dicomStores().delete(name=f"{OURS}/dicomStores/deid"), 400, "FAILED_PRECONDITION"
    )


def test_a_store_is_created_told_listed_patched_and_deleted(datasets: Any, dataset: str) -> None:
    stores = datasets.dicomStores()
    # As gcloud sends it, with a field that says nothing.
    body = {"labels": {"team": "a"}, "notificationConfig": {"sendForBulkImport": False}}
    made = stores.create(parent=dataset, dicomStoreId="s", body=body).execute()
    name = f"{dataset}/dicomStores/s"
    assert (made["name"], made["labels"]) == (name, {"team": "a"})
    assert stores.get(name=name).execute() == made
    patched = stores.patch(name=name, updateMask="labels", body={"labels": {"team": "b"}}).execute()
    assert patched["labels"] == {"team": "b"}
    found = stores.list(parent=dataset, filter='labels.team="b"').execute()
    assert [each["name"] for each in found["dicomStores"]] == [name]
    assert stores.list(parent=dataset, filter="labels.team=a").execute() == {}
    assert stores.delete(name=name).execute() == {}
    refused(stores.get(name=name), 404, "NOT_FOUND")


def test_lists_come_in_pages(datasets: Any, dataset: str, service: Any) -> None:
    for name in "abc":
        make_store(service, dataset, name)
    stores = datasets.dicomStores()
    first = stores.list(parent=dataset, pageSize=2).execute()
    assert len(first["dicomStores"]) == 2
    rest = stores.list(parent=dataset, pageSize=2, pageToken=first["nextPageToken"]).execute()
    assert [each["name"].rpartition("/")[2] for each in rest["dicomStores"]] == ["c"]
    assert "nextPageToken" not in rest


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"lables": {}, "labels": {"a": "b"}}, "labels"),
        ({"notificationConfig": {"pubsubTopic": "projects/p/topics/t"}}, "Pub/Sub"),
        ({"streamConfigs": [{"bigqueryDestination": {"tableUri": "bq://p.d.t"}}]}, "BigQuery"),
        ({"labels": {"A B": "c"}}, "labels"),
    ],
)
def test_what_nobody_would_keep_is_refused_when_a_store_is_made(
    datasets: Any, dataset: str, body: dict[str, Any], said: str
) -> None:
    create = datasets.dicomStores().create(parent=dataset, dicomStoreId="s", body=body)
    assert said in refused(create, 400, "INVALID_ARGUMENT")


def test_only_r4_is_a_version_of_a_fhir_store(datasets: Any, dataset: str) -> None:
    create = datasets.fhirStores().create
    for body in ({}, {"version": "STU3"}):
        request = create(parent=dataset, fhirStoreId="f", body=body)
        assert "R4" in refused(request, 400, "INVALID_ARGUMENT")


# -- what stores hold --


def test_an_instance_is_stored_found_retrieved_and_deleted(
    daemon: RunningDaemon, service: Any, datasets: Any, dataset: str
) -> None:
    store = make_store(service, dataset, "s")
    instance = make_ct(study=31)
    answer = store_instance(service, store, encoded(instance))
    assert "00081199" in str(answer)
    (found,) = search(service, store, "instances", f"&PatientID={instance.PatientID}&limit=1")
    uids = instance.StudyInstanceUID, instance.SeriesInstanceUID, instance.SOPInstanceUID
    assert [found[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")] == list(uids)
    assert b"DICM" in retrieve(daemon.http, store, *uids)[:140]
    path = f"studies/{uids[0]}/series/{uids[1]}/instances/{uids[2]}"
    instances = datasets.dicomStores().studies().series().instances()
    (metadata,) = instances.retrieveMetadata(
        parent=store, dicomWebPath=f"{path}/metadata"
    ).execute()
    assert metadata["00100020"]["Value"] == [instance.PatientID]
    metrics = datasets.dicomStores().getDICOMStoreMetrics(name=store).execute()
    assert (metrics["studyCount"], metrics["seriesCount"], metrics["instanceCount"]) == ("1",) * 3
    measured = datasets.dicomStores().dicomWeb().studies()
    web = f"{store}/dicomWeb"
    size = str(len(encoded(instance)))
    of_study = measured.getStudyMetrics(study=f"{web}/studies/{uids[0]}").execute()
    assert (of_study["seriesCount"], of_study["instanceCount"]) == ("1", "1")
    assert of_study["blobStorageSizeBytes"] == size
    series = f"{web}/studies/{uids[0]}/series/{uids[1]}"
    assert measured.series().getSeriesMetrics(series=series).execute()["instanceCount"] == "1"
    info = measured.series().instances().getStorageInfo(resource=f"{web}/{path}").execute()
    assert info["blobStorageInfo"]["sizeBytes"] == size
    refused(measured.getStudyMetrics(study=f"{web}/studies/9.9"), 404, "NOT_FOUND")
    # The pipeline knows nothing of it.
    assert (
        search(service, f"{OURS}/dicomStores/source", "instances", f"&SOPInstanceUID={uids[2]}")
        == []
    )
    assert instances.delete(parent=store, dicomWebPath=path).execute() == {}
    assert search(service, store) == []


def test_a_whole_study_is_deleted_by_an_operation(
    service: Any, datasets: Any, dataset: str
) -> None:
    store = make_store(service, dataset, "s")
    for number in (1, 2, 3):
        store_instance(service, store, encoded(make_ct(study=32, instance=number)))
    (study,) = search(service, store, "studies")
    path = f"studies/{study['0020000D']['Value'][0]}"
    operation = datasets.dicomStores().studies().delete(parent=store, dicomWebPath=path).execute()
    ended = done(service, operation)
    assert ended["metadata"]["counter"] == {"success": "3"}
    assert "response" in ended
    assert search(service, store) == []


def test_the_same_instance_again_is_nothing_new_another_of_its_uid_is_refused(
    service: Any, dataset: str
) -> None:
    store = make_store(service, dataset, "s")
    store_instance(service, store, encoded(make_ct(study=33)))
    store_instance(service, store, encoded(make_ct(study=33)))
    with pytest.raises(HttpError) as caught:
        store_instance(service, store, encoded(make_ct(study=33, PatientComments="other")))
    assert caught.value.resp.status == 409
    assert len(search(service, store)) == 1


def test_an_address_that_is_too_long_is_posted(service: Any, dataset: str) -> None:
    store = make_store(service, dataset, "s")
    store_instance(service, store, encoded(make_ct(study=34)))
    many = "".join(f"&includefield=0008{number:04X}" for number in range(200))
    assert len(many) > 2048
    assert len(search(service, store, "instances", many)) == 1


def test_a_deleted_store_takes_what_it_held_with_it(
    daemon: RunningDaemon, service: Any, datasets: Any, dataset: str
) -> None:
    there = set(daemon.state_dir.glob("store-*/**/*.dcm"))
    store = make_store(service, dataset, "s")
    store_instance(service, store, encoded(make_ct(study=35)))
    assert set(daemon.state_dir.glob("store-*/**/*.dcm")) - there
    datasets.dicomStores().delete(name=store).execute()
    again = make_store(service, dataset, "s")
    assert search(service, again) == []
    instances = set(daemon.state_dir.glob("store-*/**/*.dcm")) - there
    assert instances == set()


def test_resources_are_created_read_searched_updated_and_deleted(
    daemon: RunningDaemon, service: Any, datasets: Any, dataset: str
) -> None:
    store = make_store(service, dataset, "f", fhir=True)
    fhir = datasets.fhirStores().fhir()
    body = {"resourceType": "Patient", "gender": "female", "identifier": [{"value": "P-1"}]}
    made = fhir.create(parent=store, type="Patient", body=body).execute()
    name = f"{store}/fhir/Patient/{made['id']}"
    assert fhir.read(name=name).execute()["gender"] == "female"
    updated = fhir.update(name=name, body={**made, "gender": "male"}).execute()
    assert updated["meta"]["versionId"] == "2"
    change = [{"op": "replace", "path": "/gender", "value": "other"}]
    patched = fhir.patch(name=name, body=change).execute()
    assert (patched["gender"], patched["meta"]["versionId"]) == ("other", "3")
    address = f"{daemon.http}/v1/{store}/fhir/Patient?identifier=P-1&alt=json"
    json_patch = {"Content_Type": "application/json-patch+json"}
    answer = ask(address, "PATCH", json.dumps(change).encode(), **json_patch)
    assert (answer.status, answer.json["meta"]["versionId"]) == (200, "4")
    found = fhir.search(parent=store, body={"resourceType": "Patient"}).execute()
    assert [each["resource"]["id"] for each in found["entry"]] == [made["id"]]
    assert found["entry"][0]["fullUrl"].endswith(f"/{name}")
    answer = ask(f"{daemon.http}/v1/{store}/fhir/Patient?identifier=P-1&alt=json")
    assert len(answer.json["entry"]) == 1
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": []}
    assert fhir.executeBundle(parent=store, body=bundle).execute()["type"] == "batch-response"
    assert fhir.capabilities(name=store).execute()["fhirVersion"] == "4.0.1"
    metrics = datasets.fhirStores().getFHIRStoreMetrics(name=store).execute()
    assert metrics["metrics"] == [{"resourceType": "Patient", "count": "1"}]
    everything = fhir.Patient_everything(name=name, x_count=1, x_type="Patient").execute()
    assert [each["resource"]["id"] for each in everything["entry"]] == [made["id"]]
    assert everything["link"][0]["url"].endswith(f"{name}/$everything?_count=1&_type=Patient")
    fhir.delete(name=name).execute()
    with pytest.raises(HttpError) as caught:
        fhir.read(name=name).execute()
    assert caught.value.resp.status == 410
    assert json.loads(caught.value.content)["resourceType"] == "OperationOutcome"


def test_a_store_that_is_not_there_is_not_found(datasets: Any, dataset: str) -> None:
    missing = f"{dataset}/dicomStores/none"
    request = datasets.dicomStores().searchForStudies(parent=missing, dicomWebPath="studies")
    refused(request, 404, "NOT_FOUND")


def test_operations_are_listed_newest_first_by_filter(datasets: Any, dataset: str) -> None:
    operations = datasets.operations()
    found = operations.list(name=dataset, filter="done=true").execute()["operations"]
    assert found[0]["metadata"]["apiMethodName"].endswith("DatasetService.CreateDataset")
    assert operations.list(name=dataset, filter="done=false").execute() == {}
    refused(operations.list(name=dataset, filter="colour=blue"), 400, "INVALID_ARGUMENT")
    for token in ("9" * 23, "9" * 5000, "x"):
        refused(operations.list(name=dataset, pageToken=token), 400, "INVALID_ARGUMENT")
    refused(operations.get(name=f"{dataset}/operations/999999"), 404, "NOT_FOUND")
    assert operations.cancel(name=found[0]["name"], body={}).execute() == {}


def test_locations_are_those_of_datasets(service: Any, dataset: str) -> None:
    locations = service.projects().locations()
    assert locations.get(name=DATASETS).execute() == {"name": DATASETS, "locationId": "us-central1"}
    listed = locations.list(name="projects/my-proj").execute()["locations"]
    assert {"name": DATASETS, "locationId": "us-central1"} in listed
