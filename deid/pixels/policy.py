"""What a configuration asks of pixels, as a value (the Healthcare API's `ImageConfig`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RedactionMode(StrEnum):
    """`image.textRedactionMode`; unset means `NONE`."""

    NONE = "REDACT_NO_TEXT"
    ALL = "REDACT_ALL_TEXT"
    SENSITIVE = "REDACT_SENSITIVE_TEXT"
    SENSITIVE_CLEAN_DESCRIPTORS = "REDACT_SENSITIVE_TEXT_CLEAN_DESCRIPTORS"


@dataclass(frozen=True, slots=True)
class CustomRegex:
    """A site's pattern (RE2); `group_indexes` say which groups must have matched (none: the whole)."""

    pattern: str
    group_indexes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """Everything that decides about burned-in text."""

    mode: RedactionMode = RedactionMode.NONE
    additional_info_types: frozenset[str] = frozenset()
    exclude_info_types: frozenset[str] = frozenset()
    custom_regexes: tuple[CustomRegex, ...] = ()

    @property
    def looks(self) -> bool:
        """Whether pixels are looked at."""
        return self.mode is not RedactionMode.NONE or bool(self.additional_info_types)

    @property
    def fills_all(self) -> bool:
        """Whether every text goes, whatever it says."""
        return self.mode is RedactionMode.ALL and not (
            self.additional_info_types or self.exclude_info_types or self.custom_regexes
        )
