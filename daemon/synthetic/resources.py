"""FHIR resources that tell of a synthetic study what its instances tell: same people, UIDs and numbers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

    from daemon.synthetic.patients import Patient

Resource = dict[str, Any]

RECORD_NUMBERS = "http://hospital.example/fhir/record-number/"
ACCESSIONS = "http://hospital.example/fhir/accession/"
_V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_SNOMED = "http://snomed.info/sct"
_SEXES = {"M": "male", "F": "female", "O": "other"}


def record_number_system(patient: Patient) -> str:
    """Return the Identifier.system of a patient's record number: one for each issuer."""
    return RECORD_NUMBERS + (patient.issuer or "NONE")


def study_resources(patient: Patient, datasets: Sequence[Dataset]) -> list[Resource]:
    """Return the resources of one study: its patient, order, report, and who had to do with them.

    Parameters
    ----------
    datasets
        The instances of one study, at least one.
    """
    first = datasets[0]
    study = str(first.StudyInstanceUID)
    ids = {
        kind: _id(kind, patient.patient_id, study)
        for kind in ("request", "study", "report", "encounter")
    }
    ids["patient"] = _id("patient", patient.issuer, patient.patient_id)
    people = [
        _organization(patient),
        _practitioner(patient, patient.referring_physician),
        _practitioner(patient, patient.operator),
        patient_resource(patient),
    ]
    started = _moment(str(first.StudyDate), str(first.StudyTime))
    return [
        *people,
        _encounter(patient, ids, started),
        _service_request(patient, first, ids, started),
        _imaging_study(patient, datasets, ids, started),
        _report(patient, ids, started),
    ]


def study_bundle(
    patient: Patient, datasets: Sequence[Dataset], *, kind: str = "collection"
) -> Resource:
    """Return the same as a Bundle, its entries named by UUIDs."""
    entries: list[Resource] = []
    for each in study_resources(patient, datasets):
        entry: Resource = {"fullUrl": f"urn:uuid:{_uuid(each)}", "resource": each}
        if kind in ("transaction", "batch"):
            entry["request"] = {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}
        entries.append(entry)
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def patient_resource(patient: Patient) -> Resource:
    """Return the Patient."""
    family, given = _parts(patient.name)
    day = patient.birth_date
    return {
        "resourceType": "Patient",
        "id": _id("patient", patient.issuer, patient.patient_id),
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{_spoken(patient.name)}</div>',
        },
        "identifier": [
            _identifier(
                "MR", "Medical record number", record_number_system(patient), patient.patient_id
            )
        ],
        "active": True,
        "name": [
            {
                "use": "official",
                "text": _spoken(patient.name),
                "family": family,
                "given": given or [family],
            }
        ],
        "telecom": [{"system": "phone", "value": patient.telephone, "use": "home"}],
        "gender": _SEXES.get(patient.sex, "unknown"),
        "birthDate": f"{day[:4]}-{day[4:6]}-{day[6:]}",
        "address": [{"text": patient.address, "line": [patient.address.split(",")[0]]}],
        "managingOrganization": _to(_organization(patient), patient.institution),
    }


def _organization(patient: Patient) -> Resource:
    return {
        "resourceType": "Organization",
        "id": _id("organization", patient.institution),
        "name": patient.institution,
        "address": [{"text": patient.address}],
    }


def _practitioner(patient: Patient, name: str) -> Resource:
    family, given = _parts(name)
    return {
        "resourceType": "Practitioner",
        "id": _id("practitioner", patient.institution, name),
        "name": [{"family": family, "given": given or [family]}],
    }


def _encounter(patient: Patient, ids: dict[str, str], started: str) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": ids["encounter"],
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "AMB",
            "display": "ambulatory",
        },
        "subject": _subject(patient, ids),
        "period": {"start": started},
        "location": [{"location": {"display": patient.ward}}],
        "serviceProvider": _to(_organization(patient), patient.institution),
    }


def _service_request(
    patient: Patient, first: Dataset, ids: dict[str, str], started: str
) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "id": ids["request"],
        "identifier": [_accession(first)],
        "status": "completed",
        "intent": "order",
        "code": {"text": f"Chest {first.Modality}"},
        "subject": _subject(patient, ids),
        "encounter": {"reference": f"Encounter/{ids['encounter']}"},
        "authoredOn": started[:10],
        "requester": _to(
            _practitioner(patient, patient.referring_physician),
            _spoken(patient.referring_physician),
        ),
        "reasonCode": [{"coding": [{"system": _SNOMED, "code": "49727002", "display": "Cough"}]}],
        "note": [{"text": patient.comment, "time": started}],
    }


