"""A stored image as a worker reads it: its attributes, and its frames decoded."""

from __future__ import annotations

import warnings
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import imagecodecs
import numpy as np

from daemon.rendering.errors import NoPicture
from daemon.rendering.offline import MultiValue, Sequence, pydicom, tag_for_keyword
from deid.errors import Unsafe
from deid.pixels.codecs.native import NativeFrame
from deid.pixels.codecs.table import CODECS
from deid.pixels.description import ImageDescription, describe
from deid.pixels.samples import Decoded
from dicomweb.errors import DescribeError, NotFound
from dicomweb.segments import Span
from dicomweb.stored import locate_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from dicomweb.stored import Pixels

LOSSLESS_JPEG: Final = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
_NATIVE_FRAMES: Final = frozenset({"1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"})
_DESCRIBED: Final = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
)
_FLOATS: Final = {32: "<f4", 64: "<f8"}


class StoredImage:
    """One stored instance with pixels.

    Attributes
    ----------
    dataset
        Without its pixel data.
    image
        What the Image Pixel module says; of floating point samples only shape and photometric
        interpretation mean something.
    frames
        How many there are.

    Raises
    ------
    NoPicture
        If it has no pixels, or none that are understood.
    """

    def __init__(self, path: Path, size: int) -> None:
        try:
            self.pixels: Pixels = locate_pixels(path, size)
        except (NotFound, DescribeError) as error:
            raise NoPicture("(7FE0,0010)") from error
        self.path = path
        self.dataset = read_attributes(path, size)
        described = {name: self.dataset.get(name) for name in _DESCRIBED}
        if self.pixels.is_float:
            # The floating point modules say nothing of bits beyond Bits Allocated (PS3.3 C.7.6.24).
            described |= {"BitsStored": 32, "HighBit": 31, "PixelRepresentation": 0}
        try:
            self.image = describe({name: value for name, value in described.items() if value != ""})
        except Unsafe as error:
            raise NoPicture(error.where) from error
        self.frames = self.pixels.number_of_frames

    def encoded(self, number: int) -> bytes:
        """Return the bytes of a frame, counted from 1: a codestream, or native samples in little endian."""
        if not 1 <= number <= self.frames:
            raise NoPicture("(0028,0008)")
        try:
            segments = self.pixels.frame(number)
        except NotFound as error:
            raise NoPicture("(0028,0008)") from error
        with self.path.open("rb") as file:
            parts = []
            for segment in segments:
                if isinstance(segment, Span):
                    file.seek(segment.start)
                    parts.append(file.read(segment.count))
                elif isinstance(segment, bytes):
                    parts.append(segment)
        return b"".join(parts)

    def decoded(self, number: int) -> Decoded:
        """Return the samples of a frame, colour transforms of a codec undone."""
        encoded = self.encoded(number)
        if self.pixels.is_float:
            kind = _FLOATS[self.image.bits_allocated]
            shape = (self.image.rows, self.image.columns, self.image.samples)
            return Decoded(np.frombuffer(encoded, kind).reshape(shape), self.image.photometric)
        try:
            return self._decoded(encoded)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise whatever they like
            raise NoPicture(f"frame {number}") from error

    def words(self, number: int) -> NDArray[Any]:
        """Return whole samples of a frame of one component, what stands in unused bits included."""
        encoded = self.encoded(number)
        codec = CODECS.get(self.pixels.transfer_syntax_uid)
        shape = (self.image.rows, self.image.columns, 1)
        try:
            if self.pixels.encapsulated and codec is not None:
                return codec.decode(encoded, self.image).samples.reshape(shape)
            kind = f"<u{self.image.bits_allocated // 8}"
            count = self.image.rows * self.image.columns
            return np.frombuffer(self._native(encoded), kind, count).reshape(shape)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise whatever they like
            raise NoPicture(f"frame {number}") from error

    def stored(self, number: int) -> Decoded:
        """Return the samples as they were before they were compressed without loss."""
        if self.pixels.transfer_syntax_uid in LOSSLESS_JPEG and self.image.samples > 1:
            # The codec turns YBR into RGB, which loses; here the components are taken as they are.
            encoded = self.encoded(number)
            try:
                samples = imagecodecs.jpeg8_decode(
                    encoded, colorspace="RGB", outcolorspace="RGB"
                ).reshape(self.image.rows, self.image.columns, self.image.samples)
            except (ValueError, RuntimeError) as error:
                raise NoPicture(f"frame {number}") from error
            photometric = self.image.photometric
            return Decoded(samples, "YBR_FULL" if photometric == "YBR_FULL_422" else photometric)
        return self.decoded(number)

    def _native(self, encoded: bytes) -> bytes:
        """Return the native samples of a frame that no codec has encoded."""
        size = -(-self.image.native_frame_bits // 8)
        match self.pixels.transfer_syntax_uid:
            case "1.2.840.10008.1.2.1.98":  # encapsulated, uncompressed (PS3.5 A.4.11)
                return encoded[:size]
            case "1.2.840.10008.1.2.8.1":  # each frame deflated by itself (PS3.5 A.4.12)
                return zlib.decompressobj(-zlib.MAX_WBITS).decompress(encoded, size)
        return encoded

    def _decoded(self, encoded: bytes) -> Decoded:
        if not self.pixels.encapsulated or self.pixels.transfer_syntax_uid in _NATIVE_FRAMES:
            return NativeFrame(self.image, self._native(encoded)).decoded()
        codec = CODECS.get(self.pixels.transfer_syntax_uid)
        if codec is None:
            raise NoPicture("(0002,0010)")
        decoded = codec.decode(encoded, self.image)
        return Decoded(used_bits(self.image, decoded.samples), decoded.photometric)


def used_bits(image: ImageDescription, samples: NDArray[Any]) -> NDArray[Any]:
    """Return unsigned samples without what stands outside Bits Stored (PS3.5 8.1.1)."""
    width = samples.dtype.itemsize * 8
    if samples.dtype.kind != "u" or image.bits_stored >= width:
        return samples
    shift = image.high_bit - image.bits_stored + 1
    kept: NDArray[Any] = samples >> shift & ((1 << image.bits_stored) - 1)
    return kept


def read_attributes(path: Path, size: int) -> Dataset:
    """Return all that stands before the pixel data; remembers the last few, as stored files never change."""
    return _read_attributes(path, size)


@lru_cache(maxsize=8)
def _read_attributes(path: Path, _size: int) -> Dataset:
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pydicom.dcmread(path, stop_before_pixels=True)
        except (MemoryError, OSError):
            raise
        except Exception as error:  # pydicom raises whatever it meets
            raise NoPicture("the data set cannot be read") from error


def first(dataset: Dataset | None, keyword: str) -> Any:
    """Return the first value of an attribute, None where there is none, or it cannot be read."""
    values = several(dataset, keyword)
    return values[0] if values else None


def several(dataset: Dataset | None, keyword: str) -> list[Any]:
    """Return the values of an attribute."""
    if dataset is None:
        return []
    tag = tag_for_keyword(keyword)
    assert tag is not None
    if tag not in dataset:
        return []
    try:
        value = dataset[tag].value
    except Exception as error:  # a value that cannot be converted
        raise NoPicture(keyword) from error
    if value is None or value == "":
        return []
    # A person name can be iterated over too, by its characters.
    return list(value) if isinstance(value, MultiValue | Sequence | list) else [value]


def number(dataset: Dataset | None, keyword: str) -> float | None:
    """Return the first value of an attribute as a finite number."""
    value = first(dataset, keyword)
    try:
        found = None if value is None else float(value)
    except (TypeError, ValueError):
        return None
    return found if found is not None and np.isfinite(found) else None


def macro(dataset: Dataset, frame: int, keyword: str) -> Dataset | None:
    """Return the item of a functional group macro for a frame, counted from 1 (PS3.3 C.7.6.16)."""
    per_frame = several(dataset, "PerFrameFunctionalGroupsSequence")
    shared = several(dataset, "SharedFunctionalGroupsSequence")
    for groups in (*per_frame[frame - 1 : frame], *shared[:1]):
        found: Dataset | None = first(groups, keyword)
        if found is not None:
            return found
    return None
