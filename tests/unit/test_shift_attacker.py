"""Somebody who knows what is the same for all patients of a house finds out by how much none of them moved.

He has the results of a hundred patients of one scanner, its protocols, the forms of the house, the versions
that the standard prints, and he compares (decision 0114).
"""

from __future__ import annotations

import io
import json
import re
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pydicom
import pytest
from pydicom.datadict import dictionary_VR, keyword_dict

import deid
from deid.tags.equipment import OF_PATIENTS
from deid.tags.labels import LABELS
from tests.adversarial.corpus import flatten, relaxed, text_of
from tests.adversarial.people import Person, person
from tests.adversarial.probes import file_about
from tests.adversarial.running import KEY, plan_of, result_of
from tests.adversarial.wire import element, sequence
from tests.fhir_samples import bundle, fhir_plan, resource, result, run

PATIENTS = 100
CLEANING = ("research", "research_imaging", "tag_contents")
OF_THE_HOUSE = {
    "ProtocolName": "Thorax 2019-03-04 v2",
    "SeriesDescription": "T1 mpr 20190304",
    "StudyDescription": "MRT Kopf (gültig ab 01.07.2019)",
    "PerformedProcedureStepDescription": "Kopf nativ, Protokoll vom 12.03.2018",
    "RequestedProcedureDescription": "CT Thorax, tariff of 1 July 2019",
    "AcquisitionProtocolName": "Neuro_12-MAR-2018",
    "AcquisitionProtocolDescription": "created 03/2018",
    "AcquisitionDeviceProcessingDescription": "LUT of 12.3.18",
    "DerivationDescription": "subtraction, build 2018-03-12",
    "ContrastBolusAgent": "Gadovist, lot of 2018-03",
    "SequenceName": "tfl3d_20180312",
    "FilterType": "WEDGE 20180312",
    "ImageComments": "Read with template version 2018-03-12",
    "CommentsOnThePerformedProcedureStep": "Formular Stand 12.03.2018 ausgefüllt",
    "PatientComments": "Last calibration: 12.03.2018",
    "ClinicalTrialSeriesDescription": "MRT nach Protokoll 12.03.2018",
    "EthicsCommitteeApprovalEffectivenessStartDate": "20180312",
    "ContextGroupVersion": "20020904",
    "ContextGroupLocalVersion": "20180312",
    "TemplateVersion": "20040112",
    "CodingSchemeVersion": "20180312",
    "DateOfLastCalibration": "20180312",
}  # fmt: skip
OF_THE_PATIENT = {
    "AdditionalPatientHistory": "Op {:%d.%m.%Y}",
    "ReasonForTheRequestedProcedure": "Sturz am {:%d.%m.%Y}",
    "PatientComments": "OP-Protokoll vom {:%d.%m.%Y} liegt vor",
    "ImageComments": "seen {:%Y-%m-%d}",
    "TextValue": "compared with {:%Y-%m-%d}",
    "StudyDescription": "Kontrolle nach Op {:%d.%m.%Y}",
}


def element_of(keyword: str, value: str) -> tuple[int, bytes]:
    tag = keyword_dict[keyword]
    return tag, element(tag, dictionary_VR(tag), value.encode())


def made(who: Person, planted: dict[int, bytes], plan: deid.Plan) -> dict[str, pydicom.DataElement]:
    output = result_of(file_about(who, planted), plan)
    with relaxed():
        return flatten(pydicom.dcmread(io.BytesIO(output)))


def code_with_versions() -> tuple[int, bytes]:
    """Return a code as every CT has it: the context group's version is in PS3.16 for everybody to read."""
    parts = {
        "CodeValue": "T-D3000", "CodingSchemeDesignator": "SRT", "CodingSchemeVersion": "20190315",
        "CodeMeaning": "Chest, list of 2018-03-12", "MappingResource": "DCMR",
        "ContextGroupVersion": "20020904", "ContextIdentifier": "4031",
    }  # fmt: skip
    elements = dict(element_of(*each) for each in parts.items())
    content = b"".join(elements[tag] for tag in sorted(elements))
    return 0x00082218, sequence(0x00082218, [content])


