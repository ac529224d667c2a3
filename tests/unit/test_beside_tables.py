"""What is no sample and no entry of a table goes, whoever it names; what decoding needs stays."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGTransferSyntaxes,
    RLELossless,
)

from deid.pixels.codecs.codestreams import jpeg_segments
from deid.pixels.codecs.jpeg_tables import scrubbed_jpeg
from deid.tags.lookup_tables import DESCRIPTORS
from tests.unit.test_beside_samples import (
    GREY,
    J2K,
    JP2,
    JPEG,
    OWN,
    boxed,
    encapsulated,
    output,
    picture,
    refusal,
    with_segment,
)
from tests.unit.test_deid_engine import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

STRANGER = b"Zwetajewska Olga, geb. 3.4.51, wohnt Lindenhof 7 "
JPEG_XL = "1.2.840.10008.1.2.4.110"


# ---------------------------------------------------------------- RLE


def packed(segments: list[bytes], gap: bytes = b"", tail: bytes = b"") -> bytes:
    """Return a frame of literal runs with something behind each segment."""
    body, offsets = b"", []
    for number, segment in enumerate(segments):
        offsets.append(64 + len(body))
        runs = b"".join(
            bytes([len(segment[at : at + 128]) - 1]) + segment[at : at + 128]
            for at in range(0, len(segment), 128)
        )
        behind = tail if number == len(segments) - 1 else gap
        body += runs + b"\0" * (len(runs) % 2) + behind
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(offsets))) + body


@pytest.mark.parametrize(("gap", "tail"), [(STRANGER + b"\0", b""), (b"", STRANGER + b"\0")])
def test_what_stands_between_and_behind_segments_of_rle_goes(gap: bytes, tail: bytes) -> None:
    values = np.arange(64 * 32, dtype=np.uint16).reshape(64, 32)
    big, little = (
        (values >> 8).astype(np.uint8).tobytes(),
        (values & 255).astype(np.uint8).tobytes(),
    )
    source = encapsulated([packed([big, little], gap, tail)], RLELossless, values=values)
    assert STRANGER in source
    result = output(source)
    assert STRANGER[:12] not in encode(result, RLELossless)
    assert np.array_equal(result.pixel_array, values)
    clean = encapsulated([packed([big, little])], RLELossless, values=values)
    assert output(clean).PixelData == pydicom.dcmread(io.BytesIO(clean)).PixelData


# ---------------------------------------------------------------- tables of JPEG


def table_of(kind: int, destination: int, text: bytes) -> bytes:
    """Return the parameters of a table that nothing uses: Huffman (kind 0, 1) or quantisation (2)."""
    if kind == 2:
        return bytes([destination]) + text[:64].ljust(64, b"x")
    symbols = text[:40].ljust(40, b"x")
    return bytes([kind << 4 | destination, *[0] * 7, 40, *[0] * 8]) + symbols


def embedded(codestream: bytes, marker: int, value: bytes) -> bytes:
    with_it = with_segment(codestream, marker, value)
    return with_it + b"\0" * (len(with_it) % 2)


@pytest.mark.parametrize(
    ("marker", "kind", "destination"),
    [(0xC4, 0, 3), (0xC4, 1, 3), (0xDB, 2, 3), (0xDB, 2, 0), (0xC4, 0, 0), (0xC4, 1, 0)],
    ids=["DC", "AC", "quantisation", "quantisation replaced", "DC replaced", "AC replaced"],
)
def test_tables_that_no_scan_uses_lose_what_they_hold(
    marker: int, kind: int, destination: int
) -> None:
    codestream = embedded(JPEG, marker, table_of(kind, destination, STRANGER))
    source = encapsulated([codestream], JPEGBaseline8Bit)
    result = output(source)
    assert STRANGER[:12] not in result.PixelData
    assert len(result.PixelData) == len(pydicom.dcmread(io.BytesIO(source)).PixelData)
    assert np.array_equal(result.pixel_array, pydicom.dcmread(io.BytesIO(source)).pixel_array)


def test_a_lossless_scan_uses_no_table_of_ac_coefficients_and_no_quantisation() -> None:
    lossless = bytes(imagecodecs.ljpeg_encode(GREY))
    for marker, kind in ((0xC4, 1), (0xDB, 2)):
        codestream = embedded(lossless, marker, table_of(kind, 0, STRANGER))
        result = output(encapsulated([codestream], JPEGLossless))
        assert STRANGER[:12] not in result.PixelData
        assert np.array_equal(imagecodecs.ljpeg_decode(codestream), GREY)


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"subsampling": "420"}])
def test_tables_that_a_scan_uses_stay(options: dict[str, Any]) -> None:
    colour = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])
    for values in (GREY, colour):
        codestream = bytes(imagecodecs.jpeg8_encode(values, level=80, **options))
        assert deid_blanked(codestream) == codestream


def test_what_a_decoder_makes_of_every_jpeg_that_pydicom_ships_does_not_change() -> None:
    kinds = set()
    for syntax, codestream in shipped_jpegs():
        clean = deid_blanked(codestream)
        assert decoded(clean) == decoded(codestream)
        kinds.add(syntax)
    assert len(kinds) > 2


def shipped_jpegs() -> Iterator[tuple[str, bytes]]:
    """Yield frames of baseline, extended, progressive and lossless JPEG."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    for path in sorted(folder.glob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, force=True)
            syntax = dataset.get("file_meta", Dataset()).get("TransferSyntaxUID", "")
        if syntax in JPEGTransferSyntaxes and "PixelData" in dataset:
            frames = int(dataset.get("NumberOfFrames", 1))
            yield syntax, next(generate_frames(dataset.PixelData, number_of_frames=frames))


