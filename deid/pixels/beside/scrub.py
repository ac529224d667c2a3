"""What hides beside the samples of Pixel Data, where nobody looks at the pixels.

A profile that removes identities does not copy comments and application data of codestreams (JPEG COM and
EXIF, JPEG 2000 COM), what follows the end of a codestream or the last row, bits above High Bit, or an
offset table that is none. What an encoder says of itself stays. Samples stay bit by bit. Where pixels
are cleaned, `deid.pixels` does the same frame by frame.

What cannot be accounted for without decoding stays, and is to be searched (`Scrubbed.opaque`, `names_anybody`).
"""

from __future__ import annotations

import re
import struct
import sys
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from deid.encoding.header import NOT_SHORT, short_values
from deid.encoding.segments import Segment, Span
from deid.identity.residual import Forbidden
from deid.pixels.beside.unused_bits import bits_of_any, patience
from deid.pixels.codecs.codestreams import (
    Blank,
    CodestreamBroken,
    j2k_blanks,
    j2k_segments,
    j2k_unaccounted,
    jpeg_segments,
    jpeg_unaccounted,
)
from deid.pixels.codecs.jp2_boxes import JXL_SIGNATURE as JXL
from deid.pixels.codecs.jp2_boxes import SIGNATURE as JP2
from deid.pixels.codecs.jp2_boxes import box_blanks, codestream_of, jxl_blanks
from deid.pixels.codecs.jpeg_tables import jpeg_blanks
from deid.pixels.codecs.rle_segments import rle_blanks, spare_offsets
from deid.tags.colour_profiles import is_colour_profile
from deid.tags.policy import Profile
from deid.tags.samples import Scrubbed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from deid.encoding.header import Buffer, Element
    from deid.encoding.top_level import TopLevel
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.tags.samples import Scrub

FACTS: Final = frozenset(
    {
        0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102,
        0x00280103, 0x00280120,
    }
)  # fmt: skip
"""The attributes that tell how samples lie (PS3.3 C.7.6.3)."""
_LAYOUT: Final = tuple(sorted(FACTS))
SCRUBBING: Final = frozenset({Profile.BASIC, Profile.MINIMAL})
"""The profiles that remove identities."""
_JPEG: Final = b"\xff\xd8"
_JPEG_2000: Final = b"\xff\x4f"
_JPEG_XL: Final = b"\xff\x0a"
_LAST_BYTES: Final = 4096
"""Of the coded samples, before the end of a codestream: decoders do not notice what is added there."""
_END: Final = b"\xff\xd9"
_JPEG_SYNTAXES: Final = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.([5-9]\d|11[0-2]|20[1-3])")
"""JPEG, JPEG-LS, JPEG 2000 and its high-throughput kin, JPEG XL; not video (PS3.6 table A-1)."""
_RLE: Final = "1.2.840.10008.1.2.5"
_BLOCK: Final = 1 << 22
_ICC: Final = b"ICC_PROFILE\x00\x01\x01"
"""The only chunk of a profile in APP2 (ICC.1 Annex B.4)."""
_LONGEST_NOTE: Final = 2048
_ENCODER_NOTE: Final = re.compile(
    rb"""
    (?: Kakadu-v?VERSION
    | Kdu-Layer-Info:[ ]log_2\{Delta-D\(squared-error\)/Delta-L\(bytes\)\},[ ]L\(bytes\)
      (?: \n[ ]*-?\d{1,3}\.\d,[ ]*\d\.\de\+\d\d )*
    | Created[ ]by[ ](?:GDCM/)?OpenJPEG[ ]version[ ]VERSION
    | Creator:[ ]JasPer[ ]Version[ ]VERSION
    | CREATOR:[ ]gd-jpeg[ ]vVERSION[ ]\(using[ ]IJG[ ]JPEG[ ]v\d{2}\),
      [ ](?:default[ ]quality|quality[ ]=[ ]\d{1,3})
    | LEAD[ ]Technologies[ ]Inc\.[ ]VVERSION
    | Intel\(R\)[ ]JPEG[ ]Library,[ ]version[ ]\[?VERSION\]?
    | LavcVERSION
    | MITRA_DICOM_STANDARD
    | LJIF[\0\1]{0,16}
    | \0\0\0[\0-\x0f]
    )[\n\0]{0,2}
    """.replace(b"VERSION", rb"\d{1,3}(?:\.\d{1,4}){0,3}"),
    re.VERBOSE,
)
"""What encoders write of themselves, letter by letter: words alone could be anybody's."""
_LUMA_CHROMA: Final = (b"YBR_FULL_422", b"YBR_PARTIAL_422")
_TELLING: Final = 5
"""A shorter part of a name turns up in compressed samples by chance."""


