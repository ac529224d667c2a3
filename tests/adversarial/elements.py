"""Places that are single elements: those that the table lists, and all those that it does not."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom.dataset import Dataset

from deid.tables.load import confidentiality_by_tag
from tests.adversarial import values
from tests.adversarial.bases import code, item
from tests.adversarial.corpus import Draft, HidingPlace
from tests.adversarial.wire import element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHAPES: dict[str, Callable[[Draft, str], str]] = {
    "AE": Draft.capitals, "CS": Draft.capitals, "LO": Draft.name, "LT": Draft.sentence,
    "PN": Draft.name, "SH": Draft.surname, "ST": Draft.address, "UC": Draft.record,
    "UT": Draft.sentence, "UI": Draft.uid, "DA": Draft.date, "DT": Draft.moment, "TM": Draft.time,
    "IS": Draft.number, "DS": Draft.number, "UR": lambda draft, where: (
        f"https://archive.example/{draft.surname(where)}"
    ),
}  # fmt: skip
_BINARY = {"OB", "OW", "UN", "OB or OW", "OL", "OF", "OD", "OV"}
# What the service itself must keep to be able to work, or what is planted elsewhere on purpose.
_LEFT_OUT = {
    0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x7FE00010, 0x00120062, 0x00120063,
    0x00120064, 0x00280303, 0x00280301, 0x00080070, 0x00081090,
}  # fmt: skip
# Samples and measured numbers of any length: nothing tells a record number in them from a reading.
_READINGS = {
    0x54001010, 0x56000020, 0x00180070, 0x00181074, 0x00181242, 0x00541300, 0x00541310, 0x00541311,
    0x00541322, 0x00180084, 0x00188150,
}  # fmt: skip
_KIND_CYCLE = ("CT", "MR", "PET", "SC", "CR", "SR", "RTSTRUCT", "ECG")


def places() -> Iterator[HidingPlace]:
    """Yield the places of this family."""
    yield from _table()
    yield from _dictionary()
    yield from _own_values()
    yield from _picked()
    yield from _unknown()


def _table() -> Iterator[HidingPlace]:
    """Yield every row of Table E.1-1 that can hold text, a dozen in a file."""
    listed = confidentiality_by_tag()
    tags = [
        tag
        for tag in sorted(listed)
        if tag in DicomDictionary and tag >> 16 > 4 and tag not in _LEFT_OUT
        and not listed[tag].basic.startswith("K")
    ]  # fmt: skip
    kinds = cycle(_KIND_CYCLE)
    for number, some in enumerate(_chunks(tags, 16), 1):
        draft = Draft(f"table/{number:02d}", next(kinds))
        for tag in some:
            kept = _plant(draft, tag, DicomDictionary[tag][0])
            options = listed[tag].options
            if "retain_patient_characteristics" in options or DicomDictionary[tag][0] == "TM":
                draft.research_keeps(*kept)
        yield draft.finish()


def _dictionary() -> Iterator[HidingPlace]:
    """Yield every attribute of the data dictionary that the table does not name."""
    listed = confidentiality_by_tag()
    by_vr: dict[str, list[int]] = {}
    for tag, (vr, _vm, _name, _retired, keyword) in DicomDictionary.items():
        if (
            tag in listed
            or tag >> 16 in (0, 2, 4, 6)
            or tag in _LEFT_OUT | _READINGS
            or not keyword
        ):
            continue
        if tag >> 16 == 0x7FE0 or tag in (0x00280010, 0x00280011, 0x00280100):
            continue
        if vr in _SHAPES or vr in _BINARY:
            by_vr.setdefault(vr, []).append(tag)
    kinds = cycle(_KIND_CYCLE)
    for vr in sorted(by_vr):
        for number, some in enumerate(_chunks(sorted(by_vr[vr]), 32), 1):
            draft = Draft(f"dictionary/{vr.replace(' ', '-')}-{number:02d}", next(kinds))
            for tag in some:
                if tag in draft.dataset and draft.dataset[tag].VR in ("IS", "CS"):
                    continue
                planted = _plant(draft, tag, vr)
                if vr == "TM":
                    draft.research_keeps(*planted)
            yield draft.finish()
    # The same again one level down, where a tool may not descend.
    for vr in ("LO", "SH", "ST", "LT", "UT", "UC", "PN", "CS", "DA", "DT", "IS", "DS"):
        for number, some in enumerate(_chunks(sorted(by_vr[vr]), 96), 1):
            draft = Draft(f"dictionary-nested/{vr}-{number:02d}", next(kinds))
            inner = Dataset()
            for tag in some:
                _plant(draft, tag, vr, inner)
            draft.dataset.ReferencedSeriesSequence = [item(SourceImageSequence=[inner])]
            yield draft.finish()


def _own_values() -> Iterator[HidingPlace]:
    """Yield the person's own values, repeated in elements that have nothing to do with people."""
    where = (
        ("FilterType", 0x00181160, "SH"), ("ConvolutionKernel", 0x00181210, "SH"),
        ("SequenceName", 0x00180024, "SH"), ("ContrastBolusAgent", 0x00180010, "LO"),
        ("ManufacturerModelName", 0x00081090, "LO"), ("Manufacturer", 0x00080070, "LO"),
        ("ReceiveCoilName", 0x00181250, "SH"), ("SoftwareVersions", 0x00181020, "LO"),
        ("RescaleType", 0x00281054, "LO"), ("PositionReferenceIndicator", 0x00201040, "LO"),
        ("WindowCenterWidthExplanation", 0x00281055, "LO"), ("TypeOfFilters", 0x00181161, "LO"),
    )  # fmt: skip
    shapes = {
        "surname": values.OWN_SURNAME, "given": values.OWN_GIVEN, "id": values.OWN_ID,
        "physician": values.OWN_PHYSICIAN.partition("^")[0], "accession": values.OWN_ACCESSION,
        "operator": values.OWN_OPERATOR.partition("^")[0], "institution": values.OWN_INSTITUTION,
        "birth-date": values.OWN_BIRTH_DATE,
    }  # fmt: skip
    for name, value in shapes.items():
        for keyword, tag, vr in where:
            if vr == "SH" and len(value) > 16:
                continue
            draft = Draft(f"own/{name}-in-{keyword}", "MR" if tag == 0x00180024 else "CT")
            draft.add(tag, vr, draft.own(value, keyword))
            yield draft.finish()


