"""One instance in other encodings is the same; one that differs in any value is not."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence

from deid.encoding.header import read_file_meta
from deid.likeness.instances import are_alike
from tests.factories import make_ct
from tests.pixel_samples import (
    EXPLICIT_BE,
    HTJ2K_LOSSLESS,
    IMPLICIT_LE,
    J2K,
    J2K_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    JPEG_LS_NEAR,
    RLE,
    encode,
    texture,
)

Change = Callable[[Dataset], Any]
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
ROWS = 16


def sample(frames: int = 1, samples: int = 1, bits: int = 12) -> Dataset:
    """Return an instance with values of every kind: nested, private, empty, numbers of every size."""
    dataset = make_ct(rows=ROWS)
    block = dataset.private_block(0x0095, "ACME 1", create=True)
    block.add_new(1, "LO", "ODD")
    block.add_new(2, "FD", [1.5, -2.25])
    block.add_new(3, "SQ", [_item("A"), _item("B")])
    dataset.ProcedureCodeSequence = [_item("X1"), Dataset(), _item("X2")]
    dataset.PatientComments = ""
    dataset.FrameIncrementPointer = 0x00181063
    dataset.EventElapsedTimes = 3.5
    dataset.add_new(0x00091001, "UN", b"\x01\x02\x03\x04")
    pixels = np.stack(
        [
            texture(n, bits=bits, samples=samples, rows=ROWS, columns=ROWS)
            for n in range(1, frames + 1)
        ]
    )
    _shape(dataset, pixels, bits)
    return dataset


def _item(code: str) -> Dataset:
    item = Dataset()
    item.CodeValue = code
    item.add_new(0x00950010, "LO", "ACME 1")
    item.add_new(0x00951001, "US", 7)
    return item


def _shape(dataset: Dataset, pixels: np.ndarray[Any, Any], bits: int) -> None:
    dataset.NumberOfFrames, dataset.SamplesPerPixel = len(pixels), pixels.shape[-1]
    dataset.Rows, dataset.Columns = pixels.shape[1:3]
    dataset.BitsAllocated, dataset.BitsStored = pixels.dtype.itemsize * 8, bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, 0
    dataset.PhotometricInterpretation = "RGB" if pixels.shape[-1] == 3 else "MONOCHROME2"
    if pixels.shape[-1] == 3:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
        dataset.pop(keyword, None)


def frames_of(dataset: Dataset) -> np.ndarray[Any, Any]:
    shape = (dataset.NumberOfFrames, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
    return np.frombuffer(dataset.PixelData, f"<u{dataset.BitsAllocated // 8}").reshape(shape)


def written(dataset: Dataset, syntax: str = EXPLICIT_LE) -> bytes:
    """Write a data set in a native transfer syntax with pydicom."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    copy = Dataset(dataset)
    if syntax == EXPLICIT_BE:
        copy["PixelData"].value = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    copy.file_meta = meta
    out = io.BytesIO()
    pydicom.dcmwrite(
        out,
        copy,
        enforce_file_format=True,
        implicit_vr=syntax == IMPLICIT_LE,
        little_endian=syntax != EXPLICIT_BE,
    )
    return out.getvalue()


def compressed(
    dataset: Dataset, syntax: str, *, photometric: str = "", fragments: int = 1, bot: bool = True
) -> bytes:
    """Write a data set with every frame encoded in an encapsulated transfer syntax."""
    copy = pydicom.dcmread(io.BytesIO(written(dataset)))
    frames = [
        encode(syntax, frame, dataset.BitsStored if syntax != RLE else 0)
        for frame in frames_of(dataset)
    ]
    copy.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=bot)
    copy["PixelData"].VR = "OB"
    copy["PixelData"].is_undefined_length = True
    if photometric:
        copy.PhotometricInterpretation = photometric
    copy.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    out = io.BytesIO()
    pydicom.dcmwrite(out, copy, enforce_file_format=True)
    return out.getvalue()


def undefined_lengths(dataset: Dataset) -> Dataset:
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                undefined_lengths(item)
    return dataset


def changed(change: Change) -> Dataset:
    dataset = sample()
    change(dataset)
    return dataset


def with_group_length(content: bytes) -> bytes:
    """Put the length of group 0008 before it, as older writers do (PS3.5 7.2)."""
    start = read_file_meta(content).dataset_offset
    length = struct.pack("<HH2sHI", 0x0008, 0, b"UL", 4, 1234)
    return content[:start] + length + content[start:]


