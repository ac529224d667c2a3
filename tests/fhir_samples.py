"""FHIR resources and plans for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from deid import SiteKey, compile_plan
from deid.fhir.context import Context
from deid.fhir.deidentify import deidentify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.fhir.deidentify import Deidentified
    from deid.fhir.plan import FhirPlan

KEY = SiteKey(bytes(range(7, 39)))
BASIC = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"


def fhir_plan(section: Mapping[str, Any] | None = None, **ours: Any) -> FhirPlan:
    """Return a plan by a `fhir` section and fields of ours."""
    configuration: dict[str, Any] = {"fhir": dict(section or {})}
    if ours:
        configuration["dicomveil"] = ours
    plan = compile_plan(configuration, KEY).fhir
    assert plan is not None
    return plan


def field_plan(section: Mapping[str, Any], **more: Any) -> FhirPlan:
    """Return a plan by a `fhirFieldConfig` section and further sections."""
    plan = compile_plan({"fhirFieldConfig": dict(section), **more}, KEY).fhir
    assert plan is not None
    return plan


def resource(kind: str, **elements: Any) -> dict[str, Any]:
    return {"resourceType": kind, **elements}


def bundle(*resources: dict[str, Any], **elements: Any) -> dict[str, Any]:
    entries = [{"resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries, **elements}


def run(
    document: dict[str, Any] | bytes, plan: FhirPlan | None = None, context: Context | None = None
) -> Deidentified:
    """De-identify a resource or a document's bytes."""
    source = document if isinstance(document, bytes) else orjson.dumps(document)
    return deidentify(source, plan or fhir_plan(), context or Context())


def result(
    document: dict[str, Any], plan: FhirPlan | None = None, context: Context | None = None
) -> Any:
    """Return what comes of one resource, without the label that says that it was pseudonymised."""
    new = orjson.loads(run(document, plan, context).to_bytes())
    meta = new.get("meta", {})
    if meta.get("security"):
        meta["security"].pop()
    if not meta.get("security", True):
        del meta["security"]
    if not meta:
        new.pop("meta", None)
    return new
