"""Configurations as documentation and tutorials print them: each runs and does what it says."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

import deid
from deid.configuration.document import parse_configuration, parse_configuration_text

if TYPE_CHECKING:
    from deid.identity.shifts import Shift

KEY = deid.SiteKey(bytes(range(32)))
KEY16 = "MDEyMzQ1Njc4OWFiY2RlZg=="
BASIC = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"


def instance(**attributes: Any) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    dataset.FrameOfReferenceUID = "1.2.3.9"
    dataset.Modality, dataset.PatientSex, dataset.PatientAge = "CT", "F", "045Y"
    dataset.PatientName, dataset.PatientID = "Zimmermann^Quirin", "4711-MRN"
    dataset.PatientBirthDate, dataset.StudyDate = "19710203", "20190225"
    dataset.StudyDescription = "CT CHEST Zimmermann"
    dataset.ImageComments = "Dr. Blorg, 2019-02-25, call 212-555-0147"
    dataset.Rows, dataset.Columns = 4, 4
    item = Dataset()
    item.ScheduledProcedureStepID, item.PatientName = "STEP-77", "Zimmermann^Quirin"
    dataset.RequestAttributesSequence = [item]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def run(configuration: dict[str, Any], **attributes: Any) -> Dataset:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, instance(**attributes), enforce_file_format=True)
    source = buffer.getvalue()
    result = deid.deidentify(source, deid.compile_plan(configuration, KEY))
    out = b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )
    return pydicom.dcmread(io.BytesIO(out))


def keywords(dataset: Dataset) -> set[str]:
    return {element.keyword for element in dataset}


def test_a_keep_list_as_the_client_sends_it() -> None:
    result = run(
        {
            "dicom": {"keepList": {"tags": ["PatientID"]}},
            "image": {"textRedactionMode": "REDACT_ALL_TEXT"},
            "text": {
                "transformations": [
                    {"infoTypes": ["DATE"], "dateShiftConfig": {"cryptoKey": KEY16}}
                ]
            },
        }
    )
    assert result.PatientID == "4711-MRN"
    assert keywords(result) - {"DeidentificationMethod"} == {
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "PatientID",
        "Rows",
        "Columns",
    }
    assert result.SOPInstanceUID != "1.2.3.4"


def test_a_keep_list_of_a_date_with_a_date_shift_shifts_it() -> None:
    shift = {"infoTypes": ["DATE"], "dateShiftConfig": {"cryptoKey": KEY16}}
    configuration = {
        "dicom": {"keepList": {"tags": ["StudyDate", "PatientSex"]}},
        "text": {"transformations": [shift]},
    }
    first, second = run(configuration), run(configuration, StudyDate="20190228")
    assert first.PatientSex == "F"
    assert first.StudyDate != "20190225"
    assert pydicom.valuerep.DA(second.StudyDate) is not None
    days = pydicom.valuerep.DA(second.StudyDate) - pydicom.valuerep.DA(first.StudyDate)
    assert days.days == 3


def test_a_date_shift_follows_its_own_key_alone() -> None:
    def shifted(key: str, site: deid.SiteKey) -> Shift:
        plan = deid.compile_plan(
            {
                "dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"},
                "text": {
                    "transformations": [
                        {"infoTypes": ["DATE"], "dateShiftConfig": {"cryptoKey": key}}
                    ]
                },
            },
            site,
        )
        return plan.tags.replacements.shift("|P1")

    other = deid.SiteKey(bytes(range(1, 33)))
    assert shifted(KEY16, KEY) == shifted(KEY16, other)
    assert shifted(KEY16, KEY) != shifted("AAECAwQFBgcICQoLDA0ODw==", KEY)


def test_a_remove_list_removes_what_it_names_only() -> None:
    result = run({"dicom": {"removeList": {"tags": ["PatientName", "00100030"]}}})
    assert "PatientName" not in result
    assert "PatientBirthDate" not in result
    assert result.PatientID == "4711-MRN"
    assert "PatientName" not in result.RequestAttributesSequence[0]
    assert result.StudyInstanceUID != "1.2.3.1"


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("profile", ["KEEP_ALL_PROFILE", "MINIMAL_KEEP_LIST_PROFILE", BASIC])
def test_skip_id_redaction_is_about_the_primary_uids(profile: str, skip: bool) -> None:
    result = run({"dicom": {"filterProfile": profile, "skipIdRedaction": skip}})
    assert (result.SOPInstanceUID == "1.2.3.4") == skip
    assert (result.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4") == skip
    assert (result.StudyInstanceUID == "1.2.3.1") == skip
    assert (result.SeriesInstanceUID == "1.2.3.2") == skip


def test_tag_contents_with_each_transformation() -> None:
    result = run(
        {
            "dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"},
            "text": {
                "additionalTransformations": [
                    {"infoTypes": ["PERSON_NAME"], "replaceWithInfoTypeConfig": {}},
                    {"infoTypes": ["PHONE_NUMBER"], "redactConfig": {}},
                    {
                        "infoTypes": ["MEDICAL_RECORD_NUMBER"],
                        "cryptoHashConfig": {"cryptoKey": KEY16},
                    },
                    {"infoTypes": ["DATE"], "dateShiftConfig": {}},
                ]
            },
        }
    )
    assert result.PatientName == "[PERSON_NAME]"
    assert len(result.PatientID) == 44
    assert result.StudyDescription == "CT CHEST [PERSON_NAME]"
    assert result.ImageComments.startswith("Dr. [PERSON_NAME], ")
    assert "0147" not in result.ImageComments
    assert result.PatientBirthDate == ""
    assert result.StudyDate not in ("", "20190225")
    assert result.PatientSex == "F"


def test_actions_in_order_as_a_challenge_used_them() -> None:
    texts = ["AE", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "DA", "DT", "AS"]
    configuration = {
        "dicomTagConfig": {
            "profileType": "KEEP_ALL_PROFILE",
            "options": {"primaryIds": "REGEN"},
            "actions": [
                {"queries": ["PatientID", "00080060"], "keepTag": {}},
                {"queries": ["PatientBirthDate"], "removeTag": {}},
                {"queries": ["ImageComments"], "deleteTag": {}},
                {"queries": ["SQ"], "recurseTag": {}},
                {"queries": ["UI"], "regenUidTag": {}},
                {"queries": texts, "cleanTextTag": {}},
            ],
        },
        "text": {"profileType": "BASIC"},
    }
    result = run(configuration)
    assert result.PatientID == "4711-MRN"
    assert result.PatientBirthDate == ""
    assert "ImageComments" not in result
    assert result.PatientName == "[PERSON_NAME]"
    assert result.RequestAttributesSequence[0].PatientName == "[PERSON_NAME]"
    assert result.FrameOfReferenceUID.startswith("2.25.")
    assert result.SOPClassUID == CTImageStorage
    assert result.StudyDate not in ("", "20190225")


def test_an_earlier_action_goes_before_a_later_one() -> None:
    def actions(*verbs: str) -> dict[str, Any]:
        return {
            "dicomTagConfig": {"actions": [{"queries": ["PatientSex"], verb: {}} for verb in verbs]}
        }

    assert run(actions("keepTag", "deleteTag")).PatientSex == "F"
    assert "PatientSex" not in run(actions("deleteTag", "keepTag"))


def test_a_path_keeps_an_element_of_a_sequence_and_nothing_else_of_it() -> None:
    query = "RequestAttributesSequence.ScheduledProcedureStepID"
    result = run(
        {
            "dicomTagConfig": {
                "profileType": "MINIMAL_KEEP_LIST_PROFILE",
                "actions": [{"queries": [query], "keepTag": {}}],
            }
        }
    )
    [item] = result.RequestAttributesSequence
    assert keywords(item) == {"ScheduledProcedureStepID"}


def test_reset_puts_placeholders() -> None:
    result = run(
        {
            "dicomTagConfig": {
                "profileType": "KEEP_ALL_PROFILE",
                "actions": [{"queries": ["PatientName", "StudyDate"], "resetTag": {}}],
            }
        }
    )
    assert result.PatientName == "REMOVED^"
    assert result.StudyDate == "19000101"


def test_clean_descriptors_marks_what_the_header_knows() -> None:
    result = run({"dicomTagConfig": {"options": {"cleanDescriptors": {}}}})
    assert result.StudyDescription == "CT CHEST [CTX]"


def test_a_filter_profile_with_a_keep_list_keeps_the_listed_and_rules_the_rest() -> None:
    result = run({"dicom": {"filterProfile": BASIC, "keepList": {"tags": ["PatientSex"]}}})
    assert result.PatientSex == "F"
    assert result.PatientName != "Zimmermann^Quirin"
    assert "PatientAge" not in result


def test_single_quoted_json_with_a_stray_profile_as_tutorials_print_it() -> None:
    text = (
        "{'tag_filter_profile': 'DEIDENTIFY_TAG_CONTENTS', 'text': {'transformations': [{'info_types':"
        " ['PERSON_NAME'], 'character_mask_config': {'masking_character': ''}}]}}"
    )
    parsed = parse_configuration_text(text)
    assert [warning.split(":")[0] for warning in parsed.warnings] == [
        "single_quoted_json",
        "stray_tag_filter_profile",
        "empty_masking_character",
    ]
    assert parsed.text is not None
    assert parsed.text.transformations[0].masking_character == "*"


def test_what_is_excluded_from_cleaning_is_not_put_aside_for_standing_there() -> None:
    result = run(
        {
            "dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"},
            "text": {"excludeInfoTypes": ["PERSON_NAME"]},
        }
    )
    assert result.PatientName == "Zimmermann^Quirin"
    assert result.StudyDescription == "CT CHEST Zimmermann"


def _patient_id(issuer: str, **attributes: str) -> str:
    ours = {"dicomveil": {"identityIssuer": issuer}} if issuer else {}
    return str(run({"dicom": {"filterProfile": BASIC}, **ours}, **attributes).PatientID)


def test_an_issuer_is_assumed_where_none_is_given() -> None:
    assert _patient_id("A") == _patient_id("A", IssuerOfPatientID="A")
    assert _patient_id("A") == _patient_id("B", IssuerOfPatientID="A")
    assert _patient_id("A") != _patient_id("A", IssuerOfPatientID="B")


def test_issuers_that_differ_in_case_or_spaces_are_one() -> None:
    assert _patient_id("A", IssuerOfPatientID="St Mary") == _patient_id(
        "A", IssuerOfPatientID=" ST  MARY "
    )


def test_instances_with_and_without_an_issuer_are_about_one_patient_unless_the_site_names_its_own() -> (
    None
):
    without = _patient_id("")
    assert _patient_id("", IssuerOfPatientID="A") == without
    assert _patient_id("", IssuerOfPatientID="B") == without


def test_parts_about_fhir_change_nothing() -> None:
    dicom = {"dicom": {"filterProfile": BASIC}}
    with_fhir = {**dicom, "fhir": {"fieldMetadataList": [{"paths": ["Patient.name"]}]}}
    assert parse_configuration(with_fhir).tags == parse_configuration(dicom).tags