def deid_blanked(codestream: bytes) -> bytes:
    return scrubbed_jpeg(codestream, jpeg_segments(codestream))


def decoded(codestream: bytes) -> bytes:
    return bytes(np.ascontiguousarray(imagecodecs.jpeg_decode(codestream)).tobytes())


def test_a_thumbnail_goes() -> None:
    rows = bytes(range(48)) * 4
    jfif = b"JFIF\0\1\1\0\0\1\0\1" + bytes([8, 8]) + rows
    extended = b"JFXX\0\x10" + JPEG
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + JPEG
    for marker, value in ((0xE0, jfif), (0xE0, extended), (0xE1, exif)):
        result = output(encapsulated([embedded(JPEG, marker, value)], JPEGBaseline8Bit))
        assert rows[:40] not in result.PixelData
        assert result.PixelData.count(JPEG[20:60]) == 1
        assert np.array_equal(result.pixel_array, np.asarray(imagecodecs.jpeg_decode(JPEG)))


# ---------------------------------------------------------------- JPEG 2000 and JPEG XL


@pytest.mark.parametrize(
    "marker", [0xFF63, 0xFF57, 0xFF65, 0xFF70, 0xFF55, 0xFF58, 0xFF9F],
    ids=["CRG", "PLM", "reserved 65", "reserved 70", "TLM", "PLT", "reserved 9F"],
)  # fmt: skip
def test_segments_that_decoding_does_without_become_blank_comments(marker: int) -> None:
    value = b"\0" + STRANGER
    added = struct.pack(">HH", marker, len(value) + 2) + value
    at = J2K.index(b"\xff\x52")
    hidden = J2K[:at] + added + J2K[at:]
    result = output(encapsulated([hidden], JPEG2000Lossless))
    assert STRANGER[:12] not in result.PixelData
    assert np.array_equal(result.pixel_array, GREY)


def test_lengths_of_packets_and_tile_parts_stay() -> None:
    at = J2K.index(b"\xff\x52")
    lengths = struct.pack(">HHBB", 0xFF55, 12, 0, 0x40) + struct.pack(">LL", 1200, 3400)
    source = encapsulated([J2K[:at] + lengths + J2K[at:]], JPEG2000Lossless)
    assert output(source).PixelData == pydicom.dcmread(io.BytesIO(source)).PixelData


HEADER = JP2.index(b"jp2h") - 4
FILE_TYPE = JP2.index(b"ftyp") - 4


@pytest.mark.parametrize(
    "hidden",
    [
        JP2 + boxed(b"jp2c", STRANGER),
        JP2[:FILE_TYPE] + boxed(b"ftyp", JP2[FILE_TYPE + 8 : FILE_TYPE + 20] + STRANGER[:48])
        + JP2[HEADER:],
        JP2[:HEADER] + boxed(b"jP  ", STRANGER) + JP2[HEADER:],
        JP2 + boxed(b"jp2h", boxed(b"cdef", STRANGER)),
    ],
    ids=["a second codestream", "brands", "a second signature", "a second header"],
)  # fmt: skip
def test_boxes_that_no_decoder_reads_lose_what_they_hold(hidden: bytes) -> None:
    result = output(encapsulated([hidden], JPEG2000Lossless))
    assert STRANGER[:12] not in result.PixelData
    assert result.PixelData.count(J2K[-200:-2]) == 1


def in_jpeg_xl(codestream: bytes) -> bytes:
    """Return an instance in a transfer syntax that pydicom does not write: its UID is as long as another."""
    source = encapsulated([codestream], HTJ2KLossless)
    return source.replace(HTJ2KLossless.encode(), JPEG_XL.encode())


