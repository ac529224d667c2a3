"""Provenance (FHIR R4) of what operations de-identify: what was done to each instance, and by whom.

Free of original values: an instance is named by the UIDs that it has now, and what was done by elements,
actions and pixel regions. The configuration is named by a hash: it may hold keys, and patterns that are
somebody's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from daemon.fhir.representation import instant
from daemon.pipeline.fhir_reading import content_of
from daemon.resources import Method

if TYPE_CHECKING:
    from daemon.store.operation_rows import Operation
    from daemon.store.ports import Session
    from daemon.store.rows import Store

_EXTENSION: Final = "urn:dicomveil:deidentification"
_LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def of_instance(
    operation: Operation,
    name: str,
    number: int,
    uids: tuple[str, str, str],
    deidentifier: str,
    outcome: bytes,
) -> dict[str, Any]:
    """Return what was done to one instance.

    Parameters
    ----------
    name
        Of the operation, in full.
    number
        Of the instance in its source.
    uids
        Replacements: of study, series and instance.
    outcome
        `deid.Outcome` as JSON.
    """
    study, series, instance = uids
    done = orjson.loads(outcome) if outcome else {}
    elements = [
        _nested(
            "element",
            [_text("tag", tag), _text("action", action), {"url": "count", "valueInteger": count}],
        )
        for tag, action, count in done.get("elements", ())
    ]
    regions = [
        _nested(
            "region",
            [
                {"url": "frame", "valueInteger": each["frame"]},
                _text("box", " ".join(map(str, each["box"]))),
            ],
        )
        for each in done.get("regions", ())
    ]
    target = {
        "type": "ImagingStudy",
        "identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{study}"},
        "extension": [_nested(_EXTENSION, [_oid("series", series), _oid("instance", instance)])],
    }
    resource = _provenance(operation, f"{number:x}", [target], name, deidentifier)
    resource["entity"][0]["extension"] += (
        [_nested(_EXTENSION, [*elements, *regions])] if elements or regions else []
    )
    return resource


def of_operation(
    operation: Operation, name: str, destinations: list[str], deidentifier: str
) -> dict[str, Any]:
    """Return what an operation that has ended was: its name, when, by what, how much of it."""
    targets = [{"display": each} for each in destinations]
    resource = _provenance(operation, "all", targets, name, deidentifier)
    counted = [
        {"url": "success", "valueInteger": operation.success},
        {"url": "failure", "valueInteger": operation.failure},
    ]
    resource["entity"][0]["extension"].append(_nested(_EXTENSION, counted))
    return resource


def keep(session: Session, store: Store, resource: dict[str, Any], now_ms: int) -> None:
    """Store a Provenance; what a batch that is done again says is no new version."""
    content = content_of(resource)
    latest = session.resources.get(store, content.type, resource["id"])
    if latest is None or latest.is_deleted or latest.rest != content.rest:
        session.resources.add_version(
            store, resource["id"], content, method=Method.UPDATE, now_ms=now_ms
        )


def _provenance(
    operation: Operation,
    what: str,
    targets: list[dict[str, Any]],
    name: str,
    deidentifier: str,
) -> dict[str, Any]:
    return {
        "resourceType": "Provenance",
        "id": f"operation-{operation.id}-{what}",
        "target": targets,
        # When it began: what is done again after a kill says the same.
        "recorded": instant(int(operation.created_at * 1000)),
        "activity": {"coding": [{"system": _LIFECYCLE, "code": "deidentify"}]},
        "agent": [
            {
                "type": {"coding": [{"system": _PARTICIPANT, "code": "assembler"}]},
                "who": {"display": "dicomveil"},
            }
        ],
        "entity": [
            {
                "role": "source",
                "what": {"display": name},
                "extension": [_text(f"{_EXTENSION}:deidentifier", deidentifier)],
            }
        ],
    }


def _nested(url: str, extensions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"url": url, "extension": extensions}


def _text(url: str, value: str) -> dict[str, Any]:
    return {"url": url, "valueString": value}


def _oid(url: str, uid: str) -> dict[str, Any]:
    return {"url": url, "valueUri": f"urn:oid:{uid}"}
