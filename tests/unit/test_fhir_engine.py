"""De-identifying FHIR resources: what goes, what stays, and what is the same as in images."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import date, datetime
from io import BytesIO
from typing import Any

import orjson
import pydicom
import pytest

from deid import KnownIdentifier, Reason, Unsafe, compile_plan
from deid import deidentify as deidentify_instance
from deid.fhir.context import Context
from deid.identity.keys import patient_identity
from tests.adversarial.running import result_of
from tests.factories import encoded, make_ct
from tests.fhir_samples import BASIC, KEY, bundle, fhir_plan, resource, result, run

OURS = "https://dicomveil.invalid/identifier/"
US_CORE = "http://hl7.org/fhir/us/core/CodeSystem/"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
ANNA = resource(
    "Patient",
    id="17",
    name=[{"family": "Thistlemoor", "given": ["Anna"]}],
    birthDate="1957-03-12",
    gender="female",
)


def of_type(code: str, value: str, system: str = "urn:hospital") -> dict[str, Any]:
    return {"type": {"coding": [{"system": V2, "code": code}]}, "system": system, "value": value}


def days(old: str, new: str) -> int:
    return (date.fromisoformat(new[:10]) - date.fromisoformat(old[:10])).days


# ------------------------------------------------------------------ as images


def test_pseudonym_uids_accession_and_shift_are_those_of_the_images() -> None:
    options = {"dicom": {"filterProfile": BASIC}, "fhir": {}}
    ours = {"options": ["retain_modified_dates"], "identityIssuers": {"urn:hospital": "ignored"}}
    plan = compile_plan({**options, "dicomveil": ours}, KEY)
    assert plan.fhir is not None
    dataset = make_ct(rows=4)
    dataset.PatientID, dataset.AccessionNumber = "MRN-17", "ACC-9"
    dataset.StudyDate = "20240229"
    source = encoded(dataset)
    image = deidentify_instance(source, plan)
    patient = resource("Patient", id="17", identifier=[of_type("MR", "MRN-17")])
    study = resource(
        "ImagingStudy",
        id="s",
        status="available",
        subject={"reference": "Patient/17"},
        started="2024-02-29",
        identifier=[
            {"system": "urn:dicom:uid", "value": f"urn:oid:{dataset.StudyInstanceUID}"},
            of_type("ACSN", "ACC-9"),
        ],
        series=[
            {
                "uid": str(dataset.SeriesInstanceUID),
                "instance": [{"uid": str(dataset.SOPInstanceUID)}],
            }
        ],
    )
    new = orjson.loads(run(bundle(patient, study), plan.fhir).to_bytes())
    new_patient, new_study = (each["resource"] for each in new["entry"])
    assert new_patient["identifier"][0]["value"] == image.patient_id
    assert new_study["identifier"][0] == {
        "system": "urn:dicom:uid",
        "value": f"urn:oid:{image.study_uid}",
    }
    assert new_study["series"][0]["uid"] == image.series_uid
    assert new_study["series"][0]["instance"][0]["uid"] == image.sop_instance_uid
    shown = pydicom.dcmread(BytesIO(result_of(source, plan)))
    assert new_study["identifier"][1]["value"] == shown.AccessionNumber
    assert new_study["started"].replace("-", "") == shown.StudyDate


def test_a_study_tells_whose_a_resource_is() -> None:
    identity = patient_identity("", "MRN-17", "")
    context = Context(identities={"Patient/17": identity})
    plan = fhir_plan()
    pseudonym, shift = plan.patient(identity)
    assert result(ANNA, plan, context)["name"] == [{"family": pseudonym}]
    note = resource("Observation", id="o", subject={"reference": "http://h/fhir/Patient/17"})
    moved = result({**note, "effectiveDateTime": "2024-01-01"}, plan, context)
    assert days("2024-01-01", moved["effectiveDateTime"]) == shift.days
    alone = result({**ANNA, "id": "18"}, plan, Context(identity=identity))
    assert alone["name"] != [{"family": pseudonym}]  # another patient than the study's


# ------------------------------------------------------------------ what goes


@pytest.mark.parametrize(
    "elements",
    [
        {"text": {"status": "generated", "div": "<div>Thistlemoor</div>"}},
        {"unknown": "Thistlemoor"},
        {"unknown": {"a": [{"b": "Thistlemoor"}]}},
        {"_gender": {"extension": [{"url": "http://x", "valueString": "Thistlemoor"}]}},
        {"_gender": {"id": "Thistlemoor"}},
        {"implicitRules": "http://thistlemoor.example/rules"},
        {"meta": {"source": "urn:thistlemoor", "profile": ["http://thistlemoor.example/p"]}},
        {"meta": {"tag": [{"system": "http://x", "code": "Thistlemoor"}]}},
        {"extension": [{"url": "http://x", "valueString": "Thistlemoor"}]},
        {
            "extension": [
                {"url": "http://x", "extension": [{"url": "y", "valueString": "Thistlemoor"}]}
            ]
        },
        {"modifierExtension": [{"url": "http://x", "valueString": "Thistlemoor"}]},
        {"contact": [{"name": {"text": "Thistlemoor"}}]},
        {"telecom": [{"system": "email", "value": "anna@thistlemoor.example"}]},
        {
            "address": [
                {"text": "Thistlemoor Hall", "city": "Thistlemoor", "district": "Thistlemoor"}
            ]
        },
        {"photo": [{"title": "Thistlemoor", "url": "http://thistlemoor.example"}]},
        {"maritalStatus": {"text": "Thistlemoor"}},
        {"maritalStatus": {"coding": [{"system": "http://thistlemoor", "code": "Thistlemoor"}]}},
        {
            "generalPractitioner": [
                {"reference": "Practitioner/Thistlemoor", "display": "Thistlemoor"}
            ]
        },
        {
            "managingOrganization": {
                "identifier": {"value": "Thistlemoor", "system": "urn:thistlemoor"}
            }
        },
        {
            "contained": [
                {"resourceType": "Organization", "id": "Thistlemoor", "name": "Thistlemoor"}
            ]
        },
        {"contained": [{"resourceType": "Nonsense", "id": "Thistlemoor"}]},
        {"link": [{"other": {"reference": "Patient?name=Thistlemoor"}, "type": "seealso"}]},
        {
            "identifier": [
                {"system": "urn:x", "value": "Thistlemoor", "assigner": {"display": "Thistlemoor"}}
            ]
        },
        {"address": [{"country": "Thistlemoor"}]},
        {"link": [{"other": {"reference": "Patient?identifier:Thistlemoor=urn:x|1"}}]},
        {"link": [{"other": {"reference": "Patient/17/_history/Thistlemoor"}}]},
        {"meta": {"versionId": "Thistlemoor"}},
        {"gender": "Thistlemoor"},
        {"birthDate": "Thistlemoor"},
        {"deceasedDateTime": "2020-01-01TThistlemoor"},
        {"language": "Thistlemoor"},
    ],
)
def test_nothing_of_a_name_is_left(elements: dict[str, Any]) -> None:
    new = run({**ANNA, **elements}).to_bytes().lower()
    assert b"thistle" not in new
    assert b"anna" not in new


def test_a_name_in_a_recognised_text_goes_when_it_is_somebodys() -> None:
    stays = resource("Observation", id="o", status="final", code={"text": "Head and neck"})
    assert result(stays)["code"] == {"text": "Head and neck"}
    named = bundle(resource("Patient", id="1", name=[{"family": "Head"}]), stays)
    new = orjson.loads(run(named).to_bytes())
    assert new["entry"][1]["resource"]["code"] == {"text": "REMOVED"}
    known = Context(known=(KnownIdentifier("Head^Ann", "PERSON_NAME"),))
    assert result(stays, context=known)["code"] == {"text": "REMOVED"}


def test_a_display_is_looked_for_in_what_stays() -> None:
    stays = resource("Observation", id="o", status="final", code={"text": "Head and neck"})
    for told in (
        {"performer": [{"display": "Dr. Head"}]},
        {"subject": {"reference": "Patient/9", "display": "Head, Ann"}},
    ):
        assert result({**stays, **told})["code"] == {"text": "REMOVED"}


def of_patient(**elements: Any) -> dict[str, Any]:
    return resource("Patient", id="1", **elements)


SAMPLES = {"origin": {"value": 1}, "period": 1, "dimensions": 1, "data": "88123 45"}
BODY_WEIGHT = "http://hl7.org/fhir/StructureDefinition/bodyweight"


@pytest.mark.parametrize(
    ("whose", "other", "mark", "told"),
    [
        (
            of_patient(name=[{"family": "Mop"}]),
            of_patient(name=[{"family": "Smith"}]),
            b"MOP",
            resource("Claim", id="c", status="active", total={"value": 1, "currency": "MOP"}),
        ),
        (
            of_patient(name=[{"family": "Bodyweight"}]),
            of_patient(name=[{"family": "Smith"}]),
            b"bodyweight",
            resource("Observation", id="o", status="final", meta={"profile": [BODY_WEIGHT]}),
        ),
        (
            of_patient(identifier=[{"value": "88123"}]),
            of_patient(identifier=[{"value": "99999"}]),
            b"88123",
            resource("Observation", id="o", status="final", valueSampledData=SAMPLES),
        ),
        (
            resource("Organization", id="1", name="Sella Turcica"),
            resource("Organization", id="1", name="Thistlemoor"),
            b"Sella",
            resource("Observation", id="o", status="final", code={"text": "Sella turcica lesion"}),
        ),
        (
            of_patient(address=[{"city": "Sella"}]),
            of_patient(address=[{"city": "Thistlemoor"}]),
            b"Sella",
            resource("Observation", id="o", status="final", code={"text": "Sella turcica lesion"}),
        ),
        (
            of_patient(telecom=[{"system": "phone", "value": "0301234567"}]),
            of_patient(telecom=[{"system": "phone", "value": "0309876543"}]),
            b"301234567",
            resource("Observation", id="o", status="final", valueInteger=301234567),
        ),
    ],
)
def test_what_usually_stays_goes_where_it_is_somebodys(
    whose: dict[str, Any], other: dict[str, Any], mark: bytes, told: dict[str, Any]
) -> None:
    assert mark in run(bundle(other, told)).to_bytes()
    assert mark not in run(bundle(whose, told)).to_bytes()


@pytest.mark.parametrize("born", ["1971-02-03", "19710203"])
def test_a_date_of_birth_goes_wherever_it_stands_as_a_number(born: str) -> None:
    number = resource("Observation", id="o", status="final", valueInteger=19710203)
    assert result(number)["valueInteger"] == 19710203
    document = bundle({**ANNA, "birthDate": born}, number)
    assert b"19710203" not in run(document).to_bytes()


def test_a_cleaned_text_goes_that_still_names_somebody() -> None:
    by_number = {"reference": "Patient?identifier=urn:hospital|zkestrel"}
    note = resource("Observation", id="o", status="final", subject=by_number)
    rule = {"paths": ["Observation.valueString"], "action": "INSPECT_AND_TRANSFORM"}
    for plan in (fhir_plan(fhirText="inspect"), fhir_plan({"fieldMetadataList": [rule]})):
        stays = result({**note, "valueString": "bed zkestral, liver normal"}, plan)
        assert stays["valueString"] == "bed zkestral, liver normal"
        gone = result({**note, "valueString": "bed zkestrel, liver normal"}, plan)
        assert "valueString" not in gone


def test_a_document_in_plain_text_is_cleaned_and_one_in_markup_goes() -> None:
    plan = fhir_plan(fhirText="inspect")

    def left(kind: str | None, content: bytes) -> bytes:
        data: dict[str, Any] = {"data": b64encode(content).decode()}
        data |= {"contentType": kind} if kind else {}
        listed = [{"attachment": data}]
        note = resource("DocumentReference", id="d", status="current", content=listed)
        kept = result(note, plan)["content"][0]["attachment"].get("data", "")
        assert result(resource("Binary", id="b", **data), plan).get("data", "") == kept
        return b64decode(kept)

    for kind in ("text/plain", "TEXT/Plain; charset=utf-8", "text/markdown"):
        assert left(kind, b"Dr. Blorg: liver normal") == b"Dr. [PERSON_NAME]: liver normal", kind
    for other in ("text/html", "application/xhtml+xml", "text/rtf", "application/pdf", None):
        assert left(other, b"<p>Blo<b>rg</b>: liver normal</p>") == b"", other
    assert left("text/plain", b"Dr. Bl\xf6rg: liver normal") == b""


def test_a_code_that_is_somebodys_number_goes() -> None:
    code = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "8812345"}
    drug = resource("Medication", id="m", code={"coding": [code]})
    assert result(drug)["code"] == {"coding": [code]}
    patient = resource("Patient", id="1", identifier=[of_type("MR", "8812345")])
    new = run(bundle(patient, drug))
    assert b"8812345" not in new.to_bytes()
    assert new.outcome.residuals


@pytest.mark.parametrize(
    "kind", ["AuditEvent", "Provenance", "Subscription", "StructureDefinition", "Nonsense"]
)
def test_types_that_are_not_listed_do_not_pass(kind: str) -> None:
    with pytest.raises(Unsafe) as refusal:
        run(resource(kind, id="1"))
    assert refusal.value.reason is Reason.RESOURCE_NOT_LISTED
    new = orjson.loads(run(bundle(ANNA, resource(kind, id="1"))).to_bytes())
    assert [each["resource"]["resourceType"] for each in new["entry"]] == ["Patient"]


def test_nothing_is_left_of_an_entry_whose_resource_does_not_pass() -> None:
    event = resource("AuditEvent", id="1")
    document = bundle(ANNA, event, type="transaction")
    document["entry"][1] |= {
        "fullUrl": "http://h.example/fhir/AuditEvent/1",
        "request": {"method": "PUT", "url": "AuditEvent/1"},
    }
    assert len(orjson.loads(run(document).to_bytes())["entry"]) == 1


@pytest.mark.parametrize(
    "elements",
    [
        {"name": "Thistlemoor"},
        {"name": {"family": "Thistlemoor"}},
        {"active": "true"},
        {"birthDate": 19570312},
        {"multipleBirthInteger": "2"},
        {"identifier": [{"value": 17}]},
        {"maritalStatus": "M"},
        {"contained": {}},
        {"extension": {}},
        {"_gender": "x"},
        {"link": [["x"]]},
    ],
)
def test_an_element_of_another_json_type_is_refused_with_its_path(elements: dict[str, Any]) -> None:
    with pytest.raises(Unsafe) as refusal:
        run({**ANNA, **elements})
    assert refusal.value.reason is Reason.MALFORMED
    assert refusal.value.where
    assert "Thistle" not in refusal.value.where


# ------------------------------------------------------------------ what stays


def test_what_tells_of_nobody_stays_as_it_was() -> None:
    loinc = {"system": "http://loinc.org", "code": "8302-2", "display": "Body height"}
    observation = resource(
        "Observation",
        id="o",
        status="final",
        category=[
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "vital-signs",
                        "display": "Vital Signs",
                    }
                ]
            }
        ],
        code={"coding": [loinc], "text": "Body height"},
        valueQuantity={
            "value": 172,
            "unit": "cm",
            "system": "http://unitsofmeasure.org",
            "code": "cm",
        },
        referenceRange=[{"low": {"value": 150}, "text": "normal"}],
        component=[{"code": {"coding": [loinc]}, "valueBoolean": False}],
    )
    new = result(observation)
    assert new.pop("id") != "o"
    observation.pop("id")
    assert new == observation


def test_decimals_stay_to_their_last_zero() -> None:
    source = b'{"resourceType":"Observation","status":"final","valueQuantity":{"value":72.50,"unit":"kg"}}'
    assert b'"value":72.50,' in run(source).to_bytes()


def test_coded_race_and_why_data_are_absent_stay() -> None:
    race = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
    white = {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3", "display": "White"}
    parts = [{"url": "ombCategory", "valueCoding": white}, {"url": "text", "valueString": "Irish"}]
    absent = {
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
        "valueCode": "unknown",
    }
    new = result(
        {
            **ANNA,
            "extension": [{"url": race, "extension": parts}],
            "_birthDate": {"extension": [absent]},
        }
    )
    assert new["extension"] == [{"url": race, "extension": parts[:1]}]
    assert new["_birthDate"] == {"extension": [absent]}


@pytest.mark.parametrize(
    ("system", "code", "stays"),
    [
        ("http://snomed.info/sct", "80891009", True),
        ("http://snomed.info/sct", "80891008", False),
        ("http://loinc.org", "8302-2", True),
        ("http://loinc.org", "8302-3", False),
        ("http://loinc.org", "LA6576-8", True),
        ("http://dicom.nema.org/resources/ontology/DCM", "CT", True),
        ("http://dicom.nema.org/resources/ontology/DCM", "113014", True),
        ("http://unitsofmeasure.org", "mm[Hg]", True),
        ("http://unitsofmeasure.org", "Anna Miller", False),
        ("http://unitsofmeasure.org/", "Anna Miller", False),
        ("urn:oid:2.16.840.1.113883.6.8", "mm[Hg]", True),
        ("urn:oid:2.16.840.1.113883.6.8", "Anna Miller", False),
        ("http://hl7.org/fhir/sid/icd-10-cm", "C34.11", True),
        ("http://hl7.org/fhir/sid/icd-10-cm", "Miller", False),
        ("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "M", True),
        ("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "ANNA", False),
        ("urn:ietf:rfc:3986", "urn:oid:1.2.840.10008.5.1.4.1.1.2", True),
        ("urn:ietf:rfc:3986", "urn:oid:1.2.276.0.7230010.3.1.4", False),
        ("urn:oid:2.16.840.1.113883.6.96", "80891009", True),
        ("http://hospital.example/codes", "CT", False),
        ("https://loinc.org", "8302-2", True),
        ("http://snomed.info/sct/", "80891009", True),
        ("http://snomed.info/sct/", "80891008", False),
        ("https://hospital.example/", "CT", False),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "I10.00", True),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "Miller", False),
        ("http://fhir.de/CodeSystem/bfarm/ops", "5-470.11", True),
        ("http://fhir.de/CodeSystem/bfarm/ops", "1957-03-12", False),
        ("http://fhir.de/CodeSystem/ifa/pzn", "02013219", True),
        ("http://fhir.de/CodeSystem/ifa/pzn", "19570312", False),
        ("http://id.who.int/icd/release/11/mms", "CA40.0", True),
        ("http://id.who.int/icd/release/11/mms", "ANNA", False),
        ("http://human-phenotype-ontology.org", "HP:0001250", True),
        ("http://human-phenotype-ontology.org", "19570312", False),
        ("http://www.orpha.net", "ORPHA:586", True),
        ("http://www.orpha.net", "19570312", False),
        ("https://www.meddra.org", "10012601", True),
        ("https://www.meddra.org", "19570312", False),
        ("https://dmd.nhs.uk", "80891009", True),
        ("https://dmd.nhs.uk", "80891008", False),
        ("http://fdasis.nlm.nih.gov", "R16CO5Y76E", True),
        ("http://fdasis.nlm.nih.gov", "MILLERAN57", False),
        ("http://fdasis.nlm.nih.gov", "6175550143", False),
        ("http://www.nubc.org/patient-discharge", "01", True),
        ("http://www.nubc.org/patient-discharge", "6175", False),
        (f"{US_CORE}us-core-documentreference-category", "clinical-note", True),
        (f"{US_CORE}us-core-documentreference-category", "miller-note", False),
        (f"{US_CORE}condition-category", "health-concern", True),
    ],
)
def test_codings_stay_when_their_system_has_such_codes(system: str, code: str, stays: bool) -> None:
    coding = {"system": system, "code": code}
    new = result(
        resource("Condition", id="c", subject={"reference": "Patient/1"}, code={"coding": [coding]})
    )
    assert new.get("code") == ({"coding": [coding]} if stays else None)


def test_a_race_has_its_display_by_either_address_of_its_system() -> None:
    for system in (
        "urn:oid:2.16.840.1.113883.6.238",
        "http://terminology.hl7.org/CodeSystem/PHRaceAndEthnicityCDC",
    ):
        white = {"system": system, "code": "2106-3", "display": "White"}
        told = resource(
            "Condition", id="c", code={"coding": [white, {**white, "display": "Black"}]}
        )
        assert result(told)["code"]["coding"] == [white, {"system": system, "code": "2106-3"}]


def test_a_display_stays_when_it_is_the_codes_own_or_recognised() -> None:
    def display(code: str, text: str) -> Any:
        coding = {"system": "http://snomed.info/sct", "code": code, "display": text}
        new = result(resource("Condition", id="c", code={"coding": [coding]}))
        return new["code"]["coding"][0].get("display")

    assert display("80891009", "Heart") == "Heart"
    assert display("80891009", "heart muscle tissue") == "heart muscle tissue"
    assert display("80891009", "Anna's heart") is None
    assert display("80891009", "heart, 12.03.1957") is None


PLACES = [
    "Emergency Department",
    "Operating Room",
    "Clinic",
    "Laboratory",
    "Home",
    "Intensive Care Unit",
]
HOUSES = [
    "Thistle Clinic",
    "Hope House",
    "Mercy Hospital",
    "Emergency Room Wolverton",
    "Long Ward",
    "Saint Department",
]


@pytest.mark.parametrize("kind", ["Location", "Organization"])
@pytest.mark.parametrize(
    ("name", "is_one"), [*((each, False) for each in PLACES), *((each, True) for each in HOUSES)]
)
def test_what_kind_of_place_one_is_is_no_name_of_it(kind: str, name: str, is_one: bool) -> None:
    told = resource(
        "Observation",
        id="o",
        code={"text": f"{name} visit"},
        note=[{"text": f"seen in {name.lower()}: pain"}],
    )
    document = bundle(resource(kind, id="p", name=name), told)
    new = result(document)["entry"][1]["resource"]
    assert (new["code"]["text"] == f"{name} visit") is not is_one
    (note,) = result(document, fhir_plan(fhirText="inspect"))["entry"][1]["resource"]["note"]
    assert (name.lower() in note["text"]) is not is_one
    assert result(document)["entry"][0]["resource"]["name"] != name


CLEANS = {"paths": ["Annotation.text"], "action": "INSPECT_AND_TRANSFORM"}


@pytest.mark.parametrize(
    "plan", [fhir_plan(fhirText="inspect"), fhir_plan({"fieldMetadataList": [CLEANS]})]
)
@pytest.mark.parametrize("name", ["Young", "Small", "Good", "Hill", "May", "Pain"])
def test_a_note_loses_a_word_that_is_a_name_as_well_and_not_all_the_others(
    name: str, plan: Any
) -> None:
    def note(said: str) -> Any:
        told = resource("Observation", id="o", note=[{"text": said}])
        named = resource("Patient", id="p", name=[{"family": name, "given": ["Anna"]}])
        return result(bundle(told, named), plan)["entry"][0]["resource"].get("note")

    (left,) = note(f"liver of {name.lower()} size. No effusion.")
    assert name.lower() not in left["text"]
    assert "liver of size. No effusion." in left["text"]
    assert name.lower() not in str(note(name.lower()))


# ------------------------------------------------------------------ dates and ages


@pytest.mark.parametrize(
    "moment",
    [
        "2024", "2024-03", "2024-02-29", "2024-02-29T10:15:00Z", "2024-02-29T10:15:00.123+14:00",
        "1999-12-31T23:59:60-05:30",
    ],
)  # fmt: skip
def test_moments_move_in_their_own_precision(moment: str) -> None:
    new = result(
        resource("Encounter", id="e", subject={"reference": "Patient/17"}, period={"start": moment})
    )
    moved = new["period"]["start"]
    assert len(moved) == len(moment)
    assert moved[10:] == moment[10:]
    assert moved != moment or len(moment) < 8


def test_moments_that_pass_midnight_take_their_dates_along() -> None:
    plan = fhir_plan(timeJitterMinutes=720, options=["retain_modified_dates"])
    moments = [f"2024-02-28T{hour:02}:30:00+00:00" for hour in range(24)]
    shifts = {
        datetime.fromisoformat(
            result(
                resource("Observation", id="o", issued=each, subject={"reference": "Patient/1"}),
                plan,
            )["issued"]
        )
        - datetime.fromisoformat(each)
        for each in moments
    }
    assert len(shifts) == 1
    assert shifts.pop().seconds


@pytest.mark.parametrize(
    "text",
    [
        "2024-2-3",
        "2024-13-01",
        "2023-02-29",
        "29.02.2024",
        "2024-02-29T10:15",
        "0001",
        "2024-02-29T25:00:00Z",
        "",
    ],
)
def test_what_is_no_date_goes(text: str) -> None:
    new = result(resource("Encounter", id="e", period={"start": text, "end": "2024-01-01"}))
    assert list(new["period"]) == ["end"]


def test_intervals_hold_across_a_patients_resources_and_differ_between_patients() -> None:
    def moved(patient: str) -> int:
        new = result(
            resource(
                "Condition",
                id=patient,
                subject={"reference": f"Patient/{patient}"},
                recordedDate="2024-01-01",
                onsetPeriod={"start": "2023-12-01", "end": "2024-02-29T00:00:00Z"},
                note=[{"time": "2024-01-05T00:00:00Z", "text": "x"}],
            )
        )
        first = days("2024-01-01", new["recordedDate"])
        assert days("2023-12-01", new["onsetPeriod"]["start"]) == first
        assert days("2024-02-29", new["onsetPeriod"]["end"]) == first
        assert days("2024-01-05", new["note"][0]["time"]) == first
        assert first
        return first

    assert len({moved(f"p{index}") for index in range(12)}) > 8


NUMBERED = [{"system": "urn:hospital", "value": "MRN-17"}]


@pytest.mark.parametrize(
    "told",
    [
        {"subject": {"reference": "Patient/17"}},
        {"subject": {"reference": "Patient/%31%37"}},
        {"subject": {"reference": "Patient?identifier=urn:hospital|MRN-17"}},
        {"subject": {"identifier": {"system": "urn:hospital", "value": " MRN-17"}}},
        {
            "subject": {"reference": "#p"},
            "contained": [{"resourceType": "Patient", "id": "p", "identifier": NUMBERED}],
        },
    ],
)
def test_whatever_names_a_patient_moves_with_him(told: dict[str, Any]) -> None:
    mapped = fhir_plan(identityIssuers={"urn:hospital": "A"}, identityIssuer="B")
    other = resource("Patient", id="18", birthDate="1957-03-12")
    note = resource("Observation", id="o", effectiveDateTime="2024-01-01", **told)
    document = bundle(note, {**ANNA, "identifier": NUMBERED}, other)
    # A number of one who stands within the resource alone counts where its issuer is known.
    for plan in (mapped,) if "contained" in told else (mapped, fhir_plan()):
        new = orjson.loads(run(document, plan).to_bytes())
        moved, anna, _other = (each["resource"] for each in new["entry"])
        shift = days("2024-01-01", moved["effectiveDateTime"])
        assert shift == days("1957-03-12", anna["birthDate"])


def test_what_names_nobody_moves_with_the_only_patient_and_what_names_another_with_him() -> None:
    plan = fhir_plan()
    dated = {"effectiveDateTime": "2024-01-01"}
    nobodys = resource("Observation", id="a", **dated)
    of_another = {"subject": {"reference": "Patient/99"}, **dated}
    document = bundle(
        ANNA, nobodys, *(resource("Observation", id=each, **of_another) for each in "bc")
    )
    anna, *moved = (
        each["resource"] for each in orjson.loads(run(document, plan).to_bytes())["entry"]
    )
    shifts = [days("2024-01-01", each["effectiveDateTime"]) for each in moved]
    other = result(resource("Patient", id="99", birthDate="1957-03-12"), plan)
    theirs = [days("1957-03-12", each["birthDate"]) for each in (anna, other, other)]
    assert shifts == theirs
    assert theirs[0] != theirs[1]


def test_the_birth_date_moves_along_and_that_of_the_oldest_goes() -> None:
    assert result(ANNA)["birthDate"] not in ("1957-03-12", "")
    assert "birthDate" not in result({**ANNA, "birthDate": "1931-03-12"})
    assert "birthDate" not in result({**ANNA, "birthDate": "1931"})


def test_the_birth_date_of_the_oldest_goes_though_dates_stay() -> None:
    plan = fhir_plan(options=["retain_full_dates"])
    assert result(ANNA, plan)["birthDate"] == "1957-03-12"
    assert "birthDate" not in result({**ANNA, "birthDate": "1931-03-12"}, plan)


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ({"value": 93, "unit": "years", "system": "http://unitsofmeasure.org", "code": "a"}, 90),
        ({"value": 93, "code": "a", "system": "http://unitsofmeasure.org"}, 90),
        ({"value": 1116, "unit": "mo", "code": "mo", "system": "http://unitsofmeasure.org"}, 90),
        ({"value": 89, "unit": "years"}, 89),
        ({"value": 93, "unit": "mo", "code": "mo"}, 93),
    ],
)
def test_ages_over_89_are_capped(quantity: dict[str, Any], value: int) -> None:
    new = result(resource("Condition", id="c", onsetAge=quantity))
    assert new["onsetAge"]["value"] == value
    if value == 90:
        assert new["onsetAge"].get("code", "a") == "a"


def test_quantities_in_years_are_capped_and_others_are_not() -> None:
    def value(**quantity: Any) -> Any:
        return result(resource("Observation", id="o", valueQuantity=quantity))["valueQuantity"][
            "value"
        ]

    assert value(value=94, unit="years") == 90
    assert value(value=94, unit="kg") == 94


def test_of_addresses_what_safe_harbor_lets_stand_stays() -> None:
    def address(**given: str) -> Any:
        return result({**ANNA, "address": [given]}).get("address")

    us = {"line": "x", "city": "Boston", "state": "MA", "postalCode": "02139-4307", "country": "US"}
    us.pop("line")
    assert address(**us) == [{"state": "MA", "postalCode": "021", "country": "US"}]
    assert address(postalCode="03601", state="NH") == [{"state": "NH", "postalCode": "000"}]
    assert address(postalCode="80331", country="DE", state="Bayern") == [{"country": "DE"}]
    assert address(postalCode="80331") is None


# ------------------------------------------------------------------ references


def test_references_point_where_they_pointed() -> None:
    document = bundle(resource("Patient", id="17"))
    document["entry"][0]["fullUrl"] = "urn:uuid:0C3151BD-1CBF-4D64-B04D-CD9187A4C6E0"
    forms = [
        "Patient/17",
        "http://h.example/fhir/Patient/17",
        "http://h.example/fhir/Patient/17/_history/3",
        "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
    ]
    for index, form in enumerate(forms):
        document["entry"].append(
            {
                "fullUrl": f"http://h.example/fhir/Observation/{index}",
                "resource": resource("Observation", id=str(index), subject={"reference": form}),
            }
        )
    new = orjson.loads(run(document).to_bytes())
    address = new["entry"][0]["resource"]["id"]
    found = [each["resource"]["subject"]["reference"] for each in new["entry"][1:]]
    assert found[0] == f"Patient/{address}"
    assert found[1].endswith(f".invalid/fhir/Patient/{address}")
    assert found[2] == f"{found[1]}/_history/3"
    assert found[3] == new["entry"][0]["fullUrl"] != forms[3]
    base = found[1].removesuffix(f"Patient/{address}")
    assert [each["fullUrl"] for each in new["entry"][1:]] == [
        f"{base}Observation/{each['resource']['id']}" for each in new["entry"][1:]
    ]
    assert b"h.example" not in orjson.dumps(new)


def test_contained_resources_are_found_by_their_references() -> None:
    practitioner = resource("Practitioner", id="Thistlemoor", name=[{"family": "Thistlemoor"}])
    new = result(
        resource(
            "Observation",
            id="o",
            contained=[practitioner],
            performer=[{"reference": "#Thistlemoor"}],
        )
    )
    assert new["performer"] == [{"reference": f"#{new['contained'][0]['id']}"}]


def test_searches_in_references_and_requests_go_by_replacements() -> None:
    patient = resource("Patient", id="17", identifier=[of_type("MR", "MRN-17")])
    document = bundle(patient, type="transaction")
    document["entry"][0]["request"] = {
        "method": "POST",
        "url": "Patient",
        "ifNoneExist": "identifier=urn:hospital|MRN-17&name=Thistlemoor",
    }
    observation = resource(
        "Observation", subject={"reference": "Patient?identifier=urn:hospital|MRN-17"}
    )
    document["entry"].append(
        {"resource": observation, "request": {"method": "PUT", "url": "Observation/5"}}
    )
    document["entry"].append({"request": {"method": "DELETE", "url": "Patient/17/_history"}})
    document["entry"].append(
        {"request": {"method": "GET", "url": "Observation?patient=17&name=Thistlemoor"}}
    )
    new = orjson.loads(run(document).to_bytes())
    pseudonym = new["entry"][0]["resource"]["identifier"][0]["value"]
    search = f"identifier={OURS}patient|{pseudonym}"
    assert new["entry"][0]["request"]["ifNoneExist"] == search
    assert new["entry"][1]["resource"]["subject"]["reference"] == f"Patient?{search}"
    address = new["entry"][0]["resource"]["id"]
    assert new["entry"][1]["request"]["url"].startswith("Observation/")
    assert new["entry"][2]["request"]["url"] == f"Patient/{address}/_history"
    assert new["entry"][3]["request"]["url"] == f"Observation?patient={address}"


def test_what_is_ours_stays_when_it_comes_again() -> None:
    document = bundle(
        {**ANNA, "identifier": [of_type("MR", "MRN-17")]},
        resource(
            "ImagingStudy",
            id="s",
            status="available",
            subject={"reference": "Patient/17"},
            identifier=[
                of_type("ACSN", "A-1"),
                {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3.4.5"},
            ],
        ),
    )
    once = orjson.loads(run(document).to_bytes())
    twice = orjson.loads(run(once).to_bytes())
    for first, second in zip(once["entry"], twice["entry"], strict=True):
        assert second["resource"]["id"] == first["resource"]["id"]
        assert second["resource"]["identifier"] == first["resource"]["identifier"]
        assert second["resource"]["meta"] == first["resource"]["meta"]


def test_a_pseudonym_stays_whoever_says_that_it_is_his() -> None:
    (name,) = result(ANNA)["name"]
    theirs = [of_type("MR", name["family"])]
    (given,) = result({**ANNA, "identifier": theirs})["identifier"]
    assert given["value"] == name["family"]


def test_a_number_is_replaced_that_only_says_that_it_is_ours() -> None:
    for system in (f"{OURS}patient", f"{OURS}resource", OURS):
        (given,) = result({**ANNA, "identifier": [{"system": system, "value": "MRN-17"}]})[
            "identifier"
        ]
        assert given["value"] != "MRN-17"
        assert given["system"] == f"{OURS}patient"


# ------------------------------------------------------------------ validity


def test_required_elements_that_would_be_empty_get_placeholders() -> None:
    claim = resource(
        "Claim",
        id="c",
        provider={"display": "Dr. Thistlemoor"},
        insurance=[{"sequence": 1, "focal": True, "coverage": {"display": "Medicare"}}],
    )
    new = result(claim)
    assert new["provider"] == new["insurance"][0]["coverage"] == {"display": "REMOVED"}
    goal = resource("Goal", id="g", description={"text": "see Anna again"})
    assert result(goal)["description"] == {"text": "REMOVED"}
    note = resource("Condition", id="c", note=[{"text": "x y z"}])
    assert result(note)["note"] == [{"text": "REMOVED"}]


def test_each_resource_says_that_it_was_pseudonymised() -> None:
    new = orjson.loads(run(bundle(ANNA)).to_bytes())
    labels = new["entry"][0]["resource"]["meta"]["security"]
    assert [each["code"] for each in labels] == ["PSEUDED"]
    assert "meta" not in new


def test_a_resource_with_other_labels_says_so_beside_them() -> None:
    secret = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "code": "R",
    }
    new = orjson.loads(run({**ANNA, "meta": {"security": [secret]}}).to_bytes())
    assert [each["code"] for each in new["meta"]["security"]] == ["R", "PSEUDED"]


def test_what_links_an_answer_to_its_question_stays_or_is_the_same_for_both() -> None:
    items = [{"linkId": each} for each in ("1.2", "Thistlemoor-7", "Thistlemoor-7", "Thistle-8")]
    answers = resource("QuestionnaireResponse", id="q", status="completed", item=items)
    kept, *linked = (each["linkId"] for each in result(answers)["item"])
    assert kept == "1.2"
    assert "Thistle" not in "".join(linked)
    assert linked[0] == linked[1] != linked[2]


def test_what_stands_beside_one_of_several_values_stays_only_without_them() -> None:
    absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    why = [None, {"extension": [{"url": absent, "valueCode": "unknown"}]}]

    def timing(*events: str) -> Any:
        given = [{"timing": {"event": [*events], "_event": why}}]
        asked = resource("MedicationRequest", id="m", status="active", dosageInstruction=given)
        return result(asked)["dosageInstruction"][0]["timing"]

    assert list(timing("2024-01-01", "unknown")) == ["event"]
    assert timing("unknown", "unknown") == {"_event": why[1:]}


def test_each_document_comes_out_in_its_own_form() -> None:
    line = orjson.dumps(ANNA)
    new = run(line + b"\n" + orjson.dumps({**ANNA, "id": "18"}) + b"\n")
    assert new.to_bytes().count(b"\n") == 2
    assert [old for old, _new in new.addresses] == ["Patient/17", "Patient/18"]
    assert len(new.pseudonyms) == 2


def test_the_outcome_tells_what_was_done_and_no_value() -> None:
    outcome = run(ANNA).outcome
    assert outcome.actions["Patient.name", "replaced"] == 1
    text = outcome.to_json()
    assert b"Thistle" not in text
    assert orjson.loads(text)["key_id"] == KEY.id


def test_a_concept_is_judged_alike_whatever_like_it_came_before() -> None:
    coding = {"system": "http://loinc.org", "code": "8302-2"}
    plain: dict[str, Any] = {"coding": [coding]}
    with_null = resource("Observation", status="final", code={**plain, "text": None})
    plan = fhir_plan()
    assert result(resource("Observation", status="final", code=plain), plan)["code"] == plain
    with pytest.raises(Unsafe):
        run(with_null, plan)
    one: dict[str, Any] = {**coding, "userSelected": 1}
    for each in (one, {**one, "userSelected": True}):
        found = result(resource("Observation", status="final", code={"coding": [each]}), plan)
        assert found["code"]["coding"][0]["userSelected"] is True
    turned = {"text": "Body height", "coding": [coding]}
    for code in (dict(reversed(turned.items())), turned):
        found = result(resource("Observation", status="final", code=code), plan)["code"]
        assert list(found) == list(code)
