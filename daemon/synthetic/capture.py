"""Secondary captures, with text burned in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.synthetic.elements import as_ascii, set_pixels, update
from daemon.synthetic.instance import add_equipment, add_study_details, make_instance
from daemon.synthetic.patients import PATIENTS, Patient
from daemon.synthetic.pictures import thorax_section

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def make_sc(
    patient: Patient = PATIENTS[7],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 900,
    instance: int = 1,
    rows: int = 256,
) -> Dataset:
    """Make a colour secondary capture, as a workstation stores a rendering."""
    dataset = make_instance("SC", patient, seed=seed, study=study, series=series, instance=instance)
    dataset.Modality = "OT"
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "SC", "Veilstation")
    update(
        dataset,
        ImageType=["DERIVED", "SECONDARY"],
        ConversionType="WSD",
        Laterality="",
        SeriesDescription="Rendering " + patient.patient_id.encode("ascii", "ignore").decode(),
        SecondaryCaptureDeviceID="WS-RAD-04",
        SecondaryCaptureDeviceManufacturer="Veil Example Systems",
        SecondaryCaptureDeviceManufacturerModelName="Veilstation",
        DateOfSecondaryCapture=dataset.StudyDate,
        TimeOfSecondaryCapture="101500",
        PatientOrientation="",
        DerivationDescription="Volume rendering made by " + as_ascii(patient.operator),
    )
    grey = np.clip((thorax_section(rows, rows, level=0.6, texture=None) + 1000) / 8, 0, 255)
    tint = np.stack([grey, grey * 0.8, grey * 0.6], axis=-1).astype(np.uint8)
    set_pixels(dataset, tint, bits=8)
    return dataset
