"""Whether what is new in a frame was seen before, elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.pixels.description import describe
from deid.pixels.find.moving import Shown, displacement
from deid.pixels.find.views import FrameLook
from deid.pixels.geometry import Box
from deid.pixels.samples import Decoded
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS, COLUMNS = 120, 240
AROUND = 24, 12


def _ground(level: int, seed: int) -> NDArray[Any]:
    noise = np.random.default_rng(seed).normal(level, 4, (ROWS, COLUMNS, 1))
    return np.clip(noise, 0, 255).astype(np.uint8)


def _shown(
    text: str,
    at: tuple[int, int],
    *,
    level: int = 40,
    ink: int = 235,
    seed: int = 0,
    size: float = 0.55,
    colours: int = 1,
) -> Shown:
    """Return a part of a frame with a text at (column, row) of its baseline, all of which is new."""
    frame = _ground(level, seed)
    drawn = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, 255, 1)
    is_new = drawn > 0
    frame[is_new] = ink
    left, top, width, height = cv2.boundingRect(is_new.view(np.uint8))
    box = Box(left, top, width, height).grown(*AROUND).clipped(ROWS, COLUMNS)
    assert box is not None
    frame = np.repeat(frame, colours, axis=2)
    described = samples.attributes(frame, bits=8)
    look = FrameLook(
        describe(described), Decoded(frame, described["PhotometricInterpretation"]), described
    )
    return Shown.of(look, is_new, box)


@pytest.mark.parametrize("by", [(0, 0), (6, 0), (-9, 4), (40, -30)])
@pytest.mark.parametrize(("level", "ink"), [(40, 235), (220, 10)], ids=["bright", "dark"])
@pytest.mark.parametrize("colours", [1, 3])
def test_a_text_that_moved_over_other_ground_is_the_same(
    by: tuple[int, int], level: int, ink: int, colours: int
) -> None:
    at, later = (60, 70), (60 + by[0], 70 + by[1])
    before = _shown("SMITH", at, level=level, ink=ink, colours=colours)
    after = _shown("SMITH", later, level=level - 12, ink=ink, seed=1, colours=colours)
    assert displacement(before, after) == by


def test_a_piece_of_what_was_seen_is_the_same_and_more_of_it_is_not() -> None:
    whole = _shown("H6051369", (40, 60))
    drawn = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.putText(drawn, "H6051369", (46, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.55, 255, 1)
    drawn[:, :90] = 0
    piece = _shown("H6051369", (46, 60), seed=1)
    inside = drawn[piece.box.top : piece.box.bottom, piece.box.left : piece.box.right] > 0
    piece = Shown(piece.box, piece.high, piece.low, inside, int(np.count_nonzero(inside)))
    assert displacement(whole, piece) == (6, 0)
    part = Box(90, piece.box.top, piece.box.right - 90, piece.box.height)
    cut = slice(None), slice(90 - piece.box.left, None)
    half = Shown(part, piece.high[cut], piece.low[cut], inside[cut], piece.new)
    assert displacement(half, _shown("H6051369", (52, 60), seed=2)) is None


@pytest.mark.parametrize("other", ["SMYTH", "SMITT", "H6051369", "SNITH"])
def test_another_text_is_not_the_same(other: str) -> None:
    assert displacement(_shown("SMITH", (60, 70)), _shown(other, (66, 70), seed=1)) is None


def test_letters_in_what_was_all_of_their_level_are_not_the_same() -> None:
    block = _shown("SMITH", (60, 70), level=235)
    assert displacement(block, _shown("SMITH", (66, 70), seed=1)) is None


def test_too_few_new_pixels_are_never_the_same() -> None:
    one, other = _shown("i", (60, 70), size=0.4), _shown("i", (66, 70), size=0.4, seed=1)
    assert one.new < 40
    assert displacement(one, other) is None
    assert displacement(_shown("SI", (60, 70)), _shown("SI", (66, 70), seed=1)) == (6, 0)


def test_something_higher_than_a_line_is_not_asked_about() -> None:
    large = [_shown("H", (60, 100), size=size) for size in (3.5, 2.5)]
    assert [displacement(shown, shown) for shown in large] == [None, (0, 0)]


def test_new_pixels_are_counted_in_boxes_of_the_frame_and_beside_them() -> None:
    shown = _shown("SMITH", (60, 70))
    ink = Box(shown.box.left + AROUND[0], shown.box.top + AROUND[1], 0, 0)
    width, height = shown.box.width - 2 * AROUND[0], shown.box.height - 2 * AROUND[1]
    ink = Box(ink.left, ink.top, width, height)
    assert shown.new_within(ink) == shown.new == np.count_nonzero(shown.is_new)
    assert shown.new_within(ink.moved(500, 0)) == 0
    assert shown.new_beside([]) == shown.new
    assert shown.new_beside([ink.grown(-2)]) == 0
    half = Box(ink.left, ink.top, ink.width // 2, ink.height)
    assert 0 < shown.new_beside([half]) < shown.new
    assert shown.new_beside([half, ink.moved(ink.width // 2, 0)]) == 0