def _picked() -> Iterator[HidingPlace]:
    """Yield elements that people really misuse."""
    for keyword, vr, shape in (
        ("LUTExplanation", "LO", Draft.sentence), ("SoftwareVersions", "LO", Draft.surname),
        ("ScanOptions", "CS", Draft.capitals), ("BodyPartExamined", "CS", Draft.capitals),
        ("ContrastBolusAgent", "LO", Draft.name), ("SegmentLabel", "LO", Draft.sentence),
        ("AcquisitionNumber", "IS", Draft.number), ("SeriesNumber", "IS", Draft.number),
        ("InstanceNumber", "IS", Draft.number), ("SliceLocation", "DS", Draft.number),
        ("PatientOrientation", "CS", Draft.capitals), ("PixelAspectRatio", "IS", Draft.number),
        ("WindowCenter", "DS", Draft.number), ("ExposureTime", "IS", Draft.number),
        ("CountsAccumulated", "IS", Draft.phone), ("KVP", "DS", Draft.number),
        ("MaskSelectionMode", "CS", Draft.capitals), ("ChannelLabel", "SH", Draft.surname),
    ):  # fmt: skip
        draft = Draft(f"picked/{keyword}")
        draft.add(keyword, vr, shape(draft, keyword))
        yield draft.finish()
    for third in ("name", "record", "date"):
        draft = Draft(f"picked/ImageType-{third}")
        value = {
            "name": Draft.capitals, "record": Draft.record, "date": Draft.date,
        }[third](draft, "ImageType")  # fmt: skip
        draft.add("ImageType", "CS", ["ORIGINAL", "PRIMARY", value])
        yield draft.finish()
    draft = Draft("picked/ImageType-keeps-what-is-standard")
    draft.add("ImageType", "CS", ["ORIGINAL", "PRIMARY", "AXIAL", draft.capitals("ImageType")])
    draft.keep("ConvolutionKernel", "B31f")
    yield draft.finish()
    yield from _codes()
    yield from _number_shapes()
    yield from _short_names()


