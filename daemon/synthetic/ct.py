"""Computed tomography."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.sequence import Sequence

from daemon.synthetic.elements import (
    make_code,
    make_item,
    original_uid,
    person_name,
    set_pixels,
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

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def make_ct(
    patient: Patient = PATIENTS[0],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 2,
    instance: int = 1,
    rows: int = 512,
    columns: int | None = None,
) -> Dataset:
    """Make one axial CT slice: 12 bits stored, and some 180 elements as scanners write them."""
    columns = columns or rows
    dataset = make_instance("CT", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "CT", "Veilscan 64")
    position = -250.0 + 5.0 * instance
    update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
        LossyImageCompression="00",
        SeriesDescription="Thorax 5.0 B31f " + patient.name.split("^")[0].split("=")[0],
        ProtocolName="ThoraxRoutine",
        BodyPartExamined="CHEST",
        PatientPosition="HFS",
        ScanOptions="HELIX",
        SliceThickness="5",
        KVP="120",
        DataCollectionDiameter="500",
        ReconstructionDiameter="360",
        DistanceSourceToDetector="1040",
        DistanceSourceToPatient="570",
        GantryDetectorTilt="0",
        TableHeight="151",
        RotationDirection="CW",
        ExposureTime="500",
        XRayTubeCurrent="180",
        Exposure="90",
        FilterType="WEDGE_3",
        GeneratorPower="26",
        FocalSpots=[1.2],
        DateOfLastCalibration=dataset.StudyDate,
        TimeOfLastCalibration="061500",
        ConvolutionKernel="B31f",
        SingleCollimationWidth=0.6,
        TotalCollimationWidth=28.8,
        TableSpeed=40.0,
        TableFeedPerRotation=20.0,
        SpiralPitchFactor=0.7,
        CTDIvol=6.1,
        ExposureModulationType="XYZ_EC",
        EstimatedDoseSaving=22.5,
        AcquisitionType="SPIRAL",
        ImageComments=patient.comment,
        ContrastBolusAgent="Iomeprol 350",
        ContrastBolusRoute="IV",
        ContrastBolusVolume="90",
        ContrastBolusStartTime="091200",
        ContrastBolusStopTime="091230",
        ContrastBolusTotalDose="90",
        ContrastFlowRate=["3"],
        ContrastFlowDuration=["30"],
        ContrastBolusIngredient="IODINE",
        ContrastBolusIngredientConcentration="350",
        FrameOfReferenceUID=original_uid(patient.patient_id, seed, study, "frame of reference"),
        PositionReferenceIndicator="",
        ImagePositionPatient=[-180.0, -180.0, position],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        SliceLocation=f"{position:g}",
        TemporalPositionIdentifier="1",
        NumberOfTemporalPositions="1",
        AcquisitionNumber="2",
        ImagesInAcquisition="60",
        WindowCenter=["40", "-600"],
        WindowWidth=["400", "1200"],
        WindowCenterWidthExplanation=["WINDOW1", "WINDOW2"],
        RescaleIntercept="-1024",
        RescaleSlope="1",
        RescaleType="HU",
    )
    dataset.PixelSpacing = [f"{360 / rows:.6f}"[:8], f"{360 / columns:.6f}"[:8]]
    dataset.IrradiationEventUID = original_uid(patient.patient_id, seed, study, "irradiation")
    dataset.ReferencedImageSequence = [
        make_reference("CT", original_uid(patient.patient_id, seed, study, 1, n)) for n in (1, 2)
    ]
    dataset.SourceImageSequence = [
        make_reference("CT", original_uid(patient.patient_id, seed, study, 99, 1))
    ]
    dataset.SourceImageSequence[0].PurposeOfReferenceCodeSequence = [
        make_code("121322", "DCM", "Source image for image processing operation")
    ]
    _ct_private_blocks(dataset, patient)
    units = thorax_section(
        rows, columns, level=(instance % 60) / 60, texture=seed * 1000 + instance
    )
    set_pixels(dataset, np.clip(units + 1024, 0, 4095).astype("<u2"), bits=12)
    dataset.SmallestImagePixelValue = int(np.frombuffer(dataset.PixelData, "<u2").min())
    dataset.LargestImagePixelValue = int(np.frombuffer(dataset.PixelData, "<u2").max())
    dataset.PixelPaddingValue = 0
    return dataset


def _ct_private_blocks(dataset: Dataset, patient: Patient) -> None:
    """Add private blocks as CT scanners write them; two elements repeat who the patient is."""
    block = dataset.private_block(0x0009, "VEIL EXAMPLE IDEN 01", create=True)
    block.add_new(0x01, "LO", "VEIL_GENESIS_FF")
    block.add_new(0x02, "SH", "CT01")
    block.add_new(0x04, "SH", "HiSpeed CT/i")
    block.add_new(0x27, "SL", 1707120000)
    block.add_new(0x30, "PN", person_name(patient, patient.name))
    acquisition = dataset.private_block(0x0019, "VEIL EXAMPLE ACQU 01", create=True)
    for offset, vr, value in (
        (0x02, "SL", 912),
        (0x03, "DS", "373.75"),
        (0x04, "DS", "1.0166"),
        (0x0F, "DS", "75.5"),
        (0x11, "SS", 4),
        (0x18, "LO", "S"),
        (0x1A, "LO", "I"),
        (0x23, "DS", "18.5"),
        (0x24, "DS", "11.36"),
        (0x25, "SS", 1),
        (0x26, "SL", 120),
        (0x27, "DS", "0.8"),
        (0x2C, "SL", 1968),
        (0x2E, "DS", "-720.5"),
        (0x39, "SS", 8),
        (0x42, "SS", 0),
        (0x43, "SS", 0),
        (0x47, "SS", 1),
        (0x52, "SS", 1),
        (0x5E, "SL", 852),
    ):
        acquisition.add_new(offset, vr, value)
    order = dataset.private_block(0x0029, "VEIL EXAMPLE ORDER", create=True)
    order.add_new(0x08, "CS", "IMAGE NUM 4")
    order.add_new(0x10, "OB", b"VEIL" + bytes(range(252)))
    nested = make_item(StudyInstanceUID=dataset.StudyInstanceUID)
    nested.PatientName = person_name(patient, patient.name)
    nested.PatientID = text_for(patient, patient.patient_id)
    order.add_new(0x40, "SQ", Sequence([nested]))
