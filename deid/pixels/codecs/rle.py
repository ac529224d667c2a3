"""RLE Lossless (PS3.5 Annex G): byte planes, each packed on its own."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from rle.rle import decode_frame
from rle.utils import encode_pixel_data

from deid.pixels.codecs.codestreams import CodestreamBroken
from deid.pixels.samples import Decoded, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box

_HEADER_BYTES = 64


def scrubbed(frame: bytes, image: ImageDescription) -> bytes:
    """Blank whatever lies behind the last byte that a segment needs, keeping the length."""
    clean = bytearray(frame)
    segments = _segments(frame, image)
    clean[4 + 4 * len(segments) : _HEADER_BYTES] = bytes(_HEADER_BYTES - 4 - 4 * len(segments))
    for start, stop in segments:
        used = _packed_length(frame, start, stop, image.rows * image.columns)
        clean[used:stop] = bytes(stop - used)
    return bytes(clean) if clean != frame else frame


def decode(frame: bytes, image: ImageDescription) -> Decoded:
    """Decode one frame."""
    _segments(frame, image)
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


def _segments(frame: bytes, image: ImageDescription) -> list[tuple[int, int]]:
    if image.bits_allocated < 8 or len(frame) < _HEADER_BYTES:
        raise CodestreamBroken("RLE header")
    count, *offsets = struct.unpack_from("<16I", frame)
    if count != image.samples * image.bits_allocated // 8:
        raise CodestreamBroken("RLE segments")
    edges = [*offsets[:count], len(frame)]
    if edges[0] != _HEADER_BYTES or edges != sorted(edges):
        raise CodestreamBroken("RLE offsets")
    return list(pairwise(edges))


def _packed_length(frame: bytes, start: int, stop: int, wanted: int) -> int:
    """Return where the PackBits runs that make up `wanted` bytes end."""
    at, made = start, 0
    while made < wanted and at < stop:
        control = frame[at]
        if control < 128:
            at += control + 2
            made += control + 1
        elif control > 128:
            at += 2
            made += 257 - control
        else:
            at += 1
    if made < wanted or at > stop:
        raise CodestreamBroken("RLE segment ends early")
    return at
