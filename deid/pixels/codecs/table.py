"""Frame codecs by transfer syntax: decode for looking, redact in the same syntax, scrub comments.

`CODECS` is the table; what is not in it is not decoded here. Video has its own way
(`deid.pixels.codecs.video`), native frames have `deid.pixels.codecs.native`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deid.pixels.codecs import jpeg, jpeg2000, jpegls, rle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box
    from deid.pixels.samples import Decoded


@dataclass(frozen=True, slots=True)
class FrameCodec:
    """What can be done with one encoded frame.

    Attributes
    ----------
    decode
        Return the samples.
    redact
        Return the frame encoded again with boxes filled by stored values.
    scrubbed
        Return the frame without comments and trailing bytes, of the same length where possible.
    residue
        How far decoded values inside a filled box may spread after redacting this frame; above 0
        redacting is another lossy step for the pixels outside, too.
    is_exact
        Return whether the samples are what was encoded, so that bits outside Bits Stored were put there.
    compression_method
        The defined term of Lossy Image Compression Method (0028,2114) of such a step.
    """

    decode: Callable[[bytes, ImageDescription], Decoded]
    redact: Callable[[bytes, ImageDescription, Sequence[Box], Sequence[int]], bytes]
    scrubbed: Callable[[bytes, ImageDescription], bytes]
    residue: Callable[[bytes, ImageDescription], int]
    is_exact: Callable[[bytes, ImageDescription], bool]
    compression_method: str = ""


_IRREVERSIBLE_RESIDUE = 8


def _exact(frame: bytes, image: ImageDescription) -> int:
    del frame, image
    return 0


def _near(frame: bytes, image: ImageDescription) -> int:
    return 2 * jpegls.near(frame, image)


def _irreversible(frame: bytes, image: ImageDescription) -> int:
    del image
    return _IRREVERSIBLE_RESIDUE if jpeg2000.loses_again(frame) else 0


_JPEG = FrameCodec(jpeg.decode, jpeg.redact, jpeg.scrubbed, _exact, jpeg.is_exact)
_JPEG_LS = FrameCodec(
    jpegls.decode, jpegls.redact, jpegls.scrubbed, _near, jpegls.is_exact, "ISO_14495_1"
)
_JPEG_2000 = FrameCodec(
    jpeg2000.decode,
    jpeg2000.redact,
    jpeg2000.scrubbed,
    _irreversible,
    jpeg2000.is_exact,
    "ISO_15444_1",
)
_HTJ2K = replace(_JPEG_2000, compression_method="ISO_15444_15")
_RLE = FrameCodec(rle.decode, rle.redact, rle.scrubbed, _exact, lambda _frame, _image: True)

#: PS3.6 Table A-1, the encapsulated still-image transfer syntaxes that are understood.
CODECS: dict[str, FrameCodec] = {
    "1.2.840.10008.1.2.4.50": _JPEG,  # JPEG Baseline (Process 1)
    "1.2.840.10008.1.2.4.51": _JPEG,  # JPEG Extended (Process 2 and 4)
    "1.2.840.10008.1.2.4.57": _JPEG,  # JPEG Lossless, Non-Hierarchical (Process 14)
    "1.2.840.10008.1.2.4.70": _JPEG,  # the same, first-order prediction
    "1.2.840.10008.1.2.4.80": _JPEG_LS,  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81": _JPEG_LS,  # JPEG-LS Lossy (Near-Lossless)
    "1.2.840.10008.1.2.4.90": _JPEG_2000,  # JPEG 2000 (Lossless Only)
    "1.2.840.10008.1.2.4.91": _JPEG_2000,  # JPEG 2000
    "1.2.840.10008.1.2.4.201": _HTJ2K,  # HTJ2K (Lossless Only)
    "1.2.840.10008.1.2.4.202": _HTJ2K,  # HTJ2K with RPCL Options (Lossless Only)
    "1.2.840.10008.1.2.4.203": _HTJ2K,  # HTJ2K
    "1.2.840.10008.1.2.5": _RLE,  # RLE Lossless
}

#: Native transfer syntaxes; deflating is the dataset's business, not ours.
NATIVE = frozenset(
    {
        "1.2.840.10008.1.2",  # Implicit VR Little Endian
        "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
        "1.2.840.10008.1.2.1.99",  # Deflated Explicit VR Little Endian
        "1.2.840.10008.1.2.2",  # Explicit VR Big Endian
    }
)

#: MPEG2, MPEG-4 AVC/H.264 and HEVC/H.265, also in their fragmentable and SMPTE 2110 forms.
VIDEO = frozenset(
    {f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109)}
    | {f"1.2.840.10008.1.2.4.{number}.1" for number in range(100, 107)}
    | {f"1.2.840.10008.1.2.7.{number}" for number in (1, 2, 3)}
)
