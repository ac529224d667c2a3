"""Which studies a FHIR resource belongs to: each rule, what contradicts, what waits, in every order."""

from __future__ import annotations

import itertools
import random

import pytest

from daemon.pipeline.ties import By, Conflict, Issuers, Sidecar, Study, Tied, tie
from deid.fhir.ties import Issued, Ties
from deid.identity.keys import patient_identity

RIS = "urn:ris"
HOSPITAL = "urn:hospital"
MAPPED = Issuers({HOSPITAL: "HOSPITAL", RIS: "RIS"})
UNMAPPED = Issuers()


def study(
    uid: str,
    patient_id: str = "P1",
    issuer: str = "HOSPITAL",
    *,
    accession: str = "",
    accession_issuer: str = "",
    birth_date: str = "19700203",
    family: str = "mole",
    drops: frozenset[tuple[str, str]] = frozenset(),
) -> Study:
    return Study(
        uid,
        patient_identity(issuer, patient_id, uid),
        frozenset({(issuer, patient_id)}),
        frozenset({(accession_issuer, accession)} if accession else ()),
        frozenset({birth_date} if birth_date else ()),
        frozenset({family} if family else ()),
        frozenset({uid, f"{uid}.1", f"{uid}.1.1"}),
        drops,
    )


def order(
    number: int = 1,
    *,
    accession: str = "",
    references: tuple[str, ...] = (),
    folder: str = "",
    name: str = "",
) -> Sidecar:
    accessions = (Issued(accession, RIS),) if accession else ()
    ties = Ties("ServiceRequest", (f"ServiceRequest/{number}",), references, accessions=accessions)
    return Sidecar(number, ties, folder, name)


def patient(
    number: int = 1,
    patient_id: str = "P1",
    *,
    birth_date: str = "1970-02-03",
    family: str = "Mole",
    system: str = HOSPITAL,
) -> Sidecar:
    issued = (Issued(patient_id, system),) if patient_id else ()
    ties = Ties(
        "Patient",
        (f"Patient/{number}",),
        identifiers=issued,
        patient_identifiers=issued,
        birth_date=birth_date,
        family_names=(family,) if family else (),
    )
    return Sidecar(number, ties)


def resource(
    number: int, *references: str, kind: str = "Observation", uids: frozenset[str] = frozenset()
) -> Sidecar:
    return Sidecar(number, Ties(kind, (f"{kind}/{number}",), references, uids=uids))


def studies_of(found: Tied | Conflict | None) -> set[str]:
    assert isinstance(found, Tied)
    return set(found.studies)


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.3.1", "1.2.3.1.1"])
def test_a_uid_of_study_series_or_instance_ties(uid: str) -> None:
    found = tie(
        [resource(1, uids=frozenset({uid}))], [study("1.2.3"), study("9.9", "P2")], UNMAPPED
    )
    assert found[1] == Tied(frozenset({"1.2.3"}), patient_identity("HOSPITAL", "P1", ""), By.UID)


def test_an_accession_that_one_study_has_ties_without_a_map() -> None:
    found = tie(
        [order(accession="A1")], [study("1.1", accession="A1"), study("2.2", "P2")], UNMAPPED
    )
    assert studies_of(found[1]) == {"1.1"}


def test_an_accession_of_two_patients_ties_to_neither_without_a_map() -> None:
    both = [study("1.1", accession="A1"), study("2.2", "P2", accession="A1")]
    assert tie([order(accession="A1")], both, UNMAPPED) == {}


def test_an_accession_is_its_issuers_where_a_map_says_so() -> None:
    both = [
        study("1.1", accession="A1", accession_issuer="ris"),
        study("2.2", "P2", accession="A1", accession_issuer="other"),
    ]
    assert studies_of(tie([order(accession="A1")], both, MAPPED)[1]) == {"1.1"}
    assert tie([order(accession="A1")], both[1:], MAPPED) == {}


def test_a_map_does_not_keep_an_accession_from_a_study_that_names_no_issuer() -> None:
    found = tie([order(accession="A1")], [study("1.1", accession="A1")], MAPPED)
    assert studies_of(found[1]) == {"1.1"}


def test_an_accession_is_contradicted_by_the_patient_whom_its_order_names() -> None:
    other = patient(2, "", birth_date="1981-01-01", family="Badger")
    only = [study("1.1", accession="A1")]
    assert tie([order(accession="A1", references=("Patient/2",)), other], only, UNMAPPED) == {}


