"""The FHIR stores through clients that do not know us: fhirpy, and fhir-kit-client on Node.js."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from fhirpy import AsyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

from tests.fhir_peer import FhirPeer
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE_PACKAGE = "fhir-kit-client@2.0.3"
PROGRAM = Path(__file__).parent / "fhir_kit.mjs"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("fhir")
    running = RunningDaemon(folder / "state", folder, is_prepared=True)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """Install the Node.js client beside the virtual environment, once."""
    if shutil.which("npm") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("npm is not installed")
    folder = Path(sys.prefix) / "node"
    if not (folder / "node_modules" / "fhir-kit-client").is_dir():
        folder.mkdir(exist_ok=True)
        arguments = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--silent"]
        done = subprocess.run(
            ["npm", "install", "--prefix", str(folder), *arguments, NODE_PACKAGE],
            check=False,
            capture_output=True,
        )
        if done.returncode:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
                f"{NODE_PACKAGE} cannot be installed here"
            )
    return folder


def by_kit(node_modules: Path, address: str, what: str) -> dict[str, Any]:
    # An import is looked for beside the file that asks for it.
    program = node_modules / PROGRAM.name
    shutil.copy(PROGRAM, program)
    done = subprocess.run(
        ["node", str(program), address, what],
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


async def test_fhirpy_works_with_the_source(daemon: RunningDaemon) -> None:
    client = AsyncFHIRClient(f"{daemon.http}/fhir/source")
    value = uuid4().hex
    made = client.resource(
        "Patient", identifier=[{"system": "urn:py", "value": value}], gender="female"
    )
    await made.create()
    assert made["id"]
    found = await client.resources("Patient").search(identifier=f"urn:py|{value}").get()
    assert found["id"] == made["id"]
    found["gender"] = "male"
    await found.save()
    assert found["meta"]["versionId"] == "2"
    for _ in range(5):
        await client.resource(
            "Observation",
            status="final",
            code={"text": "x"},
            subject={"reference": f"Patient/{made['id']}"},
        ).create()
    observations = client.resources("Observation").search(patient=made["id"]).limit(2)
    assert len(await observations.fetch_all()) == 5
    assert await observations.count() == 5
    with pytest.raises(OperationOutcome):
        await client.execute("Patient/x", method="put", data={"resourceType": "Patient", "id": "y"})
    await found.delete()  # type: ignore[no-untyped-call]
    with pytest.raises(ResourceNotFound):
        await client.reference("Patient", made["id"]).to_resource()


async def test_fhirpy_reads_the_destination_and_cannot_write(daemon: RunningDaemon) -> None:
    peer = FhirPeer(f"{daemon.http}/fhir/source")
    peer.update({"resourceType": "Patient", "id": "seen", "name": [{"family": "Quillfeather"}]})
    client = AsyncFHIRClient(f"{daemon.http}/fhir/deid")

    def is_there() -> bool:
        return bool(FhirPeer(f"{daemon.http}/fhir/deid").get("/Patient").json["total"])

    wait_until(is_there, what="the patient is de-identified")
    found = await client.resources("Patient").fetch_all()
    assert found
    told = [each.serialize() for each in found]  # type: ignore[no-untyped-call]
    assert "Quillfeather" not in json.dumps(told)
    one = await client.reference("Patient", found[0]["id"]).to_resource()
    assert one["id"] == found[0]["id"]
    with pytest.raises(OperationOutcome):
        await client.resource("Patient", gender="female").create()


def test_fhir_kit_client_reads_the_destination_and_cannot_write(
    daemon: RunningDaemon, node_modules: Path
) -> None:
    FhirPeer(f"{daemon.http}/fhir/source").update({"resourceType": "Patient", "id": "kit"})
    wait_until(
        lambda: bool(FhirPeer(f"{daemon.http}/fhir/deid").get("/Patient").json["total"]),
        what="the patient is de-identified",
    )
    seen = by_kit(node_modules, f"{daemon.http}/fhir/deid", "read")
    assert seen["found"] >= 1
    assert (seen["version"], seen["read"], seen["refused"]) == ("4.0.1", "Patient", 405)


def test_fhir_kit_client_works_with_the_source(daemon: RunningDaemon, node_modules: Path) -> None:
    seen = by_kit(node_modules, f"{daemon.http}/fhir/source", "write")
    assert seen == {
        "version": "4.0.1",
        "created": "1",
        "read": True,
        "updated": "2",
        "stale": 412,
        "vread": None,
        "history": 2,
        "transaction": ["201"] * 4,
        "total": 3,
        "pages": [2, 1],
        "deleted": 410,
    }
