"""Continuous de-identification into stores that ``streamConfigs`` name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pydicom
import pytest
from googleapiclient.errors import HttpError

from tests.factories import encoded, make_ct
from tests.healthcare_client import (
    OURS,
    client,
    make_dataset,
    make_store,
    retrieve,
    search,
    store_instance,
)
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
CANARY = "Zqxwurm"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("streams")
    running = RunningDaemon(folder / "state", folder, is_prepared=True)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def service(daemon: RunningDaemon) -> Iterator[Any]:
    with client(daemon.http) as made:
        yield made


@pytest.fixture
def datasets(service: Any) -> Any:
    return service.projects().locations().datasets()


@pytest.fixture
def dataset(service: Any) -> str:
    return make_dataset(service, f"d-{uuid4().hex[:8]}")


@pytest.fixture
def target(service: Any, dataset: str) -> str:
    return make_store(service, dataset, "target")


def instances_into(store: str, config: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    place = {"store": store, **({} if config is None else {"config": config})}
    return [{"dicomveil": {"deidentifiedStoreDestination": place}}]


def resources_into(store: str, **more: Any) -> list[dict[str, Any]]:
    return [{"deidentifiedStoreDestination": {"store": store, "config": {"fhir": {}}}, **more}]


def refused(request: Any, code: int, status: str) -> str:
    with pytest.raises(HttpError) as caught:
        request.execute()
    said = json.loads(caught.value.content)["error"]
    assert (said["code"], said["status"]) == (code, status), said
    return str(said["message"])


def count(service: Any, store: str) -> int:
    return len(search(service, store))


def arrives(service: Any, store: str, number: int) -> None:
    wait_until(lambda: count(service, store) == number, what=f"{number} instances are there")


def put(datasets: Any, store: str, resource: dict[str, Any]) -> None:
    name = f"{store}/fhir/{resource['resourceType']}/{resource['id']}"
    datasets.fhirStores().fhir().update(name=name, body=resource).execute()


def found(datasets: Any, store: str, kind: str) -> list[dict[str, Any]]:
    fhir = datasets.fhirStores().fhir()
    bundle = fhir.search(parent=store, body={"resourceType": kind}).execute()
    return [each["resource"] for each in bundle.get("entry", [])]


def observation(number: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": "Patient/p-1"},
        "effectiveDateTime": "2001-02-03",
        **more,
    }


PATIENT = {
    "resourceType": "Patient",
    "id": "p-1",
    "identifier": [{"system": "urn:oid:1.2.3", "value": "4711-X"}],
    "name": [{"family": CANARY}],
    "birthDate": "1943-07-17",
}


def test_what_comes_into_a_dicom_store_is_deidentified_into_another_until_that_is_taken_back(
    daemon: RunningDaemon, service: Any, datasets: Any, dataset: str, target: str
) -> None:
    stores = datasets.dicomStores()
    body = {"streamConfigs": instances_into(target, BASIC)}
    source = stores.create(parent=dataset, dicomStoreId="source", body=body).execute()["name"]
    told = stores.get(name=source).execute()
    assert told["streamConfigs"] == body["streamConfigs"]
    for instance in (1, 2):
        made = make_ct(instance=instance, PatientName=f"{CANARY}^Ottilie")
        store_instance(service, source, encoded(made))
    arrives(service, target, 2)
    for each in search(service, target):
        uids = [each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
        written = pydicom.dcmread(BytesIO(retrieve(daemon.http, target, *uids)))
        assert written.PatientIdentityRemoved == "YES"
        assert CANARY not in str(written)
    # One is received while nobody works on it: kill, not stop.
    store_instance(service, source, encoded(make_ct(instance=3)))
    daemon.kill()
    daemon.start()
    with client(daemon.http) as again:
        arrives(again, target, 3)
        stores = again.projects().locations().datasets().dicomStores()
        stores.patch(name=source, updateMask="streamConfigs", body={}).execute()
        assert "streamConfigs" not in stores.get(name=source).execute()
        store_instance(again, source, encoded(make_ct(instance=4)))
        other = make_store(again, dataset, "other")
        body = {"streamConfigs": instances_into(other, BASIC)}
        stores.patch(name=source, updateMask="streamConfigs", body=body).execute()
        store_instance(again, source, encoded(make_ct(instance=5)))
        arrives(again, other, 1)
        assert count(again, target) == 3
        assert "dicomveil" not in str(
            again.projects().locations().datasets().operations().list(name=dataset).execute()
        )
        # A store that goes takes its stream with it; where one goes to cannot go.
        refused(stores.delete(name=other), 400, "FAILED_PRECONDITION")
        stores.delete(name=source).execute()
        stores.delete(name=other).execute()
    assert CANARY not in daemon.log


def test_resources_are_told_again_as_they_change_whatever_came_first(
    service: Any, datasets: Any, dataset: str
) -> None:
    stores = datasets.fhirStores()
    target = make_store(service, dataset, "clean", fhir=True)
    body = {"version": "R4", "streamConfigs": resources_into(target)}
    source = stores.create(parent=dataset, fhirStoreId="source", body=body).execute()["name"]
    put(datasets, source, observation(1))
    wait_until(lambda: len(found(datasets, target, "Observation")) == 1, what="it is there")
    put(datasets, source, PATIENT)
    wait_until(lambda: len(found(datasets, target, "Patient")) == 1, what="the patient is there")
    put(datasets, source, observation(2))
    wait_until(lambda: len(found(datasets, target, "Observation")) == 2, what="both are there")

    def days() -> set[str]:
        return {each["effectiveDateTime"] for each in found(datasets, target, "Observation")}

    wait_until(lambda: len(days()) == 1, what="both are shifted as their patient's")
    assert days() != {"2001-02-03"}
    put(datasets, source, observation(2, status="amended"))
    statuses = {"final", "amended"}
    wait_until(
        lambda: {each["status"] for each in found(datasets, target, "Observation")} == statuses,
        what="the change is there",
    )
    stores.fhir().delete(name=f"{source}/fhir/Observation/o-1").execute()
    wait_until(lambda: len(found(datasets, target, "Observation")) == 1, what="it is gone")
    (patient,) = found(datasets, target, "Patient")
    assert CANARY not in json.dumps(patient)


def test_the_result_of_a_deleted_resource_goes_though_it_kept_its_id(
    service: Any, datasets: Any, dataset: str
) -> None:
    stores = datasets.fhirStores()
    target = make_store(service, dataset, "clean", fhir=True)
    kept = [{"paths": ["Observation.id"], "action": "DO_NOT_TRANSFORM"}]
    place = {"store": target, "config": {"fhir": {"fieldMetadataList": kept}}}
    body = {"version": "R4", "streamConfigs": [{"deidentifiedStoreDestination": place}]}
    source = stores.create(parent=dataset, fhirStoreId="source", body=body).execute()["name"]
    for number in (1, 2):
        put(datasets, source, observation(number))

    def ids() -> set[str]:
        return {each["id"] for each in found(datasets, target, "Observation")}

    wait_until(lambda: ids() == {"o-1", "o-2"}, what="both are there")
    stores.fhir().delete(name=f"{source}/fhir/Observation/o-1").execute()
    wait_until(lambda: ids() == {"o-2"}, what="one is gone")


def test_only_the_types_that_are_named_go_on(service: Any, datasets: Any, dataset: str) -> None:
    target = make_store(service, dataset, "clean", fhir=True)
    streams = resources_into(target, resourceTypes=["Patient"])
    body = {"version": "R4", "streamConfigs": streams}
    stores = datasets.fhirStores()
    source = stores.create(parent=dataset, fhirStoreId="source", body=body).execute()["name"]
    put(datasets, source, observation(1))
    put(datasets, source, PATIENT)
    wait_until(lambda: len(found(datasets, target, "Patient")) == 1, what="the patient is there")
    assert found(datasets, target, "Observation") == []


def test_what_cannot_go_on_waits_in_quarantine(
    daemon: RunningDaemon, service: Any, datasets: Any, dataset: str, target: str
) -> None:
    nothing = make_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.999")
    stores = datasets.dicomStores()
    body = {"streamConfigs": instances_into(target, BASIC)}
    source = stores.create(parent=dataset, dicomStoreId="source", body=body).execute()["name"]
    store_instance(service, source, encoded(nothing))
    store_instance(service, source, encoded(make_ct(instance=2)))
    arrives(service, target, 1)
    run = subprocess.run(
        [sys.executable, "-m", "daemon", "quarantine", "list", "--json"],
        env={**os.environ, "DICOMVEIL_STATE_DIR": str(daemon.state_dir)},
        capture_output=True,
        check=True,
        timeout=500,
    )
    (waiting,) = [each for each in json.loads(run.stdout) if each["receiver"] == "operation"]
    assert waiting["reason"] == "sop_class_unknown"


@pytest.mark.parametrize(
    ("configs", "said"),
    [
        ([{"bigqueryDestination": {"tableUri": "bq://p.d.t"}}], "BigQuery"),
        ([{}], "required"),
        ([{"dicomveil": {"deidentifiedStoreDestination": {"config": BASIC}}}], "required"),
        (instances_into("target"), "full name"),
        (instances_into(f"{OURS}/dicomStores/none"), "no such store"),
        (instances_into(f"{OURS}/dicomStores/deid"), "write by itself"),
        (instances_into("TARGET", {"fhir": {}}), "DICOM"),
        (instances_into("TARGET", {"dicom": {"filterProfil": "X"}}), "filterProfile"),
        (instances_into("TARGET", BASIC) * 2, "a store of its own"),
        (instances_into("SELF", BASIC), "come back"),
        (instances_into("ROUND", BASIC), "come back"),
    ],
)
def test_a_stream_that_cannot_be_is_refused(
    service: Any, datasets: Any, dataset: str, target: str, configs: list[Any], said: str
) -> None:
    stores = datasets.dicomStores()
    source = make_store(service, dataset, "source")
    back = {"streamConfigs": instances_into(source, BASIC)}
    around = stores.create(parent=dataset, dicomStoreId="around", body=back).execute()["name"]
    text = json.dumps(configs)
    for name, store in (("TARGET", target), ("SELF", source), ("ROUND", around)):
        text = text.replace(f'"{name}"', f'"{store}"')
    patch = stores.patch(
        name=source, updateMask="streamConfigs", body={"streamConfigs": json.loads(text)}
    )
    with pytest.raises(HttpError) as caught:
        patch.execute()
    assert caught.value.resp.status in {400, 404}
    assert said in json.loads(caught.value.content)["error"]["message"]
    assert "streamConfigs" not in stores.get(name=source).execute()


def test_the_configured_stores_have_routes_instead(datasets: Any, target: str) -> None:
    stores = datasets.dicomStores()
    body = {"streamConfigs": instances_into(target, BASIC)}
    patch = stores.patch(name=f"{OURS}/dicomStores/source", updateMask="streamConfigs", body=body)
    assert "routes" in refused(patch, 400, "FAILED_PRECONDITION")


def test_a_key_is_not_told_again(datasets: Any, dataset: str, target: str) -> None:
    shift = {"dateShiftConfig": {"cryptoKey": "U2FsdGVkX19bS2oZsdbK9X5zi2utBn22uY+I2Vo0zOU="}}
    config = {**BASIC, "text": {"additionalTransformations": [{"infoTypes": ["DATE"], **shift}]}}
    body = {"streamConfigs": instances_into(target, config)}
    stores = datasets.dicomStores()
    made = stores.create(parent=dataset, dicomStoreId="source", body=body).execute()
    assert "cryptoKey" not in json.dumps(made)
    assert "dateShiftConfig" in json.dumps(made)
