"""What hides beside the samples of Pixel Data goes, samples stay; no pixel is looked at."""

from __future__ import annotations

import io
import struct
import warnings
from contextlib import suppress
from pathlib import Path
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
from deid.encoding.segments import Span
from deid.identity.residual import Forbidden
from deid.pixels.beside.scrub import names_anybody
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


def encapsulated(
    frames: list[bytes],
    syntax: str,
    *,
    has_table: bool = True,
    values: NDArray[Any] = GREY,
) -> bytes:
    dataset = picture(values)
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
        b"CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90\n",
        b"Intel(R) JPEG Library, version [1.51.12.44]",
        b"Kdu-Layer-Info: log_2{Delta-D(squared-error)/Delta-L(bytes)}, L(bytes)\n-192.0, 3.5e+05\n",
    ],
)  # fmt: skip
def test_what_an_encoder_says_of_itself_stays(note: bytes) -> None:
    source = encapsulated([commented_with(note)], JPEGLSLossless)
    assert output(source).PixelData == pydicom.dcmread(io.BytesIO(source)).PixelData


@pytest.mark.parametrize(
    "note",
    [
        b"Kakadu Zwetajewska", b"27 AUG 1941", b"QX77213984", b"\xc9va L.", b"LEE 12345", b"MARK LONG 77213",
        b"77213", b"1941 08 27", "Quillergast".encode("utf-16-le"), b"Q\tu\ti\tl\tl", b"LEAD 77213",
        b"Kakadu-v77213", b"Lavc58.54.100 Lee", b"\x01\x02LJIF\x03",
    ],
)  # fmt: skip
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
    source = encapsulated([bytes(imagecodecs.jpegls_encode(big))], JPEGLSLossless, values=big)
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


def test_a_codestream_that_is_none_does_not_pass() -> None:
    source = encapsulated([b"\xff\xd8 nothing of the kind "], JPEGBaseline8Bit)
    assert refusal(source) is deid.Reason.PIXELS_UNDECODABLE


J2K = bytes(imagecodecs.jpeg2k_encode(GREY, reversible=True, codecformat="J2K"))
JP2 = bytes(imagecodecs.jpeg2k_encode(GREY, reversible=True, codecformat="JP2"))
JPEG = bytes(imagecodecs.jpeg8_encode(GREY, level=90))
RLE_FRAME = struct.pack("<16L", 1, 64, *[0] * 14) + b"\xd1\x07" * 48
OWN = b" Zimmermann "
H264 = "1.2.840.10008.1.2.4.102"


def with_segment(codestream: bytes, marker: int, value: bytes) -> bytes:
    return (
        codestream[:2] + struct.pack(">BBH", 0xFF, marker, len(value) + 2) + value + codestream[2:]
    )


def refusal(source: bytes) -> deid.Reason | None:
    try:
        deid.deidentify(source, plan())
    except deid.Unsafe as caught:
        return caught.reason
    return None


@pytest.mark.parametrize("marker", [0xC8, 0xF0, 0xFD, 0x02])
def test_what_stands_in_reserved_segments_goes(marker: int) -> None:
    source = encapsulated([with_segment(JPEG, marker, NAME)], JPEGBaseline8Bit)
    assert NAME not in encode(output(source), JPEGBaseline8Bit)


@pytest.mark.parametrize(
    ("marker", "prefix"), [(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), (0xE8, b"SPIFF\0")]
)
def test_what_stands_in_a_known_header_beyond_its_fields_goes(marker: int, prefix: bytes) -> None:
    source = encapsulated([with_segment(JPEG_LS, marker, prefix + NAME)], JPEGLSLossless)
    assert NAME not in encode(output(source), JPEGLSLossless)


def test_the_colour_transform_of_jpeg_ls_stays() -> None:
    codestream = with_segment(JPEG_LS, 0xE8, b"mrfx\x01")
    source = encapsulated([codestream + b"\0" * (len(codestream) % 2)], JPEGLSLossless)
    assert output(source).PixelData == pydicom.dcmread(io.BytesIO(source)).PixelData