@cache
def released(preset: str) -> tuple[dict[str, pydicom.DataElement], ...]:
    """Return the elements of all patients' results."""
    plan = plan_of(preset)
    planted = dict(element_of(*each) for each in OF_THE_HOUSE.items())
    planted.update([code_with_versions()])
    return tuple(made(person(number), planted, plan) for number in range(PATIENTS))


@pytest.mark.parametrize("preset", CLEANING)
def test_the_patients_have_many_shifts(preset: str) -> None:
    new = [text_of(each["StudyDate"]) for each in released(preset)]
    old = [person(number).studied for number in range(PATIENTS)]
    shifts = {
        (datetime.strptime(two, "%Y%m%d").date() - one).days  # noqa: DTZ007 - a day has no zone
        for one, two in zip(old, new, strict=True)
    }
    assert len(shifts) > PATIENTS // 4


@pytest.mark.parametrize("preset", CLEANING)
@pytest.mark.parametrize("keyword", OF_THE_HOUSE)
def test_what_is_the_same_for_all_comes_out_the_same(preset: str, keyword: str) -> None:
    results = {text_of(each[keyword]) if keyword in each else None for each in released(preset)}
    assert len(results) == 1


@pytest.mark.parametrize("preset", CLEANING)
def test_versions_in_codes_stay_or_go_and_do_not_move(preset: str) -> None:
    for each in released(preset):
        versions = {path: text_of(value) for path, value in each.items() if "Version" in path}
        group = [
            text for path, text in versions.items() if path.endswith("[0].ContextGroupVersion")
        ]
        assert group == ["20020904"], versions


@pytest.mark.parametrize("preset", ["research", "tag_contents"])
def test_no_text_of_many_patients_tells_their_shifts_whatever_its_attribute(preset: str) -> None:
    planted = {
        tag: element(tag, vr, b"of 12.03.2018")
        for tag in keyword_dict.values()
        if tag >> 16 > 4 and (vr := dictionary_VR(tag)) in ("LO", "LT", "SH", "ST", "UT", "UC")
    }
    plan = plan_of(preset)
    one, other = (made(person(number), planted, plan) for number in range(2))
    of_many = {
        path
        for path, tag in keyword_dict.items()
        if tag in planted.keys() - OF_PATIENTS - LABELS.keys()
    }
    results = [{path: each[path].value for path in of_many & each.keys()} for each in (one, other)]
    told = {path for path in of_many if results[0].get(path) != results[1].get(path)}
    assert told <= _IDENTIFIERS


_IDENTIFIERS = {"PatientID", "AccessionNumber"}
"""They are replaced, each patient's by another."""


@pytest.mark.parametrize("preset", CLEANING)
@pytest.mark.parametrize("keyword", OF_THE_PATIENT)
def test_a_patients_own_days_move_with_the_patient(preset: str, keyword: str) -> None:
    plan = plan_of(preset)
    for number in range(5):
        who = person(number)
        before = who.studied - timedelta(days=200)
        form = OF_THE_PATIENT[keyword]
        new = made(who, dict([element_of(keyword, form.format(before))]), plan)
        studied = datetime.strptime(text_of(new["StudyDate"]), "%Y%m%d").date()  # noqa: DTZ007
        day = form[form.index("{") + 2 : form.index("}")]
        assert f"{studied - timedelta(days=200):{day}}" in text_of(new[keyword])


