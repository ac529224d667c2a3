"""JPEG-LS, lossless and near-lossless (ISO/IEC 14495-1)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import imagecodecs
import jpeg_ls
import numpy as np

from deid.pixels.codecs.codestreams import (
    SOF55,
    SOS,
    CodestreamBroken,
    jpeg_header,
    jpeg_segments,
)
from deid.pixels.codecs.jpeg_tables import scrubbed_jpeg
from deid.pixels.samples import Decoded, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.pixels.codecs.codestreams import FrameHeader
    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box


def scrubbed(frame: bytes, image: ImageDescription) -> bytes:
    """Blank comments, application data and what follows EOI, keeping the length."""
    del image
    return scrubbed_jpeg(frame, jpeg_segments(frame))


def decode(frame: bytes, image: ImageDescription) -> Decoded:
    """Decode one frame."""
    header, _, _ = _parameters(frame, image)
    samples = imagecodecs.jpegls_decode(frame)
    if samples.ndim == 3 and samples.shape[0] == header.components:
        samples = np.moveaxis(samples, 0, -1)
    samples = samples.reshape(image.rows, image.columns, image.samples)
    photometric = image.photometric
    return Decoded(samples, "RGB" if photometric == "YBR_FULL_422" else photometric)


def redact(
    frame: bytes, image: ImageDescription, boxes: Sequence[Box], values: Sequence[int]
) -> bytes:
    """Fill the boxes and encode again with the same precision, NEAR and interleave mode.

    With NEAR 0 every other sample keeps its value; else it may change by NEAR at most.
    """
    header, near_value, interleave = _parameters(frame, image)
    out = filled(image, decode(frame, image).samples, boxes, values, exact=near_value == 0)
    if interleave == 0:  # CharLS takes planes then, else pixels
        out = np.moveaxis(out, -1, 0)
    dtype = "u1" if header.precision <= 8 else "<u2"
    encoded = jpeg_ls.encode_buffer(
        np.ascontiguousarray(out).astype(dtype).tobytes(),
        image.rows,
        image.columns,
        image.samples,
        header.precision,
        lossy_error=near_value,
        interleave_mode=interleave,
    )
    return bytes(encoded)


def is_exact(frame: bytes, image: ImageDescription) -> bool:
    """Whether the samples are what was encoded."""
    return near(frame, image) == 0


def near(frame: bytes, image: ImageDescription) -> int:
    """Return NEAR of the first scan."""
    return _parameters(frame, image)[1]


def _parameters(frame: bytes, image: ImageDescription) -> tuple[FrameHeader, int, int]:
    """Return the frame header, NEAR, and the interleave mode (ILV)."""
    segments = jpeg_segments(frame)
    header = jpeg_header(frame, segments)
    scan = next((segment for segment in segments if segment.marker == SOS), None)
    if (
        header.marker != SOF55
        or scan is None
        or scan.stop - scan.start < 6
        or (header.rows, header.columns, header.components)
        != (image.rows, image.columns, image.samples)
        or header.precision > image.bits_allocated
    ):
        raise CodestreamBroken("frame header")
    near_value, interleave, _ = struct.unpack_from(">3B", frame, scan.stop - 3)
    return header, near_value, interleave if header.components > 1 else 0
