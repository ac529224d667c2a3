"""What hides in JPEG and JPEG-LS: notes, what follows the end, and tables that no scan uses.

Such tables may hold anything, and decoding needs nothing of them.
ISO/IEC 10918-1 B.2.4: a table is defined for a destination, and counts until it is defined anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.pixels.codecs.codestreams import (
    DHT,
    DQT,
    LOSSLESS,
    PROGRESSIVE,
    SOF,
    SOS,
    Blank,
    blanked,
    note_blanks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deid.pixels.codecs.codestreams import MarkerSegment

_COUNTS: Final = 16
"""Bytes that say how many codes there are of each length (B.2.4.2)."""
_DESTINATIONS: Final = 4
_QUANTISATION, _DC, _AC = range(3)
_Table = tuple[int, int]
"""Which kind of table, and its destination."""


def scrubbed_jpeg(codestream: bytes, segments: Sequence[MarkerSegment]) -> bytes:
    """Blank comments, application data, tables without use and whatever follows EOI, keeping every length."""
    return blanked(codestream, jpeg_blanks(codestream, segments))


def jpeg_blanks(
    codestream: bytes,
    segments: Sequence[MarkerSegment],
    stays: Callable[[bytes], bool] = lambda _: False,
) -> list[Blank]:
    """Return what is blanked in JPEG or JPEG-LS, in order; what of notes stays, `stays` says."""
    notes = note_blanks(codestream, segments, stays)
    return sorted([*notes, *unused_tables(codestream, segments)])


def unused_tables(codestream: bytes, segments: Sequence[MarkerSegment]) -> Iterator[Blank]:
    """Yield the values of tables that no scan uses, in order, as far as they are not blank.

    Quantisation values become 1; of a Huffman table the numbers of codes stay, as its length follows from
    them, and their symbols become 0. A codestream without a scan has its tables for another, and keeps them.
    """
    if not any(segment.marker == SOS for segment in segments):
        return
    defined: dict[_Table, Blank] = {}
    components: dict[int, int] = {}
    frame = 0
    found: set[Blank] = set()
    used: set[Blank] = set()
    for segment in segments:
        value = codestream[segment.start : segment.stop]
        if segment.marker in (DQT, DHT):
            for table, start, stop in _tables(segment.marker, value):
                fill = b"\1" if table[0] == _QUANTISATION else b"\0"
                blank = Blank(segment.start + start, segment.start + stop, fill)
                found.add(blank)
                defined[table] = blank
        elif segment.marker in SOF and len(value) >= 6:
            frame = segment.marker
            components = {value[at]: value[at + 2] for at in range(6, len(value) - 2, 3)}
        elif segment.marker == SOS and value:
            used |= {
                defined[table] for table in _needed(value, components, frame) if table in defined
            }
    for blank in sorted(found - used):
        if codestream[blank.start : blank.stop].strip(blank.fill):
            yield blank


def _tables(marker: int, value: bytes) -> Iterator[tuple[_Table, int, int]]:
    """Yield the tables of a segment: which it is, and where its values begin and end."""
    at = 0
    while at < len(value):
        kind, destination = value[at] >> 4, value[at] & 15
        if marker == DQT:
            start, stop = at + 1, at + (129 if kind else 65)
            table = _QUANTISATION, destination
        else:
            start = at + 1 + _COUNTS
            stop = start + sum(value[at + 1 : start])
            table = (_AC if kind else _DC), destination
        if stop > len(value):
            return
        yield table, start, stop
        at = stop


def _needed(scan: bytes, components: dict[int, int], frame: int) -> Iterator[_Table]:
    """Yield the tables that a scan may use, by its header (B.2.3) and the kind of its frame."""
    count = scan[0]
    if len(scan) < 4 + 2 * count:
        # Not to be made out: all of them.
        for destination in range(_DESTINATIONS):
            yield from ((kind, destination) for kind in (_QUANTISATION, _DC, _AC))
        return
    is_first, is_last = scan[1 + 2 * count] == 0, scan[2 + 2 * count] == 0
    for at in range(1, 1 + 2 * count, 2):
        component, tables = scan[at], scan[at + 1]
        if frame not in LOSSLESS:
            yield _QUANTISATION, components.get(component, 0)
        if frame in LOSSLESS or is_first:
            yield _DC, tables >> 4
        if frame not in LOSSLESS and not (frame in PROGRESSIVE and is_last):
            yield _AC, tables & 15
