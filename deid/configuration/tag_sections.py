"""What a configuration asks of elements: v1's `DicomConfig`, v1beta1's `DicomTagConfig`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deid.configuration.image_section import read_image
from deid.configuration.proto_json import TAG_VERBS
from deid.configuration.tag_names import (
    VRS,
    is_private_data,
    repeated,
    tag_list,
    tags_of_name,
    unknown_tag,
)
from deid.encoding.header import tag_name
from deid.pixels.policy import ImagePolicy
from deid.tables.dictionary import dictionary_vr
from deid.tags.overrides import CONTENT_VRS, PRIMARY_UIDS
from deid.tags.policy import Profile, TagOverride
from deid.tags.rules import MINIMAL_KEEP

if TYPE_CHECKING:
    from deid.configuration.notes import Notes

PIXEL_DATA: Final = 0x7FE00010
PROFILES: Final = {
    "MINIMAL_KEEP_LIST_PROFILE": Profile.MINIMAL,
    "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE": Profile.BASIC,
    "KEEP_ALL_PROFILE": Profile.KEEP_ALL,
    "DEIDENTIFY_TAG_CONTENTS": Profile.TAG_CONTENTS,
}
_VERBS: Final = {
    "keepTag": "keep",
    "removeTag": "empty",
    "deleteTag": "delete",
    "resetTag": "reset",
    "cleanTextTag": "clean_text",
    "cleanImageTag": "clean_image",
    "recurseTag": "recurse",
    "regenUidTag": "regen_uid",
}
_VERB_VRS: Final = {
    "clean_text": CONTENT_VRS,
    "recurse": frozenset({"SQ"}),
    "regen_uid": frozenset({"UI"}),
}
_REMOVING_VERBS: Final = frozenset({"empty", "delete", "reset"})
_IDENTITIES: Final = frozenset({0x00080016, *PRIMARY_UIDS})
_OVERLAY_DATA: Final = "60xx3000"
# File Meta elements that always stand in the output; listing them to be kept changes nothing.
_META_KEPT: Final = frozenset({0x00020002, 0x00020003, 0x00020010})


@dataclass(frozen=True, slots=True)
class Tags:
    """The part of a configuration that is about tags, before ours is added."""

    profile: Profile
    overrides: tuple[TagOverride, ...] = ()
    regenerate_primary_ids: bool | None = None
    image: ImagePolicy | None = None
    image_path: str = ""
    clean_descriptors: bool = False
    cleans_listed: bool = False
    """Whether kept elements are cleaned of the infoTypes that `text` names."""


def read_tags(notes: Notes, given: dict[str, Any], stray: str) -> Tags | None:
    """Return what the profile, lists and actions say; None where there is no profile."""
    if "dicomTagConfig" in given and ("dicom" in given or stray):
        notes.problems.append(
            "dicom (v1) and dicomTagConfig (v1beta1) say the same things differently; keep one"
        )
        return None
    if "dicomTagConfig" in given:
        return _tag_config(notes, given["dicomTagConfig"])
    if "dicom" in given or stray:
        return _dicom(notes, given.get("dicom", {}), stray, has_text="text" in given)
    return None


def _dicom(notes: Notes, dicom: dict[str, Any], stray: str, *, has_text: bool) -> Tags | None:
    """Read v1's `DicomConfig` (and the deprecated one of v1beta1)."""
    named = PROFILES.get(dicom.get("filterProfile", ""))
    misplaced = PROFILES.get(stray)
    if "filterProfile" in dicom and stray and named is not misplaced:
        notes.problems.append(
            "tag_filter_profile and dicom.filterProfile name different profiles; keep the latter"
        )
    profile = named or misplaced
    keep, remove = dicom.get("keepList"), dicom.get("removeList")
    if remove is not None and (keep is not None or profile is not None):
        notes.problems.append(
            "dicom sets removeList and"
            f" {'keepList' if keep is not None else 'filterProfile'}; only one of"
            " filterProfile, keepList and removeList may be set"
        )
    regenerate = not dicom.get("skipIdRedaction", False)
    if keep is not None:
        if profile is not None:
            notes.warn("filter_profile_with_keep_list", "dicom.keepList")
        return _keep_list(notes, keep, profile, regenerate, has_text)
    if remove is not None:
        return _remove_list(notes, remove, regenerate, has_text)
    if profile is None:
        notes.warn("keeps_all_tags_by_default", "dicom.filterProfile")
        profile = Profile.KEEP_ALL
    cleans = has_text and profile is Profile.KEEP_ALL
    return Tags(
        profile,
        (TagOverride("clean_text", vrs=CONTENT_VRS),) if cleans else (),
        _primary_ids(profile, regenerate=regenerate),
        cleans_listed=cleans,
    )


