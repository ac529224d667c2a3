"""What a worker does with an input that holds FHIR resources: tell what ties them, de-identify, name."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from daemon.batch.associating import CONTEXT
from daemon.batch.naming import WITHOUT_PATIENT
from daemon.pipeline.fhir_large import unpacked
from daemon.pipeline.fhir_messages import ties_document
from daemon.pipeline.fhir_reading import read_sidecar
from daemon.pipeline.fhir_retelling import identity_of
from daemon.pipeline.ties import SHARED
from deid.errors import Reason, Unsafe
from deid.fhir.context import Context
from deid.fhir.known import known_identifiers
from deid.fhir.pieces import SMALL, kind_of_large, pieces
from deid.fhir.streams import deidentify_stream
from deid.fhir.ties import Ties, ties_of
from deid.identity.identifiers import KnownIdentifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from daemon.batch.associating import Identifier
    from daemon.resources import Content, ReadResource
    from deid.fhir.entries import Entry
    from deid.plan import Plan

_DIGEST: Final = 12
_MOST_IDENTIFIERS: Final = 2000
_SHARED_KIND: Final = "Organization"
_OTHER_KIND: Final = "Basic"
_TO_STUDIES: Final = (
    "DiagnosticReport/",
    "DocumentReference/",
    "Endpoint/",
    "ImagingStudy/",
    "Media/",
    "ServiceRequest/",
)
"""References to what may have a study's numbers."""


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


def ties_in(file: IO[bytes], most_bytes: int) -> list[dict[str, Any]]:
    """Return what the resources of a file say of their place, and of people; nothing of what cannot be read.

    Each by itself, but in a document that is not taken whole: there those that nothing but their patients
    ties to anything are told together, so that what is told grows with the patients only.
    """
    try:
        text = unpacked(file, most_bytes)
        start = text.read(SMALL + 1)
        if len(start) > SMALL:
            del start
            return _gathered(pieces(text, kind_of_large(text)))
    except Unsafe:
        return []
    return [
        _told(each.resource) for each in read_sidecar(start).entries if each.resource is not None
    ]


def _told(resource: ReadResource) -> dict[str, Any]:
    return {
        "ties": ties_document(resource.ties),
        "identifiers": [[*known] for known in resource.identifiers],
        "stated_ms": resource.stated_ms,
        "digest": _digest(resource.content),
    }


def _gathered(found: Iterable[Entry]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    groups: dict[Ties, dict[Identifier, None]] = {}
    for each in found:
        ties = ties_of(each)
        known = dict.fromkeys(
            (one.info_type, one.value) for one in known_identifiers((each.resource,))
        )
        if _is_anchor(ties):
            told.append(_part(ties, known))
            continue
        group = groups.setdefault(_shared_part(ties), {})
        if len(group) < _MOST_IDENTIFIERS:
            group |= known
    return told + [_part(ties, known) for ties, known in groups.items()]


def _part(ties: Ties, known: Iterable[Identifier]) -> dict[str, Any]:
    identifiers = [[*each] for each in known]
    return {
        "ties": ties_document(ties),
        "identifiers": identifiers,
        "stated_ms": 0,
        "digest": "",
        "is_part": True,
    }


def _is_anchor(ties: Ties) -> bool:
    """Whether something beside its patient may tie a resource, or it is the patient."""
    ways = (ties.uids, ties.accessions, ties.patient_identifiers, ties.searches)
    return ties.type == "Patient" or any(ways)


def _shared_part(ties: Ties) -> Ties:
    """Return what resources have in common that belong to the same patients."""
    kind = _SHARED_KIND if ties.type in SHARED else _OTHER_KIND
    to_studies = (each for each in ties.references if each.startswith(_TO_STUDIES))
    return Ties(
        kind,
        references=tuple(dict.fromkeys((*ties.patients, *to_studies))),
        patients=ties.patients,
    )


def _digest(content: Content) -> str:
    parts = (content.type.encode(), content.meta, content.rest)
    return sha256(b"\0".join(parts)).hexdigest()


class Made(NamedTuple):
    """What a file of resources became.

    Attributes
    ----------
    patient, name
        What it is to be called by: made of replacements only.
    digest
        Of its bytes (SHA-256).
    """

    patient: str
    name: str
    digest: str


def deidentify_resources(
    file: IO[bytes],
    most_bytes: int,
    plan: Plan,
    known: Sequence[tuple[str, str]],
    write: Callable[[bytes], object],
) -> Made:
    """De-identify a file of resources.

    Parameters
    ----------
    most_bytes
        Of the text, unpacked.
    known
        InfoType and value of what is known of people; `CONTEXT` says whose the resources are.
    write
        Takes the new bytes, piece by piece; they are to be thrown away where this raises.

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
    digest = sha256()

    def noted(piece: bytes) -> None:
        digest.update(piece)
        write(piece)

    made = deidentify_stream(
        unpacked(file, most_bytes),
        noted,
        plan.fhir,
        Context(
            identities,
            identity_of(context.get("patient", ""), issuer),
            tuple(KnownIdentifier(value, kind) for kind, value in known if kind != CONTEXT),
        ),
    )
    patient = made.pseudonyms[0] if len(made.pseudonyms) == 1 else WITHOUT_PATIENT
    short = digest.hexdigest()[:_DIGEST]
    name = f"{made.type}-{made.id or short}.json" if made.type else f"resources-{short}.ndjson"
    return Made(patient, name, digest.hexdigest())
