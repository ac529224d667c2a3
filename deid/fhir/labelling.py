"""The label that says of a resource that it was pseudonymised (HL7 v3 ObservationValue)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from deid.fhir.run import Run

PSEUDONYMISED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "PSEUDED",
    "display": "pseudonymized",
}
_META: Final = {"security": [PSEUDONYMISED]}


def labelled(_value: dict[str, Any], out: dict[str, Any], run: Run) -> dict[str, Any]:
    """Add the label to a resource, once; a contained one has its container's."""
    if run.inside:
        return out
    meta = out.get("meta")
    if meta is None:
        out["meta"] = _META
    else:
        labels = meta.get("security", [])
        if PSEUDONYMISED not in labels:
            meta["security"] = [*labels, PSEUDONYMISED]
    return out
