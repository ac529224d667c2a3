"""The engine, one behaviour a test; pydicom builds what goes in and reads what comes out."""

from __future__ import annotations

import io
import struct
import zlib
from datetime import date
from typing import Any

import imagecodecs
import numpy as np
import orjson
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    UltrasoundImageStorage,
)

import deid
from deid.encoding.transfer_syntaxes import EXPLICIT_LITTLE
from deid.errors import Reason
from deid.outcome import Outcome
from deid.ports import PixelRegion
from deid.tags.actions import Action
from deid.tags.happenings import HAPPENINGS
from deid.tags.replacements import UNCHANGED

KEY = deid.SiteKey(bytes(range(32)))
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
NATIVE = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


def plan(*options: str, **ours: Any) -> deid.Plan:
    return deid.compile_plan({**BASIC, "dicomveil": {"options": list(options), **ours}}, KEY)


def instance(**attributes: Any) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID = "1.2.3.1"
    dataset.SeriesInstanceUID = "1.2.3.2"
    dataset.Modality = "CT"
    dataset.PatientName = "Zimmermann^Quirin"
    dataset.PatientID = "MRN-4711"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def encode(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CTImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2")
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def written(source: bytes, result: deid.Deidentified) -> bytes:
    return b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )


def run(
    dataset: Dataset, syntax: str = ExplicitVRLittleEndian, *options: str, **ours: Any
) -> Dataset:
    source = encode(dataset, syntax)
    return pydicom.dcmread(
        io.BytesIO(written(source, deid.deidentify(source, plan(*options, **ours))))
    )


@pytest.mark.parametrize("syntax", NATIVE)
def test_every_native_encoding_keeps_its_encoding_and_loses_the_name(syntax: str) -> None:
    inner = Dataset()
    inner.PatientName = "Zimmermann^Quirin"
    inner.ReferencedSOPInstanceUID = "1.2.3.4"
    result = run(
        instance(ReferencedImageSequence=[inner], Rows=4, PatientBirthDate="19710203"), syntax
    )
    assert result.file_meta.TransferSyntaxUID == syntax
    assert result.Rows == 4
    assert result.PatientName == result.PatientID
    assert result.PatientBirthDate == ""
    assert result.ReferencedImageSequence[0].PatientName == result.PatientName
    assert result.ReferencedImageSequence[0].ReferencedSOPInstanceUID == result.SOPInstanceUID


def test_what_is_done_is_said() -> None:
    result = run(instance())
    assert result.PatientIdentityRemoved == "YES"
    assert result.DeidentificationMethod.startswith("dicomveil")
    assert [c.CodeValue for c in result.DeidentificationMethodCodeSequence] == ["113100"]
    assert result.LongitudinalTemporalInformationModified == "REMOVED"
    assert "BurnedInAnnotation" not in result


def test_markers_that_came_in_are_replaced_not_repeated() -> None:
    came = Dataset()
    came.CodeValue, came.CodingSchemeDesignator, came.CodeMeaning = "X", "99X", "By Dr. Zimmermann"
    result = run(
        instance(
            PatientIdentityRemoved="NO",
            DeidentificationMethod="by Quirin",
            DeidentificationMethodCodeSequence=[came],
            LongitudinalTemporalInformationModified="UNMODIFIED",
        )
    )
    assert result.PatientIdentityRemoved == "YES"
    assert "Quirin" not in str(result)
    assert len(result.DeidentificationMethodCodeSequence) == 1


def test_the_preamble_is_zeroed_and_file_meta_rebuilt() -> None:
    dataset = instance()
    source = bytearray(encode(dataset))
    source[:9] = b"MZ-Quirin"
    result = deid.deidentify(bytes(source), plan())
    out = written(bytes(source), result)
    assert out[:128] == bytes(128)
    meta = pydicom.dcmread(io.BytesIO(out)).file_meta
    assert meta.MediaStorageSOPInstanceUID == result.sop_instance_uid
    assert "SourceApplicationEntityTitle" not in meta


