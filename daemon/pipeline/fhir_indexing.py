"""What searches find a resource by: values of a few elements, whatever its type (R4, search parameters)."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from daemon.resources import COMPARTMENT, HIGHEST_TIME_MS, Span, Token, span_of
from deid.fhir.references import Literal, Urn, parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deid.fhir.reading import Resource

_LONGEST: Final = 1024
_CODES: Final = {
    "Immunization": ("vaccineCode",),
    "MedicationAdministration": ("medicationCodeableConcept",),
    "MedicationDispense": ("medicationCodeableConcept",),
    "MedicationRequest": ("medicationCodeableConcept",),
    "MedicationStatement": ("medicationCodeableConcept",),
}
_STATUS: Final = ("status", "clinicalStatus")
_PATIENT: Final = ("patient", "subject", "beneficiary", "individual", "for")
_SUBJECT: Final = ("subject", "patient")
_DATES: Final[Mapping[str, tuple[str, ...]]] = {
    "AllergyIntolerance": ("recordedDate",),
    "Appointment": ("start",),
    "CarePlan": ("period",),
    "CareTeam": ("period",),
    "Claim": ("created",),
    "Condition": ("recordedDate", "onsetDateTime", "onsetPeriod"),
    "Consent": ("dateTime",),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod"),
    "Encounter": ("period",),
    "EpisodeOfCare": ("period",),
    "Flag": ("period",),
    "ImagingStudy": ("started",),
    "Immunization": ("occurrenceDateTime",),
    "MedicationAdministration": ("effectiveDateTime", "effectivePeriod"),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod"),
    "Observation": ("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
    "Procedure": ("performedDateTime", "performedPeriod"),
    "QuestionnaireResponse": ("authored",),
    "RiskAssessment": ("occurrenceDateTime", "occurrencePeriod"),
    "ServiceRequest": ("authoredOn",),
    "SupplyRequest": ("authoredOn",),
    "Task": ("authoredOn",),
}
"""The elements that tell when a resource is; others have one of that name."""


def tokens_of(resource: Resource) -> tuple[Token, ...]:
    """Return identifiers, codes, statuses and references."""
    kind = str(resource.get("resourceType", ""))
    return tuple(dict.fromkeys(_bounded(_tokens(kind, resource))))


def dates_of(resource: Resource) -> tuple[Span, ...]:
    """Return when a resource is."""
    kind = str(resource.get("resourceType", ""))
    found = (_span(resource.get(name)) for name in _DATES.get(kind, ("date",)))
    return tuple(dict.fromkeys(span for span in found if span is not None))


def _bounded(tokens: Iterator[Token]) -> Iterator[Token]:
    return (each for each in tokens if len(each.value) <= _LONGEST and len(each.system) <= _LONGEST)


def _tokens(kind: str, resource: Resource) -> Iterator[Token]:
    for each in _objects(resource.get("identifier")):
        yield from _token("identifier", each.get("value"), each.get("system"))
    for name in _CODES.get(kind, ("code",)):
        yield from _coded("code", resource.get(name))
    for name in _STATUS:
        yield from _coded("status", resource.get(name))
    yield from compartment_tokens(resource)
    for parameter, names in (("patient", _PATIENT), ("subject", _SUBJECT)):
        for name in names:
            for each in _objects(resource.get(name)):
                yield from _referred(parameter, each.get("reference"))


@cache
def compartment() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Return by type the elements whose references put a resource into a patient's compartment (R4).

    The table is HL7's (``patient_compartment.csv``, made by ``python -m tests.compartment_table``).
    """
    text = files("daemon.pipeline").joinpath("patient_compartment.csv").read_text("utf-8")
    found: dict[str, tuple[tuple[str, ...], ...]] = {}
    for row in csv.DictReader(text.splitlines()):
        found[row["type"]] = (*found.get(row["type"], ()), tuple(row["element"].split(".")))
    return found


@cache
def _beside(kind: str) -> tuple[tuple[str, ...], ...]:
    """Return those elements that searches by patient and subject do not look at."""
    return tuple(element for element in compartment().get(kind, ()) if element[0] not in _PATIENT)


def compartment_tokens(resource: Resource) -> tuple[Token, ...]:
    """Return in whose compartments a resource is beside those of its patient and its subject."""
    kind = str(resource.get("resourceType", ""))
    return tuple(
        dict.fromkeys(
            token
            for element in _beside(kind)
            for each in _along(resource, element)
            for token in _of_patient(each.get("reference"))
        )
    )


def _along(value: Any, element: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for each in _objects(value):
        if element:
            yield from _along(each.get(element[0]), element[1:])
        else:
            yield each


def _of_patient(reference: object) -> Iterator[Token]:
    if isinstance(reference, str):
        parsed = parse_reference(reference)
        if isinstance(parsed, Literal) and parsed.type == "Patient":
            yield Token(COMPARTMENT, parsed.address)


def _referred(parameter: str, reference: object) -> Iterator[Token]:
    if not isinstance(reference, str):
        return
    parsed = parse_reference(reference)
    if not isinstance(parsed, Literal | Urn):
        return
    if parameter == "patient" and isinstance(parsed, Literal) and parsed.type != "Patient":
        return
    yield Token(parameter, parsed.address)
    if parsed.address != reference:
        yield Token(parameter, reference)


def _coded(parameter: str, value: object) -> Iterator[Token]:
    if isinstance(value, str):
        yield Token(parameter, value)
    for each in _objects(value):
        for coding in _objects(each.get("coding")):
            yield from _token(parameter, coding.get("code"), coding.get("system"))


def _token(parameter: str, value: object, system: object) -> Iterator[Token]:
    if isinstance(value, str) and value:
        yield Token(parameter, value, system if isinstance(system, str) else "")


def _span(value: object) -> Span | None:
    if isinstance(value, str):
        return span_of(value)
    if isinstance(value, dict):
        first, last = _span(value.get("start")), _span(value.get("end"))
        if first is not None or last is not None:
            return Span(
                -HIGHEST_TIME_MS if first is None else first.first_ms,
                HIGHEST_TIME_MS if last is None else last.last_ms,
            )
    return None


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    for each in value if isinstance(value, list) else (value,):
        if isinstance(each, dict):
            yield each
