"""What a resource says that ties it to others, to studies and to a patient. Original values: never for logs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from deid.fhir.entries import Entry, entries
from deid.fhir.references import Conditional, Literal, Urn, parse_reference
from deid.tables.dictionary import uids as registered_uids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.fhir.reading import Resource

ACCESSION_TYPE: Final = "ACSN"
PATIENT_TYPES: Final = frozenset({"MR", "PI", "PT"})
_OTHER_NUMBERS: Final = frozenset(
    {"SS", "DL", "PPN", "TAX", "NI", "NIIP", "SB", "MC", "MA", "BC", "JHN"}
)
"""Types of identifiers (HL7 v2 table 0203) that a patient has, but not as somebody's patient."""
_UID: Final = re.compile(rb"(?<![\d.])[0-2](?:\.(?:0|[1-9]\d{0,38})){4,}(?!\.?\d)")
_CODES: Final = re.compile(
    r"2\.16\.840\.1\.(?:113883|114222)\.|1\.2\.840\.10008\.|1\.3\.6\.1\.4\.1\.(?:19376|21367)\."
)
"""Arcs of code systems and profiles, which tell of no study."""
_MOST_UID: Final = 64
_PATIENT_ELEMENTS: Final = frozenset(
    {"subject", "patient", "beneficiary", "individual", "for", "actor"}
)


@dataclass(frozen=True, slots=True)
class Issued:
    """An identifier and who gave it: Identifier.system, and what its assigner is called, if anything."""

    value: str
    system: str = ""
    assigner: str = ""


@dataclass(frozen=True, slots=True)
class Ties:
    """What one resource says of its place among others.

    Attributes
    ----------
    type
        The type of resource.
    addresses
        What names it: ``Patient/17``, and its fullUrl as an address (`deid.fhir.references`).
    references
        The addresses that it refers to, each once, in order; contained resources' too.
    searches
        References that name a resource by its identifiers: type, system, value.
    patients
        The addresses among `references` that stand where a patient does.
    uids
        Every DICOM UID that stands in it, wherever and however, but those that the standard registers.
    accessions
        Identifiers of type ACSN.
    identifiers
        Its own identifiers, all of them: what searches may name it by.
    patient_identifiers
        Of a Patient, its own that are no number of a state or an insurer; otherwise those that stand in a
        reference to a patient.
    birth_date, family_names
        Of a Patient, otherwise empty.
    """

    type: str
    addresses: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    searches: tuple[tuple[str, str, str], ...] = ()
    patients: tuple[str, ...] = ()
    uids: frozenset[str] = frozenset()
    accessions: tuple[Issued, ...] = ()
    identifiers: tuple[Issued, ...] = ()
    patient_identifiers: tuple[Issued, ...] = ()
    birth_date: str = ""
    family_names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Ties({self.type})"


def ties(resources: Iterable[Resource]) -> tuple[Ties, ...]:
    """Return the ties of each resource, of those in Bundles one by one (`deid.fhir.entries`)."""
    return tuple(ties_of(each) for each in entries(resources))


def ties_of(entry: Entry) -> Ties:
    """Return the ties of one resource."""
    resource = entry.resource
    kind = str(resource.get("resourceType", ""))
    found = _Found()
    found.look_into(resource, "")
    own = [_issued(each) for each in _list(resource.get("identifier"))]
    identifiers = tuple(each for each in own if each is not None)
    patients = found.of_patients
    birth_date, families = "", ()
    if kind == "Patient":
        numbers = [
            (each, given.get("use") == "old")
            for each, given in zip(own, _list(resource.get("identifier")), strict=True)
            if each is not None and _OTHER_NUMBERS.isdisjoint(identifier_types(given))
        ]
        # Of a merged patient; the old number counts where there is no other.
        patients = [each for each, is_old in numbers if not is_old] or [each for each, _ in numbers]
        said = resource.get("birthDate")
        birth_date = said if isinstance(said, str) else ""
        families = tuple(
            name["family"]
            for name in _list(resource.get("name"))
            if isinstance(name, dict) and isinstance(name.get("family"), str)
        )
    return Ties(
        kind,
        entry.addresses(),
        tuple(dict.fromkeys(found.references)),
        tuple(dict.fromkeys(found.searches)),
        tuple(dict.fromkeys(found.patients)),
        dicom_uids(orjson.dumps(resource) + entry.full_url.encode("utf-8", "replace")),
        tuple(dict.fromkeys(found.accessions)),
        identifiers,
        tuple(dict.fromkeys(patients)),
        birth_date,
        families,
    )


def dicom_uids(text: bytes) -> frozenset[str]:
    """Return every UID in a text that may be a study's, a series' or an instance's."""
    found = {
        match[0].decode("ascii") for match in _UID.finditer(text) if len(match[0]) <= _MOST_UID
    }
    return frozenset(uid for uid in found if uid not in registered_uids() and not _CODES.match(uid))


class _Found:
    """What a walk over one resource comes across."""

    def __init__(self) -> None:
        self.references: list[str] = []
        self.searches: list[tuple[str, str, str]] = []
        self.patients: list[str] = []
        self.accessions: list[Issued] = []
        self.of_patients: list[Issued] = []

    def look_into(self, value: Any, name: str) -> None:
        if isinstance(value, list):
            for each in value:
                self.look_into(each, name)
        elif isinstance(value, dict):
            reference = value.get("reference")
            if isinstance(reference, str):
                self._refer(reference, name)
            if ACCESSION_TYPE in identifier_types(value):
                issued = _issued(value)
                if issued is not None:
                    self.accessions.append(issued)
            if name in _PATIENT_ELEMENTS and value.get("type", "Patient") == "Patient":
                issued = _issued(value.get("identifier"))
                if issued is not None:
                    self.of_patients.append(issued)
            for inner, each in value.items():
                if isinstance(each, dict | list):
                    self.look_into(each, inner)

    def _refer(self, reference: str, name: str) -> None:
        parsed = parse_reference(reference)
        if isinstance(parsed, Conditional):
            for system, value in parsed.identifiers():
                self.searches.append((parsed.type, system, value))
                if parsed.type == "Patient":
                    self.of_patients.append(Issued(value, system))
        elif isinstance(parsed, Literal | Urn):
            self.references.append(parsed.address)
            is_patient = isinstance(parsed, Literal) and parsed.type == "Patient"
            if is_patient or (isinstance(parsed, Urn) and name in _PATIENT_ELEMENTS):
                self.patients.append(parsed.address)


def identifier_types(value: Any) -> frozenset[str]:
    """Return the codes of an Identifier's type (HL7 v2 table 0203)."""
    if not isinstance(value, dict):
        return frozenset()
    kind = value.get("type")
    codings = _list(kind.get("coding")) if isinstance(kind, dict) else []
    return frozenset(
        each["code"]
        for each in codings
        if isinstance(each, dict) and isinstance(each.get("code"), str)
    )


def _issued(value: Any) -> Issued | None:
    if not isinstance(value, dict) or not isinstance(value.get("value"), str):
        return None
    system = value.get("system")
    return Issued(
        value["value"].strip(), system if isinstance(system, str) else "", _assigner(value)
    )


def _assigner(identifier: dict[str, Any]) -> str:
    assigner = identifier.get("assigner")
    if not isinstance(assigner, dict):
        return ""
    inner = assigner.get("identifier")
    for said in (inner.get("value") if isinstance(inner, dict) else None, assigner.get("display")):
        if isinstance(said, str) and said.strip():
            return said.strip()
    return ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
