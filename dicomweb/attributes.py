"""Which attributes belong to a study, a series and an instance, and how they are searched.

PS3.18 2026a, 10.6.3 (search results) and 10.6.1.2 (matching). Tables, not code: `LEVELS` lists what
the index prepares for each level, `DEFAULTS` what a search answers unasked, `SEARCHABLE` what it
matches on.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from dicomweb.dictionary import tag_for_keyword, vr_for_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dicomweb.ports import Level


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_STUDY: Final = _words(
    """
        SpecificCharacterSet StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence
        ReferringPhysicianName TimezoneOffsetFromUTC StudyDescription ProcedureCodeSequence
        PhysiciansOfRecord NameOfPhysiciansReadingStudy AdmittingDiagnosesDescription
        InstitutionName InstitutionalDepartmentName ReferencedStudySequence
        PatientName PatientID IssuerOfPatientID TypeOfPatientID IssuerOfPatientIDQualifiersSequence
        PatientBirthDate PatientBirthTime PatientSex OtherPatientIDsSequence OtherPatientNames
        PatientAge PatientSize PatientWeight PatientSpeciesDescription EthnicGroup Occupation
        AdditionalPatientHistory PatientComments PatientIdentityRemoved DeidentificationMethod
        DeidentificationMethodCodeSequence LongitudinalTemporalInformationModified
        ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName
        ClinicalTrialSiteID ClinicalTrialSubjectID ClinicalTrialTimePointID
        StudyInstanceUID StudyID RequestingPhysician RequestedProcedureDescription
    """
)

_SERIES: Final = _words(
    """
        SpecificCharacterSet SeriesDate SeriesTime Modality Manufacturer StationName SeriesDescription
        SeriesDescriptionCodeSequence ManufacturerModelName PerformingPhysicianName OperatorsName
        ReferencedPerformedProcedureStepSequence DeviceSerialNumber SoftwareVersions
        BodyPartExamined ProtocolName PatientPosition TimezoneOffsetFromUTC
        SeriesInstanceUID SeriesNumber Laterality FrameOfReferenceUID PositionReferenceIndicator
        PerformedProcedureStepStartDate PerformedProcedureStepStartTime PerformedProcedureStepID
        PerformedProcedureStepDescription RequestAttributesSequence ContrastBolusAgent
    """
)

_INSTANCE: Final = _words(
    """
        SpecificCharacterSet ImageType InstanceCreationDate InstanceCreationTime SOPClassUID
        SOPInstanceUID AvailableTransferSyntaxUID AcquisitionDate ContentDate AcquisitionDateTime
        AcquisitionTime ContentTime TimezoneOffsetFromUTC ReferencedImageSequence ReferencedSeriesSequence
        DerivationDescription SliceThickness KVP SpacingBetweenSlices ImagerPixelSpacing
        AcquisitionNumber InstanceNumber PatientOrientation ImagePositionPatient ImageOrientationPatient
        SliceLocation TemporalPositionIndex NumberOfTemporalPositions ImageComments
        SamplesPerPixel PhotometricInterpretation NumberOfFrames Rows Columns PixelSpacing
        BitsAllocated BitsStored HighBit PixelRepresentation BurnedInAnnotation WindowCenter
        WindowWidth RescaleIntercept RescaleSlope RescaleType LossyImageCompression LossyImageCompressionRatio
        ConceptNameCodeSequence CompletionFlag VerificationFlag ContentLabel ContentDescription
        DocumentTitle MIMETypeOfEncapsulatedDocument PresentationCreationDate PresentationCreationTime
        ContentCreatorName
    """
)

LEVELS: Final[Mapping[Level, tuple[str, ...]]] = {
    "study": _STUDY,
    "series": _SERIES,
    "instance": _INSTANCE,
}
"""Keywords of the attributes that are prepared for each level, for ``includefield=all``."""

COMPUTED: Final[Mapping[Level, tuple[str, ...]]] = {
    "study": (
        "InstanceAvailability",
        "ModalitiesInStudy",
        "SOPClassesInStudy",
        "RetrieveURL",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    "series": ("InstanceAvailability", "RetrieveURL", "NumberOfSeriesRelatedInstances"),
    "instance": ("InstanceAvailability", "RetrieveURL"),
}
"""Keywords that no instance carries: the index counts them, the service adds the addresses."""

DEFAULTS: Final[Mapping[Level, tuple[str, ...]]] = {
    "study": (
        "SpecificCharacterSet",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "InstanceAvailability",
        "ModalitiesInStudy",
        "ReferringPhysicianName",
        "TimezoneOffsetFromUTC",
        "RetrieveURL",
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyInstanceUID",
        "StudyID",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    "series": (
        "SpecificCharacterSet",
        "Modality",
        "TimezoneOffsetFromUTC",
        "SeriesDescription",
        "RetrieveURL",
        "SeriesInstanceUID",
        "SeriesNumber",
        "NumberOfSeriesRelatedInstances",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "RequestAttributesSequence",
        "InstanceAvailability",
    ),
    "instance": (
        "SpecificCharacterSet",
        "SOPClassUID",
        "SOPInstanceUID",
        "InstanceAvailability",
        "AvailableTransferSyntaxUID",
        "TimezoneOffsetFromUTC",
        "RetrieveURL",
        "InstanceNumber",
        "NumberOfFrames",
        "Rows",
        "Columns",
        "BitsAllocated",
    ),
}
"""Keywords answered without being asked for (PS3.18 tables 10.6.3-3, -4 and -5)."""

_MATCH_STUDY: Final = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ModalitiesInStudy",
    "ReferringPhysicianName",
    "StudyDescription",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyID",
)
_MATCH_SERIES: Final = (
    "Modality",
    "SeriesInstanceUID",
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
    "RequestAttributesSequence.ScheduledProcedureStepID",
    "RequestAttributesSequence.RequestedProcedureID",
)
_MATCH_INSTANCE: Final = (
    "SOPClassUID",
    "SOPInstanceUID",
    "InstanceNumber",
    "ContentDate",
    "ContentTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "NumberOfFrames",
)

SEARCHABLE: Final[Mapping[Level, tuple[str, ...]]] = {
    "study": _MATCH_STUDY,
    "series": _MATCH_SERIES + _MATCH_STUDY,
    "instance": _MATCH_INSTANCE + _MATCH_SERIES + _MATCH_STUDY,
}
"""Keywords (or ``Sequence.Attribute`` paths) that a search of each level can match on."""

MATCHABLE: Final[tuple[str, ...]] = SEARCHABLE["instance"]
"""What a search of any level can match on: by a lower level's attribute it matches what has some such below."""

