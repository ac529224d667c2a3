"""The Part 10 file that leaves: a File Meta Information of our own, and what stays of the source (PS3.10 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.encoding import implementation
from deid.encoding.inflate import deflate
from deid.encoding.segments import Segment, Span
from deid.encoding.transfer_syntaxes import DEFLATED, EXPLICIT_LITTLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.encoding.header import Buffer

_PREFIX: Final = bytes(128) + b"DICM"


def part10(
    dataset: list[Segment],
    source: Buffer,
    *,
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
) -> list[Segment]:
    """Return a whole file around a data set, deflated where its transfer syntax is.

    Parameters
    ----------
    dataset
        Bytes, and spans of `source`.
    """
    head = _file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
    if transfer_syntax_uid in DEFLATED:
        return [head, deflate(materialised(dataset, source))]
    return _joined([head, *dataset])


def materialised(dataset: Iterable[Segment], source: Buffer) -> bytes:
    """Return a data set as bytes, the spans of its source among them."""
    return b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop] for part in dataset
    )


def _file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and File Meta Information (PS3.10 7.1)."""
    element = EXPLICIT_LITTLE.element
    body = b"".join(
        (
            element(0x00020001, b"OB", b"\x00\x01"),
            element(0x00020002, b"UI", _even(sop_class_uid)),
            element(0x00020003, b"UI", _even(sop_instance_uid)),
            element(0x00020010, b"UI", _even(transfer_syntax_uid)),
            element(0x00020012, b"UI", _even(implementation.CLASS_UID)),
            element(0x00020013, b"SH", _even(implementation.VERSION_NAME, b" ")),
        )
    )
    return _PREFIX + element(0x00020000, b"UL", EXPLICIT_LITTLE.long.pack(len(body))) + body


def _even(text: str, pad: bytes = b"\x00") -> bytes:
    raw = text.encode("ascii")
    return raw + pad if len(raw) & 1 else raw


def _joined(segments: list[Segment]) -> list[Segment]:
    """Join neighbouring bytes, so that few segments have to be written."""
    joined: list[Segment] = []
    parts: list[bytes] = []
    for segment in segments:
        if isinstance(segment, Span):
            joined.append(b"".join(parts))
            parts = []
            joined.append(segment)
        else:
            parts.append(segment)
    if parts:
        joined.append(b"".join(parts))
    return joined
