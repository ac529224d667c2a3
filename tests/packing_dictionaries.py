"""Make the dictionaries that the index packs with: ``python -m tests.packing_dictionaries FOLDER``.

They say how DICOM JSON and outcome records write the elements that instances usually have. What was packed
with one needs exactly that one, so those in use are never made anew; this tells how they came to be.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from pydicom.datadict import dictionary_VR, tag_for_keyword

from deid.tables.load import confidentiality_by_tag
from dicomweb.attributes import LEVELS

_NUMBERS: Final = frozenset({"US", "SS", "UL", "SL", "IS", "DS", "FL", "FD"})
_VALUES: Final = (
    '"ISO_IR 100","ISO_IR 192","ORIGINAL","DERIVED","PRIMARY","SECONDARY","AXIAL","LOCALIZER","M","F","O",'
    '"NO","YES",'
    '"MONOCHROME2","RGB","YBR_FULL_422","HFS","FFS","1.2.840.10008.1.2.1","1.2.840.10008.1.2.4.70",'
    '"1.2.840.10008.5.1.4.1.1.2","1.2.840.10008.5.1.4.1.1.4","1.2.840.10008.5.1.4.1.1.1.1","Alphabetic":"'
)
_BULK: Final = (
    '"7FE00010":{"vr":"OW","BulkDataURI":"studies/2.25.1/series/2.25.1/instances/2.25.1'
    '/bulkdata/7FE00010"}}'
)
_ACTIONS: Final = ("removed", "emptied", "recurse", "replaced", "cleaned")


def metadata() -> bytes:
    """Return the elements that searches and Table E.1-1 know, as PS3.18 F.2 writes them."""
    keywords = {keyword for keywords in LEVELS.values() for keyword in keywords}
    levels = {tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None}
    others = sorted({tag for tag in _tags() if tag not in levels and tag >> 16 < 0x40})
    text = [_element(tag) for tag in (*others, *sorted(levels))]
    return (_VALUES + ",".join(text) + "," + _BULK).encode("ascii")


def outcome() -> bytes:
    """Return the elements of Table E.1-1 as an outcome record lists them."""
    names = sorted(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in _tags())
    listed = ",".join(f'["{name}","cleaned",1]' for name in names)
    actions = ",".join(f'["(0009,0010)","{action}",1]' for action in _ACTIONS)
    return (f'{actions},{{"key_id":"00000000","elements":[{listed}').encode("ascii")[-(1 << 15) :]


def _tags() -> list[int]:
    return sorted(confidentiality_by_tag())


def _element(tag: int) -> str:
    try:
        vr = dictionary_VR(tag)[:2]
    except KeyError:
        vr = "LO"
    value = '[{"' if vr in {"SQ", "PN"} else "[1" if vr in _NUMBERS else '["'
    end = "}]" if vr in {"SQ", "PN"} else "]" if vr in _NUMBERS else '"]'
    return f'"{tag:08X}":{{"vr":"{vr}","Value":{value}{end}}}'


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "metadata-1.txt").write_bytes(metadata())
    (folder / "outcome-1.txt").write_bytes(outcome())
