"""Resources with planted originals: one of each listed type with every element filled, and places by hand.

What is planted is the patient's own (name, record number, birth date, telephone number, address) or a canary: a
word that stands nowhere else. What must stay is planted too: codes, quantities, flags, dates that keep their
distances.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from daemon.synthetic.patients import PATIENTS
from daemon.synthetic.resources import patient_resource, record_number_system, study_bundle
from deid.fhir.acting import PRIMITIVES
from deid.fhir.resources import LISTED
from deid.tables.fhir import FhirElement, fhir_types, value_sets
from deid.text.folding import words
from tests.factories import make_ct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from daemon.synthetic.patients import Patient

DEEPEST: Final = 6
DAY: Final = "2021-06-15"
GOING: Final = words(
    """
    HumanName Address ContactPoint ContactDetail Signature Narrative Extension Expression
    RelatedArtifact Contributor DataRequirement ParameterDefinition TriggerDefinition
    UsageContext Identifier.assigner Attachment.size Meta.versionId Patient.photo
    Patient.contact Location.position Device.udiCarrier Device.deviceName Device.manufactureDate
    Device.expirationDate DeviceDefinition.udiDeviceIdentifier Immunization.expirationDate
    Medication.batch FamilyMemberHistory.estimatedAge MolecularSequence.referenceSeq
    MolecularSequence.variant MolecularSequence.repository Person.birthDate Person.photo
    Practitioner.birthDate Practitioner.photo RelatedPerson.birthDate RelatedPerson.photo
    HealthcareService.photo ExplanationOfBenefit.preAuthRefPeriod Meta.lastUpdated Identifier.period
    Coverage.period ExplanationOfBenefit.benefitPeriod CoverageEligibilityResponse.insurance.benefitPeriod
    MeasureReport.period Immunization.education.publicationDate Substance.instance.expiry
    DeviceMetric.calibration.time Endpoint.period HealthcareService.notAvailable.during InsurancePlan.period
    OrganizationAffiliation.period Practitioner.qualification.period PractitionerRole.period
    PractitionerRole.notAvailable.during ResearchStudy.period Contract.contentDefinition.publicationDate
    """
)
"""Types and elements of which nothing stays, or years alone, whatever they hold."""
_CODINGS: Final = (
    {"system": "http://snomed.info/sct", "code": "80891009", "display": "Heart"},
    {"system": "http://loinc.org", "code": "8302-2", "display": "Body height"},
)


@dataclass(slots=True)
class Person:
    """A patient, the instance of theirs, and the documents about them."""

    patient: Patient
    dataset: Dataset
    documents: list[Document] = field(default_factory=list)

    @property
    def address(self) -> str:
        """``Patient/...``."""
        return f"Patient/{patient_resource(self.patient)['id']}"


@dataclass(slots=True)
class Document:
    """A document, and what is planted in it.

    Attributes
    ----------
    places
        Path to what stands there and must go.
    kept
        Path to what stands there and must stay as it is.
    dates
        Path to a date or moment that must move as all of the patient's do.
    references
        Path to the address that a reference names.
    """

    name: str
    content: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        return orjson.dumps(self.content)


def people(most: int = len(PATIENTS)) -> list[Person]:
    """Return so many patients, each with every kind of document."""
    made = []
    for number, patient in enumerate(PATIENTS[:most]):
        person = Person(patient, make_ct(patient, rows=4))
        person.documents.append(Document("study", study_bundle(patient, [person.dataset])))
        filler = Filler(person, number)
        for kind in sorted(LISTED - {"Bundle", "Parameters"}):
            person.documents += filler.documents(kind)
        made.append(person)
    return made


class Filler:
    """Fills every element of types, with canaries of its own."""

    def __init__(self, person: Person, number: int) -> None:
        self.person = person
        self._number = number
        self._count = 0
        self._document = Document("", {})
        self._choice = 0
        self._going = 0

    def documents(self, kind: str) -> Iterator[Document]:
        """Yield resources of a type, until each of a choice of types has had its turn."""
        turns = max(_choices(kind), 1)
        for turn in range(turns):
            self._choice = turn
            self._document = Document(f"{kind} {turn}", {})
            content = self._object(kind, kind, 0)
            self._document.content = {"resourceType": kind, **content}
            yield self._document

    def _object(self, kind: str, path: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        stems: dict[str, list[FhirElement]] = {}
        for element in fhir_types()[kind].values():
            stems.setdefault(element.stem, []).append(element)
        for group in stems.values():
            element = group[self._choice % len(group)]
            goes = element.type in GOING or f"{kind}.{element.name}" in GOING
            self._going += goes
            value = self._element(element, kind, f"{path}.{element.name}", depth)
            self._going -= goes
            if value is not None:
                made[element.name] = [value] if element.is_list else value
        return made

    def _element(self, element: FhirElement, owner: str, path: str, depth: int) -> Any:
        if element.name == "id" and owner in LISTED:
            if owner == "Patient" and depth == 0:
                return self.person.address.partition("/")[2]
            return self._planted(path, f"id-{self._canary()}")
        if element.type in PRIMITIVES:
            return self._primitive(element, owner, path)
        match element.type:
            case "Resource":
                return self._contained(path) if element.name == "contained" else None
            case "Extension":
                return {
                    "url": "http://hospital.example/x",
                    "valueString": self._planted(path, self._text()),
                }
            case "Narrative":
                return {
                    "status": "generated",
                    "div": f"<div>{self._planted(path, self._text())}</div>",
                }
            case "Reference":
                return self._reference(element, path)
            case "Coding":
                coding = dict(_CODINGS[self._count % 2])
                self._keep(path, coding)
                return coding
            case "CodeableConcept":
                coding = dict(_CODINGS[self._count % 2])
                local = {
                    "system": "http://hospital.example",
                    "code": self._canary(),
                    "display": self._text(),
                }
                self._planted(f"{path}.coding.1", local["display"])
                return {
                    "coding": [coding, local],
                    "text": self._planted(f"{path}.text", self._text()),
                }
            case "Quantity" | "Age" | "Duration" | "Count" | "Distance":
                return self._quantity(element, path)
        if depth >= DEEPEST:
            return None
        return self._object(element.type, path, depth + 1) or None

    def _quantity(self, element: FhirElement, path: str) -> dict[str, Any]:
        unit = {"Age": ("a", "years"), "Duration": ("d", "days")}.get(element.type, ("mm", "mm"))
        quantity = {
            "value": 42,
            "unit": unit[1],
            "system": "http://unitsofmeasure.org",
            "code": unit[0],
        }
        self._keep(path, quantity)
        return dict(quantity)

    def _keep(self, path: str, value: Any) -> None:
        """Note what must stay, outside of what goes as a whole."""
        if not self._going:
            self._document.kept[path] = value

    def _contained(self, path: str) -> dict[str, Any]:
        name = self._planted(path, self._text())
        return {"resourceType": "Organization", "id": self._canary(), "name": name}

    def _reference(self, element: FhirElement, path: str) -> dict[str, Any]:
        target = (
            "Patient" if "Patient" in element.targets else next(iter(element.targets), "Patient")
        )
        address = self.person.address if target == "Patient" else f"{target}/{self._canary()}"
        if not self._going:
            self._document.references[f"{path}.reference"] = address
        return {"reference": address, "display": self._planted(f"{path}.display", self._text())}

    def _primitive(self, element: FhirElement, owner: str, path: str) -> Any:
        match element.type:
            case "boolean":
                self._keep(path, True)
                return True
            case "integer" | "positiveInt" | "unsignedInt" | "decimal":
                self._keep(path, 3)
                return 3
            case "time":
                self._keep(path, "08:30:00")
                return "08:30:00"
            case "date" | "dateTime" | "instant":
                return self._moment(element, owner, path)
            case "code":
                return self._code(element, path)
            case "base64Binary":
                return base64.b64encode(self._planted(path, self._text()).encode()).decode()
            case "oid":
                return "urn:oid:1.2.276.0.7230010.3.1." + str(self._number + 1)
            case "uuid":
                return f"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c{self._number:03}"
            case "uri" | "url" | "canonical":
                return f"http://hospital.example/{self._planted(path, self._canary())}"
        return self._planted(path, self._text())

    def _moment(self, element: FhirElement, owner: str, path: str) -> str:
        day = DAY if element.type == "date" else f"{DAY}T10:20:30.250+02:00"
        if element.name == "birthDate":
            said = self.person.patient.birth_date
            return f"{said[:4]}-{said[4:6]}-{said[6:]}"
        if not self._going:
            self._document.dates[path] = day
        return day

    def _code(self, element: FhirElement, path: str) -> str:
        codes = value_sets().get(element.value_set)
        if not codes:
            return "text/plain" if "ontentType" in element.name else "en-US"
        code = min(codes)
        self._keep(path, code)
        return code

    def _canary(self) -> str:
        self._count += 1
        return f"Qz{self._number}xv{self._count}"

    def _text(self) -> str:
        family = self.person.patient.name.split("^")[0].split("=")[0]
        patient = self.person.patient
        forms = (
            family,
            family.upper(),
            patient.patient_id,
            patient.telephone,
            f"{patient.birth_date[6:]}.{patient.birth_date[4:6]}.{patient.birth_date[:4]}",
            patient.referring_physician.split("^")[0].split("=")[0],
            patient.institution,
            patient.address,
        )
        return f"{forms[self._count % len(forms)]} {self._canary()}"

    def _planted(self, path: str, text: str) -> str:
        self._document.places[path] = text
        return text


def _choices(kind: str) -> int:
    """Return how many types the widest choice of a type has, within its backbone elements too."""
    counts: dict[str, int] = {}
    widest = 1
    for element in fhir_types()[kind].values():
        if element.name != element.stem:
            counts[element.stem] = counts.get(element.stem, 0) + 1
        if element.type.startswith(f"{kind}.") and element.type != kind:
            widest = max(widest, _choices(element.type))
    return max([widest, *counts.values()])


def systems() -> dict[str, str]:
    """Return the issuer of each record number's system, as a site configures it."""
    return {record_number_system(each): each.issuer for each in PATIENTS}
