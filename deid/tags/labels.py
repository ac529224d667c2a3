"""Labels stay whole or go whole.

A label tells one thing of a kind from another: ROIs, segments, beams. Half a label is another label
(Brainstem_PRV without PRV is the brainstem), and two labels that become equal tell nothing apart. So a label
stays when all of it is recognised, and is replaced otherwise: by the key, the same for one patient wherever it
stands.
"""

from __future__ import annotations

import re
from typing import Final

from deid.text.structures import is_structure_name

_APART: Final = re.compile(r"(?<![^\W_])(?:[^\W\d_][\W_]+){3,}[^\W\d_](?![^\W_])")

LABELS: Final[dict[int, str]] = {
    0x00620005: "SEG",  # Segment Label
    0x006A0005: "GRP",  # Annotation Group Label
    0x30020002: "IMG", 0x30020003: "IMG",  # RT Image Label, Name
    0x30060002: "SET", 0x30060004: "SET",  # Structure Set Label, Name
    0x30060026: "ROI", 0x30060085: "ROI",  # ROI Name, ROI Observation Label
    0x300A0002: "PLAN", 0x300A0003: "PLAN",  # RT Plan Label, Name
    0x300A00C2: "BEAM",  # Beam Name
    0x300A00FE: "BLOCK",  # Block Name
    0x300A0183: "SETUP", 0x300A01B8: "SETUP",  # Patient Setup Label, Setup Device Label
    0x300A0608: "POS", 0x300A0619: "DOSE", 0x300A0623: "DOSE", 0x300A062A: "TOL", 0x300A067C: "MODE",
    0x300A079A: "REF",
    0x30100033: "LABEL", 0x30100034: "LABEL",  # User Content (Long) Label
    0x30100035: "ENT", 0x30100036: "ENT", 0x30100038: "ENT",  # Entity Label, Name, Long Label
    0x30100054: "RX",  # RT Prescription Label
}  # fmt: skip
"""Attributes that hold a label, and what its replacement begins with."""


def is_recognised_label(tag: int, text: str) -> bool:
    """Whether an attribute holds a label that names a structure."""
    return tag in LABELS and is_structure_name(text)


def is_spelled_apart(text: str) -> bool:
    """Whether many letters stand alone, which spell something together."""
    return _APART.search(text) is not None