def boxed(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I4s", len(contents) + 8, kind) + contents


@pytest.mark.parametrize(
    "hidden",
    [
        JP2 + OWN,
        JP2 + boxed(b"xml ", b"<patient>Zwetajewska Olga</patient>"),
        JP2[:32] + boxed(b"uuid", bytes(16) + NAME) + JP2[32:],
        JP2[:32] + boxed(b"url ", b"\0\0\0\0https://zwetajewska.example") + JP2[32:],
    ],
    ids=["tail", "xml behind", "uuid between", "url between"],
)
def test_what_stands_in_boxes_of_jp2_beside_the_codestream_goes(hidden: bytes) -> None:
    result = output(encapsulated([hidden], JPEG2000Lossless))
    assert b"zwetajewska" not in result.PixelData.lower()
    assert OWN not in result.PixelData
    assert len(result.PixelData) == len(
        pydicom.dcmread(io.BytesIO(encapsulated([hidden], JPEG2000Lossless))).PixelData
    )
    assert np.array_equal(result.pixel_array, GREY)


def test_a_jp2_file_in_which_nothing_hides_stays_byte_by_byte() -> None:
    source = encapsulated([JP2], JPEG2000Lossless)
    assert output(source).PixelData == pydicom.dcmread(io.BytesIO(source)).PixelData


@pytest.mark.parametrize(("bits", "size"), [(8, 256), (8, 512), (16, 512)])
def test_what_stands_behind_the_entries_of_a_palette_goes_and_the_entries_stay(
    bits: int, size: int
) -> None:
    dataset = picture(GREY)
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    entries = bytes(n % 256 for n in range(size))
    for colour_name in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour_name}PaletteColorLookupTableDescriptor", [256, 0, bits])
        setattr(dataset, f"{colour_name}PaletteColorLookupTableData", entries + NAME)
    result = output(encode(dataset))
    for colour_name in ("Red", "Green", "Blue"):
        data = result[f"{colour_name}PaletteColorLookupTableData"].value
        assert data == entries + bytes(len(NAME))


def test_a_palette_without_anything_behind_it_stays() -> None:
    dataset = picture(GREY)
    entries = bytes(range(256))
    dataset.RedPaletteColorLookupTableDescriptor = [256, 0, 8]
    dataset.RedPaletteColorLookupTableData = entries
    assert output(encode(dataset)).RedPaletteColorLookupTableData == entries


@pytest.mark.parametrize(
    ("fragments", "syntax"),
    [
        ([with_segment(JPEG, 0xDC, OWN)], JPEGBaseline8Bit), ([JPEG[:-2] + OWN], JPEGBaseline8Bit),
        ([J2K[:45] + b"\xff\x60\0\x0e" + OWN + J2K[45:]], JPEG2000Lossless),
        ([RLE_FRAME + OWN], RLELossless), ([b"\0\0\0\1" + bytes(2048) + OWN], H264),
    ],
    ids=["DNL", "no EOI", "PPM", "RLE tail", "video"],
)  # fmt: skip
def test_what_cannot_be_accounted_for_is_searched(fragments: list[bytes], syntax: str) -> None:
    assert refusal(encapsulated(fragments, syntax)) is deid.Reason.RESIDUAL_IDENTIFIER
    others = [fragment.replace(OWN, b" Nobody     ") for fragment in fragments]
    source = encapsulated(others, syntax)
    assert output(source).PixelData == pydicom.dcmread(io.BytesIO(source)).PixelData


@pytest.mark.parametrize(("keyword", "value"), [("NumberOfFrames", -1), ("HighBit", 9)])
def test_a_description_that_makes_no_sense_lets_nobody_pass(keyword: str, value: int) -> None:
    dataset = picture(GREY)
    dataset.PixelData += OWN
    setattr(dataset, keyword, value)
    assert refusal(encode(dataset)) is deid.Reason.PIXELS_UNDECODABLE