def _codes() -> Iterator[HidingPlace]:
    for name, scheme, value in (
        ("local-99", "99KLINIK", "A1"), ("local-L", "L", "7"), ("standard-scheme", "DCM", "121322"),
        ("snomed", "SCT", "51185008"), ("no-scheme", "", "X"),
    ):  # fmt: skip
        draft = Draft(f"codes/meaning-{name}")
        meaning = draft.name("CodeMeaning").replace("^", " ")
        draft.dataset.AnatomicRegionSequence = [code(value, scheme, meaning)]
        yield draft.finish()
        draft = Draft(f"codes/own-name-meaning-{name}")
        meaning = f"chest of {draft.own(values.OWN_SURNAME, 'CodeMeaning')}"
        draft.dataset.AnatomicRegionSequence = [code(value, scheme, meaning)]
        yield draft.finish()
    draft = Draft("codes/value")
    draft.dataset.AnatomicRegionSequence = [code(draft.surname("CodeValue"), "99X", "Chest")]
    yield draft.finish()
    draft = Draft("codes/long-value")
    inner = code("1", "99X", "Chest")
    inner.LongCodeValue = draft.sentence("LongCodeValue")
    inner.URNCodeValue = f"urn:mrn:{draft.number('URNCodeValue')}"
    draft.dataset.AnatomicRegionSequence = [inner]
    yield draft.finish()
    draft = Draft("codes/record-number-as-value")
    draft.dataset.AnatomicRegionSequence = [code(draft.record("CodeValue"), "99X", "Chest")]
    yield draft.finish()
    draft = Draft("codes/digits-as-local-value")
    draft.dataset.AnatomicRegionSequence = [code(draft.number("CodeValue"), "99X", "Chest")]
    yield draft.finish()
    draft = Draft("codes/scheme-designator")
    draft.dataset.AnatomicRegionSequence = [
        code("1", draft.surname("CodingSchemeDesignator"), "Chest")
    ]
    yield draft.finish()
    draft = Draft("codes/coding-scheme-identification")
    draft.dataset.CodingSchemeIdentificationSequence = [
        item(
            CodingSchemeDesignator="99KLINIK",
            CodingSchemeName=f"Codes of {draft.surname('CodingSchemeName')}",
            CodingSchemeResponsibleOrganization=draft.surname("ResponsibleOrganization"),
            CodingSchemeUID=draft.uid("CodingSchemeUID"),
            CodingSchemeVersion=draft.surname("CodingSchemeVersion"),
        )
    ]
    yield draft.finish()
    draft = Draft("codes/keeps-standard-codes")
    draft.dataset.AnatomicRegionSequence = [code("51185008", "SCT", "Chest")]
    draft.dataset.PatientComments = draft.sentence("PatientComments")
    draft.keep("AnatomicRegionSequence[0].CodeMeaning", "Chest")
    draft.keep("AnatomicRegionSequence[0].CodeValue", "51185008")
    yield draft.finish()


