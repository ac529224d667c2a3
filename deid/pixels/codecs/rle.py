"""RLE Lossless (PS3.5 Annex G): byte planes, each packed on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rle.rle import decode_frame
from rle.utils import encode_pixel_data

from deid.pixels.codecs.codestreams import CodestreamBroken, blanked
from deid.pixels.codecs.rle_segments import rle_blanks, segments
from deid.pixels.samples import Decoded, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box


def scrubbed(frame: bytes, image: ImageDescription) -> bytes:
    """Blank what the samples do not need, keeping the length."""
    _checked(image)
    count, wanted = image.samples * image.bits_allocated // 8, image.rows * image.columns
    return blanked(frame, rle_blanks(frame, count, wanted))


def decode(frame: bytes, image: ImageDescription) -> Decoded:
    """Decode one frame."""
    _checked(image)
    segments(frame, image.samples * image.bits_allocated // 8)
    planes = np.frombuffer(
        bytes(decode_frame(frame, image.rows * image.columns, image.bits_allocated, "<")),
        f"<u{image.bits_allocated // 8}",
    )
    expected = (image.samples, image.rows, image.columns)
    if planes.size != image.samples * image.rows * image.columns:
        raise CodestreamBroken("RLE length")
    return Decoded(np.moveaxis(planes.reshape(expected), 0, -1), image.photometric)


def redact(
    frame: bytes, image: ImageDescription, boxes: Sequence[Box], values: Sequence[int]
) -> bytes:
    """Fill the boxes and pack again; every other sample keeps its value."""
    samples: NDArray[Any] = filled(image, decode(frame, image).samples, boxes, values)
    encoded: bytes = encode_pixel_data(
        samples.astype(f"<u{image.bits_allocated // 8}").tobytes(),
        byteorder="<",
        rows=image.rows,
        columns=image.columns,
        samples_per_pixel=image.samples,
        bits_allocated=image.bits_allocated,
    )
    return bytes(encoded)


def _checked(image: ImageDescription) -> None:
    if image.bits_allocated < 8:
        raise CodestreamBroken("RLE of single bits")