def scrub_of(top: TopLevel, profile: Profile) -> Scrub | None:
    """Return what takes away what hides beside the samples, where the profile removes identities."""
    if profile not in SCRUBBING:
        return None

    def scrub(start: int, stop: int, is_encapsulated: bool) -> Scrubbed:
        if is_encapsulated:
            layout = _layout(short_values(top.data, top.found, _LAYOUT), top.encoding)
            syntax = top.meta.transfer_syntax_uid
            return scrub_encapsulated(top.data, start, stop - 8, syntax, layout)
        return scrub_native(top.data, start, stop, top.found, top.encoding)

    return scrub


def names_anybody(data: Buffer, spans: Sequence[Span], forbidden: Forbidden) -> bool:
    """Whether an identifier stands in bytes of which nothing is known, block by block.

    Three or four letters are met in a large compressed value by chance. There they count in a run of other
    readable bytes only, the longer the larger the value is.
    """
    if not spans:
        return False
    size = sum(span.stop - span.start for span in spans)
    readable = 0 if size <= 1 << 9 else 7 if size <= 1 << 16 else 16
    telling, short = Forbidden(()), Forbidden(())
    for token in forbidden.strong:
        # Four bytes beyond ASCII have no second case, and are no readable run.
        is_short = readable and len(token) < (_TELLING if token.isascii() else _TELLING - 1)
        (short if is_short else telling).strong.add(token)
    overlap = max((len(token) + 2 for token in forbidden.strong), default=0)
    for start, stop in spans:
        for at in range(start, stop, _BLOCK):
            block = data[at : min(at + _BLOCK + overlap, stop)]
            if telling.remains_in(block):
                return True
            if any(short.remains_in(run) for run in _readable(block, short.strong, readable)):
                return True
    return False


def _readable(block: bytes, tokens: set[bytes], size: int) -> Iterator[bytes]:
    """Yield the readable bytes around each token, where there are at least `size` of them."""
    lowered = block.lower() if tokens else b""
    for token in tokens:
        at = lowered.find(token)
        while at >= 0:
            run = _READABLE.match(lowered, at, at + _AROUND)
            end = at + 1 if run is None else run.end()
            before = _READABLE.match(lowered[max(at - _AROUND, 0) : at][::-1])
            begin = at if before is None else at - before.end()
            if end - begin >= size:
                yield lowered[begin:end]
            # What else stands in this run has been looked at with it.
            at = lowered.find(token, max(at + 1, end - len(token) + 1))


_READABLE: Final = re.compile(rb"[ -~]+")
_AROUND: Final = 64


