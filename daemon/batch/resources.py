"""What a worker does with an input that holds FHIR resources: tell what ties them, de-identify, name."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

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
from deid.identity.identifiers import MOST_AT_ONCE, KnownIdentifier
from deid.text.crowd import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from daemon.resources import Content, ReadResource
    from deid.fhir.entries import Entry
    from deid.plan import Plan
    from deid.text.crowd import Crowd

_DIGEST: Final = 12
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


class Told(NamedTuple):
    """What the resources of a file tell.

    Attributes
    ----------
    resources
        Of each, or of some together, their ties and what they tell of people.
    crowd
        A digest of what was too much for that and stands in a file; empty where nothing was.
    """

    resources: list[dict[str, Any]]
    crowd: str = ""


def ties_in(file: IO[bytes], most_bytes: int, crowd: IO[bytes]) -> Told:
    """Return what the resources of a file say of their place, and of people; nothing of what cannot be read.

    Each by itself, but in a document that is not taken whole: there those that nothing but their patients
    ties to anything are told together, so that what is told grows with the patients only. Where that is very
    much of people, it goes into a file.
    """
    try:
        text = unpacked(file, most_bytes)
        start = text.read(SMALL + 1)
        if len(start) > SMALL:
            del start
            return _gathered(pieces(text, kind_of_large(text)), crowd)
    except Unsafe:
        return Told([])
    return Told(
        [_told(each.resource) for each in read_sidecar(start).entries if each.resource is not None]
    )


def _told(resource: ReadResource) -> dict[str, Any]:
    return {
        "ties": ties_document(resource.ties),
        "identifiers": [[*known] for known in resource.identifiers],
        "stated_ms": resource.stated_ms,
        "digest": _digest(resource.content),
    }


def _gathered(found: Iterable[Entry], crowd: IO[bytes]) -> Told:
    told: list[dict[str, Any]] = []
    groups: dict[Ties, _Group] = {}
    gathering = Gathering(crowd)
    for each in found:
        ties = ties_of(each)
        known = known_identifiers((each.resource,))
        if _is_anchor(ties):
            told.append(_part(ties, known))
            continue
        groups.setdefault(_shared_part(ties), _Group(gathering)).add(known)
    told += [_part(ties, group.known) for ties, group in groups.items()]
    return Told(told, gathering.finish() if any(each.is_crowd for each in groups.values()) else "")


class _Group:
    """What resources tell of people that are told together; once that is very much, it is gathered."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self.known: dict[KnownIdentifier, None] = {}
        self.is_crowd = False

    def add(self, known: Iterable[KnownIdentifier]) -> None:
        if not self.is_crowd:
            self.known |= dict.fromkeys(known)
            if len(self.known) <= MOST_AT_ONCE:
                return
            self.is_crowd = True
            known, self.known = self.known, {}
        self._gathering.add(known)


def _part(ties: Ties, known: Iterable[KnownIdentifier]) -> dict[str, Any]:
    identifiers = [[each.info_type, each.value] for each in known]
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
    crowds: Sequence[Crowd],
    write: Callable[[bytes], object],
    scratch: Callable[[], BinaryIO],
) -> Made:
    """De-identify a file of resources.

    Parameters
    ----------
    most_bytes
        Of the text, unpacked.
    known
        InfoType and value of what is known of people; `CONTEXT` says whose the resources are.
    crowds
        Of very many people.
    write
        Takes the new bytes, piece by piece; they are to be thrown away where this raises.
    scratch
        Opens a file without a name.

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
            crowds=tuple(crowds),
        ),
        scratch,
    )
    patient = made.pseudonyms[0] if len(made.pseudonyms) == 1 else WITHOUT_PATIENT
    short = digest.hexdigest()[:_DIGEST]
    name = f"{made.type}-{made.id or short}.json" if made.type else f"resources-{short}.ndjson"
    return Made(patient, name, digest.hexdigest())
