"""What hides beside the samples of Pixel Data, where nobody looks at the pixels.

A profile that removes identities does not copy comments and application data of codestreams (JPEG COM and
EXIF, JPEG 2000 COM), what follows the end of a codestream or the last row, bits above High Bit, or an
offset table that is none. What an encoder says of itself stays. Samples stay bit by bit. Where pixels
are cleaned, `deid.pixels` does the same frame by frame.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deid.header import text_of
from deid.markers import CodestreamBroken, jpeg_segments, scrubbed_j2k, scrubbed_jpeg
from deid.segments import Segment, Span
from deid.tags.judge import is_colour_profile, recognised
from deid.text.folding import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from deid.header import Buffer, Element
    from deid.tags.syntax import Encoding

FACTS: Final = frozenset(
    {
        0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102,
        0x00280103, 0x00280120,
    }
)  # fmt: skip
"""The attributes that tell how samples lie (PS3.3 C.7.6.3)."""
_JPEG: Final = b"\xff\xd8"
_JPEG_2000: Final = b"\xff\x4f"
_END: Final = b"\xff\xd9"
_JPEG_SYNTAXES: Final = "1.2.840.10008.1.2.4."
_RLE: Final = "1.2.840.10008.1.2.5"
_RLE_HEADER: Final = 64
_BLOCK: Final = 1 << 22
_ICC: Final = b"ICC_PROFILE\x00\x01\x01"
"""The only chunk of a profile in APP2 (ICC.1 Annex B.4)."""
_LONGEST_NOTE: Final = 2048
_PRINTABLE: Final = re.compile(rb"[ -~\n]{2,}")
_WORD: Final = re.compile(r"[A-Za-z]+")
_SOFTWARE_VERSIONS: Final = 0x00181020
_ENCODERS: Final = words(
    """
    accusoft aware bytes charls compressor creator delta dicom dcmtk error gdcm ijg imagecodecs imagegear inc
    intel ipp jai jasper jfif jpeg kakadu kdu lavc layer lead libjpeg ljif log mitra offis openjpeg pegasus
    picto quality size spiff squared technologies turbo v
    """
)


class Scrubbed(NamedTuple):
    """A value without what hid in it.

    Attributes
    ----------
    segments
        The new value; None when it stays as it is.
    is_opaque
        Whether a codestream's markers contradict its bytes: it stays as it is, and anything may stand in it.
    """

    segments: list[Segment] | None
    is_opaque: bool = False


def scrub_encapsulated(data: Buffer, start: int, stop: int, transfer_syntax_uid: str) -> Scrubbed:
    """Return an encapsulated value without what hides in it.

    Parameters
    ----------
    data, start, stop
        The value, from the Basic Offset Table item up to, not including, the Sequence Delimitation Item.
    """
    items = list(_items(data, start, stop))
    if not items:
        return Scrubbed(None)
    table, fragments = items[0], items[1:]
    parts: list[Segment] = [Span(start, table.stop)]
    is_changed = is_opaque = False
    if not _is_table(data[table.start : table.stop], stop - table.stop):
        parts = [b"\xfe\xff\x00\xe0\x00\x00\x00\x00"]
        is_changed = table.stop > table.start
    for group in _codestreams(data, fragments):
        try:
            clean = _scrubbed(data, group, transfer_syntax_uid)
        except (CodestreamBroken, struct.error):
            clean, is_opaque = None, True
        if clean is None:
            parts.append(Span(group[0].start - 8, group[-1].stop))
            continue
        is_changed = True
        at = 0
        for fragment in group:
            size = fragment.stop - fragment.start
            parts += [data[fragment.start - 8 : fragment.start], clean[at : at + size]]
            at += size
    return Scrubbed(parts if is_changed else None, is_opaque)


def _items(data: Buffer, start: int, stop: int) -> Iterator[Span]:
    """Yield the values of the items; their structure has been checked (`deid.header.skip_items`)."""
    while start + 8 <= stop:
        (length,) = struct.unpack_from("<L", data, start + 4)
        yield Span(start + 8, start + 8 + length)
        start += 8 + length


def _is_table(raw: bytes, size: int) -> bool:
    """Whether bytes are offsets of frames, ascending from 0 (PS3.5 A.4)."""
    if len(raw) % 4:
        return False
    offsets = struct.unpack(f"<{len(raw) // 4}L", raw)
    ascends = all(before < after for before, after in pairwise(offsets))
    return not offsets or (offsets[0] == 0 and ascends and offsets[-1] < size)


def _codestreams(data: Buffer, fragments: Sequence[Span]) -> Iterator[list[Span]]:
    """Yield the fragments that belong together: each codestream begins with its own marker."""
    group: list[Span] = []
    for fragment in fragments:
        begins = data[fragment.start : fragment.start + 2] in (_JPEG, _JPEG_2000)
        if group and (
            begins or data[group[0].start : group[0].start + 2] not in (_JPEG, _JPEG_2000)
        ):
            yield group
            group = []
        group.append(fragment)
    if group:
        yield group


def _scrubbed(data: Buffer, group: Sequence[Span], transfer_syntax_uid: str) -> bytes | None:
    """Return the new bytes of a codestream, as many as before; None when nothing hides in it."""
    codestream = b"".join(data[part.start : part.stop] for part in group)
    head = codestream[:2]
    if transfer_syntax_uid == _RLE:
        clean = _scrubbed_rle(codestream)
    elif not transfer_syntax_uid.startswith(_JPEG_SYNTAXES) or head not in (_JPEG, _JPEG_2000):
        return None
    else:
        scrub = _scrubbed_jpeg if head == _JPEG else _scrubbed_jpeg_2000
        try:
            clean = scrub(codestream)
        except (CodestreamBroken, struct.error):
            clean = _of_open_end(scrub, codestream)
    return None if clean == codestream else clean


def _of_open_end(scrub: Callable[[bytes], bytes], codestream: bytes) -> bytes:
    """Scrub a codestream whose end marker may be missing; everything in it is codestream then."""
    return scrub(codestream + _END)[: len(codestream)]


def _scrubbed_jpeg(codestream: bytes) -> bytes:
    return scrubbed_jpeg(codestream, jpeg_segments(codestream), _is_of_encoder)


def _scrubbed_jpeg_2000(codestream: bytes) -> bytes:
    return scrubbed_j2k(codestream, _is_of_encoder)


def _is_of_encoder(note: bytes) -> bool:
    """Whether a comment or application data is nothing but an encoder's name, version and settings."""
    if note.startswith(_ICC) and is_colour_profile(note[len(_ICC) :]):
        return True
    if len(note) > _LONGEST_NOTE or not note.isascii():
        return False
    for run in _PRINTABLE.findall(note):
        others = _WORD.sub(
            lambda word: " " if word[0].lower() in _ENCODERS else word[0], run.decode("ascii")
        )
        if not recognised(_SOFTWARE_VERSIONS, "LO", others):
            return False
    return True


