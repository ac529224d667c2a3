"""Stored values to pictures: the first display view, and local contrast."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from deid.pixels.description import first_number
from deid.pixels.find.equalisation import local_contrast
from deid.pixels.find.places import by_bands
from deid.pixels.ports import Picture
from deid.pixels.samples import palette, stored_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box
    from deid.pixels.samples import Decoded

#: Levels between the samples of a pixel up to which it is as good as grey: nothing is new by its hue alone.
_COLOURLESS = 32
_BAND = 128  # rows that are floating point at a time: a large frame of them would take much memory


class FrameLook:
    """One decoded frame and the views of it, made when they are asked for.

    Attributes
    ----------
    high, low
        Shape (rows, columns): the highest and the lowest sample of each pixel.
    level
        How much one of 256 display levels is, in these values.
    """

    def __init__(
        self, image: ImageDescription, decoded: Decoded, attributes: Mapping[str, Any]
    ) -> None:
        self._is_inverted = image.is_inverted
        values = stored_values(image, decoded.samples)
        colour = _as_colour(values, decoded, image, attributes)
        self._colour = colour
        if colour is not None:
            red, green, blue = cv2.split(colour)
            self.high = cv2.max(cv2.max(red, green), blue)
            self.low = cv2.min(cv2.min(red, green), blue)
            self._range = (0.0, 255.0)
        else:
            grey = values[..., 0]
            if grey.dtype.itemsize > 2:
                grey = grey.astype(np.float32)
            self.high = self.low = grey
            self._range = _shown_range(grey, attributes)
        self.level = (self._range[1] - self._range[0]) / 255

    def luma(self) -> NDArray[Any] | None:
        """Return how bright each pixel of a frame that shows colours is, None of a grey one.

        Yellow and blue have the same extremes: a text may have those of its ground.
        """
        if self._colour is None or cv2.norm(self.high, self.low, cv2.NORM_INF) <= _COLOURLESS:
            return None
        return np.asarray(cv2.cvtColor(self._colour, cv2.COLOR_RGB2GRAY))

    def picture(self) -> Picture:
        """Return both views of the whole frame."""
        return Picture(self._display(self._whole()), local_contrast(self.high))

    def part(self, box: Box) -> Picture:
        """Return the views of a part: as displayed, and for deep samples by their full range."""
        rows = slice(box.top, box.bottom), slice(box.left, box.right)
        display = self._display(rows)
        if self._colour is not None or self.high.dtype.itemsize == 1:
            return Picture(display, None)
        part = self.high[rows]
        low, high = float(part.min()), float(part.max())
        return Picture(display, _scaled(part, low, max(high, low + 1)))

    def _whole(self) -> tuple[slice, slice]:
        return slice(None), slice(None)

    def _display(self, part: tuple[slice, slice]) -> NDArray[Any]:
        if self._colour is not None:
            return np.ascontiguousarray(self._colour[part])
        shown = _scaled(self.high[part], *self._range)
        return cv2.cvtColor(255 - shown if self._is_inverted else shown, cv2.COLOR_GRAY2RGB)


class Looks(Protocol):
    """Looks at the frames of an instance: at each in its turn, and at one again."""

    def __iter__(self) -> Iterator[FrameLook]:
        """Return a look at each frame."""

    def again(self, number: int) -> FrameLook:
        """Return a look at a frame, counted from 0."""


class OneLook:
    """The look at an instance of one frame."""

    def __init__(self, look: FrameLook) -> None:
        self._look = look

    def __iter__(self) -> Iterator[FrameLook]:
        """Return it."""
        return iter((self._look,))

    def again(self, number: int) -> FrameLook:
        """Return it."""
        assert number == 0
        return self._look


def picture(image: ImageDescription, decoded: Decoded, attributes: Mapping[str, Any]) -> Picture:
    """Return both views of one frame."""
    return FrameLook(image, decoded, attributes).picture()


def _as_colour(
    values: NDArray[Any], decoded: Decoded, image: ImageDescription, attributes: Mapping[str, Any]
) -> NDArray[Any] | None:
    if values.shape[2] == 3:
        return _colour(values, decoded.photometric, image.bits_stored)
    table = palette(attributes) if decoded.photometric == "PALETTE COLOR" else None
    if table is None:
        return None
    first, entries = table
    index = np.clip(values[..., 0].astype(np.int64) - first, 0, len(entries) - 1)
    return np.ascontiguousarray(entries[index])


def _shown_range(grey: NDArray[Any], attributes: Mapping[str, Any]) -> tuple[float, float]:
    """Return the first window of the VOI LUT module (PS3.3 C.11.2), or the range of the values."""
    centre = first_number(attributes, "WindowCenter")
    width = first_number(attributes, "WindowWidth")
    if centre is not None and width is not None and width >= 1:
        slope = first_number(attributes, "RescaleSlope") or 1.0
        intercept = first_number(attributes, "RescaleIntercept") or 0.0
        middle = (centre - 0.5 - intercept) / slope
        half = max(width - 1, 1) / 2 / abs(slope)
        low, high = middle - half, middle + half
        few = grey[::2, ::2]
        if np.count_nonzero((few > low) & (few < high)) > few.size // 100:
            return low, high
    return _robust_range(grey)


def _robust_range(grey: NDArray[Any]) -> tuple[float, float]:
    """Return the range of all but the outermost values, unless few values fill the rest."""
    low, high = _percentiles(grey[::2, ::2], (0.1, 99.9))
    if high <= low:
        low, high = float(grey.min()), float(grey.max())
    return low, high if high > low else low + 1.0


def _percentiles(values: NDArray[Any], shares: tuple[float, ...]) -> list[float]:
    """Return what numpy does, where whole numbers can be counted in a twentieth of the time."""
    if values.dtype not in (np.uint8, np.uint16):
        return [float(value) for value in np.percentile(values, shares)]
    levels = np.iinfo(values.dtype).max + 1
    given = np.ascontiguousarray(values)
    counts = cv2.calcHist([given], [0], None, [levels], [0, levels]).ravel()
    up_to = np.cumsum(counts, dtype=np.int64)
    found = []
    for share in shares:
        at = share / 100 * (values.size - 1)
        below, above = np.searchsorted(up_to, (math.floor(at), math.ceil(at)), side="right")
        found.append(float(below + (above - below) * (at - math.floor(at))))
    return found


def _scaled(grey: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """Return values from `low` to `high` as 0 to 255, those beyond clipped."""
    factor = np.float32(255.0 / (high - low))

    def scale(band: NDArray[Any]) -> NDArray[Any]:
        scaled: NDArray[Any] = (band.astype(np.float32) - np.float32(low)) * factor
        return scaled.clip(0, 255)

    return by_bands(scale, 0, np.uint8, grey, height=_BAND)


def _colour(values: NDArray[Any], photometric: str, bits: int) -> NDArray[Any]:
    eight = values if bits == 8 else (values >> (bits - 8) if bits > 8 else values << (8 - bits))
    eight = np.ascontiguousarray(eight.astype(np.uint8, copy=False))
    if not photometric.startswith("YBR"):
        return eight
    swapped = np.ascontiguousarray(eight[..., [0, 2, 1]])  # OpenCV orders Y, Cr, Cb
    return cv2.cvtColor(swapped, cv2.COLOR_YCrCb2RGB)
