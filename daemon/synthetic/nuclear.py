"""Nuclear medicine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.synthetic.elements import make_code, make_item, set_pixels, update
from daemon.synthetic.instance import add_equipment, add_study_details, make_instance
from daemon.synthetic.patients import PATIENTS, Patient
from daemon.synthetic.pictures import tracer

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def make_nm(
    patient: Patient = PATIENTS[6],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    rows: int = 128,
    frames: int = 4,
) -> Dataset:
    """Make a static scintigram of several views."""
    dataset = make_instance("NM", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "NM", "Veilgamma")
    update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"],
        SeriesDescription="Bone static",
        Laterality="",
        FrameIncrementPointer=[0x00540010, 0x00540020],
        NumberOfEnergyWindows=1,
        NumberOfDetectors=frames,
        EnergyWindowVector=[1] * frames,
        DetectorVector=list(range(1, frames + 1)),
        CountsAccumulated="812345",
        ActualFrameDuration="60000",
        PixelSpacing=["3.3", "3.3"],
        PatientOrientation="",
    )
    dataset.PatientOrientationCodeSequence = [make_code("102538003", "SCT", "recumbent")]
    dataset.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [
        make_code("40199007", "SCT", "supine")
    ]
    dataset.PatientGantryRelationshipCodeSequence = [make_code("102540008", "SCT", "headfirst")]
    dataset.EnergyWindowInformationSequence = [
        make_item(
            EnergyWindowName="Tc99m",
            EnergyWindowRangeSequence=[
                make_item(EnergyWindowLowerLimit="126", EnergyWindowUpperLimit="154")
            ],
        )
    ]
    radionuclide = make_code("72454006", "SCT", "^99m^Technetium")
    dataset.RadiopharmaceuticalInformationSequence = [
        make_item(
            Radiopharmaceutical="MDP " + patient.patient_id.encode("ascii", "ignore").decode(),
            RadiopharmaceuticalStartTime="081500",
            RadionuclideTotalDose="600",
            RadionuclideCodeSequence=[radionuclide],
        )
    ]
    dataset.DetectorInformationSequence = [
        make_item(
            CollimatorType="PARA",
            CollimatorGridName="LEHR",
            ImagePositionPatient=[-200.0, -200.0, 0.0],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ViewCodeSequence=[make_code("399348003", "SCT", "antero-posterior")],
        )
        for _ in range(frames)
    ]
    views = np.stack([tracer(rows, rows, angle=360 * n / frames) for n in range(frames)])
    set_pixels(dataset, views.astype("<u2"), bits=16)
    return dataset
