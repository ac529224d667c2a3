"""JPEG Processes 1, 2 and 4 (filled in DCT blocks) and 14 (lossless, decoded and encoded again)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

from deid.pixels.codecs import jpeg_blocks
from deid.pixels.codecs.codestreams import (
    APP0,
    APP14,
    SOS,
    CodestreamBroken,
    jpeg_header,
    jpeg_segments,
)
from deid.pixels.codecs.jpeg_tables import scrubbed_jpeg
from deid.pixels.samples import Decoded, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.codecs.codestreams import FrameHeader, MarkerSegment
    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box

_SEQUENTIAL = {0xC0, 0xC1}
_LOSSLESS = 0xC3


def scrubbed(frame: bytes, image: ImageDescription) -> bytes:
    """Blank comments, application data and what follows EOI, keeping the length."""
    del image
    return scrubbed_jpeg(frame, jpeg_segments(frame))


def decode(frame: bytes, image: ImageDescription) -> Decoded:
    """Decode one frame; colour comes as RGB."""
    segments = jpeg_segments(frame)
    header = _checked(frame, segments, image)
    if header.marker not in {*_SEQUENTIAL, 0xC2, _LOSSLESS}:
        raise CodestreamBroken("JPEG process")
    if header.components == 1:
        samples: NDArray[Any] = imagecodecs.jpeg8_decode(frame)
        return Decoded(samples.reshape(image.rows, image.columns, 1), image.photometric)
    space = "YCBCR" if _is_ycc(frame, segments, header, image) else "RGB"
    samples = imagecodecs.jpeg8_decode(frame, colorspace=space, outcolorspace="RGB")
    return Decoded(samples.reshape(image.rows, image.columns, 3), "RGB")


def is_exact(frame: bytes, image: ImageDescription) -> bool:
    """Whether the samples are what was encoded: Process 14."""
    return _checked(frame, jpeg_segments(frame), image).marker == _LOSSLESS


def redact(
    frame: bytes, image: ImageDescription, boxes: Sequence[Box], values: Sequence[int]
) -> bytes:
    """Fill the boxes; blocks outside keep their coefficients, lossless samples their values."""
    segments = jpeg_segments(frame)
    header = _checked(frame, segments, image)
    if header.marker == _LOSSLESS:
        return _redact_lossless(frame, segments, header, image, boxes, values)
    if header.marker not in _SEQUENTIAL:
        raise CodestreamBroken("JPEG process")
    if header.components == 1:
        fill = [min(max(values[0], 0), (1 << header.precision) - 1)]
    elif _is_ycc(frame, segments, header, image):
        fill = [0, 1 << (header.precision - 1), 1 << (header.precision - 1)]
    else:
        fill = [0, 0, 0]
    # Decoders smooth subsampled chroma across block edges: one pixel more keeps the box flat.
    ring = 0 if header.components == 1 else 1
    return jpeg_blocks.wipe(frame, [box.grown(ring) for box in boxes], fill)


def _redact_lossless(
    frame: bytes,
    segments: list[MarkerSegment],
    header: FrameHeader,
    image: ImageDescription,
    boxes: Sequence[Box],
    values: Sequence[int],
) -> bytes:
    samples = (
        imagecodecs.jpeg8_decode(frame)
        if header.components == 1
        else (imagecodecs.jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB"))
    )
    samples = samples.reshape(image.rows, image.columns, image.samples)
    if image.samples == 3 and _is_ycc(frame, segments, header, image):
        values = (0, 1 << (header.precision - 1), 1 << (header.precision - 1))
    out = filled(image, samples, boxes, values)
    scan = next(segment for segment in segments if segment.marker == SOS)
    # Ss of a lossless scan is the predictor (ISO/IEC 10918-1 H.1); ours have no point transform,
    # so that no low bit is lost whatever Al the source had.
    predictor = min(max(frame[scan.stop - 3], 1), 7)
    colour: dict[str, Any] = (
        {} if image.samples == 1 else {"colorspace": "RGB", "outcolorspace": "RGB"}
    )
    encoded = imagecodecs.jpeg8_encode(
        np.ascontiguousarray(out[..., 0] if image.samples == 1 else out),
        lossless=True,
        predictor=predictor,
        bitspersample=header.precision,
        **colour,
    )
    return bytes(encoded)


def _checked(frame: bytes, segments: list[MarkerSegment], image: ImageDescription) -> FrameHeader:
    header = jpeg_header(frame, segments)
    if (header.rows, header.columns, header.components) != (
        image.rows,
        image.columns,
        image.samples,
    ) or header.precision > image.bits_allocated:
        raise CodestreamBroken("frame header")
    return header


def _is_ycc(
    frame: bytes, segments: list[MarkerSegment], header: FrameHeader, image: ImageDescription
) -> bool:
    """Whether three components are YCbCr, judged as the IJG library does, then by the dataset."""
    if header.marker == _LOSSLESS:
        return image.photometric.startswith("YBR")
    for segment in segments:
        body = frame[segment.start : segment.stop]
        if segment.marker == APP14 and body[:5] == b"Adobe" and len(body) >= 12:
            return body[11] == 1
        if segment.marker == APP0 and body[:5] == b"JFIF\x00":
            return True
    return image.photometric.startswith("YBR")
