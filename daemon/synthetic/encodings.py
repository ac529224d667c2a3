"""The same instance in another transfer syntax (PS3.5 section 10 and annex A)."""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from rle.utils import encode_pixel_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    Encoder = Callable[[NDArray[Any], Dataset], bytes]

_LOSSY = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEG2000: "ISO_15444_1",
    JPEGLSNearLossless: "ISO_14495_1",
}


def encode_as(dataset: Dataset, transfer_syntax_uid: str, *, offset_table: bool = True) -> Dataset:
    """Return a copy in another transfer syntax; the pixels of `dataset` are native little endian.

    Parameters
    ----------
    offset_table
        Whether the Basic Offset Table of an encapsulated value is filled (PS3.5 A.4).

    Raises
    ------
    ValueError
        If the transfer syntax is compressed and this module has no encoder for it, or the instance
        has no native pixels to encode.
    """
    syntax = UID(transfer_syntax_uid)
    pixels = dataset.get("PixelData")
    dataset = copy.deepcopy(dataset)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax.is_encapsulated:
        _encapsulate(dataset, syntax, offset_table=offset_table)
    elif not syntax.is_little_endian and pixels and dataset.BitsAllocated == 16:
        dataset.PixelData = np.frombuffer(pixels, "<u2").astype(">u2").tobytes()
    return dataset


def encoded(dataset: Dataset) -> bytes:
    """Return the dataset as a file's bytes (PS3.10 7.1)."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def native_frames(dataset: Dataset) -> NDArray[Any]:
    """Return native little-endian pixels: frames, rows, columns (and samples)."""
    dtype = np.dtype(f"<{'i' if dataset.PixelRepresentation else 'u'}{dataset.BitsAllocated // 8}")
    shape: tuple[int, ...] = (
        int(dataset.get("NumberOfFrames") or 1),
        dataset.Rows,
        dataset.Columns,
    )
    if dataset.SamplesPerPixel > 1:
        shape += (dataset.SamplesPerPixel,)
    count = int(np.prod(shape))
    return np.frombuffer(dataset.PixelData, dtype=dtype, count=count).reshape(shape)


def _encapsulate(dataset: Dataset, syntax: UID, *, offset_table: bool) -> None:
    if syntax not in _ENCODERS or "PixelData" not in dataset:
        message = f"no encoder for {syntax.name} here"
        raise ValueError(message)
    encode = _ENCODERS[syntax]
    frames = native_frames(dataset)
    encoded = [encode(np.ascontiguousarray(frame), dataset) for frame in frames]
    dataset.PixelData = encapsulate(encoded, has_bot=offset_table)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    if dataset.SamplesPerPixel == 3:
        dataset.PhotometricInterpretation = _PHOTOMETRIC.get(syntax, "RGB")
    if syntax in _LOSSY:
        dataset.LossyImageCompression = "01"
        ratio = frames.nbytes / sum(map(len, encoded))
        dataset.LossyImageCompressionRatio = f"{ratio:.2f}"
        dataset.LossyImageCompressionMethod = _LOSSY[syntax]
        dataset.ImageType = ["DERIVED", *list(dataset.ImageType)[1:]]


def _rle(frame: NDArray[Any], dataset: Dataset) -> bytes:
    encoded: bytes = encode_pixel_data(
        frame.tobytes(),
        rows=dataset.Rows,
        columns=dataset.Columns,
        samples_per_pixel=dataset.SamplesPerPixel,
        bits_allocated=dataset.BitsAllocated,
        byteorder="<",
    )
    return encoded


def _baseline(frame: NDArray[Any], _: Dataset) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(frame, level=90, subsampling="422"))


def _extended(frame: NDArray[Any], _: Dataset) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(frame.astype(np.uint16), level=95, bitspersample=12))


def _lossless(frame: NDArray[Any], dataset: Dataset) -> bytes:
    bits = dataset.BitsAllocated
    unsigned = frame.view(f"u{bits // 8}")
    return bytes(
        imagecodecs.jpeg8_encode(
            unsigned, lossless=True, predictor=1, bitspersample=bits, outcolorspace=None
        )
    )


def _jpeg_ls(frame: NDArray[Any], dataset: Dataset) -> bytes:
    return bytes(imagecodecs.jpegls_encode(frame.view(f"u{dataset.BitsAllocated // 8}")))


def _jpeg_ls_near(frame: NDArray[Any], dataset: Dataset) -> bytes:
    return bytes(imagecodecs.jpegls_encode(frame.view(f"u{dataset.BitsAllocated // 8}"), level=2))


def _j2k_lossless(frame: NDArray[Any], _: Dataset) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True))


def _j2k(frame: NDArray[Any], _: Dataset) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(frame, level=50, codecformat="j2k", reversible=False))


def _htj2k(frame: NDArray[Any], _: Dataset) -> bytes:
    return bytes(imagecodecs.htj2k_encode(frame))


_ENCODERS: dict[str, Encoder] = {
    RLELossless: _rle,
    JPEGBaseline8Bit: _baseline,
    JPEGExtended12Bit: _extended,
    JPEGLossless: _lossless,
    JPEGLosslessSV1: _lossless,
    JPEGLSLossless: _jpeg_ls,
    JPEGLSNearLossless: _jpeg_ls_near,
    JPEG2000Lossless: _j2k_lossless,
    JPEG2000: _j2k,
    HTJ2KLossless: _htj2k,
}

_PHOTOMETRIC = {
    JPEGBaseline8Bit: "YBR_FULL_422",
    JPEG2000Lossless: "YBR_RCT",
    JPEG2000: "YBR_ICT",
    HTJ2KLossless: "YBR_RCT",
}
