"""Resources that name their patient elsewhere than as subject or patient move with him all the same."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from tests.fhir_samples import bundle, fhir_plan, resource, run

DAY = "2024-01-01"
AT = f"{DAY}T10:00:00Z"
ANNA = {"reference": "Patient/17"}
OTHER = {"reference": "Patient/18"}
PATIENTS = [resource("Patient", id=each, birthDate="1957-03-12") for each in ("17", "18")]

OF_ANNA = [
    resource("Composition", subject=ANNA, date=DAY),
    resource("QuestionnaireResponse", subject=ANNA, author=OTHER, authored=DAY),
    resource("QuestionnaireResponse", source=ANNA, authored=DAY),
    resource("Basic", subject=ANNA, created=DAY),
    resource("Task", **{"for": ANNA}, owner=OTHER, authoredOn=DAY),
    resource("Appointment", start=AT, participant=[{"actor": ANNA}, {"actor": {"display": "x"}}]),
    resource("AppointmentResponse", actor=ANNA, start=AT),
    resource("EnrollmentRequest", candidate=ANNA, created=DAY),
    resource("Communication", sender=ANNA, recipient=[{"reference": "Practitioner/1"}], sent=AT),
    resource("SupplyRequest", deliverTo=ANNA, authoredOn=DAY),
    resource("Invoice", recipient=ANNA, date=DAY),
    resource("Schedule", actor=[ANNA], planningHorizon={"start": DAY}),
    resource("Group", member=[{"entity": ANNA, "period": {"start": DAY}}]),
    resource("List", entry=[{"item": ANNA, "date": DAY}]),
]
OF_NEITHER = [
    resource("Group", member=[{"entity": ANNA, "period": {"start": DAY}}, {"entity": OTHER}]),
    resource("Observation", subject={"reference": "Group/1"}, focus=[ANNA], effectiveDateTime=DAY),
    resource("Slot", schedule={"reference": "Schedule/17"}, start=AT),
    resource("Basic", subject={"reference": "Location/17"}, created=DAY),
    resource("Basic", subject={"type": "Device", "identifier": {"value": "MRN-17"}}, created=DAY),
]


def days_moved(new: Any) -> int:
    found = next(each for each in _strings(new) if each[:3] in ("202", "195"))
    first = DAY if found[:3] == "202" else "1957-03-12"
    return (date.fromisoformat(found[:10]) - date.fromisoformat(first)).days


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for part in parts for each in _strings(part)]


def moved_together(told: dict[str, Any]) -> tuple[int, int, int]:
    """Return by how many days a resource, Anna and another patient in the document moved."""
    document = bundle({"id": "x", **told}, *PATIENTS)
    entries = orjson.loads(run(document, fhir_plan()).to_bytes())["entry"]
    its, annas, others = (days_moved(each["resource"]) for each in entries)
    return its, annas, others


@pytest.mark.parametrize("told", OF_ANNA, ids=lambda told: str(told["resourceType"]))
def test_a_resource_moves_with_the_only_patient_to_whom_it_refers(told: dict[str, Any]) -> None:
    its, annas, _others = moved_together(told)
    assert its == annas
    alone = orjson.loads(run({"id": "x", **told}, fhir_plan()).to_bytes())
    assert days_moved(alone) == annas, "the same where the patient is not in the document"


@pytest.mark.parametrize("told", OF_NEITHER, ids=lambda told: str(told["resourceType"]))
def test_what_refers_to_several_patients_or_none_moves_with_none_of_them(
    told: dict[str, Any],
) -> None:
    its, *theirs = moved_together(told)
    assert its not in theirs


def test_a_number_of_something_else_names_no_patient() -> None:
    numbered = [
        {**PATIENTS[0], "identifier": [{"value": "MRN-17"}]},
        PATIENTS[1],
    ]
    device = {"type": "Device", "identifier": {"value": "MRN-17"}}
    its, annas = (
        days_moved(each["resource"])
        for each in orjson.loads(
            run(
                bundle(resource("Basic", id="x", subject=device, created=DAY), *numbered),
                fhir_plan(),
            ).to_bytes()
        )["entry"][:2]
    )
    assert its != annas
