"""Which kinds of data a configuration says something about; what it does not cover is put aside.

Decided by section, as the Healthcare API skips the stores of a kind that a request has no section for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Coverage(StrEnum):
    """A kind of data that a deidentifier may meet."""

    DICOM = "dicom"
    FHIR = "fhir"


DICOM_SECTIONS: Final = ("dicom", "dicomTagConfig")
FHIR_SECTIONS: Final = ("fhir", "fhirFieldConfig")
SHARED_SECTIONS: Final = ("text", "image")
"""How text and pixels are treated where they are found. Neither says what becomes of a patient's name in a
header or a resource, so that alone they cover nothing."""
