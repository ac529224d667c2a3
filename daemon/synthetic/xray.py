"""Projections: computed and digital radiography, angiographic cines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.synthetic.elements import make_code, set_pixels, update
from daemon.synthetic.instance import add_equipment, add_study_details, make_instance
from daemon.synthetic.patients import PATIENTS, Patient
from daemon.synthetic.pictures import projection

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def make_cr(
    patient: Patient = PATIENTS[3],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    rows: int = 640,
) -> Dataset:
    """Make a computed radiograph of a chest, 10 bits stored."""
    dataset = make_instance("CR", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "CR", "Veilplate CR")
    update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY"],
        SeriesDescription="Thorax p.a.",
        BodyPartExamined="CHEST",
        ViewPosition="PA",
        KVP="125",
        PlateID="CR-PLATE-00817",
        CassetteOrientation="PORTRAIT",
        Sensitivity="210",
        ImagerPixelSpacing=["0.5", "0.5"],
        PatientOrientation=["L", "F"],
        WindowCenter="512",
        WindowWidth="1024",
    )
    film = projection(rows, rows * 5 // 6)
    set_pixels(dataset, np.clip(film * 1023, 0, 1023).astype("<u2"), bits=10)
    return dataset


def make_dx(
    patient: Patient = PATIENTS[4],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    rows: int = 768,
) -> Dataset:
    """Make a digital radiograph for presentation, 12 bits stored, declared free of annotation."""
    dataset = make_instance("DX", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "DX", "Veilpanel DR")
    update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", ""],
        SeriesDescription="Chest AP",
        PresentationIntentType="FOR PRESENTATION",
        BodyPartExamined="CHEST",
        ViewPosition="AP",
        ImageLaterality="U",
        BurnedInAnnotation="NO",
        LossyImageCompression="00",
        KVP="110",
        DistanceSourceToDetector="1800",
        ExposureTime="8",
        Exposure="3",
        DetectorType="SCINTILLATOR",
        DetectorID="DET-99812-SN",
        DetectorDescription="CsI panel",
        DateOfLastDetectorCalibration=dataset.StudyDate,
        TimeOfLastDetectorCalibration="070000",
        ImagerPixelSpacing=["0.4", "0.4"],
        PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=-1,
        RescaleIntercept="0",
        RescaleSlope="1",
        RescaleType="US",
        PresentationLUTShape="IDENTITY",
        PatientOrientation=["L", "F"],
        WindowCenter="2048",
        WindowWidth="4096",
        AcquisitionDeviceProcessingDescription="",
        PositionerType="",
    )
    dataset.AcquisitionContextSequence = []
    dataset.AnatomicRegionSequence = [make_code("51185008", "SCT", "Chest")]
    dataset.ViewCodeSequence = [make_code("399348003", "SCT", "antero-posterior")]
    film = projection(rows, rows)
    set_pixels(dataset, np.clip(film * 4095, 0, 4095).astype("<u2"), bits=12)
    return dataset


def make_xa(
    patient: Patient = PATIENTS[7],
    *,
    seed: int = 1,
    study: int = 2,
    series: int = 1,
    instance: int = 1,
    rows: int = 256,
    frames: int = 10,
) -> Dataset:
    """Make an angiographic cine in which contrast fills a vessel."""
    dataset = make_instance("XA", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "XA", "Veilangio")
    update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
        SeriesDescription="LCA LAO 30",
        BodyPartExamined="HEART",
        LossyImageCompression="00",
        RadiationSetting="GR",
        KVP="80",
        XRayTubeCurrent="400",
        ExposureTime="6",
        PositionerMotion="STATIC",
        PositionerPrimaryAngle="30",
        PositionerSecondaryAngle="0",
        FrameTime="66.7",
        FrameIncrementPointer=0x00181063,
        CineRate="15",
        PixelIntensityRelationship="DISP",
        PatientOrientation="",
        WindowCenter="128",
        WindowWidth="256",
    )
    cine = np.stack([projection(rows, rows, contrast=(n + 1) / frames) for n in range(frames)])
    set_pixels(dataset, np.clip(cine * 255, 0, 255).astype(np.uint8), bits=8)
    return dataset