def scrub_encapsulated(
    data: Buffer, start: int, stop: int, transfer_syntax_uid: str, layout: _Layout | None
) -> Scrubbed:
    """Return an encapsulated value without what hides in it.

    Parameters
    ----------
    data, start, stop
        The value, from the Basic Offset Table item up to, not including, the Sequence Delimitation Item.
    layout
        How samples lie, as far as their description makes sense.
    """
    items = list(_items(data, start, stop))
    if not items:
        return Scrubbed(None)
    table, fragments = items[0], items[1:]
    parts: list[Segment] = []
    at = start
    if not _is_table(data[table.start : table.stop], stop - table.stop):
        parts.append(b"\xfe\xff\x00\xe0\x00\x00\x00\x00")
        at = table.stop
    opaque: list[Span] = []
    look: Callable[[bytes], tuple[list[Blank], list[Span]]]
    groups: Iterable[list[Span]]
    if transfer_syntax_uid == _RLE:
        groups = ([fragment] for fragment in fragments)
        look = partial(_look_into_rle, layout=layout)
    elif _JPEG_SYNTAXES.fullmatch(transfer_syntax_uid):
        groups, look = _codestreams(data, fragments), _look_into_codestream
    else:
        return Scrubbed([*parts, Span(at, stop)] if parts else None, tuple(fragments))
    for group in groups:
        blanks, unknown = look(b"".join(data[part.start : part.stop] for part in group))
        for blank in blanks:
            for begin, end in _in_source(group, blank.start, blank.stop):
                parts += [Span(at, begin), blank.fill * (end - begin)]
                at = end
        for span in unknown:
            opaque += _in_source(group, *span)
    if not parts:
        return Scrubbed(None, tuple(opaque))
    return Scrubbed([*parts, Span(at, stop)], tuple(opaque))


def _in_source(group: Sequence[Span], start: int, stop: int) -> Iterator[Span]:
    """Yield where bytes of a codestream stand in the source, fragment by fragment."""
    passed = 0
    for fragment in group:
        begin = max(fragment.start + start - passed, fragment.start)
        end = min(fragment.start + stop - passed, fragment.stop)
        if begin < end:
            yield Span(begin, end)
        passed += fragment.stop - fragment.start


def _items(data: Buffer, start: int, stop: int) -> Iterator[Span]:
    """Yield the values of the items; their structure has been checked (`deid.encoding.header.skip_items`)."""
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
        begins = _begins(data, fragment)
        if group and (begins or not _begins(data, group[0])):
            yield group
            group = []
        group.append(fragment)
    if group:
        yield group


def _begins(data: Buffer, fragment: Span) -> bool:
    head = data[fragment.start : fragment.start + len(JP2)]
    return head[:2] in (_JPEG, _JPEG_2000, _JPEG_XL) or head in (JP2, JXL)


def _look_into_codestream(codestream: bytes) -> tuple[list[Blank], list[Span]]:
    """Return what of a codestream has to be blanked, and what is not known to be anything."""
    try:
        return _walk(codestream)
    except (CodestreamBroken, struct.error):
        pass
    everything = [Span(0, len(codestream))]
    try:
        # Its end marker may be missing; everything in it is codestream then, as far as one can tell.
        return _walk(codestream + _END)[0], everything
    except (CodestreamBroken, struct.error):
        return [], everything


def _walk(codestream: bytes) -> tuple[list[Blank], list[Span]]:
    if codestream[:2] == _JPEG:
        segments = jpeg_segments(codestream)
        blanks = jpeg_blanks(codestream, segments, _is_of_encoder)
        unknown = jpeg_unaccounted(codestream, segments)
    elif codestream[:2] == _JPEG_2000:
        segments = j2k_segments(codestream)
        blanks = list(j2k_blanks(codestream, segments, _is_of_encoder))
        unknown = j2k_unaccounted(codestream, segments)
    elif codestream.startswith(JP2):
        box = codestream_of(codestream)
        inner, spans = _walk(codestream[box.start : box.stop])
        around = [*box_blanks(codestream), *(_moved(each, box.start) for each in inner)]
        return sorted(around), [
            Span(each.start + box.start, each.stop + box.start) for each in spans
        ]
    elif codestream.startswith((JXL, _JPEG_XL)):
        # What of its codestream is no sample only decoding tells.
        around = list(jxl_blanks(codestream)) if codestream.startswith(JXL) else []
        return around, [Span(0, len(codestream))]
    else:
        raise CodestreamBroken("no start")
    end = segments[-1].stop - len(_END)
    last = Span(max(segments[-2].stop, end - _LAST_BYTES), end)
    return blanks, [last, *(Span(segment.start, segment.stop) for segment in unknown)]


