"""What a configuration asks of text: `TextConfig`, and what options of ours add to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deid.configuration.proto_json import TRANSFORMATIONS
from deid.tags.policy import Option, Profile
from deid.text.info_types import ALIASES
from deid.text.policy import CustomInfoType, InfoTypeTransformation, TextPolicy, Transformation

if TYPE_CHECKING:
    from deid.configuration.notes import Notes
    from deid.configuration.tag_sections import Tags

_TRANSFORMATIONS: Final = dict(
    zip(
        TRANSFORMATIONS,
        (
            Transformation.REDACT,
            Transformation.MASK,
            Transformation.DATE_SHIFT,
            Transformation.CRYPTO_HASH,
            Transformation.REPLACE_WITH_INFO_TYPE,
        ),
        strict=True,
    )
)
# Options under which Table E.1-1 has texts cleaned.
_REPLACED_DAYS: Final = InfoTypeTransformation(
    Transformation.REPLACE_WITH_INFO_TYPE, frozenset({"DATE"})
)
_CLEANING: Final = frozenset({Option.CLEAN_DESCRIPTORS, Option.RETAIN_PATIENT_CHARACTERISTICS})
_KEY_BYTES: Final = (16, 24, 32)


def read_text(
    notes: Notes,
    given: dict[str, Any],
    tags: Tags | None,
    options: frozenset[Option],
    custom: tuple[CustomInfoType, ...],
    said: tuple[tuple[InfoTypeTransformation, ...], frozenset[str]],
    *,
    is_used_elsewhere: bool = False,
) -> TextPolicy | None:
    """Return how text is cleaned in instances; None when nothing in the configuration cleans any.

    Parameters
    ----------
    said
        What `read_transformations` returned.
    is_used_elsewhere
        Whether the section is about resources, too.
    """
    text = given.get("text", {})
    transformations, excluded = list(said[0]), said[1]
    if tags is None:
        return None
    strict = not _CLEANING.isdisjoint(options)
    used = (
        strict
        or tags.profile is Profile.TAG_CONTENTS
        or any(each.verb == "clean_text" for each in tags.overrides)
    )
    if not used:
        if "text" in given and not is_used_elsewhere:
            notes.warn("text_is_not_used", "text")
        return None
    empty = text.get("profileType") == "EMPTY" or tags.cleans_listed
    days_are_asked_for = any(
        not each.info_types or "DATE" in each.info_types for each in transformations
    )
    if strict and not (empty or tags.clean_descriptors or days_are_asked_for):
        # Clean Descriptors: what an option says of dates it says of those in text (PS3.15 E.3.5, E.3.6).
        if Option.RETAIN_FULL_DATES in options:
            excluded |= {"DATE"}
        elif Option.RETAIN_MODIFIED_DATES not in options:
            transformations.append(_REPLACED_DAYS)
    return TextPolicy(
        tuple(transformations),
        excluded,
        basic=not empty,
        contextual=tags.clean_descriptors,
        custom=custom,
        strict=strict,
    )


def read_transformations(
    notes: Notes, given: dict[str, Any], names: set[str]
) -> tuple[tuple[InfoTypeTransformation, ...], frozenset[str]]:
    """Return the transformations of `TextConfig` in order, and the infoTypes that are left as they are."""
    text = given.get("text", {})
    transformations = tuple(
        made
        for name in ("additionalTransformations", "transformations")
        for index, each in enumerate(text.get(name, []))
        if (made := _transformation(notes, f"text.{name}[{index}]", each, names)) is not None
    )
    for name in ("additionalTransformations", "transformations"):
        _check_said_once(notes, f"text.{name}", text.get(name, []))
    excluded = notes.info_types(
        "text.excludeInfoTypes", text.get("excludeInfoTypes", []), names, excluding=True
    )
    if len({t.key for t in transformations if t.transformation is Transformation.DATE_SHIFT}) > 1:
        notes.problems.append(
            "text has date shifts with different keys; a patient has one shift, so keep one key"
        )
    return transformations, excluded


def _check_said_once(notes: Notes, path: str, given: list[dict[str, Any]]) -> None:
    """Refuse two transformations for one kind in one list: nothing says which of them is meant."""
    seen: dict[str, int] = {}
    for index, each in enumerate(given):
        for name in {ALIASES.get(name, name) for name in each.get("infoTypes", [])} or {""}:
            first = seen.setdefault(name, index)
            if first != index:
                kind = name or "every kind not named otherwise"
                notes.problems.append(
                    f"{path}[{index}] is for {kind}, and so is {path}[{first}]; keep one"
                )


def _transformation(
    notes: Notes, path: str, given: dict[str, Any], names: set[str]
) -> InfoTypeTransformation | None:
    info_types = notes.info_types(f"{path}.infoTypes", given.get("infoTypes", []), names)
    chosen = next((name for name in TRANSFORMATIONS if name in given), None)
    if chosen is None:
        return None
    config = given[chosen]
    character = "*"
    if chosen == "characterMaskConfig" and "maskingCharacter" in config:
        character = config["maskingCharacter"]
        if not character:
            notes.warn("empty_masking_character", f"{path}.{chosen}.maskingCharacter")
            character = "*"
        if len(character) != 1 or not character.isprintable() or character in "\\^=":
            notes.problems.append(
                f"{path}.{chosen}.maskingCharacter must be one printable character, and none of"
                " \\ ^ = which separate values"
            )
    key = config.get("cryptoKey") if chosen in ("dateShiftConfig", "cryptoHashConfig") else None
    if key is not None and len(key) not in _KEY_BYTES:
        notes.problems.append(
            f"{path}.{chosen}.cryptoKey has {len(key)} bytes; an AES key has 16, 24 or 32"
        )
    return InfoTypeTransformation(_TRANSFORMATIONS[chosen], info_types, key, character)
