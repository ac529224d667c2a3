"""Bundles: addresses, requests, responses, links, and entries that may not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.fhir_leaks.by_hand.planting import Planting, bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.fhir_leaks.by_hand.planting import Place


def bundles(here: Planting) -> Iterator[Place]:
    """Yield names of places and resources that hold the person's originals there."""
    yield (
        "entry's address",
        bundle(
            {
                "fullUrl": f"http://{here.number}.example/fhir/Patient/{here.number}",
                "resource": here.patient_with(id=here.number),
            }
        ),
    )
    yield (
        "entry's URN",
        bundle({"fullUrl": f"urn:uuid:{here.family}", "resource": here.patient_with()}),
    )
    yield (
        "entry's request",
        bundle(
            {"request": {"method": "DELETE", "url": f"Patient/{here.number}"}},
            {
                "request": {
                    "method": "GET",
                    "url": f"Patient?name={here.family}&birthdate={here.day}",
                }
            },
        ),
    )
    yield (
        "entry's search",
        bundle(
            {
                "resource": here.patient_with(),
                "request": {
                    "method": "POST",
                    "url": "Patient",
                    "ifNoneExist": f"identifier=http://h|{here.number}&name={here.family}",
                },
            }
        ),
    )
    yield (
        "entry's match",
        bundle(
            {
                "resource": here.patient_with(),
                "request": {
                    "method": "PUT",
                    "url": f"Patient?identifier=http://h|{here.number}",
                    "ifMatch": f'W/"{here.number}"',
                },
            }
        ),
    )
    yield (
        "entry's response",
        bundle(
            {
                "resource": here.patient_with(),
                "response": {
                    "status": f"200 {here.family}",
                    "location": f"Patient/{here.number}/_history/1",
                    "etag": f'"{here.number}"',
                    "outcome": {
                        "resourceType": "OperationOutcome",
                        "issue": [
                            {"severity": "error", "code": "invalid", "diagnostics": here.family}
                        ],
                    },
                },
            }
        ),
    )
    yield (
        "entry's link",
        bundle(
            {
                "link": [{"relation": "self", "url": f"http://h/{here.number}"}],
                "resource": here.patient_with(),
            }
        ),
    )
    yield (
        "bundle's link",
        bundle(
            link=[
                {"relation": "self", "url": f"http://h/Patient?name={here.family}"},
                {"relation": here.family, "url": f"http://h/{here.number}"},
            ]
        ),
    )
    yield "bundle's identifier", bundle(identifier={"system": "http://h", "value": here.number})
    yield (
        "bundle's signature",
        bundle(
            signature={
                "who": {"display": here.family},
                "when": f"{here.day}T00:00:00Z",
                "type": [{"code": here.family}],
                "data": here.encoded,
            }
        ),
    )
    yield (
        "bundle in a bundle",
        bundle({"resource": bundle({"resource": here.patient_with(id=here.number)})}),
    )
    yield (
        "provenance",
        bundle(
            {
                "resource": {
                    "resourceType": "Provenance",
                    "target": [here.subject],
                    "agent": [{"who": {"display": here.family}}],
                }
            },
            {"resource": here.patient_with()},
        ),
    )
    yield (
        "audit event",
        bundle({"resource": {"resourceType": "AuditEvent", "agent": [{"name": here.family}]}}),
    )
    yield (
        "resource of no type",
        bundle({"resource": {"resourceType": "HospitalRecord", "patient": here.family}}),
    )
