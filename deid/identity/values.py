"""Replacement values by VR, as encoded bytes of even length (PS3.5 6.2)."""

from __future__ import annotations

import re
from typing import Final

from deid.encoding.value_representations import FIXED_NUMBERS

_DUMMY_TEXT: Final = b"REMOVED "
_DUMMIES: Final[dict[str, bytes]] = {
    "AE": _DUMMY_TEXT, "AS": b"000Y", "CS": _DUMMY_TEXT, "DA": b"19000101", "DS": b"1 ",
    "DT": b"19000101000000", "IS": b"1 ", "LO": _DUMMY_TEXT, "LT": _DUMMY_TEXT, "PN": b"REMOVED^",
    "SH": _DUMMY_TEXT, "ST": _DUMMY_TEXT, "TM": b"000000", "UC": b"REMOVED FROM THIS VALUE ",
    "UR": b"urn:removed ", "UT": _DUMMY_TEXT, "OB": b"\x00\x00", "OW": b"\x00\x00", "UN": b"\x00\x00",
    "AT": bytes(4), "FL": bytes(4), "FD": bytes(8), "OD": bytes(8), "OF": bytes(4), "OL": bytes(4),
    "OV": bytes(8), "SL": bytes(4), "SS": bytes(2), "SV": bytes(8), "UL": bytes(4), "US": bytes(2),
    "UV": bytes(8), "SQ": b"",
}  # fmt: skip

_AGE = re.compile(rb"(\d{3})([DWMY])\Z")
OLDEST_YEARS: Final = 89

BLANK_PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<<>>>>endobj\n"
    b"xref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n"
    b"0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\nstartxref\n178\n%%EOF\n"
)
BLANK_CDA: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<ClinicalDocument xmlns="urn:hl7-org:v3"><title>REMOVED</title></ClinicalDocument>'
)


def dummy(vr: str, original: bytes = b"") -> bytes:
    """Return a value that is valid for the VR and says nothing.

    Numbers keep their multiplicity, so that pairs stay pairs: binary ones become zeros of the original's
    length, strings as many dummies as there were values.
    """
    if vr in FIXED_NUMBERS:
        return bytes(len(original) or len(_DUMMIES[vr]))
    value = _DUMMIES.get(vr, b"")
    if vr in ("DS", "IS"):
        count = original.count(b"\\") + 1
        return even(b"\\".join([value.strip()] * count), b" ")
    return value


def blank_document(sop_class_uid: str) -> bytes:
    """Return an empty document of the kind that an encapsulating SOP class holds (PS3.3 A.45)."""
    if sop_class_uid.endswith(".104.1"):
        return even(BLANK_PDF)
    if sop_class_uid.endswith(".104.2"):
        return even(BLANK_CDA, b" ")
    return b"\x00\x00"


def even(value: bytes, pad: bytes = b"\x00") -> bytes:
    """Pad to even length (PS3.5 7.1.1)."""
    return value + pad if len(value) & 1 else value


def text(value: str) -> bytes:
    """Encode an ASCII replacement with space padding."""
    return even(value.encode("ascii"), b" ")


def uid(value: str) -> bytes:
    """Encode a UID with its NUL padding (PS3.5 9.1)."""
    return even(value.encode("ascii"))


def split(value: bytes) -> list[bytes]:
    """Split a multi-valued string of a VR without escapes into its stripped values."""
    return [part.strip(b" \x00") for part in value.split(b"\\")]


def cap_age(value: bytes) -> bytes | None:
    """Return an AS value with ages over 89 years made 090Y; None when it is not an age (PS3.5 6.2)."""
    capped = []
    for part in split(value):
        found = _AGE.match(part)
        if not found:
            return None
        number, unit = int(found[1]), found[2]
        years = number / {b"D": 365.25, b"W": 52.18, b"M": 12, b"Y": 1}[unit]
        capped.append(b"090Y" if years > OLDEST_YEARS else part)
    return even(b"\\".join(capped), b" ")


_MAX_CHARACTERS: Final = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "ST": 1024, "LT": 10240, "PN": 64}


def fit(vr: str, value: str) -> str:
    """Shorten each value to what the VR allows (PS3.5 Table 6.2-1); texts without a limit stay."""
    limit = _MAX_CHARACTERS.get(vr)
    if limit is None:
        return value
    if vr in ("ST", "LT"):
        return value[:limit]
    return "\\".join(part[:limit] for part in value.split("\\"))
