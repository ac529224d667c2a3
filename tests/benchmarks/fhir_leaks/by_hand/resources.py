"""Resources of each kind, with originals in elements that are meant for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.fhir_leaks.by_hand.planting import V2, Planting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.fhir_leaks.by_hand.planting import Place


def resources(here: Planting) -> Iterator[Place]:
    """Yield names of places and resources that hold the person's originals there."""
    yield (
        "identifier's assigner",
        here.patient_with(
            identifier=[{"value": here.number, "assigner": {"display": here.patient.institution}}]
        ),
    )
    yield (
        "identifier's type in words",
        here.patient_with(
            identifier=[{"value": here.number, "type": {"text": f"number of {here.family}"}}]
        ),
    )
    yield (
        "identifier's system",
        here.patient_with(identifier=[{"value": "1", "system": f"http://{here.number}.example"}]),
    )
    yield (
        "social security number",
        here.patient_with(
            identifier=[
                {"value": "999-00-1234", "type": {"coding": [{"system": V2, "code": "SS"}]}},
                {"value": here.number},
            ]
        ),
    )
    yield (
        "identifier that is no UID",
        here.observation(
            identifier=[
                {"system": "urn:dicom:uid", "value": f"urn:oid:{here.family}"},
                {"value": here.number},
            ]
        ),
    )
    yield (
        "photo",
        here.patient_with(
            photo=[
                {
                    "contentType": "image/png",
                    "data": here.encoded,
                    "url": f"http://h/{here.number}.png",
                    "title": here.family,
                }
            ]
        ),
    )
    yield (
        "communication",
        here.patient_with(communication=[{"language": {"text": f"{here.family} speaks German"}}]),
    )
    yield (
        "contact",
        here.patient_with(
            contact=[
                {
                    "name": {"text": here.family},
                    "telecom": [{"value": here.phone}],
                    "address": {"text": here.patient.address},
                }
            ]
        ),
    )
    yield (
        "period of an address",
        here.patient_with(
            address=[
                {
                    "city": here.patient.address,
                    "district": here.family,
                    "postalCode": "80331",
                    "period": {"start": here.day},
                }
            ]
        ),
    )
    yield (
        "document as text",
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": here.subject,
            "content": [
                {
                    "attachment": {
                        "contentType": "text/plain",
                        "data": here.encoded,
                        "title": f"Letter to {here.doctor}",
                    }
                }
            ],
        },
    )
    yield (
        "document as a PDF",
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "content": [
                {
                    "attachment": {
                        "contentType": "application/pdf",
                        "data": here.encoded,
                        "hash": here.encoded,
                        "url": f"file:///{here.family}/{here.number}.pdf",
                    }
                }
            ],
        },
    )
    yield (
        "document's number",
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:x:{here.number}"},
            "content": [{"attachment": {"contentType": here.family}}],
        },
    )
    yield (
        "binary",
        {
            "resourceType": "Binary",
            "contentType": "text/plain",
            "data": here.encoded,
            "securityContext": {"reference": f"Patient/{here.number}"},
        },
    )
    yield "binary's type", {"resourceType": "Binary", "contentType": f"text/{here.family}"}
    yield (
        "parameter's name",
        {
            "resourceType": "Parameters",
            "parameter": [{"name": f"{here.family} {here.number}", "valueString": here.family}],
        },
    )
    yield (
        "parameter's resource",
        {
            "resourceType": "Parameters",
            "parameter": [{"name": "patient", "resource": here.patient_with(id=here.number)}],
        },
    )
    yield (
        "part of a parameter",
        {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "a", "part": [{"name": "b", "valueHumanName": {"text": here.family}}]}
            ],
        },
    )
    yield (
        "link between question and answer",
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "item": [
                {
                    "linkId": f"{here.family}-{here.number}",
                    "text": here.family,
                    "answer": [{"valueString": here.family}, {"valueDate": here.day}],
                }
            ],
        },
    )
    yield (
        "questionnaire's address",
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "questionnaire": f"http://h/{here.number}",
        },
    )
    yield (
        "answer in an answer",
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "item": [
                {
                    "linkId": "1",
                    "answer": [
                        {
                            "valueBoolean": True,
                            "item": [{"linkId": "1.1", "answer": [{"valueString": here.number}]}],
                        }
                    ],
                }
            ],
        },
    )
    yield (
        "device",
        {
            "resourceType": "Device",
            "serialNumber": here.number,
            "lotNumber": here.number,
            "deviceName": [{"name": f"Pacemaker of {here.family}", "type": "user-friendly-name"}],
            "udiCarrier": [{"carrierHRF": here.number}],
            "patient": here.subject,
        },
    )
    yield (
        "policy",
        {
            "resourceType": "Coverage",
            "status": "active",
            "subscriberId": here.number,
            "beneficiary": here.subject,
            "payor": [{"display": here.family}],
            "class": [{"type": {"text": "group"}, "value": here.number, "name": here.family}],
        },
    )
    yield (
        "preauthorisation",
        {
            "resourceType": "Claim",
            "status": "active",
            "type": {"text": here.family},
            "use": "claim",
            "patient": here.subject,
            "created": here.day,
            "provider": {"display": here.family},
            "priority": {"text": here.number},
            "insurance": [
                {
                    "sequence": 1,
                    "focal": True,
                    "coverage": {"display": here.family},
                    "preAuthRef": [here.number],
                }
            ],
        },
    )
    yield (
        "relative",
        {
            "resourceType": "FamilyMemberHistory",
            "status": "completed",
            "patient": here.subject,
            "name": f"Uncle {here.family}",
            "relationship": {"text": f"{here.family}'s uncle"},
            "ageString": f"93, {here.family}",
        },
    )
    yield (
        "related person",
        {
            "resourceType": "RelatedPerson",
            "patient": here.subject,
            "name": [{"family": here.family}],
            "birthDate": here.day,
            "telecom": [{"value": here.phone}],
        },
    )
    yield (
        "order",
        {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "subject": here.subject,
            "identifier": [
                {"type": {"coding": [{"system": V2, "code": "PLAC"}]}, "value": here.number}
            ],
            "patientInstruction": f"Tell {here.family}",
            "requisition": {"value": here.number},
        },
    )
    yield (
        "series in words",
        {
            "resourceType": "ImagingStudy",
            "status": "available",
            "subject": here.subject,
            "description": f"CT of {here.family}",
            "series": [
                {
                    "uid": "1.2.3.4.5.6",
                    "modality": {"code": here.family},
                    "description": here.family,
                    "instance": [
                        {
                            "uid": f"1.2.3.{here.family}",
                            "sopClass": {"code": here.family},
                            "title": here.number,
                        }
                    ],
                }
            ],
        },
    )
    yield (
        "endpoint",
        {
            "resourceType": "Endpoint",
            "status": "active",
            "connectionType": {
                "code": "dicom-wado-rs",
                "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
            },
            "address": f"https://{here.number}.example/dicom-web",
            "header": [f"X-Patient: {here.family}"],
            "name": here.family,
            "contact": [{"value": here.phone}],
            "payloadType": [{"text": here.family}],
        },
    )
    yield (
        "message",
        {
            "resourceType": "MessageHeader",
            "eventUri": "http://hl7.org/fhir/x",
            "source": {
                "endpoint": f"http://{here.number}.example",
                "name": here.family,
                "software": here.family,
            },
            "destination": [{"endpoint": f"http://{here.number}.example"}],
        },
    )
    yield (
        "outcome of an operation",
        {
            "resourceType": "OperationOutcome",
            "issue": [
                {
                    "severity": "error",
                    "code": "invalid",
                    "diagnostics": f"Patient {here.family} not found",
                    "details": {"text": here.family},
                    "location": [f"/f:Patient[{here.number}]"],
                    "expression": [f"Patient.where(id='{here.number}')"],
                }
            ],
        },
    )
    yield (
        "genome",
        {
            "resourceType": "MolecularSequence",
            "coordinateSystem": 0,
            "patient": here.subject,
            "observedSeq": f"ACGT{here.number}",
            "repository": [{"type": "login", "name": here.family}],
        },
    )
    yield (
        "group",
        {
            "resourceType": "Group",
            "type": "person",
            "actual": True,
            "name": f"Family {here.family}",
            "member": [{"entity": {"reference": here.person.address, "display": here.family}}],
        },
    )
    yield (
        "place",
        {
            "resourceType": "Location",
            "name": here.patient.ward,
            "alias": [here.family],
            "position": {"longitude": 11.575, "latitude": 48.137},
            "address": {"text": here.patient.address},
        },
    )
    yield (
        "institution",
        {
            "resourceType": "Organization",
            "name": here.patient.institution,
            "alias": [here.family],
            "contact": [{"name": {"text": here.family}}],
        },
    )
