"""The sections of `explain`, against what the engine does with an instance."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, UltrasoundImageStorage

import deid
from deid.configuration.explain import explain
from deid.errors import ConfigurationInvalid, Reason
from deid.tables.load import content_items

KEY = deid.SiteKey(bytes(range(32)))
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
PRESETS = Path(__file__).parents[2] / "config" / "deidentifiers"


def basic(**ours: Any) -> dict[str, Any]:
    return {**BASIC, "dicomveil": ours}


def said(configuration: dict[str, Any], title: str) -> str:
    [section] = [each for each in explain(configuration).sections if each.title == title]
    return " ".join(section.sentences)


def deidentified(configuration: dict[str, Any], **attributes: Any) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = attributes.pop("SOPClassUID", CTImageStorage)
    dataset.SOPInstanceUID, dataset.StudyInstanceUID = "1.2.3.4", "1.2.3.1"
    dataset.SeriesInstanceUID, dataset.Modality = "1.2.3.2", "CT"
    dataset.PatientName, dataset.PatientID = "Zimmermann^Quirin", "4711-MRN"
    dataset.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "CHEST")
    referenced = Dataset()
    referenced.ReferencedSOPInstanceUID = "1.2.3.4"
    dataset.ReferencedImageSequence = [referenced]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    source = buffer.getvalue()
    result = deid.deidentify(source, deid.compile_plan(configuration, KEY))
    out = b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )
    return pydicom.dcmread(io.BytesIO(out))


@pytest.mark.parametrize(
    "configuration",
    [
        BASIC,
        basic(options=["retain_uids"]),
        {"dicom": {**BASIC["dicom"], "skipIdRedaction": True}},
        {"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}},
        {"dicom": {"filterProfile": "KEEP_ALL_PROFILE", "skipIdRedaction": True}},
        {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}},
    ],
)
def test_what_is_said_of_uids_is_done_and_references_follow(configuration: dict[str, Any]) -> None:
    sentence = said(configuration, "The patient, dates and UIDs")
    result = deidentified(configuration)
    stays = result.SOPInstanceUID == "1.2.3.4"
    assert stays == ("UIDs stay" in sentence)
    assert stays != ("replaced by keyed ones" in sentence)
    [referenced] = result.ReferencedImageSequence
    assert referenced.ReferencedSOPInstanceUID == result.SOPInstanceUID


@pytest.mark.parametrize(
    "configuration",
    [
        BASIC,
        basic(options=["retain_safe_private"]),
        basic(
            options=["retain_safe_private"],
            safePrivate=[{"creator": "ACME", "group": "0029", "element": "01"}],
        ),
        {"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}},
        {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}},
        {"dicom": {"filterProfile": "MINIMAL_KEEP_LIST_PROFILE"}},
    ],
)
def test_what_is_said_of_private_elements_is_done(configuration: dict[str, Any]) -> None:
    sentence = said(configuration, "Private elements")
    result = deidentified(configuration)
    stays = any(element.tag.is_private for element in result)
    assert stays == ("whatever they hold" in sentence or "(0029,xx01) of ACME" in sentence)


@pytest.mark.parametrize(
    ("configuration", "passes"),
    [(BASIC, False), (basic(burnedIn="pass"), True), (basic(burnedIn="quarantine"), False)],
)
def test_what_is_said_to_be_put_aside_is(configuration: dict[str, Any], passes: bool) -> None:
    sentence = said(configuration, "Put aside instead of passed on")
    assert ("passed on all the same" in sentence) == passes
    if passes:
        deidentified(configuration, SOPClassUID=UltrasoundImageStorage, Modality="US")
        return
    with pytest.raises(deid.Unsafe) as caught:
        deidentified(configuration, SOPClassUID=UltrasoundImageStorage, Modality="US")
    assert caught.value.reason is Reason.PIXELS_NOT_CLEANED


@pytest.mark.parametrize("choice", ["quarantine", "pass"])
def test_what_is_said_of_unknown_sop_classes_is_done(choice: str) -> None:
    sentence = said(basic(unknownSopClass=choice), "Put aside instead of passed on")
    assert ("register are passed on" in sentence) == (choice == "pass")


def test_only_the_basic_profile_is_said_and_set_to_have_removed_identity() -> None:
    for name in ("basic", "minimal", "keep_all_pixels_only", "tag_contents"):
        configuration = json.loads((PRESETS / f"{name}.json").read_text())
        configuration.pop("image", None)
        sentence = said(configuration, "In every result")
        marked = deidentified(configuration).get("PatientIdentityRemoved") == "YES"
        assert marked == ("is YES" in sentence)


def test_a_sites_own_list_is_named_before_anything_else() -> None:
    configuration = {
        "dicomTagConfig": {
            "actions": [
                {"queries": ["PatientSex", "RequestAttributesSequence.StudyID"], "keepTag": {}},
                {"queries": ["DA"], "removeTag": {}},
            ]
        }
    }
    sentence = said(configuration, "Before anything else, by your own list")
    assert "Kept: (0010,0040) Patient's Sex, (0020,0010) Study ID in (0040,0275)" in sentence
    assert "Emptied: every DA" in sentence
    result = deidentified(configuration, PatientSex="F", AcquisitionDate="20190101")
    assert result.PatientSex == "F"
    assert result.AcquisitionDate == ""


def test_leniencies_are_told_in_words_with_their_path() -> None:
    configuration = {"tag_filter_profile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}
    assert said(configuration, "How your configuration was understood") == (
        "tag_filter_profile stands outside dicom; understood as dicom.filterProfile."
    )
    assert explain(configuration).warnings == ("stray_tag_filter_profile: tag_filter_profile",)


def test_text_transformations_are_named_as_they_are_applied() -> None:
    configuration = {
        "dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"},
        "text": {
            "additionalTransformations": [
                {"infoTypes": ["PERSON_NAME"], "characterMaskConfig": {}},
            ],
            "excludeInfoTypes": ["AGE"],
        },
    }
    sentence = said(configuration, "Text")
    assert "PERSON_NAME: masked" in sentence
    assert "Never touched: AGE" in sentence
    result = deidentified(configuration, ImageComments="Dr. Blorg, a 95-year-old, 2019-02-25")
    assert result.ImageComments.startswith("Dr. *****, a 95-year-old, ")
    assert "2019-02-25" not in result.ImageComments


def test_a_transformation_that_another_precedes_is_not_named() -> None:
    configuration = {
        "dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"},
        "text": {
            "additionalTransformations": [{"infoTypes": ["PERSON_NAME"], "redactConfig": {}}],
            "transformations": [{"infoTypes": ["PERSON_NAME", "URL"], "characterMaskConfig": {}}],
        },
    }
    sentence = said(configuration, "Text")
    assert "PERSON_NAME: taken out" in sentence
    assert "URL: masked" in sentence
    assert "PERSON_NAME, URL" not in sentence
    result = deidentified(configuration, ImageComments="Dr. Blorg, www.blorg.example.org")
    assert result.ImageComments == f"Dr. {'*' * len('www.blorg.example.org')}"


def test_what_is_excluded_is_not_said_to_be_transformed() -> None:
    configuration = {
        "dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"},
        "text": {
            "transformations": [{"infoTypes": ["DATE"], "dateShiftConfig": {}}],
            "excludeInfoTypes": ["DATE"],
        },
    }
    assert "move" not in said(configuration, "The patient, dates and UIDs")
    assert "DATE: " not in said(configuration, "Text").replace("Never touched: DATE", "")
    assert deidentified(configuration, StudyDate="20190225").StudyDate == "20190225"


@pytest.mark.parametrize("transformation", ["redactConfig", "dateShiftConfig"])
def test_dates_are_said_to_move_only_where_they_do(transformation: str) -> None:
    configuration = {
        "dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"},
        "text": {"transformations": [{"infoTypes": ["DATE"], transformation: {}}]},
    }
    moved = deidentified(configuration, StudyDate="20190225").StudyDate != ""
    assert moved == ("Dates move" in said(configuration, "The patient, dates and UIDs"))
    assert "dates move" not in said(configuration, "Text")


def test_dates_of_birth_are_said_to_go_where_they_do() -> None:
    configuration: dict[str, Any] = {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}}
    assert "Dates of birth do not move" in said(configuration, "Text")
    assert deidentified(configuration, PatientBirthDate="19710203").PatientBirthDate == ""
    configuration["text"] = {
        "transformations": [{"infoTypes": ["DATE", "DATE_OF_BIRTH"], "dateShiftConfig": {}}]
    }
    assert "Dates of birth" not in said(configuration, "Text")
    moved = deidentified(configuration, PatientBirthDate="19710203").PatientBirthDate
    assert moved not in ("", "19710203")


def test_a_name_that_is_kept_is_not_said_to_be_a_pseudonym() -> None:
    configuration = {
        "dicomTagConfig": {"actions": [{"queries": ["PatientName"], "keepTag": {}}]},
    }
    sentence = said(configuration, "The patient, dates and UIDs")
    assert sentence.startswith("Patient ID becomes")
    result = deidentified(configuration)
    assert result.PatientName == "Zimmermann^Quirin"
    assert result.PatientID != "4711-MRN"


def test_primary_uids_are_named_apart_where_they_fare_apart() -> None:
    configuration = {
        "dicomTagConfig": {"actions": [{"queries": ["StudyInstanceUID"], "keepTag": {}}]},
    }
    sentence = said(configuration, "The patient, dates and UIDs")
    assert "Study UIDs stay" in sentence
    assert "Series and instance UIDs are replaced" in sentence
    result = deidentified(configuration)
    assert result.StudyInstanceUID == "1.2.3.1"
    assert result.SeriesInstanceUID != "1.2.3.2"


def test_an_identifier_that_is_kept_does_not_put_aside() -> None:
    configuration = {"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}}
    sentence = said(configuration, "Put aside instead of passed on")
    assert "an identifier that these rules remove" in sentence
    result = deidentified(configuration, StudyDescription="CT Zimmermann")
    assert result.StudyDescription == "CT Zimmermann"


def test_the_document_for_machines_says_the_same() -> None:
    explanation = explain(BASIC)
    document = json.loads(json.dumps(explanation.document()))
    assert len(document["elements"]) == len(explanation.elements)
    assert document["elements"][20]["saying"] in explanation.elements[20].line()
    assert all(element.line() in "\n".join(explanation.lines()) for element in explanation.elements)


def test_a_wrong_configuration_is_not_explained() -> None:
    with pytest.raises(ConfigurationInvalid):
        explain({})


def test_a_certificate_that_is_none_is_not_explained_away() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"certificates\[0\] is not a certificate"):
        explain(basic(encryptedAttributes={"certificates": ["-----BEGIN CERX-----"]}))


def test_structured_content_is_explained_row_by_row_where_it_is_cleaned() -> None:
    configuration = {**BASIC, "dicomveil": {"options": ["clean_structured_content"]}}
    titles = [section.title for section in explain(BASIC).sections]
    section = next(s for s in explain(configuration).sections if s.title == "Structured content")
    assert "Structured content" not in titles
    assert len(section.sentences) == 1 + len(content_items())
    assert any(
        sentence == "Accession Number (DCM 121022, TEXT): removed with what it contains."
        for sentence in section.sentences
    )


@pytest.mark.parametrize(
    ("configuration", "dicom", "fhir"),
    [
        (BASIC, "are covered", "put aside as not_configured"),
        ({"dicomTagConfig": {}, "fhir": {}}, "are covered", "are covered"),
        ({"fhirFieldConfig": {}}, "put aside as not_configured", "are covered"),
        ({"text": {}}, "put aside as not_configured", "put aside as not_configured"),
    ],
)
def test_it_says_first_what_is_covered(
    configuration: dict[str, Any], dicom: str, fhir: str
) -> None:
    explanation = explain(configuration)
    first = explanation.sections[0]
    assert first.title == "What it covers"
    assert dicom in first.sentences[0]
    assert fhir in first.sentences[1]
    assert explanation.document()["covers"] == [
        kind for kind, said in (("dicom", dicom), ("fhir", fhir)) if said == "are covered"
    ]


def test_of_elements_nothing_is_said_where_dicom_is_not_covered() -> None:
    explanation = explain({"fhir": {}, "image": {"textRedactionMode": "REDACT_ALL_TEXT"}})
    assert explanation.elements == ()
    assert not any("Element by element" in line for line in explanation.lines())
    assert [section.title for section in explanation.sections] == [
        "What it covers",
        "Resources",
        "How your configuration was understood",
    ]


@pytest.mark.parametrize(
    "configuration",
    [{"fhir": {}}, {"text": {}}, {"image": {"textRedactionMode": "REDACT_ALL_TEXT"}}],
)
def test_an_instance_that_is_not_covered_is_refused(configuration: dict[str, Any]) -> None:
    with pytest.raises(deid.Unsafe) as refused:
        deidentified(configuration)
    assert refused.value.reason is Reason.NOT_CONFIGURED


def test_what_is_no_dicom_is_called_that_whatever_is_covered() -> None:
    with pytest.raises(deid.Unsafe) as refused:
        deid.deidentify(bytes(500), deid.compile_plan({"fhir": {}}, KEY))
    assert refused.value.reason is Reason.NOT_DICOM
