"""Reports and dose reports are of use after `research`: concepts, numbers and units stay, people go."""

from __future__ import annotations

import io

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, XRayRadiationDoseSRStorage

import deid
from tests.adversarial.running import plan_of
from tests.unit.test_deid_content import code
from tests.unit.test_deid_engine import encode, instance


def item(value_type: str, concept: tuple[str, str, str], *children: Dataset) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = "CONTAINS", value_type
    made.ConceptNameCodeSequence = [code(*concept)]
    if value_type == "CONTAINER":
        made.ContinuityOfContent = "SEPARATE"
    if children:
        made.ContentSequence = list(children)
    return made


def number(concept: tuple[str, str, str], value: str, unit: tuple[str, str, str]) -> Dataset:
    made = item("NUM", concept)
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = [code(*unit)]
    made.MeasuredValueSequence = [measured]
    return made


def text(concept: tuple[str, str, str], value: str) -> Dataset:
    made = item("TEXT", concept)
    made.TextValue = value
    return made


def person(concept: tuple[str, str, str], value: str) -> Dataset:
    made = item("PNAME", concept)
    made.PersonName = value
    return made


MGY_CM = ("mGy.cm", "UCUM", "mGy.cm")
MGY = ("mGy", "UCUM", "mGy")
EVENTS = ("113812", "DCM", "Total Number of Irradiation Events")
TOTAL_DLP = ("113813", "DCM", "CT Dose Length Product Total")


def dose_report() -> Dataset:
    """Return a CT dose report as scanners write it (PS3.16 TID 10011)."""
    made = instance(SOPClassUID=XRayRadiationDoseSRStorage, Modality="SR")
    made.ValueType, made.ContinuityOfContent = "CONTAINER", "SEPARATE"
    made.ConceptNameCodeSequence = [code("113701", "DCM", "X-Ray Radiation Dose Report")]
    target = item("CODE", ("123014", "DCM", "Target Region"))
    target.ConceptCodeSequence = [code("69536005", "SCT", "Head")]
    event = item("UIDREF", ("113769", "DCM", "Irradiation Event UID"))
    event.UID = "1.2.3.77"
    made.ContentSequence = [
        person(("121008", "DCM", "Person Observer Name"), "Quiller^Ottilie"),
        item(
            "CONTAINER",
            ("113811", "DCM", "CT Accumulated Dose Data"),
            number(
                ("113812", "DCM", "Total Number of Irradiation Events"),
                "3",
                ("{events}", "UCUM", "events"),
            ),
            number(TOTAL_DLP, "1024.55", MGY_CM),
        ),
        item(
            "CONTAINER",
            ("113819", "DCM", "CT Acquisition"),
            text(("125203", "DCM", "Acquisition Protocol"), "Head Routine"),
            target,
            event,
            item(
                "CONTAINER",
                ("113829", "DCM", "CT Dose"),
                number(("113830", "DCM", "Mean CTDIvol"), "52.31", MGY),
                number(("113838", "DCM", "DLP"), "812.05", MGY_CM),
            ),
        ),
    ]
    return made


def research(dataset: Dataset) -> Dataset:
    source = encode(dataset)
    result = deid.deidentify(source, plan_of("research"))
    return pydicom.dcmread(
        io.BytesIO(
            b"".join(
                part if isinstance(part, bytes) else source[part.start : part.stop]
                for part in result.segments
            )
        )
    )


def numbers(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """Return number and unit by concept, at any depth."""
    found: dict[str, tuple[str, str]] = {}
    for each in dataset.get("ContentSequence", ()):
        if each.ValueType == "NUM":
            measured = each.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
            found[each.ConceptNameCodeSequence[0].CodeValue] = (str(measured.NumericValue), unit)
        found |= numbers(each)
    return found


def test_a_dose_report_has_the_same_total_dlp_and_every_other_number() -> None:
    report = dose_report()
    result = research(report)

    assert numbers(result) == numbers(report)
    assert numbers(result)["113813"] == ("1024.55", "mGy.cm")


def test_concepts_and_regions_of_a_dose_report_stay() -> None:
    acquisition = research(dose_report()).ContentSequence[-1]

    assert acquisition.ConceptNameCodeSequence[0].CodeMeaning == "CT Acquisition"
    assert acquisition.ContentSequence[1].ConceptCodeSequence[0].CodeMeaning == "Head"
    assert acquisition.ContentSequence[0].TextValue == "Head Routine"


def test_events_of_a_dose_report_get_replacements() -> None:
    acquisition = research(dose_report()).ContentSequence[-1]
    event = next(each for each in acquisition.ContentSequence if each.ValueType == "UIDREF")

    assert event.UID.startswith("2.25.")


@pytest.mark.parametrize("name", ["Quiller", "Ottilie", "Zimmermann"])
def test_nobody_stays_in_a_dose_report(name: str) -> None:
    assert name not in str(research(dose_report()))


def test_a_report_keeps_its_findings_and_loses_the_name_in_them() -> None:
    made = instance(SOPClassUID=ComprehensiveSRStorage, Modality="SR")
    made.ValueType, made.ContinuityOfContent = "CONTAINER", "SEPARATE"
    made.ConceptNameCodeSequence = [code("18748-4", "LN", "Diagnostic Imaging Report")]
    made.ContentSequence = [
        text(("121071", "DCM", "Finding"), "Normal liver. Seen with Dr Quiller."),
        number(("410668003", "SCT", "Length"), "14.5", ("mm", "UCUM", "mm")),
    ]

    result = research(made)

    assert "Normal liver" in result.ContentSequence[0].TextValue
    assert "Quiller" not in result.ContentSequence[0].TextValue
    assert numbers(result) == {"410668003": ("14.5", "mm")}