def test_times_in_the_names_of_protocols_do_not_stay_where_times_move() -> None:
    settings = {
        "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
        "dicomveil": {
            "timeJitterMinutes": 700, "burnedIn": "pass",
            "options": ["retain_modified_dates", "clean_descriptors"],
        },
    }  # fmt: skip
    plan = deid.compile_plan(settings, KEY)
    results = {
        text_of(
            made(person(number), dict([element_of("ProtocolName", "Head 10:22:31")]), plan)[
                "ProtocolName"
            ]
        )
        for number in range(5)
    }
    assert results == {"Head [DATE]"}


# ---------------------------------------------------------------------- resources

PUBLIC = "2018-03-12"
AT = f"{PUBLIC}T10:00:00Z"
ANNA = {"reference": "Patient/17"}
RESOURCES_OF_THE_HOUSE = [
    resource("Observation", subject=ANNA, meta={"lastUpdated": AT}),
    resource(
        "Immunization", patient=ANNA, education=[{"publicationDate": PUBLIC, "documentType": "x"}]
    ),
    resource("PractitionerRole", period={"start": PUBLIC}),
    resource("PractitionerRole", notAvailable=[{"description": "x", "during": {"start": PUBLIC}}]),
    resource("Practitioner", qualification=[{"code": {"text": "x"}, "period": {"start": PUBLIC}}]),
    resource("Practitioner", identifier=[{"value": "1", "period": {"start": PUBLIC}}]),
    resource("HealthcareService", notAvailable=[{"description": "x", "during": {"start": PUBLIC}}]),
    resource("ResearchStudy", period={"start": PUBLIC}),
    resource("InsurancePlan", period={"start": PUBLIC}),
    resource("DeviceMetric", calibration=[{"time": AT}]),
    resource("Substance", instance=[{"expiry": PUBLIC}]),
    resource("Medication", batch={"expirationDate": PUBLIC}),
    resource("Device", patient=ANNA, manufactureDate=PUBLIC),
    resource("Coverage", beneficiary=ANNA, period={"start": "2024-01-01", "end": "2024-12-31"}),
    resource(
        "ExplanationOfBenefit",
        patient=ANNA,
        benefitPeriod={"start": "2024-01-01", "end": "2024-12-31"},
    ),
]


@pytest.mark.parametrize(
    "told", RESOURCES_OF_THE_HOUSE, ids=lambda told: f"{told['resourceType']}.{[*told][-1]}"
)
def test_no_resource_tells_how_far_what_is_the_same_for_all_moved(told: dict[str, Any]) -> None:
    found = set()
    for number in range(8):
        patient = resource("Patient", id="17", identifier=[{"value": f"MRN-{number}"}])
        source = json.dumps(bundle({"id": "x", **told}, patient)).replace(
            "Patient/17", f"Patient/{number}"
        )
        source = source.replace('"id": "17"', f'"id": "{number}"')
        new = json.loads(run(source.encode(), fhir_plan()).to_bytes())["entry"][0]["resource"]
        found.add(tuple(sorted(_days_in(new))))
    assert len(found) == 1
    assert PUBLIC not in found.pop()


def _days_in(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if _DAY.match(value) else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for part in parts for each in _days_in(part)]


_DAY = re.compile(r"\d{4}(-\d\d)?(-\d\d)?(T|\Z)")


@pytest.mark.parametrize(
    ("kind", "name"), [("Coverage", "period"), ("ExplanationOfBenefit", "benefitPeriod")]
)
def test_periods_of_insurance_stay_as_their_years(kind: str, name: str) -> None:
    period = {"start": "2023-01-01", "end": "2024-12-31", "id": "p1"}
    assert result(resource(kind, **{name: period}))[name] == {"start": "2023", "end": "2024"}
    kept = result(resource(kind, **{name: period}), fhir_plan(options=["retain_full_dates"]))
    assert kept[name] == {"start": "2023-01-01", "end": "2024-12-31"}


@pytest.mark.parametrize("period", [{"start": "soon"}, {"start": "1890-01-01"}, {}])
def test_periods_that_say_nothing_go(period: dict[str, str]) -> None:
    assert "period" not in result(resource("Coverage", period=period))
