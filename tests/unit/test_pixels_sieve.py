"""Where the small model says that letters may be, and that it need not be asked of all at once."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from daemon.engines.models import make_sieve
from deid.pixels.find import sieve as module
from deid.pixels.find.candidates import corners_of, rectangle_of
from deid.pixels.find.evidence import Strokes
from deid.pixels.find.sieve import SIEVE as SIEVE_FILE
from deid.pixels.find.sieve import (
    Sieve,
    Sieved,
    strokes_of,
    without_bright_strokes,
    without_strokes,
)
from deid.pixels.geometry import Box
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIGEST = "d0eeef8f6fdb843cfdd2982952eb9cec0c438c310e145d9a832603e40477d532"
SIEVE = make_sieve()
ROWS, COLUMNS = 320, 480
WHOLE = Box(0, 0, COLUMNS, ROWS)
WORD = Box(150, 100, 170, 24)


def _ground(seed: int = 3) -> NDArray[np.uint8]:
    texture = samples.texture(seed, rows=ROWS, columns=COLUMNS, samples=3)
    grey = cv2.GaussianBlur(texture[..., 0] // 2 + 60, (0, 0), 2)
    return np.repeat(grey[..., None], 3, axis=2)


def _written(
    ink: tuple[int, int, int], text: str = "SMITH^JOHN 1961", **how: Any
) -> NDArray[np.uint8]:
    view = _ground()
    place = WORD.left + 2, WORD.bottom - 6
    cv2.putText(view, text, place, cv2.FONT_HERSHEY_SIMPLEX, how.get("size", 0.6), ink, 1)
    return view


def _looked_at(view: NDArray[np.uint8]) -> NDArray[np.bool_]:
    shown = np.zeros(view.shape[:2], np.bool_)
    for area in Strokes.of(view, sieve=SIEVE).areas():
        shown[area.top : area.bottom, area.left : area.right] = True
    return shown


@pytest.mark.parametrize(
    ("ink", "text"),
    [
        ((255, 255, 255), "SMITH^JOHN 1961"),
        ((0, 0, 0), "SMITH^JOHN 1961"),
        ((255, 90, 90), "ID 77-01934"),  # hardly brighter than the ground
        ((90, 90, 90), "12.03.1961"),
        ((230, 230, 230), "O"),
    ],
)
def test_letters_are_looked_at_in_any_colour_and_little_else_is(
    ink: tuple[int, int, int], text: str
) -> None:
    view = _written(ink, text)
    written = (view != _ground()).any(axis=2)
    shown = _looked_at(view)
    assert shown[written].all()
    assert shown.mean() < 0.7
    assert sum(area.area for area in Strokes.of(view).areas()) > 0.9 * WHOLE.area


def test_letters_of_wide_strokes_are_looked_at() -> None:
    view = _ground()
    cv2.putText(view, "MAIER", (20, 200), cv2.FONT_HERSHEY_SIMPLEX, 4, (250, 250, 250), 14)
    written = (view != _ground()).any(axis=2)
    assert _looked_at(view)[written].mean() > 0.99


def test_frames_without_letters_are_hardly_looked_at() -> None:
    shown = [_looked_at(_ground(seed)).mean() for seed in range(20, 28)]
    assert np.mean(shown) < 0.1


@pytest.mark.parametrize(
    "area", [Box(0, 0, 480, 96), Box(203, 77, 130, 61), Box(330, 100, 150, 220)]
)
def test_a_part_has_the_odds_that_it_has_in_the_whole(area: Box) -> None:
    view = _written((255, 255, 255))
    whole, part = (SIEVE.of(view).odds([place]) for place in (WHOLE, area))
    inside = np.isfinite(part)
    assert whole.max() > 3
    assert inside.sum() * 64 >= area.area
    np.testing.assert_allclose(part[inside], whole[inside], rtol=1e-4, atol=1e-3)


def test_a_large_view_is_asked_in_bands_that_agree_with_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = _written((255, 255, 255))
    whole = SIEVE.of(view).odds([WHOLE])
    monkeypatch.setattr(module, "_ROWS", 64)
    np.testing.assert_allclose(SIEVE.of(view).odds([WHOLE]), whole, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("areas", "pixels"),
    [
        # Two lines of a label: what matters around the one is most of what matters around the other.
        ([Box(600, 600, 160, 24), Box(600, 640, 120, 24)], [336 * 240]),
        ([Box(600, 600, 160, 24), Box(96, 96, 80, 24)], [256 * 200, 336 * 200]),
        (
            [Box(100, 100, 760, 80), Box(100, 800, 760, 80), Box(100, 380, 760, 260)],
            [344 * 1024, 856 * 1024],
        ),
    ],
    ids=["close", "apart", "most of it"],
)
def test_what_matters_around_several_areas_is_asked_once(
    areas: list[Box], pixels: list[int]
) -> None:
    asked: list[int] = []

    def model(given: NDArray[Any], /) -> NDArray[Any]:
        asked.append(given.shape[2] * given.shape[3])
        return np.zeros((1, 1, given.shape[2] // 8, given.shape[3] // 8), np.float32)

    odds = Sieve(model).of(np.zeros((1024, 1024), np.uint8)).odds(areas)
    assert sorted(asked) == pixels
    assert all(odds[area.top // 8, area.left // 8] == 0 for area in areas)


def test_nothing_is_asked_twice() -> None:
    asked: list[int] = []

    def answer(given: NDArray[Any]) -> NDArray[Any]:
        asked.append(given.shape[2] * given.shape[3])
        return SIEVE.model(given)

    sieved = Sieve(answer).of(_written((255, 255, 255)))
    first = sieved.odds([WORD])
    assert asked[0] < ROWS * COLUMNS
    sieved.odds([WORD, Box(160, 104, 20, 8)])
    assert len(asked) == 1
    assert (sieved.odds([WHOLE]) >= first).all()
    assert len(asked) == 2


def test_within_a_rectangle_around_letters_the_odds_are_for_them_and_on_ground_against_them() -> (
    None
):
    sieved = SIEVE.of(_written((255, 255, 255)))
    assert sieved.odds_within(corners_of(WORD)) > 2
    assert sieved.odds_within(corners_of(WORD.moved(0, 120))) < -2
    assert sieved.odds_within(corners_of(Box(-40, -20, 100, 60))) < -2  # partly in the view
    assert sieved.odds_within(corners_of(Box(-40, -20, 30, 10))) == -np.inf


def test_cells_beyond_an_edge_that_lies_between_two_tell_nothing() -> None:
    view = _written((255, 255, 255))
    ends_between, ends_within = Box(152, 104, 32, 16), Box(152, 104, 31, 15)
    told = [SIEVE.of(view).odds_within(corners_of(box)) for box in (ends_between, ends_within)]
    assert told[0] == told[1] > -np.inf


def test_of_a_slanted_rectangle_only_the_cells_count_that_it_covers() -> None:
    odds = np.full((1, 1, ROWS // 8, COLUMNS // 8), -4, np.float32)
    odds[0, 0, np.arange(40), np.arange(40)] = 3  # a line from the top left downward
    sieved = Sieve(lambda _given: odds).of(_ground())
    along = rectangle_of(((160.0, 160.0), (280.0, 10.0), 45.0))
    sieved.odds([WHOLE])
    assert sieved.odds_within(along) == 3
    assert sieved.odds_within(corners_of(Box(20, 20, 280, 280))) == -4


def test_letters_that_are_too_high_for_it_are_told_by_a_smaller_view() -> None:
    view = _ground()
    cv2.putText(view, "MAIER", (20, 200), cv2.FONT_HERSHEY_SIMPLEX, 4, (250, 250, 250), 14)
    rows, columns = np.nonzero((view != _ground()).any(axis=2))
    left, top = int(columns.min()), int(rows.min())
    high = corners_of(Box(left, top, int(columns.max()) - left, int(rows.max()) - top)).copy()
    assert SIEVE.of(view).odds_within(high) < 0
    assert SIEVE.odds_within(view, high) > 2
    view = _written((255, 255, 255))
    low = corners_of(WORD)
    assert SIEVE.odds_within(view, low) == SIEVE.of(view).odds_within(low)


def test_a_view_of_any_size_is_answered_for_each_of_its_cells() -> None:
    view = _written((255, 255, 255))[:75, :131]
    odds = SIEVE.of(view).odds([Box(0, 0, 131, 75)])
    assert odds.shape == (10, 17)
    assert np.isfinite(odds).all()


def test_strokes_are_bright_and_dark_ones_of_the_colour_that_shows_them_most() -> None:
    view = np.full((40, 40, 3), 100, np.uint8)
    view[18:21, :, 1] = 180
    view[:, 30:33, 2] = 20
    bright, dark = strokes_of(view)
    assert bright[19, 10] == 80
    assert dark[5, 31] == 80
    assert bright[5, 5] == dark[5, 5] == 0


@pytest.mark.parametrize(
    ("odds", "wanted"),
    [
        ([-9, -9, -9, -9, -9, -9], [0, 0, 0, 0, 0, 0]),
        ([-1, -1, -1, -1, -1, -1], [0, 0, 0, 0, 0, 0]),  # none of them is likely enough
        ([-1, -1, 1, -9, -9, -9], [1, 1, 1, 0, 0, 0]),
        ([1, -9, -9, -9, -1, -1], [1, 0, 0, 0, 0, 0]),  # what lies apart counts by itself
        ([1, -9, -9, -9, 1, 1], [1, 0, 0, 0, 1, 0]),  # where no stroke stands out there is none
    ],
)
def test_doubtful_cells_count_where_they_hang_together_with_a_likely_one(
    odds: list[int], wanted: list[int]
) -> None:
    def answer(given: NDArray[Any]) -> NDArray[Any]:
        shape = given.shape[2] // 8, given.shape[3] // 8
        answers = np.full(shape, -9.0, np.float32)
        answers[:, ::2] = np.asarray(odds, np.float32)
        answers[:, 1::2] = answers[:, ::2]
        return answers[None, None]

    busy = np.ones((1, 6), np.uint8)
    if odds[-1] == 1:
        busy[0, -1] = 0
    sieve = Sieve(answer, least=-2.0, peak=0.0)
    view = np.zeros((16, 96), np.uint8)
    assert sieve.of(view).may_be_letters([Box(0, 0, 96, 16)], busy).tolist() == [wanted]


def test_a_line_has_more_letters_where_they_are_beside_what_is_known() -> None:
    view = _written((255, 255, 255))[..., 0]
    line, below = Box(80, 96, 360, 32), Box(80, 200, 360, 32)
    assert SIEVE.of(view).with_letters([line, below], []) == [line]
    assert SIEVE.of(view).with_letters([line, below], [WORD.grown(16)]) == []
    half = Box(WORD.left, WORD.top, 90, WORD.height)
    assert SIEVE.of(view).with_letters([line, below], [half.grown(16)]) == [line]


CALM = samples.calm()
NAME = samples.lettered(CALM, "SMITH JOHN", (100, 100))
#: Around what stands out of the name, as around what is found of it.
KNOWN = samples.inked(NAME, CALM).grown(7)


def _without_name(view: NDArray[np.uint8]) -> tuple[Sieved, Sieved, list[int]]:
    """Return what is told of a view, the same without the name, and of how many pixels that is asked anew."""
    asked: list[int] = []

    def answer(given: NDArray[Any]) -> NDArray[Any]:
        asked.append(given.shape[2] * given.shape[3])
        return SIEVE.model(given)

    sieved = Sieve(answer).of(view[..., 0])
    sieved.odds([WHOLE])
    left = sieved.without([KNOWN])
    asked.clear()
    return sieved, left, asked


def _are_busy(view: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the cells in which something stands out that is not of the name."""
    shown = view[..., 0] != CALM[..., 0]
    shown[KNOWN.top : KNOWN.bottom, KNOWN.left : KNOWN.right] = False
    cells = shown.reshape(ROWS // 8, 8, COLUMNS // 8, 8).sum(axis=(1, 3)) >= 8
    return np.asarray(cells.astype(np.uint8))


def _are_cells(box: Box) -> tuple[slice, slice]:
    return slice(box.top // 8, -(-box.bottom // 8)), slice(box.left // 8, -(-box.right // 8))


def test_without_a_line_nothing_is_told_in_it_and_elsewhere_what_was_told() -> None:
    sieved, left, asked = _without_name(samples.lettered(NAME, "ID", (300, 250), (90, 90, 90)))
    before, after = sieved.odds([WHOLE]), left.odds([WHOLE])
    inside = _are_cells(KNOWN.grown(-8))
    assert before[inside].max() > 3
    assert (after[inside] == -np.inf).all()
    around = np.ones(before.shape, np.bool_)
    around[_are_cells(KNOWN)] = False
    assert before[around].max() > 0
    np.testing.assert_array_equal(after[around], before[around])
    assert not asked


def test_without_a_line_nothing_is_asked_of_calm_ground_nor_of_letters_far_away() -> None:
    view = samples.lettered(NAME, "ID", (300, 250), (90, 90, 90))
    _, left, asked = _without_name(view)
    assert not left.may_be_letters([WHOLE], _are_busy(NAME)).any()
    kept = left.may_be_letters([WHOLE], _are_busy(view))
    written = _are_cells(samples.inked(view, NAME))
    assert kept[written].any()
    kept[written] = 0
    assert not kept.any()
    assert asked == []


def test_letters_beside_a_line_are_asked_of_anew_and_stay() -> None:
    view = samples.lettered(NAME, "x1-03", (100, 123), (60, 60, 60))
    _, left, asked = _without_name(view)
    kept = left.may_be_letters([WHOLE], _are_busy(view))
    assert kept[_are_cells(samples.inked(view, NAME))].sum() >= 4
    assert len(asked) == 1
    assert asked[0] < ROWS * COLUMNS / 2
    left.may_be_letters([WHOLE], _are_busy(view))
    assert len(asked) == 1


def test_what_only_lies_in_the_glow_of_a_line_s_letters_is_asked_of_anew_and_goes() -> None:
    view = NAME.copy()
    cv2.line(view, (105, 124), (190, 136), (90, 90, 90), 1)
    sieved, left, asked = _without_name(view)
    busy = _are_busy(view)
    assert sieved.may_be_letters([WHOLE], busy).any()
    assert not left.may_be_letters([WHOLE], busy).any()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("level", "ink"),
    [
        (20, (255, 255, 255)),
        (20, (255, 210, 40)),
        (200, (0, 0, 0)),
        (60, (0, 0, 255)),
    ],
)
def test_a_view_without_lines_has_their_ground_instead(
    level: int, ink: tuple[int, int, int]
) -> None:
    ground = samples.calm(level)
    view = samples.lettered(ground, "SMITH JOHN", (100, 100), ink)
    left = without_strokes(view, [KNOWN, Box(-9, -9, 5, 5)])
    assert np.abs(left.astype(int) - ground).max() < 20
    wide = without_strokes(view, [Box(-20, 90, COLUMNS + 40, 60)])
    assert np.abs(wide.astype(int) - ground).max() < 20


def test_a_view_without_lines_keeps_what_is_beside_them_and_is_another_one() -> None:
    view = samples.lettered(NAME, "MEIER", (102, 130))
    copy = view.copy()
    left = without_strokes(view, [KNOWN])
    assert (view == copy).all()
    assert (left[KNOWN.bottom :] == view[KNOWN.bottom :]).all()
    assert (left[: KNOWN.bottom] != view[: KNOWN.bottom]).any()


def test_bright_strokes_leave_nothing_and_bright_ground_stays() -> None:
    view = NAME[..., 0].copy()
    view[200:260, 200:260] = 255
    left = without_bright_strokes(view)
    assert left[100:120].max() < 60
    assert left[204:256, 204:256].min() == 255


def test_pixels_are_beside_letters_in_their_cells_and_the_cells_around() -> None:
    odds = np.full((1, 1, ROWS // 8, COLUMNS // 8), -9, np.float32)
    odds[0, 0, 10, 20], odds[0, 0, 30, 40] = -1.9, -2.1
    sieved = Sieve(lambda _given: odds).of(CALM)
    columns = np.array([160, 152, 175, 151, 176, 160, 160, 160, 160, 320])
    rows = np.array([80, 72, 95, 80, 80, 72, 95, 71, 96, 240])
    assert not sieved.are_beside_letters(columns, rows).any()  # nothing was asked
    sieved.odds([WHOLE])
    assert sieved.are_beside_letters(columns, rows).tolist() == [
        *[True, True, True, False, False],
        *[True, True, False, False, False],
    ]


def test_the_model_is_the_one_that_the_figures_were_measured_with() -> None:
    data = (files("deid.tables") / SIEVE_FILE).read_bytes()
    assert hashlib.sha256(data).hexdigest() == _DIGEST
    assert len(data) < 1_000_000
