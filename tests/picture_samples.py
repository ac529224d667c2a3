"""Instances to be drawn, one property each, and how outside programs draw them."""

from __future__ import annotations

import io
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from daemon.rendering.drawing import draw
from daemon.rendering.reading import StoredImage
from dicomweb.ports import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

UNCOMPRESSED_FRAMES, DEFLATED_FRAMES = UID("1.2.840.10008.1.2.1.98"), UID("1.2.840.10008.1.2.8.1")
STUDY = "1.2.826.0.1.3680043.8.498.1"
SERIES = "1.2.826.0.1.3680043.8.498.1.1"


def ramp(rows: int = 16, columns: int = 64, *, top: int = 4095) -> NDArray[np.uint16]:
    """Return values from 0 to `top`, rising along each row and a little from row to row."""
    steps = np.linspace(0, top, rows * columns)
    values: NDArray[np.uint16] = steps.reshape(columns, rows).T.astype(np.uint16)
    return values


def make_image(
    samples: NDArray[Any],
    photometric: str = "",
    *,
    bits: int = 0,
    syntax: str = ExplicitVRLittleEndian,
    encoded: Sequence[bytes] | None = None,
    **attributes: Any,
) -> Dataset:
    """Return an instance.

    Parameters
    ----------
    samples
        Shape (rows, columns), (rows, columns, 3), or either with frames before that.
    encoded
        The frames as codestreams of `syntax`.
    """
    colour = samples.shape[-1] == 3 and samples.ndim > 2
    frames, rows, columns = (samples.shape if samples.ndim > 2 + colour else (1, *samples.shape))[
        :3
    ]
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = generate_uid(
        entropy_srcs=[repr((attributes, syntax, photometric, samples.tobytes()[:99]))]
    )
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.PatientName, dataset.PatientID = "Sample^Picture", "PICTURE-1"
    dataset.Modality = "OT"
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = photometric or ("RGB" if colour else "MONOCHROME2")
    if colour:
        dataset.PlanarConfiguration = 0
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated = samples.dtype.itemsize * 8
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(samples.dtype.kind == "i")
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if encoded is not None:
        dataset.PixelData = encapsulate(list(encoded))
        dataset["PixelData"].VR = "OB"
    else:
        data = samples.tobytes()
        dataset.PixelData = data + bytes(len(data) % 2)
        dataset["PixelData"].VR = "OW" if samples.dtype.itemsize > 1 else "OB"
    return dataset


def overlaid(
    dataset: Dataset, plane: NDArray[np.bool_], *, group: int = 0x6000, **elements: Any
) -> Dataset:
    """Give an image a plane; `plane` has frames before rows and columns where it has any."""
    rows, columns = plane.shape[-2:]
    packed = np.packbits(plane.ravel(), bitorder="little").tobytes()
    dataset.add_new((group, 0x0010), "US", rows)
    dataset.add_new((group, 0x0011), "US", columns)
    if plane.ndim > 2:
        dataset.add_new((group, 0x0015), "IS", len(plane))
    dataset.add_new((group, 0x0040), "CS", elements.get("kind", "G"))
    dataset.add_new((group, 0x0050), "SS", list(elements.get("origin", (1, 1))))
    if "frame_origin" in elements:
        dataset.add_new((group, 0x0051), "US", elements["frame_origin"])
    dataset.add_new((group, 0x0100), "US", 1)
    dataset.add_new((group, 0x0102), "US", 0)
    dataset.add_new((group, 0x3000), "OW", packed + bytes(len(packed) % 2))
    return dataset


def as_bytes(dataset: Dataset) -> bytes:
    """Return the Part 10 file."""
    out = io.BytesIO()
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax != DEFLATED_FRAMES:
        dataset.save_as(out, enforce_file_format=True)
        return out.getvalue()
    # pydicom does not know that one yet; it is written as another whose name is as long.
    dataset.file_meta.TransferSyntaxUID = UNCOMPRESSED_FRAMES
    dataset.save_as(out, enforce_file_format=True)
    dataset.file_meta.TransferSyntaxUID = syntax
    return out.getvalue().replace(UNCOMPRESSED_FRAMES.encode(), DEFLATED_FRAMES.encode() + b"\0", 1)


def stored(dataset: Dataset, folder: Path) -> StoredImage:
    """Return the instance as a worker opens it."""
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    path.write_bytes(as_bytes(dataset))
    return StoredImage(path, path.stat().st_size)


def drawn(
    dataset: Dataset, folder: Path, *, state: Dataset | None = None, **asked: Any
) -> NDArray[np.uint8]:
    """Return the picture of an instance, drawn in this process."""
    picture = Picture("image/png", **asked)
    return pixels_of(draw(stored(dataset, folder), picture, state))


def pixels_of(encoded: bytes) -> NDArray[np.uint8]:
    """Return the pixels of an encoded picture."""
    with Image.open(io.BytesIO(encoded)) as opened:
        return np.asarray(opened)


def by_dcmtk(path: Path, out: Path, *options: str) -> NDArray[np.uint8] | None:
    """Return what dcmtk draws, as grey where it is; None where it cannot."""
    done = subprocess.run(
        ["dcmj2pnm", "--write-png", "-O", *options, str(path), str(out)],
        capture_output=True,
        check=False,
        timeout=500,
    )
    if done.returncode:
        return None
    with Image.open(out) as opened:
        found = np.asarray(opened)
    is_grey = found.ndim == 3 and not np.ptp(found, axis=2).any()
    return found[..., 0] if is_grey else found


def item(**attributes: Any) -> Dataset:
    """Return an item of a sequence."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def make_report() -> Dataset:
    """Return a structured report whose texts look like markup."""
    dataset = make_image(ramp(), PatientName="<script>alert(1)</script>^A")
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated"):
        delattr(dataset, keyword)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(
        "1.2.840.10008.5.1.4.1.1.88.22"
    )

    def code(meaning: str, value: str = "1") -> list[Dataset]:
        return [item(CodeValue=value, CodingSchemeDesignator="99X", CodeMeaning=meaning)]

    measured = item(NumericValue="12.5", MeasurementUnitsCodeSequence=code("millimeter", "mm"))
    size = item(
        ValueType="NUM", ConceptNameCodeSequence=code("Size"), MeasuredValueSequence=[measured]
    )
    text = item(
        ValueType="TEXT",
        ConceptNameCodeSequence=code("Finding"),
        TextValue="<script>alert(2)</script>",
        ContentSequence=[size],
    )
    dataset.ConceptNameCodeSequence = code("Imaging <Report>")
    dataset.ContentSequence = [text]
    return dataset
