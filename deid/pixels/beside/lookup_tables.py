"""What stands behind the entries of palettes: nobody asked for it, and nobody looks there.

A descriptor says how many entries a palette has and how wide they are (PS3.3 C.7.6.3.1.5); what follows them
becomes zero, whoever it names. Segmented palettes say nothing of their length and stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from deid.encoding.top_level import TopLevel

_DESCRIPTORS: Final = {
    0x00281201: 0x00281101, 0x00281202: 0x00281102, 0x00281203: 0x00281103, 0x00281204: 0x00281104,
}  # fmt: skip
"""Palette data to descriptor: red, green, blue, alpha."""
FACTS: Final = frozenset({*_DESCRIPTORS, *_DESCRIPTORS.values()})
_MOST_ENTRIES: Final = 1 << 16
_MOST_BITS: Final = 16


def palette_elements(top: TopLevel) -> list[tuple[int, bytes]]:
    """Return the palettes that have something behind their entries, encoded without it."""
    changed: list[tuple[int, bytes]] = []
    for tag, descriptor_tag in _DESCRIPTORS.items():
        data, descriptor = top.found.get(tag), top.found.get(descriptor_tag)
        if data is None or descriptor is None or descriptor.length < 6:
            continue
        if data.start + data.length > len(top.data):
            continue
        numbers = [
            top.encoding.short.unpack_from(top.data, descriptor.start + at)[0] for at in (0, 4)
        ]
        entries, bits = numbers[0] or _MOST_ENTRIES, numbers[1]
        value = top.data[data.start : data.start + data.length]
        # Entries of eight bits are packed, or each has a word of its own.
        sizes = (2 * entries,) if bits > _MOST_BITS // 2 else (2 * entries, entries)
        end = next((size for size in sizes if size <= len(value)), len(value))
        if value[end:].strip(b"\0"):
            clean = value[:end] + bytes(len(value) - end)
            changed.append((tag, top.encoding.element(tag, b"OW", clean)))
    return changed
