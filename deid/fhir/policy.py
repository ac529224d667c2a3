"""What a configuration asks of FHIR resources, as a value (`FhirConfig`, `FhirFieldConfig`, our own fields)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from deid.text.policy import TextPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping


class FhirProfile(StrEnum):
    """What becomes of fields that no path of the configuration names."""

    BASIC = "BASIC"
    KEEP_ALL = "KEEP_ALL"
    CLEAN_ALL = "CLEAN_ALL"


class TextLevel(StrEnum):
    """What becomes of free text."""

    REMOVE = "remove"
    INSPECT = "inspect"
    PARANOID = "paranoid"


class Verb(StrEnum):
    """What a configuration may ask for a field."""

    KEEP = "keep"
    REMOVE = "remove"
    CLEAN = "clean"
    HASH = "hash"
    MASK = "mask"
    SHIFT = "shift"
    TRANSFORM = "transform"
    """By our own rules, as if no path named the field; of text, that it goes."""
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Fields, by right-anchored paths, and what becomes of them.

    A path's parts are names of fields or of types: ``("Patient", "Address", "city")``.
    """

    paths: tuple[tuple[str, ...], ...]
    verb: Verb


@dataclass(frozen=True, slots=True)
class FhirPolicy:
    """Everything that decides about resources.

    Attributes
    ----------
    rules
        In order: the first that matches a field decides.
    keep_extensions
        Whether extensions that nobody lists stay, each value by the rules of its type.
    keeps_unmatched
        Whether known fields that no rule names pass as they are, as they do in the Healthcare API.
    text_level, text
        What becomes of free text, and how it is cleaned where it is.
    issuers
        Issuer of Patient ID by Identifier.system.
    masking_character, hash_key
        Of the verbs that mask and hash; without a key, the deidentifier's.
    keeps_dates
        Whether the site keeps full dates in instances, and so in resources.
    """

    profile: FhirProfile = FhirProfile.BASIC
    rules: tuple[FieldRule, ...] = ()
    keep_extensions: bool = False
    keeps_unmatched: bool = False
    text_level: TextLevel = TextLevel.REMOVE
    text: TextPolicy = field(default_factory=TextPolicy)
    issuers: Mapping[str, str] = field(default_factory=dict)
    default_issuer: str = ""
    masking_character: str = "*"
    hash_key: bytes | None = field(default=None, repr=False)
    keeps_dates: bool = False