def test_the_patient_whom_an_order_names_tells_two_equal_accessions_apart() -> None:
    other = study("2.2", "P2", accession="A1", family="badger", birth_date="19810101")
    both = [study("1.1", accession="A1"), other]
    mole = patient(2, "", family="Mole")
    found = tie([order(accession="A1", references=("Patient/2",)), mole], both, UNMAPPED)
    assert studies_of(found[1]) == {"1.1"}


@pytest.mark.parametrize(("folder", "name"), [("f1", "n1"), ("f1", "other")])
def test_a_file_that_lay_beside_tells_two_equal_accessions_apart(folder: str, name: str) -> None:
    both = [
        study("1.1", accession="A1", drops=frozenset({("f1", "n1")})),
        study("2.2", "P2", accession="A1", drops=frozenset({("f2", "n2")})),
    ]
    found = tie([order(accession="A1", folder=folder, name=name)], both, UNMAPPED)
    assert studies_of(found[1]) == {"1.1"}


def test_the_same_name_goes_before_the_same_folder() -> None:
    both = [
        study("1.1", accession="A1", drops=frozenset({("f", "n1")})),
        study("2.2", "P2", accession="A1", drops=frozenset({("f", "n2")})),
    ]
    found = tie([order(accession="A1", folder="f", name="n2")], both, UNMAPPED)
    assert studies_of(found[1]) == {"2.2"}
    assert tie([order(accession="A1", folder="f", name="n3")], both, UNMAPPED) == {}


def test_lying_beside_alone_ties_nobody() -> None:
    beside = [study("1.1", drops=frozenset({("f", "n")}))]
    assert tie([order(folder="f", name="n")], beside, UNMAPPED) == {}


def test_a_patient_number_ties_by_its_mapped_issuer_alone() -> None:
    nameless = patient(1, birth_date="", family="")
    studies = [study("1.1"), study("1.2"), study("2.2", "P1", "OTHER")]
    assert studies_of(tie([nameless], studies, MAPPED)[1]) == {"1.1", "1.2"}
    assert tie([nameless], studies, UNMAPPED) == {}


@pytest.mark.parametrize(
    ("birth_date", "family", "is_tied"),
    [
        ("1970-02-03", "", True),
        ("1970", "", True),
        ("", "MÖLE", True),
        ("1970-02-03", "Mole", True),
        ("1970-02-04", "Mole", False),
        ("1970-02-03", "Badger", True),
        ("", "Badger", False),
        ("", "", False),
    ],
)
def test_without_a_map_birth_date_or_family_name_must_agree(
    birth_date: str, family: str, is_tied: bool
) -> None:
    found = tie([patient(birth_date=birth_date, family=family)], [study("1.1")], UNMAPPED)
    assert (1 in found) is is_tied


def test_the_number_of_another_hospitals_patient_does_not_tie() -> None:
    namesake = study("2.2", "P1", "OTHER", birth_date="19700203", family="mole")
    assert tie([patient()], [namesake], MAPPED) == {}


def test_what_names_two_patients_is_a_conflict_with_both_sides() -> None:
    both = [study("1.1"), study("2.2", "P2", accession="A1")]
    torn = Sidecar(
        1,
        Ties("ServiceRequest", uids=frozenset({"1.1"}), accessions=(Issued("A1", RIS),)),
    )
    assert tie([torn], both, UNMAPPED)[1] == Conflict(((By.ACCESSION, "2.2"), (By.UID, "1.1")))


def test_two_studies_of_one_patient_are_no_conflict_and_the_nearest_tie_counts() -> None:
    both = [study("1.1"), study("1.2", accession="A1")]
    named = Sidecar(
        1, Ties("ImagingStudy", uids=frozenset({"1.1"}), accessions=(Issued("A1", RIS),))
    )
    assert studies_of(tie([named], both, UNMAPPED)[1]) == {"1.1"}


def test_references_tie_in_both_directions_and_over_several_steps() -> None:
    imaging = resource(1, "Patient/2", kind="ImagingStudy", uids=frozenset({"1.1"}))
    nameless = patient(2, "", birth_date="", family="")
    encounter = resource(3, "Patient/2", kind="Encounter")
    observation = resource(4, "Encounter/3")
    found = tie([imaging, nameless, encounter, observation], [study("1.1")], UNMAPPED)
    assert [studies_of(found[number]) for number in (1, 2, 3, 4)] == [{"1.1"}] * 4
    assert isinstance(found[4], Tied)
    assert found[4].by is By.REFERENCE


