"""What `describe` says of an instance, with pydicom as the judge of everything that it can read."""

from __future__ import annotations

import base64
import io
import logging
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import orjson
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicomweb.attributes import KEYS, normalise
from dicomweb.charsets import character_set
from dicomweb.describe import DescribeError, Description, describe
from tests.dicomweb_service import bundled, readable_bundled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.4", "1.2.3.4.5"


def instance(**values: Any) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = INSTANCE
    dataset.StudyInstanceUID = STUDY
    dataset.SeriesInstanceUID = SERIES
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def encoded(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(INSTANCE)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def element(tag: int, vr: str, value: bytes) -> bytes:
    """Return an element as it stands in Explicit VR Little Endian, however wrong its value."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def file_of(*elements: bytes) -> bytes:
    """Return a file with these elements behind the UIDs that every instance has."""
    return encoded(instance()) + b"".join(elements)


def metadata(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(describe(data).metadata)
    return found


@pytest.fixture
def quiet_pydicom() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


REFUSED = {
    # Without a Study Instance UID: colour palettes, media directories, samples of single features.
    "fall.dcm", "hotiron.dcm", "hotmetalblue.dcm", "pet.dcm", "pet20step.dcm", "spring.dcm",
    "summer.dcm", "winter.dcm", "chrSQEncoding.dcm", "chrSQEncoding1.dcm", "UN_sequence.dcm",
    "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_jls_lossy_sample.dcm", "DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-empty.dcm",
    "DICOMDIR-implicit", "DICOMDIR-nooffset", "DICOMDIR-nopatient", "DICOMDIR-reordered",
    "empty_charset_LEI.dcm", "nested_priv_SQ.dcm", "no_meta_group_length.dcm", "priv_SQ.dcm",
    # Broken: cut short, no transfer syntax, implicit VR under an explicit transfer syntax.
    "MR_truncated.dcm", "rtplan_truncated.dcm", "meta_missing_tsyntax.dcm", "SC_rgb_jpeg.dcm",
}  # fmt: skip


@pytest.mark.parametrize("path", readable_bundled(), ids=lambda path: path.name)
@pytest.mark.usefixtures("quiet_pydicom")
def test_metadata_agrees_with_pydicom(path: Path) -> None:
    data = path.read_bytes()
    try:
        ours = orjson.loads(describe(data).metadata)
    except DescribeError:
        assert path.name in REFUSED
        return
    try:
        theirs = pydicom.dcmread(path).to_json_dict(
            bulk_data_threshold=1 << 30, suppress_invalid_tags=True
        )
    except ValueError:
        pytest.skip("pydicom cannot write this one as JSON")
    assert list(ours) == sorted(ours)
    compare(ours, theirs, "")


def compare(ours: dict[str, Any], theirs: dict[str, Any], path: str) -> None:
    """Compare, but for what we do on purpose: see each branch."""
    for tag in theirs:
        if tag[4:] != "0000":  # group lengths are not in the model (PS3.18 F.2.2); pydicom has them
            assert tag in ours, path + tag
    for tag, mine in ours.items():
        place = f"{path}{tag}"
        his = theirs.get(tag)
        if his is None:  # pydicom left out what it could not convert
            continue
        assert mine["vr"] == his["vr"], place
        if tag == "00080005":  # the text of the JSON is UTF-8, and says so
            assert mine["Value"] == ["ISO_IR 192"]
        elif "BulkDataURI" in mine:  # long values are fetched when wanted
            size = len(his["InlineBinary"]) * 3 // 4 if "InlineBinary" in his else 1 << 20
            assert tag == "7FE00010" or size > 1024, place
            assert mine["BulkDataURI"].endswith(f"/bulkdata/{place}")
        elif mine["vr"] == "SQ":
            for number, pair in enumerate(
                zip(mine.get("Value", []), his.get("Value", []), strict=True), start=1
            ):
                compare(*pair, f"{place}/{number}/")
        elif "InlineBinary" in mine:
            assert mine["InlineBinary"] == his["InlineBinary"], place
        else:
            assert values(mine) == values(his), place


def values(attribute: dict[str, Any]) -> list[Any]:
    """Return values without padding; empty ones are null (PS3.18 F.2.5), pydicom has also ''."""
    return [
        (value.strip(" \0") or None) if isinstance(value, str) else value
        for value in attribute.get("Value", [])
    ]


def test_no_other_bundled_file_is_refused() -> None:
    refused = set()
    for path in readable_bundled():
        try:
            describe(path.read_bytes())
        except DescribeError:
            refused.add(path.name)
    assert refused == REFUSED


def test_identity_and_transfer_syntax_are_told() -> None:
    description = describe(encoded(instance(NumberOfFrames=3)))
    assert description.study_uid == STUDY
    assert description.series_uid == SERIES
    assert description.sop_instance_uid == INSTANCE
    assert description.sop_class_uid == CTImageStorage
    assert description.transfer_syntax_uid == ExplicitVRLittleEndian
    assert description.number_of_frames == 3


def test_levels_hold_their_own_attributes_only() -> None:
    description = describe(
        encoded(instance(PatientID="P", Modality="CT", SeriesNumber=1, InstanceNumber=2, Rows=4))
    )
    study, series, single = (
        orjson.loads(part) for part in (description.study, description.series, description.instance)
    )
    assert study["00100020"]["Value"] == ["P"]
    assert "00080060" not in study
    assert series["00080060"]["Value"] == ["CT"]
    assert "00100020" not in series
    assert single["00200013"]["Value"] == [2]
    assert single["00280010"]["Value"] == [4]
    assert single["00083002"]["Value"] == [ExplicitVRLittleEndian]
    assert "0020000E" not in single


def test_keys_are_normalised() -> None:
    request = Dataset()
    request.ScheduledProcedureStepID = "S1"
    other = Dataset()
    other.ScheduledProcedureStepID = "S2"
    keys = describe(
        encoded(
            instance(
                SpecificCharacterSet="ISO_IR 192",
                PatientName="Müller^Jörg=ideo^graphic",
                InstanceNumber="007",
                StudyDate="20240102",
                AccessionNumber="",
                RequestAttributesSequence=Sequence([request, other]),
            )
        )
    ).keys
    assert keys["PatientName"] == "muller^jorg=ideo^graphic"
    assert keys["InstanceNumber"] == "7"
    assert keys["AccessionNumber"] == ""
    assert keys["RequestAttributesSequence.ScheduledProcedureStepID"] == "S1\\S2"
    assert "StudyTime" not in keys
    assert set(keys) <= set(KEYS)


def test_query_and_stored_names_are_normalised_alike() -> None:
    assert normalise("PatientName", "MÜLLER*") == "muller*"
    assert normalise("StudyDate", "1999.05.06") == "19990506"
    assert normalise("StudyTime", "10:11") == "1011"


@pytest.mark.parametrize(
    "value", [b"nan", b"inf", b"1e999", b"1_000", b"12,5", b"--1", b"abc ", b"1.2.3", b"0x10"]
)
def test_what_is_no_number_stays_text(value: bytes) -> None:
    found = metadata(file_of(element(0x00280030, "DS", value), element(0x00280031, "IS", value)))
    assert found["00280030"]["Value"] == [value.decode().strip()]
    assert found["00280031"]["Value"] == [value.decode().strip()]


def test_numbers_are_numbers_and_gaps_are_null() -> None:
    found = metadata(file_of(element(0x00280030, "DS", b" 1.50\\\\-2e3 ")))
    assert found["00280030"] == {"vr": "DS", "Value": [1.5, None, -2000.0]}


def test_integers_beyond_their_vr_stay_text() -> None:
    huge = b"9" * 40
    assert metadata(file_of(element(0x00280030, "IS", huge)))["00280030"]["Value"] == [
        huge.decode()
    ]


def test_not_finite_floats_are_null() -> None:
    value = struct.pack("<4d", 1.5, float("nan"), float("inf"), -0.25)
    found = metadata(file_of(element(0x00720074, "FD", value)))
    assert found["00720074"]["Value"] == [1.5, None, None, -0.25]


def test_cut_numbers_are_left_out() -> None:
    found = metadata(file_of(element(0x00280030, "US", b"\x01\x00\x02")))
    assert found["00280030"]["Value"] == [1]
    assert metadata(file_of(element(0x00280030, "FD", b"\x01\x02")))["00280030"] == {"vr": "FD"}


def test_tags_are_eight_digits() -> None:
    found = metadata(file_of(element(0x00280009, "AT", bytes.fromhex("18006310 e07f1000"))))
    assert found["00280009"]["Value"] == ["00181063", "7FE00010"]


def test_short_binary_is_inline_and_long_is_a_relative_address() -> None:
    found = metadata(
        file_of(
            element(0x00282000, "OB", b"ab"), element(0x00282002, "OB", bytes(1026)),
            element(0x7FE00010, "OW", b"\1\2"),
        )
    )  # fmt: skip
    assert base64.b64decode(found["00282000"]["InlineBinary"]) == b"ab"
    root = f"studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}/bulkdata"
    assert found["00282002"] == {"vr": "OB", "BulkDataURI": f"{root}/00282002"}
    assert found["7FE00010"] == {"vr": "OW", "BulkDataURI": f"{root}/7FE00010"}


def test_a_text_that_looks_like_an_address_stays_as_it_is() -> None:
    text = '"BulkDataURI":"x'
    found = metadata(encoded(instance(StudyDescription=text)))
    assert found["00081030"]["Value"] == [text]


@pytest.mark.filterwarnings("ignore:The value length")
def test_searches_tell_no_values_that_only_an_address_names() -> None:
    """They were told by an address that leads nowhere."""
    item = Dataset()
    item.ScheduledProcedureStepID = "S-1"
    item.RequestedProcedureComments = "Q" * 70_000
    dataset = instance(
        PatientComments="P" * 70_000, ImageComments="I" * 70_000, StudyDescription="CHEST",
        SeriesDescription='"BulkDataURI":"x"', RequestAttributesSequence=Sequence([item]), InstanceNumber=3,
    )  # fmt: skip
    described = describe(encoded(dataset, ImplicitVRLittleEndian))
    study, series, told = (
        orjson.loads(each) for each in (described.study, described.series, described.instance)
    )
    assert study["00081030"]["Value"] == ["CHEST"]
    assert series["0008103E"]["Value"] == ['"BulkDataURI":"x"']
    assert series["00400275"]["Value"] == [{"00400009": {"vr": "SH", "Value": ["S-1"]}}]
    assert told["00200013"]["Value"] == [3]
    assert not {"00104000", "00204000"} & {*study, *series, *told}
    assert {"00104000", "00204000"} < orjson.loads(described.metadata).keys()


def test_nested_bulk_data_names_its_way() -> None:
    item = Dataset()
    item.add_new(0x00282000, "OB", bytes(2000))
    data = encoded(instance(ReferencedSeriesSequence=Sequence([Dataset(), item])))
    found = metadata(data)["00081115"]["Value"][1]["00282000"]
    assert found["BulkDataURI"].endswith("/bulkdata/00081115/2/00282000")


def test_big_endian_binary_is_answered_in_little_endian() -> None:
    dataset = instance(BitsAllocated=16)
    dataset.add_new(0x00281201, "OW", b"\x01\x02\x03\x04")
    dataset.add_new(0x00720068, "OL", b"\x01\x02\x03\x04")
    dataset.add_new(0x00280009, "AT", 0x00181063)
    dataset.add_new(0x00281101, "US", [1, 258, 16])
    big = metadata(encoded(dataset, ExplicitVRBigEndian))
    assert base64.b64decode(big["00281201"]["InlineBinary"]) == b"\x02\x01\x04\x03"
    assert base64.b64decode(big["00720068"]["InlineBinary"]) == b"\x04\x03\x02\x01"
    assert big["00280009"]["Value"] == ["00181063"]
    assert big["00281101"]["Value"] == [1, 258, 16]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
        (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian),
        (ExplicitVRLittleEndian, ExplicitVRBigEndian),
    ],
)
def test_encodings_describe_alike(first: str, later: str) -> None:
    item = Dataset()
    item.CodeValue = "1"
    dataset = instance(
        PatientName="A^B", Rows=2, PixelRepresentation=1, SmallestImagePixelValue=-5,
        ConceptCodeSequence=Sequence([item]), ImagePositionPatient=[1, 2, 3],
    )  # fmt: skip
    one, other = (describe(encoded(dataset, syntax)) for syntax in (first, later))
    assert one.metadata == other.metadata
    assert one.keys == other.keys
    assert one.transfer_syntax_uid != other.transfer_syntax_uid


def test_known_private_elements_get_their_vr_from_the_dictionary() -> None:
    dataset = instance()
    block = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x02, "SL", 7)
    found = metadata(encoded(dataset, ImplicitVRLittleEndian))
    assert found["00190010"] == {"vr": "LO", "Value": ["GEMS_ACQU_01"]}
    assert found["00191002"]["Value"] == [7]


def test_unknown_elements_in_unknown_sequences_are_walked() -> None:
    nested = struct.pack("<HHI", 0x0008, 0x0060, 2) + b"CT"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(nested)) + nested
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    head = struct.pack("<HH2sHI", 0x0029, 0x1010, b"UN", 0, 0xFFFFFFFF)
    found = metadata(file_of(head + item + end))
    assert found["00291010"] == {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}]}


@pytest.mark.parametrize("depth", [32, 33, 5000])
def test_nesting_is_bounded(depth: int) -> None:
    begin = struct.pack("<HH2sHI", 0x0008, 0x1115, b"SQ", 0, 0xFFFFFFFF)
    begin += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    data = file_of(begin * depth + end * depth)
    if depth <= 32:
        assert describe(data).study_uid == STUDY
    else:
        with pytest.raises(DescribeError, match="nested too deep"):
            describe(data)


def test_elements_out_of_order_are_put_in_order() -> None:
    found = metadata(file_of(element(0x00080060, "CS", b"CT"), element(0x00080050, "SH", b"A1")))
    assert list(found) == sorted(found)
    assert found["00080060"]["Value"] == ["CT"]


def test_missing_or_invalid_uids_are_named_without_their_value() -> None:
    for bad in ("", "1.2.secret", "1" * 65, "../../etc"):
        dataset = instance()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.StudyInstanceUID = bad
            data = encoded(dataset)
        with pytest.raises(DescribeError, match=r"^no usable StudyInstanceUID$"):
            describe(data)


def test_a_deflate_bomb_is_refused_before_it_is_inflated() -> None:
    head = encoded(instance(), DeflatedExplicitVRLittleEndian)
    end = describe_end_of_meta(head)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = squeeze.compress(bytes(64 << 20)) + squeeze.flush()
    with pytest.raises(DescribeError, match="too large"):
        describe(head[:end] + bomb, max_inflated_bytes=1 << 20)


def describe_end_of_meta(data: bytes) -> int:
    return 132 + 12 + int.from_bytes(data[140:144], "little")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_bytes_behind_the_data_set_are_passed_over(syntax: str) -> None:
    dataset = instance(BitsAllocated=16)
    plain = encoded(dataset, syntax)
    assert describe(plain + bytes(3001)).metadata == describe(plain).metadata
    dataset.add_new(0x7FE00010, "OW", b"\1\2")
    data = encoded(dataset, syntax)
    for tail in (b"trailing bytes that are no element", bytes(7), b"\xfe" * 99):
        assert describe(data + tail).metadata == describe(data).metadata


# --- character sets ---------------------------------------------------------------------------

JAPANESE = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"


def test_iso_2022_names_are_decoded_in_their_groups() -> None:
    found = metadata(
        file_of(element(0x00080005, "CS", b"\\ISO 2022 IR 87"), element(0x00100010, "PN", JAPANESE))
    )
    assert found["00100010"]["Value"] == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    ]
    assert found["00080005"]["Value"] == ["ISO_IR 192"]


def test_a_backslash_within_a_multibyte_character_is_no_delimiter() -> None:
    value = "表\\十".encode("gb18030") + "\u3000".encode("gb18030")
    found = metadata(
        file_of(element(0x00080005, "CS", b"GB18030 "), element(0x00081030, "LO", value))
    )
    assert found["00081030"]["Value"] == ["表", "十\u3000"]


def test_items_have_their_own_character_set() -> None:
    inner = element(0x00080005, "CS", b"ISO_IR 144") + element(
        0x00080104, "LO", "Люксембург".encode("iso8859_5")
    )
    plain = element(0x00080104, "LO", "é".encode("latin-1") + b" ")
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(i)) + i for i in (inner, plain))
    found = metadata(
        file_of(element(0x00080005, "CS", b"ISO_IR 100"), element(0x00082218, "SQ", items))
    )
    one, two = found["00082218"]["Value"]
    assert one["00080104"]["Value"] == ["Люксембург"]
    assert two["00080104"]["Value"] == ["é"]


@pytest.mark.parametrize("declared", [None, b"", b"ISO_IR 6", b"NO SUCH SET", b"ISO_IR 192"])
def test_undeclared_bytes_become_replacement_characters(declared: bytes | None) -> None:
    parts = [] if declared is None else [element(0x00080005, "CS", declared)]
    found = metadata(file_of(*parts, element(0x00100010, "PN", b"M\xfcller ")))
    assert found["00100010"]["Value"] == [{"Alphabetic": "M\ufffdller"}]


@given(
    value=st.binary(max_size=64),
    terms=st.lists(
        st.sampled_from([*python_encoding, "ISO-IR 100", "iso 2022 ir 87", "nonsense"]), max_size=4
    ),
)
@settings(max_examples=300, deadline=None)
def test_no_bytes_and_no_declaration_make_decoding_fail(value: bytes, terms: list[str]) -> None:
    decoder = character_set("\\".join(terms).encode())
    for text in (decoder.decode(value), decoder.decode_name(value)):
        orjson.dumps(text)


@given(
    cut=st.integers(min_value=0, max_value=6000),
    place=st.integers(min_value=132, max_value=6000),
    byte=st.integers(min_value=0, max_value=255),
)
@settings(max_examples=400, deadline=None)
def test_damaged_files_are_described_or_refused_and_nothing_else(
    cut: int, place: int, byte: int
) -> None:
    data = bytearray(bundled("CT_small.dcm"))
    data[place] = byte
    for damaged in (bytes(data), bytes(data[: len(data) - cut]), bytes(data[:cut])):
        try:
            found = describe(damaged)
        except DescribeError:
            continue
        else:
            assert isinstance(found, Description)
            orjson.loads(found.metadata)
