"""Strings that stay by their form: what has it, and what of nobody known has not.

The last test plants originals of people whom nothing else in the document names, in every element there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from deid.errors import Unsafe
from deid.fhir import forms
from deid.fhir.acting import PRIMITIVES
from deid.fhir.coded import is_code
from deid.fhir.deidentify import deidentify
from deid.fhir.resources import LISTED
from deid.tables.fhir import FhirElement, fhir_types
from tests.fhir_samples import fhir_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.fhir.plan import FhirPlan


@pytest.fixture(scope="module")
def plan() -> FhirPlan:
    return fhir_plan()


def _form(name: str, plan: FhirPlan) -> Callable[[str], bool]:
    function = getattr(forms, name)
    if name in ("is_standard_url", "is_link", "is_parameter_name"):
        return lambda text: bool(function(text, plan.is_term))
    return lambda text: bool(function(text))


STAY: Final = {
    "is_language": ("en", "de", "en-US", "zh-Hans-CN", "es-419", "sr-Latn", "haw", "yue", "pt-BR", "ja"),
    "is_country": ("US", "DE", "DEU", "GBR", "JP", "CHE"),
    "is_media_type": (
        "text/plain", "application/pdf", "application/fhir+json", "image/png", "application/dicom",
        "text/html; charset=utf-8", "text/plain;charset=iso-8859-1", "application/hl7-v2+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "is_standard_url": (
        "http://hl7.org/fhir/StructureDefinition/vitalsigns",
        "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient",
        "http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab",
        "http://hl7.org/fhir/us/core/StructureDefinition/us-core-allergyintolerance|5.0.1",
        "http://hl7.org/fhir/StructureDefinition/bp",
        "http://hl7.org/fhir/us/carin-bb/StructureDefinition/C4BB-ExplanationOfBenefit-Inpatient-Institutional",
        "http://hl7.org/fhir/us/davinci-pdex/StructureDefinition/pdex-device",
        "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-cancer-patient",
        "http://hl7.org/fhir/uv/ips/StructureDefinition/Patient-uv-ips",
        "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-Condition",
        "http://hl7.org/fhir/us/odh/StructureDefinition/odh-UsualWork",
        "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription",
        "http://hl7.org/fhir/ValueSet/administrative-gender",
        "http://hl7.org/fhir/R4/observation.html",
        "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "http://snomed.info/sct/900000000000207008/version/20230131",
        "http://loinc.org/29463-7",
        "http://loinc.org/vs/LL715-4",
        "http://snomed.info/sct",
        "http://snomed.info/id/80891009",
        "http://unitsofmeasure.org/ucum.html",
    ),
    "is_version": ("1", "1.2.3", "2.1.0", "VB20A", "R2024b", "v1.10", "4.0.1", "10.15.7", "3.0b"),
    "is_link": (
        "1", "1.1", "1.2.3.4", "/29463-7", "29463-7", "group-2", "patient", "a", "q1", "12.10", "weight",
    ),
    "is_etag": ('W/"1"', '"12"', 'W/"9999"', "*"),
    "is_status": ("200", "201 Created", "200 OK", "404 Not Found", "412 Precondition Failed", "304"),
    "is_parameter_name": (
        "patient", "returnPreference", "displayLanguage", "value-set", "resource", "count", "_x"[1:],
        "subject", "encounter",
    ),
}  # fmt: skip

GO: Final = {
    "is_language": ("kim", "lee", "max", "js-Mary", "en-Mary", "en-XQ", "ann", "kowalczyk", "de-19511"),
    "is_country": ("KIM", "LEE", "MAX", "Kim", "XQ", "us"),
    "is_media_type": (
        "text/kowalczyk", "smith/john", "text/plain; charset=Kowalczyk", "application/vnd.kowalczyk",
        "image/e0098123", "text/plain;charset=utf-8kim", "application/x-1951-12-31", "a/b", "kim/kim+xml",
    ),
    "is_standard_url": (
        "http://hl7.org/fhir/StructureDefinition/kowalczyk",
        "http://hl7.org/fhir/Patient/E0098123",
        "http://loinc.org/Kowalczyk-19511231",
        "http://hl7.org/fhir/us/core/StructureDefinition/AnnaKowalczyk",
        "http://hl7.org/fhir/1951-12-31",
        "http://snomed.info/sct/kowalczyk",
        "http://snomed.info/kowalczyk/900000000000207008",
        "http://loinc.org/555-1234",
        "http://hl7.org/fhir/StructureDefinition/bp|19511231",
        "http://terminology.hl7.org/brown",
        "http://hl7.org/fhir/carin",
        "http://hl7.org/fhir/us/core/StructureDefinition/carin-bb",
        "http://hl7.org.kowalczyk.example/fhir",
    ),
    "is_version": (
        "1951-12-31", "31.12.1951", "12-31-51", "1951", "555-123-4567", "123-45-6789", "20240131", "2024.01",
        "1951_12_31", "A1951-12-31",
    ),
    "is_link": (
        "Smith", "smith", "kim", "Kim-1951", "1951-12-31", "12/31/1951", "31.12.1951", "555-1234", "E0098123",
        "198-1234", "",
    ),
    "is_etag": ('W/"198123"', '"19511231"', '"Kim"', "W/1"),
    "is_status": ("200 Kowalczyk", "404 Anna Not Found", "200 Created", "2001", "Kim", "201 "),
    "is_parameter_name": (
        "Kowalczyk", "kim", "KIM", "annaKowalczyk", "kowalczyk-anna", "brown", "Herzog", "patient1951",
        "patient kim",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, texts in STAY.items() for t in texts])
def test_what_has_a_form_has_it(name: str, text: str, plan: FhirPlan) -> None:
    assert _form(name, plan)(text)


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, texts in GO.items() for t in texts])
def test_what_tells_of_somebody_has_no_form(name: str, text: str, plan: FhirPlan) -> None:
    assert not _form(name, plan)(text)


@pytest.mark.parametrize(
    ("system", "code", "is_one"),
    [
        ("urn:ietf:bcp:47", "en-GB", True),
        ("urn:ietf:bcp:47", "kim", False),
        ("urn:ietf:bcp:13", "text/plain", True),
        ("urn:ietf:bcp:13", "text/kowalczyk", False),
        ("urn:iso:std:iso:3166", "NL", True),
        ("urn:iso:std:iso:3166", "KIM", False),
        ("urn:iso:std:iso:4217", "EUR", True),
        ("urn:iso:std:iso:4217", "KIM", False),
        ("http://varnomen.hgvs.org", "NM_000059.3:c.5946delT", True),
        ("http://varnomen.hgvs.org", "NP_000483.3:p.Phe508del", True),
        ("http://varnomen.hgvs.org", "NM_000059.3:p.Kowalczyk", False),
        ("http://varnomen.hgvs.org", "NM_000059.3:c.Anna1951", False),
    ],
)
def test_a_code_of_a_listed_registry_is_one_of_it(system: str, code: str, is_one: bool) -> None:
    assert is_code(system, code) is is_one


STRANGERS: Final = (
    "Kowalczyk", "kowalczyk", "KOWALCZYK", "Kim", "kim", "KIM", "Brown", "Anna Kowalczyk", "1951-12-31",
    "31.12.1951", "12/31/1951", "19511231", "555-123-4567", "5551234567", "+15551234567", "E0098123",
    "W-1951", "j.kowalczyk@mail.example", "http://hl7.org/fhir/StructureDefinition/kowalczyk",
    "http://loinc.org/Kowalczyk-19511231", "text/kowalczyk", "text/plain; charset=Kowalczyk",
    "200 Kowalczyk", "kow-1951-12-31", 'W/"198123"', "1951-12-31T10:00:00Z Kowalczyk", "123-45-6789",
    "Kowalczyk?name=anna", "Patient?name=kowalczyk", "Patient?identifier:kowalczyk=1", "#kowalczyk",
    "{Kowalczyk}", "12 Nowhere Lane", "born 1951", "93 years old",
)  # fmt: skip
"""What identifies somebody of whom the document tells nothing else."""
_NUMBERS: Final = frozenset({"boolean", "integer", "positiveInt", "unsignedInt", "decimal"})

Path = tuple[tuple[str, bool], ...]


def _paths() -> Iterator[tuple[str, Path, FhirElement]]:
    """Yield a way to each element that is written as a string; one way to each element of a type."""
    seen: set[tuple[str, str]] = set()

    def inside(owner: str, before: Path) -> Iterator[tuple[Path, FhirElement]]:
        for name, element in fhir_types()[owner].items():
            if element.type in PRIMITIVES:
                if element.type not in _NUMBERS and (owner, name) not in seen:
                    seen.add((owner, name))
                    yield (*before, (name, element.is_list)), element
            elif element.type in fhir_types() and element.type not in ("Extension", "Resource"):
                step = (name, element.is_list)
                if (owner, name) not in seen and len(before) < 5:
                    seen.add((owner, name))
                    yield from inside(element.type, (*before, step))

    for kind in sorted(LISTED):
        for path, element in inside(kind, ()):
            yield kind, path, element


def _holding(path: Path, value: str) -> dict[str, Any]:
    (name, is_list), *rest = path
    inner: Any = _holding(tuple(rest), value) if rest else value
    return {name: [inner] if is_list else inner}


def test_of_a_stranger_nothing_stays_in_any_element(plan: FhirPlan) -> None:
    left, tried = set(), 0
    for kind, path, _element in _paths():
        for stranger in STRANGERS:
            document = orjson.dumps({"resourceType": kind, **_holding(path, stranger)})
            try:
                content = deidentify(document, plan).content
            except Unsafe:
                continue
            tried += 1
            if orjson.dumps(stranger)[1:-1] in content:
                left.add(f"{kind}.{'.'.join(name for name, _ in path)}: {stranger}")
    assert tried > 40_000
    assert not left


def test_what_stands_for_links_and_servers_stays_as_it_is(plan: FhirPlan) -> None:
    source = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "source": {"reference": "https://hospital.example/fhir/Practitioner/1"},
        "item": [{"linkId": "Kowalczyk"}, {"linkId": "1.2"}],
    }
    once = deidentify(orjson.dumps(source), plan).content
    assert b"Kowalczyk" not in once
    assert b"hospital" not in once
    assert deidentify(once, plan).content == once
