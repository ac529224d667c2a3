"""Segmentations."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from daemon.synthetic.elements import (
    as_ascii,
    make_code,
    make_item,
    original_uid,
    person_name,
    text_for,
    update,
)
from daemon.synthetic.instance import (
    add_equipment,
    add_study_details,
    make_instance,
    make_reference,
)
from daemon.synthetic.patients import PATIENTS, Patient
from daemon.synthetic.pictures import thorax_section


def make_seg(
    patient: Patient = PATIENTS[7],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 21,
    instance: int = 1,
    rows: int = 128,
    frames: int = 3,
) -> Dataset:
    """Make a binary segmentation (one bit per pixel) of the lungs over CT slices."""
    dataset = make_instance(
        "SEG", patient, seed=seed, study=study, series=series, instance=instance
    )
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "SEG", "Veilstation")
    organisation = original_uid(patient.patient_id, seed, study, "segment dimensions")
    slices = [original_uid(patient.patient_id, seed, study, 2, n) for n in range(1, frames + 1)]
    update(
        dataset,
        ImageType=["DERIVED", "PRIMARY"],
        SeriesDescription="Lung segmentation",
        ContentLabel="LUNGS",
        ContentDescription=text_for(patient, patient.comment)[:64],
        LossyImageCompression="00",
        SegmentationType="BINARY",
        FrameOfReferenceUID=original_uid(patient.patient_id, seed, study, "frame of reference"),
        PositionReferenceIndicator="",
    )
    dataset.ContentCreatorName = person_name(patient, patient.operator)
    dataset.ReferencedSeriesSequence = [
        make_item(
            SeriesInstanceUID=original_uid(patient.patient_id, seed, study, 2, "series"),
            ReferencedInstanceSequence=[make_reference("CT", uid) for uid in slices],
        )
    ]
    dataset.SegmentSequence = [
        make_item(
            SegmentNumber=1,
            SegmentLabel="Lung " + as_ascii(patient.operator.split("^")[0]),
            SegmentAlgorithmType="MANUAL",
            SegmentedPropertyCategoryCodeSequence=[
                make_code("123037004", "SCT", "Anatomical Structure")
            ],
            SegmentedPropertyTypeCodeSequence=[make_code("39607008", "SCT", "Lung")],
        )
    ]
    dataset.DimensionOrganizationSequence = [make_item(DimensionOrganizationUID=organisation)]
    dataset.DimensionIndexSequence = [
        make_item(
            DimensionIndexPointer=0x0062000B,
            FunctionalGroupPointer=0x0062000A,
            DimensionOrganizationUID=organisation,
        ),
        make_item(
            DimensionIndexPointer=0x00200032,
            FunctionalGroupPointer=0x00209113,
            DimensionOrganizationUID=organisation,
        ),
    ]
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        make_item(
            PixelSpacing=[f"{360 / rows:.6f}"[:8]] * 2, SliceThickness="5", SpacingBetweenSlices="5"
        )
    ]
    shared.PlaneOrientationSequence = [make_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for frame, uid in enumerate(slices, 1):
        group = Dataset()
        source = make_reference("CT", uid)
        source.PurposeOfReferenceCodeSequence = [
            make_code("121322", "DCM", "Source image for image processing operation")
        ]
        derivation = make_item(SourceImageSequence=[source])
        derivation.DerivationCodeSequence = [make_code("113076", "DCM", "Segmentation")]
        group.DerivationImageSequence = [derivation]
        group.FrameContentSequence = [make_item(DimensionIndexValues=[1, frame])]
        group.PlanePositionSequence = [
            make_item(ImagePositionPatient=[-180.0, -180.0, -250.0 + 5.0 * frame])
        ]
        group.SegmentIdentificationSequence = [make_item(ReferencedSegmentNumber=1)]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    sections = [
        thorax_section(rows, rows, level=n / 60, texture=None) for n in range(1, frames + 1)
    ]
    mask = np.stack([(section < -600) & (section > -900) for section in sections])
    update(
        dataset,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        NumberOfFrames=frames,
        Rows=rows,
        Columns=rows,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelRepresentation=0,
    )
    packed = np.packbits(mask.ravel(), bitorder="little").tobytes()
    dataset.add_new(0x7FE00010, "OB", packed + b"\x00" * (len(packed) % 2))
    return dataset
