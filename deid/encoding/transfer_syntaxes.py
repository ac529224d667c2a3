"""How a data set is encoded: what the Transfer Syntax UID says (PS3.5 Section 10 and Annex A)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Literal

from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.tables.dictionary import uids

UNDEFINED_LENGTH: Final = 0xFFFFFFFF
MOST_SHORT: Final = 0xFFFE
"""The longest value that a 16-bit length can tell, in bytes: even (PS3.5 7.1.1)."""
DEFLATED: Final = frozenset(
    {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
)
_IMPLICIT: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.20", "1.2.840.113619.5.2"})
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_NATIVE: Final = _IMPLICIT | DEFLATED | {"1.2.840.10008.1.2.1", _BIG_ENDIAN}
_VIDEO_PREFIXES: Final = ("1.2.840.10008.1.2.4.10",)
_NOT_VIDEO: Final = frozenset(
    {"1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Byte order and VR encoding of a stretch of data elements."""

    explicit: bool
    big_endian: bool
    header: struct.Struct
    """Four 16-bit words: group, element, then VR and length (explicit) or the length's halves."""
    head: struct.Struct
    """Tag and VR as encoded, and the length: 16 bits, or 32 where no VR is written."""
    long: struct.Struct
    short: struct.Struct
    item: struct.Struct
    """Item header: group, element, 32-bit length (PS3.5 7.5)."""
    long_words: frozenset[int]
    """VRs with a 32-bit length, as `header` reads them."""
    short_words: frozenset[int]
    """All other VRs."""

    def vr_word(self, vr: bytes) -> int:
        """Return a VR as the 16-bit word that `header` reads."""
        return int.from_bytes(vr, "big" if self.big_endian else "little")

    def vr_bytes(self, word: int) -> bytes:
        """Return the two letters behind a word that `header` read."""
        return word.to_bytes(2, "big" if self.big_endian else "little")

    def tag_of(self, head: bytes) -> int:
        """Return the tag that an element's head begins with."""
        group, element = self.short.unpack_from(head)[0], self.short.unpack_from(head, 2)[0]
        return int(group << 16 | element)

    def element(self, tag: int, vr: bytes, value: bytes) -> bytes:
        """Return an encoded data element; the value must already be of even length."""
        head = self.short.pack(tag >> 16) + self.short.pack(tag & 0xFFFF)
        if not self.explicit:
            return head + self.long.pack(len(value)) + value
        if vr in LONG_VRS:
            return head + vr + b"\x00\x00" + self.long.pack(len(value)) + value
        if len(value) > MOST_SHORT:
            # What no 16-bit length can say is written as UN (PS3.5 6.2.2).
            return head + b"UN\x00\x00" + self.long.pack(len(value)) + value
        return head + vr + self.short.pack(len(value)) + value

    def item_header(self, element: int, length: int) -> bytes:
        """Return an item, item delimiter or sequence delimiter header (group FFFE)."""
        return self.item.pack(0xFFFE, element, length)


def _encoding(*, explicit: bool, big_endian: bool) -> Encoding:
    order = ">" if big_endian else "<"
    byteorder: Literal["big", "little"] = "big" if big_endian else "little"
    return Encoding(
        explicit,
        big_endian,
        struct.Struct(f"{order}HHHH"),
        struct.Struct(f"{order}6sH" if explicit else f"{order}4sL"),
        struct.Struct(f"{order}L"),
        struct.Struct(f"{order}H"),
        struct.Struct(f"{order}HHL"),
        frozenset(int.from_bytes(vr, byteorder) for vr in LONG_VRS),
        frozenset(int.from_bytes(vr, byteorder) for vr in SHORT_VRS),
    )


EXPLICIT_LITTLE: Final = _encoding(explicit=True, big_endian=False)
IMPLICIT_LITTLE: Final = _encoding(explicit=False, big_endian=False)
EXPLICIT_BIG: Final = _encoding(explicit=True, big_endian=True)


def is_known(transfer_syntax_uid: str) -> bool:
    """Whether the UID names a transfer syntax whose encoding is known."""
    if transfer_syntax_uid in _NATIVE:
        return True
    entry = uids().get(transfer_syntax_uid)
    return entry is not None and entry.kind == "Transfer Syntax"


def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """Return the encoding of the data set (after inflating it, for the deflated ones)."""
    if transfer_syntax_uid in _IMPLICIT:
        return IMPLICIT_LITTLE
    if transfer_syntax_uid == _BIG_ENDIAN:
        return EXPLICIT_BIG
    return EXPLICIT_LITTLE


def is_encapsulated(transfer_syntax_uid: str) -> bool:
    """Whether Pixel Data is encapsulated (PS3.5 A.4)."""
    return transfer_syntax_uid not in _NATIVE


def is_video(transfer_syntax_uid: str) -> bool:
    """Whether Pixel Data is an MPEG-2, MPEG-4, HEVC or other video stream (PS3.5 8.2.5 to 8.2.8)."""
    return transfer_syntax_uid.startswith(_VIDEO_PREFIXES) and transfer_syntax_uid not in _NOT_VIDEO
