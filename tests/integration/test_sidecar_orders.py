"""A pool of studies and resources of eight patients, in any order: nothing wrongly tied, the same bytes.

Everything is real but the processes: workers' code runs in this one, over the real stores.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import deid
from daemon.pipeline.fhir_retelling import retell
from daemon.pipeline.routing import Route, named
from daemon.pipeline.work import Work
from daemon.records import Origin, Receiver
from daemon.store.associating import Association
from daemon.store.retelling import Retelling
from daemon.store.sidecar_rows import SidecarState
from daemon.store.stores import Stores
from tests.factories import PATIENTS, encoded, make_ct
from tests.sidecar_samples import issuer_system, make_resources
from tests.store_samples import receive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.resources import Retold, ToRetell
    from daemon.store.ports import Session
    from deid.identity.keys import SiteKey

SEEDS: Final = range(10)
STUDIES: Final = 3
INSTANCES: Final = 3
SHARED_ACCESSION: Final = "SHARED1"
ISSUERS: Final = {
    issuer_system(each): each.issuer for each in PATIENTS if each.issuer not in {"", "DEMO-TRUST"}
}
CONFIGURATION: Final = {
    "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
    "fhir": {},
}


@dataclass(frozen=True)
class Dropped:
    """A file of the pool: its bytes, where it lay, and whose it is (-1 for nobody's)."""

    data: bytes
    origin: Origin
    patient: int
    is_resource: bool


def dropped(data: bytes, patient: int, place: str, peer: str = "/a", *, fhir: bool) -> Dropped:
    origin = Origin(Receiver.WATCH, peer=peer, drop_folder=f"folder {place}", drop_name=place)
    return Dropped(data, origin, patient, fhir)


def resource_file(resource: dict[str, Any], patient: int, place: str) -> Dropped:
    return dropped(json.dumps(resource).encode(), patient, place, fhir=True)


def pool() -> list[Dropped]:
    """Return 72 instances, 168 resources that belong to them, and six that belong to nobody."""
    files: list[Dropped] = []
    firsts = []
    for person, patient in enumerate(PATIENTS):
        for study in range(1, STUDIES + 1):
            place = f"{person}-{study}"
            datasets = [
                make_ct(patient, study=study, instance=number, rows=16)
                for number in range(1, INSTANCES + 1)
            ]
            for number, dataset in enumerate(datasets):
                if study == 2 and person in {2, 4}:
                    dataset.AccessionNumber = SHARED_ACCESSION
                # One study goes to two deidentifiers.
                peer = "/b" if (person, study, number) == (0, 1, 2) else "/a"
                files.append(dropped(encoded(dataset), person, place, peer, fhir=False))
            firsts.append(datasets[0])
            files += resources_of(datasets[0], person, study, place)
    first, other = firsts[0], firsts[STUDIES]
    torn = {
        "resourceType": "ServiceRequest",
        "id": "torn",
        "identifier": [accession(str(other.AccessionNumber))],
        "note": [{"text": f"study {first.StudyInstanceUID}"}],
    }
    orphan = {"resourceType": "Observation", "id": "orphan", "subject": {"reference": "Patient/x"}}
    ambiguous = {
        "resourceType": "ServiceRequest",
        "id": "ambiguous",
        "identifier": [accession(SHARED_ACCESSION)],
    }
    both = {
        "resourceType": "DiagnosticReport",
        "id": "both",
        "result": [
            {"reference": "Observation/finding-0-1"},
            {"reference": "Observation/finding-1-1"},
        ],
    }
    files += [resource_file(each, -1, "elsewhere") for each in (torn, orphan, ambiguous, both)]
    twice = {"resourceType": "Observation", "id": "twice", "status": "final"}
    subject = {"reference": "Patient/patient-3-1"}
    files += [
        resource_file({**twice, "subject": subject, "valueInteger": number}, -1, "3-1")
        for number in (1, 2)
    ]
    return files


def accession(number: str) -> dict[str, Any]:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}
    return {"type": {"coding": [kind]}, "value": number}


