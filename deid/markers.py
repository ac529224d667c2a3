"""The markers of JPEG-family codestreams: geometry, comments, and where the codestream really ends.

ISO/IEC 10918-1 B.1 (JPEG), 14495-1 C.1 (JPEG-LS), 15444-1 A.1 (JPEG 2000, and 15444-15 for HT).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SOI, EOI, SOS, DQT, DHT, DRI, DNL = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC
APP0, APP8, APP14, COM = 0xE0, 0xE8, 0xEE, 0xFE
SOF55, LSE = 0xF7, 0xF8
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, SOF55}
_SPIFF_END = b"\0\0\0\x01\xff\xd8"
# A byte FF in entropy-coded data is followed by 00 (JPEG), a byte below 80 (JPEG-LS) or a restart
# marker; anything else ends the scan.
_AFTER_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")

J2K_SOC, J2K_SOT, J2K_SOD, J2K_EOC = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9
J2K_SIZ, J2K_COD, J2K_COM = 0xFF51, 0xFF52, 0xFF64


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
        if segment.marker in _SOF and segment.stop - segment.start >= 6:
            precision, rows, columns, components = struct.unpack_from(
                ">BHHB", codestream, segment.start
            )
            return FrameHeader(segment.marker, precision, rows, columns, components)
    raise CodestreamBroken("no start of frame")


def scrubbed_jpeg(
    codestream: bytes,
    segments: list[MarkerSegment],
    stays: Callable[[bytes], bool] = lambda _: False,
) -> bytes:
    """Blank comments, application data and whatever follows EOI, keeping every length.

    APP0 (JFIF, without its thumbnail), APP8 (SPIFF header) and APP14 (Adobe colour transform)
    decide how colours are read; their fixed fields stay. All other APPn (EXIF, ICC, vendor) and
    COM have their parameters overwritten with zeros, so that no offset in the file moves; but for
    those of which `stays` says so.
    """
    clean = bytearray(codestream)
    for segment in segments:
        keep = _kept_parameters(codestream, segment)
        if keep is not None and not stays(codestream[segment.start + keep : segment.stop]):
            blank = segment.stop - segment.start - keep
            clean[segment.start + keep : segment.stop] = bytes(max(blank, 0))
    end = segments[-1].stop
    clean[end:] = bytes(len(clean) - end)
    return bytes(clean) if clean != codestream else codestream


def _kept_parameters(codestream: bytes, segment: MarkerSegment) -> int | None:
    """How many parameter bytes stay; None when the segment is none of ours."""
    marker = segment.marker
    identifier = codestream[segment.start : segment.start + 5]
    if marker == APP0 and identifier == b"JFIF\x00":
        # Xthumbnail and Ythumbnail are the two bytes after the first twelve.
        has_thumbnail = codestream[segment.start + 12 : segment.start + 14] not in {b"", b"\0\0"}
        return 12 if has_thumbnail else segment.stop - segment.start
    if marker == APP8 and identifier == b"SPIFF":
        return 30
    if marker == APP8 and codestream[segment.start : segment.stop] == _SPIFF_END:
        return segment.stop - segment.start
    if marker == APP14 and identifier == b"Adobe":
        return 12
    if APP0 <= marker <= 0xEF or marker == COM:
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


def scrubbed_j2k(codestream: bytes, stays: Callable[[bytes], bool] = lambda _: False) -> bytes:
    """Blank the comments of main and tile-part headers and whatever follows EOC, keeping lengths.

    A comment of which `stays` says so is left.

    Raises
    ------
    CodestreamBroken
        If a length passes the end or EOC is missing.
    """
    clean = bytearray(codestream)
    at = 2
    while True:
        marker, length = _j2k_marker(codestream, at)
        if marker == J2K_EOC:
            end = at + 2
            clean[end:] = bytes(len(clean) - end)
            return bytes(clean) if clean != codestream else codestream
        if marker == J2K_SOT:
            at = _scrubbed_tile_part(clean, codestream, at, stays)
            continue
        if marker == J2K_COM and not stays(codestream[at + 6 : at + 2 + length]):
            _blank_comment(clean, at, length)
        at += 2 + length


def _scrubbed_tile_part(
    clean: bytearray, codestream: bytes, start: int, stays: Callable[[bytes], bool]
) -> int:
    """Blank the comments of one tile-part header and return where the tile-part ends."""
    (tile_part_length,) = struct.unpack_from(">I", codestream, start + 6)
    at = start
    while True:
        marker, length = _j2k_marker(codestream, at)
        if marker == J2K_SOD:
            break
        if marker == J2K_COM and not stays(codestream[at + 6 : at + 2 + length]):
            _blank_comment(clean, at, length)
        at += 2 + length
    # Psot 0: this tile-part runs to EOC.
    end = start + int(tile_part_length) if tile_part_length else codestream.find(b"\xff\xd9", at)
    if end < at + 2 or end + 2 > len(codestream):
        raise CodestreamBroken("tile-part")
    return end


def _blank_comment(clean: bytearray, at: int, length: int) -> None:
    # Rcom stays; its text becomes spaces, valid for binary and Latin values alike.
    clean[at + 6 : at + 2 + length] = b" " * (length - 4)


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
