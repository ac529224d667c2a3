"""Lines of text that came piece by piece through the frames of a cine, as somebody types them: H, 6, 051, 369.

Of each frame only what is new is looked at, so that nobody saw them whole, and a piece identifies nobody.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.geometry import Box
    from deid.pixels.ports import FoundRegion

#: In heights of the lower piece: how far apart pieces of a line are at most, and how far each reaches beyond
#: the other at least.
_APART: Final = 1.5
_BEYOND: Final = 0.4
#: Share of a line that one region holds which shows it whole.
_WHOLE: Final = 0.9
#: States of a line that are looked at: those that stayed longest, and the last.
_MOST_STATES: Final = 6


def unseen_lines(pieces: Sequence[FoundRegion]) -> list[tuple[int, Box]]:
    """Return frames, and boxes in them, that show lines whole of which only pieces were seen.

    Parameters
    ----------
    pieces
        Of texts, found in any order, none of which is filled.
    """
    return [
        state for line in _lines(pieces) for state in _states(line) if not _is_seen(state, pieces)
    ]


def _lines(pieces: Sequence[FoundRegion]) -> Iterator[list[FoundRegion]]:
    """Yield pieces of several frames that go on as each other."""
    frames = np.array([piece.frame for piece in pieces])
    boxes = np.array([piece.region.box for piece in pieces]).reshape(-1, 4)
    turned = boxes[:, [1, 0, 3, 2]]
    is_left = np.ones(len(pieces), np.bool_)
    while is_left.any():
        line = [int(is_left.argmax())]
        is_left[line] = False
        for known in line:  # which grows
            goes_on = _reach_beyond(boxes[known], boxes) | _reach_beyond(turned[known], turned)
            more = np.flatnonzero(is_left & goes_on & (frames != frames[known]))
            is_left[more] = False
            line += more.tolist()
        if len(line) > 1:
            yield [pieces[number] for number in line]


def _reach_beyond(one: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which boxes (left, top, width, height) go on as one does, or it as they, along a line that lies."""
    left, top, width, height = others.T
    low, high = np.minimum(height, one[3]), np.maximum(height, one[3])
    first, last = np.minimum(left, one[0]), np.maximum(left, one[0])
    is_first = left < one[0]
    shared = np.minimum(top + height, one[1] + one[3]) - np.maximum(top, one[1])
    end_of_first = np.where(is_first, left + width, one[0] + one[2])
    end_of_last = np.where(is_first, one[0] + one[2], left + width)
    return np.asarray(
        (4 * shared >= 3 * low)
        & (2 * low >= high)
        & (last - end_of_first <= _APART * low)
        & (last - first >= _BEYOND * low)
        & (end_of_last - end_of_first >= _BEYOND * low)
    )


def _states(line: Sequence[FoundRegion]) -> Iterator[tuple[int, Box]]:
    """Yield frames after which a line stayed as it was for a while, the last among them, and what it covers."""
    frames = sorted({piece.frame for piece in line})
    stays = sorted(
        (later - frame for frame, later in pairwise(frames) if later > frame + 1), reverse=True
    )
    least = stays[: _MOST_STATES - 1][-1] if stays else 2
    lasting = [frame for frame, later in pairwise(frames) if later - frame >= least]
    for frame in [*lasting[1 - _MOST_STATES :], frames[-1]]:
        boxes = [piece.region.box for piece in line if piece.frame <= frame]
        whole = boxes[0]
        for box in boxes[1:]:
            whole = whole.joined(box)
        yield frame, whole


def _is_seen(state: tuple[int, Box], pieces: Sequence[FoundRegion]) -> bool:
    frame, whole = state
    return any(
        piece.frame == frame and piece.region.box.overlap(whole) >= _WHOLE * whole.area
        for piece in pieces
    )
