"""Narratives, extensions, siblings of primitives, and what R4 does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.fhir_leaks.by_hand.planting import EXTENSIONS, Planting, extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.fhir_leaks.by_hand.planting import Place


def extended(here: Planting) -> Iterator[Place]:
    """Yield names of places and resources that hold the person's originals there."""
    yield (
        "narrative",
        here.patient_with(text={"status": "generated", "div": f"<div>{here.family}</div>"}),
    )
    yield (
        "narrative link",
        here.patient_with(
            text={
                "status": "generated",
                "div": f'<div><a href="http://h/{here.number}">x</a></div>',
            }
        ),
    )
    yield "element that R4 does not have", here.patient_with(nickname=here.family)
    yield "element of another type", here.observation(birthDate=here.day, family=here.family)
    yield (
        "object that R4 does not have",
        here.observation(vendor={"patient": {"name": [here.family, here.number]}}),
    )
    yield (
        "low line without an element",
        here.patient_with(_nickname={"extension": [{"url": "x", "valueString": here.family}]}),
    )
    yield (
        "sibling's extension",
        here.patient_with(_gender=extension("http://h/x", valueString=here.family), gender="male"),
    )
    yield "sibling's id", here.patient_with(_gender={"id": here.family}, gender="male")
    yield (
        "sibling of a list",
        {
            **here.patient_with(),
            "name": [{"given": ["A"], "_given": [extension("x", valueString=here.family)]}],
        },
    )
    yield (
        "birth time",
        here.patient_with(
            _birthDate=extension(
                EXTENSIONS + "patient-birthTime", valueDateTime=f"{here.day}T10:00:00Z"
            )
        ),
    )
    yield (
        "mother's maiden name",
        here.patient_with(
            **extension(EXTENSIONS + "patient-mothersMaidenName", valueString=here.family)
        ),
    )
    yield (
        "birth place",
        here.patient_with(
            **extension(
                EXTENSIONS + "patient-birthPlace", valueAddress={"city": here.patient.address}
            )
        ),
    )
    yield (
        "extension in an extension",
        here.observation(
            **extension(
                "a",
                extension=[
                    {
                        "url": "b",
                        "extension": [{"url": "c", "valueHumanName": {"text": here.family}}],
                    }
                ],
            )
        ),
    )
    yield (
        "extension's address",
        here.observation(**extension(f"http://h/{here.number}/x", valueBoolean=True)),
    )
    yield (
        "modifier extension",
        here.observation(modifierExtension=[{"url": "x", "valueString": here.family}]),
    )
    yield (
        "race in words",
        here.patient_with(
            **extension(
                "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
                extension=[{"url": "text", "valueString": here.family}],
            )
        ),
    )
    yield (
        "listed extension, other value",
        here.patient_with(
            **extension(
                "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex",
                valueString=here.family,
            )
        ),
    )
    yield (
        "listed extension, other code",
        here.patient_with(
            **extension(
                "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex",
                valueCode=here.family,
            )
        ),
    )
    yield (
        "absent reason as text",
        here.observation(
            _effectiveDateTime=extension(EXTENSIONS + "data-absent-reason", valueCode=here.family)
        ),
    )