def with_padding(dataset: Dataset) -> Dataset:
    dataset.add_new(0xFFFCFFFC, "OB", bytes(64))
    return dataset


def as_unknown() -> bytes:
    """Write private elements and a sequence with VR UN, as who does not know them (PS3.5 6.2.2)."""
    inner = DicomBytesIO()
    inner.is_little_endian, inner.is_implicit_VR = True, True
    dataset = sample()
    write_sequence(inner, dataset["ProcedureCodeSequence"], ["iso8859"])
    dataset.add(_unknown(0x00081032, inner.getvalue()))
    dataset.add(_unknown(0x00951001, b"ODD "))
    dataset.add(_unknown(0x00951002, struct.pack("<2d", 1.5, -2.25)))
    return written(dataset)


def _unknown(tag: int, value: bytes) -> DataElement:
    before = pydicom.config.replace_un_with_known_vr
    pydicom.config.replace_un_with_known_vr = False
    try:
        return DataElement(tag, "UN", value)
    finally:
        pydicom.config.replace_un_with_known_vr = before


def padded_otherwise(content: bytes) -> bytes:
    """Pad UIDs by spaces and text by NUL: neither is what PS3.5 6.2 says, both are met."""
    spaced = content.replace(b"ODD ", b"ODD\0")
    assert spaced != content
    return spaced


PLAIN = written(sample())
COLOUR = sample(samples=3, bits=8)
CINE = sample(frames=3)

SAME: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    "Implicit VR": lambda: (PLAIN, written(sample(), IMPLICIT_LE)),
    "big endian": lambda: (PLAIN, written(sample(), EXPLICIT_BE)),
    "big endian, 8 bits": lambda: (written(COLOUR), written(COLOUR, EXPLICIT_BE)),
    "deflated": lambda: (PLAIN, written(sample(), DEFLATED)),
    "another preamble": lambda: (PLAIN, b"\1" * 128 + PLAIN[128:]),
    "group lengths": lambda: (PLAIN, with_group_length(PLAIN)),
    "trailing padding": lambda: (PLAIN, written(with_padding(sample()))),
    "zeros behind": lambda: (PLAIN, PLAIN + bytes(32)),
    "undefined lengths": lambda: (PLAIN, written(undefined_lengths(sample()))),
    "undefined lengths, Implicit VR": lambda: (
        PLAIN,
        written(undefined_lengths(sample()), IMPLICIT_LE),
    ),
    "Implicit VR twice": lambda: (
        written(sample(), IMPLICIT_LE),
        written(undefined_lengths(sample()), IMPLICIT_LE),
    ),
    "UN": lambda: (PLAIN, as_unknown()),
    "UN, Implicit VR": lambda: (as_unknown(), written(sample(), IMPLICIT_LE)),
    "padded by NUL": lambda: (PLAIN, padded_otherwise(PLAIN)),
    "OB for OW": lambda: (PLAIN, PLAIN.replace(b"\xe0\x7f\x10\0OW", b"\xe0\x7f\x10\0OB")),
    "RLE": lambda: (PLAIN, compressed(sample(), RLE)),
    "RLE in colour": lambda: (written(COLOUR), compressed(COLOUR, RLE)),
    "JPEG Lossless": lambda: (PLAIN, compressed(sample(), JPEG_LOSSLESS)),
    "JPEG-LS": lambda: (PLAIN, compressed(sample(), JPEG_LS)),
    "JPEG 2000": lambda: (PLAIN, compressed(sample(), J2K_LOSSLESS)),
    "JPEG 2000, which may lose and did not": lambda: (
        compressed(sample(), RLE),
        compressed(sample(), J2K_LOSSLESS).replace(J2K_LOSSLESS.encode(), J2K.encode()),
    ),
    "HTJ2K": lambda: (PLAIN, compressed(sample(), HTJ2K_LOSSLESS)),
    "JPEG 2000 in colour": lambda: (
        written(COLOUR),
        compressed(COLOUR, J2K_LOSSLESS, photometric="YBR_RCT"),
    ),
    "one lossless coding for another": lambda: (
        compressed(CINE, JPEG_LOSSLESS_SV1),
        compressed(CINE, JPEG_LS),
    ),
    "several frames": lambda: (written(CINE), compressed(CINE, JPEG_LOSSLESS_SV1)),
    "other fragments": lambda: (
        compressed(CINE, JPEG_BASELINE),
        compressed(CINE, JPEG_BASELINE, fragments=2),
    ),
    "no offset table": lambda: (
        compressed(CINE, JPEG_LS_NEAR),
        compressed(CINE, JPEG_LS_NEAR, bot=False),
    ),
}


