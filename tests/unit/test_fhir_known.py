"""What resources tell of people and places is known, whatever element tells it; what tells of things is not."""

from __future__ import annotations

from typing import Any

import pytest

from deid.fhir.known import known_identifiers
from deid.identity.identifiers import KnownIdentifier
from tests.fhir_samples import bundle, fhir_plan, resource, result

NAME = "zbikowolski tamsyn"
HOUSE = "wexhampton infirmary"


def of(kind: str, **told: Any) -> dict[str, Any]:
    return {"reference": f"{kind}/1", **told}


TELLS: list[tuple[dict[str, Any], str, str]] = [
    (resource("Task", **{"for": of("Patient", display=NAME)}), NAME, "PERSON_NAME"),
    (resource("List", entry=[{"item": of("Patient", display=NAME)}]), NAME, "PERSON_NAME"),
    (resource("Basic", subject={"type": "Person", "display": NAME}), NAME, "PERSON_NAME"),
    (resource("Task", focus=of("Organization", display=HOUSE)), HOUSE, "ORGANIZATION_NAME"),
    (
        resource("Observation", performer=[of("Organization", display=HOUSE)]),
        HOUSE,
        "ORGANIZATION_NAME",
    ),
    (resource("Observation", performer=[{"display": NAME}]), NAME, "PERSON_NAME"),
    (
        resource("Patient", identifier=[{"assigner": {"display": HOUSE}}]),
        HOUSE,
        "ORGANIZATION_NAME",
    ),
    (resource("ResearchStudy", contact=[{"name": NAME}]), NAME, "PERSON_NAME"),
    (resource("HealthcareService", name=HOUSE), HOUSE, "ORGANIZATION_NAME"),
    (resource("Location", address={"postalCode": "QX1A 1XQ"}), "QX1A 1XQ", "STREET_ADDRESS"),
]
TELLS_NOT = [
    resource("Observation", subject=of("Device", display="scanner two")),
    resource("Observation", subject={"type": "Group", "display": "diabetes cohort"}),
    resource("Observation", focus=[of("Condition", display="renal colic")]),
    resource("Task", focus=of("ServiceRequest", display="chest film")),
    resource("Location", address={"postalCode": "10001"}),
    resource("Location", address={"postalCode": "100 01"}),
]


@pytest.mark.parametrize(("told", "value", "kind"), TELLS)
def test_people_and_places_are_known_by_what_tells_of_them(
    told: dict[str, Any], value: str, kind: str
) -> None:
    assert KnownIdentifier(value, kind) in known_identifiers([told])
    note = resource("Observation", id="n", note=[{"text": f"mild pain, {value} was told"}])
    plan = fhir_plan(fhirText="inspect")
    (left,) = result(bundle(told, note), plan)["entry"][-1]["resource"]["note"]
    assert value not in left["text"]
    assert "mild pain" in left["text"]


@pytest.mark.parametrize("told", TELLS_NOT)
def test_what_tells_of_things_names_nobody(told: dict[str, Any]) -> None:
    assert known_identifiers([told]) == ()
