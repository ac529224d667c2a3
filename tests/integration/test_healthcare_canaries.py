"""Marked values through the Healthcare API, its failing ways too: none is told by anything but the source."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError
from pydicom.uid import UID

from tests.factories import canary_dataset, encoded
from tests.healthcare_client import (
    ask,
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

MARK = "ZQXPHI"
BASIC = {
    "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
    "image": {"textRedactionMode": "REDACT_ALL_TEXT"},
    "fhir": {},
}
BETA: dict[str, Any] = {"dicomTagConfig": {}, "fhirFieldConfig": {}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canaries")


@pytest.fixture(scope="module")
def daemon(folder: Path) -> Iterator[RunningDaemon]:
    (folder / "files").mkdir()
    settings = f'[workers]\ncount = 1\n[healthcare]\nfolders = ["{folder}/files"]\n'
    running = RunningDaemon(folder / "state", folder, settings=settings, is_prepared=True)
    running.start()
    yield running
    running.stop()


class Heard:
    """Keeps everything that was answered, but for what the source says."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def run(self, request: Any) -> dict[str, Any]:
        """Execute a request; an error is an answer."""
        try:
            answer = request.execute()
        except HttpError as error:
            answer = json.loads(error.content)
        self.texts.append(json.dumps(answer))
        found: dict[str, Any] = answer
        return found

    def ended(self, service: Any, request: Any) -> dict[str, Any]:
        """Begin an operation and wait for its end."""
        found = done(service, self.run(request))
        self.texts.append(json.dumps(found))
        return found


def patient(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": f"{MARK}-{number}",
        "identifier": [{"system": "urn:oid:1.2.3", "value": f"{MARK}{number}"}],
        "name": [{"family": f"{MARK}{number}", "text": f"{MARK} {number}"}],
        "address": [{"text": f"{MARK} street"}],
        "text": {"status": "generated", "div": f"<div>{MARK}</div>"},
    }