def one_bit(dataset: Dataset) -> None:
    dataset.PixelData = bytes([dataset.PixelData[0] ^ 1]) + dataset.PixelData[1:]


def an_unused_bit(dataset: Dataset) -> None:
    dataset.PixelData = (
        dataset.PixelData[:1] + bytes([dataset.PixelData[1] ^ 0x80]) + (dataset.PixelData[2:])
    )


def reordered(dataset: Dataset) -> None:
    items = dataset.ProcedureCodeSequence
    dataset.ProcedureCodeSequence = [items[2], items[1], items[0]]


def one_frame_more(dataset: Dataset) -> None:
    dataset.NumberOfFrames = 2
    dataset.PixelData *= 2


def rows_for_columns(dataset: Dataset) -> None:
    dataset.Rows, dataset.Columns = 2 * ROWS, ROWS // 2


def edited(tag: int, value: Any) -> Change:
    def change(dataset: Dataset) -> None:
        dataset[tag].value = value

    return change


CHANGES: dict[str, Change] = {
    "one bit of one pixel": one_bit,
    "an unused bit": an_unused_bit,
    "one more byte of pixels": lambda each: setattr(each, "PixelData", each.PixelData + b"\0\1"),
    "one frame more": one_frame_more,
    "absent for empty": lambda each: each.pop("PatientComments"),
    "a space before a value": edited(0x00951001, " ODD"),
    "another letter": edited(0x00951001, "ODE"),
    "upper and lower case": edited(0x00951001, "Odd"),
    "one value more": edited(0x00951002, [1.5, -2.25, 0.0]),
    "the sign of a number": edited(0x00951002, [1.5, 2.25]),
    "a number of the opposite sign": lambda each: each["EventElapsedTimes"].__setattr__(
        "value", -3.5
    ),
    "order of items": reordered,
    "an empty item less": lambda each: each.ProcedureCodeSequence.pop(1),
    "a nested value": lambda each: setattr(each.ProcedureCodeSequence[2], "CodeValue", "X3"),
    "a private nested value": lambda each: edited(0x00951001, 8)(each.ProcedureCodeSequence[0]),
    "a private sequence's value": lambda each: setattr(each[0x00951003].value[1], "CodeValue", "C"),
    "a private element less": lambda each: each.pop(0x00951002),
    "another private creator": edited(0x00950010, "ACME 2"),
    "bytes of unknown VR": edited(0x00091001, b"\x01\x02\x03\x05"),
    "a longer value of unknown VR": edited(0x00091001, b"\x01\x02\x03\x04\x00\x00"),
    "an element more": lambda each: each.add_new(0x00102180, "SH", "x"),
    "another character set": lambda each: setattr(each, "SpecificCharacterSet", "ISO_IR 192"),
    "a window": lambda each: setattr(each, "WindowCenter", "41"),
    "the same number, written differently": lambda each: setattr(
        each, "RescaleSlope", pydicom.valuerep.DSfloat("1.0")
    ),
    "bits stored": lambda each: setattr(each, "BitsStored", 11),
    "photometric interpretation": lambda each: setattr(
        each, "PhotometricInterpretation", "MONOCHROME1"
    ),
    "signed": lambda each: setattr(each, "PixelRepresentation", 1),
    "rows for columns": rows_for_columns,
}
NATIVE = (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED)


@pytest.mark.parametrize("pair", SAME.values(), ids=SAME)
def test_other_encodings_are_the_same(pair: Callable[[], tuple[bytes, bytes]]) -> None:
    first, second = pair()
    assert first != second
    assert are_alike(first, second)
    assert are_alike(second, first)


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_one_value_makes_another_instance(change: Change, syntax: str) -> None:
    other = written(changed(change), syntax)
    assert not are_alike(PLAIN, other)
    assert not are_alike(other, PLAIN)
    assert are_alike(other, other)


@pytest.mark.parametrize("syntax", [RLE, JPEG_LOSSLESS, JPEG_LS, J2K_LOSSLESS, HTJ2K_LOSSLESS])
def test_one_pixel_makes_another_instance_in_lossless_codings(syntax: str) -> None:
    other = compressed(changed(one_bit), syntax)
    assert not are_alike(PLAIN, other)
    assert not are_alike(compressed(sample(), RLE), other)


