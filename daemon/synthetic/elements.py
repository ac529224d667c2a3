"""Attributes, items, codes and pixels, as every kind of instance has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import PYDICOM_ROOT_UID, UID, generate_uid
from pydicom.valuerep import PersonName

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from daemon.synthetic.patients import Patient


def original_uid(*parts: object) -> UID:
    """Return the UID that stands for `parts` in every demonstration instance."""
    return generate_uid(
        prefix=PYDICOM_ROOT_UID, entropy_srcs=["|".join(map(str, ("dicomveil demo", *parts)))]
    )


def update(dataset: Dataset, **values: Any) -> None:
    """Set attributes by keyword; None means leave it out."""
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)


def make_item(**values: Any) -> Dataset:
    """Make the item of a sequence."""
    item = Dataset()
    update(item, **values)
    return item


def make_code(value: str, scheme: str, meaning: str) -> Dataset:
    """Make an item that holds a code (PS3.3 8.8)."""
    return make_item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def person_name(patient: Patient, name: str) -> PersonName | str:
    """Return a Person Name; with no character set declared, as Latin-1 bytes."""
    if patient.character_set or name.isascii():
        return name
    return PersonName(name.encode("latin-1"))


def text_for(patient: Patient, text: str) -> str:
    """Return text that the declared character set can hold."""
    return text if patient.character_set else as_ascii(text)


def as_ascii(text: str) -> str:
    """Return text in the default repertoire, what is not in it as question marks."""
    return text.encode("ascii", "replace").decode().replace("=", " ")


def set_pixels(dataset: Dataset, pixels: NDArray[Any], *, bits: int) -> None:
    """Set the Image Pixel module (PS3.3 C.7.6.3) for samples of (frames,) rows, columns (, 3)."""
    colour = pixels.shape[-1] == 3 and pixels.ndim > 2
    frames, rows, columns = {
        (2, False): (0, *pixels.shape),
        (3, True): (0, *pixels.shape[:2]),
        (3, False): pixels.shape,
        (4, True): pixels.shape[:3],
    }[pixels.ndim, colour]
    allocated = pixels.dtype.itemsize * 8
    update(
        dataset,
        SamplesPerPixel=3 if colour else 1,
        PhotometricInterpretation="RGB" if colour else "MONOCHROME2",
        Rows=rows,
        Columns=columns,
        BitsAllocated=allocated,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )
    if colour:
        dataset.PlanarConfiguration = 0
    if frames:
        dataset.NumberOfFrames = frames
    value = pixels.tobytes()
    vr = "OW" if allocated == 16 else "OB"
    dataset.add(DataElement(0x7FE00010, vr, value + b"\x00" * (len(value) % 2)))
