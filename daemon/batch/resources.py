"""What a worker does with an input that holds FHIR resources: tell what ties them, de-identify, name."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from daemon.batch.associating import CONTEXT
from daemon.batch.naming import WITHOUT_PATIENT
from daemon.pipeline.fhir_messages import ties_document
from daemon.pipeline.fhir_reading import inflated, read_sidecar
from daemon.pipeline.fhir_retelling import identity_of
from daemon.pipeline.fhir_work import MOST_BYTES
from deid.errors import Reason, Unsafe
from deid.fhir.context import Context
from deid.fhir.deidentify import deidentify
from deid.fhir.reading import Kind
from deid.identity.identifiers import KnownIdentifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.resources import Content
    from deid.fhir.deidentify import Deidentified
    from deid.plan import Plan

_DIGEST: Final = 12


class Contradictory(Exception):
    """Its resources belong to two patients, or another version of it lies beside it.

    Attributes
    ----------
    is_earlier
        Whether that other version says that it is the later one, so that nothing is lost.
    """

    def __init__(self, reason: str, *, is_earlier: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_earlier = is_earlier


def ties_in(data: bytes) -> list[dict[str, Any]]:
    """Return what each resource of a file says of its place, and of people; nothing of what cannot be read."""
    document = read_sidecar(data, MOST_BYTES)
    return [
        {
            "ties": ties_document(each.resource.ties),
            "identifiers": [[*known] for known in each.resource.identifiers],
            "stated_ms": each.resource.stated_ms,
            "digest": _digest(each.resource.content),
        }
        for each in document.entries
        if each.resource is not None
    ]


def _digest(content: Content) -> str:
    parts = (content.type.encode(), content.meta, content.rest)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def deidentify_resources(
    data: bytes, plan: Plan, known: Sequence[tuple[str, str]]
) -> tuple[bytes, dict[str, str]]:
    """Return the new bytes of a file of resources, and what it is to be called by.

    Parameters
    ----------
    known
        InfoType and value of what is known of people; `CONTEXT` says whose the resources are.

    Raises
    ------
    Unsafe
        When it must not be passed on.
    Contradictory
        When it is not clear whose it is, or which of two versions counts; or when it is not this one.
    """
    if plan.fhir is None:
        raise Unsafe(Reason.NOT_CONFIGURED)
    context: dict[str, Any] = next((json.loads(v) for kind, v in known if kind == CONTEXT), {})
    if context.get("refuse"):
        raise Contradictory(context["refuse"], is_earlier=context["is_earlier"])
    issuer = plan.fhir.policy.default_issuer
    identities = {
        address: identity_of(patient, issuer)
        for address, patient in context.get("identities", {}).items()
    }
    made = deidentify(
        inflated(data, MOST_BYTES),
        plan.fhir,
        Context(
            identities,
            identity_of(context.get("patient", ""), issuer),
            tuple(KnownIdentifier(value, kind) for kind, value in known if kind != CONTEXT),
        ),
    )
    if not made.document.resources:
        raise Unsafe(Reason.RESOURCE_NOT_LISTED)
    new = made.to_bytes()
    patient = made.pseudonyms[0] if len(made.pseudonyms) == 1 else WITHOUT_PATIENT
    return new, {"patient_id": patient, "name": _name(made, new)}


def _name(made: Deidentified, new: bytes) -> str:
    """Return the name of an output, made of replacements only."""
    first = made.document.resources[0]
    digest = hashlib.sha256(new).hexdigest()[:_DIGEST]
    kind, resource_id = str(first["resourceType"]), first.get("id")
    if made.document.kind is Kind.NDJSON:
        return f"resources-{digest}.ndjson"
    named = resource_id if isinstance(resource_id, str) and resource_id else digest
    return f"{kind}-{named}.json"