def _number_shapes() -> Iterator[HidingPlace]:
    for name, shape in (
        ("plain", "{}"), ("signed", "+{}"), ("spaced", " {}"), ("decimal", "{}.0"), ("zeros", "0{}"),
        ("exponent", "{}E0"),
    ):  # fmt: skip
        draft = Draft(f"numbers/DS-{name}")
        draft.add("TableHeight", "DS", shape.format(draft.number("TableHeight")))
        yield draft.finish()
    draft = Draft("numbers/DS-among-others")
    draft.add("DetectorTemperature", "DS", "21.5")
    draft.add("WindowWidth", "DS", ["400", draft.number("WindowWidth")])
    yield draft.finish()
    draft = Draft("numbers/own-id-digits-in-IS")
    draft.dataset.PatientID = draft.own("4471", "PatientID") and "90871234"
    draft.planted.clear()
    draft.add("AcquisitionNumber", "IS", draft.own("90871234", "AcquisitionNumber"))
    yield draft.finish()
    draft = Draft("numbers/doses-and-counts-stay", "PET")
    information = draft.dataset.RadiopharmaceuticalInformationSequence[0]
    information.RadionuclideTotalDose = "370123457"
    draft.dataset.PatientComments = draft.sentence("PatientComments")
    draft.keep("RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose", "370123457")
    draft.keep("Units", "BQML")
    yield draft.finish()


def _short_names() -> Iterator[HidingPlace]:
    """Yield names of two or three letters, which look like abbreviations."""
    for keyword in ("LUTExplanation", "ContrastBolusAgent", "WindowCenterWidthExplanation"):
        draft = Draft(f"short-names/{keyword}")
        draft.dataset.PatientName = "Ngo^Quy"
        draft.add(keyword, "LO", draft.own("Ngo Quy", keyword))
        yield draft.finish()
    draft = Draft("short-names/ordinary-word-of-own-name")
    draft.dataset.PatientName = "Rosewaterly^Hand"
    draft.add("ContrastBolusAgent", "LO", f"for {draft.own('Rosewaterly', 'ContrastBolusAgent')}")
    yield draft.finish()


def _unknown() -> Iterator[HidingPlace]:
    """Yield elements that no dictionary has."""
    for tag in (0x00080FFE, 0x00100FF2, 0x00181FF4, 0x00280FF6, 0x32FE0010, 0x44440002, 0x7F000004):
        for vr in ("LO", "UN", "OB"):
            draft = Draft(f"unknown/{tag:08X}-{vr}")
            value = draft.sentence(f"{tag:08X}")
            draft.add(tag, vr, value if vr == "LO" else value.encode() + b" " * (len(value) % 2))
            yield draft.finish()
    for mask, (vr, _vm, name, _retired, _keyword) in RepeatersDictionary.items():
        if mask[:4] not in ("50xx", "60xx", "7Fxx", "1000", "1010", "0020", "0028"):
            continue
        if vr not in ("LO", "LT", "SH", "CS", "OB or OW", "US or OB", "IS", "DS"):
            continue
        tag = int(mask.replace("x", "2"), 16)
        draft = Draft(f"repeating/{mask}-{name[:24].strip().replace(' ', '-')}")
        text = draft.capitals(mask) if vr == "CS" else draft.surname(mask)
        if vr in ("IS", "DS"):
            draft.planted.clear()
            text = draft.number(mask)
        actual = vr.split(" or ")[-1]
        draft.raw(tag, element(tag, actual, text.encode()))
        yield draft.finish()
    for group in (0x0008, 0x0010, 0x0020, 0x0028):
        draft = Draft(f"group-length/{group:04X}-as-text")
        draft.raw(group << 16, element(group << 16, "LO", draft.surname("group length").encode()))
        yield draft.finish()


def _plant(draft: Draft, tag: int, vr: str, target: Dataset | None = None) -> list[str]:
    """Put a fitting value into an element; return its markers."""
    before = set(draft.planted)
    where = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    vr = vr if vr in _SHAPES or vr in _BINARY or vr == "SQ" else ""
    if vr == "SQ":
        inner = item(PatientName=draft.name(where), PatientComments=draft.sentence(where))
        draft.add(tag, "SQ", [inner], target)
    elif vr in _BINARY:
        text = draft.surname(where).encode()
        draft.add(tag, vr.split(" or ", maxsplit=1)[0], text + b"\x00" * (-len(text) % 8), target)
    elif vr:
        draft.add(tag, vr, _SHAPES[vr](draft, where), target)
    return [marker for marker in draft.planted if marker not in before]


def _chunks(tags: list[int], size: int) -> list[list[int]]:
    return [tags[start : start + size] for start in range(0, len(tags), size)]
