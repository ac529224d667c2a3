"""What encapsulated frames claim to be, by their first bytes: nothing is decoded.

Each frame has to begin as its transfer syntax says (PS3.5 A.4), to be as many as Number of Frames counts,
and to claim the rows and columns of the header, in a number of bytes that can hold them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.header import tag_name
from deid.encoding.transfer_syntaxes import UNDEFINED_LENGTH, is_referenced, is_video
from deid.errors import Reason, Unsafe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deid.encoding.header import Buffer
    from deid.encoding.transfer_syntaxes import Encoding

_JPEG: Final = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.([5-7]\d|8[01])")
_JPEG_2000: Final = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.(9[0-3]|20[1-3])")
_JPEG_XL: Final = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.11[0-2]")
_RLE: Final = "1.2.840.10008.1.2.5"
_UNCOMPRESSED: Final = "1.2.840.10008.1.2.1.98"
_DEFLATED: Final = "1.2.840.10008.1.2.8.1"

_HALVED: Final = frozenset({b"YBR_FULL_422", b"YBR_PARTIAL_422"})
_PIXEL_DATA: Final = 0x7FE00010
_BOX: Final = b"\0\0\0\x0c"
_SOC_SIZ: Final = b"\xff\x4f\xff\x51"
# Any number of zeros may stand before a first start code (ITU-T H.264 B.1).
_VIDEO_STARTS: Final = re.compile(
    rb"\x00{2,}\x01|\x00{16}|\x47|....(?:ftyp|moov|mdat|free|skip|wide)", re.DOTALL
)
_FIRST_BYTES: Final = 4096
_SOF: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_JPEG_LS: Final = 0xF7
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_NO_HEADER: Final = frozenset({0xD9, 0xDA})
# What a codec cannot beat: a block of 8 x 8 samples takes a bit at least, a lossless sample half of one.
_MOST_PER_BYTE: Final = 1024
_MOST_LOSSLESS_PER_BYTE: Final = 16
_MOST_DEFLATED: Final = 1040
_RLE_HEADER: Final = 64
_RLE_MOST_SEGMENTS: Final = 15
_RLE_MOST_RUN: Final = 64
_MOST_TILES: Final = 65_535


@dataclass(frozen=True, slots=True)
class Shape:
    """What the Image Pixel module claims.

    Attributes
    ----------
    frames
        At least 1.
    allocated
        Bits of a sample.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    allocated: int
    photometric: bytes

    def frame_bits(self) -> set[int]:
        """Return the sizes that a native frame may have, in bits."""
        rows, columns = self.rows, self.columns
        if self.photometric in _HALVED:
            # Pairs of columns, the last of an odd number alone or filled up; or not subsampled at all.
            counts = {rows * columns * 2, rows * (columns + columns % 2) * 2, rows * columns * 3}
        elif self.photometric == b"YBR_PARTIAL_420":
            counts = {rows * columns * 3 // 2, -(-rows // 2) * -(-columns // 2) * 6}
        else:
            counts = {rows * columns * self.samples}
        return {count * self.allocated for count in counts}


class Fragment(NamedTuple):
    """Where a fragment's bytes stand."""

    start: int
    stop: int


Frame = list[Fragment]
"""The fragments of one frame."""


def fragments_of(data: Buffer, start: int, encoding: Encoding) -> list[Fragment] | None:
    """Return the fragments that are not empty, the Basic Offset Table left out; None of what are no items.

    Parameters
    ----------
    start
        Where the first item of the value stands.

    Raises
    ------
    Unsafe
        `Reason.TRUNCATED` or `Reason.LENGTH_PAST_END` where the items are not all there.
    """
    found: list[Fragment] = []
    at, is_table = start, True
    while True:
        if at > len(data) - 8:
            reason = Reason.LENGTH_PAST_END if at > len(data) else Reason.TRUNCATED
            raise Unsafe(reason, tag_name(_PIXEL_DATA))
        group, element, length = encoding.item.unpack_from(data, at)
        if (group, element) == (0xFFFE, 0xE0DD):
            return found
        if (group, element) != (0xFFFE, 0xE000) or length == UNDEFINED_LENGTH:
            return None
        at += 8 + length
        if length and not is_table:
            found.append(Fragment(at - length, at))
        is_table = False


def check_frames(
    data: Buffer, fragments: Sequence[Fragment] | None, transfer_syntax_uid: str, shape: Shape
) -> str | None:
    """Return why fragments cannot be the frames of an image of this shape, None when they can."""
    if fragments is None:
        return "items"
    if is_video(transfer_syntax_uid):
        return _check_video(data, fragments)
    if is_referenced(transfer_syntax_uid):
        return "bytes beside a provider's address" if fragments else None
    frames, check = _frames(data, fragments, transfer_syntax_uid)
    if check is None:
        return None if fragments else "no frame"
    if frames is None:
        return "no codestream"
    if len(frames) != shape.frames:
        return f"{len(frames)} frames"
    for number, frame in enumerate(frames, start=1):
        why = check(data, frame, shape)
        if why is not None:
            return f"{why} in frame {number}"
    return None


def _frames(
    data: Buffer, fragments: Sequence[Fragment], transfer_syntax_uid: str
) -> tuple[list[Frame] | None, Callable[[Buffer, Frame, Shape], str | None] | None]:
    """Return the frames, None when they do not begin as they should, and what checks one of them."""
    if _JPEG.fullmatch(transfer_syntax_uid):
        return _begun_by(data, fragments, (b"\xff\xd8\xff",)), _check_jpeg
    if _JPEG_2000.fullmatch(transfer_syntax_uid):
        return _begun_by(data, fragments, (_SOC_SIZ, _BOX + b"jP")), _check_jpeg_2000
    if _JPEG_XL.fullmatch(transfer_syntax_uid):
        return _begun_by(data, fragments, (b"\xff\x0a", _BOX + b"JXL ")), _check_nothing
    single = [[fragment] for fragment in fragments]
    checks = {_RLE: _check_rle, _UNCOMPRESSED: _check_uncompressed, _DEFLATED: _check_deflated}
    return single, checks.get(transfer_syntax_uid)


def _begun_by(
    data: Buffer, fragments: Sequence[Fragment], signs: tuple[bytes, ...]
) -> list[Frame] | None:
    frames: list[Frame] = []
    for fragment in fragments:
        if data[fragment.start : fragment.start + 8].startswith(signs):
            frames.append([])
        elif not frames:
            return None
        frames[-1].append(fragment)
    return frames


def _check_nothing(_data: Buffer, _frame: Frame, _shape: Shape) -> str | None:
    return None


def _check_video(data: Buffer, fragments: Sequence[Fragment]) -> str | None:
    if not fragments:
        return None
    first = fragments[0]
    start = data[first.start : min(first.stop, first.start + 16)]
    return None if _VIDEO_STARTS.match(start) else "no video stream"


def _check_uncompressed(_data: Buffer, frame: Frame, shape: Shape) -> str | None:
    sizes = {-(-bits // 8) for bits in shape.frame_bits()}
    sizes |= {size + size % 2 for size in sizes}
    return None if _size(frame) in sizes else "another size"


def _check_deflated(_data: Buffer, frame: Frame, shape: Shape) -> str | None:
    return "too few bytes" if min(shape.frame_bits()) // 8 > _MOST_DEFLATED * _size(frame) else None


def _check_rle(data: Buffer, frame: Frame, shape: Shape) -> str | None:
    """Look at the RLE header: how many segments, and where each begins (PS3.5 G.5)."""
    (fragment,) = frame
    size = _size(frame)
    if size < _RLE_HEADER:
        return "no RLE header"
    count, *offsets = struct.unpack("<16L", data[fragment.start : fragment.start + _RLE_HEADER])
    expected = shape.samples * max(shape.allocated // 8, 1)
    if not 0 < count <= _RLE_MOST_SEGMENTS or count != expected:
        return "other RLE segments"
    bounds = [*offsets[:count], size]
    if bounds[0] != _RLE_HEADER or any(after <= before for before, after in pairwise(bounds)):
        return "no RLE header"
    samples = shape.rows * shape.columns // (8 if shape.allocated == 1 else 1)
    shortest = min(after - before for before, after in pairwise(bounds))
    return "too few bytes" if samples > _RLE_MOST_RUN * shortest + _RLE_MOST_RUN else None


def _check_jpeg(data: Buffer, frame: Frame, shape: Shape) -> str | None:
    for head in _heads(data, frame):
        found = _start_of_frame(head)
        if found is not None:
            break
    else:
        return "no start of frame"
    marker, precision, rows, columns, components = found
    # Without its number of lines at the start, a scan tells it at its end (DNL).
    if (rows and rows != shape.rows) or columns != shape.columns:
        return "other rows or columns"
    if components != shape.samples or precision > max(shape.allocated, 8):
        return "other samples"
    if marker == _JPEG_LS:
        return None
    most = _MOST_LOSSLESS_PER_BYTE if marker in _LOSSLESS else _MOST_PER_BYTE
    return "too few bytes" if shape.rows * shape.columns > most * _size(frame) else None


def _start_of_frame(head: bytes) -> tuple[int, int, int, int, int] | None:
    """Return marker, precision, rows, columns and components; zeros where there can be none."""
    at = 2
    while at + 4 <= len(head):
        if head[at] != 0xFF or head[at + 1] in _NO_HEADER:
            return 0, 0, 0, 0, 0
        marker = head[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _SOF and at + 10 <= len(head):
            precision, rows, columns, components = struct.unpack_from(">BHHB", head, at + 4)
            return marker, precision, rows, columns, components
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def _check_jpeg_2000(data: Buffer, frame: Frame, shape: Shape) -> str | None:
    for head in _heads(data, frame):
        at = head.find(_SOC_SIZ)
        if 0 <= at <= len(head) - 42:
            break
    else:
        return "no codestream header"
    right, bottom, left, top, width, height, tile_left, tile_top = struct.unpack_from(
        ">8L", head, at + 8
    )
    (components,) = struct.unpack_from(">H", head, at + 40)
    if (bottom - top, right - left) != (shape.rows, shape.columns):
        return "other rows or columns"
    if components != shape.samples:
        return "other samples"
    if not width or not height or tile_left > left or tile_top > top:
        return "no tiles"
    tiles = -(-(right - tile_left) // width) * -(-(bottom - tile_top) // height)
    return "too many tiles" if tiles > _MOST_TILES else None


def _heads(data: Buffer, frame: Frame) -> Iterator[bytes]:
    """Yield the beginning of a frame, then all of it."""
    first = frame[0]
    yield data[first.start : min(first.stop, first.start + _FIRST_BYTES)]
    if len(frame) > 1 or first.stop - first.start > _FIRST_BYTES:
        yield b"".join(data[part.start : part.stop] for part in frame)


def _size(frame: Frame) -> int:
    return sum(part.stop - part.start for part in frame)
