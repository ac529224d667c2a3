"""Parts of pictures laid side by side on one picture, so that one look examines all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Between neighbours; less is read as a space between words.
GUTTER = 28
LINE_GUTTER = 10


def laid_out(boxes: Sequence[Box], side: int) -> tuple[list[Box], int, int]:
    """Return a place for each box on shelves up to `side` pixels long, and the rows and columns used.

    Tall boxes come first, so that those on one shelf are about as high.
    """
    places: dict[int, Box] = {}
    left = top = height = 0
    for number in sorted(range(len(boxes)), key=lambda number: -boxes[number].height):
        box = boxes[number]
        if left and left + box.width > side:
            left, top, height = 0, top + height + LINE_GUTTER, 0
        places[number] = Box(left, top, box.width, box.height)
        left, height = left + box.width + GUTTER, max(height, box.height)
    columns = max(place.right for place in places.values())
    return [places[number] for number in range(len(boxes))], top + height, columns


def pages_of(boxes: Sequence[Box], side: int) -> list[list[int]]:
    """Return which boxes share a picture, so that none is longer or higher than `side` when laid out.

    None of the boxes may be larger than that itself. A detector cuts what is larger, and what it cuts
    overlaps: it would look at a third of a sheet of twice the pixels a second time.
    """
    pages: list[list[int]] = []
    left = top = height = side
    for number in sorted(range(len(boxes)), key=lambda number: -boxes[number].height):
        box = boxes[number]
        if left + box.width > side:
            left, top, height = 0, top + height + LINE_GUTTER, box.height
            if not pages or top + height > side:
                pages.append([])
                top = 0
        pages[-1].append(number)
        left += box.width + GUTTER
    return pages


def edge_level(view: NDArray[Any]) -> NDArray[Any]:
    """Return the median colour of a part's edge: what is laid around it, lest it look like a box."""
    edge = np.concatenate((view[0], view[-1], view[:, 0], view[:, -1]))
    return np.asarray(np.median(edge, axis=0))


def sheet_of(parts: Sequence[NDArray[Any]], side: int) -> tuple[NDArray[Any], list[Box]]:
    """Return a picture that shows all parts, and the place of each on it.

    Parameters
    ----------
    parts
        Of one number of channels, 8 bits, none longer or higher than `side`.
    """
    places, rows, columns = laid_out(
        [Box(0, 0, part.shape[1], part.shape[0]) for part in parts], side
    )
    sheet = np.zeros((rows, columns, *parts[0].shape[2:]), np.uint8)
    for part, place in zip(parts, places, strict=True):
        around = place.grown(GUTTER // 2, LINE_GUTTER // 2).clipped(rows, columns) or place
        sheet[around.top : around.bottom, around.left : around.right] = edge_level(part)
        sheet[place.top : place.bottom, place.left : place.right] = part
    return sheet, places