def _scrubbed_rle(frame: bytes) -> bytes:
    """Zero the offsets of segments that an RLE header does not count (PS3.5 G.5)."""
    if len(frame) < _RLE_HEADER:
        return frame
    (count,) = struct.unpack_from("<L", frame)
    used = min(4 + 4 * count, _RLE_HEADER)
    return frame[:used] + bytes(_RLE_HEADER - used) + frame[_RLE_HEADER:]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How native samples lie."""

    bits: int
    """Of all samples together."""
    allocated: int
    stored: int
    high: int
    is_signed: bool
    padding: int | None


def scrub_native(
    data: Buffer, start: int, stop: int, found: Mapping[int, Element], encoding: Encoding
) -> Scrubbed:
    """Return a native value without what hides in it.

    Bytes after the last sample become zero, bits above High Bit what they must be. A description that makes
    no sense leaves the value as it is: nothing is known of where its samples end.

    Parameters
    ----------
    found
        Where the attributes of `FACTS` stand, as far as present.
    """
    layout = _layout(data, found, encoding)
    if layout is None:
        return Scrubbed(None)
    end = min(start + (layout.bits + 7) // 8, stop)
    samples: list[Segment] | None = None
    if layout.stored < layout.allocated in (8, 16, 32):
        samples = _masked(data, start, end, layout, big_endian=encoding.big_endian)
    hides_after = bool(data[end:stop].strip(b"\x00"))
    if samples is None and not hides_after:
        return Scrubbed(None)
    rest: Segment = bytes(stop - end) if hides_after else Span(end, stop)
    return Scrubbed([*(samples or [Span(start, end)]), rest])


def _masked(
    data: Buffer, start: int, stop: int, layout: _Layout, *, big_endian: bool
) -> list[Segment] | None:
    """Return the samples with unused bits as they must be, None when they are."""
    # A picture library, and most instances have none of these.
    import numpy as np  # noqa: PLC0415

    size = layout.allocated // 8
    kind = np.dtype(f"{'>' if big_endian else '<'}u{size}")
    shift = layout.high + 1 - layout.stored
    used = ((1 << layout.stored) - 1) << shift
    unused = ((1 << layout.allocated) - 1) ^ used
    above = unused & ~((1 << shift) - 1)
    parts: list[Segment] = []
    is_changed = False
    for at in range(start, stop, _BLOCK):
        end = min(at + _BLOCK, stop)
        count = (end - at) // size
        block = np.frombuffer(data, kind, count, at)
        if not layout.is_signed and not _any_bits(np, data, block, at, kind) & unused:
            parts.append(Span(at, end))
            continue
        clean = block & used
        if layout.is_signed:
            clean |= np.where(block & (1 << layout.high), kind.type(above), kind.type(0))
            # Some writers leave the bits above a negative number zero.
            clean = np.where(block & unused == 0, block, clean)
        if layout.padding is not None:
            clean = np.where(block == layout.padding, block, clean)
        if np.array_equal(clean, block):
            parts.append(Span(at, end))
        else:
            is_changed = True
            parts.append(clean.astype(kind).tobytes())
    return parts if is_changed else None


def _any_bits(np: Any, data: Buffer, block: Any, at: int, kind: Any) -> int:
    """Return the bits that any sample has, looking at several samples at once."""
    wide = kind.newbyteorder("=") == kind and block.nbytes % 8 == 0
    if not wide or kind.itemsize == 8:
        return int(np.bitwise_or.reduce(block, initial=0))
    together = np.bitwise_or.reduce(np.frombuffer(data, np.uint64, block.nbytes // 8, at))
    return int(np.bitwise_or.reduce(np.array([together]).view(kind), initial=0))


def _layout(data: Buffer, found: Mapping[int, Element], encoding: Encoding) -> _Layout | None:
    def number(tag: int, otherwise: int) -> int:
        element = found.get(tag)
        if element is None or element.length != 2:
            return otherwise
        return int(encoding.short.unpack_from(data, element.start)[0])

    rows, columns, allocated = number(0x00280010, 0), number(0x00280011, 0), number(0x00280100, 0)
    frames = text_of(data, found.get(0x00280008)) or b"1"
    stored = number(0x00280101, allocated)
    high = number(0x00280102, stored - 1)
    if not (rows and columns and allocated and frames.isdigit() and len(frames) < 10):
        return None
    if not 0 < stored <= allocated or not stored - 1 <= high < allocated:
        return None
    samples, shared = {
        b"YBR_FULL_422": (2, 1),
        b"YBR_PARTIAL_422": (2, 1),
        b"YBR_PARTIAL_420": (3, 2),
    }.get(text_of(data, found.get(0x00280004)), (number(0x00280002, 1), 1))
    bits = rows * columns * samples * allocated * int(frames) // shared
    padding = number(0x00280120, -1)
    return _Layout(
        bits, allocated, stored, high, number(0x00280103, 0) == 1, None if padding < 0 else padding
    )
