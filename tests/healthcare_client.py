"""The Cloud Healthcare API's own client for Python, pointed at a daemon of ours."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from google.auth.credentials import AnonymousCredentials
from googleapiclient import discovery

from tests.service import wait_until

DATASETS = "projects/my-proj/locations/us-central1"
OURS = "projects/local/locations/local/datasets/default"


def client(address: str, version: str = "v1") -> Any:
    """Return what ``googleapiclient.discovery.build`` makes of the document that comes with it."""
    return discovery.build(
        "healthcare",
        version,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        cache_discovery=False,
        static_discovery=True,
        client_options={"api_endpoint": address},
    )


@dataclass(frozen=True)
class Answer:
    """A response, whole."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(address: str, verb: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Send a request as it is; errors are answers."""
    request = urllib.request.Request(
        address,
        data=body,
        method=verb,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    try:
        with urllib.request.urlopen(request, timeout=240) as response:
            return Answer(response.status, response.read(), dict(response.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(), dict(error.headers))


def done(service: Any, operation: dict[str, Any]) -> dict[str, Any]:
    """Poll an operation as people do, until it says that it is done."""
    operations = service.projects().locations().datasets().operations()
    found = operation

    def is_done() -> bool:
        nonlocal found
        found = operations.get(name=operation["name"]).execute()
        return "done" in found

    wait_until(is_done, what="the operation is done")
    return found


def store_instance(service: Any, store: str, instance: bytes) -> Any:
    """Send an instance by the client, which has to be told what a DICOM file is; return what it is answered."""
    request = (
        service.projects()
        .locations()
        .datasets()
        .dicomStores()
        .storeInstances(parent=store, dicomWebPath="studies", body=None)
    )
    request.headers["content-type"] = "application/dicom"
    request.body = instance
    request.body_size = len(instance)
    return request.execute()


def search(service: Any, store: str, level: str = "instances", query: str = "") -> list[Any]:
    """Search a DICOM store by the client, which takes no query: that is added to its address."""
    stores = service.projects().locations().datasets().dicomStores()
    method = {
        "studies": stores.searchForStudies,
        "series": stores.searchForSeries,
        "instances": stores.searchForInstances,
    }[level]
    request = method(parent=store, dicomWebPath=level)
    request.uri += query
    found: list[Any] = request.execute()
    return found


def retrieve(address: str, store: str, study: str, series: str, instance: str) -> bytes:
    """Return the file of an instance as it is stored."""
    path = f"dicomWeb/studies/{study}/series/{series}/instances/{instance}"
    answer = ask(f"{address}/v1/{store}/{path}", Accept="application/dicom; transfer-syntax=*")
    assert answer.status == 200, answer
    return answer.body


def make_dataset(service: Any, name: str, parent: str = DATASETS) -> str:
    """Create a dataset, and return its full name."""
    datasets = service.projects().locations().datasets()
    operation = datasets.create(parent=parent, datasetId=name, body={}).execute()
    assert done(service, operation)["response"]["name"] == f"{parent}/datasets/{name}"
    return f"{parent}/datasets/{name}"


def make_store(service: Any, dataset: str, name: str, *, fhir: bool = False) -> str:
    """Create a store, and return its full name."""
    datasets = service.projects().locations().datasets()
    if fhir:
        stores, given = datasets.fhirStores(), {"fhirStoreId": name, "body": {"version": "R4"}}
    else:
        stores, given = datasets.dicomStores(), {"dicomStoreId": name, "body": {}}
    made: str = stores.create(parent=dataset, **given).execute()["name"]
    return made
