"""Pictures for a person who looks at what was found: source, regions, result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from deid.pixels.geometry import Box

_FOUND = (0, 220, 90)
_RULE = (255, 150, 0)


def with_boxes(display: NDArray[Any], found: Iterable[Box], rules: Iterable[Box]) -> NDArray[Any]:
    """Return a copy of an RGB picture with found regions in green and those of rules in orange."""
    drawn = np.ascontiguousarray(display.copy())
    for boxes, colour in ((rules, _RULE), (found, _FOUND)):
        for box in boxes:
            corner = (box.right - 1, box.bottom - 1)
            cv2.rectangle(drawn, (box.left, box.top), corner, colour, 1)
    return drawn


def side_by_side(*pictures: NDArray[Any]) -> NDArray[Any]:
    """Return RGB pictures of equal height next to each other with a light line between them."""
    rows = pictures[0].shape[0]
    line = np.full((rows, 4, 3), 200, np.uint8)
    parts: list[NDArray[Any]] = [pictures[0]]
    for picture in pictures[1:]:
        parts += [line, picture]
    return np.concatenate(parts, axis=1)


def png(picture: NDArray[Any]) -> bytes:
    """Return an RGB picture as PNG."""
    is_encoded, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not is_encoded:
        raise ValueError("the picture cannot be encoded")
    return data.tobytes()
