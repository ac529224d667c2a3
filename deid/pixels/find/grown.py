"""What came piece by piece through the frames of a cine: lines that somebody types (H, 6, 051, 369), and codes.

Of each frame only what is new is looked at, so that nobody saw them whole. A piece of a line identifies nobody,
and a piece of a code is none.
"""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import FoundRegion

#: In heights of the lower piece: how far apart pieces of a line are at most, and how far each reaches beyond
#: the other at least.
_APART: Final = 1.5
_BEYOND: Final = 0.4
#: Share of a line that one region holds which shows it whole.
_WHOLE: Final = 0.9
#: States that are looked at: those that stayed longest, and the last; of codes others, too, that lie between.
_MOST_STATES: Final = 6
#: Pixels of quiet zone around a place that may be a code, and share of the rest that one or several texts take
#: where that is what it shows.
_QUIET: Final = 12
_MOST_TEXT: Final = 0.8


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


def unseen_codes(
    places: Iterable[tuple[int, Box]], texts: Iterable[FoundRegion]
) -> list[tuple[int, Box]]:
    """Return frames, and boxes in them, that show whole what may be a code and came in pieces.

    Parameters
    ----------
    places
        Frames, and boxes in them that may show a code or a piece of one.
    texts
        What was found: a place that shows one is no piece of a code.
    """
    of_frame: dict[int, list[Box]] = defaultdict(list)
    for entry in texts:
        of_frame[entry.frame].append(entry.region.box)
    grown: list[_Grown] = []
    for frame, place in sorted(places):
        if not _is_text(place, of_frame[frame]):
            apart: list[_Grown] = []
            touching: list[_Grown] = []
            for own in grown:
                (touching if own.whole.overlap(place) else apart).append(own)
            grown = [*apart, _joined(touching, frame, place)]
    return [
        (frame, own.states[frame])
        for own in grown
        if len(own.states) > 1
        for frame in _spread(sorted(own.states))
    ]


class _Grown(NamedTuple):
    """What places that touch cover, and what they did from each frame on in which one came."""

    whole: Box
    states: dict[int, Box]


def _is_text(place: Box, boxes: Iterable[Box]) -> bool:
    core = place.grown(-_QUIET)
    core = core if min(core.width, core.height) > 0 else place
    return sum(core.overlap(box) for box in boxes) >= _MOST_TEXT * core.area


def _joined(touching: Sequence[_Grown], frame: int, place: Box) -> _Grown:
    """Return what grew together by a place in a frame; the first of them goes on as that."""
    states = touching[0].states if touching else {}
    for other in touching[1:]:
        states.update(other.states)
    whole = reduce(Box.joined, (own.whole for own in touching), place)
    states[frame] = whole
    return _Grown(whole, states)


def _spread(frames: Sequence[int]) -> list[int]:
    """Return frames after which nothing came for a while, the last, and others between these."""
    even = np.linspace(len(frames) - 1, 0, _MOST_STATES).round().astype(int)
    wanted = dict.fromkeys([*_lasting(frames), *(frames[at] for at in even.tolist())])
    return sorted([*wanted][:_MOST_STATES])


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
    for frame in _lasting(sorted({piece.frame for piece in line})):
        boxes = [piece.region.box for piece in line if piece.frame <= frame]
        whole = boxes[0]
        for box in boxes[1:]:
            whole = whole.joined(box)
        yield frame, whole


def _lasting(frames: Sequence[int]) -> list[int]:
    """Return the frames, of some in order, after which none came for longest, and the last."""
    stays = sorted(
        (later - frame for frame, later in pairwise(frames) if later > frame + 1), reverse=True
    )
    least = stays[: _MOST_STATES - 1][-1] if stays else 2
    lasting = [frame for frame, later in pairwise(frames) if later - frame >= least]
    return [*lasting[1 - _MOST_STATES :], frames[-1]]


def _is_seen(state: tuple[int, Box], pieces: Sequence[FoundRegion]) -> bool:
    frame, whole = state
    return any(
        piece.frame == frame and piece.region.box.overlap(whole) >= _WHOLE * whole.area
        for piece in pieces
    )
