"""Resources and studies as hospitals have them: who goes with whom, what waits, and what is put aside."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from daemon.pipeline.ties import Conflict, Issuers, Sidecar, Study, is_of_another, tie
from deid.fhir.entries import Entry
from deid.fhir.ties import ties, ties_of
from deid.identity.keys import patient_identity

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
NORTH, SOUTH = "urn:north", "urn:south"
MAPPED = Issuers({NORTH: "NORTH", SOUTH: "SOUTH"})
UNMAPPED = Issuers()

Json = dict[str, Any]


def study(
    uid: str, number: str, *, issuer: str = "", born: str = "", family: str = "", **more: str
) -> Study:
    accession = more.get("accession", "")
    return Study(
        uid,
        patient_identity(issuer, number, uid),
        frozenset({(issuer.casefold(), number)}) if number else frozenset(),
        frozenset({(more.get("accession_issuer", ""), accession)} if accession else ()),
        frozenset({born.replace("-", "")} if born else ()),
        frozenset({family.casefold()} if family else ()),
        frozenset({uid, f"{uid}.1", f"{uid}.1.1"}),
        frozenset({(more["folder"], more["name"])} if "folder" in more else ()),
    )


def numbered(code: str, value: str, system: str = "", **more: Any) -> Json:
    kind = {"type": {"coding": [{"system": V2, "code": code}]}} if code else {}
    return {**kind, **({"system": system} if system else {}), "value": value, **more}


def patient(name: str, *numbers: Json, born: str = "", family: str = "", **more: Any) -> Json:
    given: Json = {"resourceType": "Patient", "id": name, "identifier": list(numbers), **more}
    if born:
        given["birthDate"] = born
    if family:
        given["name"] = [{"family": family}]
    return given


def of(kind: str, name: str, person: str = "", **more: Any) -> Json:
    subject = {"subject": {"reference": person}} if person else {}
    return {"resourceType": kind, "id": name, **subject, **more}


def accession(value: str, system: str = "") -> Json:
    return {"identifier": [numbered("ACSN", value, system)]}


def found(
    resources: list[Json],
    studies: list[Study],
    issuers: Issuers = UNMAPPED,
    folders: tuple[str, ...] = (),
) -> dict[str, set[str] | str]:
    """Return for each resource the studies that it goes with, or ``conflict``; the same in every order."""
    sidecars = []
    for at, told in enumerate(ties(resources)):
        folder = folders[at] if folders else ""
        sidecars.append(Sidecar(at, told, folder, folder and "x"))
    outcomes = []
    for some in itertools.islice(itertools.permutations(sidecars), 6):
        for those in (studies, studies[::-1]):
            result = tie(some, those, issuers)
            outcomes.append(
                {
                    resources[n]["resourceType"] + "/" + resources[n]["id"]: (
                        "conflict" if isinstance(each, Conflict) else set(each.studies)
                    )
                    for n, each in result.items()
                }
            )
    assert all(each == outcomes[0] for each in outcomes)
    return outcomes[0]


def test_two_hospitals_with_one_number_are_told_apart_by_birth_dates() -> None:
    resources = [
        patient("n", numbered("MR", "12345", NORTH), born="1970-02-03"),
        patient("s", numbered("MR", "12345", SOUTH), born="1988-09-09"),
        of("ServiceRequest", "1", "Patient/n"),
        of("ServiceRequest", "2", "Patient/s"),
    ]
    studies = [study("1.1", "12345", born="1970-02-03"), study("2.2", "12345", born="1988-09-09")]
    assert found(resources, studies) == {
        "Patient/n": {"1.1"}, "ServiceRequest/1": {"1.1"}, "Patient/s": {"2.2"}, "ServiceRequest/2": {"2.2"},
    }  # fmt: skip


def test_two_hospitals_with_one_number_are_told_apart_by_the_map() -> None:
    resources = [
        patient("n", numbered("MR", "12345", NORTH)),
        patient("s", numbered("MR", "12345", SOUTH)),
    ]
    studies = [study("1.1", "12345", issuer="NORTH"), study("2.2", "12345", issuer="SOUTH")]
    assert found(resources, studies, MAPPED) == {"Patient/n": {"1.1"}, "Patient/s": {"2.2"}}
    assert found(resources, studies) == {}


def test_a_patient_of_another_hospital_waits_where_the_map_names_none_of_its() -> None:
    resources = [patient("s", numbered("MR", "12345", SOUTH), born="1988-09-09")]
    assert (
        found(resources, [study("1.1", "12345", issuer="NORTH", born="1970-02-03")], MAPPED) == {}
    )


def test_of_a_merged_patient_the_number_counts_that_is_not_old() -> None:
    merged = patient(
        "1",
        numbered("MR", "OLD-1", use="old"),
        numbered("MR", "NEW-1", use="usual"),
        born="1970-02-03",
    )
    studies = [study("1.1", "OLD-1", born="1970-02-03"), study("2.2", "NEW-1", born="1970-02-03")]
    assert found([merged], studies) == {"Patient/1": {"2.2"}}


def test_an_old_number_alone_ties_its_study() -> None:
    merged = patient("1", numbered("MR", "OLD-1", use="old"), born="1970-02-03")
    assert found([merged], [study("1.1", "OLD-1", born="1970-02-03")]) == {"Patient/1": {"1.1"}}


def test_a_merged_patient_whose_numbers_both_hold_is_put_aside() -> None:
    merged = patient("1", numbered("MR", "A"), numbered("MR", "B"), born="1970-02-03")
    studies = [study("1.1", "A", born="1970-02-03"), study("2.2", "B", born="1970-02-03")]
    assert found([merged], studies) == {"Patient/1": "conflict"}


def test_an_addendum_goes_with_the_report_that_it_adds_to() -> None:
    resources = [
        of("DiagnosticReport", "1", **accession("A1")),
        of("DiagnosticReport", "1-addendum", result=[{"reference": "DiagnosticReport/1"}]),
    ]
    studies = [study("1.1", "P1", accession="A1"), study("2.2", "P2", accession="A2")]
    assert found(resources, studies) == {
        "DiagnosticReport/1": {"1.1"}, "DiagnosticReport/1-addendum": {"1.1"},
    }  # fmt: skip


def test_a_bundle_of_two_patients_goes_two_ways_and_a_list_of_both_is_put_aside() -> None:
    resources = [
        patient("1", numbered("MR", "P1"), born="1970-02-03"),
        patient("2", numbered("MR", "P2"), born="1988-09-09"),
        of("Observation", "1", "Patient/1", performer=[{"reference": "Practitioner/d"}]),
        of("Observation", "2", "Patient/2", performer=[{"reference": "Practitioner/d"}]),
        of("List", "ward", entry=[{"item": {"reference": f"Observation/{n}"}} for n in (1, 2)]),
        {"resourceType": "Practitioner", "id": "d"},
    ]
    studies = [study("1.1", "P1", born="1970-02-03"), study("2.2", "P2", born="1988-09-09")]
    assert found(resources, studies) == {
        "Patient/1": {"1.1"}, "Patient/2": {"2.2"}, "Observation/1": {"1.1"}, "Observation/2": {"2.2"},
        "List/ward": "conflict", "Practitioner/d": {"1.1", "2.2"},
    }  # fmt: skip


def test_an_order_whose_study_was_not_made_yet_waits() -> None:
    resources = [of("ServiceRequest", "1", **accession("A9"))]
    assert found(resources, [study("1.1", "P1", accession="A1")]) == {}


def test_one_order_for_two_studies_of_a_patient_goes_with_both() -> None:
    studies = [study("1.1", "P1", accession="A1"), study("1.2", "P1", accession="A1")]
    assert found([of("ServiceRequest", "1", **accession("A1"))], studies) == {
        "ServiceRequest/1": {"1.1", "1.2"}
    }


def test_one_report_on_two_orders_goes_with_the_studies_of_both() -> None:
    report = of(
        "DiagnosticReport", "1", identifier=[numbered("ACSN", "A1"), numbered("ACSN", "A2")]
    )
    studies = [study("1.1", "P1", accession="A1"), study("1.2", "P1", accession="A2")]
    assert found([report], studies) == {"DiagnosticReport/1": {"1.1", "1.2"}}


def test_a_report_on_orders_of_two_patients_is_put_aside() -> None:
    report = of(
        "DiagnosticReport", "1", identifier=[numbered("ACSN", "A1"), numbered("ACSN", "A2")]
    )
    studies = [study("1.1", "P1", accession="A1"), study("2.2", "P2", accession="A2")]
    assert found([report], studies) == {"DiagnosticReport/1": "conflict"}


def test_a_number_that_was_given_again_after_years_ties_by_the_patient_of_the_order() -> None:
    resources = [
        of("ServiceRequest", "1", "Patient/1", **accession("A1")),
        patient("1", numbered("MR", "P1"), born="1970-02-03"),
    ]
    studies = [
        study("1.1", "P1", accession="A1", born="1970-02-03"),
        study("2.2", "P2", accession="A1", born="1988-09-09"),
    ]
    assert found(resources, studies)["ServiceRequest/1"] == {"1.1"}
    assert found(resources[:1], studies) == {}


@pytest.mark.parametrize("number", ["00123", "123 ", "A123", "123-1", "\uff11\uff12\uff13"])
def test_numbers_that_are_written_otherwise_are_others(number: str) -> None:
    resources = [of("ServiceRequest", "1", **accession(number))]
    expected = {"ServiceRequest/1": {"1.1"}} if number == "123 " else {}
    assert found(resources, [study("1.1", "P1", accession="123")]) == expected


def test_an_order_number_that_is_somebodys_accession_ties_nobody() -> None:
    resources = [of("ServiceRequest", "1", identifier=[numbered("PLAC", "A1"), numbered("", "A1")])]
    assert found(resources, [study("1.1", "P1", accession="A1")]) == {}


def test_a_laboratory_report_goes_with_all_studies_of_its_patient() -> None:
    resources = [
        patient("1", numbered("MR", "P1"), born="1970-02-03"),
        of("DiagnosticReport", "lab", "Patient/1"),
    ]
    studies = [study(uid, "P1", born="1970-02-03") for uid in ("1.1", "1.2")]
    assert found(resources, studies)["DiagnosticReport/lab"] == {"1.1", "1.2"}


def test_twins_with_one_name_and_birth_date_go_by_their_numbers() -> None:
    resources = [
        patient("a", numbered("MR", "P1"), born="2001-05-05", family="Badger"),
        patient("b", numbered("MR", "P2"), born="2001-05-05", family="Badger"),
    ]
    studies = [study(f"{n}.1", f"P{n}", born="2001-05-05", family="Badger") for n in (1, 2)]
    assert found(resources, studies) == {"Patient/a": {"1.1"}, "Patient/b": {"2.1"}}


def test_a_mistyped_birth_date_waits_and_a_new_family_name_does_not() -> None:
    studies = [study("1.1", "P1", born="1970-02-03", family="Badger")]
    assert (
        found([patient("1", numbered("MR", "P1"), born="1970-03-02", family="Badger")], studies)
        == {}
    )
    married = patient("1", numbered("MR", "P1"), born="1970-02-03", family="Otter")
    assert found([married], studies) == {"Patient/1": {"1.1"}}


def test_an_unknown_patient_of_an_emergency_goes_by_the_uid_of_the_study() -> None:
    resources = [
        of(
            "ImagingStudy",
            "1",
            identifier=[{"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.1.7"}],
        ),
        of("DiagnosticReport", "1", imagingStudy=[{"reference": "ImagingStudy/1"}]),
    ]
    studies = [study("1.2.840.1.7", ""), study("2.2", "P2")]
    assert found(resources, studies) == {
        "ImagingStudy/1": {"1.2.840.1.7"}, "DiagnosticReport/1": {"1.2.840.1.7"},
    }  # fmt: skip


def test_a_study_from_outside_with_somebody_elses_accession_is_put_aside() -> None:
    outside = of(
        "ImagingStudy",
        "1",
        identifier=[
            {"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.1.7"},
            numbered("ACSN", "A1", SOUTH),
        ],
    )
    studies = [
        study("1.2.840.1.7", "P1", accession="A1", accession_issuer="south"),
        study("2.2", "P2", accession="A1", accession_issuer="north"),
    ]
    assert found([outside], studies, MAPPED) == {"ImagingStudy/1": {"1.2.840.1.7"}}


def test_a_mother_and_her_newborn_stay_two_patients() -> None:
    resources = [
        patient("m", numbered("MR", "P1"), born="1990-01-01"),
        patient("c", numbered("MR", "P2"), born="2024-06-06"),
        of("Encounter", "m", "Patient/m"),
        of("Encounter", "c", "Patient/c", partOf={"reference": "Encounter/m"}),
        of("Observation", "c", "Patient/c"),
    ]
    studies = [study("1.1", "P1", born="1990-01-01"), study("2.2", "P2", born="2024-06-06")]
    assert found(resources, studies) == {
        "Patient/m": {"1.1"}, "Encounter/m": {"1.1"}, "Patient/c": {"2.2"}, "Encounter/c": "conflict",
        "Observation/c": {"2.2"},
    }  # fmt: skip


def test_an_insurance_number_that_is_anothers_record_number_ties_nobody() -> None:
    resources = [patient("1", numbered("SS", "P2"), numbered("MR", "P1"), born="1970-02-03")]
    studies = [study("1.1", "P1", born="1970-02-03"), study("2.2", "P2", born="1970-02-03")]
    assert found(resources, studies) == {"Patient/1": {"1.1"}}


def test_equal_ids_in_two_folders_mean_what_lies_beside_them() -> None:
    resources = [
        patient("1", numbered("MR", "P1"), born="1970-02-03"),
        of("Observation", "a", "Patient/1"),
        patient("1", numbered("MR", "P2"), born="1988-09-09"),
        of("Observation", "b", "Patient/1"),
    ]
    studies = [study("1.1", "P1", born="1970-02-03"), study("2.2", "P2", born="1988-09-09")]
    outcome = found(resources, studies, folders=("north", "north", "south", "south"))
    assert outcome["Observation/a"] == {"1.1"}
    assert outcome["Observation/b"] == {"2.2"}


# ------------------------------------------------------------------ versions of one, or two of one id

JANE = patient("1", numbered("MR", "P1", NORTH), born="1970-02-03", family="Mole")


@pytest.mark.parametrize(
    ("later", "is_so"),
    [
        (patient("1", numbered("MR", "P1", NORTH), born="1970-03-02", family="Mole"), False),
        (patient("1", numbered("MR", "P1", NORTH), born="1970-02-03", family="Otter"), False),
        (patient("1", numbered("MR", "P7", NORTH), born="1970-02-03", family="Mole"), False),
        (patient("1", born="1970-02-03"), False),
        (patient("1"), False),
        (patient("1", numbered("MR", "P2", SOUTH), born="1988-09-09", family="Otter"), True),
        (patient("1", numbered("MR", "P2", NORTH), family="Otter"), True),
        (patient("1", numbered("MR", "P2", NORTH)), True),
        (patient("1", born="1988"), True),
    ],
)
def test_a_patient_with_the_same_id_is_the_same_unless_all_speaks_against_it(
    later: Json, *, is_so: bool
) -> None:
    one, other = ties_of(Entry("", JANE)), ties_of(Entry("", later))
    assert is_of_another(one, other) is is_of_another(other, one) is is_so


@pytest.mark.parametrize(
    ("one", "other", "is_so"),
    [
        (accession("A1"), accession("A2"), True),
        (accession("A1"), accession("A1"), False),
        (accession("A1"), {"identifier": [numbered("ACSN", "A1"), numbered("ACSN", "A2")]}, False),
        (accession("A1"), {}, False),
        ({"imagingStudy": [{"reference": "urn:oid:1.2.3.4.5.6"}]}, accession("A2"), False),
    ],
)
def test_a_report_with_the_same_id_is_the_same_unless_it_is_on_another_study(
    one: Json, other: Json, *, is_so: bool
) -> None:
    first = ties_of(Entry("", of("DiagnosticReport", "1", "Patient/1", **one)))
    second = ties_of(Entry("", of("DiagnosticReport", "1", "Patient/2", **other)))
    assert is_of_another(first, second) is is_so
