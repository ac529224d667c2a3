"""Radiotherapy structure sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.synthetic.elements import as_ascii, make_item, original_uid, person_name, update
from daemon.synthetic.instance import (
    add_equipment,
    add_study_details,
    make_instance,
    make_reference,
)
from daemon.synthetic.patients import PATIENTS, Patient

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def make_rtstruct(
    patient: Patient = PATIENTS[7],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 20,
    instance: int = 1,
) -> Dataset:
    """Make a structure set over the CT series of the same study."""
    dataset = make_instance(
        "RTSTRUCT", patient, seed=seed, study=study, series=series, instance=instance
    )
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "RTSTRUCT", "Veilplan")
    slices = [original_uid(patient.patient_id, seed, study, 2, n) for n in (1, 2, 3)]
    frame_of_reference = original_uid(patient.patient_id, seed, study, "frame of reference")
    update(
        dataset,
        SeriesDescription="RT structures",
        StructureSetLabel=as_ascii(patient.name.split("^")[0])[:16],
        StructureSetName="Plan A",
        StructureSetDescription="Contoured by " + as_ascii(patient.operator),
        StructureSetDate=dataset.StudyDate,
        StructureSetTime="111500",
        ApprovalStatus="UNAPPROVED",
        FrameOfReferenceUID=frame_of_reference,
        PositionReferenceIndicator="",
    )
    dataset.ReferencedFrameOfReferenceSequence = [
        make_item(
            FrameOfReferenceUID=frame_of_reference,
            RTReferencedStudySequence=[
                make_item(
                    ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
                    ReferencedSOPInstanceUID=dataset.StudyInstanceUID,
                    RTReferencedSeriesSequence=[
                        make_item(
                            SeriesInstanceUID=original_uid(
                                patient.patient_id, seed, study, 2, "series"
                            ),
                            ContourImageSequence=[make_reference("CT", uid) for uid in slices],
                        )
                    ],
                )
            ],
        )
    ]
    rois = (
        ("HEART", (30.0, 40.0)),
        ("GTV " + as_ascii(patient.operator.split("^")[0]), (60.0, 15.0)),
    )
    dataset.StructureSetROISequence = [
        make_item(
            ROINumber=number,
            ReferencedFrameOfReferenceUID=frame_of_reference,
            ROIName=name,
            ROIGenerationAlgorithm="MANUAL",
        )
        for number, (name, _) in enumerate(rois, 1)
    ]
    dataset.ROIContourSequence = [
        make_item(
            ReferencedROINumber=number,
            ROIDisplayColor=[255, 80 * number, 0],
            ContourSequence=[
                make_item(
                    ContourImageSequence=[make_reference("CT", uid)],
                    ContourGeometricType="CLOSED_PLANAR",
                    NumberOfContourPoints=12,
                    ContourData=_circle(radii, -250.0 + 5.0 * n),
                )
                for n, uid in enumerate(slices, 1)
            ],
        )
        for number, (_, radii) in enumerate(rois, 1)
    ]
    dataset.RTROIObservationsSequence = [
        make_item(
            ObservationNumber=number,
            ReferencedROINumber=number,
            RTROIInterpretedType="ORGAN" if number == 1 else "GTV",
            ROIInterpreter=person_name(patient, patient.operator),
        )
        for number in (1, 2)
    ]
    return dataset


def _circle(radii: tuple[float, float], z: float) -> list[str]:
    points = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return [
        f"{value:.3f}"
        for angle in points
        for value in (radii[0] * np.cos(angle), radii[1] * np.sin(angle), z)
    ]
