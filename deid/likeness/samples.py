"""Whether two values of Pixel Data show the same: by their bytes, or by samples where nothing was lost."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import imagecodecs
import numpy as np

from deid.encoding.transfer_syntaxes import TRANSFER_SYNTAXES
from deid.likeness.elements import PIXEL_DATA, Encoded, have_same_bytes, items_of, little_endian
from deid.pixels.codecs import encapsulation
from deid.pixels.codecs.native import NativeFrame
from deid.pixels.codecs.table import CODECS
from deid.pixels.description import describe
from deid.pixels.samples import Decoded, without_unused_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from deid.encoding.header import Buffer
    from deid.pixels.description import ImageDescription

OF_ENCODING: Final = frozenset({0x00280004, 0x00280006})
"""Photometric Interpretation and Planar Configuration: how the samples are coded (PS3.5 8.2)."""
OFFSET_TABLES: Final = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00003})
"""What only an encapsulated value needs to be found in (PS3.5 A.4)."""
_JPEG_LOSSLESS: Final = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
_NUMBERS: Final = {
    0x00280002: "SamplesPerPixel",
    0x00280006: "PlanarConfiguration",
    0x00280010: "Rows",
    0x00280011: "Columns",
    0x00280100: "BitsAllocated",
    0x00280101: "BitsStored",
    0x00280102: "HighBit",
    0x00280103: "PixelRepresentation",
}
_TEXTS: Final = {0x00280004: "PhotometricInterpretation", 0x00280008: "NumberOfFrames"}
_DIGITS: Final = "0123456789"


class Likeness(Enum):
    """What two values of Pixel Data have in common."""

    NOTHING = auto()
    SAMPLES = auto()
    BYTES = auto()


class Picture(NamedTuple):
    """A data set or an item with Pixel Data: its elements, and the transfer syntax of its file."""

    elements: Sequence[Encoded]
    transfer_syntax_uid: str

    @property
    def pixels(self) -> Encoded:
        """The element Pixel Data."""
        return next(each for each in self.elements if each.tag == PIXEL_DATA)


def likeness(first: Picture, second: Picture) -> Likeness:
    """Tell what is alike of two pictures whose other elements are: `SAMPLES` when only their coding differs."""
    pair = first.pixels, second.pixels
    if all(pixels.is_undefined for pixels in pair):
        if _streams_are_equal(*pair):
            return Likeness.BYTES
    elif not any(pixels.is_undefined for pixels in pair) and _are_native_equal(first, second):
        return Likeness.BYTES
    return Likeness.SAMPLES if _samples_are_equal(first, second) else Likeness.NOTHING


def _streams_are_equal(first: Encoded, second: Encoded) -> bool:
    """Compare what is encoded, however it is divided into fragments."""
    streams = []
    for pixels in (first, second):
        fragments = items_of(pixels)[1:]
        streams.append(b"".join(pixels.level.data[each.start : each.stop] for each in fragments))
    return streams[0].rstrip(b"\0") == streams[1].rstrip(b"\0")


def _are_native_equal(first: Picture, second: Picture) -> bool:
    if _is_swapped(first) != _is_swapped(second):
        return False
    one, other = first.pixels, second.pixels
    lengths = [each.stop - each.start for each in (one, other)]
    if lengths[0] == lengths[1] and have_same_bytes(one, other, lengths[0]):
        return True
    # The last byte of an odd number of samples of 8 bits is padding and says nothing.
    wanted = _native_bytes(_described(first))
    is_odd = wanted % 2 == 1 and all(length in {wanted, wanted + 1} for length in lengths)
    return is_odd and _start(one, wanted) == _start(other, wanted)


def _start(pixels: Encoded, wanted: int) -> bytes:
    return little_endian(pixels, 0, pixels.stop - pixels.start)[:wanted]


def _is_swapped(picture: Picture) -> bool:
    row = TRANSFER_SYNTAXES.get(picture.transfer_syntax_uid)
    return row is None or row.pixel_data == "native_swapped"


def _native_bytes(image: ImageDescription) -> int:
    return -(-image.native_frame_bits * image.frames // 8)


def _samples_are_equal(first: Picture, second: Picture) -> bool:
    """Compare samples, frame by frame; in vain where a step lost something, or unused bits are in use."""
    images = _described(first), _described(second)
    if any(image.high_bit != image.bits_stored - 1 for image in images):
        return False
    frames = (_frames(each, image) for each, image in zip((first, second), images, strict=True))
    for one, other in zip(*frames, strict=True):
        if one is None or other is None or one.photometric != other.photometric:
            return False
        if not np.array_equal(_stored(images[0], one), _stored(images[1], other)):
            return False
    return True


def _stored(image: ImageDescription, decoded: Decoded) -> NDArray[np.int64]:
    return decoded.samples.astype(np.int64) & ((1 << image.bits_stored) - 1)


def _frames(picture: Picture, image: ImageDescription) -> Iterator[Decoded | None]:
    """Yield each frame; None for one that is not exactly what was encoded."""
    if picture.pixels.is_undefined:
        return _encapsulated(picture, image)
    return _native(picture, image)


def _native(picture: Picture, image: ImageDescription) -> Iterator[Decoded | None]:
    pixels, wanted = picture.pixels, _native_bytes(image)
    if pixels.stop - pixels.start not in {wanted, wanted + wanted % 2}:
        yield from [None] * image.frames
        return
    # Words of 16 bits in big endian hold samples of 8 bits in changed places.
    is_turned = pixels.word_bytes == 2 and image.bits_allocated <= 8
    whole = little_endian(pixels, 0, pixels.stop - pixels.start) if is_turned else None
    is_big = pixels.level.encoding.big_endian or _is_swapped(picture)
    bits = image.native_frame_bits
    for number in range(image.frames):
        first = number * bits
        begin, end = first // 8, -(-(first + bits) // 8)
        raw = (
            whole[begin:end]
            if whole is not None
            else pixels.level.data[pixels.start + begin : pixels.start + end]
        )
        frame = NativeFrame(image, raw, first_bit=first % 8, is_big_endian=is_big)
        decoded = frame.decoded()
        yield None if frame.clear_unused_bits() else decoded


def _encapsulated(picture: Picture, image: ImageDescription) -> Iterator[Decoded | None]:
    codec = CODECS.get(picture.transfer_syntax_uid)
    if codec is None:
        yield from [None] * image.frames
        return
    pixels = picture.pixels
    data, extended = pixels.level.data, _extended_offsets(picture)
    value = encapsulation.parse(data, pixels.start, pixels.stop, image.frames, extended)
    for frame in value.frames:
        encoded = frame.read(data)
        if not codec.is_exact(encoded, image):
            yield None
            continue
        decoded = (
            _without_transform(encoded, image)
            if picture.transfer_syntax_uid in _JPEG_LOSSLESS and image.samples == 3
            else codec.decode(encoded, image)
        )
        yield decoded if without_unused_bits(image, decoded.samples) is None else None


def _without_transform(encoded: bytes, image: ImageDescription) -> Decoded:
    """Decode Process 14 as it is: to make RGB of its luminance and chrominance would round."""
    samples = imagecodecs.jpeg8_decode(encoded, colorspace="RGB", outcolorspace="RGB")
    return Decoded(samples.reshape(image.rows, image.columns, 3), image.photometric)


def _extended_offsets(picture: Picture) -> bytes | None:
    for each in picture.elements:
        if each.tag == 0x7FE00001 and not each.is_undefined:
            return each.level.data[each.start : each.stop]
    return None


def _described(picture: Picture) -> ImageDescription:
    attributes: dict[str, Any] = {}
    for each in picture.elements:
        data: Buffer = each.level.data
        if each.tag in _NUMBERS and each.stop - each.start >= 2:
            (attributes[_NUMBERS[each.tag]],) = each.level.encoding.short.unpack_from(
                data, each.start
            )
        elif each.tag in _TEXTS:
            text = data[each.start : each.stop].decode("ascii", "replace").strip(" \0")
            attributes[_TEXTS[each.tag]] = text
    return describe(attributes)
