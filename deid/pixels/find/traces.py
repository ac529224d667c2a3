"""Where a look leaves only a trace of what may be text, so that the place is looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from deid.pixels.find.candidates import short_side
from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

#: Pixels; fewer are none.
_LEAST_PIXELS = 4


@dataclass(frozen=True, slots=True)
class Bounds:
    """The figures that decide what a trace is. Tuned on the benchmark's tuning half.

    Attributes
    ----------
    trace
        Probability from which a place is looked at again, enlarged, unless it is settled.
    least_peak
        And which it must have somewhere: of lettering the model is sure in one place at least.
    blob, least_covered
        A trace whose shorter side is at least so many pixels of the look is a blob when candidates
        cover at least this share of it: no letters are that high that a look leaves unsettled, and
        lines lie apart.
    settled, settled_height
        A region is settled when its mean probability and its short side are at least these.
    """

    trace: float = 0.05
    least_peak: float = 0.1
    blob: int = 48
    least_covered: float = 0.9
    settled: float = 0.75
    settled_height: float = 12.0


class Trace(NamedTuple):
    """Where something may be in which nothing is settled.

    Attributes
    ----------
    box
        On the sheet that was looked at.
    piece
        The part of the frame that it lies in, and that part's place on the sheet.
    is_blob
        Whether it is higher and wider than letters which a look leaves unsettled, and candidates cover it.
    """

    box: Box
    piece: tuple[Box, Box]
    is_blob: bool


def unsettled_traces(
    probability: NDArray[Any],
    regions: Sequence[tuple[NDArray[Any], float]],
    pieces: Sequence[tuple[Box, Box]],
    bounds: Bounds,
) -> Iterator[Trace]:
    """Yield the traces in which nothing is settled.

    Parameters
    ----------
    probability
        Of text, of each pixel of a sheet.
    regions
        Corners (4, 2) on the sheet and mean probability of what was found.
    pieces
        Parts of the frame and their places on the sheet.
    """
    trace = (probability > bounds.trace).astype(np.uint8)
    covered = np.zeros_like(trace)
    for corners, confidence in regions:
        outline = np.round(corners).astype(np.int32)
        cv2.fillConvexPoly(covered, outline, 1)
        if confidence >= bounds.settled and short_side(corners) >= bounds.settled_height:
            cv2.fillConvexPoly(trace, outline, 0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(trace, connectivity=8)
    for number in range(1, count):
        left, top, width, height, pixels = map(int, stats[number])
        box = Box(left, top, width, height)
        area = slice(box.top, box.bottom), slice(box.left, box.right)
        if pixels < _LEAST_PIXELS or probability[area].max() < bounds.least_peak:
            continue
        is_blob = min(width, height) >= bounds.blob
        if is_blob:
            shared = np.count_nonzero((labels[area] == number) & (covered[area] > 0))
            is_blob = bool(shared >= bounds.least_covered * pixels)
        for piece in pieces:
            inside = box if piece[1].contains(box) else None
            if inside is None and piece[1].overlap(box):
                corner = piece[1]
                inside = box.moved(-corner.left, -corner.top).clipped(corner.height, corner.width)
                inside = inside and inside.moved(corner.left, corner.top)
            if inside is not None:
                yield Trace(inside, piece, is_blob)
