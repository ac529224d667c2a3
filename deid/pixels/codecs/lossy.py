"""What a lossy step leaves in the header: that it happened, how far it went, and by which method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def lossy_step(attributes: Mapping[str, Any], ratio: float, method: str) -> dict[str, Any]:
    """Return the attributes that record one more lossy step (PS3.3 C.7.6.1.1.5)."""
    ratios = _values(attributes.get("LossyImageCompressionRatio"))
    methods = _values(attributes.get("LossyImageCompressionMethod"))
    return {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": [*ratios, f"{ratio:.4g}"],
        "LossyImageCompressionMethod": [*methods, method],
    }


def _values(value: Any) -> list[str]:
    if value in (None, ""):
        return []
    if isinstance(value, str):
        return value.split("\\")
    if isinstance(value, int | float):
        return [str(value)]
    return [str(part) for part in value]
