"""What `explain` says of a path of a resource is what the engine does to it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from deid import compile_plan
from deid.configuration.document import parse_configuration
from deid.configuration.explain import explain
from deid.configuration.explain_resources import (
    CLEANED,
    JUDGED,
    KEPT,
    MOVED,
    PARTS,
    REMOVED,
    REPLACED,
    fields,
)
from deid.fhir.context import Context
from deid.fhir.deidentify import deidentify
from deid.tables.fhir import fhir_types
from tests.benchmarks.fhir_leaks.corpus import people
from tests.benchmarks.fhir_leaks.score import _at
from tests.fhir_samples import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "basic": {"fhir": {}},
    "basic, v1beta1": {"fhirFieldConfig": {"profileType": "BASIC"}},
    "inspect": {"fhir": {}, "dicomveil": {"fhirText": "inspect"}},
    "configured": {
        "fhir": {
            "fieldMetadataList": [
                {"paths": ["Patient.gender", "Address.city"], "action": "DO_NOT_TRANSFORM"},
                {"paths": ["Observation.valueString"], "action": "INSPECT_AND_TRANSFORM"},
            ]
        }
    },
    "verbs": {
        "fhirFieldConfig": {
            "fieldMetadataList": [
                {"paths": ["Patient.birthDate", "Condition.Period"], "removeField": {}},
                {"paths": ["Coding.display"], "keepField": {}},
                {"paths": ["Identifier.value"], "cryptoHashField": {}},
                {"paths": ["HumanName.family"], "characterMaskField": {}},
                {"paths": ["Encounter.period"], "dateShiftField": {}},
            ]
        }
    },
    "kept": {"fhirFieldConfig": {"profileType": "KEEP_ALL"}},
}


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield path and value of what stands at the ends, each list's first item."""
    if isinstance(value, list):
        value = value[0]
    if not isinstance(value, dict):
        yield path, value
        return
    for name, each in value.items():
        if name != "resourceType":
            yield from leaves(each, f"{path}.{name}")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_engine_does_what_explain_says(name: str) -> None:
    configuration = CONFIGURATIONS[name]
    policy = parse_configuration(configuration).fhir
    plan = compile_plan(configuration, KEY).fhir
    assert policy is not None
    assert plan is not None
    said = {field.path: field.kind for field in fields(policy)}
    (person,) = people(1)
    seen: Counter[str] = Counter()
    wrong = []
    for document in person.documents:
        kind = document.content["resourceType"]
        if kind == "Bundle":
            continue
        result = orjson.loads(deidentify(document.to_bytes(), plan, Context()).to_bytes())
        for path, old in leaves(document.content, kind):
            what = governing(path, said)
            if what is None:
                continue
            seen[what] += 1
            new = _at(result, path)
            if not agrees(what, old, new):
                wrong.append((path, what))
    assert wrong == []
    expected = {KEPT} if name == "kept" else {KEPT, REMOVED, MOVED, REPLACED, JUDGED}
    assert expected <= set(seen)
    assert seen.total() > 5000


def governing(path: str, said: dict[str, str]) -> str | None:
    """Return what is said of a path: by its own line, or by that of its type or of what holds it."""
    parts = path.split(".")
    kind, at = parts[0], parts[0]
    for part in parts[1:]:
        element = fhir_types().get(kind, {}).get(part)
        if element is None or element.type in ("Resource", "Extension", "Narrative"):
            return None
        full = f"{at}.{part}"
        what = said.get(full) or said.get(f"{kind}.{part}")
        if what is None:
            return None
        if what != PARTS:
            return what
        at, kind = full, element.type
    return None


def agrees(what: str, old: Any, new: Any) -> bool:
    stands_in = new in ("REMOVED", "unknown", "urn:removed", None)
    match what:
        case "kept":
            return bool(new == old)
        case "removed":
            return stands_in
        case "moved":
            return stands_in or (new != old and len(str(new)) == len(str(old)))
        case "replaced":
            return bool(new != old)
        case "cleaned":
            return bool(new != old or old.isdigit())
        case "judged":
            return bool(stands_in or new == old or isinstance(new, str))
    raise AssertionError(what)


def test_what_is_cleaned_is_said_to_be() -> None:
    policy = parse_configuration(CONFIGURATIONS["inspect"]).fhir
    assert policy is not None
    said = {field.path: field.kind for field in fields(policy)}
    assert said["Observation.valueString"] == CLEANED
    assert said["Annotation.text"] == CLEANED


def test_what_names_things_is_said_to_be_replaced_where_all_text_is_cleaned() -> None:
    policy = parse_configuration({"fhirFieldConfig": {"profileType": "CLEAN_ALL"}}).fhir
    assert policy is not None
    said = {field.path: field.kind for field in fields(policy)}
    named = ("Patient.id", "Reference.reference", "Identifier.value", "ImagingStudy.series.uid")
    assert {said[path] for path in named} == {REPLACED}
    assert said["HumanName.family"] == said["Annotation.text"] == CLEANED


def test_the_explanation_has_a_line_for_what_goes_by_its_path_and_by_its_type() -> None:
    explanation = explain({"fhir": {}})
    lines = explanation.lines()
    assert any(
        "Patient.name (HumanName): replaced by the patient's pseudonym" in line for line in lines
    )
    assert any("every other string: removed" in line for line in lines)
    assert any("Free text: removed." in line for line in lines)
    paths = {field["path"] for field in explanation.document()["fields"]}
    assert {"Patient.birthDate", "ImagingStudy.series.uid", "Coding.display"} <= paths
    assert len(paths) > 4000


def test_what_a_configuration_names_within_a_data_type_is_told_apart() -> None:
    explanation = explain(CONFIGURATIONS["configured"])
    said = {field.path: field.saying for field in explanation.fields}
    assert said["Patient.address.city"] == "kept as it is, as configured"
    assert said["Patient.gender"] == "kept as it is, as configured"
    assert said["Observation.valueString"] == "cleaned as text, as configured"
