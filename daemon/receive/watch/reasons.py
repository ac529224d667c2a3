"""Why something in a watched folder was put aside; `ArchiveReason` has more."""

from __future__ import annotations

from enum import StrEnum


class WatchReason(StrEnum):
    """The value is the code that operators see."""

    NOT_DICOM = "not_dicom"
    DICOMDIR = "dicomdir"
    SYMBOLIC_LINK = "symbolic_link"
    NOT_REGULAR = "not_regular"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
