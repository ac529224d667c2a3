"""Boxes that a person drew over a picture: what is to be filled because of them, and what stays to be found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deid.errors import Reason, Unsafe
from deid.pixels.fillings import Filling
from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.pixels.description import ImageDescription
    from deid.pixels.ports import Picture, TextRegion
    from deid.ports import DrawnBox

BY_HAND: Final = "by_hand"
_SURE: Final = ("known_identifier", "info_type:")


class NothingFound:
    """A detector that looks at nothing, for a configuration that cleans no pixels."""

    def find(
        self,
        pictures: Sequence[Picture],
        *,
        needs_reading: bool = True,  # noqa: ARG002 - the protocol's
    ) -> list[list[TextRegion]]:
        """Return no region for each picture."""
        return [[] for _ in pictures]


def drawn_fillings(drawn: Sequence[DrawnBox], image: ImageDescription) -> list[Filling]:
    """Return what is to be filled, exactly where it was drawn.

    Raises
    ------
    Unsafe
        `PIXELS_NOT_CLEANED` when a box lies outside the picture: it was drawn over another one.
        `TOO_MUCH_TEXT` when nothing would be left to see.
    """
    everywhere = frozenset(range(image.frames))
    fillings = []
    for number, (frame, *drawn_box) in enumerate(drawn, 1):
        box = Box(*drawn_box).clipped(image.rows, image.columns)
        if box is None or not 0 <= frame <= image.frames:
            raise Unsafe(Reason.PIXELS_NOT_CLEANED, f"box {number} by hand lies outside")
        frames = frozenset((frame - 1,)) if frame else everywhere
        fillings.append(Filling(box, BY_HAND, frames, is_exact=True))
    if fillings and _covers_all(fillings, image):
        raise Unsafe(Reason.TOO_MUCH_TEXT, "boxes by hand cover every frame")
    return fillings


def _covers_all(fillings: Sequence[Filling], image: ImageDescription) -> bool:
    return all(
        _covered([each.box for each in fillings if number in each.frames], image).all()
        for number in range(image.frames)
    )


def _covered(boxes: Sequence[Box], image: ImageDescription) -> Any:
    covered = np.zeros((image.rows, image.columns), np.bool_)
    for box in boxes:
        covered[box.top : box.bottom, box.left : box.right] = True
    return covered


def identifying(fillings: Sequence[Filling]) -> list[Filling]:
    """Return those that are filled because of what was read there, not because it could be a text."""
    return [each for each in fillings if each.why.startswith(_SURE)]