def test_a_reference_by_identifier_ties_too() -> None:
    searching = Sidecar(3, Ties("Observation", searches=(("Patient", HOSPITAL, "P1"),)))
    found = tie([patient(1), searching], [study("1.1")], MAPPED)
    assert studies_of(found[3]) == {"1.1"}


def test_what_many_share_ties_nobody_and_goes_with_all_who_refer_to_it() -> None:
    sidecars = [
        resource(1, "Organization/9", kind="ImagingStudy", uids=frozenset({"1.1"})),
        resource(2, "Organization/9", kind="ImagingStudy", uids=frozenset({"2.2"})),
        resource(3, "Organization/9", kind="Observation"),
        resource(9, "Endpoint/10", kind="Organization"),
        resource(10, kind="Endpoint"),
        resource(11, kind="Organization"),
    ]
    found = tie(sidecars, [study("1.1"), study("2.2", "P2")], UNMAPPED)
    assert 3 not in found
    assert 11 not in found
    assert found[9] == found[10] == Tied(frozenset({"1.1", "2.2"}), "", By.REFERENCE)


def test_what_refers_to_two_patients_is_a_conflict_and_they_are_not() -> None:
    sidecars = [
        resource(1, kind="ImagingStudy", uids=frozenset({"1.1"})),
        resource(2, kind="ImagingStudy", uids=frozenset({"2.2"})),
        resource(3, "ImagingStudy/1", "ImagingStudy/2", kind="DiagnosticReport"),
        resource(4, "ImagingStudy/2", kind="DiagnosticReport", uids=frozenset({"1.1"})),
    ]
    found = tie(sidecars, [study("1.1"), study("2.2", "P2")], UNMAPPED)
    assert isinstance(found[3], Conflict)
    assert isinstance(found[4], Conflict)
    assert (studies_of(found[1]), studies_of(found[2])) == ({"1.1"}, {"2.2"})


def test_a_reference_means_what_was_dropped_with_it() -> None:
    def dropped(each: Sidecar, folder: str) -> Sidecar:
        return Sidecar(each.number, each.ties, folder)

    def named_one(number: int, uid: str) -> Sidecar:
        return Sidecar(number, Ties("ImagingStudy", ("ImagingStudy/1",), uids=frozenset({uid})))

    sidecars = [
        dropped(named_one(1, "1.1"), "a"),
        dropped(named_one(2, "2.2"), "b"),
        dropped(resource(3, "ImagingStudy/1"), "a"),
        dropped(resource(4, "ImagingStudy/1"), "b"),
    ]
    found = tie(sidecars, [study("1.1"), study("2.2", "P2")], UNMAPPED)
    assert (studies_of(found[3]), studies_of(found[4])) == ({"1.1"}, {"2.2"})


def test_the_order_in_which_resources_and_studies_are_told_changes_nothing() -> None:
    studies = [
        study("1.1", accession="A1"),
        study("1.2"),
        study("2.2", "P2", accession="A1", family="badger", birth_date="19810101"),
        study("3.3", "P3", accession="A3", family="rat", birth_date="19900101"),
    ]
    sidecars = [
        resource(1, "Patient/2", "Organization/9", kind="ImagingStudy", uids=frozenset({"1.2.1"})),
        patient(2, "", birth_date="", family=""),
        order(3, accession="A1", references=("Patient/2",)),
        order(4, accession="A3", references=("Patient/5",)),
        patient(5, "P3", birth_date="1990-01-01", family="Rat"),
        resource(6, "ServiceRequest/4", "Patient/2", kind="DiagnosticReport"),
        resource(9, kind="Organization"),
        resource(10, "Organization/9"),
    ]
    expected = tie(sidecars, studies, UNMAPPED)
    assert isinstance(expected[6], Conflict)
    chooser = random.Random(7)
    for _ in range(50):
        chooser.shuffle(sidecars)
        chooser.shuffle(studies)
        assert tie(sidecars, studies, UNMAPPED) == expected
    for three in itertools.permutations(studies, 3):
        assert tie(sidecars, three, UNMAPPED) == tie(sidecars[::-1], three[::-1], UNMAPPED)
