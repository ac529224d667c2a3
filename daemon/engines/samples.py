"""Where text is found in a sample: as a picture, and as a region template for its kind of machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.errors import InvalidDicomError

from daemon.engines.pixels import engines
from deid.encoding.segments import Span
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.description import describe
from deid.pixels.drawing import png, side_by_side, with_boxes
from deid.pixels.find.views import picture
from deid.pixels.frames import open_frames
from deid.pixels.templates import RegionTemplate, template_document
from deid.ports import PixelInstance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.engines.pixels import PixelSettings
    from deid.pixels.geometry import Box
    from deid.ports import CleanedPixels


class NotASample(Exception):
    """The file is no instance with pixels; the text says why, and nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a sample, and what became of it.

    Attributes
    ----------
    boxes
        Where text is, in the first frame.
    rules
        What is filled whether text is there or not: by templates, by Sequence of Ultrasound Regions.
    """

    instance: PixelInstance
    cleaned: PixelInstance
    boxes: Sequence[Box]
    rules: Sequence[Box]

    def drawing(self) -> bytes:
        """Return a PNG of the first frame: what was found in the source, beside what is left of it."""
        shown = _first_frame(self.instance)
        return png(
            side_by_side(with_boxes(shown, self.boxes, self.rules), _first_frame(self.cleaned))
        )

    def template(self, name: str) -> str:
        """Return a region template for such machines, as TOML; without a name, named for the model."""
        return template_document(_template(self.instance.attributes, name, self.boxes))


def look(instance: PixelInstance, settings: PixelSettings) -> Looked:
    """Find the text in an instance with the site's engine, templates and rules.

    Raises
    ------
    deid.errors.Unsafe
        If its pixels cannot be decoded.
    """
    chosen = engines(settings)
    cleaner = PixelCleaning(
        "REDACT_ALL_TEXT",
        chosen.detector(),
        templates=chosen.templates(),
        blank_outside_ultrasound_regions=chosen.blank_outside_ultrasound_regions,
        untrusted=(),
    )
    found, rules = cleaner.find(instance)
    cleaned = with_segments(instance, cleaner.clean(instance))
    return Looked(instance, cleaned, [region.box.grown(3) for region in found], rules)


def read(file: Path) -> PixelInstance:
    """Return what pixel cleaning needs of a file.

    Raises
    ------
    NotASample
        If it cannot be read, or has no pixels.
    """
    try:
        return pixel_instance(pydicom.dcmread(file, force=False))
    except OSError as error:
        raise NotASample(f"cannot be read: {error.strerror}") from error
    except InvalidDicomError as error:
        raise NotASample("is not a DICOM file (PS3.10)") from error
    except (KeyError, AttributeError) as error:
        raise NotASample("has no Pixel Data (7FE0,0010), or no transfer syntax") from error


def pixel_instance(dataset: pydicom.Dataset) -> PixelInstance:
    """Return what pixel cleaning needs of a dataset that pydicom read."""
    element = dataset["PixelData"]
    value = element.value
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    attributes = _attributes(dataset) | {"PixelDataVR": str(element.VR)}
    return PixelInstance(
        syntax, attributes, value, 0, len(value), syntax == "1.2.840.10008.1.2.2", known=()
    )


def with_segments(instance: PixelInstance, cleaned: CleanedPixels) -> PixelInstance:
    """Return the instance with its cleaned value in place of the source's."""
    if cleaned.segments is None:
        return instance
    value = b"".join(
        bytes(instance.value[part.start : part.stop]) if isinstance(part, Span) else part
        for part in cleaned.segments
    )
    return PixelInstance(
        instance.transfer_syntax_uid,
        {**instance.attributes, **cleaned.changes},
        value,
        0,
        len(value),
        instance.big_endian,
        known=(),
    )


def _attributes(dataset: pydicom.Dataset) -> dict[str, Any]:
    return {
        element.keyword: (
            [_attributes(item) for item in element.value] if element.VR == "SQ" else element.value
        )
        for element in dataset
        if element.keyword and element.tag.group != 0x7FE0
    }


def _first_frame(instance: PixelInstance) -> NDArray[Any]:
    image = describe(instance.attributes)
    return picture(image, open_frames(instance, image).decoded(0), instance.attributes).display


def _template(attributes: Mapping[str, Any], name: str, boxes: Sequence[Box]) -> RegionTemplate:
    image = describe(attributes)
    model = str(attributes.get("ManufacturerModelName") or "")
    clipped = (box.clipped(image.rows, image.columns) for box in boxes)
    fallback = "-".join(model.lower().split()) or "machine"
    return RegionTemplate(
        name=name or f"{fallback}-{image.columns}x{image.rows}",
        manufacturer=str(attributes.get("Manufacturer") or ""),
        model=model,
        modality=str(attributes.get("Modality") or ""),
        sop_class_uid=str(attributes.get("SOPClassUID") or ""),
        rows=image.rows,
        columns=image.columns,
        fill=tuple(sorted(box for box in clipped if box is not None)),
    )
