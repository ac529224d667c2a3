"""Identifiers, references and addresses of resources, and what stands for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from deid.fhir.leaves import REMOVED, REPLACED, malformed
from deid.fhir.names import without_titles
from deid.fhir.references import (
    Conditional,
    Fragment,
    Literal,
    Urn,
    parse_query,
    parse_reference,
    split_token,
)
from deid.fhir.ties import identifier_types
from deid.identity.labels import LABELS_BY_IDENTIFIER_TYPE, Label
from deid.tables.dictionary import uids as registered_uids
from deid.tables.fhir import fhir_resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.fhir.leaves import Leaf
    from deid.fhir.run import Run

OUR_SYSTEM: Final = "https://dicomveil.invalid/identifier/"
DICOM_UID: Final = "urn:dicom:uid"
STUDY_INSTANCE_UID: Final = 0x0020000D
_OID: Final = "urn:oid:"
_UUID: Final = "urn:uuid:"
_URN_UUID: Final = re.compile(r"urn:uuid:[0-9a-f.\-]{1,128}\Z")
_UID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9]\d{0,38}))+\Z")

LABELS_BY_OWNER: Final[dict[str, Label]] = {
    "Patient": Label.PATIENT,
    "RelatedPerson": Label.RESOURCE,
    "Person": Label.PATIENT,
    "ServiceRequest": Label.PLACER_ORDER,
    "Encounter": Label.ENCOUNTER,
    "EpisodeOfCare": Label.EPISODE,
    "Device": Label.DEVICE,
    "DeviceMetric": Label.DEVICE,
    "Specimen": Label.SPECIMEN,
    "Specimen.container": Label.CONTAINER,
    "Practitioner": Label.PRACTITIONER,
    "PractitionerRole": Label.PRACTITIONER,
    "Organization": Label.ORGANIZATION,
    "Location": Label.LOCATION,
    "Coverage": Label.COVERAGE,
}
"""What an identifier without a telling type is of, by where it stands or what its reference points at."""
_NAMES: Final[dict[Label, str]] = {label: label.name.lower().replace("_", "-") for label in Label}
INFO_TYPES: Final[dict[Label, str]] = {
    Label.PATIENT: "MEDICAL_RECORD_NUMBER",
    Label.ACCESSION: "ACCESSION",
    Label.PLACER_ORDER: "ACCESSION",
    Label.FILLER_ORDER: "ACCESSION",
}
_DISPLAYED: Final[dict[str, str]] = {
    "Patient": "PERSON_NAME",
    "Practitioner": "PERSON_NAME",
    "PractitionerRole": "PERSON_NAME",
    "RelatedPerson": "PERSON_NAME",
    "Person": "PERSON_NAME",
    "Organization": "ORGANIZATION_NAME",
    "Location": "LOCATION",
}
_SEARCHED: Final = frozenset(
    {"identifier", "_id", "patient", "subject", "encounter", "beneficiary"}
)

_MODIFIERS: Final = frozenset({"", "exact", "identifier", "of-type", "not", "missing"})


def label_of(identifier: dict[str, Any], owner: str) -> Label:
    """Return what an identifier is of: by its type, else by what it belongs to."""
    for kind in sorted(identifier_types(identifier)):
        if kind in LABELS_BY_IDENTIFIER_TYPE:
            return LABELS_BY_IDENTIFIER_TYPE[kind]
    return LABELS_BY_OWNER.get(owner, Label.RESOURCE)


def replaced_identifier(system: str, value: str, label: Label, run: Run) -> tuple[str, str]:
    """Return what stands for an identifier's system and value."""
    uid = value.removeprefix(_OID)
    if system == DICOM_UID or (_UID.match(uid) and value.startswith(_OID)):
        if uid in registered_uids():
            return system, value
        new = run.plan.primary_uid(STUDY_INSTANCE_UID, uid)
        return DICOM_UID, value.replace(uid, new) if uid else new
    if system.startswith(OUR_SYSTEM) and _is_ours(value, run):
        return system, value
    run.meets(value.strip(), INFO_TYPES.get(label, "GENERIC_ID"))
    if label is Label.PATIENT:
        return OUR_SYSTEM + _NAMES[label], run.patient_label(system, value)
    return OUR_SYSTEM + _NAMES[label], run.plan.token(label, value.strip())


def _is_ours(value: str, run: Run) -> bool:
    replacements = run.plan.replacements
    return replacements.is_own_pseudonym(value) or any(
        replacements.is_own_token(label, value) for label in Label
    )


def identifier_parts(path: str, owner: str) -> Callable[[dict[str, Any], Run], dict[str, Any]]:
    """Return what replaces system and value of an Identifier; its other elements have rules of their own."""
    owner = next((each for each in owner.split("|") if each in LABELS_BY_OWNER), owner)

    def before(value: dict[str, Any], run: Run) -> dict[str, Any]:
        given, system = value.get("value"), value.get("system")
        if given is None and system is None:
            return value
        if given is not None and type(given) is not str:
            raise malformed(path)
        if system is not None and type(system) is not str:
            raise malformed(path)
        run.actions[path, REPLACED] += 1
        label = label_of(value, owner)
        new_system, new_value = replaced_identifier(system or "", given or "", label, run)
        out = {**value, "system": new_system}
        if given is not None:
            out["value"] = new_value
        return out

    return before


