"""What a configuration does to FHIR resources, path by path, asked from what the engine looks up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from deid.fhir import configured
from deid.fhir.acting import PRIMITIVES, action_for, actions
from deid.fhir.placeholders import depends
from deid.fhir.policy import FhirProfile, TextLevel, Verb
from deid.fhir.resources import LISTED
from deid.tables.fhir import FHIR_EDITION, FhirElement, fhir_resources, fhir_types, fhir_versions
from deid.text.folding import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.fhir.policy import FhirPolicy

KEPT, REMOVED, MOVED, REPLACED, CLEANED, JUDGED, PARTS = (
    "kept", "removed", "moved", "replaced", "cleaned", "judged", "by its parts",
)  # fmt: skip

_TEXT: Final = {
    TextLevel.REMOVE: (REMOVED, "removed"),
    TextLevel.INSPECT: (CLEANED, "cleaned as text"),
    TextLevel.PARANOID: (CLEANED, "cleaned as text; words that are not recognised go, too"),
}
_SAYINGS: Final[dict[str, tuple[str, str]]] = {
    "boolean": (KEPT, "kept"),
    "number": (KEPT, "kept, unless it is somebody's number"),
    "time": (KEPT, "kept"),
    "kept": (REPLACED, "replaced"),
    "moment": (MOVED, "moved by the patient's shift in its own precision; what is no date goes"),
    "years": (JUDGED, "cut to its years, which stay; what is no date goes"),
    "birth_date": (MOVED, "moved by the patient's shift; of who may be over 89, removed"),
    "code": (JUDGED, "kept when it is one of its value set or of a usual form, else removed"),
    "coding": (JUDGED, "kept when its system is known and has such codes, else removed"),
    "system": (JUDGED, "kept when it is known, else removed"),
    "unit": (JUDGED, "kept when it is a unit of UCUM or recognised, else removed"),
    "standard_url": (JUDGED, "kept when it is a standards body's, else removed"),
    "type_name": (JUDGED, "kept when R4 has such a type, else removed"),
    "version": (JUDGED, "kept when it is a small number, else replaced by a keyed token"),
    "link": (JUDGED, "kept when it is short and numbered, else replaced by a keyed token"),
    "oid": (REPLACED, "replaced as UIDs are"),
    "uuid": (REPLACED, "replaced by a keyed one"),
    "reference": (REPLACED, "replaced, pointing where it pointed"),
    "request_url": (REPLACED, "replaced, pointing where it pointed"),
    "search": (REPLACED, "replaced, finding what it found"),
    "no_address": (REPLACED, "replaced by an address that does not exist"),
    "pseudonym": (REPLACED, "replaced by the patient's pseudonym"),
    "safe_address": (
        JUDGED,
        "country, US state and three digits of the ZIP code kept, the rest removed",
    ),
    "token": (REPLACED, "replaced by a keyed token"),
    "uid": (REPLACED, "replaced as in instances"),
    "samples": (JUDGED, "kept when it is all numbers, else removed"),
    **dict.fromkeys(
        ("version_text", "word", "relation", "etag", "status"),
        (JUDGED, "kept when it has the usual form, else removed"),
    ),
    **dict.fromkeys(
        ("removed", "names_removed", "addresses_removed", "contacts_removed", "met"),
        (REMOVED, "removed"),
    ),
}
_VERBS: Final[dict[Verb, tuple[str, str]]] = {
    Verb.KEEP: (KEPT, "kept as it is, as configured"),
    Verb.REMOVE: (REMOVED, "removed, as configured"),
    Verb.CLEAN: (CLEANED, "cleaned as text, as configured"),
    Verb.HASH: (REPLACED, "replaced by its keyed hash, as configured"),
    Verb.MASK: (REPLACED, "masked, as configured"),
    Verb.SHIFT: (MOVED, "moved by the patient's shift, as configured; what is no date goes"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """An element of a type or resource, and what becomes of it.

    Attributes
    ----------
    kind
        `KEPT`, `REMOVED`, `MOVED`, `REPLACED`, `CLEANED`, `JUDGED` (kept or not, by its value) or `PARTS`.
    by_path
        Whether this path has a rule of its own, rather than its type.
    """

    path: str
    type: str
    kind: str
    saying: str
    by_path: bool = False

    def line(self) -> str:
        """Return it as a line of text."""
        return f"{self.path} ({self.type}): {self.saying}"


def fields(policy: FhirPolicy) -> tuple[Field, ...]:
    """Return every element of the listed resources and of the data types that they are made of.

    Within a data type of one resource's element only what the configuration names is told apart.
    """
    found: list[Field] = []
    for kind in (*sorted(LISTED), *sorted(_data_types())):
        trail: configured.Trail = (frozenset({kind}),) if policy.rules else ()
        above = frozenset[str]() if kind in LISTED else frozenset({kind})
        found += _of_type(policy, kind, kind, trail, _inherited(policy), above)
    return tuple(found)


def _data_types() -> set[str]:
    return {
        kind
        for kind, version in fhir_versions().items()
        if version == "R4"
        and kind not in fhir_resources()
        and kind not in PRIMITIVES
        and kind in _USED
    }


_USED: Final = words(
    """
    Address Age Annotation Attachment CodeableConcept Coding ContactPoint Count Distance Dosage Duration
    HumanName Identifier Meta Money Period Quantity Range Ratio Reference SampledData Timing
    """
)


def _inherited(policy: FhirPolicy) -> Verb | None:
    if policy.keeps_unmatched or policy.profile is FhirProfile.KEEP_ALL:
        return Verb.KEEP
    return Verb.CLEAN if policy.profile is FhirProfile.CLEAN_ALL else None


def _of_type(
    policy: FhirPolicy,
    kind: str,
    path: str,
    trail: configured.Trail,
    inherited: Verb | None,
    above: frozenset[str],
) -> Iterator[Field]:
    for element in fhir_types()[kind].values():
        here = f"{path}.{element.name}"
        verdict = configured.verdict(element, trail, inherited, policy)
        field = _field(policy, element, kind, here, verdict)
        yield field
        if field.kind is not PARTS or element.type in above:
            continue
        inner = _of_type(
            policy, element.type, here, verdict.trail, verdict.verb, above | {element.type}
        )
        if element.type.startswith(f"{kind}.") or "." in element.type:
            yield from inner
        elif policy.rules and len(above) < _DEEPEST:
            usual = dict(_usual(policy, element.type))
            for each in inner:
                if usual.get(each.path.removeprefix(f"{here}.")) != each.saying:
                    yield each


_DEEPEST: Final = 3


def _usual(policy: FhirPolicy, kind: str) -> Iterator[tuple[str, str]]:
    plain = replace(policy, rules=())
    for each in _of_type(plain, kind, kind, (), _inherited(policy), frozenset({kind})):
        yield each.path.removeprefix(f"{kind}."), each.saying


def _field(
    policy: FhirPolicy, element: FhirElement, owner: str, path: str, verdict: configured.Verdict
) -> Field:
    verb, trail = verdict
    own = f"{owner}.{element.name}" in actions() or (verb is not None and bool(policy.rules))
    made = partial(Field, path, element.type, by_path=own)
    if element.type == "Extension":
        kept = "listed ones kept, coded parts only; others " + (
            "kept, each value by the rules of its type" if policy.keep_extensions else "removed"
        )
        return made(JUDGED, kept)
    if element.type == "Resource":
        return made(PARTS, "by the rules of its type; one that is not listed is removed")
    if verb is Verb.REMOVE:
        return made(*_VERBS[verb])
    is_document = element.name == "data" and owner in ("Attachment", "Binary")
    if is_document and verb is None and policy.text_level is not TextLevel.REMOVE:
        cleaned = _TEXT[policy.text_level][1]
        return made(JUDGED, f"{cleaned} when it is plain text, else removed")
    if depends(owner, element.name):
        return made(JUDGED, "kept where what it belongs to is, else removed")
    if element.type not in PRIMITIVES:
        if verb in configured.WITHIN:
            return made(PARTS, f"by the rules of {element.type}")
        is_whole = not configured.reaches(element, trail, policy)
        word = action_for(element, f"{owner}.{element.name}").partition(":")[0] if is_whole else ""
        return made(*_SAYINGS.get(word, (PARTS, f"by the rules of {element.type}")))
    if verb is not None and verb is not Verb.TRANSFORM and verb in _VERBS:
        return made(*_configured(policy, element, owner, verb))
    is_in_words = action_for(element, f"{owner}.{element.name}") in ("text", "term")
    if verb is Verb.TRANSFORM and is_in_words:
        return made(*_VERBS[Verb.REMOVE])
    return made(*_by_table(policy, element, owner))


def _configured(
    policy: FhirPolicy, element: FhirElement, owner: str, verb: Verb
) -> tuple[str, str]:
    is_text, is_date = element.type in configured.TEXTS, element.type in configured.DATES
    is_own_id = element.name == "id" and owner in LISTED
    match verb:
        case Verb.CLEAN if is_date:
            return _VERBS[Verb.SHIFT]
        case Verb.CLEAN if is_own_id or not configured.is_text(element, f"{owner}.{element.name}"):
            return _by_table(policy, element, owner)
        case Verb.SHIFT if not is_date:
            return _VERBS[Verb.REMOVE]
        case Verb.HASH | Verb.MASK if not is_text and element.type != "decimal":
            return _VERBS[Verb.REMOVE]
    return _VERBS[verb]


def _by_table(policy: FhirPolicy, element: FhirElement, owner: str) -> tuple[str, str]:
    if element.name == "id":
        is_own = owner in LISTED
        return (REPLACED, "replaced by a keyed token") if is_own else (REMOVED, "removed")
    if owner == "Reference" and element.name == "display":
        return REMOVED, "removed"
    word = action_for(element, f"{owner}.{element.name}").partition(":")[0]
    if word == "text":
        return _TEXT[policy.text_level]
    if word == "term":
        return JUDGED, f"kept when every word is recognised, else {_TEXT[policy.text_level][1]}"
    return _SAYINGS[word]


def type_lines(found: tuple[Field, ...]) -> Iterator[str]:
    """Yield what becomes of a primitive type where no path says otherwise, a line to each."""
    said: dict[str, str] = {}
    for field in found:
        if field.type in PRIMITIVES and not field.by_path and not field.path.endswith(".id"):
            said.setdefault(field.type, field.saying)
    for kind in sorted(said):
        yield f"every other {kind}: {said[kind]}"


def resource_sentences(policy: FhirPolicy) -> Iterator[str]:
    """Yield what holds for resources as a whole."""
    yield (
        f"{len(LISTED)} types of FHIR {FHIR_EDITION} pass; all others do not, nor what R4 does not have."
    )
    if policy.profile is not FhirProfile.BASIC or policy.keeps_unmatched:
        yield "Fields that no path names are not de-identified, as you configured."
    yield "Patients, references, numbers and UIDs are replaced as in instances."
    yield "Dates stay." if policy.keeps_dates else "Dates move by the patient's shift."
    yield f"Free text: {_TEXT[policy.text_level][1]}."
    if policy.issuers:
        yield f"{len(policy.issuers)} systems of identifiers have an issuer of Patient IDs."
    yield "What is left is searched for what is known of people; what is found goes."
