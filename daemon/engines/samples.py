"""Show where text is found in a sample, and make a region template for its kind of machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.errors import InvalidDicomError

from daemon.cli import exit_codes
from daemon.cli.errors import CommandFailed, UsageError
from daemon.engines.pixels import engines
from deid.encoding.segments import Span
from deid.errors import Unsafe
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.description import describe
from deid.pixels.drawing import png, side_by_side, with_boxes
from deid.pixels.find.views import picture
from deid.pixels.frames import open_frames
from deid.pixels.templates import RegionTemplate, template_document
from deid.ports import PixelInstance

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.engines.pixels import PixelSettings
    from deid.ports import CleanedPixels


def run(args: argparse.Namespace, settings: PixelSettings) -> int:
    """Do it with the site's engine, templates and rules; return the exit code.

    Raises
    ------
    UsageError
        If the file is no instance with pixels, or the picture's name does not end in ``.png``.
    CommandFailed
        If its pixels cannot be decoded, or the picture cannot be written.
    """
    if args.png is not None and args.png.suffix.lower() != ".png":
        # What has that name already is replaced, and that must not be an instance.
        raise UsageError(f"--png {args.png} does not end in .png")
    instance = _read(args.file)
    chosen = engines(settings)
    cleaner = PixelCleaning(
        "REDACT_ALL_TEXT",
        chosen.detector(),
        templates=chosen.templates(),
        blank_outside_ultrasound_regions=chosen.blank_outside_ultrasound_regions,
        untrusted=(),
    )
    try:
        found, rules = cleaner.find(instance)
        cleaned = cleaner.clean(instance)
    except Unsafe as error:
        raise CommandFailed(f"{args.file}: {error.reason.value} at {error.where}") from error
    boxes = [region.box.grown(3) for region in found]
    if args.png is not None:
        shown = _first_frame(instance)
        result = _first_frame(with_segments(instance, cleaned))
        _write(args.png, png(side_by_side(with_boxes(shown, boxes, rules), result)))
    sys.stdout.write(template_document(_template(instance.attributes, args.name, boxes)))
    return exit_codes.OK


def _read(file: Path) -> PixelInstance:
    try:
        return pixel_instance(pydicom.dcmread(file, force=False))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except InvalidDicomError as error:
        raise UsageError(f"{file} is not a DICOM file (PS3.10)") from error
    except (KeyError, AttributeError) as error:
        raise UsageError(f"{file} has no Pixel Data (7FE0,0010), or no transfer syntax") from error


def _write(path: Path, picture_of_patient: bytes) -> None:
    """Write for the user alone: the picture shows the patient's data."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(picture_of_patient)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}") from error


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


def _template(attributes: Mapping[str, Any], name: str, boxes: list[Any]) -> RegionTemplate:
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