def test_no_marked_value_is_told_by_operations_errors_logs_quarantine_or_results(
    daemon: RunningDaemon, folder: Path
) -> None:
    heard = Heard()
    with client(daemon.http) as service, client(daemon.http, "v1beta1") as beta:
        stores = service.projects().locations().datasets().dicomStores()
        fhir = service.projects().locations().datasets().fhirStores()
        dataset = make_dataset(service, "canaries")
        source, target = (make_store(service, dataset, name) for name in ("source", "target"))
        told = make_store(service, dataset, "told", fhir=True)
        clean = make_store(service, dataset, "clean", fhir=True)
        canary = canary_dataset()
        store_instance(service, source, encoded(canary.dataset))
        # One that no configuration passes, one whose pixels are cut off, one that is none.
        unknown = canary_dataset().dataset
        unknown.SOPClassUID = unknown.file_meta.MediaStorageSOPClassUID = UID("1.2.3.4")
        unknown.SOPInstanceUID = unknown.file_meta.MediaStorageSOPInstanceUID = UID(
            "1.2.840.99999.1"
        )
        store_instance(service, source, encoded(unknown))
        whole = encoded(canary_dataset().dataset)
        for kind, scan in (("cut", whole[:-9]), ("none", MARK.encode() * 90)):
            (folder / "files" / f"{MARK}-{kind}.dcm").write_bytes(scan)
            answer = ask(
                f"{daemon.http}/v1/{source}/dicomWeb/studies",
                "POST",
                scan,
                Content_Type="application/dicom",
                Accept="application/dicom+json",
            )
            heard.texts.append(answer.body.decode())
        for number in (1, 2):
            resource = patient(number)
            name = f"{told}/fhir/Patient/{resource['id']}"
            service.projects().locations().datasets().fhirStores().fhir().update(
                name=name, body=resource
            ).execute()
        (folder / "files" / f"{MARK}.ndjson").write_text(
            json.dumps({**patient(3), MARK: [MARK]}) + f'\n{{"{MARK}\n{MARK}\n'
        )
        files = (folder / "files").as_uri()

        body: dict[str, Any]
        into = {"destinationStore": target}
        heard.ended(service, stores.deidentify(sourceStore=source, body={**into, "config": BASIC}))
        heard.ended(service, stores.deidentify(sourceStore=source, body=into))
        again = beta.projects().locations().datasets().dicomStores()
        provenance = {"operationMetadata": {"fhirOutput": {"fhirStore": clean}}}
        body = {**into, "config": {**BETA, **provenance}}
        heard.ended(beta, again.deidentify(sourceStore=source, body=body))
        heard.ended(service, fhir.deidentify(sourceStore=told, body={"destinationStore": clean}))
        datasets = service.projects().locations().datasets()
        body = {"destinationDataset": f"{dataset}-out", "config": BASIC}
        heard.ended(service, datasets.deidentify(sourceDataset=dataset, body=body))
        stream = {
            "streamConfigs": [
                {"dicomveil": {"deidentifiedStoreDestination": {"store": target, "config": BASIC}}}
            ]
        }
        streaming = stores.create(parent=dataset, dicomStoreId="streaming", body=stream)
        name = heard.run(streaming)["name"]
        store_instance(service, name, encoded(unknown))
        imported = make_store(service, dataset, "imported", fhir=True)
        body = {"gcsSource": {"uri": f"{files}/*.dcm"}}
        heard.ended(service, stores.import_(name=source, body=body))
        body = {"gcsSource": {"uri": f"{files}/*.ndjson"}, "contentStructure": "RESOURCE"}
        heard.ended(service, fhir.import_(name=imported, body=body))
        for path in (f"file:///{MARK}/x", f"{files}/{MARK}-none", f"gs://{MARK}/x", MARK):
            heard.run(stores.deidentify(sourceStore=source, body={**into, "gcsConfigUri": path}))
            heard.run(stores.import_(name=source, body={"gcsSource": {"uri": path}}))
            heard.run(stores.export(name=source, body={"gcsDestination": {"uriPrefix": path}}))
        for body in (
            {"destinationStore": MARK},
            {"destinationStore": f"{dataset}/dicomStores/{MARK}"},
            {**into, "filterConfig": {"resourcePathsGcsUri": f"{files}/{MARK}-none.dcm"}},
            {**into, "config": {"dicom": {"keepList": {"tags": [7]}}}},
        ):
            heard.run(stores.deidentify(sourceStore=source, body=body))
        heard.run(stores.get(name=f"{dataset}/dicomStores/{MARK}"))
        heard.run(datasets.operations().list(name=dataset))
        heard.run(datasets.operations().list(name=dataset, filter=f"done={MARK}"))
        for each in datasets.operations().list(name=dataset).execute()["operations"]:
            heard.texts.append(ask(f"{daemon.http}/v1/{each['name']}:failures").body.decode())

        def refusals() -> list[dict[str, Any]]:
            run = subprocess.run(
                [sys.executable, "-m", "daemon", "quarantine", "list", "--json"],
                env={**os.environ, "DICOMVEIL_STATE_DIR": str(daemon.state_dir)},
                capture_output=True,
                check=True,
                timeout=500,
            )
            heard.texts.append(run.stdout.decode())
            found: list[dict[str, Any]] = json.loads(run.stdout)
            return found

        wait_until(lambda: len(refusals()) >= 2, what="the stream has refused one, too")
        results = [target, f"{dataset}-out/dicomStores/source", f"{dataset}-out/dicomStores/target"]
        written = 0
        for store in results:
            for each in search(service, store):
                uids = [each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
                content = retrieve(daemon.http, store, *uids)
                assert canary.survivors(content) == {}
                written += 1
        assert written >= 2
        for store in (clean, f"{dataset}-out/fhirStores/told"):
            exported = ask(f"{daemon.http}/v1/{store}/fhir/$export")
            assert exported.status == 200
            assert exported.body.count(b'"Patient"') >= 2
            heard.texts.append(exported.body.decode())
    assert [text for text in heard.texts if MARK in text] == []
    assert MARK not in daemon.log
    assert MARK not in ask(f"{daemon.http}/metrics").body.decode()
    assert list((daemon.state_dir / "work").iterdir()) == []
    with closing(sqlite3.connect(daemon.state_dir / "dicomveil.sqlite")) as database:
        kept = [
            str(database.execute(f"SELECT * FROM {table}").fetchall())
            for table in ("operations", "operation_failures", "receipts", "garbage")
        ]
    assert not any(MARK in each for each in kept)