def _imaging_study(
    patient: Patient, datasets: Sequence[Dataset], ids: dict[str, str], started: str
) -> Resource:
    series: dict[str, Resource] = {}
    for each in datasets:
        one = series.setdefault(
            str(each.SeriesInstanceUID),
            {
                "uid": str(each.SeriesInstanceUID),
                "number": int(each.SeriesNumber),
                "modality": {"system": _DCM, "code": str(each.Modality)},
                "started": started,
                "performer": [
                    {
                        "actor": _to(
                            _practitioner(patient, patient.operator), _spoken(patient.operator)
                        )
                    }
                ],
                "instance": [],
            },
        )
        one["instance"].append(
            {
                "uid": str(each.SOPInstanceUID),
                "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{each.SOPClassUID}"},
                "number": int(each.InstanceNumber),
            }
        )
    for one in series.values():
        one["numberOfInstances"] = len(one["instance"])
    first = datasets[0]
    return {
        "resourceType": "ImagingStudy",
        "id": ids["study"],
        "identifier": [
            {
                "use": "official",
                "system": "urn:dicom:uid",
                "value": f"urn:oid:{first.StudyInstanceUID}",
            },
            _accession(first),
        ],
        "status": "available",
        "subject": _subject(patient, ids),
        "encounter": {"reference": f"Encounter/{ids['encounter']}"},
        "started": started,
        "basedOn": [{"reference": f"ServiceRequest/{ids['request']}"}],
        "referrer": _to(
            _practitioner(patient, patient.referring_physician),
            _spoken(patient.referring_physician),
        ),
        "numberOfSeries": len(series),
        "numberOfInstances": len(datasets),
        "description": f"Chest {first.Modality}",
        "series": list(series.values()),
    }


def _report(patient: Patient, ids: dict[str, str], started: str) -> Resource:
    family = _parts(patient.name)[0]
    return {
        "resourceType": "DiagnosticReport",
        "id": ids["report"],
        "basedOn": [{"reference": f"ServiceRequest/{ids['request']}"}],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v2-0074",
                        "code": "RAD",
                        "display": "Radiology",
                    }
                ]
            }
        ],
        "code": {
            "coding": [
                {
                    "system": "http://loinc.org",
                    "code": "18748-4",
                    "display": "Diagnostic imaging study",
                }
            ]
        },
        "subject": _subject(patient, ids),
        "encounter": {"reference": f"Encounter/{ids['encounter']}"},
        "effectiveDateTime": started,
        "issued": f"{started[:11]}17:45:00.500{started[19:]}",
        "performer": [_to(_organization(patient), patient.institution)],
        "imagingStudy": [{"reference": f"ImagingStudy/{ids['study']}"}],
        "conclusion": f"{family}: no pleural effusion. Compared with the study of {started[:10]}.",
        "conclusionCode": [
            {"coding": [{"system": _SNOMED, "code": "17621005", "display": "Normal"}]}
        ],
    }


def _subject(patient: Patient, ids: dict[str, str]) -> Resource:
    return {"reference": f"Patient/{ids['patient']}", "display": _spoken(patient.name)}


def _to(resource: Resource, display: str) -> Resource:
    return {"reference": f"{resource['resourceType']}/{resource['id']}", "display": display}


def _accession(first: Dataset) -> Resource:
    return _identifier("ACSN", "Accession ID", ACCESSIONS, str(first.AccessionNumber))


def _identifier(code: str, display: str, system: str, value: str) -> Resource:
    coding = {"system": _V2, "code": code, "display": display}
    return {"type": {"coding": [coding]}, "system": system, "value": value}


def _parts(name: str) -> tuple[str, list[str]]:
    """Return family and given names of a Person Name's first component group (PS3.5 6.2.1)."""
    family, *rest = name.split("=", maxsplit=1)[0].split("^")
    return family, [each for each in rest[:2] if each]


def _spoken(name: str) -> str:
    family, given = _parts(name)
    return " ".join([*given, family])


def _moment(day: str, time: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:8]}T{time[:2]}:{time[2:4]}:{time[4:6]}+01:00"


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(("dicomveil demo", *parts)).encode()).hexdigest()


def _id(*parts: str) -> str:
    return _digest(*parts)[:20]


def _uuid(resource: Resource) -> str:
    made = _digest(resource["resourceType"], resource["id"])
    return f"{made[:8]}-{made[8:12]}-4{made[13:16]}-a{made[17:20]}-{made[20:32]}"
