"""Stored values to pictures: the first display view, and local contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.description import first_number
from deid.pixels.ports import Picture
from deid.pixels.samples import palette, stored_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from deid.pixels.description import ImageDescription
    from deid.pixels.samples import Decoded

_CLIP_LIMIT = 4.0
_TILES = 16


def picture(image: ImageDescription, decoded: Decoded, attributes: Mapping[str, Any]) -> Picture:
    """Return both views of one frame."""
    values = stored_values(image, decoded.samples)
    if values.shape[2] == 3:
        colour = _colour(values, decoded.photometric, image.bits_stored)
        return Picture(colour, _local_contrast(colour.max(axis=2).astype(np.float32)))
    grey = values[..., 0]
    if decoded.photometric == "PALETTE COLOR":
        table = palette(attributes)
        if table is not None:
            first, entries = table
            index = np.clip(grey.astype(np.int64) - first, 0, len(entries) - 1)
            colour = np.ascontiguousarray(entries[index])
            return Picture(colour, _local_contrast(colour.max(axis=2).astype(np.float32)))
    shown = _windowed(grey, attributes)
    if image.is_inverted:
        shown = 255 - shown
    return Picture(
        cv2.cvtColor(shown, cv2.COLOR_GRAY2RGB), _local_contrast(grey.astype(np.float32))
    )


def _windowed(grey: NDArray[Any], attributes: Mapping[str, Any]) -> NDArray[Any]:
    """Apply the first window of the VOI LUT module (PS3.3 C.11.2), or the range of the values."""
    centre = first_number(attributes, "WindowCenter")
    width = first_number(attributes, "WindowWidth")
    if centre is not None and width is not None and width >= 1:
        slope = first_number(attributes, "RescaleSlope") or 1.0
        intercept = first_number(attributes, "RescaleIntercept") or 0.0
        middle = (centre - 0.5 - intercept) / slope
        half = max(width - 1, 1) / 2 / abs(slope)
        low, high = middle - half, middle + half
        inside = np.count_nonzero((grey > low) & (grey < high))
        if inside > grey.size // 100:
            return _scaled(grey, low, high)
    return _scaled(grey, *_robust_range(grey))


def _robust_range(grey: NDArray[Any]) -> tuple[float, float]:
    """Return the range of all but the outermost values, unless few values fill the rest."""
    low, high = (float(edge) for edge in np.percentile(grey[::2, ::2], (0.1, 99.9)))
    if high <= low:
        low, high = float(grey.min()), float(grey.max())
    return low, high if high > low else low + 1.0


def _scaled(grey: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    scaled = (grey.astype(np.float32) - np.float32(low)) * np.float32(255.0 / (high - low))
    return _eight_bits(scaled)


def _colour(values: NDArray[Any], photometric: str, bits: int) -> NDArray[Any]:
    eight = values if bits == 8 else (values >> (bits - 8) if bits > 8 else values << (8 - bits))
    eight = np.ascontiguousarray(eight.astype(np.uint8))
    if not photometric.startswith("YBR"):
        return eight
    swapped = np.ascontiguousarray(eight[..., [0, 2, 1]])  # OpenCV orders Y, Cr, Cb
    return cv2.cvtColor(swapped, cv2.COLOR_YCrCb2RGB)


def _local_contrast(values: NDArray[Any]) -> NDArray[Any]:
    """Equalise the whole range of stored values tile by tile, with limited contrast, to 8 bits."""
    low, high = float(values.min()), float(values.max())
    wide = ((values - low) * np.float32(65535 / max(high - low, 1))).astype(np.uint16)
    equalised = cv2.createCLAHE(_CLIP_LIMIT, (_TILES, _TILES)).apply(wide)
    return _eight_bits(equalised / np.float32(257))


def _eight_bits(values: NDArray[Any]) -> NDArray[Any]:
    clipped: NDArray[Any] = np.clip(values, 0, 255).astype(np.uint8)
    return clipped
