"""What is known of the person before any text is judged: the values that must not survive."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownIdentifier:
    """One original value from the header or a sidecar.

    Attributes
    ----------
    value
        Decoded, stripped, as written (a person name keeps its carets and equals signs).
    info_type
        What it is, in the Healthcare API's names: ``PERSON_NAME``, ``MEDICAL_RECORD_NUMBER``,
        ``DATE_OF_BIRTH``, ``DATE``, ``ACCESSION``, ``LOCATION``, ``ORGANIZATION_NAME``,
        ``PHONE_NUMBER``, ``STREET_ADDRESS``, ``AGE``, ``DICOM_UID``, ``GENERIC_ID``.
    """

    value: str
    info_type: str

    def __repr__(self) -> str:
        return f"KnownIdentifier({self.info_type})"
