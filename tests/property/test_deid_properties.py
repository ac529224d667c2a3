"""What must hold for any data set whatever: nothing identifying survives, and replacements agree."""

from __future__ import annotations

import io
import json
import warnings
from datetime import date, timedelta
from pathlib import Path

import pydicom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

import deid
from deid.tables.load import confidentiality_by_tag
from deid.tags.equipment import EQUIPMENT_UIDS

KEY = deid.SiteKey(bytes(range(32)))
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
PLAN = deid.compile_plan({**BASIC, "dicomveil": {"burnedIn": "pass"}}, KEY)
SHIFTING = deid.compile_plan(
    {**BASIC, "dicomveil": {"burnedIn": "pass", "options": ["retain_modified_dates"]}}, KEY
)
SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
CHARACTER_SETS = ["", "ISO_IR 100", "ISO_IR 144", "ISO_IR 192", "GB18030"]
MARKED = {
    "": "Zqxvky",
    "ISO_IR 100": "Zqxvßkÿ",
    "ISO_IR 101": "Zqxvłęż",
    "ISO_IR 109": "Zqxvĝĉŝ",
    "ISO_IR 110": "Zqxvķļņ",
    "ISO_IR 144": "Жщюъфх",
    "ISO_IR 127": "ظغضذثخ",
    "ISO_IR 126": "Ψξζθχφ",
    "ISO_IR 138": "צקרשתץ",
    "ISO_IR 148": "Zqxvğşİ",
    "ISO_IR 166": "ฆฌฎฏฐฑ",
    "ISO_IR 13": "ｦｧｨｩｪｫ",
    "ISO_IR 192": "Жßツ龘Zqxv",
    "GB18030": "龘靐齉Zqxv",
    "GBK": "龘靐齉Zqxv",
    "\\ISO 2022 IR 87": "鬱鱗鸞",
    "\\ISO 2022 IR 149": "뷁쀍쩗",
    "\\ISO 2022 IR 58": "鼋鼍龟",
}
"""Letters that no vocabulary holds, by the character set that can write them (PS3.3 C.12.1.1.2)."""
DAY, RECORD, ROOT, BYTES = "18470317", "77213984", "1.2.276.0.7230010.3.1.4", b"Zqxv Wkybz"
PRESETS = Path(__file__).parents[2] / "config" / "deidentifiers"
CLASSES = [
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.481.3",
    "1.2.840.10008.5.1.4.1.1.11.1",
]
_TEXT = {
    "AE": 16,
    "CS": 16,
    "LO": 60,
    "LT": 100,
    "PN": 60,
    "SH": 16,
    "ST": 100,
    "UC": 60,
    "UT": 100,
}
TEXT_TAGS = sorted(
    tag
    for tag, (vr, _vm, _name, _retired, keyword) in DicomDictionary.items()
    if vr in _TEXT
    and keyword
    and tag >> 16 not in (0, 2, 4)
    # The manufacturer's name for itself is kept whatever it is (docs/decisions).
    and tag not in (0x00080005, 0x00080070, 0x00081090, 0x00120063)
)
SEQUENCES = sorted(
    tag
    for tag, (vr, _vm, _name, _retired, keyword) in DicomDictionary.items()
    if vr == "SQ" and keyword and tag >> 16 not in (0, 2, 4)
)
SAMPLES = {
    0x54001010, 0x56000020, 0x7FE00008, 0x7FE00009, 0x7FE00010, 0x54000110, 0x54000112,
}  # fmt: skip
"""Pixels, spectra and waveforms: samples are not searched for texts (docs/adversarial.md)."""
MEASURED = {
    0x00180070, 0x00180084, 0x00181074, 0x00181242, 0x00188150, 0x00541300, 0x00541310, 0x00541311, 0x00541322,
}  # fmt: skip
"""Counts, doses, times and frequencies in which a record number looks like a reading (docs/adversarial.md)."""
PLACES = {
    0x00181164, 0x00200032, 0x00200037, 0x00280008, 0x00280030, 0x00281052, 0x00281053, 0x3004000C, 0x3004000E,
    0x0040A30A,
}  # fmt: skip
"""Where samples lie and what was measured: a record number there is refused (decision 0002)."""
KEPT = {
    tag
    for tag, row in confidentiality_by_tag().items()
    if row.options.get("retain_patient_characteristics") == "K"
}
"""What the preset `research` keeps by its option: size, weight, age, sex."""
UID_TAGS = sorted(
    tag
    for tag, row in confidentiality_by_tag().items()
    if row.basic == "U" and tag >> 16 > 4 and tag not in EQUIPMENT_UIDS
)
"""Those of equipment, which have one replacement for each patient, are tested beside each other."""


