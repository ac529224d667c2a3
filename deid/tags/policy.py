"""What a configuration asks of the tags, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from deid.identity.keys import SHIFT_RANGE_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping


class Profile(StrEnum):
    """What happens to elements that no override names."""

    BASIC = "basic"
    MINIMAL = "minimal"
    KEEP_ALL = "keep_all"
    TAG_CONTENTS = "tag_contents"


class Option(StrEnum):
    """The options of PS3.15 E.3 that concern tags."""

    RETAIN_SAFE_PRIVATE = "retain_safe_private"
    RETAIN_UIDS = "retain_uids"
    RETAIN_DEVICE_IDENTITY = "retain_device_identity"
    RETAIN_INSTITUTION_IDENTITY = "retain_institution_identity"
    RETAIN_PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
    RETAIN_FULL_DATES = "retain_full_dates"
    RETAIN_MODIFIED_DATES = "retain_modified_dates"
    CLEAN_DESCRIPTORS = "clean_descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean_structured_content"
    CLEAN_GRAPHICS = "clean_graphics"


class BurnedIn(StrEnum):
    """What to do with instances whose pixels are likely to carry text."""

    QUARANTINE = "quarantine"
    PASS = "pass"  # noqa: S105 - not a password
    CLEAN = "clean"
    CLEAN_LIKELY = "clean_likely"  # only those are cleaned, as `dicomveil.pixels` says


class UnknownSopClass(StrEnum):
    """What to do with SOP classes that the standard does not register."""

    QUARANTINE = "quarantine"
    PASS = "pass"  # noqa: S105 - not a password


@dataclass(frozen=True, slots=True)
class TagOverride:
    """A rule that goes before the profile.

    Attributes
    ----------
    verb
        ``keep``, ``empty``, ``delete``, ``reset``, ``clean_text``, ``recurse``, ``regen_uid``, ``clean_image``.
    tags
        Tags it names, wherever they occur.
    vrs
        Value representations it names.
    paths
        Paths of tags from the top (sequence, ..., element) that it names.
    """

    verb: str
    tags: frozenset[int] = frozenset()
    vrs: frozenset[str] = frozenset()
    paths: frozenset[tuple[int, ...]] = frozenset()


@dataclass(frozen=True, slots=True)
class TagPolicy:
    """Everything that decides about tags.

    Attributes
    ----------
    overrides
        In order of precedence: the first that matches decides.
    regenerate_primary_ids
        Study, Series and SOP Instance UID get replacements (None: as the profile and options say).
    safe_private
        ``(creator, group, element in block)`` that a site declares safe beside Table E.3.10-1, and its VR
        (empty where the site does not say).
    identity_issuer
        Assumed where (0010,0021) Issuer of Patient ID is absent.
    shift_range_days
        How far dates move at most, where they move.
    time_jitter_minutes
        How far times of day move at most; 0: they stay.
    """

    profile: Profile = Profile.BASIC
    options: frozenset[Option] = frozenset()
    overrides: tuple[TagOverride, ...] = ()
    regenerate_primary_ids: bool | None = None
    burned_in: BurnedIn = BurnedIn.QUARANTINE
    unknown_sop_class: UnknownSopClass = UnknownSopClass.QUARANTINE
    safe_private: Mapping[tuple[str, int, int], str] = field(default_factory=dict)
    identity_issuer: str = ""
    shift_range_days: int = SHIFT_RANGE_DAYS
    time_jitter_minutes: int = 0
