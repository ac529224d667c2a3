"""Pictures in private elements: copies of the image that nobody looks at, and so they go.

Private elements stay under the profiles that keep everything. A picture among them is known by how such
files begin; raw samples without any header cannot be told from other binary data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.encoding.value_representations import LONG_VRS

if TYPE_CHECKING:
    from deid.encoding.header import Buffer
    from deid.encoding.top_level import Placed, TopLevel

_BEGINNINGS: Final = (
    b"\xff\xd8\xff",  # JPEG, JPEG-LS
    b"\xff\x4f\xff\x51",  # JPEG 2000 codestream
    b"\x00\x00\x00\x0cjP  ",  # JP2
    b"\x00\x00\x00\x0cJXL ",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",  # TIFF
    b"MM\x00*",
    b"\x00\x00\x01\xb3",  # MPEG video sequence
    b"\x00\x00\x01\xba",  # MPEG program stream
)
_ITEM: Final = b"\xfe\xff\x00\xe0"
_PIXEL_DATA: Final = b"\xe0\x7f\x10\x00"
_DICM: Final = slice(128, 132)
_BITMAP_HEADERS: Final = frozenset({12, 40, 64, 108, 124})


def thumbnail_elements(top: TopLevel) -> list[tuple[int, bytes]]:
    """Return the private top-level elements that hold pictures, as ``(tag, b"")``: to be removed."""
    return [
        (each.tag, b"")
        for each in top.each(0x7FE00000)
        if each.tag >> 16 & 1 and each.tag & 0xFFFF >= 0x1000 and _is_picture(top.data, each)
    ]


def _is_picture(data: Buffer, element: Placed) -> bool:
    # A picture needs a long form; a sequence is gone through item by item.
    if element.vr and (element.vr not in LONG_VRS or element.vr == b"SQ"):
        return False
    head = bytes(data[element.value : min(element.stop, element.value + 132)])
    if head.startswith(_BEGINNINGS) or head[_DICM] == b"DICM":
        return True
    if head[:2] == b"BM" and head[6:10] == bytes(4) and head[14:15]:
        return int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS
    # A sequence that is encoded as UN, or in Implicit VR.
    return head.startswith(_ITEM) and _PIXEL_DATA in bytes(data[element.value : element.stop])
