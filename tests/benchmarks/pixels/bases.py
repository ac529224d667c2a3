"""Frames without text of their own: real ones that the pydicom packages bundle, and synthetic ones."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from pydicom import dcmread
from pydicom.data import get_testdata_file

from deid.pixels.description import describe
from deid.pixels.frames import open_frames
from deid.pixels.samples import stored_values
from deid.ports import PixelInstance

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

#: Bundled instances whose first frame shows no text (looked at by eye); those of pydicom-data
#: are used where that package is installed.
REAL = (
    "693_J2KI.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "JPEG2000.dcm",
    "JPGExtended.dcm",
    "examples_overlay.dcm",
    "CT_small.dcm",
    "693_UNCR.dcm",
    "explicit_VR-UN.dcm",
    "MR2_UNCI.dcm",
    "RG1_UNCR.dcm",
    "RG3_UNCR.dcm",
    "MR-SIEMENS-DICOM-WithOverlays.dcm",
    "emri_small.dcm",
    "JPEG-LL.dcm",
)


@dataclass(frozen=True, slots=True)
class Base:
    """Stored values of one frame (rows, columns[, 3]) and the attributes that describe them."""

    name: str
    values: NDArray[Any]
    attributes: dict[str, Any] = field(repr=False)

    @property
    def shown_range(self) -> tuple[float, float]:
        """Stored values that are shown as black and white."""
        if "WindowCenter" in self.attributes:
            centre, width = self.attributes["WindowCenter"], self.attributes["WindowWidth"]
            slope = self.attributes.get("RescaleSlope", 1) or 1
            intercept = self.attributes.get("RescaleIntercept", 0) or 0
            middle = (centre - intercept) / slope
            return middle - width / slope / 2, middle + width / slope / 2
        if self.values.ndim == 3:
            return 0.0, 255.0
        low, high = np.percentile(self.values, (0.1, 99.9))
        return float(low), float(max(high, low + 1))


@functools.cache
def real_bases(least: int = 128) -> tuple[Base, ...]:
    """Return the bundled frames whose sides are at least that long."""
    found = []
    for name in REAL:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = get_testdata_file(name, download=False)
            if path is None or not Path(str(path)).exists():
                continue
            base = _read(name, str(path))
        if min(base.values.shape[:2]) >= least:
            found.append(base)
    return tuple(found)


def _read(name: str, path: str) -> Base:
    dataset = dcmread(path)
    values = _first_frame(dataset)
    attributes = {
        keyword: dataset.get(keyword)
        for keyword in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
    }
    attributes["PhotometricInterpretation"] = dataset.PhotometricInterpretation
    for keyword in ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept"):
        value = dataset.get(keyword)
        if value not in (None, ""):
            attributes[keyword] = float(value[0] if hasattr(value, "__len__") else value)
    if not {"WindowCenter", "WindowWidth"} <= attributes.keys():
        attributes.pop("WindowCenter", None)
        attributes.pop("WindowWidth", None)
    attributes["Modality"] = dataset.get("Modality") or "OT"
    if attributes["Modality"] == "US":
        attributes["Modality"] = "OT"
    return Base(name, np.ascontiguousarray(values), attributes)


def _first_frame(dataset: Dataset) -> NDArray[Any]:
    described = {
        element.keyword: element.value
        for element in dataset
        if element.tag.group == 0x0028 and element.keyword
    }
    value = dataset["PixelData"].value
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    instance = PixelInstance(syntax, described, value, 0, len(value), big_endian=False, known=())
    image = describe(described)
    values = stored_values(image, open_frames(instance, image).decoded(0).samples)
    if values.dtype.itemsize > 2:
        values = values.astype(np.int16)
    return values[..., 0] if values.shape[2] == 1 else values


def _grey16(values: NDArray[Any], modality: str, **more: Any) -> dict[str, Any]:
    signed = values.dtype.kind == "i"
    stored = 16 if signed else 12
    return {
        "BitsAllocated": 16,
        "BitsStored": stored,
        "HighBit": stored - 1,
        "PixelRepresentation": int(signed),
        "PhotometricInterpretation": "MONOCHROME2",
        "Modality": modality,
        **more,
    }


def _colour8(modality: str) -> dict[str, Any]:
    return {
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PhotometricInterpretation": "RGB",
        "Modality": modality,
    }


def synthetic_ultrasound(random: Random, rows: int = 600, columns: int = 800) -> Base:
    """Return a sector of speckle on black with a header bar, RGB."""
    noise = np.random.default_rng(random.randrange(2**32))
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    radius = np.hypot(x - columns / 2, y + rows * 0.05)
    angle = np.arctan2(x - columns / 2, y + rows * 0.05)
    sector = (np.abs(angle) < 0.65) & (radius > rows * 0.15) & (radius < rows * 0.95)
    tissue = cv2.GaussianBlur(noise.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), 28)
    tissue = (tissue - tissue.min()) / np.ptp(tissue)
    fine = cv2.GaussianBlur(
        noise.rayleigh(1.0, (rows, columns)).astype(np.float32), (0, 0), sigmaX=2.2, sigmaY=0.9
    )
    grey = np.clip(110 * tissue**1.5 * fine / fine.mean(), 0, 255)
    grey = np.where(sector, grey, noise.integers(0, 3, (rows, columns)))
    colour = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if random.random() < 0.5:
        colour[: rows // 12] = random.choice([(40, 60, 90), (30, 30, 30), (0, 0, 60)])
    return Base("synthetic US", colour, _colour8("OT"))


def synthetic_ct(random: Random, side: int = 512) -> Base:
    """Return ellipses of soft tissue and bone in air, signed HU with a soft-tissue window."""
    noise = np.random.default_rng(random.randrange(2**32))
    hu: NDArray[Any] = np.full((side, side), -1000, np.float32)
    centre = (side // 2, side // 2)
    cv2.ellipse(hu, centre, (int(side * 0.4), int(side * 0.31)), 0, 0, 360, 40, -1)
    for _ in range(14):
        at = (
            random.randrange(side // 4, 3 * side // 4),
            random.randrange(side // 3, 2 * side // 3),
        )
        axes = (random.randrange(8, 50), random.randrange(8, 40))
        value = random.choice([-700, -90, 20, 60, 120, 400, 900])
        cv2.ellipse(hu, at, axes, random.randrange(180), 0, 360, value, -1)
    hu = cv2.GaussianBlur(hu, (0, 0), 1.2) + noise.normal(0, 12, hu.shape)
    values = np.clip(hu, -1024, 3071).astype(np.int16)
    return Base("synthetic CT", values, _grey16(values, "CT", WindowCenter=40.0, WindowWidth=400.0))


def synthetic_cr(random: Random, rows: int = 1100, columns: int = 900) -> Base:
    """Return a soft projection with a collimated border, 12 bits unsigned."""
    noise = np.random.default_rng(random.randrange(2**32))
    low = noise.normal(0, 1, (rows // 50, columns // 50)).astype(np.float32)
    body = cv2.resize(low, (columns, rows), interpolation=cv2.INTER_CUBIC)
    body = 1800 + 600 * (body - body.mean()) / max(float(body.std()), 1e-3) / 2
    for _ in range(10):
        start = (random.randrange(columns), random.randrange(rows))
        end = (random.randrange(columns), random.randrange(rows))
        stripe = np.zeros((rows, columns), np.float32)
        cv2.line(stripe, start, end, 350.0, random.randrange(8, 60))
        body += cv2.GaussianBlur(stripe, (0, 0), 6)
    border = random.randrange(20, 80)
    body[:border] = body[-border:] = 120
    body[:, :border] = body[:, -border:] = 120
    values = np.clip(body + noise.normal(0, 18, body.shape), 0, 4095).astype(np.uint16)
    photometric = random.choice(["MONOCHROME2", "MONOCHROME1"])
    attributes = _grey16(values, "CR", PhotometricInterpretation=photometric)
    return Base("synthetic CR", values, attributes)


def synthetic_screen(random: Random, rows: int = 768, columns: int = 1024) -> Base:
    """Return a workstation screen: panels, buttons, a picture; no text yet."""
    noise = np.random.default_rng(random.randrange(2**32))
    screen = np.empty((rows, columns, 3), np.uint8)
    dark = random.random() < 0.5
    screen[:] = (45, 48, 54) if dark else (225, 227, 230)
    for _ in range(8):
        left, top = random.randrange(columns - 100), random.randrange(rows - 60)
        size = (left + random.randrange(60, 300), top + random.randrange(24, 200))
        level = random.randrange(20, 90) if dark else random.randrange(180, 255)
        cv2.rectangle(screen, (left, top), size, (level, level, min(level + 12, 255)), -1)
        cv2.rectangle(screen, (left, top), size, (128, 128, 128), 1)
    picture = synthetic_ultrasound(random, 300, 400).values
    screen[rows - 320 : rows - 20, columns - 420 : columns - 20] = picture
    screen = np.clip(screen.astype(np.int16) + noise.integers(-1, 2, screen.shape), 0, 255)
    return Base("synthetic screen", screen.astype(np.uint8), _colour8("OT"))