def canary(number: int, vr: str) -> str:
    """Return a value that no vocabulary knows and that occurs nowhere else."""
    letters = "".join(chr(ord("a") + int(digit)) for digit in f"{number:05d}")
    text = f"Zqxv{letters}Wky"
    return text.upper() if vr in ("CS", "AE") else text


@st.composite
def elements(draw: st.DrawFn, depth: int) -> Dataset:
    dataset = Dataset()
    for tag in draw(st.lists(st.sampled_from(TEXT_TAGS), max_size=8, unique=True)):
        vr = DicomDictionary[tag][0]
        value = canary(draw(st.integers(0, 99_999)), vr)
        declared = draw(st.sampled_from([vr, vr, vr, "UN", "LT"]))
        raw: object = value.encode() + b" " * (len(value) % 2) if declared == "UN" else value
        dataset.add_new(tag, declared, raw)
    if depth:
        for tag in draw(st.lists(st.sampled_from(SEQUENCES), max_size=3, unique=True)):
            items = draw(st.lists(elements(depth - 1), min_size=1, max_size=2))
            dataset.add_new(tag, "SQ", items)
            dataset[tag].is_undefined_length = draw(st.booleans())
    if draw(st.booleans()):
        block = dataset.private_block(draw(st.sampled_from([0x0009, 0x0029])), "ACME", create=True)
        block.add_new(
            1, draw(st.sampled_from(["LO", "UN"])), draw(st.sampled_from(["Zqxvprivate"])).encode()
        )
        block[1].value = b"Zqxvprivate " if block[1].VR == "UN" else "Zqxvprivate"
    return dataset


@st.composite
def instances(draw: st.DrawFn) -> bytes:
    dataset = draw(elements(3))
    dataset.SOPClassUID = draw(st.sampled_from(CLASSES))
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID = "1.2.3.1"
    dataset.SeriesInstanceUID = "1.2.3.2"
    dataset.Modality = "CT"
    declared = draw(st.sampled_from(CHARACTER_SETS))
    if declared:
        dataset.SpecificCharacterSet = declared
    return encode(dataset, draw(st.sampled_from(SYNTAXES)))


def encode(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def run(source: bytes, plan: deid.Plan = PLAN) -> bytes:
    result = deid.deidentify(source, plan)
    return b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )


