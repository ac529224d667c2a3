"""What precedes the data set in a spool file: preamble, prefix, file meta (PS3.10 7.1)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from deid.encoding import implementation

_SHORT: Final = Struct("<HH2sH")
_LONG: Final = Struct("<HH2sHI")


def encode_file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae_title: str
) -> bytes:
    """Return 132 bytes of preamble and prefix, and group 0002 in Explicit VR Little Endian.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid
        From the C-STORE-RQ; the data set itself is not looked into here.
    transfer_syntax_uid
        The one accepted for the presentation context.
    source_ae_title
        The calling AE title.
    """
    elements = _LONG.pack(0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01"
    elements += _text(0x0002, b"UI", sop_class_uid, b"\0")
    elements += _text(0x0003, b"UI", sop_instance_uid, b"\0")
    elements += _text(0x0010, b"UI", transfer_syntax_uid, b"\0")
    elements += _text(0x0012, b"UI", implementation.CLASS_UID, b"\0")
    elements += _text(0x0013, b"SH", implementation.VERSION_NAME, b" ")
    elements += _text(0x0016, b"AE", source_ae_title, b" ")
    group_length = _SHORT.pack(0x0002, 0x0000, b"UL", 4) + len(elements).to_bytes(4, "little")
    return bytes(128) + b"DICM" + group_length + elements


def _text(number: int, vr: bytes, text: str, padding: bytes) -> bytes:
    value = text.encode("ascii")
    if len(value) % 2:
        value += padding
    return _SHORT.pack(0x0002, number, vr, len(value)) + value
