"""Operations of the Healthcare API while the service is killed, and beside instances that arrive."""

from __future__ import annotations

import hashlib
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories import ct_file
from tests.healthcare_client import (
    client,
    done,
    make_dataset,
    make_store,
    retrieve,
    search,
    store_instance,
)
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSTANCES = 120
RESOURCES = 30
KILLS = 5
CONFIG = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}, "fhir": {}}


@pytest.fixture
def daemon(disk_path: Path) -> Iterator[RunningDaemon]:
    running = RunningDaemon(disk_path / "state", disk_path, settings="[workers]\ncount = 2\n")
    running.start()
    yield running
    running.stop()


def filled(service: Any, instances: int = INSTANCES, patients: int = RESOURCES) -> str:
    dataset = make_dataset(service, "full")
    store = make_store(service, dataset, "images")
    for number in range(instances):
        store_instance(service, store, ct_file(study=1 + number % 7, instance=number + 1))
    resources = make_store(service, dataset, "resources", fhir=True)
    fhir = service.projects().locations().datasets().fhirStores().fhir()
    for number in range(patients):
        body = {"resourceType": "Patient", "id": f"p{number}", "birthDate": "1950-03-04"}
        fhir.update(name=f"{resources}/fhir/Patient/p{number}", body=body).execute()
    return dataset


def begin(service: Any, source: str, target: str) -> dict[str, Any]:
    body = {"destinationDataset": target, "config": CONFIG}
    datasets = service.projects().locations().datasets()
    found: dict[str, Any] = datasets.deidentify(sourceDataset=source, body=body).execute()
    return found


def content(daemon: RunningDaemon, service: Any, dataset: str) -> dict[str, str]:
    """Return everything in a dataset, by what it is, as digests."""
    found = {}
    images = f"{dataset}/dicomStores/images"
    for each in search(service, images, "instances", "&limit=5000"):
        uids = [each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
        body = retrieve(daemon.http, images, *uids)
        assert uids[2] not in found
        found[uids[2]] = hashlib.sha256(body).hexdigest()
    fhir = service.projects().locations().datasets().fhirStores().fhir()
    bundle = fhir.search(
        parent=f"{dataset}/fhirStores/resources", body={"resourceType": "Patient", "_count": "500"}
    ).execute()
    for entry in bundle["entry"]:
        resource = entry["resource"]
        meta = resource.pop("meta")
        assert meta["versionId"] == "1"
        found[resource["id"]] = str(sorted(resource.items()))
    return found


def test_an_operation_that_is_killed_again_and_again_ends_as_an_undisturbed_one(
    daemon: RunningDaemon,
) -> None:
    with client(daemon.http) as service:
        source = filled(service)
        target = f"{source}-clean"
        operation = begin(service, source, target)
    randomly = random.Random(41)
    for kill in range(KILLS):
        wanted = (kill + 1) * INSTANCES // (KILLS + 2)

        def is_under_way(wanted: int = wanted) -> bool:
            with client(daemon.http) as service:
                operations = service.projects().locations().datasets().operations()
                found = operations.get(name=operation["name"]).execute()
            return "done" in found or int(found["metadata"]["counter"].get("success", 0)) >= wanted

        wait_until(is_under_way, what="the operation has gone on")
        time.sleep(randomly.random() * 0.1)
        daemon.kill()
        daemon.start()
    with client(daemon.http) as service:
        ended = done(service, operation)
        assert "response" in ended, ended
        assert ended["metadata"]["counter"] == {"success": str(INSTANCES + RESOURCES)}
        disturbed = content(daemon, service, target)
        assert len(disturbed) == INSTANCES + RESOURCES
        # Undisturbed, into a dataset of the same name: its name is what the key is derived for.
        service.projects().locations().datasets().delete(name=target).execute()
        done(service, begin(service, source, target))
        assert content(daemon, service, target) == disturbed
