"""What comes out is valid by judges that do not know us: fhirkit (R4), fhir.resources (R4B), @medplum/core.

Each is fed broken resources first and seen to refuse, as each of them alone misses some.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.benchmarks.fhir_leaks.score import scored
from tests.benchmarks.fhir_record import record
from tests.fhir_judges import (
    by_fhir_resources,
    by_fhirkit,
    by_medplum,
    codes_outside,
    install_medplum,
    without_bundles,
)
from tests.fhir_samples import fhir_plan, run

if TYPE_CHECKING:
    from pathlib import Path

Resource = dict[str, Any]

RESOURCES = 1500


@pytest.fixture(scope="module")
def outputs() -> list[tuple[Resource, Resource]]:
    """De-identify the corpus of one patient and a record; source and result of each resource."""
    pairs = [
        (orjson.loads(old), orjson.loads(new)) for old, new in scored("remove", most=1).outputs
    ]
    source = record(RESOURCES)
    new = orjson.loads(run(source, fhir_plan(fhirText="inspect")).to_bytes())
    assert len(new["entry"]) == len(source["entry"]) >= RESOURCES
    pairs += [
        (one["resource"], other["resource"])
        for one, other in zip(source["entry"], new["entry"], strict=True)
    ]
    return pairs


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """Where the Node.js judge is."""
    folder = install_medplum()
    if folder is None:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse("npm or @medplum/core cannot be installed here")
    assert folder is not None
    return folder


SUBJECT = {"reference": "Patient/1"}
BROKEN_STRUCTURE: tuple[Resource, ...] = (
    {"resourceType": "Observation", "code": {"text": "x"}},
    {"resourceType": "Patient", "nickname": "x"},
    {"resourceType": "Patient", "name": {"family": "x"}},
    {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "valueString": "a",
        "valueBoolean": True,
    },
)
BROKEN_VALUES: tuple[Resource, ...] = (
    {"resourceType": "Patient", "birthDate": "2024-13-01"},
    {"resourceType": "Patient", "id": "not an id"},
)
BROKEN_INVARIANTS: tuple[Resource, ...] = (
    {"resourceType": "Patient", "contact": [{"gender": "male"}]},
    {
        "resourceType": "Composition",
        "status": "final",
        "type": {"text": "x"},
        "date": "2020",
        "author": [SUBJECT],
        "title": "x",
        "section": [{"title": "x"}],
    },
)


def test_each_judge_refuses_what_is_broken(node_modules: Path) -> None:
    assert all(by_fhirkit(each) for each in BROKEN_STRUCTURE)
    assert all(by_fhir_resources(each) for each in BROKEN_VALUES)
    assert all(by_medplum(node_modules, BROKEN_INVARIANTS))
    bad_code = {"resourceType": "Patient", "gender": "mail"}
    assert list(codes_outside(bad_code, "Patient")) == ["Patient.gender"]


def test_every_output_is_valid_by_fhirkit(outputs: list[tuple[Resource, Resource]]) -> None:
    errors = [error for _old, new in outputs for error in by_fhirkit(new)]
    assert errors == []


def test_every_output_is_valid_by_fhir_resources(outputs: list[tuple[Resource, Resource]]) -> None:
    errors = [
        error
        for _old, new in outputs
        for each in without_bundles(new)
        for error in by_fhir_resources(each)
    ]
    assert errors == []


def test_no_invariant_is_broken_that_held_before(
    outputs: list[tuple[Resource, Resource]], node_modules: Path
) -> None:
    before = by_medplum(node_modules, (old for old, _new in outputs))
    after = by_medplum(node_modules, (new for _old, new in outputs))
    assert len(before) == len(after) == len(outputs)
    broken = [new for old, new in zip(before, after, strict=True) if new and not old]
    assert broken == []
    assert sum(not old for old in before) > RESOURCES


def test_every_code_is_one_that_its_element_requires(
    outputs: list[tuple[Resource, Resource]],
) -> None:
    found = [where for _old, new in outputs for where in codes_outside(new, new["resourceType"])]
    assert found == []


# Invariants whose elements go: each source holds them, and so must its result.
HELD: dict[str, Resource] = {
    "cmp-1": {
        "resourceType": "Composition", "status": "final", "type": {"text": "x"}, "date": "2020",
        "author": [SUBJECT], "title": "Qz",
        "section": [
            {
                "title": "Plan",
                "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Qz</div>'},
            }
        ],
    },
    "ppc-1": {
        "resourceType": "Consent", "status": "active", "scope": {"text": "x"}, "category": [{"text": "y"}],
        "policy": [{"uri": "http://hospital.example/x"}],
    },
    "imm-1": {
        "resourceType": "Immunization", "status": "completed", "vaccineCode": {"text": "x"}, "patient": SUBJECT,
        "occurrenceString": "x", "education": [{"documentType": "Qz", "publicationDate": "2020"}],
    },
    "nor-1": {
        "resourceType": "NutritionOrder", "status": "active", "intent": "order", "patient": SUBJECT,
        "dateTime": "2020", "oralDiet": {"instruction": "Qz"},
    },
    "obs-3": {
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "referenceRange": [
            {"text": "Qz", "type": {"coding": [{"system": "http://snomed.info/sct", "code": "80891009"}]}}
        ],
    },
    "fhs-2": {
        "resourceType": "FamilyMemberHistory", "status": "completed", "patient": SUBJECT,
        "relationship": {"text": "x"}, "ageString": "Qz", "estimatedAge": True,
    },
    "msq-6": {
        "resourceType": "MolecularSequence", "coordinateSystem": 0,
        "referenceSeq": {
            "genomeBuild": "Anna",
            "chromosome": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/chromosome-human", "code": "X"}
                ]
            },
            "windowStart": 1, "windowEnd": 2, "strand": "watson",
        },
    },
    "qty-3": {
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "valueQuantity": {"value": 1, "code": "mg", "system": "http://hospital.example"},
    },
    "inv-1": {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "a", "valueHumanName": {"text": "x"}},
            {"name": "b", "part": [{"name": "c", "valueString": "Qz"}]},
            {"name": "d", "valueBoolean": True},
        ],
    },
    "pat-1": {"resourceType": "Patient", "contact": [{"gender": "male", "name": {"text": "x"}}]},
    "org-1": {"resourceType": "Organization", "name": "Qz"},
    "que-1": {
        "resourceType": "Questionnaire", "status": "active",
        "item": [{"linkId": "a", "type": "choice", "answerOption": [{"valueString": "Qz"}]}],
    },
}  # fmt: skip


def test_invariants_hold_where_what_they_ask_for_goes(node_modules: Path) -> None:
    assert by_medplum(node_modules, HELD.values()) == [[]] * len(HELD)
    results = [orjson.loads(run(each).to_bytes()) for each in HELD.values()]
    assert dict(zip(HELD, by_medplum(node_modules, results), strict=True)) == {
        name: [] for name in HELD
    }
    assert all(b"Qz" not in orjson.dumps(each) for each in results)
