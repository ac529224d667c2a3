"""What a configuration asks of text, as a value (the Healthcare API's `TextConfig`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Transformation(StrEnum):
    """What becomes of a finding."""

    REDACT = "redact"
    MASK = "mask"
    DATE_SHIFT = "date_shift"
    CRYPTO_HASH = "crypto_hash"
    REPLACE_WITH_INFO_TYPE = "replace_with_info_type"


@dataclass(frozen=True, slots=True)
class InfoTypeTransformation:
    """One transformation and the infoTypes it is for; none named means those that no other names.

    Attributes
    ----------
    key
        The transformation's own key, 16, 24 or 32 bytes; None: derived from the deidentifier's.
    masking_character
        For `MASK`.
    """

    transformation: Transformation
    info_types: frozenset[str] = frozenset()
    key: bytes | None = field(default=None, repr=False)
    masking_character: str = "*"


@dataclass(frozen=True, slots=True)
class CustomInfoType:
    """A site's own pattern: a regular expression, and the capture groups that are the finding."""

    pattern: str
    groups: tuple[int, ...] = ()
    info_type: str = "CUSTOM"


@dataclass(frozen=True, slots=True)
class TextPolicy:
    """Everything that decides about text.

    Attributes
    ----------
    transformations
        Looked through in order; one that names the infoType goes before one that names none.
    excluded
        infoTypes that are left as they are.
    basic
        Whether what no transformation covers gets v1beta1's BASIC: dates shift, ages over 89 become
        ``90+``, the rest becomes its infoType in brackets. Otherwise (EMPTY) it stays.
    contextual
        Whether values of the Basic Profile's attributes are phrases that become ``[CTX]`` in text.
    strict
        Whether every word that is not recognised goes as well (Clean Descriptors, PS3.15 E.3.5).
    """

    transformations: tuple[InfoTypeTransformation, ...] = ()
    excluded: frozenset[str] = frozenset()
    basic: bool = True
    contextual: bool = False
    custom: tuple[CustomInfoType, ...] = ()
    strict: bool = False

    def transformation_for(self, info_type: str) -> InfoTypeTransformation | None:
        """Return what is asked for an infoType; None where nothing is, or it is excluded."""
        if info_type in self.excluded:
            return None
        named = (each for each in self.transformations if info_type in each.info_types)
        default = (each for each in self.transformations if not each.info_types)
        return next(named, None) or next(default, None)

    def names(self, info_type: str) -> bool:
        """Whether a transformation names an infoType, and nothing excludes it."""
        if info_type in self.excluded:
            return False
        return any(info_type in each.info_types for each in self.transformations)

    @property
    def moves_dates(self) -> bool:
        """Whether dates that are found move by the patient's shift."""
        asked = self.transformation_for("DATE")
        if asked is None:
            return self.basic and "DATE" not in self.excluded
        return asked.transformation is Transformation.DATE_SHIFT

    @property
    def date_shift_key(self) -> bytes | None:
        """The one key that date shifts are derived from; None: the deidentifier's."""
        keys = [
            each.key
            for each in self.transformations
            if each.transformation is Transformation.DATE_SHIFT
        ]
        return next((key for key in keys if key), None)
