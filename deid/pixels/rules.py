"""Deterministic rules beside the detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deid.pixels.description import first_number
from deid.pixels.geometry import Box, outside

if TYPE_CHECKING:
    from deid.pixels.description import ImageDescription

_ULTRASOUND_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.6.1",  # Ultrasound Image Storage
    "1.2.840.10008.5.1.4.1.1.6",  # retired
    "1.2.840.10008.5.1.4.1.1.3.1",  # Ultrasound Multi-frame Image Storage
    "1.2.840.10008.5.1.4.1.1.3",  # retired
)
_LEAST_REGION_SHARE = 0.02


def is_ultrasound(attributes: Mapping[str, Any]) -> bool:
    """Whether Modality or SOP class say ultrasound."""
    return (
        str(attributes.get("Modality") or "").strip().upper() == "US"
        or str(attributes.get("SOPClassUID") or "") in _ULTRASOUND_CLASSES
    )


def outside_ultrasound_regions(attributes: Mapping[str, Any], image: ImageDescription) -> list[Box]:
    """Return what lies outside the calibrated regions of an ultrasound frame (PS3.3 C.8.5.5).

    Region Location Min and Max are both inside the region. Nothing is returned for other
    modalities, without Sequence of Ultrasound Regions, or when its regions together cover almost
    nothing of the frame: such coordinates are wrong, and the detector decides alone.
    """
    items = attributes.get("SequenceOfUltrasoundRegions")
    if not is_ultrasound(attributes) or not isinstance(items, Sequence):
        return []
    regions = [region for region in map(_region, items) if region is not None]
    clipped = [region.clipped(image.rows, image.columns) for region in regions]
    kept = [region for region in clipped if region is not None]
    if sum(region.area for region in kept) < _LEAST_REGION_SHARE * image.rows * image.columns:
        return []
    return outside(kept, image.rows, image.columns)


def _region(item: Any) -> Box | None:
    if not isinstance(item, Mapping):
        return None
    edges = [
        first_number(item, f"RegionLocation{edge}") for edge in ("MinX0", "MinY0", "MaxX1", "MaxY1")
    ]
    if any(edge is None for edge in edges):
        return None
    left, top, right, bottom = (int(edge or 0) for edge in edges)
    if right <= left or bottom <= top:
        return None
    return Box(left, top, right - left + 1, bottom - top + 1)