def test_a_short_name_counts_in_readable_bytes_of_a_large_value_only() -> None:
    known = Forbidden([(b"Lee^Kim", "PERSON_NAME", "")])
    noise = bytes(range(128, 256)) * 2048
    by_chance, written = noise + b"lEE" + noise, noise + b"Report of Ms Lee, today" + noise
    assert not names_anybody(by_chance, [Span(0, len(by_chance))], known)
    assert names_anybody(written, [Span(0, len(written))], known)
    both = by_chance + written + by_chance
    assert names_anybody(both, [Span(0, len(both))], known)
    glued = noise + b"sleeves " * 20 + b"of Ms Lee" + noise
    assert names_anybody(glued, [Span(0, len(glued))], known)
    assert names_anybody(b"\0LEE\0", [Span(0, 5)], known)


def test_a_name_is_found_where_two_blocks_meet() -> None:
    known = Forbidden([(b"Zimmermann", "PERSON_NAME", "")])
    data = bytes((1 << 22) - 4) + b"Zimmermann" + bytes(100)
    assert names_anybody(data, [Span(0, len(data))], known)
    assert not names_anybody(data, [Span(0, 1 << 22)], known)


def colour(length: int, columns: int = 64) -> Dataset:
    dataset = picture(GREY[:, :columns])
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.PixelData = bytes(range(1, 101)) * (length // 100 + 1)
    dataset.PixelData = dataset.PixelData[: length + length % 2]
    return dataset


@pytest.mark.parametrize(
    ("columns", "length"),
    [(64, 48 * 64 * 2), (64, 48 * 64 * 3), (63, 48 * 64 * 2), (63, 48 * 63 * 2), (63, 48 * 63 * 3)],
)
def test_luma_and_chroma_stay_however_they_are_written(columns: int, length: int) -> None:
    dataset = colour(length, columns)
    assert output(encode(dataset)).PixelData == dataset.PixelData


def test_a_frame_that_nobody_counts_does_not_pass() -> None:
    dataset = picture(GREY)
    dataset.PixelData = GREY.tobytes() * 3
    assert refusal(encode(dataset)) is deid.Reason.PIXELS_UNDECODABLE


def test_single_bits_stay_with_gaps_between_frames() -> None:
    dataset = picture(GREY[:9, :9])
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, 1, 0
    dataset.NumberOfFrames = 2
    dataset.PixelData = b"\xff" * 22
    assert output(encode(dataset)).PixelData == dataset.PixelData


def test_the_last_sample_of_an_odd_number_in_big_endian_words_stays() -> None:
    dataset = picture(GREY[:3, :3])
    dataset.PixelData = bytes([2, 1, 4, 3, 6, 5, 8, 7, 0, 9])
    dataset["PixelData"].VR = "OW"
    assert output(encode(dataset, ExplicitVRBigEndian)).PixelData == dataset.PixelData


def test_signed_samples_hide_nothing_beside_good_ones() -> None:
    values = np.arange(-100, 100, dtype=np.int16).reshape(-1, 10)
    hiding = values.copy()
    hiding[0] = (values[0] & 0x0FFF) | 0x5000
    assert output(encode(picture(hiding, 12, signed=True))).PixelData == values.tobytes()


def test_of_a_frame_with_a_changed_byte_the_others_are_not_copied() -> None:
    big = np.tile(GREY, (40, 40))
    frame = bytes(imagecodecs.jpegls_encode(big))
    frames = [frame + b"\0" * (len(frame) % 2) + b"\xff\xff"]
    source = encapsulated(frames, JPEGLSLossless, values=big)
    segments = deid.deidentify(source, plan()).segments
    assert sum(len(part) for part in segments if isinstance(part, bytes)) < 8192


def test_the_pixels_of_real_native_instances_stay() -> None:
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    seen, changed = 0, []
    for path in sorted(folder.glob("*.dcm")):
        content = path.read_bytes()
        with warnings.catch_warnings(), suppress(*UNUSABLE):
            warnings.simplefilter("ignore")
            before = pydicom.dcmread(io.BytesIO(content))
            if before.file_meta.TransferSyntaxUID.is_encapsulated:
                continue
            pixels = before.pixel_array
            after = output(content, plan(unknownSopClass="pass", burnedIn="pass"))
            seen += 1
            if not np.array_equal(after.pixel_array, pixels):
                changed.append(path.name)
    assert seen > 20
    assert changed == []


UNUSABLE = (AttributeError, KeyError, ValueError, deid.Unsafe, pydicom.errors.InvalidDicomError)
