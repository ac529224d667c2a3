"""Whether what claims to be samples can be: judged by headers alone, before anything is decoded.

Under every configuration. Bytes that no viewer could show as the picture that the Image Pixel module tells
of may be anything, text above all, and nobody would look for it there; a header that claims far more than
the bytes can hold takes decoders down. Both are refused. What is odd and legal passes: the rules are those
of PS3.3 C.7.6.3, PS3.5 8 and annex A, without the tidiness they ask for.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from deid.encoding.header import NOT_SHORT, short_values, tag_name
from deid.encoding.transfer_syntaxes import UNDEFINED_LENGTH, is_encapsulated
from deid.errors import Reason, Unsafe
from deid.pixels.codecs.claims import Shape, check_frames, fragments_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.encoding.header import Buffer, Element
    from deid.encoding.transfer_syntaxes import Encoding

PIXEL_DATA: Final = 0x7FE00010
FLOATS: Final[Mapping[int, int]] = {0x7FE00008: 4, 0x7FE00009: 8}
"""Float and Double Float Pixel Data, and bytes of a sample."""
SAMPLES: Final = 0x00280002
PHOTOMETRIC: Final = 0x00280004
PLANAR: Final = 0x00280006
FRAMES: Final = 0x00280008
ROWS: Final = 0x00280010
COLUMNS: Final = 0x00280011
ALLOCATED: Final = 0x00280100
STORED: Final = 0x00280101
HIGH_BIT: Final = 0x00280102
REPRESENTATION: Final = 0x00280103
FACTS: Final = frozenset(
    {
        PIXEL_DATA, *FLOATS, SAMPLES, PHOTOMETRIC, PLANAR, FRAMES, ROWS, COLUMNS, ALLOCATED, STORED,
        HIGH_BIT, REPRESENTATION,
    }
)  # fmt: skip
"""What is looked at."""

_HEADER: Final = tuple(sorted(FACTS - {PIXEL_DATA, *FLOATS}))
_MOST_FRAME_SAMPLES: Final = 1 << 28
_WHOLE_NUMBER: Final = re.compile(rb"[+-]?\d{1,10}")
_SAMPLES_OF: Final[Mapping[bytes, int]] = {
    b"MONOCHROME1": 1,
    b"MONOCHROME2": 1,
    b"PALETTE COLOR": 1,
    b"RGB": 3,
    b"HSV": 3,
    b"ARGB": 4,
    b"CMYK": 4,
    b"YBR_FULL": 3,
    b"YBR_FULL_422": 3,
    b"YBR_PARTIAL_422": 3,
    b"YBR_PARTIAL_420": 3,
    b"YBR_ICT": 3,
    b"YBR_RCT": 3,
    b"XYB": 3,
}
"""Samples per pixel of the photometric interpretations of PS3.3 C.7.6.3.1.2, retired ones too."""


def check_shape(
    data: Buffer, found: Mapping[int, Element], encoding: Encoding, transfer_syntax_uid: str
) -> None:
    """Refuse an instance whose pixel data cannot be what its header says.

    Parameters
    ----------
    found
        Where the elements of `FACTS` stand, as far as present.

    Raises
    ------
    Unsafe
        `Reason.PIXELS_UNDECODABLE`, naming the element that tells so.
    """
    present = [tag for tag in (PIXEL_DATA, *FLOATS) if tag in found]
    if not present:
        return
    # PS3.3 C.7.6.3, C.7.6.24: one excludes the others.
    _refuse_if({present[-1]: len(present) > 1})
    (tag,) = present
    element = found[tag]
    if not element.length:
        return
    values = short_values(data, found, _HEADER)
    shape = _checked_shape(values, encoding, transfer_syntax_uid, tag, element.length)
    if element.length != UNDEFINED_LENGTH:
        return
    _refuse_if({ROWS: shape.rows * shape.columns * shape.samples > _MOST_FRAME_SAMPLES})
    why = check_frames(
        data, fragments_of(data, element.start, encoding), transfer_syntax_uid, shape
    )
    _refuse_if({tag: why is not None}, f"({why})")


@lru_cache(maxsize=256)  # the instances of a series say the same
def _checked_shape(
    values: tuple[bytes | None, ...],
    encoding: Encoding,
    transfer_syntax_uid: str,
    tag: int,
    length: int,
) -> Shape:
    """Return the shape that a header tells, after all checks that need no look at the pixel data.

    Parameters
    ----------
    values
        Of the elements of `_HEADER`.
    tag, length
        Of the pixel data.
    """
    header = _Header(dict(zip(_HEADER, values, strict=True)), encoding)
    if tag in FLOATS:
        shape = header.shape(allocated=8 * FLOATS[tag])
        _refuse_if({tag: length == UNDEFINED_LENGTH, SAMPLES: shape.samples != 1})
        _check_native(shape, length, tag)
        return shape
    shape = header.shape(allocated=None)
    is_wrapped = length == UNDEFINED_LENGTH
    _refuse_if({tag: is_wrapped != is_encapsulated(transfer_syntax_uid)})
    if not is_wrapped:
        _check_native(shape, length, tag)
    return shape


def _check_native(shape: Shape, length: int, tag: int) -> None:
    """Compare the value's length with what all frames take.

    A rest shorter than a frame, a padding byte above all, is met; a longer one is a frame that nobody
    counts, and what falls short is no picture.
    """
    bits = shape.frame_bits()
    # Frames of single bits follow each other without a gap; some writers leave one.
    sizes = {-(-each * shape.frames // 8) for each in bits}
    sizes |= {-(-each // 8) * shape.frames for each in bits}
    fitting = [size for size in sizes if size <= length]
    _refuse_if({tag: not fitting})
    rest = length - max(fitting)
    _refuse_if({tag: rest > 1 and rest >= min(bits) // 8})


class _Header:
    """The Image Pixel module, read strictly where a value is, and kindly where none is."""

    def __init__(self, values: Mapping[int, bytes | None], encoding: Encoding) -> None:
        self._values = values
        self._encoding = encoding

    def _text(self, tag: int) -> bytes:
        value = self._values[tag]
        return b"" if value is None or value is NOT_SHORT else value.strip(b" \x00")

    def shape(self, *, allocated: int | None) -> Shape:
        photometric = self._text(PHOTOMETRIC).upper()
        samples = self._number(SAMPLES, _SAMPLES_OF.get(photometric, 1))
        bits = allocated or self._number(ALLOCATED, 0)
        shape = Shape(
            rows=self._number(ROWS, 0),
            columns=self._number(COLUMNS, 0),
            frames=self._frames(),
            samples=samples,
            allocated=bits,
            photometric=photometric,
        )
        _refuse_if(
            {
                ROWS: not shape.rows,
                COLUMNS: not shape.columns,
                SAMPLES: samples not in {1, 3, 4},
                PHOTOMETRIC: _SAMPLES_OF.get(photometric, samples) != samples,
                # PS3.5 8.1.1: 1, or a multiple of 8.
                ALLOCATED: bits != 1 and (bits % 8 != 0 or not 0 < bits <= 64),
            }
        )
        if allocated is None:
            self._check_bits(bits)
        return shape

    def _check_bits(self, allocated: int) -> None:
        stored = self._number(STORED, allocated)
        high = self._number(HIGH_BIT, stored - 1)
        _refuse_if(
            {
                STORED: not 0 < stored <= allocated,
                HIGH_BIT: not stored - 1 <= high < allocated,
                REPRESENTATION: self._number(REPRESENTATION, 0) > 1,
                PLANAR: self._number(PLANAR, 0) > 1,
            }
        )

    def _frames(self) -> int:
        """Return Number of Frames: 1 where it is absent or empty, and where some writers put 0."""
        written = self._text(FRAMES)
        if not written:
            return 1
        _refuse_if({FRAMES: not _WHOLE_NUMBER.fullmatch(written) or int(written) < 0})
        return max(int(written), 1)

    def _number(self, tag: int, otherwise: int) -> int:
        value = self._values[tag]
        if not value:
            return otherwise
        _refuse_if({tag: len(value) != 2})
        return int(self._encoding.short.unpack(value)[0])


def _refuse_if(problems: Mapping[int, bool], why: str = "") -> None:
    for tag, is_wrong in problems.items():
        if is_wrong:
            raise Unsafe(Reason.PIXELS_UNDECODABLE, f"{tag_name(tag)} {why}".rstrip())
