"""How a data set is encoded: what the Transfer Syntax UID says (PS3.5 Section 10 and Annex A)."""

from __future__ import annotations

import csv
import struct
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal, NamedTuple

from deid.encoding.value_representations import LONG_VRS, SHORT_VRS

UNDEFINED_LENGTH: Final = 0xFFFFFFFF
MOST_SHORT: Final = 0xFFFE
"""The longest value that a 16-bit length can tell, in bytes: even (PS3.5 7.1.1)."""
MAX_DEPTH: Final = 32
"""How many sequences may lie in each other: ours, the standard has no limit (PS3.5 7.5)."""
_NATIVE: Final = frozenset({"native", "native_swapped"})


class TransferSyntax(NamedTuple):
    """A row of the table of transfer syntaxes, which every reader of elements here goes by.

    Attributes
    ----------
    vr
        ``explicit`` or ``implicit``.
    byte_order
        ``little`` or ``big``.
    deflated
        ``yes`` where the data set behind the file meta information is one deflated stream. Frames that are
        deflated one by one are encapsulated (PS3.5 8.2.16).
    pixel_data
        ``native``; ``native_swapped`` where its byte order is not the data set's; encapsulated as ``frames`` or
        ``video``; ``referenced`` by the address of a provider; or ``elsewhere``, in a stream of its own.
    section
        Part and section of the standard, with the edition where it is retired.
    """

    uid: str
    name: str
    vr: str
    byte_order: str
    deflated: str
    pixel_data: str
    section: str


def _rows() -> list[TransferSyntax]:
    text = (files("deid.tables") / "transfer_syntaxes.csv").read_text(encoding="utf-8")
    return [TransferSyntax(*row) for row in csv.reader(text.splitlines()[1:])]


TRANSFER_SYNTAXES: Final = {row.uid: row for row in _rows()}
"""By UID (PS3.6 Table A-1). RFC 2557 and XML are not among them: what they encode is no data set of PS3.5."""
DEFLATED: Final = frozenset(uid for uid, row in TRANSFER_SYNTAXES.items() if row.deflated == "yes")


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
    return transfer_syntax_uid in TRANSFER_SYNTAXES


def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """Return the encoding of the data set (after inflating it, for the deflated ones).

    Explicit VR Little Endian for what is not known, as the encapsulated ones are (PS3.5 A.4).
    """
    row = TRANSFER_SYNTAXES.get(transfer_syntax_uid)
    if row is None:
        return EXPLICIT_LITTLE
    if row.vr == "implicit":
        return IMPLICIT_LITTLE
    return EXPLICIT_BIG if row.byte_order == "big" else EXPLICIT_LITTLE


def is_encapsulated(transfer_syntax_uid: str) -> bool:
    """Whether Pixel Data is not native but encapsulated (PS3.5 A.4), or somewhere else."""
    row = TRANSFER_SYNTAXES.get(transfer_syntax_uid)
    return row is None or row.pixel_data not in _NATIVE


def is_referenced(transfer_syntax_uid: str) -> bool:
    """Whether the data set has a provider's address in the place of Pixel Data (JPIP, PS3.5 A.6)."""
    row = TRANSFER_SYNTAXES.get(transfer_syntax_uid)
    return row is not None and row.pixel_data == "referenced"


def is_video(transfer_syntax_uid: str) -> bool:
    """Whether Pixel Data is an MPEG-2, MPEG-4, HEVC or other video stream (PS3.5 8.2.5 to 8.2.8)."""
    row = TRANSFER_SYNTAXES.get(transfer_syntax_uid)
    return row is not None and row.pixel_data == "video"
