"""Float and Double Float Pixel Data (PS3.3 C.7.6.24, C.7.6.25): parametric maps, native only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deid.errors import Reason, Unsafe
from deid.pixels.codecs.table import NATIVE
from deid.pixels.description import ImageDescription, describe
from deid.pixels.samples import Decoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from deid.encoding.segments import Segment
    from deid.pixels.geometry import Box
    from deid.ports import PixelInstance

#: The value representations of Pixel Data's floating-point kinds, and how many bytes a sample takes.
FLOATS = {"OF": 4, "OD": 8}


def describe_floats(attributes: Mapping[str, Any]) -> ImageDescription:
    """Return the description of 16-bit frames in which floats are looked at.

    Raises
    ------
    Unsafe
        As `describe`; and when there is more than one sample per pixel.
    """
    return describe(
        {
            "Rows": attributes.get("Rows"),
            "Columns": attributes.get("Columns"),
            "NumberOfFrames": attributes.get("NumberOfFrames"),
            "SamplesPerPixel": attributes.get("SamplesPerPixel"),
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16,
        }
    )


class FloatFrames:
    """Frames of floats; implements `deid.pixels.frames.Frames`.

    A frame is shown by the range of its finite values, and filled with the lowest of them.
    """

    def __init__(self, instance: PixelInstance, image: ImageDescription) -> None:
        size = FLOATS[instance.attributes["PixelDataVR"]]
        self._dtype = np.dtype(f"{'>' if instance.big_endian else '<'}f{size}")
        count = image.rows * image.columns * image.frames
        if instance.transfer_syntax_uid not in NATIVE:
            raise Unsafe(
                Reason.PIXELS_UNDECODABLE, f"transfer syntax {instance.transfer_syntax_uid}"
            )
        if instance.stop - instance.start < count * size:
            raise Unsafe(Reason.PIXELS_UNDECODABLE, "floating-point pixel data are too short")
        raw = bytes(instance.value[instance.start : instance.start + count * size])
        self._has_tail = instance.stop - instance.start > len(raw)
        self._frames: NDArray[Any] = (
            np.frombuffer(raw, self._dtype).reshape(image.frames, image.rows, image.columns).copy()
        )
        self._is_changed = False

    def decoded(self, number: int) -> Decoded:
        """Return a frame as 16-bit samples: all of its finite values, from lowest to highest."""
        values = self._frames[number].astype(np.float64)
        finite = np.isfinite(values)
        low, high = _range(values[finite])
        with np.errstate(all="ignore"):
            scaled = (values / 2 - low / 2) / max(high / 2 - low / 2, np.finfo(np.float64).tiny)
        shown = np.where(finite, np.clip(np.nan_to_num(scaled), 0, 1) * 65535, 0)
        return Decoded(shown.astype(np.uint16)[..., None], "MONOCHROME2")

    def redact(self, number: int, boxes: Sequence[Box]) -> Decoded:
        """Fill boxes with the lowest finite value of the frame."""
        frame = self._frames[number]
        low, _high = _range(frame[np.isfinite(frame)].astype(np.float64))
        for box in boxes:
            frame[box.top : box.bottom, box.left : box.right] = low
        self._is_changed = True
        return self.decoded(number)

    def finished(self) -> tuple[list[Segment] | None, dict[str, Any]]:
        """Return the new value field, None when nothing changed."""
        if not self._is_changed and not self._has_tail:
            return None, {}
        return [self._frames.tobytes()], {}


def _range(finite: NDArray[Any]) -> tuple[float, float]:
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