def everything(content: bytes) -> bytes:
    """Return what a reader can see of a file, inflated if need be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return content + str(pydicom.dcmread(io.BytesIO(content))).encode()


@given(source=instances())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_planted_value_survives_at_any_depth_in_any_encoding(source: bytes) -> None:
    assert b"zqxv" not in everything(run(source)).lower()


def preset(name: str) -> deid.Plan:
    """Return a shipped preset; there is no text in pixels here to be looked for."""
    configuration = json.loads((PRESETS / f"{name}.json").read_text())
    configuration.pop("image", None)
    return deid.compile_plan(configuration, KEY)


REMOVED_TEXTS = [tag for tag in TEXT_TAGS if tag not in KEPT]
REMOVING = [preset(name) for name in ("basic", "research", "minimal")]
PLANTED = {
    "DA": DAY,
    "DT": f"{DAY}101112",
    "IS": RECORD,
    "DS": RECORD,
    "OB": BYTES,
    "OW": BYTES,
    "UN": BYTES,
    "UI": f"{ROOT}.{RECORD}",
}
PLANTED_TAGS = {
    vr: sorted(
        tag
        for tag, (declared, _vm, _name, _retired, keyword) in DicomDictionary.items()
        if vr in declared.split(" or ")
        and keyword
        and tag >> 16 not in (0, 2, 4)
        and tag
        not in (*SAMPLES, *MEASURED, *PLACES, *KEPT, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E)
    )
    for vr in PLANTED
}


@st.composite
def marked_items(draw: st.DrawFn, declared: str, depth: int) -> Dataset:
    """Return elements of any VR whose values are marked, in a character set of their own or the outer one."""
    dataset = Dataset()
    own = draw(st.one_of(st.just(declared), st.sampled_from(sorted(MARKED))))
    if own != declared:
        dataset.SpecificCharacterSet = own.split("\\") if own else ""
    for tag in draw(st.lists(st.sampled_from(REMOVED_TEXTS), max_size=4, unique=True)):
        vr = DicomDictionary[tag][0]
        text = MARKED[""].upper() if vr in ("CS", "AE") else MARKED[own]
        dataset.add_new(tag, vr, text)
    for vr in draw(st.lists(st.sampled_from(sorted(PLANTED)), max_size=4, unique=True)):
        dataset.add_new(draw(st.sampled_from(PLANTED_TAGS[vr])), vr, PLANTED[vr])
    if depth:
        for tag in draw(st.lists(st.sampled_from(SEQUENCES), max_size=2, unique=True)):
            dataset.add_new(tag, "SQ", [draw(marked_items(own, depth - 1))])
    return dataset


@given(data=st.data(), declared=st.sampled_from(sorted(MARKED)))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_value_of_any_vr_in_any_character_set_survives_a_preset_that_removes_it(
    data: st.DataObject, declared: str
) -> None:
    dataset = data.draw(marked_items(declared, 3))
    dataset.SpecificCharacterSet = declared.split("\\") if declared else ""
    dataset.SOPClassUID, dataset.SOPInstanceUID = CLASSES[0], f"{ROOT}.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.2", f"{ROOT}.3"
    source = encode(dataset, data.draw(st.sampled_from(SYNTAXES)))
    for plan in REMOVING:
        result = run(source, plan)
        seen = everything(result)
        for marker in (DAY, RECORD, ROOT, BYTES.decode(), "zqxv", "ZQXVKY"):
            assert marker.encode() not in seen, (marker, plan.tags.policy.profile)
        for text in set(MARKED.values()):
            assert text.encode() not in seen, (text, plan.tags.policy.profile)
            assert text.encode("utf-16-le") not in seen


@given(source=instances())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_same_instance_gives_the_same_bytes_whatever_came_before(source: bytes) -> None:
    fresh = deid.compile_plan({**BASIC, "dicomveil": {"burnedIn": "pass"}}, KEY)
    assert run(source) == run(source, fresh)


@given(source=instances())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_de_identifying_again_changes_nothing(source: bytes) -> None:
    for plan in (PLAN, SHIFTING):
        once = run(source, plan)
        assert run(once, plan) == once


@given(
    uids=st.lists(
        st.from_regex(r"[1-9]\d{0,3}(\.(0|[1-9]\d{0,9})){1,6}", fullmatch=True),
        min_size=2,
        max_size=20,
        unique=True,
    )
)
def test_different_uids_stay_different_and_the_same_stay_the_same(uids: list[str]) -> None:
    replace = PLAN.tags.replacements.uid
    replaced = [replace(uid) for uid in uids]
    assert len(set(replaced)) == len(uids)
    assert [replace(uid) for uid in reversed(uids)] == replaced[::-1]


@given(tag=st.sampled_from(UID_TAGS), depth=st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_a_reference_points_where_the_instance_went_wherever_it_stands(
    tag: int, depth: int
) -> None:
    inner = Dataset()
    inner.add_new(tag, "UI", "1.2.3.4.5")
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedImageSequence = [inner]
        inner = outer
    dataset = Dataset()
    dataset.SOPClassUID = CLASSES[0]
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID = "1.2.3.1"
    dataset.SeriesInstanceUID = "1.2.3.2"
    dataset.SourceImageSequence = [inner]
    content = run(encode(dataset))
    assert PLAN.tags.replacements.uid("1.2.3.4.5").encode() in content
    assert b"1.2.3.4.5" not in content


@given(
    first=st.dates(date(1901, 1, 1), date(2099, 12, 31)),
    gap=st.integers(-40_000, 40_000),
    patient=st.text("ABC0123456789", min_size=1, max_size=10),
)
def test_intervals_hold_over_leap_years_and_centuries(first: date, gap: int, patient: str) -> None:
    second = first + timedelta(days=gap)
    dataset = Dataset()
    dataset.SOPClassUID = CLASSES[0]
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID = "1.2.3.1"
    dataset.SeriesInstanceUID = "1.2.3.2"
    dataset.PatientID = patient
    dataset.StudyDate = first.strftime("%Y%m%d")
    dataset.AcquisitionDateTime = second.strftime("%Y%m%d") + "235959.75"
    result = pydicom.dcmread(io.BytesIO(run(encode(dataset), SHIFTING)))
    moved = [
        date.fromisoformat(str(text)[:8]) for text in (result.StudyDate, result.AcquisitionDateTime)
    ]
    assert (moved[1] - moved[0]).days == gap
    assert moved[0] != first
    assert str(result.AcquisitionDateTime).endswith("235959.75")
