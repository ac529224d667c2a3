"""What the Image Pixel module says of the samples (PS3.3 C.7.6.3), checked before anything is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deid.errors import Reason, Unsafe

#: The largest single frame that is looked at, in samples: 2**16 x 2**16 pixels claim 4 GiB from a
#: file of a few bytes.
MAX_FRAME_SAMPLES = 1 << 28

_PHOTOMETRIC_SAMPLES = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_PARTIAL_422": 3,
    "YBR_PARTIAL_420": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
}


@dataclass(frozen=True, slots=True)
class ImageDescription:
    """Shape and meaning of the stored values.

    Attributes
    ----------
    rows, columns, frames
        At least 1 each.
    samples
        Samples per pixel: 1 or 3.
    bits_allocated, bits_stored, high_bit
        PS3.5 8.1.1; `bits_allocated` is 1, 8, 16, 32 or 64.
    is_signed
        Pixel Representation 1.
    planar
        Planar Configuration 1: all of one colour plane before the next (native frames only).
    photometric
        Photometric Interpretation, one of the defined terms that are not retired.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    planar: bool
    photometric: str

    @property
    def native_frame_bits(self) -> int:
        """How many bits one uncompressed frame takes in Pixel Data."""
        samples = self.samples
        if self.photometric in {"YBR_FULL_422", "YBR_PARTIAL_422"}:
            samples = 2
        elif self.photometric == "YBR_PARTIAL_420":
            return self.rows * self.columns * 3 * self.bits_allocated // 2
        return self.rows * self.columns * samples * self.bits_allocated

    @property
    def is_inverted(self) -> bool:
        """Whether the lowest stored value is displayed as white."""
        return self.photometric == "MONOCHROME1"

    @property
    def lowest(self) -> int:
        """The lowest value that Bits Stored can hold."""
        return -(1 << (self.bits_stored - 1)) if self.is_signed else 0

    @property
    def highest(self) -> int:
        """The highest value that Bits Stored can hold."""
        return (1 << (self.bits_stored - self.is_signed)) - 1


def bitmap_image(rows: int, columns: int) -> ImageDescription:
    """Return the description of a bitmap shown as 8-bit grey."""
    return ImageDescription(rows, columns, 1, 1, 8, 8, 7, False, False, "MONOCHROME2")


def describe(attributes: Mapping[str, Any]) -> ImageDescription:
    """Read the Image Pixel module strictly.

    Raises
    ------
    Unsafe
        `Reason.PIXELS_UNDECODABLE` naming the attribute that is absent, contradicts another, or is
        outside what is understood.
    """
    samples = _integer(attributes, "SamplesPerPixel", 1)
    allocated = _integer(attributes, "BitsAllocated")
    stored = _integer(attributes, "BitsStored", allocated)
    high = _integer(attributes, "HighBit", stored - 1)
    photometric = str(attributes.get("PhotometricInterpretation") or "").strip().upper()
    description = ImageDescription(
        rows=_integer(attributes, "Rows"),
        columns=_integer(attributes, "Columns"),
        # Absent or empty in single-frame IODs; some writers put 0.
        frames=_integer(attributes, "NumberOfFrames", 1) or 1,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        is_signed=_integer(attributes, "PixelRepresentation", 0) == 1,
        planar=_integer(attributes, "PlanarConfiguration", 0) == 1 and samples > 1,
        photometric=photometric,
    )
    _check(description)
    return description


def _check(image: ImageDescription) -> None:
    problems = {
        "(0028,0010)": image.rows < 1,
        "(0028,0011)": image.columns < 1,
        "(0028,0008)": image.frames < 1,
        "(0028,0004)": image.photometric not in _PHOTOMETRIC_SAMPLES,
        "(0028,0002)": image.samples != _PHOTOMETRIC_SAMPLES.get(image.photometric, image.samples)
        or image.rows * image.columns * image.samples > MAX_FRAME_SAMPLES,
        "(0028,0100)": image.bits_allocated not in {1, 8, 16, 32, 64},
        "(0028,0101)": not 1 <= image.bits_stored <= min(image.bits_allocated, 32),
        "(0028,0102)": not image.bits_stored - 1 <= image.high_bit < image.bits_allocated,
    }
    for where, is_wrong in problems.items():
        if is_wrong:
            raise Unsafe(Reason.PIXELS_UNDECODABLE, where)


def first_number(attributes: Mapping[str, Any], keyword: str) -> float | None:
    """Return the first value of an attribute as a number, None when absent or not a number."""
    value = attributes.get(keyword)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        value = value[0] if value else None
    try:
        number = None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _integer(attributes: Mapping[str, Any], keyword: str, default: int | None = None) -> int:
    number = first_number(attributes, keyword)
    if number is None:
        if default is None or attributes.get(keyword) not in (None, ""):
            raise Unsafe(Reason.PIXELS_UNDECODABLE, keyword)
        return default
    if number != int(number):
        raise Unsafe(Reason.PIXELS_UNDECODABLE, keyword)
    return int(number)
