"""What a configuration asks of FHIR resources: `FhirConfig`, `FhirFieldConfig`, and our own fields."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from deid.fhir.policy import FhirPolicy, FhirProfile, FieldRule, TextLevel, Verb
from deid.tables.fhir import fhir_types
from deid.tags.policy import Option
from deid.text.policy import CustomInfoType, TextPolicy

if TYPE_CHECKING:
    from deid.configuration.notes import Notes
    from deid.text.policy import InfoTypeTransformation

_ACTIONS: Final = {
    "ACTION_UNSPECIFIED": Verb.KEEP,
    "TRANSFORM": Verb.TRANSFORM,
    "INSPECT_AND_TRANSFORM": Verb.CLEAN,
    "DO_NOT_TRANSFORM": Verb.KEEP,
}
_VERBS: Final = {
    "keepField": Verb.KEEP,
    "removeField": Verb.REMOVE,
    "cleanTextField": Verb.CLEAN,
    "cryptoHashField": Verb.HASH,
    "characterMaskField": Verb.MASK,
    "dateShiftField": Verb.SHIFT,
}
_OURS: Final = ("fhirText", "identityIssuers", "unmatched")
_KEY_BYTES: Final = (16, 24, 32)


def read_fhir(
    notes: Notes,
    given: dict[str, Any],
    options: frozenset[Option],
    transformations: tuple[InfoTypeTransformation, ...],
    excluded: frozenset[str],
    custom: tuple[CustomInfoType, ...],
) -> tuple[FhirPolicy | None, bytes | None]:
    """Return what decides about resources, None where there is no section; and the key of date shifts."""
    ours = given.get("dicomveil", {})
    if "fhir" in given and "fhirFieldConfig" in given:
        notes.problems.append(
            "fhir and fhirFieldConfig say both what becomes of resources; keep one"
        )
    section = "fhirFieldConfig" if "fhirFieldConfig" in given else "fhir"
    if section not in given:
        for name in _OURS:
            if name in ours:
                notes.problems.append(
                    f"dicomveil.{name} is about FHIR resources, and there is no fhir; add it or leave this out"
                )
        return None, None
    stated, chosen = given[section], given[section].get("options", {})
    named = stated.get("profileType", "BASIC")
    profile = FhirProfile.BASIC if named.endswith("UNSPECIFIED") else FhirProfile(named)
    level = TextLevel(ours.get("fhirText", "remove"))
    keeps_unmatched = ours.get("unmatched") == "keep"
    if keeps_unmatched:
        notes.warn("unmatched_fields_kept", "dicomveil.unmatched")
        if section == "fhirFieldConfig":
            notes.problems.append(
                "dicomveil.unmatched is for fhir; set fhirFieldConfig.profileType to KEEP_ALL instead"
            )
    if profile is not FhirProfile.BASIC:
        notes.warn("profile_keeps_identity", "fhirFieldConfig.profileType")
    issuers = {system: issuer.strip() for system, issuer in ours.get("identityIssuers", {}).items()}
    return (
        FhirPolicy(
            profile,
            _rules(notes, stated, section),
            keep_extensions=bool(stated.get("defaultKeepExtensions") or "keepExtensions" in chosen),
            keeps_unmatched=keeps_unmatched,
            text_level=level,
            text=TextPolicy(
                transformations,
                excluded,
                basic=given.get("text", {}).get("profileType") != "EMPTY",
                contextual="contextualDeid" in chosen,
                custom=custom,
                strict=level is TextLevel.PARANOID,
            ),
            issuers=issuers,
            default_issuer=ours.get("identityIssuer", "").strip(),
            masking_character=_masking_character(notes, chosen),
            hash_key=_key(notes, chosen, "cryptoHashConfig"),
            keeps_dates=Option.RETAIN_FULL_DATES in options,
        ),
        _key(notes, chosen, "dateShiftConfig"),
    )


def _rules(notes: Notes, stated: dict[str, Any], section: str) -> tuple[FieldRule, ...]:
    rules = []
    for index, each in enumerate(stated.get("fieldMetadataList", [])):
        path = f"{section}.fieldMetadataList[{index}]"
        verb = _verb(each)
        paths = tuple(
            parts
            for at, text in enumerate(each.get("paths", []))
            if (parts := _parts(notes, f"{path}.paths[{at}]", text))
        )
        if not each.get("paths"):
            notes.warn("empty_list", f"{path}.paths")
        elif paths:
            rules.append(FieldRule(paths, verb))
    return tuple(rules)


def _verb(metadata: dict[str, Any]) -> Verb:
    for name, verb in _VERBS.items():
        if name in metadata:
            return verb
    return _ACTIONS[metadata.get("action", "ACTION_UNSPECIFIED")]


def _parts(notes: Notes, path: str, text: str) -> tuple[str, ...]:
    """Return the parts of a path; note one that names nothing of FHIR R4."""
    from deid.fhir.configured import parts_of  # noqa: PLC0415 - most configurations name no fields

    parts = parts_of(text.strip())
    known = _names()
    for part in parts:
        if part not in known:
            near = difflib.get_close_matches(part[:64], known, 1, 0.6)
            hint = f"did you mean {near[0]}?" if near else "see FHIR R4's definitions"
            notes.problems.append(
                f"{path} names {part[:64] or 'nothing'}, which R4 does not have; {hint}"
            )
            return ()
    return parts


@cache
def _names() -> frozenset[str]:
    names: set[str] = {"LanguageCode", "AdministrativeGenderCode"}
    for kind, elements in fhir_types().items():
        names.add(kind.rpartition(".")[2])
        for element in elements.values():
            names.update((element.name, element.stem, element.stem[:1].upper() + element.stem[1:]))
            last = element.type.rpartition(".")[2]
            names.update(
                (last, last[:1].upper() + last[1:], element.name.removeprefix(element.stem))
            )
    return frozenset(names)


def _masking_character(notes: Notes, chosen: dict[str, Any]) -> str:
    character = str(chosen.get("characterMaskConfig", {}).get("maskingCharacter", "*")) or "*"
    if len(character) != 1 or not character.isprintable():
        notes.problems.append(
            "fhirFieldConfig.options.characterMaskConfig.maskingCharacter must be one printable character"
        )
    return character


def _key(notes: Notes, chosen: dict[str, Any], name: str) -> bytes | None:
    key: bytes | None = chosen.get(name, {}).get("cryptoKey")
    if key is not None and len(key) not in _KEY_BYTES:
        notes.problems.append(
            f"fhirFieldConfig.options.{name}.cryptoKey has {len(key)} bytes; an AES key has 16, 24 or 32"
        )
    return key