def resources_of(dataset: Any, person: int, study: int, place: str) -> Iterator[Dropped]:
    """Yield a study's resources, tied by UIDs in the first, by accession in the second, else by patient."""
    for resource in make_resources(dataset, PATIENTS[person], place):
        if study > 1 and resource["resourceType"] == "ImagingStudy":
            del resource["identifier"], resource["series"]
        if study > 2 and resource["resourceType"] == "ServiceRequest":
            del resource["identifier"]
        yield resource_file(resource, person, place)


@dataclass
class Outcome:
    """What a run came to."""

    tied: Counter[bool]
    states: Counter[tuple[str, str]]
    destination: frozenset[object]
    both: set[str]


async def run(folder: Path, files: list[Dropped], key: SiteKey) -> Outcome:
    plans = {
        name: deid.compile_plan(
            CONFIGURATION | {"dicomveil": {"identityIssuers": ISSUERS}}, key.derive(name)
        )
        for name in ("first", "second")
    }
    usual = {"receiver": "", "calling_ae": [], "called_ae": [], "modality": [], "sop_class": []}
    routes = named(
        Route.from_document({**usual, "name": "", "header": {}, "peer": peer, "deidentifier": name})
        for name, peer in (("second", ["/b"]), ("first", []))
    )
    work = Work(routes, plans)
    stores = await Stores.open(folder)

    async def retold(job: ToRetell) -> Retold:
        return retell(job, plans)

    retelling = Retelling(
        stores.stores,
        stores.database,
        retell=retold,
        association=lambda: Association(ISSUERS, "", {}, 3600.0),
    )
    stores.retell_by(retelling)
    loop = asyncio.create_task(retelling.run())
    try:
        for position, each in enumerate(files):
            receipt = await receive(stores, each.data, each.origin)
            await stores.receipts.settle([work.process(stores.receipts.job(receipt))])
            if position % 40 == 0:
                await asyncio.sleep(0.1)  # what came so far is looked at before the rest comes
        await until_idle(retelling)
        return await stores.database.read(lambda session: told(session, stores))
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await stores.close()


async def until_idle(retelling: Retelling) -> None:
    for _ in range(10_000):
        if retelling.is_idle:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never comes to rest")


def told(session: Session, stores: Stores) -> Outcome:
    source, destination = stores.stores.fhir_source, stores.stores.fhir_destination
    rows = [
        row for state in SidecarState for row in session.sidecars.in_state(source, state, 10_000)
    ]
    tied: Counter[bool] = Counter()
    for row in rows:
        if row.made:
            owner = PATIENTS[int(row.id.split("-")[1])] if "-" in row.id else None
            is_right = owner is not None and (
                not row.patient or row.patient.endswith(f"|{owner.patient_id}")
            )
            tied[is_right] += 1
    return Outcome(
        tied,
        Counter((row.state.value, row.reason) for row in rows),
        frozenset(
            [
                (each.deidentifier, each.type, each.id, each.meta, each.rest)
                for each in session.resources.page(destination, 0, 10_000)
            ]
            + [
                (each.deidentifier, each.sop_instance_uid, each.digest)
                for each in session.instances.page(stores.stores.destination, 0, 10_000)
            ]
        ),
        {row.id for row in rows if len({each.deidentifier for each in row.made}) == 2},
    )


async def test_every_order_ties_the_same_and_nothing_wrongly(
    disk_path: Path, site_key: SiteKey
) -> None:
    files = pool()
    assert len(files) - 6 == 240
    outcomes = []
    for seed in SEEDS:
        random.Random(seed).shuffle(files)
        outcomes.append(await run(disk_path / str(seed), files, site_key))
    first = outcomes[0]
    assert first.tied[False] == 0
    assert first.tied[True] == 168
    assert first.states["quarantined", "sidecar_conflict"] == 2
    assert first.states["quarantined", "sidecar_versions"] == 1
    assert first.states["waiting", ""] == 2
    assert {"study-0-1", "patient-0-1", "hospital-0-1"} <= first.both
    for other in outcomes[1:]:
        assert other == first
