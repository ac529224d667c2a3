"""In whose compartments resources are: HL7's table, what the index makes of it, and a database without it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from daemon.fhir.everything import everything
from daemon.pipeline.fhir_indexing import compartment, compartment_tokens, tokens_of
from daemon.resources import COMPARTMENT, Content, Method, Token
from daemon.store.embedded import EMBEDDED
from daemon.store.fhir import FhirStore
from daemon.store.rows import StoreKind
from daemon.store.sqlite.schema import migrate
from daemon.store.stores import Stores
from deid.tables.fhir import fhir_types
from tests.compartment_table import TABLE

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.store.ports import Session
    from daemon.store.rows import Store


def test_the_table_does_not_change_unnoticed() -> None:
    found = sha256(TABLE.read_bytes()).hexdigest()[:16]
    assert found == "3552fd8c87ca8791", f"it is {found} now: if that is meant, pin it here"


def test_each_element_of_the_table_is_a_reference_that_may_be_to_a_patient() -> None:
    types = fhir_types()
    assert len(compartment()) == 67
    for kind, elements in compartment().items():
        for element in elements:
            inner = kind
            for name in element[:-1]:
                inner = types[inner][name].type
            last = types[inner][element[-1]]
            assert last.type == "Reference", (kind, element)
            assert not last.targets or {"Patient", "Resource"} & set(last.targets), (kind, element)


def resource(kind: str, **elements: Any) -> dict[str, Any]:
    return {"resourceType": kind, **elements}


PATIENT = {"reference": "Patient/1"}


@pytest.mark.parametrize(
    "told",
    [
        resource("Appointment", participant=[{"actor": {"reference": "X/1"}}, {"actor": PATIENT}]),
        resource("Observation", performer=[PATIENT]),
        resource("Composition", attester=[{"party": PATIENT}]),
        resource("RequestGroup", action=[{"participant": [PATIENT]}]),
        resource("Group", member=[{"entity": PATIENT}]),
        resource("Person", link=[{"target": {"reference": "https://h/fhir/Patient/1/_history/2"}}]),
    ],
)
def test_a_resource_is_in_the_compartment_of_each_patient_it_names(told: dict[str, Any]) -> None:
    assert compartment_tokens(told) == (Token(COMPARTMENT, "Patient/1"),)
    assert Token(COMPARTMENT, "Patient/1") in tokens_of(told)


@pytest.mark.parametrize(
    "told",
    [
        resource("Observation", subject=PATIENT),  # found by searches already
        resource("Observation", focus=[PATIENT]),
        resource("Observation", performer=[{"reference": "Practitioner/1"}, "x", {"reference": 7}]),
        resource("Observation", performer="Patient/1"),
        resource("Library", author=[PATIENT]),
    ],
)
def test_other_references_put_it_into_none(told: dict[str, Any]) -> None:
    assert compartment_tokens(told) == ()


async def test_what_an_earlier_version_stored_is_found_after_its_migration(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path / "state", engine=EMBEDDED)
    source = stores.stores.fhir_source
    rests = {
        "Appointment": b'"participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"}]',
        "Observation": b'"valueQuantity":{"value":1.50},"performer":[{"reference":"Practitioner/1"}]',
        "Library": b'"author":[{"name":"Patient/1"}]',
        "Flag": b"",
    }
    for kind, rest in rests.items():
        content = Content(kind, b"", rest)
        await stores.database.write(
            lambda session, content=content: session.resources.add_version(  # type: ignore[misc]
                source, "x", content, method=Method.CREATE, now_ms=1
            )
        )
    path = stores.layout.database
    await stores.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'compartments_of_patients'")
        connection.commit()
        migrate(connection)
        found = connection.execute("SELECT type, name, value FROM fhir_tokens").fetchall()
    assert found == [("Appointment", COMPARTMENT, "Patient/1")]


async def test_all_of_a_patient_comes_in_pages_from_whatever_store(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path / "state", engine=EMBEDDED)

    def fill(session: Session) -> Store:
        session.facts.set("last_store", str(8_000_000))
        store = session.stores.add("dataset", StoreKind.FHIR, "late")
        for kind, number in (("Patient", 1), ("Flag", 1), ("Flag", 2), ("Flag", 3)):
            tokens = (Token(COMPARTMENT, "Patient/1"),) if kind == "Flag" else ()
            content = Content(kind, b"", b"", tokens)
            session.resources.add_version(
                store, str(number), content, method=Method.CREATE, now_ms=1
            )
        return store

    resources = FhirStore(await stores.database.write(fill), stores.database)
    seen, token = [], ""
    while True:
        pairs = [("_count", "1"), *([("_page_token", token)] if token else [])]
        body = await everything(
            resources, "1", pairs, max_results=100, types={"Patient", "Flag"}, root="http://here"
        )
        bundle = orjson.loads(body)
        seen += [
            f"{each['resource']['resourceType']}/{each['resource']['id']}"
            for each in bundle["entry"]
        ]
        links = {each["relation"]: each["url"] for each in bundle["link"]}
        if "next" not in links:
            break
        token = links["next"].rpartition("_page_token=")[2]
    await stores.close()
    assert seen == ["Patient/1", "Flag/1", "Flag/2", "Flag/3"]
