"""Frames that installed packages bundle and that show no text; each was looked at by eye.

Packages that are not installed are passed over: nibabel and pydicom-data belong to the development
environment.
"""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.pixels.bases import real_bases
from tests.benchmarks.pixels.textless.drawing import grey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tests.benchmarks.pixels.bases import Base

#: The letter of a lead marker lies in these.
_WITH_MARKERS = ("RG3_UNCR.dcm",)
#: A functional volume of a head, NIfTI-1: 128 x 96 x 24 voxels, two times.
_VOLUME = "tests/data/example4d.nii.gz"
_PLACE_OF_OFFSET = 108  # in the header: where the samples begin, as a float


def real_frames() -> Iterator[Base]:
    """Yield the bundled frames, of 64 pixels and more."""
    yield from (base for base in real_bases(64) if base.name not in _WITH_MARKERS)
    volume = _volume()
    if volume is None:
        return
    for number in range(4, 22, 3):
        yield grey(volume[number], "MR")
    for side in (4, 5):
        sheet = np.zeros((side * 96, side * 128), np.float32)
        for at, section in enumerate(volume[: side * side]):
            top, left = at // side * 96, at % side * 128
            sheet[top : top + 96, left : left + 128] = section
        yield grey(sheet, "MR")


def _volume() -> NDArray[Any] | None:
    """Return the first time's sections, shape (24, 96, 128), 0 to 1; None without nibabel."""
    found = importlib.util.find_spec("nibabel")
    places = found.submodule_search_locations if found is not None else None
    path = Path(places[0]) / _VOLUME if places else None
    if path is None or not path.is_file():
        return None
    content = gzip.decompress(path.read_bytes())
    begin = int(np.frombuffer(content, np.dtype("<f4"), count=1, offset=_PLACE_OF_OFFSET)[0])
    samples = np.frombuffer(content, np.dtype("<i2"), offset=begin)
    volume = samples.reshape(2, 24, 96, 128)[0].astype(np.float32)
    return np.asarray(volume / volume.max(), np.float32)