def test_boxes_of_jpeg_xl_beside_the_codestream_lose_what_they_hold() -> None:
    signature = b"\0\0\0\x0cJXL \r\n\x87\n"
    plain = bytes(imagecodecs.jpegxl_encode(GREY, lossless=True))
    codestream = boxed(b"jxlc", plain) if plain.startswith(b"\xff\x0a") else plain[32:]
    file_type = boxed(b"ftyp", b"jxl \0\0\0\0jxl ")
    for kind in (b"Exif", b"xml ", b"brob", b"jumb", b"nine"):
        hidden = signature + file_type + boxed(kind, STRANGER) + codestream
        result = output(in_jpeg_xl(hidden))
        assert STRANGER[:12] not in result.PixelData
        assert np.array_equal(imagecodecs.jpegxl_decode(hidden), GREY)
    whole = signature + file_type + codestream
    source = in_jpeg_xl(whole + b"\0" * (len(whole) % 2))
    assert output(source).PixelData == pydicom.dcmread(io.BytesIO(source)).PixelData


@pytest.mark.parametrize(
    ("codestream", "syntax"),
    [(JPEG, JPEGBaseline8Bit), (J2K, JPEG2000Lossless)],
    ids=["JPEG", "J2K"],
)
def test_a_name_of_the_patients_before_the_end_of_the_samples_lets_nobody_pass(
    codestream: bytes, syntax: str
) -> None:
    end = codestream.rindex(b"\xff\xd9")
    hidden = codestream[:end] + OWN + codestream[end:]
    assert refusal(encapsulated([hidden], syntax)) is not None
    assert refusal(encapsulated([codestream], syntax)) is None


# ---------------------------------------------------------------- lookup tables


def with_lut(keyword: str, bits: int, data: bytes, entries: int = 64) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [entries, 0, bits]
    item.ModalityLUTType = "US"
    item.add_new("LUTData", "OW", data)
    dataset = picture((GREY % entries).astype(np.uint16), 16)
    setattr(dataset, keyword, [item])
    return dataset


def words(numbers: range | list[int], syntax: str = ExplicitVRLittleEndian) -> bytes:
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    return struct.pack(f"{order}{len(numbers)}H", *numbers)


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
def test_what_stands_behind_the_entries_of_a_nested_table_goes(keyword: str, syntax: str) -> None:
    entries = words(range(0, 6400, 100), syntax)
    result = output(encode(with_lut(keyword, 16, entries + STRANGER + b"\0"), syntax))
    data = result[keyword].value[0]["LUTData"].value
    data = data if isinstance(data, bytes) else words(data, syntax)
    assert data.rstrip(b"\0") == entries.rstrip(b"\0")
    assert STRANGER[:12] not in encode(result, syntax)


def test_a_nested_table_of_packed_bytes_with_a_long_text_behind_keeps_its_entries_only() -> None:
    entries = bytes(range(0, 256, 4))
    result = output(encode(with_lut("VOILUTSequence", 8, entries + STRANGER * 2)))
    assert result.VOILUTSequence[0]["LUTData"].value.rstrip(b"\0") == entries


def test_a_nested_table_without_anything_behind_it_stays_and_gives_the_same_values() -> None:
    dataset = with_lut("ModalityLUTSequence", 16, words(range(0, 6400, 100)))
    result = output(encode(dataset))
    before, after = (
        apply_modality_lut(each.pixel_array, each) for each in (dataset_of(dataset), result)
    )
    assert np.array_equal(before, after)


def dataset_of(dataset: Dataset) -> Dataset:
    return pydicom.dcmread(io.BytesIO(encode(dataset)))


def segmented(behind: bytes, segments: list[int], entries: int = 256) -> Dataset:
    dataset = picture(GREY)
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [entries, 0, 16])
        data = words(segments) + behind
        setattr(dataset, f"Segmented{colour}PaletteColorLookupTableData", data)
    return dataset


SEGMENTS = [
    [0, 2, 0, 100, 1, 254, 60000],
    [0, 1, 5, 1, 127, 60000, 2, 2, 0, 0],
]


@pytest.mark.parametrize("segments", SEGMENTS, ids=["discrete and linear", "indirect"])
def test_what_stands_behind_the_segments_of_a_palette_goes(segments: list[int]) -> None:
    result = output(encode(segmented(STRANGER + b"\0", segments)))
    for colour in ("Red", "Green", "Blue"):
        assert result[f"Segmented{colour}PaletteColorLookupTableData"].value == words(segments)
    plain = output(encode(segmented(b"", segments)))
    assert np.array_equal(
        apply_color_lut(plain.pixel_array, plain), apply_color_lut(result.pixel_array, result)
    )


@pytest.mark.parametrize("segments", [[7, 2, 0, 100], [0, 300, 1, 2], [2, 1, 9, 9]])
def test_segments_that_make_no_sense_are_not_cut(segments: list[int]) -> None:
    dataset = segmented(b"", segments)
    result = output(encode(dataset))
    assert result.SegmentedRedPaletteColorLookupTableData == words(segments)


def test_all_tables_are_described_before_they_come() -> None:
    assert all(descriptor < data for data, descriptor in DESCRIPTORS.items())
