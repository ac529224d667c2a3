"""What a store can do, as it tells clients itself (FHIR R4, CapabilityStatement)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daemon.fhir.searching import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterable

_READING = ("read", "vread", "history-instance", "search-type")
_WRITING = ("create", "update", "patch", "delete")

_OPERATIONS: Final[dict[str, Any]] = {
    "Patient": {
        "operation": [
            {
                "name": "everything",
                "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything",
            }
        ]
    }
}


def statement(
    address: str, types: Iterable[str], *, is_writable: bool, date: str, version: str
) -> dict[str, Any]:
    """Return the CapabilityStatement of a store."""
    interactions = [*_READING, *(_WRITING if is_writable else ())]
    shared = {
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned-update" if is_writable else "versioned",
        "readHistory": True,
        "updateCreate": is_writable,
        "conditionalCreate": is_writable,
        "conditionalRead": "not-match",
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "logical"],
        "searchParam": [{"name": name, "type": kind} for name, kind in PARAMETERS.items()],
    }
    rest: dict[str, Any] = {
        "mode": "server",
        "resource": [{"type": each, **shared, **_OPERATIONS.get(each, {})} for each in types],
        "operation": [
            {
                "name": "export",
                "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
            }
        ],
    }
    if is_writable:
        rest["interaction"] = [{"code": "transaction"}, {"code": "batch"}]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "dicomveil", "version": version},
        "implementation": {
            "description": "resources as received" if is_writable else "de-identified resources",
            "url": address,
        },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/json"],
        **({"patchFormat": ["application/json-patch+json"]} if is_writable else {}),
        "rest": [rest],
    }
