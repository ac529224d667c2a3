"""The markers of JPEG-family codestreams: geometry, comments, and where the codestream really ends.

ISO/IEC 10918-1 B.1 (JPEG), 14495-1 C.1 (JPEG-LS), 15444-1 A.1 (JPEG 2000, and 15444-15 for HT).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from deid.tags.numbers import reads_as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SOI, EOI, SOS, DQT, DHT, DRI, DNL = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC
DHP = 0xDE
APP0, APP8, APP14, COM = 0xE0, 0xE8, 0xEE, 0xFE
SOF55, LSE = 0xF7, 0xF8
SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, SOF55}
LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF, SOF55})
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA})
# All that a header of SPIFF can be (ISO/IEC 10918-3 F.2.1); sizes and resolutions have two bytes.
_SPIFF = re.compile(
    rb"SPIFF\0[\0-\2].[\0-\4].(?:\0\0..){2}[\0-\x0f][\0-\x20][\0-\6][\0-\2](?:\0\0..){2}", re.DOTALL
)
_SPIFF_END = b"\0\0\0\x01\xff\xd8"
# Which colour transform goes before JPEG-LS; CharLS reads it.
_COLOUR_TRANSFORM = re.compile(rb"mrfx[\0-\5]")
# A byte FF in entropy-coded data is followed by 00 (JPEG), a byte below 80 (JPEG-LS) or a restart
# marker; anything else ends the scan.
_AFTER_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")

J2K_SOC, J2K_SOT, J2K_SOD, J2K_EOC = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9
J2K_SIZ, J2K_COD, J2K_COM = 0xFF51, 0xFF52, 0xFF64
# SIZ, COD, COC, QCD, QCC, RGN, POC: what decoding needs. All others may hold anything.
# PLM, CRG; and TLM, PLT, which readers use to find their way.
_J2K_IDLE = {0xFF57, 0xFF63}
_J2K_LENGTHS = {0xFF55, 0xFF58}
# Delimiting, header and packet marker segments of 15444-1, -2 and -15 that have a length.
_J2K_DEFINED = {
    *range(0xFF50, 0xFF65), *range(0xFF72, 0xFF7A),
}  # fmt: skip
_J2K_NEEDED = {0xFF51, 0xFF52, 0xFF53, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, J2K_COM, J2K_EOC}


class CodestreamBroken(Exception):
    """The markers of a codestream contradict its bytes."""


@dataclass(frozen=True, slots=True)
class MarkerSegment:
    """One marker and its parameters, which lie at ``[start, stop)``; a scan's data follow SOS."""

    marker: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What a start-of-frame marker says: SOFn of JPEG, SOF55 of JPEG-LS, or SIZ of JPEG 2000."""

    marker: int
    precision: int
    rows: int
    columns: int
    components: int
    is_signed: bool = False


def jpeg_segments(codestream: bytes) -> list[MarkerSegment]:
    """Walk JPEG or JPEG-LS markers from SOI to the first EOI, both included.

    Raises
    ------
    CodestreamBroken
        If there is no SOI, a length passes the end, or EOI is missing.
    """
    if codestream[:2] != b"\xff\xd8":
        raise CodestreamBroken("no SOI")
    segments, at, end = [MarkerSegment(SOI, 2, 2)], 2, len(codestream)
    while at + 2 <= end:
        if codestream[at] != 0xFF:
            raise CodestreamBroken("no marker")
        marker = codestream[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == EOI:
            segments.append(MarkerSegment(EOI, at + 2, at + 2))
            return segments
        if at + 4 > end:
            break
        (length,) = struct.unpack_from(">H", codestream, at + 2)
        if length < 2 or at + 2 + length > end:
            break
        segments.append(MarkerSegment(marker, at + 4, at + 2 + length))
        at += 2 + length
        if marker == SOS:
            found = _AFTER_SCAN.search(codestream, at)
            if found is None:
                break
            at = found.start()
    raise CodestreamBroken("no EOI")


def jpeg_header(codestream: bytes, segments: list[MarkerSegment]) -> FrameHeader:
    """Read the start-of-frame segment."""
    for segment in segments:
        if segment.marker in SOF and segment.stop - segment.start >= 6:
            precision, rows, columns, components = struct.unpack_from(
                ">BHHB", codestream, segment.start
            )
            return FrameHeader(segment.marker, precision, rows, columns, components)
    raise CodestreamBroken("no start of frame")


class Blank(NamedTuple):
    """The bytes ``[start, stop)`` of a codestream, all of which become `fill`."""

    start: int
    stop: int
    fill: bytes


def blanked(codestream: bytes, blanks: Iterable[Blank]) -> bytes:
    """Return a codestream with stretches overwritten, of the same length."""
    clean = bytearray(codestream)
    for start, stop, fill in blanks:
        clean[start:stop] = fill * (stop - start)
    return bytes(clean) if clean != codestream else codestream


def note_blanks(
    codestream: bytes,
    segments: Sequence[MarkerSegment],
    stays: Callable[[bytes], bool] = lambda _: False,
) -> Iterator[Blank]:
    """Yield the notes of JPEG or JPEG-LS and what follows its end, in order, as far as they are not blank.

    APP0 (JFIF, without its thumbnail), APP8 (SPIFF header, colour transform) and APP14 (Adobe colour
    transform) decide how colours are read; their fixed fields stay. All other APPn (EXIF, ICC, vendor),
    COM and reserved segments have their parameters overwritten with zeros, so that no offset in the
    file moves; but for comments and application data of which `stays` says so.
    """
    for segment in segments:
        keep = _kept_parameters(codestream, segment)
        if keep is None:
            continue
        start = segment.start + keep
        if not (_is_note(segment.marker) and stays(codestream[start : segment.stop])):
            yield from _unless_blank(codestream, Blank(start, segment.stop, b"\0"))
    yield from _unless_blank(codestream, Blank(segments[-1].stop, len(codestream), b"\0"))


def _unless_blank(codestream: bytes, blank: Blank) -> Iterator[Blank]:
    if codestream[blank.start : blank.stop].strip(blank.fill):
        yield blank


def _is_note(marker: int) -> bool:
    return APP0 <= marker <= 0xEF or marker == COM


def jpeg_unaccounted(
    codestream: bytes, segments: Sequence[MarkerSegment]
) -> Iterator[MarkerSegment]:
    """Yield the segments that stay although their contents do not make up their length."""
    for segment in segments:
        if not _is_accounted_for(segment.marker, codestream[segment.start : segment.stop]):
            yield segment


def _is_accounted_for(marker: int, value: bytes) -> bool:
    """Whether parameters have the length that they say (ISO/IEC 10918-1 B.2, 14495-1 C.2)."""
    size = len(value)
    if marker in SOF or marker == DHP:
        return size >= 6 and size == 6 + 3 * value[5]
    if marker == SOS:
        return size >= 1 and size == 4 + 2 * value[0]
    if marker == DNL:
        return size == 2
    if marker == DRI:
        return size in (2, 3, 4)
    if marker in (DQT, DHT):
        return _are_tables(marker, value)
    if marker == LSE:
        return value[:1] == b"\1" and size == 11
    return marker in (SOI, EOI) or _is_note(marker) or _is_reserved(marker)


def _are_tables(marker: int, value: bytes) -> bool:
    at = 0
    while at < len(value):
        if marker == DQT:
            at += 129 if value[at] >> 4 else 65
        else:
            at += 17 + sum(value[at + 1 : at + 17])
    return at == len(value)


def _is_reserved(marker: int) -> bool:
    """Whether a marker segment is one that no part of JPEG or JPEG-LS defines (10918-1 B.1.1.3)."""
    return (
        marker == 0xC8
        or 0x01 < marker < 0xC0
        or (0xF0 <= marker <= 0xFD and marker not in (SOF55, LSE))
    )


def _kept_parameters(codestream: bytes, segment: MarkerSegment) -> int | None:
    """How many parameter bytes stay; None when the segment is none of ours."""
    marker = segment.marker
    identifier = codestream[segment.start : segment.start + 5]
    if marker == APP0 and identifier == b"JFIF\x00":
        # Xthumbnail and Ythumbnail are the two bytes after the first twelve.
        has_thumbnail = codestream[segment.start + 12 : segment.start + 14] not in {b"", b"\0\0"}
        return 12 if has_thumbnail else 14
    if marker == APP8 and _SPIFF.match(codestream, segment.start, segment.stop):
        return 30
    if marker == APP8 and codestream[segment.start : segment.stop] == _SPIFF_END:
        return len(_SPIFF_END)
    if marker == APP8 and _COLOUR_TRANSFORM.match(codestream, segment.start, segment.stop):
        return 5
    if marker == APP14 and identifier == b"Adobe":
        return 12
    if _is_note(marker) or _is_reserved(marker):
        return 0
    return None


def j2k_header(codestream: bytes) -> FrameHeader:
    """Read SIZ: the reference grid less its offset, and the first component's precision.

    Raises
    ------
    CodestreamBroken
        If the codestream does not begin with SOC and SIZ, or components differ in size or depth.
    """
    if len(codestream) < 45 or codestream[:4] != b"\xff\x4f\xff\x51":
        raise CodestreamBroken("no SOC and SIZ")
    width, height, left, top = struct.unpack_from(">4I", codestream, 8)
    (components,) = struct.unpack_from(">H", codestream, 40)
    described = codestream[42 : 42 + 3 * components]
    if len(described) != 3 * components or len(set(struct.iter_unpack("3s", described))) != 1:
        raise CodestreamBroken("components differ")
    if described[1] != 1 or described[2] != 1:
        raise CodestreamBroken("subsampled")
    depth = described[0]
    return FrameHeader(
        0x51, (depth & 0x7F) + 1, height - top, width - left, components, is_signed=depth >= 0x80
    )


def scrubbed_j2k(codestream: bytes) -> bytes:
    """Blank the comments of main and tile-part headers and whatever follows EOC, keeping lengths.

    Raises
    ------
    CodestreamBroken
        If a length passes the end or EOC is missing.
    """
    return blanked(codestream, j2k_blanks(codestream, j2k_segments(codestream)))


def j2k_segments(codestream: bytes) -> list[MarkerSegment]:
    """Walk the marker segments of main and tile-part headers up to EOC, which is the last.

    Raises
    ------
    CodestreamBroken
        If a length passes the end or EOC is missing.
    """
    segments: list[MarkerSegment] = []
    at = 2
    while True:
        marker, length = _j2k_marker(codestream, at)
        if marker == J2K_SOT:
            at = _walk_tile_part(codestream, at, segments)
            continue
        if marker == J2K_EOC:
            return [*segments, MarkerSegment(marker, at + 2, at + 2)]
        if marker in {J2K_SOC, J2K_SOD}:
            raise CodestreamBroken("no tile-part")
        segments.append(MarkerSegment(marker, at + 4, at + 2 + length))
        at += 2 + length


def _walk_tile_part(codestream: bytes, start: int, segments: list[MarkerSegment]) -> int:
    """Note the segments of one tile-part header and return where the tile-part ends."""
    if _j2k_marker(codestream, start)[1] != 10:
        raise CodestreamBroken("SOT")
    (tile_part_length,) = struct.unpack_from(">I", codestream, start + 6)
    at = start + 12
    while True:
        marker, length = _j2k_marker(codestream, at)
        if marker == J2K_SOD:
            break
        segments.append(MarkerSegment(marker, at + 4, at + 2 + length))
        at += 2 + length
    # Psot 0: this tile-part runs to EOC.
    end = start + int(tile_part_length) if tile_part_length else codestream.find(b"\xff\xd9", at)
    if end < at + 2 or end + 2 > len(codestream):
        raise CodestreamBroken("tile-part")
    return end


def j2k_blanks(
    codestream: bytes,
    segments: Sequence[MarkerSegment],
    stays: Callable[[bytes], bool] = lambda _: False,
) -> Iterator[Blank]:
    """Yield what is blanked in JPEG 2000, in order, as far as it is not blank.

    A comment of which `stays` says so is left. What decoding does without becomes a blank comment: segments
    that no part defines, those that tell where components of a print lie (CRG) or how long the packets of all
    tile-parts are (PLM), and lengths of tile-parts and packets that read as text.
    """
    for segment in segments:
        if _is_idle(codestream, segment):
            if segment.stop - segment.start >= 2:
                yield Blank(segment.start - 3, segment.start - 2, bytes((J2K_COM & 0xFF,)))
                yield Blank(segment.start, segment.start + 1, b"\0")
                yield Blank(segment.start + 1, segment.start + 2, b"\1")
                yield from _unless_blank(codestream, Blank(segment.start + 2, segment.stop, b" "))
            continue
        # Rcom stays; its text becomes spaces, valid for binary and Latin values alike.
        start = segment.start + 2
        if segment.marker == J2K_COM and not stays(codestream[start : segment.stop]):
            yield from _unless_blank(codestream, Blank(start, segment.stop, b" "))
    yield from _unless_blank(codestream, Blank(segments[-1].stop, len(codestream), b"\0"))


def _is_idle(codestream: bytes, segment: MarkerSegment) -> bool:
    """Whether decoding does without a segment: no part defines it, or lengths in it are none."""
    if segment.marker in _J2K_LENGTHS:
        return reads_as_text(codestream[segment.start + 1 : segment.stop])
    is_defined = segment.marker in _J2K_DEFINED or segment.marker == J2K_EOC
    return segment.marker in _J2K_IDLE or not is_defined


def j2k_unaccounted(
    codestream: bytes,
    segments: Sequence[MarkerSegment],
) -> Iterator[MarkerSegment]:
    """Yield the segments that stay although decoding needs nothing of them, or that no part defines."""
    for segment in segments:
        is_blanked = _is_idle(codestream, segment) and segment.stop - segment.start >= 2
        if segment.marker not in _J2K_NEEDED and not is_blanked:
            yield segment


def _j2k_marker(codestream: bytes, at: int) -> tuple[int, int]:
    if at + 2 > len(codestream):
        raise CodestreamBroken("no EOC")
    (marker,) = struct.unpack_from(">H", codestream, at)
    if marker in {J2K_SOC, J2K_SOD, J2K_EOC}:
        return marker, 0
    if marker < 0xFF00 or at + 4 > len(codestream):
        raise CodestreamBroken("no marker")
    (length,) = struct.unpack_from(">H", codestream, at + 2)
    if length < 2 or at + 2 + length > len(codestream):
        raise CodestreamBroken("marker length")
    return marker, length
