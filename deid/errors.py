"""What can go wrong while de-identifying.

::

    DeidError
    |-- ConfigurationInvalid   the configuration asks for something that does not exist or contradicts itself
    |-- KeyRefused             the site key is missing, too short or too regular
    `-- Unsafe                 this instance cannot be made safe; carries a Reason and where

Errors carry facts (tags, paths, counts), never element values.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an instance or a resource was not passed on. The value is the code that operators see."""

    NOT_DICOM = "not_dicom"
    NOT_CONFIGURED = "not_configured"
    DICOMDIR = "dicomdir"
    TRUNCATED = "truncated"
    LENGTH_PAST_END = "length_past_end"
    NESTING_TOO_DEEP = "nesting_too_deep"
    MALFORMED = "malformed"
    TRANSFER_SYNTAX_UNKNOWN = "transfer_syntax_unknown"
    TRANSFER_SYNTAX_MISMATCH = "transfer_syntax_mismatch"
    INFLATE_LIMIT = "inflate_limit"
    MISSING_IDENTITY = "missing_identity"
    NO_STUDY = "no_study"
    SOP_CLASS_UNKNOWN = "sop_class_unknown"
    PIXELS_NOT_CLEANED = "pixels_not_cleaned"
    PIXELS_UNDECODABLE = "pixels_undecodable"
    VIDEO_NOT_CLEANED = "video_not_cleaned"
    SCREEN_CAPTURE = "screen_capture"
    TOO_MUCH_TEXT = "too_much_text"
    RESIDUAL_IDENTIFIER = "residual_identifier"
    DOCUMENT_NOT_CLEANED = "document_not_cleaned"
    NOT_FHIR = "not_fhir"
    RESOURCE_NOT_LISTED = "resource_not_listed"
    CHARACTER_ENCODING = "character_encoding"
    DUPLICATE_NAME = "duplicate_name"
    NUMBER_REFUSED = "number_refused"


class DeidError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigurationInvalid(DeidError):
    """A configuration that cannot be compiled.

    Attributes
    ----------
    problems
        One sentence each: the JSON path, what is wrong, and the nearest valid choice.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class KeyRefused(DeidError):
    """A site key that would let somebody guess identities back."""


class Unsafe(DeidError):
    """An instance that must not be passed on.

    Attributes
    ----------
    reason
        The reason code.
    where
        A path of tags such as ``(0040,A730)[2].(0040,A160)``, a frame, or an offset; never a value.
    """

    def __init__(self, reason: Reason, where: str = "") -> None:
        super().__init__(f"{reason.value}{f' at {where}' if where else ''}")
        self.reason = reason
        self.where = where
