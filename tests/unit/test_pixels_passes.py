"""What of an instance's frames is weighed before it is filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.pixels.description import describe
from deid.pixels.fillings import Filling
from deid.pixels.frames import open_frames
from deid.pixels.geometry import Box
from deid.pixels.passes import PassOver
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS, COLUMNS = 60, 80


def _shares(frames: Sequence[Any], fillings: Sequence[Filling]) -> list[tuple[int, float, float]]:
    instance = samples.make_instance(samples.EXPLICIT_LE, [*frames], samples.attributes(frames[0]))
    image = describe(instance.attributes)
    pass_over = PassOver(instance, image, open_frames(instance, image))
    return [*pass_over.filled_shares(fillings)]


def test_of_many_frames_those_are_weighed_of_which_the_most_would_be_filled() -> None:
    frames = [np.zeros((ROWS, COLUMNS, 1), np.uint8) for _ in range(20)]
    small = Filling(Box(4, 4, 20, 6), "text", frozenset(range(20)))
    large = Filling(Box(0, 20, 80, 40), "text", frozenset({7}))
    weighed = [number for number, *_ in _shares(frames, [small, large])]
    assert weighed[0] == 7
    assert len(weighed) == 4


@pytest.mark.parametrize("background", [(90, 20, 200), (0, 255, 7)])
def test_what_differs_from_the_commonest_colour_is_shown_and_nothing_else_can_be_lost(
    background: tuple[int, int, int],
) -> None:
    frame = np.empty((ROWS, COLUMNS, 3), np.uint8)
    frame[:] = background
    frame[:, 50:] = background[::-1]  # as bright, and no background
    ground, picture = Box(0, 0, 30, 20), Box(50, 0, 15, 20)
    for box, share in ((ground, 0.0), (picture, 15 * 20 / (30 * ROWS))):
        [(_, of_shown, of_frame)] = _shares([frame], [Filling(box, "text", frozenset({0}))])
        assert of_shown == pytest.approx(share)
        assert of_frame == pytest.approx(share * 30 / COLUMNS)
