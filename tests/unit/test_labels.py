"""Labels of structures, segments and beams stay whole or are replaced whole."""

from __future__ import annotations

import csv
import io
from importlib.resources import files

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RTPlanStorage, RTStructureSetStorage, SegmentationStorage

import deid
from deid.text.folding import words
from deid.text.structures import is_structure_name
from tests.unit.test_deid_engine import encode, instance, plan

RESEARCH = plan("retain_modified_dates", "retain_patient_characteristics", "clean_descriptors")
NAMES = [
    row["name"]
    for row in csv.DictReader(
        (files("deid.tables") / "structure_names.csv").read_text("utf-8").splitlines()
    )
]
BY_GRAMMAR = words(
    """
    Brainstem_PRV Brainstem_PRV03 OpticNrv_PRV05_L GTVp GTVn GTVp1 CTVn2 PTV_5000 PTV_High PTVp_6600 zPTV_High
    z_Ring PTV1-Eval Kidney_R^Contour CouchSurface CouchInterior NS_Ring1 PTV^Margin03 Bladder~ Ring_5mm BODY
    LN_Neck_IIA_L Rt_Lung Lt_Breast CTV_4500cGy PTV45Gy Optic_Chiasm Hippocampus_L+R WM_L VB_T12 Retina_PRV03_L
    """
)
SOMEBODYS = words(
    """
    Quiller_L SMITH Ottilie Kowalczyk_GTV GTV_Smith PTV_Quiller PTV_MILLER Brain_Otto 4471902 2019_04_12
    DrQuiller Q_U_I_L_L_E_R Huber_Boost PTV_HEADLEE Ann_L Meyer 12.04.2019
    """
)


def run(dataset: Dataset, chosen: deid.Plan = RESEARCH) -> Dataset:
    source = encode(dataset)
    return pydicom.dcmread(
        io.BytesIO(
            b"".join(
                part if isinstance(part, bytes) else source[part.start : part.stop]
                for part in deid.deidentify(source, chosen).segments
            )
        )
    )


def rois(*names: str, patient: str = "MRN-4711") -> Dataset:
    made = instance(SOPClassUID=RTStructureSetStorage, Modality="RTSTRUCT", PatientID=patient)
    items, observations = [], []
    for number, name in enumerate(names, start=1):
        item = Dataset()
        item.ROINumber, item.ROIName = number, name
        items.append(item)
        seen = Dataset()
        seen.ObservationNumber, seen.ReferencedROINumber, seen.ROIObservationLabel = (
            number,
            number,
            name[:16],
        )
        observations.append(seen)
    made.StructureSetLabel = names[0][:16]
    made.StructureSetROISequence = items
    made.RTROIObservationsSequence = observations
    return made


def labels(dataset: Dataset) -> list[str]:
    return [item.ROIName for item in dataset.StructureSetROISequence]


def test_at_least_98_in_100_names_of_the_nomenclature_stay() -> None:
    listed = [name for name in NAMES if "xx" not in name]
    kept = labels(run(rois(*listed)))

    assert len(listed) > 1000
    assert sum(a == b for a, b in zip(listed, kept, strict=True)) >= 0.98 * len(listed)


@pytest.mark.parametrize("name", sorted(BY_GRAMMAR))
def test_a_name_that_the_grammar_makes_is_known(name: str) -> None:
    assert is_structure_name(name)
    assert labels(run(rois(name))) == [name]


@pytest.mark.parametrize("name", sorted(SOMEBODYS))
def test_a_label_with_an_unknown_part_is_replaced_whole(name: str) -> None:
    assert not is_structure_name(name)
    (label,) = labels(run(rois(name)))

    assert label.startswith("ROI-")
    assert not [part for part in name.split("_") if len(part) > 1 and part in label]


def test_different_labels_never_become_equal() -> None:
    names = [f"Quiller{number}_{'LR'[number % 2]}" for number in range(300)]
    made = labels(run(rois(*names, "Brainstem", "Brainstem_PRV")))

    assert len(set(made)) == 302


def test_equal_labels_stay_equal_and_are_the_same_in_every_instance_of_the_patient() -> None:
    first = labels(run(rois("Quiller_L", "Brain", "Quiller_L")))
    second = labels(run(rois("Quiller_L")))

    assert first[0] == first[2] == second[0]


def test_equal_labels_of_two_patients_do_not_join_them() -> None:
    one, other = (labels(run(rois("Quiller_L", patient=name))) for name in ("A-1", "B-2"))

    assert one != other


def test_a_replaced_label_stays_when_it_comes_back() -> None:
    once = run(rois("Quiller_L"))

    assert labels(run(once)) == labels(once)


def test_the_patients_own_name_is_replaced_even_where_it_names_a_structure() -> None:
    made = rois("Foley", "Foley_Bulb")
    made.PatientName = "Foley^Quirin"

    assert all(label.startswith("ROI-") for label in labels(run(made)))


def test_the_observation_has_the_name_of_its_structure() -> None:
    result = run(rois("Brainstem_PRV", "Quiller_L"))
    seen = [item.ROIObservationLabel for item in result.RTROIObservationsSequence]

    assert seen == labels(result)


@pytest.mark.parametrize("chosen", [plan(), RESEARCH], ids=["basic", "research"])
def test_segments_keep_labels_of_their_own(chosen: deid.Plan) -> None:
    made = instance(SOPClassUID=SegmentationStorage, Modality="SEG")
    items = []
    for number, label in enumerate(["adrenal_gland_left", "Quiller 1", "Quiller 2"], start=1):
        item = Dataset()
        item.SegmentNumber, item.SegmentLabel = number, label
        items.append(item)
    made.SegmentSequence = items

    kept = [item.SegmentLabel for item in run(made, chosen).SegmentSequence]

    assert kept[0] == "adrenal_gland_left"
    assert kept[1].startswith("SEG-")
    assert kept[2].startswith("SEG-")
    assert kept[1] != kept[2]


def test_beams_are_told_apart() -> None:
    made = instance(SOPClassUID=RTPlanStorage, Modality="RTPLAN", RTPlanLabel="Quiller_P1")
    items = []
    for number, name in enumerate(["Setup AP", "Quiller 180", "Quiller 90"], start=1):
        item = Dataset()
        item.BeamNumber, item.BeamName = number, name
        items.append(item)
    made.BeamSequence = items

    result = run(made)
    names = [item.BeamName for item in result.BeamSequence]

    assert names[0] == "Setup AP"
    assert len(set(names)) == 3
    assert not [name for name in names if "Quiller" in name]
    assert result.RTPlanLabel.startswith("PLAN-")


def test_the_case_of_merged_names() -> None:
    names = ["Brainstem", "Brainstem_PRV", "OpticNrv_L", "Glnd_Submand_L", "BrachialPlex_L", "GTVp"]

    assert labels(run(rois(*names))) == names
