"""The tables of FHIR R4: pinned by checksum, and held against classes that others made from the standard."""

from __future__ import annotations

import importlib
import locale
import re
from hashlib import sha256
from pathlib import Path

import pytest

from deid.tables.fhir import (
    code_systems,
    fhir_resources,
    fhir_types,
    fhir_versions,
    iso_codes,
    value_sets,
)

TABLES = Path(__file__).resolve().parents[2] / "deid" / "tables"


@pytest.mark.parametrize(
    ("name", "checksum"),
    [
        ("fhir_elements.csv", "4df7d4d791c66549"),
        ("fhir_value_sets.csv", "8a6b48ade8075ee7"),
        ("fhir_codes.csv", "943d9e3b7e59721c"),
        ("iso_codes.csv", "c29b39f13c817afd"),
    ],
)
def test_a_table_does_not_change_unnoticed(name: str, checksum: str) -> None:
    found = sha256((TABLES / name).read_bytes()).hexdigest()[:16]
    assert found == checksum, f"{name} is {found} now: if that is meant, pin it here"


def _as_others_have_it(name: str) -> dict[str, tuple[bool, bool]]:
    """Return name to whether it is a list, and whether it is required, from classes of R4B."""
    model = getattr(importlib.import_module(f"fhir.resources.R4B.{name.lower()}"), name)
    fields = {}
    for field in model.model_fields.values():
        schema = field.json_schema_extra or {}
        if schema.get("element_property"):
            is_list = "List[" in str(field.annotation)
            fields[field.alias] = (
                is_list,
                bool(schema.get("element_required") or field.is_required()),
            )
    return fields


# Resources and types that R4B left as they were.
UNCHANGED = (
    "Patient", "ImagingStudy", "DiagnosticReport", "ServiceRequest", "Observation", "Encounter",
    "Condition", "Procedure", "Practitioner", "Organization", "Location", "Claim", "Coverage",
    "Immunization", "MedicationRequest", "DocumentReference", "Composition", "Goal", "CarePlan",
    "Bundle", "HumanName", "Address", "Meta", "Identifier", "Period", "Quantity", "CodeableConcept",
    "Attachment", "Annotation", "Timing", "Dosage", "Binary", "DeviceDefinition", "ResearchStudy",
    "Specimen", "Device", "QuestionnaireResponse", "FamilyMemberHistory", "AllergyIntolerance",
)  # fmt: skip


@pytest.mark.parametrize("name", UNCHANGED)
def test_a_type_has_the_elements_that_others_know(name: str) -> None:
    ours = fhir_types()[name]
    others = _as_others_have_it(name)
    others.pop("resourceType", None)
    assert ours.keys() == others.keys()
    assert {each: row.is_list for each, row in ours.items()} == {
        each: is_list for each, (is_list, _required) in others.items()
    }
    for each, (_is_list, required) in others.items():
        assert ours[each].required or not required, each


def test_every_element_has_a_type_that_the_table_knows() -> None:
    types = fhir_types()
    missing = {
        row.type for each in types.values() for row in each.values() if row.type not in types
    }
    assert missing == set()


def test_r4_has_its_resources_and_newer_types_are_marked() -> None:
    assert len(fhir_resources()) == 147 - 1 + 2  # HL7 counts without Resource and DomainResource
    assert fhir_versions()["SubstanceDefinition"] == "R4B"
    assert "SubstanceDefinition" not in fhir_resources()


def test_required_value_sets_and_displays_are_there() -> None:
    sets = value_sets()
    assert sets["http://hl7.org/fhir/ValueSet/administrative-gender"] == {
        "male",
        "female",
        "other",
        "unknown",
    }
    assert "entered-in-error" in sets["http://hl7.org/fhir/ValueSet/observation-status"]
    systems = code_systems()
    assert systems["http://terminology.hl7.org/CodeSystem/v2-0203"]["ACSN"] == "Accession ID"


def test_languages_are_those_that_locales_are_named_by() -> None:
    named = [re.match(r"([a-z]{2})_[A-Z]{2}\b", each) for each in locale.locale_alias.values()]
    found = [each for each in named if each is not None]
    # Names that locales keep from before: their languages have other codes now.
    before = {"iw", "pd", "ph", "pp", "sh"}
    assert {each[1] for each in found} - before <= iso_codes("language")
    assert len(found) > 300