def test_bytes_after_the_data_set_are_dropped() -> None:
    dataset = instance(Rows=1, Columns=1, BitsAllocated=8, PixelData=b"\x00\x01")
    dataset["PixelData"].VR = "OB"
    source = encode(dataset)
    tail = b"Zimmermann was here, and more of it"
    out = written(source + tail, deid.deidentify(source + tail, plan()))
    assert out == written(source, deid.deidentify(source, plan()))
    assert b"was here" not in out


def test_private_elements_go_and_their_creators_with_them() -> None:
    dataset = instance()
    block = dataset.private_block(0x0029, "ACME 1.1", create=True)
    block.add_new(1, "LO", "Zimmermann")
    result = run(dataset)
    assert not any(element.tag.is_private for element in result)


def test_safe_private_elements_stay_with_their_creator_and_the_rest_of_the_block_goes() -> None:
    dataset = instance()
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x08, "CS", "QUIRIN")
    other = dataset.private_block(0x0021, "ACME", create=True)
    other.add_new(1, "LO", "Zimmermann")
    result = run(dataset, ExplicitVRLittleEndian, "retain_safe_private")
    kept = [element for element in result if element.tag.is_private]
    assert [str(element.tag) for element in kept] == ["(0019,0010)", "(0019,100C)"]


def test_a_sequence_encoded_as_un_is_descended_into() -> None:
    inner = Dataset()
    inner.PatientName = "Zimmermann^Quirin"
    dataset = instance(ReferencedImageSequence=[inner])
    source = encode(dataset)
    item = struct.pack("<HHL", 0x0010, 0x0010, 18) + b"Zimmermann^Quirin "
    value = struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item
    element = struct.pack("<HH2sHL", 0x0008, 0x1140, b"UN", 0, len(value)) + value
    start = source.index(struct.pack("<HH2s", 0x0008, 0x1140, b"SQ"))
    length = struct.unpack_from("<L", source, start + 8)[0]
    changed = source[:start] + element + source[start + 12 + length :]
    out = written(changed, deid.deidentify(changed, plan()))
    assert b"Zimmermann" not in out
    assert b"UN" in out


def test_group_lengths_curves_and_unknown_elements_go() -> None:
    dataset = instance()
    dataset.add_new(0x50003000, "OW", b"\x00\x01")
    dataset.add_new(0x00280001, "LO", "Quirin Zimmermann")
    dataset.add_new(0x60003000, "OW", b"\x00\x01")
    dataset.add_new(0x60000010, "US", 1)
    result = run(dataset)
    assert all(element.tag.group not in (0x5000, 0x6000) for element in result)
    assert 0x00280001 not in result


def test_text_outside_the_table_stays_when_all_of_it_is_recognised_and_goes_when_not() -> None:
    known, local = Dataset(), Dataset()
    known.CodeValue, known.CodingSchemeDesignator, known.CodeMeaning = "T-D3000", "SRT", "Chest"
    local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = (
        "X1",
        "99LOC",
        "room of Mrs Qzxyw",
    )
    result = run(instance(ProcedureCodeSequence=[known, local], BodyPartExamined="CHEST"))
    assert result.BodyPartExamined == "CHEST"
    assert result.ProcedureCodeSequence[0].CodeMeaning == "Chest"
    assert "Qzxyw" not in str(result)


def test_required_values_of_an_attribute_are_judged_one_by_one() -> None:
    result = run(instance(ImageType=["ORIGINAL", "PRIMARY", "QZXYWVU"]))
    assert list(result.ImageType) == ["ORIGINAL", "PRIMARY", "REMOVED"]


def test_a_residual_identifier_is_removed_where_the_rules_allow() -> None:
    source = encode(instance(SoftwareVersions="ZIMMERMANN 2.0", ManufacturerModelName="Zimmermann"))
    result = deid.deidentify(source, plan())
    out = written(source, result)
    assert b"zimmermann" not in out.lower()
    assert result.outcome.residuals