def test_what_hides_in_unused_bits_makes_another_instance_in_another_coding() -> None:
    other = compressed(changed(an_unused_bit), RLE)
    assert not are_alike(PLAIN, other)
    assert not are_alike(compressed(sample(), RLE), other)
    assert not are_alike(written(changed(an_unused_bit)), compressed(sample(), RLE))


def test_samples_that_end_above_bits_stored_are_compared_as_a_whole() -> None:
    """With High Bit 15 of 12 bits stored, the four lowest bits are the unused ones."""

    def shifted(flipped: int) -> Dataset:
        dataset = sample()
        frames = (frames_of(sample()) << 4).astype("<u2")
        frames[0, 0, 0, 0] ^= flipped
        dataset.PixelData, dataset.HighBit = frames.tobytes(), 15
        return dataset

    assert are_alike(written(shifted(0)), written(shifted(0), IMPLICIT_LE))
    assert not are_alike(written(shifted(0)), compressed(shifted(0x8000), RLE))


def test_the_same_samples_shown_inversely_are_another_instance_in_another_coding() -> None:
    other = compressed(sample(), RLE, photometric="MONOCHROME1")
    assert not are_alike(PLAIN, other)
    assert not are_alike(compressed(sample(), JPEG_LOSSLESS), other)


def test_words_in_another_byte_order_are_the_samples_that_they_hold() -> None:
    """A retired transfer syntax of one maker: little endian, but for Pixel Data."""

    def in_big_endian_words(pixels: bytes) -> bytes:
        dataset = sample()
        dataset.PixelData = pixels
        content = written(dataset, IMPLICIT_LE)
        return content.replace(
            IMPLICIT_LE.encode() + b"\0", b"1.2.840.113619.5.2".ljust(len(IMPLICIT_LE) + 1, b"\0")
        )

    swapped = np.frombuffer(sample().PixelData, "<u2").astype(">u2").tobytes()
    assert are_alike(PLAIN, in_big_endian_words(swapped))
    assert not are_alike(PLAIN, in_big_endian_words(sample().PixelData))


@pytest.mark.parametrize("syntax", [JPEG_BASELINE, JPEG_LS_NEAR, J2K])
def test_what_lost_something_is_not_what_it_was_made_of(syntax: str) -> None:
    dataset = sample(bits=8)
    assert not are_alike(written(dataset), compressed(dataset, syntax))


def test_two_lossy_codings_are_compared_as_they_are_encoded() -> None:
    first, second = (compressed(sample(bits=8), each) for each in (JPEG_BASELINE, J2K))
    assert are_alike(first, first)
    assert not are_alike(first, second)


def test_what_is_lossless_but_was_made_of_lossy_frames_is_another_instance() -> None:
    lossy = pydicom.dcmread(io.BytesIO(compressed(sample(bits=8), JPEG_BASELINE)))
    frames = lossy.pixel_array.astype(np.uint8).reshape(1, ROWS, ROWS, 1)
    dataset = sample(bits=8)
    _shape(dataset, frames, 8)
    assert not are_alike(compressed(sample(bits=8), JPEG_BASELINE), written(dataset))


def test_the_padding_byte_of_an_odd_number_of_samples_says_nothing() -> None:
    dataset = sample(bits=8)
    odd = np.zeros((1, 3, 3, 1), np.uint8)
    _shape(dataset, odd, 8)
    contents = []
    for last in (b"\0", b"\xff"):
        dataset.PixelData = odd.tobytes() + last
        contents.append(written(dataset))
    assert are_alike(*contents)


@pytest.mark.parametrize("cut", [1, 200, 400, 1000])
def test_what_is_cut_short_is_like_nothing(cut: int) -> None:
    assert not are_alike(PLAIN, PLAIN[:-cut])
    assert not are_alike(PLAIN[: 132 + cut], PLAIN)


def test_bytes_behind_the_data_set_are_not_passed_over() -> None:
    assert not are_alike(PLAIN, PLAIN + b"\0\0\0\0hidden")


def test_an_encoder_s_remark_that_nothing_was_lost_is_no_value() -> None:
    remark = (
        "Lossless JPEG compression, selection value 1, point transform 0, compression ratio 1.67"
    )
    told = changed(lambda each: setattr(each, "DerivationDescription", remark))
    assert are_alike(PLAIN, compressed(told, JPEG_LOSSLESS))
    other = changed(lambda each: setattr(each, "DerivationDescription", f"{remark}; cropped"))
    assert not are_alike(PLAIN, compressed(other, JPEG_LOSSLESS))
