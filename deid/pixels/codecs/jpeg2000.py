"""JPEG 2000 (ISO/IEC 15444-1) and High-Throughput JPEG 2000 (15444-15)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

from deid.pixels.codecs.codestreams import (
    J2K_COD,
    CodestreamBroken,
    j2k_header,
    scrubbed_j2k,
)
from deid.pixels.samples import Decoded, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.codecs.codestreams import FrameHeader
    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box

_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "


@dataclass(frozen=True, slots=True)
class _Coding:
    """What COD says: is there a component transform, is the wavelet reversible, HT blocks."""

    has_component_transform: bool
    is_reversible: bool
    is_high_throughput: bool
    levels: int


def scrubbed(frame: bytes, image: ImageDescription) -> bytes:
    """Blank comments and what follows EOC, keeping the length; unwrap a JP2 file if it is one."""
    del image
    return scrubbed_j2k(_codestream(frame))


def decode(frame: bytes, image: ImageDescription) -> Decoded:
    """Decode one frame; component transforms are undone."""
    codestream = _codestream(frame)
    header = _checked(codestream, image)
    samples = _decoded(codestream, header)
    photometric = image.photometric
    return Decoded(samples, "RGB" if photometric in {"YBR_RCT", "YBR_ICT"} else photometric)


def redact(
    frame: bytes, image: ImageDescription, boxes: Sequence[Box], values: Sequence[int]
) -> bytes:
    """Fill the boxes and encode again.

    The reversible transform is used even where the source was irreversible, so that every other
    sample keeps the value it decoded to; only colour with the irreversible component transform is
    encoded irreversibly again (unquantised as far as possible), as its Photometric Interpretation
    says YBR_ICT.
    """
    codestream = _codestream(frame)
    header, coding = _checked(codestream, image), _coding(codestream)
    samples = _decoded(codestream, header)
    out = filled(image, samples, boxes, values, exact=coding.is_reversible)
    reversible = not loses_again(frame)
    if coding.is_high_throughput:
        return _high_throughput(out, header, coding, reversible=reversible)
    encoded = imagecodecs.jpeg2k_encode(
        np.ascontiguousarray(out[..., 0] if header.components == 1 else out),
        level=0,
        codecformat="J2K",
        planar=False,
        bitspersample=header.precision,
        reversible=reversible,
        resolutions=_resolutions(out, coding),
        mct=coding.has_component_transform,
        numthreads=1,
    )
    return scrubbed_j2k(bytes(encoded))


def is_exact(frame: bytes, image: ImageDescription) -> bool:
    """Whether the samples are what was encoded."""
    del image
    return _coding(_codestream(frame)).is_reversible


def loses_again(frame: bytes) -> bool:
    """Whether encoding this frame again is another lossy step."""
    coding = _coding(_codestream(frame))
    return coding.has_component_transform and not coding.is_reversible


def _high_throughput(
    out: NDArray[Any], header: FrameHeader, coding: _Coding, *, reversible: bool
) -> bytes:
    options: dict[str, Any] = {
        "planar": False,
        "rgb": coding.has_component_transform,
        "reversible": reversible,
        "resolutions": _resolutions(out, coding),
        "tlm": True,
        "tilepart": 1,  # by resolution, as HTJ2K RPCL asks (PS3.5 8.2.14)
    }
    plane = np.ascontiguousarray(out[..., 0] if header.components == 1 else out)
    if not reversible:
        if header.precision not in {8, 16}:
            raise CodestreamBroken("precision of irreversible HTJ2K colour")
        return scrubbed_j2k(bytes(imagecodecs.htj2k_encode(plane, level=1e-5, **options)))
    # The encoder writes 8 or 16 bits into SIZ. Values are given level-shifted and signed, which
    # makes the coefficients of any precision the same; then SIZ gets the true precision.
    middle = 0 if header.is_signed else 1 << (header.precision - 1)
    shifted = (plane.astype(np.int32) - middle).astype(np.int16)
    encoded = bytearray(imagecodecs.htj2k_encode(shifted, **options))
    for component in range(header.components):
        encoded[42 + 3 * component] = (header.precision - 1) | header.is_signed << 7
    return scrubbed_j2k(bytes(encoded))


def _resolutions(out: NDArray[Any], coding: _Coding) -> int:
    # As in the source, at least one sample in the lowest.
    return min(coding.levels, max(int(min(out.shape[:2])).bit_length() - 1, 0)) + 1


def _decoded(codestream: bytes, header: FrameHeader) -> NDArray[Any]:
    decoder = (
        imagecodecs.htj2k_decode
        if _coding(codestream).is_high_throughput
        else imagecodecs.jpeg2k_decode
    )
    samples: NDArray[Any] = decoder(codestream, planar=False)
    if samples.ndim == 3 and samples.shape != (header.rows, header.columns, header.components):
        samples = np.moveaxis(samples, 0, -1)
    return samples.reshape(header.rows, header.columns, header.components)


def _checked(codestream: bytes, image: ImageDescription) -> FrameHeader:
    header = j2k_header(codestream)
    if (header.rows, header.columns, header.components) != (
        image.rows,
        image.columns,
        image.samples,
    ) or header.precision > min(image.bits_allocated, 16):
        raise CodestreamBroken("SIZ")
    return header


def _codestream(frame: bytes) -> bytes:
    if not frame.startswith(_JP2_SIGNATURE):
        return frame
    box = frame.find(b"jp2c")
    if box < 0:
        raise CodestreamBroken("JP2 without codestream")
    return frame[box + 4 :]


def _coding(codestream: bytes) -> _Coding:
    at = 2
    while at + 4 <= len(codestream):
        marker, length = struct.unpack_from(">HH", codestream, at)
        if marker == J2K_COD and length >= 12:
            # Scod, progression (1), layers (2), MCT (1), levels, block width, height, style, wavelet
            _, _, _, mct, levels, _, _, style, wavelet = struct.unpack_from(
                ">BBHBBBBBB", codestream, at + 4
            )
            return _Coding(mct == 1, wavelet == 1, bool(style & 0x40), min(levels, 32))
        if marker < 0xFF50 or length < 2:
            break
        at += 2 + length
    raise CodestreamBroken("no COD")