def _keep_list(
    notes: Notes, keep: dict[str, Any], named: Profile | None, regenerate: bool, has_text: bool
) -> Tags:
    """Read a list of what stays; beside a named profile that profile rules, and the list only adds to it."""
    profile = named or Profile.MINIMAL
    tags = tag_list(notes, "dicom.keepList.tags", keep)
    if not tags:
        notes.warn("empty_list", "dicom.keepList")
    for tag in sorted(tags):
        if tag >> 16 in (0, 2, 4) and tag not in _META_KEPT:
            notes.warn("file_meta_is_rebuilt", f"dicom.keepList.tags {tag_name(tag)}")
    if profile is Profile.MINIMAL:
        tags -= MINIMAL_KEEP
    # Pixel Data goes the way of pixels, Specific Character Set is checked, primary UIDs are regenerated.
    tags -= PRIMARY_UIDS | {PIXEL_DATA, 0x00080005}
    # Private elements are read through their creator.
    tags |= {tag & 0xFFFF0000 | tag >> 8 & 0xFF for tag in tags if is_private_data(tag)}
    cleaned = {tag for tag in tags if has_text and dictionary_vr(tag) in CONTENT_VRS}
    overrides = [TagOverride("keep", tags=frozenset(tags - cleaned))]
    if cleaned:
        overrides.insert(0, TagOverride("clean_text", tags=frozenset(cleaned)))
    return Tags(
        profile,
        tuple(each for each in overrides if each.tags),
        _primary_ids(profile, regenerate=regenerate),
        cleans_listed=bool(cleaned) and named in (None, Profile.KEEP_ALL),
    )


def _remove_list(notes: Notes, remove: dict[str, Any], regenerate: bool, has_text: bool) -> Tags:
    tags = tag_list(notes, "dicom.removeList.tags", remove)
    if not tags:
        notes.warn("empty_list", "dicom.removeList")
    for tag in sorted(tags & (MINIMAL_KEEP | _META_KEPT)):
        notes.problems.append(
            f"dicom.removeList.tags holds {tag_name(tag)}, which a valid instance needs; take it out"
        )
    tags |= repeated(_OVERLAY_DATA)
    overrides = [TagOverride("delete", tags=frozenset(tags))]
    if has_text:
        overrides.append(TagOverride("clean_text", vrs=CONTENT_VRS))
    return Tags(Profile.KEEP_ALL, tuple(overrides), regenerate, cleans_listed=has_text)


def _tag_config(notes: Notes, given: dict[str, Any]) -> Tags:
    """Read v1beta1's `DicomTagConfig`: actions go before options, options before the profile."""
    options = given.get("options", {})
    primary = {"KEEP": False, "REGEN": True}.get(options.get("primaryIds", ""))
    image: ImagePolicy | None = None
    image_path = ""
    if "cleanImage" in options:
        image_path = "dicomTagConfig.options.cleanImage"
        image = read_image(notes, options["cleanImage"], image_path)
    overrides: list[TagOverride] = []
    decided = False
    for index, action in enumerate(given.get("actions", [])):
        path = f"dicomTagConfig.actions[{index}]"
        verb = next((name for name in TAG_VERBS if name in action), None)
        if verb is None:
            continue
        made = _action(notes, path, _VERBS[verb], action.get("queries", []))
        overrides += made
        if decided or not any(PIXEL_DATA in each.tags for each in made):
            continue
        if verb == "cleanImageTag":
            decided, image_path = True, f"{path}.cleanImageTag"
            image = read_image(notes, action[verb], image_path)
        elif verb == "keepTag":
            decided, image_path = True, path
            image = ImagePolicy()
    return Tags(
        PROFILES.get(given.get("profileType", ""), Profile.BASIC),
        tuple(overrides),
        primary,
        image,
        image_path,
        clean_descriptors="cleanDescriptors" in options,
    )


