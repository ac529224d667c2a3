"""The kinds of identifying text, by the Healthcare API's names; ours are marked."""

from __future__ import annotations

from typing import Final

INFO_TYPES: Final[dict[str, str]] = {
    "PERSON_NAME": "names of people",
    "DATE": "dates in any usual form",
    "DATE_OF_BIRTH": "dates of birth",
    "AGE": "ages",
    "PHONE_NUMBER": "telephone and fax numbers",
    "EMAIL_ADDRESS": "e-mail addresses",
    "LOCATION": "places",
    "STREET_ADDRESS": "postal addresses",
    "ORGANIZATION_NAME": "names of institutions",
    "US_SOCIAL_SECURITY_NUMBER": "US social security numbers",
    "US_INDIVIDUAL_TAXPAYER_IDENTIFICATION_NUMBER": "US taxpayer numbers",
    "MEDICAL_RECORD_NUMBER": "patient and record numbers",
    "ACCESSION": "accession, order and visit numbers (ours)",
    "GENERIC_ID": "other long numbers and codes that may identify",
    "DICOM_UID": "DICOM unique identifiers (ours)",
    "IP_ADDRESS": "IP addresses",
    "MAC_ADDRESS": "MAC addresses",
    "URL": "web addresses",
    "CREDIT_CARD_NUMBER": "credit card numbers",
    "PASSPORT": "passport numbers",
    "US_DRIVERS_LICENSE_NUMBER": "driving licence numbers",
    "US_VEHICLE_IDENTIFICATION_NUMBER": "vehicle identification numbers",
    "IBAN_CODE": "bank account numbers (IBAN)",
    "SWIFT_CODE": "bank codes (SWIFT, BIC)",
    "US_HEALTHCARE_NPI": "US provider numbers (NPI)",
    "US_DEA_NUMBER": "US prescriber numbers (DEA)",
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER": "NHS numbers",
}

# Narrower kinds at Google, each found here as part of a wider one. Good for transforming (more is
# transformed), not for excluding (more would be left).
ALIASES: Final[dict[str, str]] = {
    "FIRST_NAME": "PERSON_NAME",
    "LAST_NAME": "PERSON_NAME",
    "MALE_NAME": "PERSON_NAME",
    "FEMALE_NAME": "PERSON_NAME",
    "US_PASSPORT": "PASSPORT",
    "MAC_ADDRESS_LOCAL": "MAC_ADDRESS",
    "DRIVERS_LICENSE_NUMBER": "US_DRIVERS_LICENSE_NUMBER",
    "VEHICLE_IDENTIFICATION_NUMBER": "US_VEHICLE_IDENTIFICATION_NUMBER",
    "US_STATE": "LOCATION",
    "DOMAIN_NAME": "URL",
}

CUSTOM: Final = "CUSTOM"
CONTEXT: Final = "CTX"
UNKNOWN_WORD: Final = "UNRECOGNISED"
