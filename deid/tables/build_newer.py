"""Add what later editions of PS3.6 register to the tables of names: attributes and UIDs.

A development script: ``python -m deid.tables.build_newer DICOM.DIC``, with DCMTK's dictionary (``dicom.dic``
of Debian's package dcmtk-data, 3.7.0). It appends to `attributes.csv` and `uids.csv` what they do not have.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from typing import Final

from deid.tables.dictionary import CAMEL_PART, attributes, uids

FOLDER: Final = Path(__file__).parent
_LINE = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)\t(\w\w)\t(\w+)\t(\S+)\tDICOM\S*$")
_SYNTAX: Final = "Transfer Syntax"
_CLASS: Final = "SOP Class"

ATTRIBUTES: Final = ((0x3004007F, "LO", "1", "DoseCalculationModelName"),)
"""What is newer than that dictionary: PS3.6 2026d."""

UIDS: Final = (
    ("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", _SYNTAX, "JPEGXLLossless"),
    ("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", _SYNTAX, "JPEGXLJPEGRecompression"),
    ("1.2.840.10008.1.2.4.112", "JPEG XL", _SYNTAX, "JPEGXL"),
    ("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression", _SYNTAX, "DeflatedImageFrameCompression"),
    (
        "1.2.840.10008.5.1.4.1.1.9.100.1", "Waveform Presentation State Storage", _CLASS,
        "WaveformPresentationStateStorage",
    ),
    (
        "1.2.840.10008.5.1.4.1.1.9.100.2", "Waveform Acquisition Presentation State Storage", _CLASS,
        "WaveformAcquisitionPresentationStateStorage",
    ),
    ("1.2.840.10008.5.1.4.1.1.66.7", "Label Map Segmentation Storage", _CLASS, "LabelMapSegmentationStorage"),
    ("1.2.840.10008.5.1.4.1.1.66.8", "Height Map Segmentation Storage", _CLASS, "HeightMapSegmentationStorage"),
    (
        "1.2.840.10008.5.1.4.1.1.601.3", "Thermography Image Storage (for DICONDE)", _CLASS,
        "DICONDEThermographyImageStorage",
    ),
    (
        "1.2.840.10008.5.1.4.1.1.601.4", "Thermography Multi-Frame Image Storage (for DICONDE)", _CLASS,
        "DICONDEThermographyMultiFrameImageStorage",
    ),
    (
        "1.2.840.10008.5.1.4.1.1.601.5", "Ultrasound Waveform Storage (for DICONDE)", _CLASS,
        "DICONDEUltrasoundWaveformStorage",
    ),
)  # fmt: skip
"""UID, name, kind and keyword, as in DCMTK 3.7.0's ``dcuid.h``."""


def main() -> None:
    """Append the rows that are missing; retired attributes are left out."""
    lines = map(_LINE.match, Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    found = [(int(row[1] + row[2], 16), row[3].upper(), row[5], row[4]) for row in lines if row]
    named = [
        (f"{tag:08x}", vr, vm, " ".join(CAMEL_PART.findall(keyword)), "", keyword)
        for tag, vr, vm, keyword in sorted({*found, *ATTRIBUTES})
        if not tag >> 16 & 1 and not keyword.startswith("RETIRED") and tag not in attributes()
    ]
    registered = [(uid, name, kind, "", "", keyword) for uid, name, kind, keyword in UIDS]
    for file, rows in (
        ("attributes.csv", named),
        ("uids.csv", [row for row in registered if row[0] not in uids()]),
    ):
        with (FOLDER / file).open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