def _action(notes: Notes, path: str, verb: str, queries: list[str]) -> list[TagOverride]:
    """Return one action's overrides: what it names, and the way to it for paths that keep something."""
    if not queries:
        notes.problems.append(f"{path}.queries names nothing; list tags, keywords, VRs or paths")
    tags: set[int] = set()
    vrs: set[str] = set()
    paths: set[tuple[int, ...]] = set()
    for index, query in enumerate(queries):
        where = f"{path}.queries[{index}]"
        steps = [step for step in re.split(r"[./]", query) if step]
        if query in VRS:
            vrs.add(query)
            _check_verb(notes, where, verb, query, None)
            continue
        found = [tags_of_name(notes, where, step) for step in steps]
        if not steps or None in found:
            bad = next((s for s, f in zip(steps, found, strict=True) if f is None), query)
            unknown_tag(notes, where, bad)
            continue
        named = [each for each in found if each is not None]
        for tag in sorted(named[-1]):
            _check_verb(notes, where, verb, dictionary_vr(tag) or "", tag)
        if len(named) == 1:
            tags |= named[0]
        else:
            paths |= _paths(notes, where, named)
    if verb == "keep" and any(map(is_private_data, tags)):
        tags |= {tag & 0xFFFF0000 | tag >> 8 & 0xFF for tag in tags if is_private_data(tag)}
    made = [TagOverride(verb, frozenset(tags), frozenset(vrs), frozenset(paths))]
    ways = {way[:end] for way in paths for end in range(1, len(way))}
    if ways and verb not in ("empty", "delete"):
        made.append(TagOverride("recurse", paths=frozenset(ways)))
    return made


def _paths(notes: Notes, where: str, steps: list[frozenset[int]]) -> set[tuple[int, ...]]:
    for step in steps[:-1]:
        if not all(dictionary_vr(tag) in ("SQ", None) for tag in step):
            notes.problems.append(f"{where} goes through an element that is no sequence")
            return set()
    if any(len(step) > 1 for step in steps):
        notes.problems.append(
            f"{where} has a repeating group in a path; name the groups one by one"
        )
        return set()
    return {tuple(next(iter(step)) for step in steps)}


def _check_verb(notes: Notes, where: str, verb: str, vr: str, tag: int | None) -> None:
    allowed = _VERB_VRS.get(verb)
    name = vr if tag is None else tag_name(tag)
    if verb == "clean_image" and tag != PIXEL_DATA:
        notes.problems.append(f"{where}: cleanImageTag is for PixelData alone")
    elif allowed is not None and vr and not allowed.intersection(vr.split(" or ")):
        notes.problems.append(
            f"{where}: {name} has VR {vr}; this action is for {', '.join(sorted(allowed))}"
        )
    elif tag in _IDENTITIES and verb in _REMOVING_VERBS:
        notes.problems.append(
            f"{where}: {name} identifies the instance and cannot be removed; use regenUidTag"
            " or keepTag"
        )
    elif tag == 0x00080016 and verb == "regen_uid":
        notes.problems.append(f"{where}: {name} names a kind of object and cannot be regenerated")
    elif tag == PIXEL_DATA and verb == "reset":
        notes.problems.append(f"{where}: resetTag has no placeholder for PixelData; use deleteTag")
    elif tag is not None and tag >> 16 in (0, 2, 4):
        notes.warn("file_meta_is_rebuilt", f"{where} {name}")


def _primary_ids(profile: Profile, *, regenerate: bool) -> bool | None:
    """Return what `skipIdRedaction` asks; the Basic Profile has its own rule unless it is set."""
    return None if regenerate and profile is Profile.BASIC else regenerate
