"""Places by hand: where systems and people put originals that no element is meant for."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from daemon.synthetic.resources import record_number_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.synthetic.patients import Patient
    from tests.benchmarks.fhir_leaks.corpus import Person

Place = tuple[str, dict[str, Any]]
_V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_EXTENSIONS = "http://hl7.org/fhir/StructureDefinition/"


def digits_of(patient: Patient) -> str:
    """Return the digits of a patient's record number, as a number has them."""
    return str(int("".join(filter(str.isdigit, patient.patient_id))[:9]))


def places(person: Person) -> Iterator[Place]:
    """Yield names of places and resources that hold the person's originals there."""
    patient = person.patient
    family = patient.name.split("^")[0].split("=")[0]
    number, phone, born = patient.patient_id, patient.telephone, patient.birth_date
    doctor = patient.referring_physician.split("^")[0].split("=")[0]
    day = f"{born[:4]}-{born[4:6]}-{born[6:]}"
    subject = {"reference": person.address}
    encoded = base64.b64encode(f"Patient: {family}, {number}".encode()).decode()
    digits = digits_of(patient)

    def observation(**more: Any) -> dict[str, Any]:
        code = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": code,
            "subject": subject,
            **more,
        }

    def patient_with(**more: Any) -> dict[str, Any]:
        return {"resourceType": "Patient", "name": [{"family": family}], "birthDate": day, **more}

    def extension(url: str, **value: Any) -> dict[str, Any]:
        return {"extension": [{"url": url, **value}]}

    def bundle(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"resourceType": "Bundle", "type": "batch", "entry": list(entries), **more}

    yield "narrative", patient_with(text={"status": "generated", "div": f"<div>{family}</div>"})
    yield (
        "narrative link",
        patient_with(
            text={"status": "generated", "div": f'<div><a href="http://h/{number}">x</a></div>'}
        ),
    )
    yield "element that R4 does not have", patient_with(nickname=family)
    yield "element of another type", observation(birthDate=day, family=family)
    yield (
        "object that R4 does not have",
        observation(vendor={"patient": {"name": [family, number]}}),
    )
    yield (
        "low line without an element",
        patient_with(_nickname={"extension": [{"url": "x", "valueString": family}]}),
    )
    yield (
        "sibling's extension",
        patient_with(_gender=extension("http://h/x", valueString=family), gender="male"),
    )
    yield "sibling's id", patient_with(_gender={"id": family}, gender="male")
    yield (
        "sibling of a list",
        {
            **patient_with(),
            "name": [{"given": ["A"], "_given": [extension("x", valueString=family)]}],
        },
    )
    yield (
        "birth time",
        patient_with(
            _birthDate=extension(
                _EXTENSIONS + "patient-birthTime", valueDateTime=f"{day}T10:00:00Z"
            )
        ),
    )
    yield (
        "mother's maiden name",
        patient_with(**extension(_EXTENSIONS + "patient-mothersMaidenName", valueString=family)),
    )
    yield (
        "birth place",
        patient_with(
            **extension(_EXTENSIONS + "patient-birthPlace", valueAddress={"city": patient.address})
        ),
    )
    yield (
        "extension in an extension",
        observation(
            **extension(
                "a",
                extension=[
                    {"url": "b", "extension": [{"url": "c", "valueHumanName": {"text": family}}]}
                ],
            )
        ),
    )
    yield "extension's address", observation(**extension(f"http://h/{number}/x", valueBoolean=True))
    yield "modifier extension", observation(modifierExtension=[{"url": "x", "valueString": family}])
    yield (
        "race in words",
        patient_with(
            **extension(
                "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
                extension=[{"url": "text", "valueString": family}],
            )
        ),
    )
    yield (
        "listed extension, other value",
        patient_with(
            **extension(
                "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex",
                valueString=family,
            )
        ),
    )
    yield (
        "listed extension, other code",
        patient_with(
            **extension(
                "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex", valueCode=family
            )
        ),
    )
    yield (
        "absent reason as text",
        observation(
            _effectiveDateTime=extension(_EXTENSIONS + "data-absent-reason", valueCode=family)
        ),
    )
    yield "maker's source", observation(meta={"source": f"urn:system:{number}"})
    yield "profile of a site", observation(meta={"profile": [f"http://{number}.example/profile"]})
    yield (
        "tag of a site",
        observation(meta={"tag": [{"system": "http://h", "code": number, "display": family}]}),
    )
    yield (
        "security label in words",
        observation(
            meta={
                "security": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                        "code": "R",
                        "display": f"restricted for {family}",
                    }
                ]
            }
        ),
    )
    yield "version that is a number of somebody", observation(meta={"versionId": number})
    yield "implicit rules", observation(implicitRules=f"http://h/{number}")
    yield "language", observation(language=family)
    yield "id that is the record number", observation(id=number)
    yield "id of the patient", patient_with(id=number)
    yield (
        "local code that is the name",
        observation(category=[{"coding": [{"system": "http://h", "code": family}]}]),
    )
    yield (
        "code without a system",
        observation(category=[{"coding": [{"code": number, "display": family}]}]),
    )
    yield (
        "known system, somebody's number",
        observation(
            category=[
                {
                    "coding": [
                        {
                            "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                            "code": digits[:7],
                        }
                    ]
                }
            ],
            note=[{"text": number}],
            identifier=[{"value": digits[:7]}],
        ),
    )
    yield (
        "known system, name for a code",
        observation(category=[{"coding": [{"system": "http://snomed.info/sct", "code": family}]}]),
    )
    yield (
        "known code, name for its display",
        observation(
            category=[
                {
                    "coding": [
                        {
                            "system": "http://snomed.info/sct",
                            "code": "80891009",
                            "display": f"Heart of {family}",
                        }
                    ]
                }
            ]
        ),
    )
    yield (
        "name for a version",
        observation(
            category=[
                {
                    "coding": [
                        {"system": "http://snomed.info/sct", "code": "80891009", "version": family}
                    ]
                }
            ]
        ),
    )
    yield (
        "listed system, name for a code",
        patient_with(
            maritalStatus={
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
                        "code": family,
                    }
                ]
            }
        ),
    )
    yield "unit that is a name", observation(valueQuantity={"value": 1, "unit": family})
    yield (
        "unit's code that is a name",
        observation(
            valueQuantity={"value": 1, "code": family, "system": "http://unitsofmeasure.org"}
        ),
    )
    yield (
        "annotation of a unit",
        observation(
            valueQuantity={
                "value": 1,
                "code": "{" + family + "}",
                "system": "http://unitsofmeasure.org",
            }
        ),
    )
    yield "unit's system", observation(valueQuantity={"value": 1, "system": f"http://h/{number}"})
    yield (
        "record number as a quantity",
        observation(valueQuantity={"value": int(digits)}, identifier=[{"value": digits}]),
    )
    yield (
        "record number as an integer",
        observation(
            valueInteger=int(digits) % 2**31, identifier=[{"value": str(int(digits) % 2**31)}]
        ),
    )
    yield (
        "record number among samples",
        observation(
            valueSampledData={
                "origin": {"value": 0},
                "period": 1,
                "dimensions": 1,
                "data": f"1 2 {number} 3",
            }
        ),
    )
    yield (
        "name among samples",
        observation(
            valueSampledData={"origin": {"value": 0}, "period": 1, "dimensions": 1, "data": family}
        ),
    )
    yield "string value", observation(valueString=f"{family} {phone}")
    yield (
        "date value behind a time",
        observation(effectiveDateTime=f"2020-01-01T00:00:00Z {family}"),
    )
    yield "name for a date", observation(effectiveDateTime=family)
    yield "name for a time", observation(valueTime=family)
    yield "name for a code", {**observation(), "status": family}
    yield (
        "author in words",
        observation(
            note=[{"authorString": f"Dr. {doctor}", "text": f"{family} called from {phone}"}]
        ),
    )
    yield "display of the subject", observation(subject={**subject, "display": family})
    yield (
        "subject by number",
        observation(
            subject={"identifier": {"system": record_number_system(patient), "value": number}}
        ),
    )
    yield (
        "subject by a search",
        observation(
            subject={"reference": f"Patient?identifier={record_number_system(patient)}|{number}"}
        ),
    )
    yield (
        "subject by name",
        observation(subject={"reference": f"Patient?family={family}&birthdate={day}"}),
    )
    yield (
        "subject by address",
        observation(subject={"reference": f"http://{number}.example/fhir/Patient/{number}"}),
    )
    yield (
        "subject by a version",
        observation(subject={"reference": f"Patient/{number}/_history/{number}"}),
    )
    yield "reference that is none", observation(subject={"reference": f"{family} {number}"})
    yield "reference with a script", observation(subject={"reference": f"javascript:{number}"})
    yield "type of a reference", observation(subject={**subject, "type": family})
    yield (
        "reference to what is contained",
        observation(
            contained=[{"resourceType": "Patient", "id": number, "name": [{"family": family}]}],
            subject={"reference": f"#{number}"},
        ),
    )
    yield (
        "contained in what is contained",
        observation(
            contained=[
                {
                    "resourceType": "Practitioner",
                    "id": "a",
                    "contained": [{"resourceType": "Organization", "name": family}],
                }
            ]
        ),
    )
    yield "contained of no type", observation(contained=[{"resourceType": family, "name": family}])
    yield (
        "identifier's assigner",
        patient_with(identifier=[{"value": number, "assigner": {"display": patient.institution}}]),
    )
    yield (
        "identifier's type in words",
        patient_with(identifier=[{"value": number, "type": {"text": f"number of {family}"}}]),
    )
    yield (
        "identifier's system",
        patient_with(identifier=[{"value": "1", "system": f"http://{number}.example"}]),
    )
    yield (
        "social security number",
        patient_with(
            identifier=[
                {"value": "999-00-1234", "type": {"coding": [{"system": _V2, "code": "SS"}]}},
                {"value": number},
            ]
        ),
    )
    yield (
        "identifier that is no UID",
        observation(
            identifier=[
                {"system": "urn:dicom:uid", "value": f"urn:oid:{family}"},
                {"value": number},
            ]
        ),
    )
    yield (
        "photo",
        patient_with(
            photo=[
                {
                    "contentType": "image/png",
                    "data": encoded,
                    "url": f"http://h/{number}.png",
                    "title": family,
                }
            ]
        ),
    )
    yield (
        "communication",
        patient_with(communication=[{"language": {"text": f"{family} speaks German"}}]),
    )
    yield (
        "contact",
        patient_with(
            contact=[
                {
                    "name": {"text": family},
                    "telecom": [{"value": phone}],
                    "address": {"text": patient.address},
                }
            ]
        ),
    )
    yield (
        "period of an address",
        patient_with(
            address=[
                {
                    "city": patient.address,
                    "district": family,
                    "postalCode": "80331",
                    "period": {"start": day},
                }
            ]
        ),
    )
    yield (
        "document as text",
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": subject,
            "content": [
                {
                    "attachment": {
                        "contentType": "text/plain",
                        "data": encoded,
                        "title": f"Letter to {doctor}",
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
                        "data": encoded,
                        "hash": encoded,
                        "url": f"file:///{family}/{number}.pdf",
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
            "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:x:{number}"},
            "content": [{"attachment": {"contentType": family}}],
        },
    )
    yield (
        "binary",
        {
            "resourceType": "Binary",
            "contentType": "text/plain",
            "data": encoded,
            "securityContext": {"reference": f"Patient/{number}"},
        },
    )
    yield "binary's type", {"resourceType": "Binary", "contentType": f"text/{family}"}
    yield (
        "parameter's name",
        {
            "resourceType": "Parameters",
            "parameter": [{"name": f"{family} {number}", "valueString": family}],
        },
    )
    yield (
        "parameter's resource",
        {
            "resourceType": "Parameters",
            "parameter": [{"name": "patient", "resource": patient_with(id=number)}],
        },
    )
    yield (
        "part of a parameter",
        {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "a", "part": [{"name": "b", "valueHumanName": {"text": family}}]}
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
                    "linkId": f"{family}-{number}",
                    "text": family,
                    "answer": [{"valueString": family}, {"valueDate": day}],
                }
            ],
        },
    )
    yield (
        "questionnaire's address",
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "questionnaire": f"http://h/{number}",
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
                            "item": [{"linkId": "1.1", "answer": [{"valueString": number}]}],
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
            "serialNumber": number,
            "lotNumber": number,
            "deviceName": [{"name": f"Pacemaker of {family}", "type": "user-friendly-name"}],
            "udiCarrier": [{"carrierHRF": number}],
            "patient": subject,
        },
    )
    yield (
        "policy",
        {
            "resourceType": "Coverage",
            "status": "active",
            "subscriberId": number,
            "beneficiary": subject,
            "payor": [{"display": family}],
            "class": [{"type": {"text": "group"}, "value": number, "name": family}],
        },
    )
    yield (
        "preauthorisation",
        {
            "resourceType": "Claim",
            "status": "active",
            "type": {"text": family},
            "use": "claim",
            "patient": subject,
            "created": day,
            "provider": {"display": family},
            "priority": {"text": number},
            "insurance": [
                {
                    "sequence": 1,
                    "focal": True,
                    "coverage": {"display": family},
                    "preAuthRef": [number],
                }
            ],
        },
    )
    yield (
        "relative",
        {
            "resourceType": "FamilyMemberHistory",
            "status": "completed",
            "patient": subject,
            "name": f"Uncle {family}",
            "relationship": {"text": f"{family}'s uncle"},
            "ageString": f"93, {family}",
        },
    )
    yield (
        "related person",
        {
            "resourceType": "RelatedPerson",
            "patient": subject,
            "name": [{"family": family}],
            "birthDate": day,
            "telecom": [{"value": phone}],
        },
    )
    yield (
        "order",
        {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "subject": subject,
            "identifier": [
                {"type": {"coding": [{"system": _V2, "code": "PLAC"}]}, "value": number}
            ],
            "patientInstruction": f"Tell {family}",
            "requisition": {"value": number},
        },
    )
    yield (
        "series in words",
        {
            "resourceType": "ImagingStudy",
            "status": "available",
            "subject": subject,
            "description": f"CT of {family}",
            "series": [
                {
                    "uid": "1.2.3.4.5.6",
                    "modality": {"code": family},
                    "description": family,
                    "instance": [
                        {"uid": f"1.2.3.{family}", "sopClass": {"code": family}, "title": number}
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
            "address": f"https://{number}.example/dicom-web",
            "header": [f"X-Patient: {family}"],
            "name": family,
            "contact": [{"value": phone}],
            "payloadType": [{"text": family}],
        },
    )
    yield (
        "message",
        {
            "resourceType": "MessageHeader",
            "eventUri": "http://hl7.org/fhir/x",
            "source": {"endpoint": f"http://{number}.example", "name": family, "software": family},
            "destination": [{"endpoint": f"http://{number}.example"}],
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
                    "diagnostics": f"Patient {family} not found",
                    "details": {"text": family},
                    "location": [f"/f:Patient[{number}]"],
                    "expression": [f"Patient.where(id='{number}')"],
                }
            ],
        },
    )
    yield (
        "genome",
        {
            "resourceType": "MolecularSequence",
            "coordinateSystem": 0,
            "patient": subject,
            "observedSeq": f"ACGT{number}",
            "repository": [{"type": "login", "name": family}],
        },
    )
    yield (
        "group",
        {
            "resourceType": "Group",
            "type": "person",
            "actual": True,
            "name": f"Family {family}",
            "member": [{"entity": {"reference": person.address, "display": family}}],
        },
    )
    yield (
        "place",
        {
            "resourceType": "Location",
            "name": patient.ward,
            "alias": [family],
            "position": {"longitude": 11.575, "latitude": 48.137},
            "address": {"text": patient.address},
        },
    )
    yield (
        "institution",
        {
            "resourceType": "Organization",
            "name": patient.institution,
            "alias": [family],
            "contact": [{"name": {"text": family}}],
        },
    )
    yield (
        "entry's address",
        bundle(
            {
                "fullUrl": f"http://{number}.example/fhir/Patient/{number}",
                "resource": patient_with(id=number),
            }
        ),
    )
    yield "entry's URN", bundle({"fullUrl": f"urn:uuid:{family}", "resource": patient_with()})
    yield (
        "entry's request",
        bundle(
            {"request": {"method": "DELETE", "url": f"Patient/{number}"}},
            {"request": {"method": "GET", "url": f"Patient?name={family}&birthdate={day}"}},
        ),
    )
    yield (
        "entry's search",
        bundle(
            {
                "resource": patient_with(),
                "request": {
                    "method": "POST",
                    "url": "Patient",
                    "ifNoneExist": f"identifier=http://h|{number}&name={family}",
                },
            }
        ),
    )
    yield (
        "entry's match",
        bundle(
            {
                "resource": patient_with(),
                "request": {
                    "method": "PUT",
                    "url": f"Patient?identifier=http://h|{number}",
                    "ifMatch": f'W/"{number}"',
                },
            }
        ),
    )
    yield (
        "entry's response",
        bundle(
            {
                "resource": patient_with(),
                "response": {
                    "status": f"200 {family}",
                    "location": f"Patient/{number}/_history/1",
                    "etag": f'"{number}"',
                    "outcome": {
                        "resourceType": "OperationOutcome",
                        "issue": [{"severity": "error", "code": "invalid", "diagnostics": family}],
                    },
                },
            }
        ),
    )
    yield (
        "entry's link",
        bundle(
            {
                "link": [{"relation": "self", "url": f"http://h/{number}"}],
                "resource": patient_with(),
            }
        ),
    )
    yield (
        "bundle's link",
        bundle(
            link=[
                {"relation": "self", "url": f"http://h/Patient?name={family}"},
                {"relation": family, "url": f"http://h/{number}"},
            ]
        ),
    )
    yield "bundle's identifier", bundle(identifier={"system": "http://h", "value": number})
    yield (
        "bundle's signature",
        bundle(
            signature={
                "who": {"display": family},
                "when": f"{day}T00:00:00Z",
                "type": [{"code": family}],
                "data": encoded,
            }
        ),
    )
    yield "bundle in a bundle", bundle({"resource": bundle({"resource": patient_with(id=number)})})
    yield (
        "provenance",
        bundle(
            {
                "resource": {
                    "resourceType": "Provenance",
                    "target": [subject],
                    "agent": [{"who": {"display": family}}],
                }
            },
            {"resource": patient_with()},
        ),
    )
    yield (
        "audit event",
        bundle({"resource": {"resourceType": "AuditEvent", "agent": [{"name": family}]}}),
    )
    yield (
        "resource of no type",
        bundle({"resource": {"resourceType": "HospitalRecord", "patient": family}}),
    )
