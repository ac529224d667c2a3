"""Lines of text that came piece by piece through the frames of a cine, as somebody types them: H, 6, 051, 369.

Of each frame only what is new is looked at, so that nobody saw them whole, and a piece identifies nobody.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
        state
        for line in _lines([*pieces])
        for state in _states(line)
        if not _is_seen(state, pieces)
    ]


def _lines(pieces: list[FoundRegion]) -> Iterator[list[FoundRegion]]:
    """Yield pieces of several frames that go on as each other."""
    while pieces:
        line = [pieces.pop()]
        for known in line:  # which grows
            more = [piece for piece in pieces if _goes_on(known, piece)]
            line += more
            pieces = [piece for piece in pieces if not any(piece is other for other in more)]
        if len(line) > 1:
            yield line


def _goes_on(one: FoundRegion, other: FoundRegion) -> bool:
    """Whether two pieces of different frames lie on one line, and each reaches beyond the other."""
    first, second = one.region.box, other.region.box
    return one.frame != other.frame and (
        _reach_beyond(first, second) or _reach_beyond(_turned(first), _turned(second))
    )


def _reach_beyond(one: Box, other: Box) -> bool:
    first, second = sorted((one, other), key=lambda box: box.left)
    low, high = sorted((one.height, other.height))
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return (
        4 * shared >= 3 * low
        and 2 * low >= high
        and second.left - first.right <= _APART * low
        and second.left - first.left >= _BEYOND * low
        and second.right - first.right >= _BEYOND * low
    )


def _turned(box: Box) -> Box:
    return Box(box.top, box.left, box.height, box.width)


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
