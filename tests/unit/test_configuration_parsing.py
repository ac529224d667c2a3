"""`DeidentifyConfig`, both versions, and our own fields: what each says, and what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from deid.configuration.coverage import Coverage
from deid.configuration.document import Parsed, parse_configuration, parse_configuration_text
from deid.configuration.problems import MOST
from deid.errors import ConfigurationInvalid
from deid.pixels.policy import RedactionMode
from deid.tags.policy import BurnedIn, Option, Profile, TagOverride
from deid.text.policy import Transformation

KEY16 = bytes(range(16))
PRESETS = Path(__file__).parents[2] / "config" / "deidentifiers"
BASIC = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"
CONTENTS = {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}}


def problems(configuration: Any, version: str | None = None) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as caught:
        parse_configuration(configuration, version)
    return caught.value.problems


def codes(parsed: Parsed) -> list[str]:
    return [warning.split(":")[0] for warning in parsed.warnings]


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        (BASIC, Profile.BASIC),
        ("MINIMAL_KEEP_LIST_PROFILE", Profile.MINIMAL),
        ("KEEP_ALL_PROFILE", Profile.KEEP_ALL),
        ("DEIDENTIFY_TAG_CONTENTS", Profile.TAG_CONTENTS),
        ("TAG_FILTER_PROFILE_UNSPECIFIED", Profile.KEEP_ALL),
    ],
)
def test_each_filter_profile_of_v1_is_understood(name: str, profile: Profile) -> None:
    assert parse_configuration({"dicom": {"filterProfile": name}}).tags.profile is profile


def test_v1_keeps_all_by_default_and_says_so() -> None:
    parsed = parse_configuration({"dicom": {}})
    assert parsed.tags.profile is Profile.KEEP_ALL
    assert codes(parsed) == ["keeps_all_tags_by_default"]


def test_v1beta1_is_basic_by_default() -> None:
    parsed = parse_configuration({"dicomTagConfig": {}})
    assert parsed.tags.profile is Profile.BASIC
    assert parsed.warnings == ()


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"dicom": None},
        {"useRegionalDataProcessing": True},
        {"operationMetadata": {"fhirOutput": {"fhirStore": "projects/p"}}},
        {"dicomveil": {"burnedIn": "pass"}},
    ],
)
def test_a_configuration_that_names_no_section_is_refused(configuration: dict[str, Any]) -> None:
    assert "names no profile" in problems(configuration)[0]


@pytest.mark.parametrize(
    ("configuration", "covers"),
    [
        ({"dicom": {}}, {Coverage.DICOM}),
        ({"dicomTagConfig": {}}, {Coverage.DICOM}),
        ({"tag_filter_profile": BASIC}, {Coverage.DICOM}),
        ({"dicom": {}, "text": {}, "image": {}}, {Coverage.DICOM}),
        ({"fhir": {}}, {Coverage.FHIR}),
        ({"fhirFieldConfig": {"profileType": "BASIC"}}, {Coverage.FHIR}),
        ({"fhir_field_config": {}, "text": {}}, {Coverage.FHIR}),
        ({"fhir": {}, "dicomTagConfig": {}}, {Coverage.DICOM, Coverage.FHIR}),
        ({"text": {"excludeInfoTypes": ["DATE"]}}, set()),
        ({"image": {"textRedactionMode": "REDACT_ALL_TEXT"}}, set()),
        ({"text": {}, "image": {}, "dicomveil": {"burnedIn": "pass"}}, set()),
    ],
)
def test_what_is_covered_follows_from_the_sections(
    configuration: dict[str, Any], covers: set[Coverage]
) -> None:
    parsed = parse_configuration(configuration)
    assert parsed.covers == covers
    assert ("dicom_not_covered" in codes(parsed)) == (Coverage.DICOM not in covers)


def test_where_dicom_is_not_covered_the_sections_that_are_there_are_checked_all_the_same() -> None:
    [problem] = problems({"text": {"excludeInfoTypes": ["DATUM"]}})
    assert problem.startswith("text.excludeInfoTypes[0]")
    [problem] = problems({"image": {"textRedactionMode": "REDACT_EVERYTHING"}})
    assert problem.startswith("image.textRedactionMode")
    [problem] = problems({"fhir": {"nonsense": 1}})
    assert problem.startswith("fhir.nonsense")


def test_where_dicom_is_not_covered_no_detector_is_asked_for_and_the_strictest_profile_stands_by() -> (
    None
):
    parsed = parse_configuration({"image": {"textRedactionMode": "REDACT_ALL_TEXT"}, "text": {}})
    assert not parsed.image.looks
    assert parsed.text is None
    assert parsed.tags.profile is Profile.BASIC


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"destinationStore": "projects/p/locations/l/datasets/d/dicomStores/s"},
        {"destinationDataset": "projects/p/locations/l/datasets/d"},
        {"destination_store": "s", "source_store": "t"},
        {"destinationStore": "s", "filterConfig": {}, "skipModifiedResources": False},
    ],
)
def test_the_body_of_a_request_stands_for_the_configuration_in_it(beside: dict[str, Any]) -> None:
    configuration = {"dicom": {"filterProfile": BASIC}, "image": {}}
    parsed = parse_configuration({**beside, "config": configuration})
    assert parsed.tags == parse_configuration(configuration).tags
    assert parsed.warnings == ("request_body: config",)


def test_the_body_of_a_request_from_single_quoted_text_is_understood_too() -> None:
    parsed = parse_configuration_text("{'destinationStore': 's', 'config': {'dicomTagConfig': {}}}")
    assert codes(parsed) == ["single_quoted_json", "request_body"]


@pytest.mark.parametrize(
    "limit",
    [
        {"filterConfig": {"resourcePathsGcsUri": "gs://bucket/list"}},
        {"resourceFilter": {"resources": {"resources": ["Patient/1"]}}},
        {"skipModifiedResources": True},
    ],
)
def test_what_would_limit_a_request_is_said_to_have_no_effect(limit: dict[str, Any]) -> None:
    parsed = parse_configuration({"config": {"dicomTagConfig": {}}, **limit})
    assert parsed.warnings == (
        "request_body: config",
        f"request_limits_not_applied: {next(iter(limit))}",
    )


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"destinationStore": "s"}, "the request has no config"),
        ({"destinationStore": "s", "config": None}, "the request has no config"),
        ({"destinationStore": "s", "config": []}, "the configuration must be an object"),
        ({"destinationStore": 1, "config": {"dicom": {}}}, "destinationStore must be a string"),
        ({"destinationStor": "s", "config": {"dicom": {}}}, "did you mean destinationStore?"),
        ({"config": {"dicom": {}}, "gcsConfigUri": "gs://b/o"}, "gcsConfigUri names a document"),
        ({"destinationStore": "s", "config": {}}, "names no profile"),
        ({"config": {"dicom": {}}, "dicom": {}}, "config is a field of a request"),
        ({"config": {"config": {"dicom": {}}, "dicom": {}}}, "config is a field of a request"),
        ({"config": {"dicom": {"filterProfil": BASIC}}}, "dicom.filterProfil"),
    ],
)
def test_what_is_wrong_with_the_body_of_a_request_is_said(
    body: dict[str, Any], problem: str
) -> None:
    assert problem in " | ".join(problems(body))


def test_snake_case_names_say_the_same() -> None:
    camel = {"dicom": {"filterProfile": BASIC, "skipIdRedaction": True}}
    snake = {"dicom": {"filter_profile": BASIC, "skip_id_redaction": True}}
    assert parse_configuration(camel) == parse_configuration(snake)


def test_a_field_given_in_both_spellings_is_refused() -> None:
    given = {"dicom": {"filterProfile": BASIC, "filter_profile": BASIC}}
    assert problems(given) == [
        "dicom.filter_profile is dicom.filterProfile again; keep one",
    ]


def test_null_is_unset() -> None:
    given = {"dicom": {"filterProfile": BASIC, "keepList": None}, "text": None, "image": None}
    assert parse_configuration(given) == parse_configuration({"dicom": {"filterProfile": BASIC}})


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"dicm": {}}, "dicm is not a known field; did you mean dicom?"),
        (
            {"dicom": {"filterProfil": BASIC}},
            "dicom.filterProfil is not a known field; did you mean dicom.filterProfile?",
        ),
        (
            {"dicom": {"filterProfile": "BASIC_PROFILE"}},
            f"dicom.filterProfile has no choice of that name; did you mean {BASIC}?",
        ),
        ({"dicom": []}, "dicom must be an object, not a list"),
        (
            {"dicom": {"skipIdRedaction": "true"}},
            "dicom.skipIdRedaction must be true or false, not a string",
        ),
        (
            {"dicom": {"keepList": {"tags": "PatientID"}}},
            "dicom.keepList.tags must be a list, not a string",
        ),
        (
            {"dicom": {"keepList": {"tags": ["PatientId"]}}},
            "dicom.keepList.tags[0] names no data element; did you mean PatientID?",
        ),
        (
            {"dicom": {"keepList": {"tags": ["0010002"]}}},
            "dicom.keepList.tags[0] names no data element; give a keyword or eight hex digits",
        ),
        (
            {**CONTENTS, "text": {"excludeInfoTypes": ["PERSON_NAMES"]}},
            "text.excludeInfoTypes[0] is no infoType that is detected here; did you mean PERSON_NAME?",
        ),
        (
            {**CONTENTS, "text": {"additionalTransformations": [{"infoTypes": ["DATE"]}]}},
            (
                "text.additionalTransformations[0] sets none of redactConfig, characterMaskConfig,"
                " dateShiftConfig, cryptoHashConfig, replaceWithInfoTypeConfig; exactly one is needed"
            ),
        ),
        (
            {
                **CONTENTS,
                "text": {"transformations": [{"redactConfig": {}, "dateShiftConfig": {}}]},
            },
            "text.transformations[0] sets redactConfig and dateShiftConfig; only one of them may be set",
        ),
        (
            {"dicomTagConfig": {"actions": [{"queries": ["PatientID"]}]}},
            (
                "dicomTagConfig.actions[0] sets none of keepTag, removeTag, deleteTag, resetTag,"
                " cleanTextTag, cleanImageTag, recurseTag, regenUidTag; exactly one is needed"
            ),
        ),
        (
            {"dicomTagConfig": {"actions": [{"queries": [], "keepTag": {}}]}},
            "dicomTagConfig.actions[0].queries names nothing; list tags, keywords, VRs or paths",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_path_and_the_nearest_choice(
    configuration: dict[str, Any], said: str
) -> None:
    assert said in problems(configuration)


def test_every_problem_is_named_not_only_the_first() -> None:
    found = problems(
        {
            "dicom": {"filterProfile": "NONE", "keeplist": {}},
            "image": {"textRedactionMode": "ALL"},
            "dicomveil": {"options": ["retain_everything"]},
        }
    )
    assert [problem.split(" ")[0] for problem in found] == [
        "dicom.filterProfile",
        "dicom.keeplist",
        "image.textRedactionMode",
        "dicomveil.options[0]",
    ]


def test_tag_filters_exclude_each_other() -> None:
    both: dict[str, Any] = {"dicom": {"keepList": {"tags": []}, "removeList": {"tags": []}}}
    profile: dict[str, Any] = {"dicom": {"filterProfile": BASIC, "removeList": {"tags": []}}}
    assert "only one of" in problems(both)[0]
    assert "only one of" in problems(profile)[0]


def test_v1_and_v1beta1_tags_together_are_refused() -> None:
    assert "keep one" in problems({"dicom": {"filterProfile": BASIC}, "dicomTagConfig": {}})[0]


@pytest.mark.parametrize(
    "configuration",
    [
        {"dicomTagConfig": {}},
        {**CONTENTS, "text": {"profileType": "BASIC"}},
        {**CONTENTS, "image": {"textRedactionMode": "REDACT_SENSITIVE_TEXT_CLEAN_DESCRIPTORS"}},
        {
            **CONTENTS,
            "image": {
                "textRedactionMode": "REDACT_SENSITIVE_TEXT",
                "additionalInfoTypes": ["URL"],
            },
        },
    ],
)
def test_what_only_v1beta1_has_is_refused_when_v1_is_asked_for(
    configuration: dict[str, Any],
) -> None:
    parse_configuration(configuration)
    parse_configuration(configuration, "v1beta1")
    assert problems(configuration, "v1")


# --------------------------------------------------------------------- lists


def test_a_keep_list_keeps_what_it_names_beside_what_an_instance_needs() -> None:
    parsed = parse_configuration({"dicom": {"keepList": {"tags": ["PatientID", "00100040"]}}})
    assert parsed.tags.profile is Profile.MINIMAL
    assert parsed.tags.overrides == (TagOverride("keep", frozenset({0x00100020, 0x00100040})),)
    assert parsed.tags.regenerate_primary_ids is True


def test_primary_uids_in_a_keep_list_are_regenerated_all_the_same() -> None:
    tags = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PixelData", "Rows"]
    assert parse_configuration({"dicom": {"keepList": {"tags": tags}}}).tags.overrides == ()


def test_a_private_element_is_kept_with_its_creator() -> None:
    parsed = parse_configuration({"dicom": {"keepList": {"tags": ["0009100a"]}}})
    assert parsed.tags.overrides[0].tags == {0x0009100A, 0x00090010}


def test_skip_id_redaction_leaves_the_primary_uids() -> None:
    given = {"dicom": {"filterProfile": BASIC, "skipIdRedaction": True}}
    assert parse_configuration(given).tags.regenerate_primary_ids is False


def test_a_remove_list_removes_what_it_names_and_overlay_data() -> None:
    parsed = parse_configuration({"dicom": {"removeList": {"tags": ["PatientName"]}}})
    assert parsed.tags.profile is Profile.KEEP_ALL
    [override] = parsed.tags.overrides
    assert override.verb == "delete"
    assert {0x00100010, 0x60003000, 0x60FE3000} <= override.tags


def test_what_an_instance_needs_cannot_be_in_a_remove_list() -> None:
    [problem] = problems({"dicom": {"removeList": {"tags": ["Rows"]}}})
    assert "(0028,0010)" in problem


def test_text_with_a_keep_list_cleans_the_kept_dates_and_leaves_what_it_does_not_name() -> None:
    parsed = parse_configuration(
        {
            "dicom": {"keepList": {"tags": ["PatientID", "StudyDate", "Modality"]}},
            "text": {"transformations": [{"infoTypes": ["DATE"], "dateShiftConfig": {}}]},
        }
    )
    assert parsed.tags.overrides == (
        TagOverride("clean_text", frozenset({0x00100020, 0x00080020})),
        TagOverride("keep", frozenset({0x00080060})),
    )
    assert parsed.text is not None
    assert not parsed.text.basic


# --------------------------------------------------------------------- v1beta1 actions


def test_actions_become_overrides_in_the_order_given() -> None:
    given = {
        "dicomTagConfig": {
            "profileType": "KEEP_ALL_PROFILE",
            "actions": [
                {"queries": ["PatientID", "0010001F", "0010001f"], "keepTag": {}},
                {"queries": ["PN", "DA"], "cleanTextTag": {}},
                {"queries": ["UI"], "regenUidTag": {}},
                {"queries": ["SQ"], "recurseTag": {}},
                {"queries": ["AccessionNumber"], "removeTag": {}},
                {"queries": ["StudyID"], "deleteTag": {}},
                {"queries": ["DeviceSerialNumber"], "resetTag": {}},
            ],
        }
    }
    parsed = parse_configuration(given)
    assert [each.verb for each in parsed.tags.overrides] == [
        "keep",
        "clean_text",
        "regen_uid",
        "recurse",
        "empty",
        "delete",
        "reset",
    ]
    assert parsed.tags.overrides[0].tags == {0x00100020, 0x0010001F}
    assert parsed.tags.overrides[1].vrs == {"PN", "DA"}
    assert parsed.text is not None


@pytest.mark.parametrize("separator", [".", "/"])
def test_a_path_names_an_element_within_a_sequence_and_opens_the_way_to_it(separator: str) -> None:
    query = f"RequestAttributesSequence{separator}00400007"
    given = {
        "dicomTagConfig": {
            "profileType": "MINIMAL_KEEP_LIST_PROFILE",
            "actions": [{"queries": [query], "keepTag": {}}],
        }
    }
    keep, way = parse_configuration(given).tags.overrides
    assert keep.paths == {(0x00400275, 0x00400007)}
    assert way == TagOverride("recurse", paths=frozenset({(0x00400275,)}))


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"queries": ["PatientSex"], "cleanTextTag": {}}, "has VR CS"),
        ({"queries": ["PatientID"], "regenUidTag": {}}, "has VR LO"),
        ({"queries": ["PatientID"], "recurseTag": {}}, "has VR LO"),
        ({"queries": ["OverlayData"], "cleanImageTag": {}}, "PixelData alone"),
        ({"queries": ["SOPInstanceUID"], "deleteTag": {}}, "cannot be removed"),
        ({"queries": ["SOPClassUID"], "regenUidTag": {}}, "names a kind of object"),
        ({"queries": ["PatientID.StudyID"], "keepTag": {}}, "no sequence"),
    ],
)
def test_an_action_that_cannot_be_done_is_refused(action: dict[str, Any], said: str) -> None:
    assert said in problems({"dicomTagConfig": {"actions": [action]}})[0]


def test_options_of_v1beta1_are_understood() -> None:
    parsed = parse_configuration(
        {
            "dicomTagConfig": {
                "options": {
                    "primaryIds": "KEEP",
                    "cleanDescriptors": {},
                    "cleanImage": {"textRedactionMode": "REDACT_ALL_TEXT"},
                }
            }
        }
    )
    assert parsed.tags.regenerate_primary_ids is False
    assert parsed.tags.options == {Option.CLEAN_DESCRIPTORS}
    assert parsed.text is not None
    assert parsed.text.contextual
    assert parsed.text.strict
    assert parsed.image.mode is RedactionMode.ALL
    assert parsed.tags.burned_in is BurnedIn.CLEAN


def test_an_image_action_goes_before_the_image_option() -> None:
    given = {
        "dicomTagConfig": {
            "options": {"cleanImage": {"textRedactionMode": "REDACT_ALL_TEXT"}},
            "actions": [
                {
                    "queries": ["PixelData"],
                    "cleanImageTag": {"textRedactionMode": "REDACT_SENSITIVE_TEXT"},
                }
            ],
        }
    }
    assert parse_configuration(given).image.mode is RedactionMode.SENSITIVE


def test_clean_descriptors_over_keep_all_cleans_what_the_table_says() -> None:
    given = {
        "dicomTagConfig": {
            "profileType": "KEEP_ALL_PROFILE",
            "options": {"cleanDescriptors": {}},
        }
    }
    [override] = parse_configuration(given).tags.overrides
    assert override.verb == "clean_text"
    assert 0x00081030 in override.tags


# --------------------------------------------------------------------- image


@pytest.mark.parametrize(
    ("image", "mode"),
    [
        ({}, RedactionMode.NONE),
        ({"textRedactionMode": "TEXT_REDACTION_MODE_UNSPECIFIED"}, RedactionMode.NONE),
        ({"textRedactionMode": "REDACT_NO_TEXT"}, RedactionMode.NONE),
        ({"textRedactionMode": "REDACT_ALL_TEXT"}, RedactionMode.ALL),
        ({"additionalInfoTypes": ["URL"]}, RedactionMode.SENSITIVE),
    ],
)
def test_image_modes_are_understood(image: dict[str, Any], mode: RedactionMode) -> None:
    parsed = parse_configuration({"dicom": {"filterProfile": BASIC}, "image": image})
    assert parsed.image.mode is mode


@pytest.mark.parametrize(
    "image",
    [
        {"textRedactionMode": "REDACT_ALL_TEXT", "additionalInfoTypes": ["URL"]},
        {"excludeInfoTypes": ["URL"]},
        {"customRegexes": [{"pattern": "("}]},
        {"customRegexes": [{"pattern": "a*"}]},
        {"customRegexes": [{"pattern": "(a)", "groupIndexes": [2]}]},
    ],
)
def test_an_image_configuration_that_makes_no_sense_is_refused(image: dict[str, Any]) -> None:
    assert problems({"dicom": {"filterProfile": BASIC}, "image": image})


@pytest.mark.parametrize(
    ("number", "profile"),
    [
        (0, Profile.KEEP_ALL),
        (1, Profile.MINIMAL),
        (2, Profile.BASIC),
        (3, Profile.KEEP_ALL),
        (4, Profile.TAG_CONTENTS),
    ],
)
def test_a_choice_may_be_given_by_its_number(number: int, profile: Profile) -> None:
    parsed = parse_configuration({"dicom": {"filterProfile": number}})
    assert parsed.tags.profile is profile
    assert "enum_by_number: dicom.filterProfile" in parsed.warnings


@pytest.mark.parametrize("number", [-1, 5, 2.0, True])
def test_a_number_that_is_no_choice_is_refused(number: Any) -> None:
    assert "dicom.filterProfile has no choice" in problems({"dicom": {"filterProfile": number}})[0]


def test_choices_of_ours_have_no_numbers() -> None:
    given = {"dicom": {"filterProfile": BASIC}, "dicomveil": {"burnedIn": 1}}
    assert "dicomveil.burnedIn has no choice" in problems(given)[0]


@pytest.mark.parametrize("written", ["(0010,0010)", "0010,0010", "(0010, 0010)"])
def test_a_tag_may_be_written_as_the_standard_prints_it(written: str) -> None:
    parsed = parse_configuration({"dicom": {"removeList": {"tags": [written]}}})
    assert any(0x00100010 in override.tags for override in parsed.tags.overrides)
    assert codes(parsed) == ["tag_as_printed"]


def test_a_repeating_group_may_be_written_as_the_standard_prints_it() -> None:
    parsed = parse_configuration(
        {"dicomTagConfig": {"actions": [{"queries": ["(60xx,3000)"], "deleteTag": {}}]}}
    )
    assert parsed.tags.overrides[0].tags >= {0x60003000, 0x60FE3000}


def test_a_path_may_hold_tags_as_the_standard_prints_them() -> None:
    query = "RequestAttributesSequence.(0040,0009)"
    parsed = parse_configuration(
        {"dicomTagConfig": {"actions": [{"queries": [query], "keepTag": {}}]}}
    )
    assert parsed.tags.overrides[0].paths == {(0x00400275, 0x00400009)}


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_names_no_element(name: str) -> None:
    assert "names no data element" in problems({"dicom": {"keepList": {"tags": [name]}}})[0]


@pytest.mark.parametrize("name", ["patientname", "PATIENTNAME", "Patient's Name", "patient_name"])
def test_a_keyword_of_another_spelling_is_refused_and_the_right_one_named(name: str) -> None:
    [problem] = problems({"dicom": {"keepList": {"tags": [name]}}})
    assert problem.endswith("did you mean PatientName?")


def test_a_vr_in_small_letters_is_refused_and_the_right_one_named() -> None:
    given = {"dicomTagConfig": {"actions": [{"queries": ["pn"], "keepTag": {}}]}}
    assert problems(given)[0].endswith("did you mean PN?")


@pytest.mark.parametrize("name", ["CommandField", "FileSetID", "ImplementationVersionName"])
def test_keeping_what_no_data_set_holds_gives_a_warning(name: str) -> None:
    parsed = parse_configuration({"dicom": {"keepList": {"tags": [name, "PatientID"]}}})
    assert codes(parsed) == ["file_meta_is_rebuilt"]


def test_a_verb_that_is_null_is_none() -> None:
    action = {"queries": ["PatientID"], "keepTag": None}
    assert "sets none of" in problems({"dicomTagConfig": {"actions": [action]}})[0]
    text = {"transformations": [{"infoTypes": ["DATE"], "redactConfig": None}]}
    assert "sets none of" in problems({**CONTENTS, "text": text})[0]


def test_two_transformations_of_one_list_for_one_kind_are_refused() -> None:
    first: dict[str, Any] = {"redactConfig": {}}
    second: dict[str, Any] = {"replaceWithInfoTypeConfig": {}}
    both = [{**first, "infoTypes": ["PERSON_NAME"]}, {**second, "infoTypes": ["LAST_NAME"]}]
    [problem] = problems({**CONTENTS, "text": {"transformations": both}})
    assert problem == (
        "text.transformations[1] is for PERSON_NAME, and so is text.transformations[0]; keep one"
    )
    assert "every kind" in problems({**CONTENTS, "text": {"transformations": [first, second]}})[0]
    apart = {"transformations": [first], "additionalTransformations": [second]}
    assert parse_configuration({**CONTENTS, "text": apart}).text is not None


def test_an_info_type_in_small_letters_is_refused_and_the_right_one_named() -> None:
    given = {**CONTENTS, "text": {"excludeInfoTypes": ["person_name"]}}
    assert problems(given)[0].endswith("did you mean PERSON_NAME?")


def test_integers_may_be_strings() -> None:
    image = {
        "textRedactionMode": "REDACT_SENSITIVE_TEXT",
        "customRegexes": [{"pattern": "(a)(b)", "groupIndexes": ["1", 2.0]}],
    }
    parsed = parse_configuration({"dicom": {"filterProfile": BASIC}, "image": image})
    assert parsed.image.custom_regexes[0].group_indexes == (1, 2)


# --------------------------------------------------------------------- text


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padded", [True, False])
def test_a_key_is_base64_of_either_alphabet(encode: Any, padded: bool) -> None:
    key = bytes([251, 255] * 8)
    given = encode(key).decode()
    hashing = {"cryptoHashConfig": {"cryptoKey": given if padded else given.rstrip("=")}}
    parsed = parse_configuration({**CONTENTS, "text": {"transformations": [hashing]}})
    assert parsed.text is not None
    assert parsed.text.transformations[0].key == key
    assert given not in repr(parsed)


@pytest.mark.parametrize("key", ["", "AAAA", "not base64!", 5])
def test_a_key_of_another_size_or_kind_is_refused(key: Any) -> None:
    shift = {"dateShiftConfig": {"cryptoKey": key}}
    assert problems({**CONTENTS, "text": {"transformations": [shift]}})


def test_a_wrapped_key_is_refused_and_the_way_out_named() -> None:
    wrapped = {"kmsWrapped": {"cryptoKey": "projects/p", "wrappedKey": "AAAA"}}
    [problem] = problems({**CONTENTS, "text": {"transformations": [{"cryptoHashConfig": wrapped}]}})
    assert problem.startswith("text.transformations[0].cryptoHashConfig.kmsWrapped ")
    assert "cryptoKey" in problem
    assert "site key" in problem


def test_each_transformation_is_understood() -> None:
    given = [
        {"infoTypes": ["DATE"], "dateShiftConfig": {}},
        {"infoTypes": ["PERSON_NAME"], "characterMaskConfig": {"maskingCharacter": "#"}},
        {"infoTypes": ["URL"], "redactConfig": {}},
        {"infoTypes": ["AGE"], "cryptoHashConfig": {}},
        {"replaceWithInfoTypeConfig": {}},
    ]
    parsed = parse_configuration({**CONTENTS, "text": {"additionalTransformations": given}})
    assert parsed.text is not None
    assert [each.transformation for each in parsed.text.transformations] == [
        Transformation.DATE_SHIFT,
        Transformation.MASK,
        Transformation.REDACT,
        Transformation.CRYPTO_HASH,
        Transformation.REPLACE_WITH_INFO_TYPE,
    ]
    assert parsed.text.transformations[1].masking_character == "#"


def test_a_narrower_info_type_is_transformed_as_the_wider_and_not_excluded_as_it() -> None:
    transforming = {"transformations": [{"infoTypes": ["LAST_NAME"], "redactConfig": {}}]}
    parsed = parse_configuration({**CONTENTS, "text": transforming})
    assert parsed.text is not None
    assert parsed.text.transformations[0].info_types == {"PERSON_NAME"}
    assert "wider" in problems({**CONTENTS, "text": {"excludeInfoTypes": ["LAST_NAME"]}})[0]


def test_date_shifts_with_different_keys_are_refused() -> None:
    key = base64.b64encode(KEY16).decode()
    given = [
        {"infoTypes": ["DATE"], "dateShiftConfig": {"cryptoKey": key}},
        {"infoTypes": ["DATE_OF_BIRTH"], "dateShiftConfig": {}},
    ]
    assert "one key" in problems({**CONTENTS, "text": {"transformations": given}})[0]


def test_text_that_nothing_uses_gives_a_warning() -> None:
    parsed = parse_configuration({"dicom": {"filterProfile": BASIC}, "text": {}})
    assert parsed.text is None
    assert codes(parsed) == ["text_is_not_used"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"dicom": {"keepList": {"tags": ["x"] * 1000}}},
        {"dicom": {}, "text": {"excludeInfoTypes": ["x"] * 1000}},
        {"fhir": {"fieldMetadataList": [{"paths": ["x"], "action": "TRANSFORM"}] * 1000}},
        {f"x{number}": 1 for number in range(1000)},
    ],
)
def test_of_very_many_mistakes_the_first_are_told_and_that_there_are_more(
    wrong: dict[str, Any],
) -> None:
    told = problems(wrong)
    assert len(told) == MOST + 1
    assert "more" in told[-1]


def test_regional_processing_has_the_documented_incompatibilities() -> None:
    regional = {**CONTENTS, "useRegionalDataProcessing": True}
    assert "LOCATION" in problems(regional)[0]
    parse_configuration({**regional, "text": {"excludeInfoTypes": ["LOCATION"]}})
    image = {"image": {"textRedactionMode": "REDACT_SENSITIVE_TEXT"}}
    excluding = {**regional, "text": {"excludeInfoTypes": ["LOCATION"]}, **image}
    assert "image" in problems(excluding)[0]
    parse_configuration(excluding, "v1")


@pytest.mark.parametrize(
    "part",
    [
        {"fhir": {"fieldMetadataList": [{"paths": ["Patient.name"], "action": "TRANSFORM"}]}},
        {"fhirFieldConfig": {"fieldMetadataList": [{"paths": ["Id"], "cryptoHashField": {}}]}},
    ],
)
def test_parts_about_fhir_are_checked(part: dict[str, Any]) -> None:
    assert codes(parse_configuration({"dicomTagConfig": {}, **part})) == []
    assert problems({"dicomTagConfig": {}, next(iter(part)): {"nonsense": 1}})


def test_where_a_request_puts_resources_is_said_not_to_apply() -> None:
    part = {"operationMetadata": {"fhirOutput": {"fhirStore": "projects/p"}}}
    assert codes(parse_configuration({"dicomTagConfig": {}, **part})) == ["not_applied"]


# --------------------------------------------------------------------- ours


def test_our_fields_are_understood() -> None:
    parsed = parse_configuration(
        {
            "dicom": {"filterProfile": BASIC},
            "dicomveil": {
                "options": ["retain_safe_private", "retain_uids"],
                "burnedIn": "pass",
                "unknownSopClass": "pass",
                "safePrivate": [{"creator": "ACME 1.1", "group": "0029", "element": "0A"}],
                "identityIssuer": "HOSPITAL",
            },
        }
    )
    assert parsed.tags.options == {Option.RETAIN_SAFE_PRIVATE, Option.RETAIN_UIDS}
    assert parsed.tags.burned_in is BurnedIn.PASS
    assert parsed.tags.safe_private == {("ACME 1.1", 0x29, 0x0A): ""}
    assert parsed.tags.identity_issuer == "HOSPITAL"


def test_custom_info_types_can_be_transformed_by_name() -> None:
    parsed = parse_configuration(
        {
            **CONTENTS,
            "text": {"transformations": [{"infoTypes": ["TRIAL"], "redactConfig": {}}]},
            "dicomveil": {"customInfoTypes": [{"name": "TRIAL", "pattern": r"TRL-\d+"}]},
        }
    )
    assert parsed.text is not None
    assert parsed.text.custom[0].info_type == "TRIAL"


@pytest.mark.parametrize(
    "ours",
    [
        {"options": ["retain_full_dates", "retain_modified_dates"]},
        {"safePrivate": [{"creator": "A", "group": "0029", "element": "0A"}]},
        {
            "options": ["retain_safe_private"],
            "safePrivate": [{"creator": "A", "group": "0028", "element": "0A"}],
        },
        {
            "options": ["retain_safe_private"],
            "safePrivate": [{"creator": "A", "group": "0029", "element": "0A", "vr": "XX"}],
        },
        {"burnedIn": "clean"},
        {"customInfoTypes": [{"name": "trial", "pattern": "x"}]},
        {"customInfoTypes": [{"name": "TRIAL", "pattern": "("}]},
    ],
)
def test_contradictions_and_half_said_things_of_ours_are_refused(ours: dict[str, Any]) -> None:
    assert problems({"dicom": {"filterProfile": BASIC}, "dicomveil": ours})


@pytest.mark.parametrize("pattern", [r"(?<=a)b", r"(a)\1", "(", "[b-a]"])
def test_what_re2_does_not_know_is_refused_in_its_words(pattern: str) -> None:
    given = {"dicomveil": {"customInfoTypes": [{"name": "TRIAL", "pattern": pattern}]}}
    (said,) = problems({"dicom": {"filterProfile": BASIC}, **given})
    assert said.startswith(
        "dicomveil.customInfoTypes[0].pattern is not a regular expression of RE2: "
    )


def test_options_need_the_basic_profile() -> None:
    given = {"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}}
    assert "Basic" in problems({**given, "dicomveil": {"options": ["retain_uids"]}})[0]


# --------------------------------------------------------------------- leniencies


def test_a_filter_profile_with_a_keep_list_keeps_the_listed_and_warns() -> None:
    given = {"dicom": {"filterProfile": BASIC, "keepList": {"tags": ["PatientSex"]}}}
    parsed = parse_configuration(given)
    assert parsed.tags.profile is Profile.BASIC
    assert parsed.tags.overrides == (TagOverride("keep", frozenset({0x00100040})),)
    assert codes(parsed) == ["filter_profile_with_keep_list"]


@pytest.mark.parametrize("name", ["tag_filter_profile", "tagFilterProfile"])
def test_a_stray_filter_profile_is_understood_and_warned_about(name: str) -> None:
    parsed = parse_configuration({name: BASIC})
    assert parsed.tags.profile is Profile.BASIC
    assert codes(parsed) == ["stray_tag_filter_profile"]
    same = {name: BASIC, "dicom": {"filterProfile": BASIC}}
    assert parse_configuration(same).tags.profile is Profile.BASIC
    assert problems({name: BASIC, "dicom": {"filterProfile": "KEEP_ALL_PROFILE"}})
    assert problems({name: "NOTHING"})


def test_an_empty_masking_character_is_an_asterisk_and_warned_about() -> None:
    mask = {"characterMaskConfig": {"maskingCharacter": ""}}
    parsed = parse_configuration({**CONTENTS, "text": {"transformations": [mask]}})
    assert parsed.text is not None
    assert parsed.text.transformations[0].masking_character == "*"
    assert codes(parsed) == ["empty_masking_character"]


@pytest.mark.parametrize("character", ["**", "\\", "^", "=", "\n"])
def test_a_masking_character_that_separates_values_is_refused(character: str) -> None:
    mask = {"characterMaskConfig": {"maskingCharacter": character}}
    assert problems({**CONTENTS, "text": {"transformations": [mask]}})


def test_single_quoted_json_is_understood_and_warned_about() -> None:
    text = "{'dicom': {'filterProfile': '" + BASIC + "', 'skipIdRedaction': true}}"
    parsed = parse_configuration_text(text)
    assert parsed.tags.profile is Profile.BASIC
    assert parsed.tags.regenerate_primary_ids is False
    assert codes(parsed) == ["single_quoted_json"]


def test_a_printed_python_dictionary_with_quotes_within_is_understood() -> None:
    given = {
        "dicom": {"filterProfile": BASIC, "skipIdRedaction": False, "keepList": None},
        "dicomveil": {"identityIssuer": 'St. Mary\'s "A" \\ B'},
    }
    assert parse_configuration_text(str(given)).tags == parse_configuration(given).tags


def test_a_name_given_twice_in_one_object_is_refused() -> None:
    """Readers take the first or the last; neither may decide between two profiles."""
    for quote in ('"', "'"):
        text = (
            '{"dicom": {"filterProfile": "KEEP_ALL_PROFILE", "filterProfile": "' + BASIC + '"}}'
        ).replace('"', quote)
        with pytest.raises(ConfigurationInvalid) as caught:
            parse_configuration_text(text)
        assert caught.value.problems == [
            "the configuration gives filterProfile twice in one object; keep one"
        ]


def test_a_byte_order_mark_is_passed_over() -> None:
    text = "\ufeff" + json.dumps({"dicom": {"filterProfile": BASIC}})
    assert parse_configuration_text(text).warnings == ()


@pytest.mark.parametrize(
    "text",
    ["", "{", "{'a': __import__('os')}", "[1]", "'x'", "[" * 100_000, "{'a':" * 100_000],
)
def test_text_that_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationInvalid):
        parse_configuration_text(text)


@pytest.mark.parametrize("file", sorted(PRESETS.glob("*.json")), ids=lambda file: file.stem)
def test_every_shipped_preset_is_understood_without_a_warning(file: Path) -> None:
    assert parse_configuration(json.loads(file.read_text())).warnings == ()
