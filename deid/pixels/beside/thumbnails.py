"""Pictures in private elements: copies of the image that nobody looks at, and so they go.

Private elements stay under the profiles that keep everything. A picture among them is known by how such
files begin; raw samples without any header cannot be told from other binary data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.encoding.header import each_top_level

if TYPE_CHECKING:
    from deid.encoding.header import Buffer
    from deid.encoding.transfer_syntaxes import Encoding

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


def thumbnail_elements(data: Buffer, offset: int, encoding: Encoding) -> list[tuple[int, bytes]]:
    """Return the private top-level elements that hold pictures, as ``(tag, b"")``: to be removed."""
    return [
        (tag, b"")
        for tag, start, after in each_top_level(data, offset, encoding, 0x7FE00000)
        if tag >> 16 & 1 and tag & 0xFFFF >= 0x1000 and _is_picture(data, start, after, encoding)
    ]


def _is_picture(data: Buffer, start: int, after: int, encoding: Encoding) -> bool:
    word = encoding.header.unpack_from(data, start)[2]
    is_long = encoding.explicit and word in encoding.long_words
    if encoding.explicit and not is_long:
        return False
    if encoding.explicit and encoding.vr_bytes(word) == b"SQ":
        return False  # gone through item by item
    value = start + (12 if is_long else 8)
    head = bytes(data[value : min(after, value + 132)])
    if head.startswith(_BEGINNINGS) or head[_DICM] == b"DICM":
        return True
    if head[:2] == b"BM" and head[6:10] == bytes(4) and head[14:15]:
        return int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS
    # A sequence that is encoded as UN, or in Implicit VR.
    return head.startswith(_ITEM) and _PIXEL_DATA in bytes(data[value:after])
