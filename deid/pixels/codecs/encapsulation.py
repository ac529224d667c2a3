"""The items of encapsulated Pixel Data (PS3.5 A.4): which bytes belong to which frame, and back."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deid.encoding.segments import Segment, Span
from deid.errors import Reason, Unsafe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ITEM = b"\xfe\xff\x00\xe0"
_DELIMITER = b"\xfe\xff\xdd\xe0"
_WHERE = "(7FE0,0010)"


@dataclass(frozen=True, slots=True)
class EncapsulatedFrame:
    """One frame's items: `items` spans them with their headers, `fragments` only their values."""

    items: Span
    fragments: tuple[Span, ...]

    def read(self, value: Any) -> bytes:
        """Return the encoded frame, its fragments joined."""
        return b"".join(bytes(value[start:stop]) for start, stop in self.fragments)


@dataclass(frozen=True, slots=True)
class EncapsulatedValue:
    """A parsed value: whether there is a Basic Offset Table with entries, and the frames in order."""

    has_basic_offsets: bool
    frames: tuple[EncapsulatedFrame, ...]


def parse(
    value: Any, start: int, stop: int, frames: int, extended_offsets: bytes | None = None
) -> EncapsulatedValue:
    """Find every frame of an encapsulated value.

    Parameters
    ----------
    value, start, stop
        The source and the span of the value field, from the Basic Offset Table item up to the
        Sequence Delimitation Item.
    frames
        Number of Frames.
    extended_offsets
        Extended Offset Table (7FE0,0001), if the dataset has one.

    Raises
    ------
    Unsafe
        `Reason.PIXELS_UNDECODABLE` when items are broken or do not divide into that many frames.
    """
    items = _items(value, start, stop)
    if not items:
        raise _broken("no items")
    table, fragments = items[0], items[1:]
    offsets = _table(bytes(value[table.start : table.stop]), "<I")
    first = table.stop
    groups: Sequence[Sequence[Span]]
    if len(fragments) == frames:
        groups = [[fragment] for fragment in fragments]
    elif frames == 1:
        groups = [fragments]
    elif len(offsets) == frames:
        groups = _grouped_by_offsets(fragments, [first + offset for offset in offsets])
    elif extended_offsets and len(extended_offsets) == 8 * frames:
        starts = [first + offset for offset in _table(extended_offsets, "<Q")]
        groups = _grouped_by_offsets(fragments, starts)
    else:
        groups = _grouped_by_ends(value, fragments)
    if len(groups) != frames or not all(groups):
        raise _broken("frames")
    return EncapsulatedValue(
        bool(offsets),
        tuple(
            EncapsulatedFrame(Span(group[0].start - 8, group[-1].stop), tuple(group))
            for group in groups
        ),
    )


def build(
    source: EncapsulatedValue,
    replaced: Mapping[int, bytes],
    attributes: Mapping[str, Any],
) -> tuple[list[Segment], dict[str, Any]]:
    """Put the value together again; frames not in `replaced` are copied as they are.

    Parameters
    ----------
    replaced
        New encoded frames by frame index, counted from 0. Each becomes one fragment.
    attributes
        Looked up for the Extended Offset Table only.

    Returns
    -------
    segments, changes
        The value field, and the rewritten Extended Offset Table and its lengths if there was one.
        A Basic Offset Table is rewritten when it had entries and stays empty when it was empty; if
        its 32 bits no longer suffice it becomes empty.
    """
    parts: list[Segment] = []
    offsets, lengths, at = [], [], 0
    for index, frame in enumerate(source.frames):
        offsets.append(at)
        if index in replaced:
            encoded = replaced[index]
            padded = encoded + b"\x00" * (len(encoded) % 2)
            parts.append(_ITEM + struct.pack("<I", len(padded)) + padded)
            lengths.append(len(encoded))
            at += 8 + len(padded)
        else:
            parts.append(frame.items)
            lengths.append(sum(stop - start for start, stop in frame.fragments))
            at += frame.items.stop - frame.items.start
    table = b""
    if source.has_basic_offsets and offsets[-1] < 1 << 32:
        table = struct.pack(f"<{len(offsets)}I", *offsets)
    changes: dict[str, Any] = {}
    if attributes.get("ExtendedOffsetTable"):
        kept = _table(attributes.get("ExtendedOffsetTableLengths") or b"", "<Q")
        if len(kept) == len(lengths):
            lengths = [
                length if index in replaced else kept[index] for index, length in enumerate(lengths)
            ]
        changes["ExtendedOffsetTable"] = struct.pack(f"<{len(offsets)}Q", *offsets)
        changes["ExtendedOffsetTableLengths"] = struct.pack(f"<{len(lengths)}Q", *lengths)
    return [_ITEM + struct.pack("<I", len(table)) + table, *parts], changes


def _items(value: Any, start: int, stop: int) -> list[Span]:
    spans, at = [], start
    while at + 8 <= stop:
        tag = bytes(value[at : at + 4])
        (length,) = struct.unpack("<I", bytes(value[at + 4 : at + 8]))
        if tag == _DELIMITER:
            break
        if tag != _ITEM or at + 8 + length > stop:
            raise _broken(f"item at offset {at - start}")
        spans.append(Span(at + 8, at + 8 + length))
        at += 8 + length
    if at < stop and bytes(value[at : at + 4]) != _DELIMITER:
        raise _broken("items")
    return spans


def _grouped_by_offsets(fragments: Sequence[Span], starts: Sequence[int]) -> list[list[Span]]:
    groups: dict[int, list[Span]] = {start: [] for start in starts}
    current: list[Span] | None = None
    for fragment in fragments:
        current = groups.get(fragment.start - 8, current)
        if current is None:
            raise _broken("offset table")
        current.append(fragment)
    return [groups[start] for start in sorted(groups)]


def _grouped_by_ends(value: Any, fragments: Sequence[Span]) -> list[list[Span]]:
    # No table: a frame of any JPEG family ends with EOI or EOC, maybe padded (PS3.5 A.4).
    groups: list[list[Span]] = [[]]
    tail = b""
    for fragment in fragments:
        groups[-1].append(fragment)
        # The marker itself may be divided.
        tail = (tail + bytes(value[max(fragment.start, fragment.stop - 4) : fragment.stop]))[-4:]
        if b"\xff\xd9" in tail:
            groups.append([])
            tail = b""
    return groups if groups[-1] else groups[:-1]


def _table(raw: Any, entry: str) -> list[int]:
    data = bytes(raw)
    size = struct.calcsize(entry)
    return [number for (number,) in struct.iter_unpack(entry, data[: len(data) // size * size])]


def _broken(what: str) -> Unsafe:
    return Unsafe(Reason.PIXELS_UNDECODABLE, f"{_WHERE} {what}")
