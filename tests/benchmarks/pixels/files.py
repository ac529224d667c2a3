"""Writes the benchmark's instances as files, for programs that read files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydicom

from tests.benchmarks.pixels.corpus import JPEG_BASELINE
from tests.factories import make_ct, write

if TYPE_CHECKING:
    from pathlib import Path

    from deid.ports import PixelInstance

#: What a factory's CT says of its own pixels.
_ITS_OWN = (
    "RescaleSlope",
    "RescaleIntercept",
    "SmallestImagePixelValue",
    "PixelPaddingValue",
    "WindowCenter",
    "WindowWidth",
)


def write_file(path: Path, instance: PixelInstance) -> None:
    """Write an instance's pixels, and what describes them, in a CT of a made-up patient."""
    dataset = make_ct()
    for keyword in _ITS_OWN:
        dataset.pop(keyword, None)
    for keyword, value in instance.attributes.items():
        if keyword != "PlanarConfiguration" or instance.attributes["SamplesPerPixel"] == 3:
            setattr(dataset, keyword, value)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(instance.transfer_syntax_uid)
    dataset.PixelData = bytes(instance.value)
    is_deep = instance.attributes["BitsAllocated"] > 8
    dataset["PixelData"].VR = "OW" if is_deep else "OB"
    dataset["PixelData"].is_undefined_length = instance.transfer_syntax_uid == JPEG_BASELINE
    write(path, dataset)
