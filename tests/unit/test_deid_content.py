"""Content items under Clean Structured Content (PS3.15 E.3.4), row by row of Table E.3.4-1."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from deid.errors import Reason, Unsafe
from deid.tables.load import ContentRow, content_items
from tests.unit.test_deid_engine import instance, run

VALUE_KEYWORDS = {
    "TEXT": "TextValue",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "PNAME": "PersonName",
    "UIDREF": "UID",
    "CODE": "ConceptCodeSequence",
    "NUM": "MeasuredValueSequence",
    "IMAGE": "ReferencedSOPSequence",
    "COMPOSITE": "ReferencedSOPSequence",
    "WAVEFORM": "ReferencedSOPSequence",
    "CONTAINER": "ContentSequence",
}
ORIGINALS = {
    "TextValue": "Finding Quirinus",
    "Date": "20190225",
    "Time": "101112",
    "DateTime": "20190225101112",
    "PersonName": "Quirinus^Ottilie",
    "UID": "1.2.3.99",
}
CLEANING = "clean_structured_content"
ROWS = {f"{row.scheme}-{row.code}-{row.value_type}": row for row in content_items()}


def code(value: str, scheme: str, meaning: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def content_item(
    value_type: str, concept: tuple[str, str, str], children: tuple[Dataset, ...] = ()
) -> Dataset:
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = value_type
    item.ConceptNameCodeSequence = [code(*concept)]
    keyword = VALUE_KEYWORDS[value_type]
    match value_type:
        case "CODE":
            item.ConceptCodeSequence = [code("248152002", "SCT", "Female")]
        case "NUM":
            number = Dataset()
            number.NumericValue = "44"
            number.MeasurementUnitsCodeSequence = [code("a", "UCUM", "year")]
            item.MeasuredValueSequence = [number]
        case "IMAGE" | "COMPOSITE" | "WAVEFORM":
            reference = Dataset()
            reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            reference.ReferencedSOPInstanceUID = "1.2.3.77"
            item.ReferencedSOPSequence = [reference]
        case "CONTAINER":
            item.ContinuityOfContent = "SEPARATE"
            children = (content_item("TEXT", ("74711-3", "LN", "Unique Device Identifier")),)
        case _:
            setattr(item, keyword, ORIGINALS[keyword])
    if children:
        item.ContentSequence = list(children)
    return item


def report(*items: Dataset) -> Dataset:
    return instance(
        SOPClassUID=ComprehensiveSRStorage,
        Modality="SR",
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        ContentSequence=list(items),
    )


def item_of(row: ContentRow) -> Dataset:
    return content_item(row.value_type, (row.code, row.scheme, row.meaning))


def only_item(result: Dataset) -> Dataset | None:
    return next(iter(result.get("ContentSequence", ())), None)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_of_the_table_does_what_it_says_by_itself(row: ContentRow) -> None:
    item = only_item(run(report(item_of(row)), ExplicitVRLittleEndian, CLEANING))
    if row.basic == "X":
        assert item is None
        return
    assert item is not None
    keyword = VALUE_KEYWORDS[row.value_type]
    if keyword in ORIGINALS:
        assert str(item[keyword].value) not in ("", ORIGINALS[keyword])
    assert "1.2.3.77" not in str(item)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        (name, option)
        for name, row in ROWS.items()
        for option, verb in row.options.items()
        if verb == "K"
    ],
)
def test_an_option_that_keeps_keeps_the_value(name: str, option: str) -> None:
    row = ROWS[name]
    original = item_of(row)
    item = only_item(run(report(original), ExplicitVRLittleEndian, CLEANING, option))
    assert item is not None
    keyword = VALUE_KEYWORDS[row.value_type]
    if keyword in ORIGINALS:
        assert item[keyword].value == original[keyword].value
    elif row.value_type == "NUM":
        assert item.MeasuredValueSequence[0].NumericValue == 44
    elif row.value_type == "CODE":
        assert item.ConceptCodeSequence[0].CodeMeaning == "Female"
    elif keyword == "ReferencedSOPSequence":
        assert item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.77"


@pytest.mark.parametrize("name", [n for n, row in ROWS.items() if "C" in row.options.values()])
def test_what_is_cleaned_stays_without_what_identifies(name: str) -> None:
    row = ROWS[name]
    options = CLEANING, "clean_descriptors", "retain_modified_dates"
    result = run(report(item_of(row)), ExplicitVRLittleEndian, *options)
    item = only_item(result)
    assert item is not None
    if row.value_type == "TEXT":
        assert item.TextValue == "Finding [PERSON_NAME]"
    elif row.value_type == "TIME":
        assert item.Time == "101112"
    else:
        keyword = VALUE_KEYWORDS[row.value_type]
        moved = str(item[keyword].value)
        assert moved != ORIGINALS[keyword]
        assert moved[8:] == ORIGINALS[keyword][8:]


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize("is_undefined", [False, True], ids=["defined", "undefined"])
def test_an_item_goes_with_the_items_it_contains_in_every_encoding(
    syntax: str, *, is_undefined: bool
) -> None:
    inner = content_item("TEXT", ("121071", "DCM", "Finding"))
    gone = content_item("TEXT", ("121022", "DCM", "Accession Number"), (inner,))
    stays = content_item("NUM", ("410668003", "SCT", "Length"))
    container = content_item("CONTAINER", ("121070", "DCM", "Findings"))
    container.ContentSequence = [gone, stays]
    source = report(container)
    for element in (source, container, gone):
        element["ContentSequence"].is_undefined_length = is_undefined
        for item in element.ContentSequence:
            item.is_undefined_length_sequence_item = is_undefined
    result = run(source, syntax, CLEANING)
    left = result.ContentSequence[0].ContentSequence
    assert [item.ConceptNameCodeSequence[0].CodeMeaning for item in left] == ["Length"]


def test_items_that_others_refer_to_by_position_stay_with_dummies() -> None:
    refers = Dataset()
    refers.RelationshipType = "INFERRED FROM"
    refers.ReferencedContentItemIdentifier = [1, 2]
    last = content_item("NUM", ("410668003", "SCT", "Length"))
    last.ContentSequence = [refers]
    result = run(
        report(
            content_item("TEXT", ("121022", "DCM", "Accession Number")),
            content_item("TEXT", ("121071", "DCM", "Finding")),
            last,
        ),
        ExplicitVRLittleEndian,
        CLEANING,
    )
    assert len(result.ContentSequence) == 3
    assert result.ContentSequence[0].TextValue == "REMOVED"
    assert result.ContentSequence[2].ContentSequence[0].ReferencedContentItemIdentifier == [1, 2]


def test_a_content_sequence_that_lost_all_its_items_goes_too() -> None:
    gone = content_item("TEXT", ("121022", "DCM", "Accession Number"))
    container = content_item("CONTAINER", ("121070", "DCM", "Findings"))
    container.ContentSequence = [gone]
    result = run(report(container), ExplicitVRLittleEndian, CLEANING)
    assert "ContentSequence" not in result.ContentSequence[0]


def test_an_identifier_goes_whatever_value_type_it_is_given() -> None:
    item = content_item("NUM", ("121022", "DCM", "Accession Number"))
    assert only_item(run(report(item), ExplicitVRLittleEndian, CLEANING)) is None


def test_a_concept_of_another_value_type_follows_the_ordinary_rules() -> None:
    item = only_item(
        run(
            report(content_item("CODE", ("121071", "DCM", "Finding"))),
            ExplicitVRLittleEndian,
            CLEANING,
        )
    )
    assert item is not None
    assert item.ConceptCodeSequence[0].CodeMeaning == "Female"


def test_an_accession_number_in_the_content_is_not_left_elsewhere() -> None:
    item = content_item("TEXT", ("121022", "DCM", "Accession Number"))
    item.TextValue = "QX77301"
    source = report(item)
    source.Manufacturer = "QX77301"
    result = run(source, ExplicitVRLittleEndian, CLEANING)
    assert "QX77301" not in str(result)


@pytest.mark.parametrize(
    ("number", "unit", "stays"),
    [
        ("93", "a", False),
        ("89", "a", True),
        ("100", "mo", True),
        ("1100", "mo", False),
        ("40", "x", False),
    ],
)
def test_an_age_over_89_years_is_not_kept(number: str, unit: str, stays: bool) -> None:
    item = content_item("NUM", ("121033", "DCM", "Subject Age"))
    measured = item.MeasuredValueSequence[0]
    measured.NumericValue = number
    measured.MeasurementUnitsCodeSequence = [code(unit, "UCUM", unit)]
    options = CLEANING, "retain_patient_characteristics"
    kept = only_item(run(report(item), ExplicitVRLittleEndian, *options))
    assert kept is not None
    numbers = [str(each.NumericValue) for each in kept.MeasuredValueSequence]
    assert numbers == ([number] if stays else [])


@pytest.mark.parametrize("number", ["12345678", "350712345.5", "98765432.1"])
def test_a_measurement_of_many_digits_stays(number: str) -> None:
    item = content_item("NUM", ("118565006", "SCT", "Volume"))
    item.MeasuredValueSequence[0].NumericValue = number
    kept = only_item(run(report(item), ExplicitVRLittleEndian, CLEANING))
    assert kept is not None
    assert str(kept.MeasuredValueSequence[0].NumericValue) == number


def test_a_whole_number_as_long_as_a_record_number_is_refused_rather_than_falsified() -> None:
    item = content_item("NUM", ("118565006", "SCT", "Volume"))
    item.MeasuredValueSequence[0].NumericValue = "350712345"
    with pytest.raises(Unsafe) as refused:
        run(report(item), ExplicitVRLittleEndian, CLEANING)
    assert refused.value.reason is Reason.RESIDUAL_IDENTIFIER
    assert refused.value.where.endswith("(0040,A30A)")


def test_acquisition_context_and_specimen_preparation_are_content_too() -> None:
    step = Dataset()
    step.SpecimenPreparationStepContentItemSequence = [
        content_item("TEXT", ("121041", "DCM", "Specimen Identifier")),
        content_item("CODE", ("111701", "DCM", "Processing type")),
    ]
    specimen = Dataset()
    specimen.SpecimenPreparationSequence = [step]
    source = instance(
        AcquisitionContextSequence=[
            content_item("TEXT", ("109054", "DCM", "Patient State")),
            content_item("CODE", ("109054", "DCM", "Patient State")),
        ],
        SpecimenDescriptionSequence=[specimen],
    )
    result = run(source, ExplicitVRLittleEndian, CLEANING)
    assert [item.ValueType for item in result.AcquisitionContextSequence] == ["CODE"]
    prepared = result.SpecimenDescriptionSequence[0].SpecimenPreparationSequence[0]
    kept = prepared.SpecimenPreparationStepContentItemSequence
    assert [item.ValueType for item in kept] == ["CODE"]


def test_a_context_item_without_a_value_type_has_the_strictest_fate_of_its_name() -> None:
    item = content_item("TEXT", ("109054", "DCM", "Patient State"))
    del item.ValueType
    result = run(instance(AcquisitionContextSequence=[item]), ExplicitVRLittleEndian, CLEANING)
    assert not result.AcquisitionContextSequence


def test_without_the_option_contents_become_dummies() -> None:
    item = only_item(
        run(report(content_item("TEXT", ("121071", "DCM", "Finding"))), ExplicitVRLittleEndian)
    )
    assert item is not None
    assert item.TextValue == "REMOVED"
