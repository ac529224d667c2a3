"""FHIR resources that tell of the same synthetic people and studies as the instances (R4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from daemon.synthetic.patients import Patient

_ROLES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_LOINC = "http://loinc.org"
_GENDERS = {"M": "male", "F": "female"}


def issuer_system(patient: Patient) -> str:
    """Return the address that identifiers of a patient's hospital have as their system."""
    return f"https://{patient.issuer.lower() or 'hospital'}.example/patients"


def make_resources(dataset: Dataset, patient: Patient, name: str) -> list[dict[str, Any]]:
    """Return what a hospital keeps of a study: patient, people, order, study, report, finding.

    Parameters
    ----------
    dataset
        An instance of the study.
    name
        Part of all ids; letters, digits and dashes.
    """
    family, _, given = patient.name.split("=")[0].partition("^")
    day = _date(str(dataset.StudyDate))
    subject = {"reference": f"Patient/patient-{name}", "display": f"{given.split('^')[0]} {family}"}
    order, study = f"ServiceRequest/order-{name}", f"ImagingStudy/study-{name}"
    accession = {
        "type": {"coding": [{"system": _ROLES, "code": "ACSN"}]},
        "system": f"https://{patient.issuer.lower() or 'hospital'}.example/orders",
        "value": str(dataset.get("AccessionNumber", "")) or f"none-{name}",
    }
    physician = patient.referring_physician.split("=")[0].split("^")
    return [
        {
            "resourceType": "Patient",
            "id": f"patient-{name}",
            "identifier": [
                {
                    "type": {"coding": [{"system": _ROLES, "code": "MR"}]},
                    "system": issuer_system(patient),
                    "value": patient.patient_id,
                }
            ],
            "name": [{"family": family, "given": given.split("^")[:1], "text": patient.name}],
            "telecom": [{"system": "phone", "value": patient.telephone}],
            "gender": _GENDERS[patient.sex],
            "birthDate": _date(patient.birth_date),
            "address": [{"text": patient.address}],
        },
        {
            "resourceType": "Practitioner",
            "id": f"physician-{name}",
            "name": [{"family": physician[0], "given": physician[1:2]}],
        },
        {
            "resourceType": "Organization",
            "id": f"hospital-{name}",
            "name": patient.institution,
        },
        {
            "resourceType": "ServiceRequest",
            "id": f"order-{name}",
            "identifier": [accession],
            "status": "completed",
            "intent": "order",
            "code": {"coding": [{"system": _LOINC, "code": "24627-2", "display": "Chest CT"}]},
            "subject": subject,
            "authoredOn": f"{day}T08:00:00+01:00",
            "requester": {"reference": f"Practitioner/physician-{name}"},
            "reasonCode": [{"text": f"{patient.comment}; {family}"}],
        },
        {
            "resourceType": "ImagingStudy",
            "id": f"study-{name}",
            "identifier": [
                {"system": "urn:dicom:uid", "value": f"urn:oid:{dataset.StudyInstanceUID}"}
            ],
            "status": "available",
            "subject": subject,
            "started": f"{day}T09:30:00+01:00",
            "basedOn": [{"reference": order}],
            "numberOfSeries": 1,
            "series": [
                {
                    "uid": str(dataset.SeriesInstanceUID),
                    "modality": {
                        "system": "http://dicom.nema.org/resources/ontology/DCM",
                        "code": str(dataset.Modality),
                    },
                    "instance": [
                        {
                            "uid": str(dataset.SOPInstanceUID),
                            "sopClass": {
                                "system": "urn:ietf:rfc:3986",
                                "code": f"urn:oid:{dataset.SOPClassUID}",
                            },
                        }
                    ],
                }
            ],
        },
        {
            "resourceType": "DiagnosticReport",
            "id": f"report-{name}",
            "basedOn": [{"reference": order}],
            "status": "final",
            "code": {"coding": [{"system": _LOINC, "code": "24627-2", "display": "Chest CT"}]},
            "subject": subject,
            "effectiveDateTime": f"{day}T09:30:00+01:00",
            "issued": f"{day}T11:00:00.000+01:00",
            "performer": [{"reference": f"Organization/hospital-{name}"}],
            "imagingStudy": [{"reference": study}],
            "result": [{"reference": f"Observation/finding-{name}"}],
            "conclusion": f"{given.split('^')[0]} {family}: no change since the examination before.",
        },
        {
            "resourceType": "Observation",
            "id": f"finding-{name}",
            "status": "final",
            "code": {"coding": [{"system": _LOINC, "code": "29463-7", "display": "Body weight"}]},
            "subject": subject,
            "effectiveDateTime": day,
            "valueQuantity": {
                "value": 72.5,
                "unit": "kg",
                "system": "http://unitsofmeasure.org",
                "code": "kg",
            },
        },
    ]


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"
