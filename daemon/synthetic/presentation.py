"""Presentation states, with graphics and text over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.synthetic.elements import make_item, original_uid, person_name, text_for, update
from daemon.synthetic.instance import (
    add_equipment,
    add_study_details,
    make_instance,
    make_reference,
)
from daemon.synthetic.patients import PATIENTS, Patient

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def make_pr(
    patient: Patient = PATIENTS[0],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 12,
    instance: int = 1,
) -> Dataset:
    """Make a grayscale presentation state whose text annotation names the patient."""
    dataset = make_instance("PR", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "PR", "Veilstation")
    target = make_reference("CT", original_uid(patient.patient_id, seed, study, 2, 1))
    update(
        dataset,
        SeriesDescription="Presentation state",
        Laterality="",
        PresentationCreationDate=dataset.StudyDate,
        PresentationCreationTime="103000",
        ContentLabel="ARROWS",
        ContentDescription=text_for(patient, patient.comment)[:64],
        PresentationLUTShape="IDENTITY",
    )
    dataset.ContentCreatorName = person_name(patient, patient.operator)
    dataset.ReferencedSeriesSequence = [
        make_item(
            SeriesInstanceUID=original_uid(patient.patient_id, seed, study, 2, "series"),
            ReferencedImageSequence=[target],
        )
    ]
    dataset.DisplayedAreaSelectionSequence = [
        make_item(
            DisplayedAreaTopLeftHandCorner=[1, 1],
            DisplayedAreaBottomRightHandCorner=[512, 512],
            PresentationSizeMode="SCALE TO FIT",
            PresentationPixelAspectRatio=[1, 1],
            ReferencedImageSequence=[target],
        )
    ]
    dataset.SoftcopyVOILUTSequence = [
        make_item(WindowCenter="40", WindowWidth="400", ReferencedImageSequence=[target])
    ]
    dataset.GraphicLayerSequence = [
        make_item(
            GraphicLayer="NOTES",
            GraphicLayerOrder="1",
            GraphicLayerDescription=text_for(patient, patient.operator.split("=")[0]),
        )
    ]
    dataset.GraphicAnnotationSequence = [
        make_item(
            GraphicLayer="NOTES",
            ReferencedImageSequence=[target],
            TextObjectSequence=[
                make_item(
                    AnchorPointAnnotationUnits="PIXEL",
                    UnformattedTextValue=text_for(patient, patient.name.split("=")[0]),
                    AnchorPoint=[100.0, 120.0],
                    AnchorPointVisibility="Y",
                )
            ],
        )
    ]
    return dataset