def resource_id(path: str, kind: str) -> Leaf:
    """Replace a resource's own id, as references to it are replaced."""
    replaced = (path, REPLACED)

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        run.actions[replaced] += 1
        return contained_id(value, run) if run.inside else run.plan.resource_id(kind, value)

    return leaf


def reference_text(path: str) -> Leaf:
    """Replace what a Reference's reference says, so that it points where it pointed."""
    replaced, removed = (path, REPLACED), (path, REMOVED)

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        references = run.references
        if value in references:
            new = references[value]
        else:
            new = references[value] = replaced_reference(value, run)
        run.actions[removed if new is None else replaced] += 1
        return new

    return leaf


def replaced_reference(text: str, run: Run) -> str | None:
    """Return what stands for a reference in any of its forms, None for what is none."""
    plan = run.plan
    if _URN_UUID.match(text) is not None:  # of each resource of a record, and found in no cache
        return _UUID + plan.uuid(text[len(_UUID) :])
    parsed = parse_reference(text)
    match parsed:
        case Literal():
            base = _base(parsed.base, run)
            new = f"{base}{parsed.type}/{plan.resource_id(parsed.type, parsed.id)}"
            return f"{new}/_history/{version(parsed.version, run)}" if parsed.version else new
        case Urn("uuid", value):
            return _UUID + plan.uuid(value)
        case Urn():
            return plan.oid_urn(parsed.value)
        case Fragment():
            return f"#{contained_id(parsed.id, run)}" if parsed.id else "#"
        case Conditional():
            query = replaced_query(parsed.parameters, parsed.type, run)
            return f"{_base(parsed.base, run)}{parsed.type}?{query}" if query else None
    return None


def contained_id(original: str, run: Run) -> str:
    """Return what stands for the id of a contained resource."""
    return run.plan.resource_id("#", original)


def version(original: str, run: Run) -> str:
    """Return what stands for a version: a small number stays."""
    if original.isdigit() and len(original) <= 4:
        return original
    return run.plan.resource_id("_history", original)


def _base(original: str, run: Run) -> str:
    if original in ("", "/"):
        return original
    return run.plan.base(original)


def replaced_query(parameters: tuple[tuple[str, str], ...], kind: str, run: Run) -> str:
    """Return a search with its parameters replaced; those that nobody knows are left out."""
    kept = []
    for name, value in parameters:
        bare, _colon, modifier = name.partition(":")
        if bare not in _SEARCHED or not (modifier in _MODIFIERS or modifier in fhir_resources()):
            continue
        if bare == "identifier":
            system, number = split_token(value)
            label = LABELS_BY_OWNER.get(kind, Label.RESOURCE)
            new_system, new = replaced_identifier(system, number, label, run)
            kept.append(f"{name}={quote(f'{new_system}|{new}', safe=':/|')}")
        elif bare == "_id":
            kept.append(f"{name}={run.plan.resource_id(kind, value)}")
        else:
            owner = "Encounter" if bare == "encounter" else "Patient"
            new_reference = replaced_reference(value if "/" in value else f"{owner}/{value}", run)
            if new_reference is not None:
                short = new_reference if "/" in value else new_reference.rpartition("/")[2]
                kept.append(f"{name}={quote(short, safe=':/')}")
    return "&".join(kept)


def replaced_url(text: str, run: Run) -> str | None:
    """Return what stands for a request's address: a type, a resource, its history, or a search."""
    if text in fhir_resources():
        return text
    path, mark, query = text.partition("?")
    if not mark:
        parts = path.strip("/").split("/")
        if len(parts) == 1 and parts[0] in fhir_resources():
            return path
        if len(parts) == 3 and parts[2] == "_history":
            inner = replaced_reference(f"{parts[0]}/{parts[1]}", run)
            return inner and f"{inner}/_history"
        return replaced_reference(text, run)
    found = parse_reference(text)
    if not isinstance(found, Conditional):
        return None
    new = replaced_query(parse_query(query), found.type, run)
    return f"{_base(found.base, run)}{found.type}?{new}" if new else None


def displayed(path: str, targets: tuple[str, ...]) -> Leaf:
    """Remove a Reference's display; a person's or a place's is looked for everywhere else."""
    kinds = tuple(dict.fromkeys(_DISPLAYED[each] for each in targets if each in _DISPLAYED))
    info_type = kinds[0] if kinds else ""
    removed = (path, REMOVED)

    def leaf(value: Any, run: Run) -> None:
        if type(value) is not str:
            raise malformed(path)
        if info_type and value not in run.displays:
            run.displays.add(value)
            run.meets(without_titles(value) if info_type == "PERSON_NAME" else value, info_type)
        run.actions[removed] += 1

    return leaf


def instance_uid(path: str, tag: int) -> Leaf:
    """Replace a UID of DICOM as it is replaced in instances."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        run.actions[path, REPLACED] += 1
        uid = value.removeprefix(_OID)
        new = uid if uid in registered_uids() else run.plan.primary_uid(tag, uid)
        return new if uid is value else _OID + new

    return leaf
