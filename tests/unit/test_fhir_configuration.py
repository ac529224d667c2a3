"""What `fhir` and `fhirFieldConfig` ask of resources is done, and nonsense is refused with its path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deid import ConfigurationInvalid, compile_plan
from deid.configuration.document import parse_configuration
from tests.fhir_samples import KEY, bundle, fhir_plan, field_plan, resource, result, run

if TYPE_CHECKING:
    from deid.fhir.plan import FhirPlan

PATIENT = resource(
    "Patient",
    id="17",
    name=[{"family": "Thistlemoor", "given": ["Anna"]}],
    birthDate="1957-03-12",
    gender="female",
    extension=[{"url": "http://hospital.example/x", "valueCode": "female"}],
)
NOTE = resource(
    "Observation", id="o", status="final", valueString="seen by Dr. Thistlemoor, liver normal"
)


def problems(configuration: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as refused:
        parse_configuration(configuration)
    return refused.value.problems


def codes(configuration: dict[str, Any]) -> set[str]:
    return {each.split(":")[0] for each in parse_configuration(configuration).warnings}


def v1(*rules: tuple[str, str], **more: Any) -> dict[str, Any]:
    listed = [{"paths": [path], "action": action} for path, action in rules]
    return {"fieldMetadataList": listed, **more}


def verbs(**fields: str) -> dict[str, Any]:
    return {"fieldMetadataList": [{"paths": [path], verb: {}} for verb, path in fields.items()]}


def test_the_first_rule_that_matches_decides() -> None:
    kept = result(
        PATIENT, fhir_plan(v1(("Patient.name", "DO_NOT_TRANSFORM"), ("HumanName", "TRANSFORM")))
    )
    assert kept["name"] == PATIENT["name"]
    gone = result(
        PATIENT, fhir_plan(v1(("HumanName", "TRANSFORM"), ("Patient.name", "DO_NOT_TRANSFORM")))
    )
    assert gone["name"] != PATIENT["name"]


def test_a_rule_within_an_object_goes_before_one_for_the_object() -> None:
    plan = fhir_plan(v1(("HumanName.given", "TRANSFORM"), ("Patient.name", "DO_NOT_TRANSFORM")))
    assert result(PATIENT, plan)["name"] == [{"family": "Thistlemoor"}]


def test_paths_are_anchored_at_their_end_and_may_name_types() -> None:
    address = [{"city": "Exampleton", "line": ["1 Lane"], "country": "US"}]
    document = {**PATIENT, "address": address}
    for path in ("Patient.address.city", "Address.city", "city", "Patient.Address.city"):
        assert result(document, fhir_plan(v1((path, "DO_NOT_TRANSFORM"))))["address"] == [
            {"city": "Exampleton"}
        ], path
    plan = fhir_plan(v1(("Address.String", "DO_NOT_TRANSFORM")))
    assert result(document, plan)["address"] == address


def test_one_of_a_choice_is_named_in_two_parts_or_one() -> None:
    for path in ("Observation.valueString", "Observation.value.String"):
        plan = fhir_plan(v1((path, "DO_NOT_TRANSFORM")))
        assert result(NOTE, plan)["valueString"] == NOTE["valueString"], path


def test_text_is_inspected_where_a_rule_asks_for_it() -> None:
    text = result(NOTE, fhir_plan(v1(("Observation.valueString", "INSPECT_AND_TRANSFORM"))))[
        "valueString"
    ]
    assert "Thistlemoor" not in text
    assert "liver normal" in text


@pytest.mark.parametrize(
    "plan",
    [
        fhir_plan(v1(("Annotation.text", "INSPECT_AND_TRANSFORM"))),
        field_plan(verbs(cleanTextField="Annotation.text")),
        field_plan({"profileType": "CLEAN_ALL"}),
    ],
)
def test_text_that_a_rule_or_the_profile_cleans_is_cleaned_of_everybody_in_the_document(
    plan: FhirPlan,
) -> None:
    told = resource(
        "Observation",
        id="o",
        status="final",
        note=[
            {"text": "pain in <b>Thistle</b>moor&#39;s left knee"},
            {"text": "see %54%68istlemoor, T H I S T L E M O O R and annaThistlemoor"},
            {"text": "left knee, mild effusion; reflexes 2+"},
        ],
    )
    said = [
        each["text"] for each in result(bundle(told, PATIENT), plan)["entry"][0]["resource"]["note"]
    ]
    for left in ("Thistle", "moor", "%54", "H I S", "annaT"):
        assert left not in " ".join(said[:2]), left
    assert "left knee" in said[0]
    assert said[2] == "left knee, mild effusion; reflexes 2+"


def test_what_names_things_is_no_text_to_be_cleaned() -> None:
    code = {"system": "http://snomed.info/sct", "code": "22298006"}
    narrative = {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Pain</p></div>',
    }
    study = resource(
        "ImagingStudy",
        id="thistlemoor-1957-03-12",
        meta={"profile": ["http://hl7.org/fhir/StructureDefinition/ImagingStudy"]},
        text=narrative,
        identifier=[{"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.1.2.3"}],
        status="available",
        subject={"reference": "Patient/17"},
        reasonCode=[{"coding": [code]}],
        series=[
            {"uid": "1.2.840.1.2.3.4", "modality": {**code, "display": "Wilsonsche Thistlemoor"}}
        ],
        basedOn=[{"reference": "urn:uuid:0b9d3a5e-0b9d-4a5e-8b9d-3a5e0b9d4a5e"}],
    )
    strand = resource("MolecularSequence", referenceSeq={"strand": "watson"})
    document = bundle({**PATIENT, "identifier": [{"value": "MRN-1"}]}, study, strand)
    ours = [each["resource"] for each in result(document)["entry"]]
    plan = field_plan({"profileType": "CLEAN_ALL"})
    patient, new, sequence = (each["resource"] for each in result(document, plan)["entry"])
    assert patient["id"] == ours[0]["id"]
    assert new["subject"]["reference"] == f"Patient/{patient['id']}"
    assert patient["identifier"] == ours[0]["identifier"]
    for name in ("id", "identifier", "basedOn", "reasonCode"):
        assert new[name] == ours[1][name], name
    assert new["text"] == narrative
    assert new["meta"]["profile"] == study["meta"]["profile"]
    (series,) = new["series"]
    assert series["uid"] == ours[1]["series"][0]["uid"]
    assert {**series["modality"], "display": ""} == {**code, "display": ""}
    assert "Thistlemoor" not in series["modality"]["display"]
    assert sequence["referenceSeq"]["strand"] == "watson"


def test_a_coding_of_a_local_system_is_cleaned_part_by_part() -> None:
    told = {
        "system": "http://hospital.example/codes",
        "code": "Thistlemoor",
        "display": "liver of Dr. Thistlemoor",
    }
    document = resource("Observation", status="final", code={"coding": [told]})
    (left,) = result(document, field_plan({"profileType": "CLEAN_ALL"}))["code"]["coding"]
    assert "liver of" in left["display"]
    assert "Thistlemoor" not in str(left)
    assert "hospital" not in left["system"]


def test_text_that_a_rule_transforms_goes_whatever_the_level() -> None:
    section = v1(("Observation.valueString", "TRANSFORM"))
    assert "valueString" not in result(NOTE, fhir_plan(section, fhirText="inspect"))
    assert "liver" in result(NOTE, fhir_plan(fhirText="inspect"))["valueString"]


def test_what_is_kept_is_not_said_to_be_pseudonymised() -> None:
    assert b"PSEUDED" not in run(PATIENT, field_plan({"profileType": "KEEP_ALL"})).content
    assert b"PSEUDED" not in run(PATIENT, fhir_plan(unmatched="keep")).content
    assert b"PSEUDED" in run(PATIENT, fhir_plan(v1(("Patient.gender", "DO_NOT_TRANSFORM")))).content


def test_each_verb_of_v1beta1_does_what_it_says() -> None:
    plan = field_plan(
        verbs(
            characterMaskField="HumanName.family",
            cryptoHashField="HumanName.given",
            removeField="Patient.gender",
            dateShiftField="Patient.birthDate",
            keepField="Patient.id",
        )
    )
    new = result(PATIENT, plan)
    (name,) = new["name"]
    assert name["family"] == "*" * 11
    assert len(name["given"][0]) == 44
    assert "gender" not in new
    assert new["birthDate"] not in ("1957-03-12", None)
    assert new["id"] == "17"


def test_a_verb_that_is_nothing_for_a_type_removes() -> None:
    new = result(PATIENT, field_plan(verbs(dateShiftField="Patient.gender")))
    assert "gender" not in new


def test_hashes_and_masks_go_by_their_options() -> None:
    options = {
        "characterMaskConfig": {"maskingCharacter": "#"},
        "cryptoHashConfig": {"cryptoKey": "MDEyMzQ1Njc4OWFiY2RlZg=="},
    }
    section = {
        **verbs(characterMaskField="HumanName.family", cryptoHashField="HumanName.given"),
        "options": options,
    }
    (name,) = result(PATIENT, field_plan(section))["name"]
    assert name["family"] == "#" * 11
    (other,) = result(PATIENT, field_plan(verbs(cryptoHashField="HumanName.given")))["name"]
    assert other["given"] != name["given"]


def test_extensions_stay_where_the_configuration_keeps_them_by_the_rules_of_their_values() -> None:
    extensions = [
        {"url": "http://x", "valueString": "Thistlemoor"},
        {"url": "http://y", "valueBoolean": True},
    ]
    for plan in (
        fhir_plan({"defaultKeepExtensions": True}),
        field_plan({"options": {"keepExtensions": {}}}),
    ):
        new = result({**PATIENT, "extension": extensions}, plan)
        assert new["extension"] == extensions[1:]
    assert "extension" not in result({**PATIENT, "extension": extensions})


def test_extensions_of_values_stay_as_those_of_objects_do() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
    given = [
        {"url": url, "valueDateTime": "1957-03-12T10:00:00Z"},
        {"url": "http://y", "valueString": "Thistlemoor"},
        {"url": "http://z", "valueHumanName": {"family": "Thistlemoor"}},
    ]
    patient = {**PATIENT, "_birthDate": {"id": "b", "extension": given}, "_gender": {"id": "g"}}
    for plan in (
        fhir_plan({"defaultKeepExtensions": True}),
        field_plan({"options": {"keepExtensions": {}}}),
    ):
        new = result(patient, plan)
        (kept,) = new["_birthDate"]["extension"]
        assert new["_birthDate"] == {"extension": [kept]}
        assert kept == {"url": url, "valueDateTime": f"{new['birthDate']}T10:00:00Z"}
        assert "_gender" not in new
    assert "_birthDate" not in result(patient)


def test_unmatched_fields_pass_only_when_the_site_says_so_and_is_warned() -> None:
    section = v1(("Patient.birthDate", "TRANSFORM"))
    new = result(PATIENT, fhir_plan(section, unmatched="keep"))
    assert new["name"] == PATIENT["name"]
    assert new["birthDate"] != PATIENT["birthDate"]
    assert codes({"fhir": section, "dicomveil": {"unmatched": "keep"}}) >= {"unmatched_fields_kept"}
    assert "unmatched_fields_kept" not in codes({"fhir": section})
    assert (
        b"nickname"
        not in str(result({**PATIENT, "nickname": "x"}, fhir_plan(unmatched="keep"))).encode()
    )


def test_profiles_that_keep_are_warned_of() -> None:
    assert result(PATIENT, field_plan({"profileType": "KEEP_ALL"}))["name"] == PATIENT["name"]
    assert codes({"fhirFieldConfig": {"profileType": "KEEP_ALL"}}) >= {"profile_keeps_identity"}
    assert "profile_keeps_identity" not in codes({"fhirFieldConfig": {}})


def test_clean_all_cleans_texts() -> None:
    text = result(NOTE, field_plan({"profileType": "CLEAN_ALL"}))["valueString"]
    assert "Thistlemoor" not in text
    assert "liver normal" in text


@pytest.mark.parametrize(
    "configuration",
    [{"fhir": {}}, {"fhirFieldConfig": {"profileType": "BASIC"}}, {"fhirFieldConfig": {}}],
)
def test_the_shortest_configurations_are_the_same(configuration: dict[str, Any]) -> None:
    plan = compile_plan(configuration, KEY).fhir
    assert result(PATIENT, plan) == result(PATIENT)


def test_an_issuer_is_told_by_the_identifiers_system() -> None:
    patient = {**PATIENT, "identifier": [{"system": "urn:a", "value": "MRN-1"}]}

    def pseudonym(**ours: Any) -> Any:
        return result(patient, fhir_plan(**ours))["name"][0]["family"]

    mapped = {"identityIssuers": {"urn:a": "HOUSE-A"}}
    assert pseudonym(**mapped) != pseudonym()
    assert pseudonym(**mapped, identityIssuer="HOUSE-B") != pseudonym(**mapped)
    others = {"identityIssuers": {"urn:a": "HOUSE-C"}, "identityIssuer": "HOUSE-B"}
    assert pseudonym(**mapped, identityIssuer="HOUSE-B") != pseudonym(**others)


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"fhir": {}, "fhirFieldConfig": {}}, "keep one"),
        ({"fhir": v1(("Patient.brithDate", "TRANSFORM"))}, "did you mean birthDate?"),
        ({"fhir": {"nonsense": 1}}, "fhir.nonsense"),
        ({"dicom": {}, "dicomveil": {"fhirText": "inspect"}}, "there is no fhir"),
        ({"fhir": {}, "dicomveil": {"fhirText": "maybe"}}, "fhirText"),
        ({"fhir": {}, "dicomveil": {"identityIssuers": ["a"]}}, "identityIssuers"),
        ({"fhir": {}, "dicomveil": {"identityIssuers": {"a": 1}}}, "identityIssuers"),
        ({"fhirFieldConfig": {}, "dicomveil": {"unmatched": "keep"}}, "KEEP_ALL"),
        ({"fhirFieldConfig": {"fieldMetadataList": [{"paths": ["Id"]}]}}, "exactly one is needed"),
        (
            {"fhirFieldConfig": {"options": {"cryptoHashConfig": {"cryptoKey": "AAAA"}}}},
            "an AES key has 16, 24 or 32",
        ),
        (
            {"fhirFieldConfig": {"options": {"characterMaskConfig": {"maskingCharacter": "##"}}}},
            "one printable character",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_path(
    configuration: dict[str, Any], said: str
) -> None:
    assert any(said in problem for problem in problems(configuration))


def test_a_patient_has_one_shift_in_instances_and_resources() -> None:
    key, other = "MDEyMzQ1Njc4OWFiY2RlZg==", "MTIzNDU2Nzg5MGFiY2RlZg=="
    shift = {"options": {"dateShiftConfig": {"cryptoKey": key}}}
    text = {"transformations": [{"infoTypes": ["DATE"], "dateShiftConfig": {"cryptoKey": other}}]}
    contents = {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}}
    assert any(
        "one shift" in each
        for each in problems({**contents, "fhirFieldConfig": shift, "text": text})
    )
    plan = compile_plan({**contents, "fhirFieldConfig": shift}, KEY)
    assert plan.fhir is not None
    assert plan.fhir.patient("x")[1] == plan.tags.patient("x")[1]
    assert plan.fhir.patient("x")[1] != fhir_plan().patient("x")[1]
