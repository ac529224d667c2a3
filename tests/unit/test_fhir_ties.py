"""What ties FHIR resources to studies, patients and each other."""

from __future__ import annotations

from typing import Any

import pytest

from deid.fhir.references import Conditional, Fragment, Literal, Urn, parse_reference
from deid.fhir.ties import Issued, Ties, ties

STUDY = "1.2.276.0.7230010.3.1.2.8323329.4711"
SERIES = "1.2.826.0.1.3680043.8.498.17"


def tied(**resource: Any) -> Ties:
    (found,) = ties([{"resourceType": "DiagnosticReport", **resource}])
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient/17", Literal("", "Patient", "17", "")),
        (
            "http://a.example/fhir/Patient/17",
            Literal("http://a.example/fhir/", "Patient", "17", ""),
        ),
        ("Patient/17/_history/3", Literal("", "Patient", "17", "3")),
        ("/Patient/a%2Fb", Literal("/", "Patient", "a/b", "")),
        (
            "urn:uuid:0C3151BD-1CBF-4D64-B04D-CD9187A4C6E0",
            Urn("uuid", "0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        ),
        ("urn:oid:1.2.3", Urn("oid", "1.2.3")),
        ("#p1", Fragment("p1")),
        (
            "Patient?identifier=http%3A%2F%2Fa%7C17&active=true",
            Conditional("", "Patient", (("identifier", "http://a|17"), ("active", "true"))),
        ),
        ("Nonsense/17", None),
        ("Patient 17", None),
        ("javascript:alert(1)", None),
    ],
)
def test_each_form_of_reference_is_understood(text: str, expected: object) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "resource",
    [
        {"identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{STUDY}"}]},
        {"series": [{"uid": STUDY}]},
        {"context": {"related": [{"identifier": {"value": STUDY}}]}},
        {"imagingStudy": [{"reference": f"ImagingStudy?identifier=urn:dicom:uid|urn:oid:{STUDY}"}]},
        {"address": f"https://pacs.example/dicom-web/studies/{STUDY}"},
        {
            "content": [
                {"attachment": {"url": f"http://p/wado?requestType=WADO&studyUID={STUDY}&x=1"}}
            ]
        },
        {"note": [{"text": f"see study {STUDY}."}]},
    ],
)
def test_a_uid_ties_wherever_it_stands(resource: dict[str, Any]) -> None:
    assert tied(**resource).uids == {STUDY}


@pytest.mark.parametrize(
    "text",
    [
        "1.2.840.10008.5.1.4.1.1.2",
        "urn:oid:2.16.840.1.113883.6.238",
        "10.1.2.3",
        "4.0.1",
        "http://hl7.org/fhir/2.16.840.1.113883.4.642.1.1",
    ],
)
def test_registered_uids_and_other_numbers_tie_nothing(text: str) -> None:
    assert tied(code={"text": text}).uids == frozenset()


def test_an_accession_ties_with_who_issued_it() -> None:
    accession = {
        "type": {"coding": [{"code": "ACSN"}]},
        "system": "urn:a",
        "value": " A-1 ",
        "assigner": {"display": "Ward"},
    }
    found = tied(identifier=[accession, {"value": "other"}])
    assert found.accessions == (Issued("A-1", "urn:a", "Ward"),)
    assert found.identifiers == (Issued("A-1", "urn:a", "Ward"), Issued("other"))


def test_a_patient_ties_by_record_numbers_birth_date_and_family_name() -> None:
    (found,) = ties(
        [
            {
                "resourceType": "Patient",
                "id": "17",
                "birthDate": "1957-03-12",
                "name": [{"family": "Beispiel"}, {"text": "B."}],
                "identifier": [
                    {"system": "urn:h", "value": "MRN-1"},
                    {"type": {"coding": [{"code": "SS"}]}, "value": "999-00-1234"},
                ],
            }
        ]
    )
    assert found.patient_identifiers == (Issued("MRN-1", "urn:h"),)
    assert (found.birth_date, found.family_names) == ("1957-03-12", ("Beispiel",))
    assert found.addresses == ("Patient/17",)


def test_others_tie_to_a_patient_by_reference_search_or_identifier() -> None:
    found = tied(
        subject={"reference": "http://h/fhir/Patient/17/_history/2"},
        performer=[{"reference": "Practitioner/9"}],
        contained=[{"resourceType": "Encounter", "subject": {"reference": "urn:uuid:0a"}}],
    )
    assert found.references == ("Patient/17", "Practitioner/9", "urn:uuid:0a")
    assert found.patients == ("Patient/17", "urn:uuid:0a")
    found = tied(
        subject={"reference": "Patient?identifier=urn:h|MRN-1"},
        basedOn=[{"reference": "ServiceRequest?identifier=urn:o|7"}],
    )
    assert found.searches == (("Patient", "urn:h", "MRN-1"), ("ServiceRequest", "urn:o", "7"))
    assert found.patient_identifiers == (Issued("MRN-1", "urn:h"),)
    found = tied(subject={"identifier": {"system": "urn:h", "value": "MRN-1"}})
    assert found.patient_identifiers == (Issued("MRN-1", "urn:h"),)


def test_the_resources_of_a_bundle_have_their_own_ties() -> None:
    inner = {"resourceType": "Patient", "id": "a"}
    found = ties(
        [
            {
                "resourceType": "Bundle",
                "entry": [
                    {"fullUrl": "urn:uuid:B", "resource": inner},
                    {"request": {"method": "DELETE", "url": "Patient/x"}},
                    {"resource": {"resourceType": "Bundle", "entry": [{"resource": inner}]}},
                ],
            }
        ]
    )
    assert [each.addresses for each in found] == [("Patient/a", "urn:uuid:b"), ("Patient/a",)]


def test_what_ties_is_not_printed() -> None:
    assert repr(tied(identifier=[{"value": "MRN-1"}])) == "Ties(DiagnosticReport)"
