"""Data elements as bytes, for what no library would write (PS3.5 section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

UNDEFINED = 0xFFFFFFFF
_LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}


def element(
    tag: int, vr: str, value: bytes, *, implicit: bool = False, length: int | None = None
) -> bytes:
    """Return one little-endian element; odd values are padded, `length` overrides what is written."""
    if len(value) % 2:
        value += b" " if vr in {"LO", "SH", "PN", "ST", "LT", "UT", "CS", "DA", "IS"} else b"\x00"
    size = len(value) if length is None else length
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    if implicit:
        return head + size.to_bytes(4, "little") + value
    if vr in _LONG:
        return head + vr.encode() + b"\x00\x00" + size.to_bytes(4, "little") + value
    return head + vr.encode() + size.to_bytes(2, "little") + value


def item(content: bytes, *, undefined: bool = False) -> bytes:
    """Return an item, with its length or with a delimiter."""
    if undefined:
        return b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + content + b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content


def sequence(
    tag: int,
    items: Iterable[bytes],
    *,
    vr: str = "SQ",
    undefined: bool = False,
    undefined_items: bool = False,
    implicit: bool = False,
) -> bytes:
    """Return a sequence of items' contents; as UN its contents must be implicit (PS3.5 6.2.2)."""
    body = b"".join(item(content, undefined=undefined_items) for content in items)
    if not undefined:
        return element(tag, vr, body, implicit=implicit)
    body += b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    return element(tag, vr, body, implicit=implicit, length=UNDEFINED)


def nested(
    tags: Iterable[int], content: bytes, *, undefined: bool, implicit: bool = False
) -> bytes:
    """Return `content` inside sequences, the first of `tags` outermost."""
    for tag in reversed(list(tags)):
        content = sequence(
            tag, [content], undefined=undefined, undefined_items=undefined, implicit=implicit
        )
    return content
