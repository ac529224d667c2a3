"""The identifiers that resources give, so that texts and images of the same study are cleaned of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from deid.fhir.entries import entries
from deid.fhir.identified import INFO_TYPES, LABELS_BY_OWNER, label_of
from deid.fhir.names import without_titles
from deid.fhir.references import Conditional, Literal, parse_reference
from deid.identity.identifiers import KnownIdentifier
from deid.tables.fhir import FhirElement, fhir_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deid.fhir.reading import Resource

_PLACES: Final[dict[str, str]] = {
    "Organization.name": "ORGANIZATION_NAME",
    "Organization.alias": "ORGANIZATION_NAME",
    "Location.name": "LOCATION",
    "Location.alias": "LOCATION",
    "HealthcareService.name": "ORGANIZATION_NAME",
    "FamilyMemberHistory.name": "PERSON_NAME",
    "ContactDetail.name": "PERSON_NAME",
    "Contributor.name": "PERSON_NAME",
    "Annotation.authorString": "PERSON_NAME",
    "Coverage.subscriberId": "GENERIC_ID",
    "Device.serialNumber": "GENERIC_ID",
}
_NUMBER: Final = re.compile(r"[\d\s-]*")
"""A postal code in digits: any measure may have the same."""
_DISPLAYED: Final[dict[str, str]] = {
    "Patient": "PERSON_NAME",
    "Practitioner": "PERSON_NAME",
    "PractitionerRole": "PERSON_NAME",
    "RelatedPerson": "PERSON_NAME",
    "Person": "PERSON_NAME",
    "HealthcareService": "ORGANIZATION_NAME",
    "Organization": "ORGANIZATION_NAME",
    "Location": "LOCATION",
}


def known_identifiers(resources: Iterable[Resource]) -> tuple[KnownIdentifier, ...]:
    """Return the originals in resources that identify somebody, each once, in a fixed order.

    Names without titles, numbers by which somebody is known, telephone numbers and addresses, dates of
    birth, institutions: what `deid.engine.deidentify` and the last search take as known.
    """
    found: set[tuple[str, str]] = set()
    for entry in entries(resources):
        kind = entry.resource.get("resourceType")
        if isinstance(kind, str) and kind in fhir_types():
            found.update(_of_object(entry.resource, kind, kind))
    ordered = sorted((value.strip(), info_type) for value, info_type in found if value.strip())
    return tuple(KnownIdentifier(value, info_type) for value, info_type in dict.fromkeys(ordered))


def _of_object(value: Any, kind: str, owner: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        return
    elements = fhir_types()[kind]
    for name, each in value.items():
        element = elements.get(name)
        if element is None:
            continue
        for one in each if isinstance(each, list) else (each,):
            yield from _of_element(one, element, kind, owner)


def _of_element(
    value: Any, element: FhirElement, kind: str, owner: str
) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        place = _PLACES.get(f"{kind}.{element.name}")
        if place is not None:
            yield without_titles(value) if place == "PERSON_NAME" else value, place
        elif element.name == "birthDate":
            yield value.replace("-", ""), "DATE_OF_BIRTH"
        return
    if not isinstance(value, dict):
        return
    match element.type:
        case "HumanName":
            yield from of_name(value)
        case "Address":
            yield from of_address(value)
        case "ContactPoint":
            yield from of_contact(value)
        case "Identifier":
            yield from _of_identifier(value, owner)
            assigner = value.get("assigner")
            if isinstance(assigner, dict):
                yield from _of_display(assigner, ("Organization",))
        case "Resource":
            inner = value.get("resourceType")
            if isinstance(inner, str) and inner in fhir_types():
                yield from _of_object(value, inner, inner)
        case "Reference":
            yield from _of_display(value, element.targets)
            target = next((each for each in element.targets if each in LABELS_BY_OWNER), "")
            if isinstance(value.get("identifier"), dict):
                yield from _of_identifier(value["identifier"], target)
        case _:
            yield from _of_object(value, element.type, kind if "." not in kind else owner)


def _of_display(reference: dict[str, Any], targets: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield what a Reference calls what it refers to, where that is a person or a place.

    What it is the reference says itself, by its type or its address; else the first of what it may be.
    """
    said, kind = reference.get("display"), reference.get("type")
    if not isinstance(said, str):
        return
    if not isinstance(kind, str):
        address = reference.get("reference")
        parsed = parse_reference(address) if isinstance(address, str) else None
        kind = parsed.type if isinstance(parsed, Literal | Conditional) else ""
    found = [_DISPLAYED[each] for each in ((kind,) if kind else targets) if each in _DISPLAYED]
    if found:
        yield without_titles(said) if found[0] == "PERSON_NAME" else said, found[0]


def of_name(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a HumanName's parts as they are written in instances, and its text."""
    family, given, text = value.get("family"), value.get("given"), value.get("text")
    parts = [family] if isinstance(family, str) else []
    if isinstance(given, list):
        parts.append(" ".join(each for each in given if isinstance(each, str)))
    name = "^".join(part for part in parts if part)
    if name:
        yield name, "PERSON_NAME"
    if isinstance(text, str):
        yield without_titles(text), "PERSON_NAME"


def of_address(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield an Address's streets, town and text, and a postal code that has letters."""
    lines = value.get("line")
    for line in lines if isinstance(lines, list) else ():
        if isinstance(line, str):
            yield line, "STREET_ADDRESS"
    for name, info_type in (("text", "STREET_ADDRESS"), ("city", "LOCATION")):
        if isinstance(value.get(name), str):
            yield value[name], info_type
    code = value.get("postalCode")
    if isinstance(code, str) and not _NUMBER.fullmatch(code):
        yield code, "STREET_ADDRESS"


def of_contact(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a ContactPoint's number or address."""
    given = value.get("value")
    if isinstance(given, str):
        yield given, "GENERIC_ID" if "@" in given else "PHONE_NUMBER"


def _of_identifier(value: dict[str, Any], owner: str) -> Iterator[tuple[str, str]]:
    given = value.get("value")
    if isinstance(given, str) and not given.startswith("urn:oid:"):
        yield given, INFO_TYPES.get(label_of(value, owner), "GENERIC_ID")