def test_an_identifier_that_outlasts_the_second_pass_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second pass takes all away that it finds; here it is kept from that."""
    source = encode(instance(ManufacturerModelName="Zimmermann"))
    for action in (Action.KEEP, Action.CHECK):
        monkeypatch.setitem(HAPPENINGS, int(action), lambda _original: UNCHANGED)
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(source, plan())
    assert (caught.value.reason, caught.value.where) == (
        Reason.RESIDUAL_IDENTIFIER,
        "(0008,1090)",
    )


def test_bytes_are_judged_by_the_character_set_of_their_own_instance() -> None:
    """In Latin letters they say a unit, in Cyrillic ones nothing that anybody knows."""
    one_plan = plan()
    kept = []
    for charset in ("ISO_IR 100", "ISO_IR 144", "ISO_IR 100"):
        dataset = instance(SpecificCharacterSet="ISO_IR 100", ConvolutionKernel="5 µm")
        source = encode(dataset).replace(b"ISO_IR 100", charset.encode())
        result = pydicom.dcmread(io.BytesIO(written(source, deid.deidentify(source, one_plan))))
        kept.append("ConvolutionKernel" in result)
    assert kept == [True, False, True]


def test_a_name_in_another_character_set_is_found_again() -> None:
    dataset = instance(PatientName="Шведова^Раиса", ManufacturerModelName="Шведова")
    dataset.SpecificCharacterSet = "ISO_IR 144"
    source = encode(dataset)
    out = written(source, deid.deidentify(source, plan()))
    assert "Шведова".encode("iso8859_5") not in out


def test_dates_move_by_the_same_days_and_keep_their_intervals() -> None:
    result = run(
        instance(
            StudyDate="20240228", SeriesDate="20240301", AcquisitionDateTime="20240229120000.5"
        ),
        ExplicitVRLittleEndian,
        "retain_modified_dates",
    )
    assert result.StudyDate != "20240228"
    study = pydicom.valuerep.DA(result.StudyDate)
    series = pydicom.valuerep.DA(result.SeriesDate)
    assert study is not None
    assert series is not None
    assert (series - study).days == 2
    assert str(result.AcquisitionDateTime).endswith("120000.5")
    assert result.LongitudinalTemporalInformationModified == "MODIFIED"


def test_two_date_options_exclude_each_other() -> None:
    with pytest.raises(deid.ConfigurationInvalid, match="exclude each other"):
        plan("retain_modified_dates", "retain_full_dates")


def test_compressed_pixel_data_is_a_span_of_the_source() -> None:
    dataset = instance(Rows=400, Columns=400, BitsAllocated=8)
    noise = np.random.default_rng(1).integers(0, 256, (400, 400), np.uint8)
    fragments = pydicom.encaps.encapsulate([bytes(imagecodecs.jpeg8_encode(noise, level=90))])
    dataset.PixelData = fragments
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    source = encode(dataset, JPEGBaseline8Bit)
    result = deid.deidentify(source, plan())
    assert any(isinstance(part, deid.Span) for part in result.segments)
    again = pydicom.dcmread(io.BytesIO(written(source, result)))
    assert again.PixelData == dataset.PixelData


@pytest.mark.parametrize(
    ("attributes", "where"),
    [
        ({"BurnedInAnnotation": "YES"}, "(0028,0301)"),
        ({"SOPClassUID": UltrasoundImageStorage, "Modality": "US"}, "(0008,0016)"),
        ({"Modality": "ES", "Rows": 1}, "(0008,0060)"),
    ],
)
def test_what_may_carry_burned_in_text_is_not_passed(
    attributes: dict[str, str], where: str
) -> None:
    source = encode(instance(**attributes))
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(source, plan())
    assert caught.value.reason is Reason.PIXELS_NOT_CLEANED
    assert caught.value.where == where
    deid.deidentify(source, plan(burnedIn="pass"))


@pytest.mark.parametrize(
    "missing", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
def test_an_instance_without_identity_is_refused(missing: str) -> None:
    dataset = instance()
    delattr(dataset, missing)
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(encode(dataset), plan())
    assert caught.value.reason is Reason.MISSING_IDENTITY


def test_a_sop_class_that_nobody_registered_is_refused_unless_allowed() -> None:
    source = encode(instance(SOPClassUID="1.3.12.2.1107.5.9.1"))
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(source, plan())
    assert caught.value.reason is Reason.SOP_CLASS_UNKNOWN
    result = deid.deidentify(source, plan(unknownSopClass="pass"))
    assert result.sop_class_uid == "1.3.12.2.1107.5.9.1"


def nested(depth: int) -> bytes:
    inner = Dataset()
    inner.PatientName = "Zimmermann"
    for _ in range(depth):
        outer = Dataset()
        outer.ContentSequence = Sequence([inner])
        inner = outer
    return encode(instance(ReferencedImageSequence=[inner]))


def test_sequences_thirty_two_deep_are_cleaned_and_deeper_ones_refused() -> None:
    source = nested(31)
    assert b"Zimmermann" not in written(source, deid.deidentify(source, plan()))
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(nested(32), plan())
    assert caught.value.reason is Reason.NESTING_TOO_DEEP


def test_a_data_set_that_is_not_encoded_as_declared_is_refused() -> None:
    source = encode(instance(), ExplicitVRLittleEndian)
    changed = source.replace(b"1.2.840.10008.1.2.1\x00", b"1.2.840.10008.1.2\x00\x00\x00")
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(changed, plan())
    assert caught.value.reason is Reason.TRANSFER_SYNTAX_MISMATCH


def test_a_deflate_bomb_is_refused_within_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid.encoding.inflate.MAX_INFLATED_BYTES", 1 << 20)
    source = encode(instance(), DeflatedExplicitVRLittleEndian)
    meta = deid.encoding.header.read_file_meta(source)
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = bomb.compress(bytes(4 << 20)) + bomb.flush()
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(source[: meta.dataset_offset] + stream, plan())
    assert caught.value.reason is Reason.INFLATE_LIMIT


def test_every_truncation_is_refused_or_clean() -> None:
    dataset = instance(Rows=4, StudyDescription="x", RequestAttributesSequence=[instance()])
    source = encode(dataset)
    for length in range(len(source)):
        try:
            result = deid.deidentify(source[:length], plan())
        except deid.Unsafe:
            continue
        assert b"Zimmermann" not in written(source[:length], result)


def test_an_encapsulated_document_becomes_an_empty_one() -> None:
    dataset = instance(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        Modality="OT",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=b"%PDF Zimmermann ",
    )
    result = run(dataset)
    assert result.EncapsulatedDocument.startswith(b"%PDF-1.4")
    assert b"Zimmermann" not in result.EncapsulatedDocument


def test_the_outcome_names_elements_and_actions_and_no_value() -> None:
    source = encode(instance(StudyDescription="Zimmermann"))
    record = deid.deidentify(source, plan()).outcome.to_json()
    assert b'["(0008,1030)","removed",1]' in record
    assert b"Zimmermann" not in record
    assert b"4711" not in record


def test_the_outcome_names_what_was_filled_by_frame_and_place() -> None:
    filled = PixelRegion(frame=2, left=3, top=4, width=5, height=6, why="info_type:DATE")
    told = orjson.loads(Outcome("abcd", {}, regions=(filled,), pixels_examined=True).to_json())
    assert told["regions"] == [{"frame": 2, "box": [3, 4, 5, 6], "why": "info_type:DATE"}]
    assert told["pixels_examined"] is True


@pytest.mark.parametrize("name", ["Lee^Young", "Li^Na", "Imaginary^Sue", "Образцов^Пётр"])
def test_a_name_at_the_end_of_a_value_is_found_whatever_element_follows(name: str) -> None:
    family = name.split("^", maxsplit=1)[0]
    item = Dataset()
    item.SegmentLabel = f"Lung {family}"
    # The next element's group is 0062, whose first byte looks like a letter.
    item.SegmentAlgorithmType = "MANUAL"
    dataset = instance(OperatorsName=name, SegmentSequence=[item])
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for syntax in (ExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian):
        assert family not in str(run(dataset, syntax).SegmentSequence)


def test_an_identifier_that_is_also_one_of_our_own_codes_does_not_stop_an_instance() -> None:
    assert run(instance(PatientID="113100")).PatientIdentityRemoved == "YES"


def test_a_body_part_that_is_also_a_name_stays_a_body_part() -> None:
    assert (
        run(instance(PatientName="Head^Richard", BodyPartExamined="HEAD")).BodyPartExamined
        == "HEAD"
    )


def test_a_text_of_odd_length_is_made_even_and_a_number_cut_short_is_refused() -> None:
    source = encode(instance(BodyPartExamined="CHEST ", Rows=4))
    odd = source.replace(b"CS\x06\x00CHEST ", b"CS\x05\x00CHEST")
    assert b"CS\x06\x00CHEST " in written(odd, deid.deidentify(odd, plan()))
    short = source.replace(b"US\x02\x00\x04\x00", b"US\x01\x00\x04")
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(short, plan())
    assert caught.value.reason is Reason.MALFORMED


def test_part_of_an_element_header_at_the_end_is_a_truncation() -> None:
    source = encode(instance(Rows=4))
    for count in range(1, 8):
        cut = source + struct.pack("<HH2sH", 0x0028, 0x0011, b"US", 2)[:count]
        with pytest.raises(deid.Unsafe) as caught:
            deid.deidentify(cut, plan())
        assert caught.value.reason is Reason.TRUNCATED


def test_dates_that_were_kept_move_once_the_configuration_says_so() -> None:
    kept = run(instance(StudyDate="20190510"), ExplicitVRLittleEndian, "retain_full_dates")
    assert kept.StudyDate == "20190510"
    moved = run(kept, ExplicitVRLittleEndian, "retain_modified_dates")
    assert moved.StudyDate != "20190510"
    assert moved.PatientID == kept.PatientID


def test_dates_of_an_instance_without_a_patient_move_once() -> None:
    source = instance(StudyDate="20190510")
    del source.PatientID, source.PatientName
    once = run(source, ExplicitVRLittleEndian, "retain_modified_dates")
    assert once.StudyDate != "20190510"
    assert run(once, ExplicitVRLittleEndian, "retain_modified_dates").StudyDate == once.StudyDate


@pytest.mark.parametrize(
    ("keyword", "value"), [("RescaleSlope", "12345678.9"), ("RescaleIntercept", "1A")]
)
def test_a_scale_of_samples_is_never_replaced_by_a_dummy(keyword: str, value: str) -> None:
    source = encode(instance(RescaleSlope="1", RescaleIntercept="-1024"))
    old = {"RescaleSlope": b"\x53\x10DS\x02\x001 ", "RescaleIntercept": b"\x52\x10DS\x06\x00-1024 "}
    padded = value.encode() + b" " * (len(value) % 2)
    new = old[keyword][:4] + struct.pack("<H", len(padded)) + padded
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(source.replace(old[keyword], new), plan())
    assert caught.value.reason is Reason.RESIDUAL_IDENTIFIER
    assert caught.value.where.startswith("(0028,10")


@pytest.mark.parametrize("option", ["retain_full_dates", "retain_modified_dates", ""])
def test_dates_in_text_follow_the_option_for_dates(option: str) -> None:
    source = instance(
        StudyDate="20190510",
        PatientBirthDate="19410827",
        ImageComments="CT chest of 10.05.2019",
        SeriesDescription="CT chest 27.08.1941",
    )
    result = run(source, ExplicitVRLittleEndian, "clean_descriptors", *filter(None, [option]))
    day = result.ImageComments.removeprefix("CT chest of ")
    if option:
        assert day == date.fromisoformat(result.StudyDate).strftime("%d.%m.%Y")
        assert (day == "10.05.2019") == (option == "retain_full_dates")
    else:
        assert day == "[DATE]"
    assert "1941" not in result.SeriesDescription


@pytest.mark.parametrize("patient_id", ["0001", "MR0001"])
def test_a_record_number_of_zeros_does_not_take_every_one(patient_id: str) -> None:
    source = instance(
        PatientID=patient_id, StudyDescription="MR 1.5T brain", SeriesDescription=f"no {patient_id}"
    )
    result = run(source, ExplicitVRLittleEndian, "clean_descriptors")
    assert result.StudyDescription == "MR 1.5T brain"
    assert "0001" not in result.get("SeriesDescription", "")


@pytest.mark.parametrize("name", ["Root^Kids", "Catalog^Pages", "Size^Count"])
def test_words_of_the_blank_document_are_nobody_s_name(name: str) -> None:
    source = instance(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        PatientName=name,
        PatientID="65535",
        EncapsulatedDocument=b"%PDF-1.4 the original",
        MIMETypeOfEncapsulatedDocument="application/pdf",
    )
    result = run(source)
    assert b"/Type/Catalog" in result.EncapsulatedDocument
    assert b"original" not in result.EncapsulatedDocument


def test_a_kept_institution_is_not_lost_because_another_element_goes() -> None:
    source = instance(
        InstitutionName="Quixborough Infirmary", RequestingService="Quixborough Infirmary"
    )
    result = run(source, ExplicitVRLittleEndian, "retain_institution_identity")
    assert result.InstitutionName == "Quixborough Infirmary"
    assert "RequestingService" not in result


def test_the_structure_of_a_sequence_that_goes_is_no_identifier() -> None:
    inner = Dataset()
    inner.PatientInsurancePlanCodeSequence = [Dataset()]
    source = instance(LanguageCodeSequence=[inner], PatientInsurancePlanCodeSequence=[Dataset()])
    assert run(source).Modality == "CT"


def test_what_was_derived_from_de_identified_instances_stays_with_them() -> None:
    image = run(instance(StudyDate="20200101"), ExplicitVRLittleEndian, "retain_modified_dates")
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = image.SOPInstanceUID
    derived = instance(
        SOPInstanceUID="1.2.9.9",
        StudyInstanceUID=image.StudyInstanceUID,
        PatientID=image.PatientID,
        PatientName=image.PatientName,
        ContentDate="20260301",
        ReferencedImageSequence=[reference],
    )
    result = run(derived, ExplicitVRLittleEndian, "retain_modified_dates")
    assert result.PatientID == result.PatientName == image.PatientID
    assert result.StudyInstanceUID == image.StudyInstanceUID
    assert result.ReferencedImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert result.SOPInstanceUID != "1.2.9.9"
    assert result.ContentDate != "20260301"


def test_a_real_patient_id_written_into_our_instance_goes() -> None:
    image = run(instance())
    image.PatientID, image.PatientName = "MRN-4711", "Zimmermann^Quirin"
    again = run(image)
    assert "MRN-4711" not in str(again)
    assert again.PatientID == run(instance()).PatientID


def test_patients_of_a_group_stay_apart() -> None:
    first, second, same = Dataset(), Dataset(), Dataset()
    first.PatientID, second.PatientID, same.PatientID = "MOUSE1", "MOUSE2", "MRN-4711"
    group = instance(GroupOfPatientsIdentificationSequence=[first, second, same])
    result = run(group)
    ids = [item.PatientID for item in result.GroupOfPatientsIdentificationSequence]
    assert len(set(ids)) == 3
    assert ids[2] == result.PatientID
    assert ids[0] == run(instance(PatientID="MOUSE1")).PatientID


@pytest.mark.parametrize("value", ["Zwetajewska^Olga", "1.2.276.0.19410827.7721398"])
def test_a_sop_class_in_an_item_or_said_again_is_kept_only_when_registered(value: str) -> None:
    item = Dataset()
    item.add_new(0x00080016, "LO", value)
    item["SOPClassUID"].VR = "UI"
    source = encode(instance(ReferencedSeriesSequence=[item]))
    result = written(source, deid.deidentify(source, plan()))
    assert value.encode() not in result


def test_numbers_in_a_dummied_sequence_are_looked_at() -> None:
    name = EXPLICIT_LITTLE.element(0x0040A132, b"UL", b"Zwetajewska Olga")
    item = EXPLICIT_LITTLE.item_header(0xE000, len(name)) + name
    source = encode(instance()) + EXPLICIT_LITTLE.element(0x0040A730, b"SQ", item)
    result = written(source, deid.deidentify(source, plan()))
    assert b"Zwetajewska" not in result
    [left] = pydicom.dcmread(io.BytesIO(result)).ContentSequence
    assert left[0x0040A132].value == [0, 0, 0, 0]


def test_reserved_bytes_that_hold_something_are_refused() -> None:
    source = encode(instance(ReferencedImageSequence=[Dataset()]))
    at = source.index(b"SQ\0\0")
    source = source[: at + 2] + b"Zq" + source[at + 4 :]
    with pytest.raises(deid.Unsafe) as caught:
        deid.deidentify(source, plan())
    assert caught.value.reason is Reason.MALFORMED


def test_references_in_a_dummied_sequence_are_kept_with_the_uids() -> None:
    reference, item = Dataset(), Dataset()
    reference.ReferencedSOPInstanceUID = "1.2.3.4"
    item.ReferencedSOPSequence = [reference]
    result = run(instance(ContentSequence=[item]), ExplicitVRLittleEndian, "retain_uids")
    kept = result.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert kept == result.SOPInstanceUID == "1.2.3.4"


def test_a_value_that_outgrows_its_length_is_written_as_un() -> None:
    uids = [f"1.2.3.{n}" for n in range(3000)]
    result = run(instance(FailedSOPInstanceUIDList=uids))
    assert len(bytes(str(result[0x00080058].value), "ascii")) > 0xFFFE


def test_a_name_beside_a_large_binary_value_is_found() -> None:
    dataset = instance(PatientName="Robinson^King", WindowCenterWidthExplanation="Robinson King")
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [0, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", bytes(131072))
    result = run(dataset)
    assert "WindowCenterWidthExplanation" not in result
    assert len(result.RedPaletteColorLookupTableData) == 131072


def test_pixel_data_is_not_searched_for_names() -> None:
    dataset = instance(Rows=2, Columns=8, BitsAllocated=8, PatientName="Kim^Jo")
    dataset.add_new("PixelData", "OB", b"..Kim...Jo.Kim..")
    assert run(dataset).PixelData == b"..Kim...Jo.Kim.."


def test_a_day_that_is_kept_stays_where_it_is_the_birth_date_too() -> None:
    newborn = instance(PatientBirthDate="20190510", StudyDate="20190510")
    assert run(newborn, ExplicitVRLittleEndian, "retain_full_dates").StudyDate == "20190510"
    assert "20190510" not in str(run(newborn))


@pytest.mark.parametrize(
    ("earlier", "option", "said"),
    [
        ("MODIFIED", "retain_full_dates", "MODIFIED"),
        ("REMOVED", "retain_full_dates", "REMOVED"),
        ("REMOVED", "retain_modified_dates", "REMOVED"),
        ("UNMODIFIED", "retain_modified_dates", "MODIFIED"),
        ("NONSENSE", "retain_full_dates", "UNMODIFIED"),
    ],
)
def test_dates_that_an_earlier_step_changed_are_not_called_unchanged(
    earlier: str, option: str, said: str
) -> None:
    source = instance(LongitudinalTemporalInformationModified=earlier)
    result = run(source, ExplicitVRLittleEndian, option)
    assert result.LongitudinalTemporalInformationModified == said


def test_a_profile_that_keeps_everything_keeps_what_was_said_of_identity() -> None:
    source = encode(instance(PatientIdentityRemoved="YES"))
    keeping = deid.compile_plan({"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}}, KEY)
    result = pydicom.dcmread(io.BytesIO(written(source, deid.deidentify(source, keeping))))
    assert result.PatientIdentityRemoved == "YES"
    assert result.DeidentificationMethod.startswith("dicomveil")


def test_a_well_known_frame_of_reference_stays() -> None:
    talairach = "1.2.840.10008.1.4.1.1"
    assert run(instance(FrameOfReferenceUID=talairach)).FrameOfReferenceUID == talairach
    assert run(instance(FrameOfReferenceUID="1.2.3.9")).FrameOfReferenceUID != "1.2.3.9"


def test_a_record_number_under_the_standard_s_root_is_no_registered_uid() -> None:
    hidden = "1.2.840.10008.1941.827.7213.9984"
    source = instance(RelatedGeneralSOPClassUID=hidden)
    assert hidden not in str(run(source))


def test_patient_characteristics_are_cleaned_without_another_option() -> None:
    """Table E.1-1 has C for them under Retain Patient Characteristics."""
    source = instance(Allergies="Penicillin, says Dr. Zwetajewska", PatientState="supine")
    result = run(source, ExplicitVRLittleEndian, "retain_patient_characteristics")
    assert "enicillin" in result.Allergies
    assert "Zwetajewska" not in result.Allergies
    assert result.PatientState == "supine"


def test_a_query_by_value_representation_leaves_private_creators_alone() -> None:
    source = instance()
    source.private_block(0x0009, "ACME 1", create=True).add_new(1, "LO", "Zwetajewska")
    keeping = {
        "dicomTagConfig": {
            "profileType": "KEEP_ALL_PROFILE",
            "actions": [{"queries": ["LO"], "resetTag": {}}],
        }
    }
    content = encode(source)
    resetting = deid.compile_plan(keeping, KEY)
    result = pydicom.dcmread(io.BytesIO(written(content, deid.deidentify(content, resetting))))
    assert result[0x00090010].value == "ACME 1"
    assert result[0x00091001].value == "REMOVED"


def test_both_ends_of_a_range_of_dates_move() -> None:
    source = instance(StudyDate="20200101")
    source.add_new(0x00080021, "DA", "20200101-20200131")
    source["SeriesDate"].VR = "DA"
    result = run(source, ExplicitVRLittleEndian, "retain_modified_dates")
    first, last = str(result.get_item(0x00080021).value.decode().strip()).split("-")
    assert first == result.StudyDate
    assert (date.fromisoformat(last) - date.fromisoformat(first)).days == 30


COMMITTEE, NUMBER = (
    f"ClinicalTrialProtocolEthicsCommittee{ending}" for ending in ("Name", "ApprovalNumber")
)


def test_a_committee_s_name_goes_with_the_number_beside_which_alone_it_may_stand() -> None:
    both = {COMMITTEE: "Acme Board", NUMBER: "QB-77123"}
    assert COMMITTEE not in run(instance(**both))
    assert run(instance(**{COMMITTEE: "Acme Board"}))[COMMITTEE].value == "REMOVED"
    explicit = ExplicitVRLittleEndian
    retained = run(instance(**both), explicit, "retain_institution_identity")
    assert (retained[COMMITTEE].value, NUMBER in retained) == ("Acme Board", False)


def test_an_owner_s_role_goes_with_the_owner_beside_whom_alone_it_may_stand() -> None:
    assert "ResponsiblePersonRole" not in run(
        instance(ResponsiblePerson="Qadir^Ute", ResponsiblePersonRole="OWNER")
    )
    assert run(instance(ResponsiblePersonRole="OWNER")).ResponsiblePersonRole == "OWNER"


def test_what_was_searched_in_vain_before_does_not_hide_what_stands_there_now() -> None:
    one_plan = plan()
    makers = ["Acme", "Acme", "Zimmermann Systems", "Acme", "Zimmermann Systems"]
    kept = []
    for number, maker in enumerate(makers):
        source = encode(instance(InstanceNumber=number, Manufacturer=maker))
        result = written(source, deid.deidentify(source, one_plan))
        kept.append("Zimmermann" in str(pydicom.dcmread(io.BytesIO(result)).get("Manufacturer")))
    assert kept == [False] * 5


def identity(issuer: str | None, study: str, **ours: Any) -> tuple[str, str]:
    source = instance(StudyInstanceUID=study, StudyDate="20200101", PatientID="4711")
    if issuer is not None:
        source.IssuerOfPatientID = issuer
    result = run(source, ExplicitVRLittleEndian, "retain_modified_dates", **ours)
    return result.PatientID, result.StudyDate


def test_a_study_has_one_patient_whether_or_not_an_instance_names_an_issuer() -> None:
    named = {identity(issuer, "1.2.3.1") for issuer in (None, "", "NORTH", " north ", "SOUTH")}
    assert len(named) == 1
    assert identity("NORTH", "1.2.3.2") == named.pop()


def test_where_a_site_names_its_issuer_equal_numbers_of_two_issuers_are_two_patients() -> None:
    own = {
        identity(issuer, "1.2.3.1", identityIssuer="North  Hospital")
        for issuer in (None, "NORTH HOSPITAL", "north hospital ")
    }
    assert len(own) == 1
    assert identity("South", "1.2.3.2", identityIssuer="North  Hospital")[0] != own.pop()[0]
