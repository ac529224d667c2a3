"""The header that Siemens' MR scanners keep in a private element: what science needs stays, all else goes.

CSA Image Header Info (0029,xx10) is a table of its own, of named values: how many slices a mosaic holds and
where, when each was acquired, b-values and directions; beside them dates, numbers and names. Values whose names
are not listed are blanked in their places, so that readers find the table as it was.
"""

from __future__ import annotations

import re
import struct
from typing import Final

CREATOR: Final = "SIEMENS CSA HEADER"
_GROUP: Final = 0x0029
_IMAGE_HEADER: Final = 0x10
_MAGIC: Final = b"SV10\x04\x03\x02\x01"
_COUNT: Final = struct.Struct("<II")
_TAG: Final = struct.Struct("<64si4siii")
_ITEM: Final = struct.Struct("<4i")
_MOST_TAGS: Final = 128
_MOST_ITEMS: Final = 4096
_NUMBER: Final = re.compile(rb" *[+-]?\d{0,9}(?:\.\d{0,16})?(?:[eE][+-]?\d{1,3})? *\Z")
_WORDS: Final = frozenset({b"DIRECTIONAL", b"ISOTROPIC", b"NONE", b"BMATRIX"})
"""Diffusion Directionality (PS3.3 C.8.13.5.9)."""

KEPT: Final = frozenset(
    {
        b"B_matrix", b"B_value", b"BandwidthPerPixelPhaseEncode", b"DiffusionDirectionality",
        b"DiffusionGradientDirection", b"EchoLinePosition", b"EchoPartitionPosition",
        b"ImageOrientationPatient", b"ImagePositionPatient", b"MosaicRefAcqTimes", b"NumberOfImagesInMosaic",
        b"PhaseEncodingDirectionPositive", b"PixelSpacing", b"ProtocolSliceNumber", b"RealDwellTime",
        b"SliceMeasurementDuration", b"SliceNormalVector", b"SliceThickness",
    }
)  # fmt: skip
"""Names of values that tell of the picture and of nobody."""


def is_header(creator: str, tag: int) -> bool:
    """Whether a private element is a CSA image header."""
    return creator == CREATOR and tag >> 16 == _GROUP and tag & 0xFF == _IMAGE_HEADER


def cleaned(raw: bytes) -> bytes | None:
    """Return a header with all values blanked whose names are not listed; None where it cannot be read."""
    if not raw.startswith(_MAGIC):
        return None
    made = bytearray(raw)
    try:
        end = _clean(raw, made)
    except struct.error:
        return None
    if end is None:
        return None
    made[end:] = bytes(len(raw) - end)
    return bytes(made)


def _clean(raw: bytes, made: bytearray) -> int | None:
    """Blank values in place; return where the table ends, None when it makes no sense."""
    count, _unused = _COUNT.unpack_from(raw, len(_MAGIC))
    at = len(_MAGIC) + _COUNT.size
    if not 0 < count <= _MOST_TAGS:
        return None
    for _ in range(count):
        field, _multiplicity, _vr, _type, items, _mark = _TAG.unpack_from(raw, at)
        name, _nul, _left = field.partition(b"\x00")
        # What stands behind the name's end was never cleared.
        made[at + len(name) : at + len(field)] = bytes(len(field) - len(name))
        at += _TAG.size
        if not 0 <= items <= _MOST_ITEMS:
            return None
        for _item in range(items):
            _first, length, _third, _fourth = _ITEM.unpack_from(raw, at)
            at += _ITEM.size
            stop = at + (length + 3) // 4 * 4
            if length < 0 or stop > len(raw):
                return None
            value = raw[at : at + length].partition(b"\x00")[0]
            keeps = name in KEPT and (_NUMBER.match(value) or value.strip() in _WORDS)
            start = at + len(value) if keeps else at
            made[start:stop] = bytes(stop - start)
            at = stop
    return at