KEYS: Final[tuple[str, ...]] = tuple(
    keyword for keyword in SEARCHABLE["instance"] if keyword != "ModalitiesInStudy"
)
"""Keywords of `Description.keys`; ModalitiesInStudy is matched on Modality of the study's series."""

SORTABLE: Final[Mapping[Level, tuple[str, ...]]] = {
    level: tuple(
        keyword for keyword in keywords if "." not in keyword and keyword != "ModalitiesInStudy"
    )
    for level, keywords in SEARCHABLE.items()
}
"""What results may be sorted by: what is searched by and has one value."""


def tag_of(keyword: str) -> str:
    """Return the eight upper-case hexadecimal digits that DICOM JSON uses as a name."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return f"{tag:08X}"


def tags_of(keywords: Iterable[str]) -> tuple[str, ...]:
    """Return the tags of keywords in ascending order, as DICOM JSON wants them (PS3.18 F.2.2)."""
    return tuple(sorted(tag_of(keyword) for keyword in keywords))


VR_OF_KEY: Final[Mapping[str, str]] = {
    keyword: vr_for_tag(int(tag_of(keyword.rpartition(".")[2]), 16)) or "UN"
    for keyword in SEARCHABLE["instance"]
}


def normalise(keyword: str, text: str) -> str:
    """Return a value as it is compared: the same function serves stored and queried values.

    Parameters
    ----------
    keyword
        One of `SEARCHABLE`.
    text
        One value, or several separated by backslash; wildcards and ``a-b`` ranges pass through.

    Notes
    -----
    Person names are compared without case, accents and trailing delimiters (PS3.4 C.2.2.2.1 leaves
    it to the implementation); dates and times without the separators of the ACR-NEMA forms; integers
    without leading zeros; all else as it is, without padding.
    """
    vr = VR_OF_KEY[keyword]
    if vr == "PN":
        decomposed = unicodedata.normalize("NFKD", text.casefold())
        plain = "".join(char for char in decomposed if not unicodedata.combining(char))
        return "\\".join(
            "=".join(group.rstrip("^ ").strip() for group in name.split("=")).rstrip("=")
            for name in plain.split("\\")
        )
    text = text.strip(" \0")
    if vr == "DA":
        return text.replace(".", "").replace(":", "")
    if vr == "TM":
        return text.replace(":", "")
    if vr == "IS":
        return "\\".join(_integer(part) for part in text.split("\\"))
    return text


def words(text: str) -> list[str]:
    """Return the words of a normalised person name."""
    for delimiter in "^=\\,":
        text = text.replace(delimiter, " ")
    return text.split()


def words_wanted(names: Iterable[str]) -> list[str]:
    """Return the different words that a fuzzy search asks for by normalised names; wildcards are none."""
    asked = " ".join(names).replace("*", " ").replace("?", " ")
    return list(dict.fromkeys(words(asked)))


def _integer(text: str) -> str:
    text = text.strip()
    return str(int(text)) if len(text) <= 12 and text.removeprefix("-").isdecimal() else text
