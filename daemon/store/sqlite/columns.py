"""What searches match on, as columns of the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dicomweb.ports import Level

_STUDY_KEYS: Final = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyDescription",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
)
_SERIES_KEYS: Final = (
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "SeriesDate",
    "SeriesTime",
    "BodyPartExamined",
    "ProtocolName",
    "Manufacturer",
    "ManufacturerModelName",
    "StationName",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "ScheduledProcedureStepID",
    "RequestedProcedureID",
)
_INSTANCE_KEYS: Final = (
    "SOPClassUID",
    "InstanceNumber",
    "ContentDate",
    "ContentTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "NumberOfFrames",
)
KEY_COLUMNS: Final[Mapping[Level, tuple[str, ...]]] = {
    "study": _STUDY_KEYS,
    "series": _SERIES_KEYS,
    "instance": _INSTANCE_KEYS,
}
"""What searches match on besides UIDs and person names: a column for each (last part of the keyword)."""

FIRST_INDEXED: Final[Mapping[str, tuple[str, ...]]] = {
    "studies": ("StudyDate", "AccessionNumber", "PatientID", "PatientBirthDate", "StudyID"),
    "series": (
        "SeriesInstanceUID",
        "Modality",
        "SeriesNumber",
        "SeriesDate",
        "BodyPartExamined",
        "StationName",
        "PerformedProcedureStepStartDate",
        "ScheduledProcedureStepID",
        "RequestedProcedureID",
    ),
    "instances": (
        "SOPClassUID",
        "InstanceNumber",
        "ContentDate",
        "AcquisitionDate",
        "NumberOfFrames",
    ),
}
"""What the first schema with stores as rows has indexes for."""

INDEXED_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "studies": (*FIRST_INDEXED["studies"], "StudyDescription"),
    "series": (*FIRST_INDEXED["series"], "SeriesDescription"),
    "instances": FIRST_INDEXED["instances"],
}
"""What has an index of its own, within a store."""
SPARSE_COLUMNS: Final = frozenset({"NumberOfFrames"})
"""Those of them whose index leaves out rows without a value, which most are."""
DATE_OF_TIME: Final[Mapping[str, str]] = {
    "ContentTime": "ContentDate",
    "AcquisitionTime": "AcquisitionDate",
}
"""Times that stand in the index of a date: dates are few, and of each only the times asked for are read."""
