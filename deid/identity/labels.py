"""What an identifier is of: one vocabulary for elements of DICOM and fields of FHIR resources.

A label goes into the token that stands for an identifier, so that equal numbers of different things do not
become equal tokens, and the same order is the same token in an instance's header and in a resource that
travels with it. A label's value is part of what tokens are derived from: changing one changes every output.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Label(StrEnum):
    """A kind of identifier; its value is the attribute of DICOM that holds such ones, where there is one."""

    PATIENT = "patient"
    ACCESSION = "(0008,0050)"
    PLACER_ORDER = "(0040,2016)"
    FILLER_ORDER = "(0040,2017)"
    REQUESTED_PROCEDURE = "(0040,1001)"
    SCHEDULED_STEP = "(0040,0009)"
    PERFORMED_STEP = "(0040,0253)"
    STUDY = "(0020,0010)"
    ENCOUNTER = "(0038,0010)"
    EPISODE = "(0038,0060)"
    DEVICE = "(0018,1000)"
    SPECIMEN = "(0040,0551)"
    CONTAINER = "(0040,0512)"
    PRACTITIONER = "practitioner"
    ORGANIZATION = "organization"
    LOCATION = "location"
    COVERAGE = "coverage"
    RESOURCE = "resource"
    """A resource's own id, whatever it is of."""


LABELS_BY_TAG: Final[dict[int, Label]] = {
    0x00100020: Label.PATIENT,
    0x00080050: Label.ACCESSION,
    0x00402016: Label.PLACER_ORDER,
    0x00402017: Label.FILLER_ORDER,
    0x00401001: Label.REQUESTED_PROCEDURE,
    0x00400009: Label.SCHEDULED_STEP,
    0x00400253: Label.PERFORMED_STEP,
    0x00200010: Label.STUDY,
    0x00380010: Label.ENCOUNTER,
    0x00380060: Label.EPISODE,
    0x00181000: Label.DEVICE,
    0x00400551: Label.SPECIMEN,
    0x00400512: Label.CONTAINER,
}
"""The label of what stands in an element."""

LABELS_BY_IDENTIFIER_TYPE: Final[dict[str, Label]] = {
    "ACSN": Label.ACCESSION,
    "FILL": Label.FILLER_ORDER,
    "MR": Label.PATIENT,
    "PI": Label.PATIENT,
    "PLAC": Label.PLACER_ORDER,
    "PT": Label.PATIENT,
    "SNO": Label.DEVICE,
    "UDI": Label.DEVICE,
    "VN": Label.ENCOUNTER,
}
"""The label of a FHIR Identifier, by its type's code (HL7 v2 table 0203)."""
