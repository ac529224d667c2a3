"""What is planted by hand, and the resources that it is planted in."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from daemon.synthetic.patients import Patient
    from tests.benchmarks.fhir_leaks.corpus import Person

Place = tuple[str, dict[str, Any]]
V2: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
EXTENSIONS: Final = "http://hl7.org/fhir/StructureDefinition/"


def digits_of(patient: Patient) -> str:
    """Return the digits of a patient's record number, as a number has them."""
    return str(int("".join(filter(str.isdigit, patient.patient_id))[:9]))


@dataclass(frozen=True, slots=True)
class Planting:
    """A person's originals, as they are written in different places."""

    person: Person

    @property
    def patient(self) -> Patient:
        return self.person.patient

    @property
    def family(self) -> str:
        return self.patient.name.split("^")[0].split("=")[0]

    @property
    def doctor(self) -> str:
        return self.patient.referring_physician.split("^")[0].split("=")[0]

    @property
    def number(self) -> str:
        return self.patient.patient_id

    @property
    def digits(self) -> str:
        return digits_of(self.patient)

    @property
    def phone(self) -> str:
        return self.patient.telephone

    @property
    def day(self) -> str:
        """The date of birth."""
        born = self.patient.birth_date
        return f"{born[:4]}-{born[4:6]}-{born[6:]}"

    @property
    def encoded(self) -> str:
        return base64.b64encode(f"Patient: {self.family}, {self.number}".encode()).decode()

    @property
    def subject(self) -> dict[str, Any]:
        return {"reference": self.person.address}

    def observation(self, **more: Any) -> dict[str, Any]:
        code = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": code,
            "subject": self.subject,
            **more,
        }

    def patient_with(self, **more: Any) -> dict[str, Any]:
        return {
            "resourceType": "Patient",
            "name": [{"family": self.family}],
            "birthDate": self.day,
            **more,
        }


def extension(url: str, **value: Any) -> dict[str, Any]:
    """Return the element of an extension."""
    return {"extension": [{"url": url, **value}]}


def bundle(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a batch."""
    return {"resourceType": "Bundle", "type": "batch", "entry": list(entries), **more}
