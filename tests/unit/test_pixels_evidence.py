"""Where the detector is asked to look, told without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from daemon.engines.models import make_sieve
from deid.pixels.find.evidence import Strokes, calmest_colour
from deid.pixels.geometry import Box
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS, COLUMNS = 384, 512
WORD = Box(200, 160, 120, 24)


def _ground(value: int = 40) -> NDArray[np.uint8]:
    return np.full((ROWS, COLUMNS, 3), value, np.uint8)


def _written(
    ground: NDArray[Any], colour: tuple[int, int, int], *, size: float = 0.6, width: int = 1
) -> NDArray[Any]:
    written = ground.copy()
    place = WORD.left, WORD.bottom - 6
    cv2.putText(written, "SMITH", place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, width, cv2.LINE_AA)
    return written


def test_a_frame_without_strokes_needs_no_look() -> None:
    columns = np.linspace(0, 255, COLUMNS)
    shade = np.repeat(np.tile(columns, (ROWS, 1))[..., None], 3, axis=2).astype(np.uint8)
    assert Strokes.of(_ground()).areas() == []
    assert Strokes.of(shade).areas() == []


@pytest.mark.parametrize(
    ("ground", "colour"),
    [
        (40, (255, 255, 255)),
        (200, (0, 0, 0)),
        (60, (110, 110, 110)),
        (128, (255, 66, 128)),  # of about the ground's luminance
    ],
    ids=("bright", "dark", "faint", "coloured"),
)
def test_a_word_is_looked_at_where_it_lies(ground: int, colour: tuple[int, int, int]) -> None:
    found = Strokes.of(_written(_ground(ground), colour)).areas()
    assert any(area.contains(Box(WORD.left, WORD.top + 4, 50, 14)) for area in found)
    assert sum(area.area for area in found) < ROWS * COLUMNS / 4


@pytest.mark.parametrize(
    ("levels", "is_looked_at"), [(0, False), (4, False), (30, True)], ids=["none", "noise", "ink"]
)
def test_what_shows_in_one_colour_only_is_looked_at_unless_it_is_fainter_than_any_ink(
    levels: int, *, is_looked_at: bool
) -> None:
    written = _ground(60)
    written[..., 0] = _written(_ground(60), (60 + levels,) * 3)[..., 0]
    assert bool(Strokes.of(written).areas()) is is_looked_at


@pytest.mark.parametrize("colour", [(255, 255, 255), (110, 110, 110), (30, 30, 30)])
def test_noise_of_a_few_levels_in_each_colour_changes_nothing_of_where_is_looked(
    colour: tuple[int, int, int],
) -> None:
    written = _written(_ground(60), colour)
    noise = np.random.default_rng(1).integers(-3, 4, written.shape)
    noisy = (written.astype(np.int64) + noise).clip(0, 255).astype(np.uint8)
    grey = cv2.cvtColor(cv2.cvtColor(noisy, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    areas = Strokes.of(noisy, sieve=make_sieve()).areas()
    assert areas == Strokes.of(grey, sieve=make_sieve()).areas()
    assert any(area.contains(Box(WORD.left, WORD.top + 4, 50, 14)) for area in areas)


def _on_paper(colour: tuple[int, int, int]) -> NDArray[Any]:
    """Return a word on paper with a grid of one colour, 8 pixels wide."""
    paper = _ground(255)
    paper[::8] = paper[:, ::8] = colour
    return _written(paper, (140, 140, 140), size=0.5)


@pytest.mark.parametrize("colour", [(255, 190, 190), (190, 255, 190), (190, 190, 255)])
def test_letters_on_a_grid_are_looked_at_in_the_colour_that_does_not_show_it(
    colour: tuple[int, int, int],
) -> None:
    written = _on_paper(colour)
    calm = calmest_colour(written)
    assert calm is not None
    assert np.array_equal(calm, written[..., int(np.argmax(colour))])
    areas = Strokes.of(written, sieve=make_sieve()).areas()
    assert any(area.contains(Box(WORD.left, WORD.top + 4, 50, 14)) for area in areas)
    assert sum(area.area for area in areas) < ROWS * COLUMNS / 3


def test_no_colour_is_calmer_where_all_show_about_as_much() -> None:
    assert calmest_colour(_written(_ground(60), (200, 180, 160))) is None
    assert calmest_colour(_ground()[..., 0]) is None


def test_without_letters_that_are_known_a_grid_s_calmest_colour_is_not_looked_at_for_them() -> None:
    written = _on_paper((255, 190, 190))
    strokes = Strokes.of(written, make_sieve())
    assert strokes.areas()
    assert strokes.without([WORD.grown(4)]).areas() == []


def test_letters_of_wide_strokes_are_looked_at() -> None:
    place = 40, 300
    frame = _ground()
    cv2.putText(frame, "AB", place, cv2.FONT_HERSHEY_SIMPLEX, 7, (220, 220, 220), 22)
    assert any(area.area > ROWS * COLUMNS / 4 for area in Strokes.of(frame).areas())


def test_many_lines_close_together_are_no_noise() -> None:
    frame = _ground()
    for row in range(20, ROWS, 14):
        cv2.putText(
            frame, "MUSTERMANN ERIKA 1961 " * 4, (4, row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (230,) * 3
        )
    covered = np.zeros((ROWS, COLUMNS), np.bool_)
    for area in Strokes.of(frame).areas():
        covered[area.top : area.bottom, area.left : area.right] = True
    assert covered.mean() > 0.95


@pytest.mark.parametrize("turns", [0, 1], ids=["lying", "upright"])
def test_a_line_is_looked_at_whole_with_what_is_around_it(turns: int) -> None:
    frame = np.ascontiguousarray(np.rot90(_written(_ground(), (255, 255, 255)), turns))
    shown = np.argwhere(frame[..., 0] > 60)
    (top, left), (bottom, right) = shown.min(axis=0), shown.max(axis=0)
    word = Box(int(left), int(top), int(right - left) + 1, int(bottom - top) + 1)
    (area,) = Strokes.of(frame).areas()
    assert area.contains(word.grown(24))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 2), (40, 2)])
def test_a_frame_of_any_size_can_be_asked(size: tuple[int, int]) -> None:
    assert Strokes.of(np.zeros((*size, 3), np.uint8)).areas() == []


SIEVE = make_sieve()


@pytest.mark.parametrize("is_sieved", [True, False])
def test_without_a_line_that_is_known_only_the_others_are_looked_at(*, is_sieved: bool) -> None:
    ground = samples.calm()
    view = samples.lettered(ground, "SMITH JOHN", (40, 60))
    known = samples.inked(view, ground).grown(7)
    both = samples.lettered(view, "MEIER", (300, 260))
    other = samples.inked(both, view)
    strokes = Strokes.of(both, SIEVE if is_sieved else None)
    left = strokes.without([known]).areas()
    assert any(area.contains(other.grown(24)) for area in left)
    assert not any(area.overlap(known) for area in left)
    assert any(area.contains(known) for area in strokes.areas())  # itself stays what it was
    assert strokes.without([known, other.grown(7)]).areas() == []


@pytest.mark.parametrize("ink", [45, 60, 90])
@pytest.mark.parametrize("at", [(100, 118), (100, 122), (100, 84), (170, 100), (180, 112)])
def test_letters_fainter_than_ink_close_to_a_known_line_are_still_looked_at(
    ink: int, at: tuple[int, int]
) -> None:
    ground = samples.calm()
    view = samples.lettered(ground, "SMITH", (100, 100))
    both = samples.lettered(view, "1961", at, (ink,) * 3)
    faint = samples.inked(both, view)
    areas = Strokes.of(both, SIEVE).without([samples.inked(view, ground).grown(2)]).areas()
    assert any(area.contains(faint) for area in areas)


@pytest.mark.parametrize("is_coarse", [True, False])
def test_wide_strokes_are_looked_at_until_all_of_them_is_known(*, is_coarse: bool) -> None:
    ground = samples.calm()
    view = ground.copy()
    cv2.putText(view, "MA", (40, 200), cv2.FONT_HERSHEY_SIMPLEX, 4, (250,) * 3, 14)
    own = samples.inked(view, ground).grown(7)
    strokes = Strokes.of(view, None, is_coarse=is_coarse)
    assert strokes.areas()
    assert strokes.without([own]).areas() == []
    half = Box(own.left, own.top, own.width // 2, own.height)
    assert strokes.without([half]).areas()


def _speckle(rows: int, columns: int) -> NDArray[np.uint8]:
    noise = cv2.GaussianBlur(
        np.random.default_rng(4).normal(0, 60, (rows, columns)).astype(np.float32), (0, 0), 1.2
    )
    return np.repeat(np.clip(70 + noise, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_speckle_on_a_page_of_parts_stands_out_no_more_than_by_itself() -> None:
    speckle, part = _speckle(48, 160), Box(96, 80, 160, 48)
    page = _ground(0)
    page[part.top : part.bottom, part.left : part.right] = speckle
    alone = Strokes.of(speckle).own.mask
    by_part, by_page = (Strokes.of(page, parts=parts).own.mask for parts in ([part], []))
    assert (by_part[part.top : part.bottom, part.left : part.right] == alone).all()
    assert by_part.sum() == alone.sum() < by_page.sum() / 4


def test_of_a_page_of_parts_nothing_beyond_the_part_is_looked_at_with_a_word() -> None:
    word = Box(WORD.left - 24, WORD.top - 12, WORD.width + 48, WORD.height + 24)
    beside = Box(word.right + 4, word.top, 60, word.height)
    page = _written(_ground(), (255, 255, 255))
    page[beside.top : beside.bottom, beside.left : beside.right] = 200
    areas = Strokes.of(page, parts=[word, beside]).areas()
    assert all(word.contains(area) or beside.contains(area) for area in areas)
    assert any(area.contains(Box(WORD.left, WORD.top + 4, 50, 14)) for area in areas)
