"""Elements of an observation and of a patient: codes, units, numbers, dates, references."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.synthetic.resources import record_number_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.fhir_leaks.by_hand.planting import Place, Planting


def elements(here: Planting) -> Iterator[Place]:
    """Yield names of places and resources that hold the person's originals there."""
    yield "maker's source", here.observation(meta={"source": f"urn:system:{here.number}"})
    yield (
        "profile of a site",
        here.observation(meta={"profile": [f"http://{here.number}.example/profile"]}),
    )
    yield (
        "tag of a site",
        here.observation(
            meta={"tag": [{"system": "http://h", "code": here.number, "display": here.family}]}
        ),
    )
    yield (
        "security label in words",
        here.observation(
            meta={
                "security": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                        "code": "R",
                        "display": f"restricted for {here.family}",
                    }
                ]
            }
        ),
    )
    yield "version that is a number of somebody", here.observation(meta={"versionId": here.number})
    yield "implicit rules", here.observation(implicitRules=f"http://h/{here.number}")
    yield "language", here.observation(language=here.family)
    yield "id that is the record number", here.observation(id=here.number)
    yield "id of the patient", here.patient_with(id=here.number)
    yield (
        "local code that is the name",
        here.observation(category=[{"coding": [{"system": "http://h", "code": here.family}]}]),
    )
    yield (
        "code without a system",
        here.observation(category=[{"coding": [{"code": here.number, "display": here.family}]}]),
    )
    yield (
        "known system, somebody's number",
        here.observation(
            category=[
                {
                    "coding": [
                        {
                            "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                            "code": here.digits[:7],
                        }
                    ]
                }
            ],
            note=[{"text": here.number}],
            identifier=[{"value": here.digits[:7]}],
        ),
    )
    yield (
        "known system, name for a code",
        here.observation(
            category=[{"coding": [{"system": "http://snomed.info/sct", "code": here.family}]}]
        ),
    )
    yield (
        "known code, name for its display",
        here.observation(
            category=[
                {
                    "coding": [
                        {
                            "system": "http://snomed.info/sct",
                            "code": "80891009",
                            "display": f"Heart of {here.family}",
                        }
                    ]
                }
            ]
        ),
    )
    yield (
        "name for a version",
        here.observation(
            category=[
                {
                    "coding": [
                        {
                            "system": "http://snomed.info/sct",
                            "code": "80891009",
                            "version": here.family,
                        }
                    ]
                }
            ]
        ),
    )
    yield (
        "listed system, name for a code",
        here.patient_with(
            maritalStatus={
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
                        "code": here.family,
                    }
                ]
            }
        ),
    )
    yield "unit that is a name", here.observation(valueQuantity={"value": 1, "unit": here.family})
    yield (
        "unit's code that is a name",
        here.observation(
            valueQuantity={"value": 1, "code": here.family, "system": "http://unitsofmeasure.org"}
        ),
    )
    yield (
        "annotation of a unit",
        here.observation(
            valueQuantity={
                "value": 1,
                "code": "{" + here.family + "}",
                "system": "http://unitsofmeasure.org",
            }
        ),
    )
    yield (
        "unit's system",
        here.observation(valueQuantity={"value": 1, "system": f"http://h/{here.number}"}),
    )
    yield (
        "record number as a quantity",
        here.observation(
            valueQuantity={"value": int(here.digits)}, identifier=[{"value": here.digits}]
        ),
    )
    yield (
        "record number as an integer",
        here.observation(
            valueInteger=int(here.digits) % 2**31,
            identifier=[{"value": str(int(here.digits) % 2**31)}],
        ),
    )
    yield (
        "record number among samples",
        here.observation(
            valueSampledData={
                "origin": {"value": 0},
                "period": 1,
                "dimensions": 1,
                "data": f"1 2 {here.number} 3",
            }
        ),
    )
    yield (
        "name among samples",
        here.observation(
            valueSampledData={
                "origin": {"value": 0},
                "period": 1,
                "dimensions": 1,
                "data": here.family,
            }
        ),
    )
    yield "string value", here.observation(valueString=f"{here.family} {here.phone}")
    yield (
        "date value behind a time",
        here.observation(effectiveDateTime=f"2020-01-01T00:00:00Z {here.family}"),
    )
    yield "name for a date", here.observation(effectiveDateTime=here.family)
    yield "name for a time", here.observation(valueTime=here.family)
    yield "name for a code", {**here.observation(), "status": here.family}
    yield (
        "author in words",
        here.observation(
            note=[
                {
                    "authorString": f"Dr. {here.doctor}",
                    "text": f"{here.family} called from {here.phone}",
                }
            ]
        ),
    )
    yield (
        "display of the subject",
        here.observation(subject={**here.subject, "display": here.family}),
    )
    yield (
        "subject by number",
        here.observation(
            subject={
                "identifier": {"system": record_number_system(here.patient), "value": here.number}
            }
        ),
    )
    yield (
        "subject by a search",
        here.observation(
            subject={
                "reference": f"Patient?identifier={record_number_system(here.patient)}|{here.number}"
            }
        ),
    )
    yield (
        "subject by name",
        here.observation(
            subject={"reference": f"Patient?family={here.family}&birthdate={here.day}"}
        ),
    )
    yield (
        "subject by address",
        here.observation(
            subject={"reference": f"http://{here.number}.example/fhir/Patient/{here.number}"}
        ),
    )
    yield (
        "subject by a version",
        here.observation(subject={"reference": f"Patient/{here.number}/_history/{here.number}"}),
    )
    yield (
        "reference that is none",
        here.observation(subject={"reference": f"{here.family} {here.number}"}),
    )
    yield (
        "reference with a script",
        here.observation(subject={"reference": f"javascript:{here.number}"}),
    )
    yield "type of a reference", here.observation(subject={**here.subject, "type": here.family})
    yield (
        "reference to what is contained",
        here.observation(
            contained=[
                {"resourceType": "Patient", "id": here.number, "name": [{"family": here.family}]}
            ],
            subject={"reference": f"#{here.number}"},
        ),
    )
    yield (
        "contained in what is contained",
        here.observation(
            contained=[
                {
                    "resourceType": "Practitioner",
                    "id": "a",
                    "contained": [{"resourceType": "Organization", "name": here.family}],
                }
            ]
        ),
    )
    yield (
        "contained of no type",
        here.observation(contained=[{"resourceType": here.family, "name": here.family}]),
    )
