"""What hides beside the samples of Pixel Data goes, samples stay; no pixel is looked at."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

import deid
from tests.unit.test_deid_engine import KEY, encode, instance, plan, written

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

NAME = b"Zwetajewska Olga"
GREY = (np.arange(48 * 64).reshape(48, 64) % 251).astype(np.uint8)
JPEG_LS = bytes(imagecodecs.jpegls_encode(GREY))


def picture(values: NDArray[Any], stored: int = 0, *, signed: bool = False) -> Dataset:
    bits = values.dtype.itemsize * 8
    dataset = instance(
        Rows=values.shape[0],
        Columns=values.shape[1],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=bits,
        BitsStored=stored or bits,
        HighBit=(stored or bits) - 1,
        PixelRepresentation=int(signed),
    )
    dataset.add_new("PixelData", "OB" if bits == 8 else "OW", values.tobytes())
    return dataset


def output(source: bytes, using: deid.Plan | None = None) -> Dataset:
    result = written(source, deid.deidentify(source, using or plan()))
    return pydicom.dcmread(io.BytesIO(result))


def encapsulated(frames: list[bytes], syntax: str, *, has_table: bool = True) -> bytes:
    dataset = picture(GREY)
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = encapsulate(frames, has_bot=has_table)
    dataset["PixelData"].is_undefined_length = True
    return encode(dataset, syntax)


def commented(codestream: bytes, marker: int) -> bytes:
    text = NAME + b"\0" * (len(NAME) % 2)
    return codestream[:2] + struct.pack(">BBH", 0xFF, marker, len(text) + 2) + text + codestream[2:]


@pytest.mark.parametrize("marker", [0xFE, 0xE1, 0xEF])
@pytest.mark.parametrize(
    ("syntax", "codestream"),
    [
        (JPEGBaseline8Bit, bytes(imagecodecs.jpeg8_encode(GREY, level=90))),
        (JPEGLSLossless, JPEG_LS),
    ],
    ids=["JPEG", "JPEG-LS"],
)
def test_comments_and_application_data_of_codestreams_go(
    syntax: str, codestream: bytes, marker: int
) -> None:
    source = encapsulated([commented(codestream, marker), codestream], syntax)
    assert NAME in source
    result = output(source)
    assert NAME not in encode(result, syntax)
    assert np.array_equal(result.pixel_array, pydicom.dcmread(io.BytesIO(source)).pixel_array)


def test_comments_of_jpeg_2000_go() -> None:
    codestream = bytes(imagecodecs.jpeg2k_encode(GREY, reversible=True, codecformat="J2K"))
    at = codestream.index(b"\xff\x52")
    comment = b"\xff\x64" + struct.pack(">HH", len(NAME) + 4, 1) + NAME
    source = encapsulated([codestream[:at] + comment + codestream[at:]], JPEG2000Lossless)
    result = output(source)
    assert NAME not in encode(result, JPEG2000Lossless)
    assert np.array_equal(result.pixel_array, GREY)


@pytest.mark.parametrize(
    "note",
    [
        b"Created by OpenJPEG version 2.5.4", b"Created by GDCM/OpenJPEG version 2.0",
        b"Creator: JasPer Version 1.701.0", b"Kakadu-v7.3.3", b"MITRA_DICOM_STANDARD",
        b"LEAD Technologies Inc. V1.01", b"Lavc58.54.100", b"\0\0\0\1",
        b"Kdu-Layer-Info: log_2{Delta-D(squared-error)/Delta-L(bytes)}, L(bytes)\n-192.0, 3.5e+05\n",
    ],
)  # fmt: skip
def test_what_an_encoder_says_of_itself_stays(note: bytes) -> None:
    source = encapsulated([commented_with(note)], JPEGLSLossless)
    assert output(source).PixelData == pydicom.dcmread(io.BytesIO(source)).PixelData


@pytest.mark.parametrize(
    "note", [b"Kakadu Zwetajewska", b"27 AUG 1941", b"QX77213984", b"\xc9va L."]
)
def test_what_somebody_added_to_it_goes(note: bytes) -> None:
    source = encapsulated([commented_with(note)], JPEGLSLossless)
    assert note not in encode(output(source), JPEGLSLossless)


def commented_with(note: bytes) -> bytes:
    text = note + b"\0" * (len(note) % 2)
    return JPEG_LS[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + JPEG_LS[2:]


def test_what_follows_the_end_of_a_codestream_goes() -> None:
    codestream = JPEG_LS + NAME
    result = output(encapsulated([codestream], JPEGLSLossless))
    assert NAME not in encode(result, JPEGLSLossless)
    assert np.array_equal(result.pixel_array, GREY)


def test_an_offset_table_that_is_none_goes() -> None:
    source = encapsulated([JPEG_LS], JPEGLSLossless)
    at = source.index(b"\xfe\xff\x00\xe0\x04\0\0\0")
    source = source[: at + 8] + b"Olga" + source[at + 12 :]
    result = output(source)
    assert np.array_equal(result.pixel_array, GREY)
    assert b"Olga" not in encode(result, JPEGLSLossless)


def test_frames_in_which_nothing_hides_are_not_copied() -> None:
    big = np.tile(GREY, (40, 40))
    source = encapsulated([bytes(imagecodecs.jpegls_encode(big))], JPEGLSLossless)
    segments = deid.deidentify(source, plan()).segments
    assert any(isinstance(part, deid.Span) for part in segments)


def test_the_spare_offsets_of_an_rle_header_go() -> None:
    frame = struct.pack("<16L", 1, 64, *[0] * 14) + b"\xd1\x07" * 48
    frame = frame[:12] + b"Zwetajewska Olga" + frame[28:]
    result = output(encapsulated([frame], RLELossless))
    assert NAME not in encode(result, RLELossless)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_what_follows_the_last_sample_goes(syntax: str) -> None:
    dataset = picture(GREY)
    dataset.PixelData += NAME
    result = output(encode(dataset, syntax))
    assert result.PixelData == GREY.tobytes() + bytes(len(NAME))


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_the_high_bit_become_what_they_must_be(
    *, signed: bool, big_endian: bool
) -> None:
    values = np.arange(-100 if signed else 0, 200, dtype=np.int16).reshape(-1, 10)
    hiding = (values.view(np.uint16) & 0x0FFF) | 0x5000
    order = ">" if big_endian else "<"
    dataset = picture(hiding.astype(f"{order}u2"), 12, signed=signed)
    result = output(encode(dataset, ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian))
    got = np.frombuffer(result.PixelData, f"{order}{'i' if signed else 'u'}2").reshape(values.shape)
    assert np.array_equal(got, values)


def test_samples_that_are_as_they_must_be_stay_bit_by_bit() -> None:
    for values, stored, signed in (
        (np.arange(-100, 100, dtype=np.int16), 12, True),
        (np.arange(-100, 100, dtype=np.int16) & 0x0FFF, 12, True),
        (np.arange(200, dtype=np.uint16), 12, False),
        (np.arange(200, dtype=np.uint16) << 8, 16, False),
    ):
        square = values.reshape(-1, 10)
        assert output(encode(picture(square, stored, signed=signed))).PixelData == square.tobytes()


def test_padding_outside_the_stored_bits_stays() -> None:
    values = np.array([[1, 63536], [3, 4095]], np.uint16)
    dataset = picture(values, 12)
    dataset.PixelPaddingValue = 63536
    assert output(encode(dataset)).PixelData == values.tobytes()


def test_a_profile_that_keeps_everything_keeps_comments_too() -> None:
    codestream = commented(JPEG_LS, 0xFE)
    source = encapsulated([codestream], JPEGLSLossless)
    keeping = deid.compile_plan({"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}}, KEY)
    assert NAME in encode(output(source, keeping), JPEGLSLossless)


def test_a_codestream_that_is_none_stays_unless_it_names_somebody() -> None:
    source = encapsulated([b"\xff\xd8 nothing of the kind "], JPEGBaseline8Bit)
    assert b"nothing of the kind" in encode(output(source), JPEGBaseline8Bit)
    named = encapsulated([b"\xff\xd8 Zimmermann was here  "], JPEGBaseline8Bit)
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(named, plan())
    assert caught.value.reason is deid.Reason.RESIDUAL_IDENTIFIER
