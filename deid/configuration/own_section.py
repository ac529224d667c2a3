"""What a configuration says in our own section, `dicomveil`: options, safe private elements, own infoTypes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from deid.configuration.notes import Notes
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.identity.keys import SHIFT_RANGE_DAYS
from deid.pixels.policy import ImagePolicy, RedactionMode
from deid.tables.load import confidentiality_by_tag
from deid.tags.policy import BurnedIn, Option, Profile, TagOverride, TagPolicy, UnknownSopClass
from deid.text.info_types import ALIASES
from deid.text.policy import CustomInfoType

if TYPE_CHECKING:
    from deid.configuration.tag_sections import Tags


_WIDEST_RANGE_DAYS: Final = 36_500
_WIDEST_JITTER_MINUTES: Final = 720


def read_options(notes: Notes, ours: dict[str, Any], tags: Tags | None) -> frozenset[Option]:
    """Return the options of the Basic Profile that are chosen; one choice of tags implies one of them."""
    chosen = {Option(name) for name in ours.get("options", [])}
    if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= chosen:
        notes.problems.append(
            "dicomveil.options holds retain_full_dates and retain_modified_dates, which exclude each"
            " other (PS3.15 E.3.6); keep one"
        )
    if tags is None:
        return frozenset(chosen)
    if chosen and tags.profile is not Profile.BASIC:
        notes.problems.append(
            "dicomveil.options are options of the Basic Profile (PS3.15 E.3); set"
            " ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE or leave them out"
        )
    if Option.RETAIN_UIDS in chosen and tags.regenerate_primary_ids:
        notes.problems.append(
            "dicomveil.options holds retain_uids while primaryIds is REGEN; keep one"
        )
    if tags.clean_descriptors:
        chosen.add(Option.CLEAN_DESCRIPTORS)
    return frozenset(chosen)


def read_policy(
    notes: Notes,
    ours: dict[str, Any],
    tags: Tags | None,
    options: frozenset[Option],
    image: ImagePolicy,
) -> TagPolicy | None:
    """Return what decides about tags, with what our section adds; None where no profile is named."""
    cleans = image.mode is not RedactionMode.NONE
    burned_in = BurnedIn.CLEAN if cleans else BurnedIn.QUARANTINE
    if "pixels" in ours:
        if not cleans:
            notes.problems.append(
                "dicomveil.pixels says whose pixels are cleaned, and image.textRedactionMode that none are;"
                " keep one"
            )
        if ours["pixels"] == "likely":
            burned_in = BurnedIn.CLEAN_LIKELY
        if "burnedIn" in ours:
            notes.problems.append("dicomveil holds pixels and burnedIn; keep one")
    elif "burnedIn" in ours:
        burned_in = BurnedIn(ours["burnedIn"])
        if burned_in is BurnedIn.CLEAN and not cleans:
            notes.problems.append(
                "dicomveil.burnedIn is clean but nothing says what to clean; set"
                " image.textRedactionMode (REDACT_ALL_TEXT is the safest)"
            )
        if burned_in is BurnedIn.PASS and cleans:
            notes.problems.append(
                "dicomveil.burnedIn is pass while image asks for cleaning; keep one"
            )
    safe = _safe_private(notes, ours, options)
    shift_range_days, time_jitter_minutes = _shift(notes, ours, options)
    if tags is None:
        return None
    overrides = tags.overrides
    if tags.clean_descriptors and tags.profile is Profile.KEEP_ALL:
        described = frozenset(
            tag
            for tag, row in confidentiality_by_tag().items()
            if row.options.get("clean_descriptors") == "C" and tag >> 16 > 4
        )
        overrides = (*overrides, TagOverride("clean_text", tags=described))
    policy = TagPolicy(
        tags.profile,
        options,
        overrides,
        tags.regenerate_primary_ids,
        burned_in,
        UnknownSopClass(ours.get("unknownSopClass", "quarantine")),
        safe,
    )
    return replace(
        policy,
        identity_issuer=ours.get("identityIssuer", "").strip(),
        shift_range_days=shift_range_days,
        time_jitter_minutes=time_jitter_minutes,
    )


def read_shared(ours: dict[str, Any], options: frozenset[Option]) -> TagPolicy:
    """Return what our section says of identities and shifts where there is no profile for instances."""
    days, minutes = _shift(Notes([]), ours, options)
    return TagPolicy(
        Profile.BASIC,
        options,
        identity_issuer=ours.get("identityIssuer", "").strip(),
        shift_range_days=days,
        time_jitter_minutes=minutes,
    )


def _shift(notes: Notes, ours: dict[str, Any], options: frozenset[Option]) -> tuple[int, int]:
    """Return how far dates move at most, in days, and times of day, in minutes."""
    days = ours.get("shiftDaysRange", SHIFT_RANGE_DAYS)
    if not SHIFT_RANGE_DAYS <= days <= _WIDEST_RANGE_DAYS:
        notes.problems.append(
            f"dicomveil.shiftDaysRange must be from {SHIFT_RANGE_DAYS} to {_WIDEST_RANGE_DAYS} days: a"
            " narrower range than the Healthcare API's would make shifts easier to guess"
        )
    minutes = ours.get("timeJitterMinutes", 0)
    if not 0 <= minutes <= _WIDEST_JITTER_MINUTES:
        notes.problems.append(
            f"dicomveil.timeJitterMinutes must be from 0 to {_WIDEST_JITTER_MINUTES} minutes"
        )
    if minutes and Option.RETAIN_MODIFIED_DATES not in options:
        notes.problems.append(
            "dicomveil.timeJitterMinutes has no effect unless dicomveil.options holds retain_modified_dates"
        )
    return days, minutes


def _safe_private(
    notes: Notes, ours: dict[str, Any], options: frozenset[Option]
) -> dict[tuple[str, int, int], str]:
    safe: dict[tuple[str, int, int], str] = {}
    listed = ours.get("safePrivate", [])
    if listed and Option.RETAIN_SAFE_PRIVATE not in options:
        notes.problems.append(
            "dicomveil.safePrivate has no effect unless dicomveil.options holds retain_safe_private"
        )
    for index, each in enumerate(listed):
        path = f"dicomveil.safePrivate[{index}]"
        creator = each.get("creator", "").strip()
        group = re.fullmatch(r"(?:0x)?([0-9a-fA-F]{4})", each.get("group", ""))
        element = re.fullmatch(r"(?:0x|xx)?([0-9a-fA-F]{2})", each.get("element", ""))
        vr = each.get("vr", "").upper()
        if not creator:
            notes.problems.append(
                f"{path}.creator is missing: private elements are named by creator"
            )
        elif group is None or not int(group[1], 16) & 1:
            notes.problems.append(f"{path}.group must be four hex digits of an odd number")
        elif element is None:
            notes.problems.append(f"{path}.element must be two hex digits: the place in the block")
        elif vr and vr.encode() not in LONG_VRS | SHORT_VRS:
            notes.problems.append(f"{path}.vr must be a value representation, such as LO")
        else:
            safe[creator, int(group[1], 16), int(element[1], 16)] = vr
    return safe


def read_custom_info_types(notes: Notes, ours: dict[str, Any]) -> tuple[CustomInfoType, ...]:
    """Return the site's own infoTypes."""
    made: list[CustomInfoType] = []
    for index, each in enumerate(ours.get("customInfoTypes", [])):
        path = f"dicomveil.customInfoTypes[{index}]"
        name, groups = each.get("name", ""), tuple(each.get("groups", ()))
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,31}", name) or name in ALIASES:
            notes.problems.append(f"{path}.name must be capitals, digits and _, such as STUDY_CODE")
        elif notes.pattern(path, each.get("pattern", ""), groups, "groups"):
            made.append(CustomInfoType(each["pattern"], groups, name))
    return tuple(made)
