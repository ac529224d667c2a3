"""Parts of pictures laid side by side on one picture, so that one look examines all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

#: Between neighbours; less is read as a space between words.
GUTTER = 28
LINE_GUTTER = 10
#: A look is at rows and columns of a multiple of so many.
STRIDE = 32


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


def _looked_at(way: tuple[list[Box], int, int]) -> int:
    """Return how many pixels a look at a picture so laid out is given."""
    _, rows, columns = way
    return -(-rows // STRIDE) * -(-columns // STRIDE) * STRIDE**2


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
    boxes = [Box(0, 0, part.shape[1], part.shape[0]) for part in parts]
    widest = max(box.width for box in boxes)
    ways = [laid_out(boxes, width) for width in (*range(widest, side, STRIDE), side)]
    places, rows, columns = min(ways, key=_looked_at)
    sheet = np.zeros((rows, columns, *parts[0].shape[2:]), np.uint8)
    for part, place in zip(parts, places, strict=True):
        around = place.grown(GUTTER // 2, LINE_GUTTER // 2).clipped(rows, columns) or place
        sheet[around.top : around.bottom, around.left : around.right] = edge_level(part)
        sheet[place.top : place.bottom, place.left : place.right] = part
    return sheet, places


def placed(
    regions: Iterable[tuple[NDArray[Any], float]], pieces: Sequence[tuple[Box, Box]]
) -> Iterator[tuple[tuple[NDArray[Any], float], tuple[Box, Box]]]:
    """Yield each region with the piece that its middle lies in; what lies between pieces is nothing."""
    for region in regions:
        column, row = region[0].mean(axis=0)
        for piece in pieces:
            place = piece[1].grown(4)
            if place.left <= column < place.right and place.top <= row < place.bottom:
                yield region, piece
                break


def corners_in_frame(corners: NDArray[Any], part: Box, place: Box, scale: float) -> NDArray[Any]:
    """Return corners on a sheet as corners in the frame."""
    moved = (corners - np.array((place.left, place.top), np.float32)) / scale
    return np.asarray(moved + np.array((part.left, part.top), np.float32), np.float32)


def box_in_frame(box: Box, part: Box, place: Box, scale: float) -> Box:
    """Return a box on a sheet as one in the frame."""
    inside = box.moved(-place.left, -place.top)
    return Box(
        part.left + int(inside.left / scale),
        part.top + int(inside.top / scale),
        round(inside.width / scale) + 1,
        round(inside.height / scale) + 1,
    )
