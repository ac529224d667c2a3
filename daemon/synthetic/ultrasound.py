"""Ultrasound cines."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from daemon.synthetic.elements import make_item, set_pixels, update
from daemon.synthetic.instance import add_equipment, add_study_details, make_instance
from daemon.synthetic.patients import PATIENTS, Patient
from daemon.synthetic.pictures import fan

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset


def make_us(
    patient: Patient = PATIENTS[5],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    rows: int = 240,
    frames: int = 8,
    banner: int = 0,
) -> Dataset:
    """Make a colour ultrasound cine.

    Parameters
    ----------
    banner
        Height of the strip at the top, in pixels, in which the machine draws whom it shows; 0 draws nobody.
    """
    dataset = make_instance("US", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "US", "Veilsono 9")
    columns = rows * 4 // 3
    update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "", "0011"],
        SeriesDescription="Echo 4CH",
        Laterality="",
        LossyImageCompression="00",
        FrameTime="40",
        FrameIncrementPointer=0x00181063,
        CineRate="25",
        HeartRate="71",
        TransducerData=["S5-1", "", ""],
        PatientOrientation="",
    )
    dataset.SequenceOfUltrasoundRegions = [
        make_item(
            RegionSpatialFormat=1,
            RegionDataType=1,
            RegionFlags=2,
            RegionLocationMinX0=0,
            RegionLocationMinY0=banner,
            RegionLocationMaxX1=columns - 1,
            RegionLocationMaxY1=rows - 1,
            PhysicalUnitsXDirection=3,
            PhysicalUnitsYDirection=3,
            PhysicalDeltaX=0.05,
            PhysicalDeltaY=0.05,
        )
    ]
    cine = np.stack([fan(rows, columns, phase=n / frames) for n in range(frames)])
    if banner:
        cine[:, :banner] = _drawn(patient, dataset.StudyDate, columns, banner)
    set_pixels(dataset, cine, bits=8)
    dataset.UltrasoundColorDataPresent = 1
    return dataset


def _drawn(patient: Patient, day: str, columns: int, rows: int) -> NDArray[np.uint8]:
    """Return a strip with name, number and day, shape (rows, columns, 3)."""
    strip = Image.new("RGB", (columns, rows))
    letters = unicodedata.normalize("NFKD", patient.name.partition("=")[0])
    name = letters.encode("ascii", "ignore").decode().replace("^", " ").strip()
    font = ImageFont.load_default(size=rows * 0.55)
    ImageDraw.Draw(strip).text(
        (columns // 40, rows // 2),
        f"{name}  {patient.patient_id}  {day}",
        "white",
        font,
        anchor="lm",
    )
    return np.asarray(strip)
