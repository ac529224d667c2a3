"""What a door may not acknowledge, and how each door says so: one table (``docs/flows/gate.md``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CANNOT_UNDERSTAND: Final = 0xC000
DOES_NOT_MATCH_SOP_CLASS: Final = 0xA900


class Fault(StrEnum):
    """Why an instance is refused; the value is the code in logs, counters and reason files."""

    NOT_DICOM = "not_dicom"
    DICOMDIR = "dicomdir"
    DATA_SET_EMPTY = "data_set_empty"
    TRUNCATED = "truncated"
    FILE_META_IN_DATA_SET = "file_meta_in_data_set"
    SOP_CLASS_MISSING = "sop_class_uid_missing"
    SOP_CLASS_INVALID = "sop_class_uid_invalid"
    SOP_INSTANCE_MISSING = "sop_instance_uid_missing"
    SOP_INSTANCE_INVALID = "sop_instance_uid_invalid"
    STUDY_MISSING = "study_instance_uid_missing"
    STUDY_INVALID = "study_instance_uid_invalid"
    SERIES_MISSING = "series_instance_uid_missing"
    SERIES_INVALID = "series_instance_uid_invalid"
    SOP_CLASS_MISMATCH = "sop_class_uid_mismatch"
    SOP_INSTANCE_MISMATCH = "sop_instance_uid_mismatch"


@dataclass(frozen=True, slots=True)
class Saying:
    """How a fault is said.

    Attributes
    ----------
    status
        Of the C-STORE response (PS3.4 Table B.2-1), and Failure Reason over STOW-RS (PS3.18 Table I.2-2).
    text
        At most 64 characters, without any value: Error Comment (0000,0902), and in the Warning header.
    """

    status: int
    text: str


SAYINGS: Final[Mapping[Fault, Saying]] = {
    Fault.NOT_DICOM: Saying(CANNOT_UNDERSTAND, "Not DICOM, or not in its transfer syntax"),
    Fault.DICOMDIR: Saying(CANNOT_UNDERSTAND, "A DICOMDIR is no instance"),
    Fault.DATA_SET_EMPTY: Saying(CANNOT_UNDERSTAND, "The data set is empty"),
    Fault.TRUNCATED: Saying(CANNOT_UNDERSTAND, "The data set ends within an element"),
    Fault.FILE_META_IN_DATA_SET: Saying(CANNOT_UNDERSTAND, "File meta group 0002 in the data set"),
    Fault.SOP_CLASS_MISSING: Saying(CANNOT_UNDERSTAND, "SOP Class UID is missing"),
    Fault.SOP_CLASS_INVALID: Saying(CANNOT_UNDERSTAND, "SOP Class UID is not a UID"),
    Fault.SOP_INSTANCE_MISSING: Saying(CANNOT_UNDERSTAND, "SOP Instance UID is missing"),
    Fault.SOP_INSTANCE_INVALID: Saying(CANNOT_UNDERSTAND, "SOP Instance UID is not a UID"),
    Fault.STUDY_MISSING: Saying(CANNOT_UNDERSTAND, "Study Instance UID is missing"),
    Fault.STUDY_INVALID: Saying(CANNOT_UNDERSTAND, "Study Instance UID is not a UID"),
    Fault.SERIES_MISSING: Saying(CANNOT_UNDERSTAND, "Series Instance UID is missing"),
    Fault.SERIES_INVALID: Saying(CANNOT_UNDERSTAND, "Series Instance UID is not a UID"),
    Fault.SOP_CLASS_MISMATCH: Saying(
        DOES_NOT_MATCH_SOP_CLASS, "SOP Class UID of data set and of its envelope differ"
    ),
    Fault.SOP_INSTANCE_MISMATCH: Saying(
        CANNOT_UNDERSTAND, "SOP Instance UID of data set and envelope differ"
    ),
}
