"""Where the segments of an RLE frame lie, and how much of each its samples need (PS3.5 Annex G)."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from deid.pixels.codecs.codestreams import Blank, CodestreamBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_BYTES: Final = 64
_MOST_SEGMENTS: Final = 15
_NOTHING: Final = b"\x80"
"""The control byte that puts nothing out (G.3.1)."""


def segments(frame: bytes, count: int) -> list[tuple[int, int]]:
    """Return where each segment begins, and where the next one does or the frame ends.

    Raises
    ------
    CodestreamBroken
        If there are not so many segments, or their offsets make no sense.
    """
    if len(frame) < HEADER_BYTES:
        raise CodestreamBroken("RLE header")
    written, *offsets = struct.unpack_from("<16I", frame)
    if written != count:
        raise CodestreamBroken("RLE segments")
    edges = [*offsets[:count], len(frame)]
    if edges[0] != HEADER_BYTES or edges != sorted(edges):
        raise CodestreamBroken("RLE offsets")
    return list(pairwise(edges))


def rle_blanks(frame: bytes, count: int, wanted: int) -> Iterator[Blank]:
    """Yield what of a frame its samples do not need, as far as it is not blank: spare offsets, gaps, the tail.

    Parameters
    ----------
    count
        How many segments there have to be: bytes of a pixel.
    wanted
        How many bytes each of them has to make: pixels of a frame.

    Raises
    ------
    CodestreamBroken
        If the frame is none of that kind.
    """
    found = segments(frame, count)
    needed = [(_packed_length(frame, start, stop, wanted), stop) for start, stop in found]
    yield from spare_offsets(frame)
    for start, stop in needed:
        # A segment is padded with one zero; more of them would be samples.
        if frame[start:stop].strip(b"\0" + _NOTHING):
            yield Blank(start, stop, _NOTHING)


def spare_offsets(frame: bytes) -> Iterator[Blank]:
    """Yield the offsets of segments that an RLE header does not count, where they are not blank (G.5)."""
    if len(frame) < HEADER_BYTES:
        return
    count, first = struct.unpack_from("<2I", frame)
    if 0 < count <= _MOST_SEGMENTS and first == HEADER_BYTES:
        start = 4 + 4 * count
        if frame[start:HEADER_BYTES].strip(b"\0"):
            yield Blank(start, HEADER_BYTES, b"\0")


def _packed_length(frame: bytes, start: int, stop: int, wanted: int) -> int:
    """Return where the PackBits runs that make up `wanted` bytes end."""
    at, made = start, 0
    while made < wanted and at < stop:
        control = frame[at]
        if control < 128:
            at += control + 2
            made += control + 1
        elif control > 128:
            at += 2
            made += 257 - control
        else:
            at += 1
    if made < wanted or at > stop:
        raise CodestreamBroken("RLE segment ends early")
    return at
