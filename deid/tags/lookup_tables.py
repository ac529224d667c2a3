"""What stands behind the entries of lookup tables: nobody asked for it, and nobody looks there.

A descriptor says how many entries a table has and how wide they are (PS3.3 C.7.6.3.1.5, C.11.1.1, C.7.9.2);
what follows them is none of it and goes, whoever it names: palettes and lookup tables, at the top and in items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.tags.numbers import reads_as_text

if TYPE_CHECKING:
    from deid.encoding.transfer_syntaxes import Encoding

SEGMENTED: Final = frozenset({0x00281221, 0x00281222, 0x00281223, 0x00281224})
DESCRIPTORS: Final[dict[int, int]] = {
    0x00281201: 0x00281101, 0x00281202: 0x00281102, 0x00281203: 0x00281103, 0x00281204: 0x00281104,
    0x00281221: 0x00281101, 0x00281222: 0x00281102, 0x00281223: 0x00281103, 0x00281224: 0x00281104,
    0x00283006: 0x00283002,
}  # fmt: skip
"""Data of a table to its descriptor: palettes (red, green, blue, alpha; plain and segmented), LUT Data."""
DESCRIBING: Final = frozenset(DESCRIPTORS.values())
_MOST_ENTRIES: Final = 1 << 16
_MOST_BITS: Final = 16
_DISCRETE, _LINEAR, _INDIRECT = range(3)
"""Opcodes of segments (PS3.3 Table C.7-22)."""


def trimmed(tag: int, data: bytes, descriptor: bytes, encoding: Encoding) -> bytes:
    """Return the data of a table without what stands behind its entries.

    Behind a plain table it becomes zero, so that its length stays; a segmented table ends with its last
    segment. Without a descriptor that can be read, and where segments make no sense, the data stay as they
    are.
    """
    if len(descriptor) < 6:
        return data
    entries, bits = (encoding.short.unpack_from(descriptor, at)[0] for at in (0, 4))
    entries = entries or _MOST_ENTRIES
    if tag in SEGMENTED:
        end = _end_of_segments(data, entries, 1 if bits <= _MOST_BITS // 2 else 2, encoding)
        return data if end is None or not data[end:].strip(b"\0") else data[: end + end % 2]
    end = _end_of_entries(data, entries, bits)
    return data[:end] + bytes(len(data) - end) if data[end:].strip(b"\0") else data


def _end_of_entries(data: bytes, entries: int, bits: int) -> int:
    """Return where the last entry ends: entries of eight bits are packed, or each has a word of its own."""
    packed, wide = entries, 2 * entries
    if bits > _MOST_BITS // 2:
        return min(wide, len(data))
    if wide <= len(data) and not reads_as_text(data[packed:wide]):
        return wide
    return min(packed, len(data))


def _end_of_segments(data: bytes, entries: int, size: int, encoding: Encoding) -> int | None:
    """Return where the segments end that make up the entries; None where they do not."""
    count = len(data) // size
    short = encoding.short.unpack_from
    numbers = [short(data, 2 * at)[0] for at in range(count)] if size == 2 else list(data)
    starts: dict[int, int] = {}
    lengths: list[int] = []
    made = at = 0
    while made < entries:
        if at + 2 > count:
            return None
        starts[at * size] = len(lengths)
        opcode, length = numbers[at], numbers[at + 1]
        if opcode == _DISCRETE:
            lengths.append(length)
            at += 2 + length
        elif opcode == _LINEAR:
            lengths.append(length)
            at += 3
        elif opcode == _INDIRECT and at + 4 <= count:
            first = starts.get(_offset(numbers[at + 2 : at + 4], size))
            if first is None:
                return None
            copied = sum(lengths[first : first + length])
            lengths.append(copied)
            at += 4
        else:
            return None
        made += lengths[-1]
        if not lengths[-1] or at > count:
            return None
    return at * size if made == entries else None


def _offset(words: list[int], size: int) -> int:
    """Return the byte offset of an indirect segment, least significant part first."""
    return words[0] | words[1] << 8 * size