def _moved(blank: Blank, by: int) -> Blank:
    return Blank(blank.start + by, blank.stop + by, blank.fill)


def _is_of_encoder(note: bytes) -> bool:
    """Whether a comment or application data is nothing but an encoder's name, version and settings."""
    if note.startswith(_ICC) and is_colour_profile(note[len(_ICC) :]):
        return True
    return len(note) <= _LONGEST_NOTE and _ENCODER_NOTE.fullmatch(note) is not None


def _look_into_rle(frame: bytes, layout: _Layout | None) -> tuple[list[Blank], list[Span]]:
    """Return what of a frame its samples do not need.

    Where it is not as its description says, all of it may be anything, but for offsets that it does not count.
    """
    if layout is not None and not layout.allocated % 8:
        try:
            count = layout.samples * layout.allocated // 8
            return list(rle_blanks(frame, count, layout.pixels)), []
        except CodestreamBroken:
            pass
    return list(spare_offsets(frame)), [Span(0, len(frame))]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How native samples lie."""

    ends: frozenset[int]
    """How many bytes all samples together may have: some writers pad, or do not subsample."""
    frame: int
    """Bytes of a frame."""
    allocated: int
    stored: int
    high: int
    is_signed: bool
    padding: int | None
    samples: int
    """Samples of a pixel."""
    pixels: int
    """Pixels of a frame."""

    @property
    def unused(self) -> int:
        """The bits of a sample that are not Bits Stored."""
        used = ((1 << self.stored) - 1) << self.high + 1 - self.stored
        return ((1 << self.allocated) - 1) ^ used


def scrub_native(
    data: Buffer, start: int, stop: int, found: Mapping[int, Element], encoding: Encoding
) -> Scrubbed:
    """Return a native value without what hides in it.

    Bytes after the last sample become zero if they are fewer than a frame, bits above High Bit what they
    must be. A longer rest may be frames that Number of Frames does not count: it stays, and is opaque. So
    is all of the value when its description makes no sense: nothing is known of where its samples end.

    Parameters
    ----------
    found
        Where the attributes of `FACTS` stand, as far as present.
    """
    layout = _layout(short_values(data, found, _LAYOUT), encoding)
    if layout is None:
        return Scrubbed(None, (Span(start, stop),))
    end = start + max((size for size in layout.ends if size <= stop - start), default=stop - start)
    if encoding.big_endian and layout.allocated <= 8 and data[start - 8 : start - 6] == b"OW":
        # Words are swapped: of an odd number, the last sample stands behind the byte that pads it.
        end = min(end + (end - start) % 2, stop)
    samples: list[Segment] | None = None
    if layout.stored < layout.allocated in (8, 16, 32):
        samples = _masked(data, start, end, layout, big_endian=encoding.big_endian)
    rest: Segment = Span(end, stop)
    opaque: tuple[Span, ...] = ()
    if stop - end >= layout.frame:
        opaque = (Span(end, stop),)
    elif data[end:stop].strip(b"\x00"):
        rest = bytes(stop - end)
    if samples is None and isinstance(rest, Span):
        return Scrubbed(None, opaque)
    return Scrubbed([*(samples or [Span(start, end)]), rest], opaque)


def _masked(
    data: Buffer, start: int, stop: int, layout: _Layout, *, big_endian: bool
) -> list[Segment] | None:
    """Return the samples with unused bits as they must be, None when they are."""
    size = layout.allocated // 8
    if "numpy" not in sys.modules and patience.lasts(stop - start):
        order: Literal["big", "little"] = "big" if big_endian else "little"
        if not bits_of_any(data[start : stop - (stop - start) % size], size, order) & layout.unused:
            return None
    # A picture library, slow to import: a run over a few files does without where nothing is found.
    import numpy as np  # noqa: PLC0415

    kind = np.dtype(f"{'>' if big_endian else '<'}u{size}")
    shift = layout.high + 1 - layout.stored
    unused = layout.unused
    used = ((1 << layout.allocated) - 1) ^ unused
    above = unused & ~((1 << shift) - 1)
    parts: list[Segment] = []
    is_changed = False
    whole = stop - (stop - start) % size
    for at in range(start, whole, _BLOCK):
        end = min(at + _BLOCK, whole)
        count = (end - at) // size
        block = np.frombuffer(data, kind, count, at)
        if (
            layout.is_signed and not shift and _is_sign_extended(block, layout.stored)
        ) or not _any_bits(np, data, block, at, kind) & unused:
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
    return [*parts, Span(whole, stop)] if is_changed else None


def _is_sign_extended(block: Any, stored: int) -> bool:
    """Whether all samples are signed numbers of so many bits, extended to their bits allocated."""
    if not block.size:
        return True
    numbers = block.view(block.dtype.str.replace("u", "i"))
    least = -(1 << (stored - 1))
    return bool(least <= numbers.min() and numbers.max() < -least)


def _any_bits(np: Any, data: Buffer, block: Any, at: int, kind: Any) -> int:
    """Return the bits that any sample has, looking at several samples at once."""
    wide = kind.newbyteorder("=") == kind and block.nbytes % 8 == 0
    if not wide or kind.itemsize == 8:
        return int(np.bitwise_or.reduce(block, initial=0))
    together = np.bitwise_or.reduce(np.frombuffer(data, np.uint64, block.nbytes // 8, at))
    return int(np.bitwise_or.reduce(np.array([together]).view(kind), initial=0))


@lru_cache(maxsize=256)  # the instances of a series say the same
def _layout(values: tuple[bytes | None, ...], encoding: Encoding) -> _Layout | None:
    """Return how samples lie by the values of the elements of `_LAYOUT`."""
    found = dict(zip(_LAYOUT, values, strict=True))

    def number(tag: int, otherwise: int) -> int:
        value = found[tag]
        if value is None or len(value) != 2:
            return otherwise
        return int(encoding.short.unpack(value)[0])

    def text(tag: int) -> bytes:
        value = found[tag]
        return b"" if value is None or value is NOT_SHORT else value.strip(b" \x00")

    rows, columns, allocated = number(0x00280010, 0), number(0x00280011, 0), number(0x00280100, 0)
    written = (text(0x00280008) or b"1").removeprefix(b"+")
    stored = number(0x00280101, allocated)
    high = number(0x00280102, stored - 1)
    if not (rows and columns and allocated and written.isdigit() and len(written) < 10):
        return None
    if not 0 < stored <= allocated or not stored - 1 <= high < allocated:
        return None
    padding, frames = number(0x00280120, -1), max(int(written), 1)
    photometric, samples = text(0x00280004), number(0x00280002, 1)
    if photometric in _LUMA_CHROMA:
        # Pairs of columns, the last of an odd number alone or filled up; or not subsampled at all.
        bits = {rows * columns * 2, rows * (columns + columns % 2) * 2, rows * columns * 3}
    elif photometric == b"YBR_PARTIAL_420":
        bits = {rows * columns * 3 // 2, -(-rows // 2) * -(-columns // 2) * 6}
    else:
        bits = {rows * columns * samples}
    sizes = {-(-count * allocated * frames // 8) for count in bits}
    # Frames of single bits follow each other without a gap; some writers leave one.
    sizes |= {-(-count * allocated // 8) * frames for count in bits}
    return _Layout(
        frozenset(sizes), max(min(bits) * allocated // 8, 1), allocated, stored, high,
        number(0x00280103, 0) == 1, None if padding < 0 else padding,
        samples, rows * columns,
    )  # fmt: skip
