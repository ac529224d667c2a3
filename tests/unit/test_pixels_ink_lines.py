"""Which parts of ink make a line, told with the project's own sieve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from daemon.engines.models import make_sieve
from deid.pixels.find import ink_lines as module
from deid.pixels.find.evidence import Strokes
from deid.pixels.find.ink_lines import InkLine, ink_lines, is_near, rows_above
from deid.pixels.find.sieve import Sieve
from deid.pixels.geometry import Box
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIEVE = make_sieve()
WHITE = (255, 255, 255)
GROUND = samples.calm()
SMITH = samples.lettered(GROUND, "SMITH", (100, 100))
#: Letters' edges are a little fainter than ink is.
_ALL_BUT_EDGES = 100


def _lines(view: NDArray[np.uint8], areas: Sequence[Box] | None = None) -> list[InkLine]:
    strokes = Strokes.of(view, SIEVE)
    asked = strokes.areas()
    assert strokes.own.sieved is not None
    return ink_lines(strokes.own.sieved, asked if areas is None else areas)


def _with_block(view: NDArray[np.uint8], block: Box) -> NDArray[np.uint8]:
    copy = view.copy()
    copy[block.top : block.bottom, block.left : block.right] = 255
    return copy


@pytest.mark.parametrize(
    ("level", "ink"),
    [(20, WHITE), (200, (0, 0, 0)), (20, (255, 210, 0)), (60, (0, 0, 255))],
    ids=["bright", "dark", "yellow", "blue"],
)
@pytest.mark.parametrize("text", ["SMITH^JOHN", "Smith, Jöhn", "Åsa É,i", "i, Müller;"])
def test_the_box_holds_all_ink_with_commas_accents_and_dots(
    level: int, ink: tuple[int, int, int], text: str
) -> None:
    ground = samples.calm(level)
    view = samples.lettered(ground, text, (150, 100), ink)
    ((box, is_alone),) = _lines(view)
    assert box.contains(samples.inked(view, ground, _ALL_BUT_EDGES))
    assert samples.inked(view, ground).contains(box)
    assert is_alone


def test_words_of_one_line_are_one_and_those_far_apart_are_two() -> None:
    near = samples.lettered(SMITH, "JOHN", (175, 100))
    far = samples.lettered(SMITH, "JOHN", (190, 100))
    assert [line.box.width > 120 for line in _lines(near)] == [True]
    assert sorted(line.box.left // 10 for line in _lines(far)) == [10, 19]


@pytest.mark.parametrize("below", [16, 28])
def test_lines_above_each_other_are_each_its_own(below: int) -> None:
    view = samples.lettered(SMITH, "19610312", (100, 100 + below))
    upper, lower = sorted(_lines(view), key=lambda line: line.box.top)
    assert upper.box.bottom < lower.box.top
    assert upper.is_alone
    assert lower.is_alone


@pytest.mark.parametrize(("size", "lines"), [(24, 1), (40, 2)])
def test_words_of_very_different_height_are_no_line(size: int, lines: int) -> None:
    word = samples.lettered(GROUND, "SMITH", (100, 120 - size), size=size)
    end = samples.inked(word, GROUND).right
    assert len(_lines(samples.lettered(word, "JOHN", (end + 26, 106), size=13))) == lines


def test_letters_one_below_the_other_or_on_a_stair_are_no_line() -> None:
    turned = np.ascontiguousarray(np.rot90(GROUND))
    upright = np.rot90(samples.lettered(turned, "SMITH JOHN", (100, 100)), -1)
    assert _lines(np.ascontiguousarray(upright)) == []
    stair = GROUND
    for number, letter in enumerate("MNHKEXZV"):
        stair = samples.lettered(stair, letter, (100 + 16 * number, 100 + 3 * number))
    assert _lines(stair) == []


@pytest.mark.parametrize(("text", "lines"), [("MN", 0), ("MNH", 1), ("III", 0)])
def test_a_line_has_three_glyphs_and_is_longer_than_high(text: str, lines: int) -> None:
    view = samples.lettered(GROUND, text, (100, 100))
    assert len(_lines(view)) == lines
    assert len(_lines(view, [Box(80, 80, 80, 60), Box(60, 70, 120, 80)])) == lines


def test_a_bar_many_times_as_high_as_letters_is_none_of_them() -> None:
    letters = samples.lettered(GROUND, "xnoxnoxnoxno", (100, 100), size=12)
    own = samples.inked(letters, GROUND, _ALL_BUT_EDGES)
    barred = _with_block(letters, Box(own.right + 2, own.top - 20, 3, 46))
    assert [line.box for line in _lines(barred)] == [own]


@pytest.mark.parametrize(
    ("block", "is_alone"),
    [
        (Box(165, 116, 4, 8), False),  # hardly on its rows
        (Box(110, 93, 4, 7), False),  # above
        (Box(110, 123, 4, 9), False),  # below
        (Box(176, 116, 4, 8), True),  # farther than the next letter would be
        (Box(110, 90, 4, 7), True),
        (Box(104, 121, 48, 2), True),  # lower than a letter
    ],
)
def test_a_line_is_alone_unless_another_part_as_high_as_a_letter_lies_close(
    block: Box, *, is_alone: bool
) -> None:
    own = samples.inked(SMITH, GROUND, _ALL_BUT_EDGES)
    lines = _lines(_with_block(SMITH, block))
    assert [line.is_alone for line in lines if line.box == own] == [is_alone]


@pytest.mark.parametrize(("columns", "is_alone"), [(1, True), (4, False)])
def test_a_scratch_near_high_letters_has_too_few_pixels_to_be_of_them(
    columns: int, *, is_alone: bool
) -> None:
    high = samples.lettered(GROUND, "SMITH", (100, 100), size=44)
    own = samples.inked(high, GROUND, _ALL_BUT_EDGES)
    lines = _lines(_with_block(high, Box(130, own.top - 15, columns, 11)))
    assert [line.is_alone for line in lines] == [is_alone]


def test_letters_that_hang_together_are_near_although_they_are_no_glyph() -> None:
    own = samples.inked(SMITH, GROUND, _ALL_BUT_EDGES)
    word = samples.lettered(SMITH, "MNHMNHM", (170, 100))
    struck = _with_block(word, Box(170, 111, 92, 1))
    assert [line.is_alone for line in _lines(struck) if line.box == own] == [False]


def test_fainter_letters_are_no_ink_near_brighter_ones() -> None:
    def end(level: int) -> int:
        (line,) = _lines(samples.lettered(SMITH, "JOHN", (160, 100), (level,) * 3))
        return line.box.right

    assert end(50) == samples.inked(SMITH, GROUND, _ALL_BUT_EDGES).right
    assert end(140) > 200


def test_what_an_area_cuts_is_not_of_the_line_and_what_two_share_is_there_once() -> None:
    box = samples.inked(SMITH, GROUND, _ALL_BUT_EDGES)
    cut, rest = Box(80, 80, box.right - 4 - 80, 60), Box(100, 80, 120, 60)
    assert [line.box for line in _lines(SMITH, [cut, rest])] == [box]
    (line,) = _lines(SMITH, [cut])
    assert line.box.right < box.right - 8
    assert line.box.left == box.left


def test_letters_at_the_view_s_own_edge_are_not_cut() -> None:
    view = np.ascontiguousarray(SMITH[104:, 101:])
    box = samples.inked(view, GROUND[104:, 101:], _ALL_BUT_EDGES)
    assert [line.box for line in _lines(view)] == [box]


@pytest.mark.parametrize(("odds", "lines"), [(-1.9, 1), (-2.1, 0)])
def test_ink_is_no_line_where_the_sieve_tells_of_no_letters(odds: float, lines: int) -> None:
    def answer(given: NDArray[Any]) -> NDArray[Any]:
        return np.full((1, 1, given.shape[2] // 8, given.shape[3] // 8), odds, np.float32)

    area = Box(64, 64, 160, 80)
    sieved = Sieve(answer).of(SMITH)
    sieved.odds([area])
    assert len(ink_lines(sieved, [area])) == lines


def test_nothing_is_told_of_no_area_or_of_a_page_full_of_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _lines(SMITH, []) == []
    monkeypatch.setattr(module, "_MOST_PARTS", 5)
    assert len(_lines(SMITH)) == 1
    monkeypatch.setattr(module, "_MOST_PARTS", 4)
    assert _lines(SMITH) == []


def test_noise_grids_and_stripes_are_no_lines() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*GROUND.shape[:2], 1), np.uint8)
    grid, stripes = GROUND.copy(), GROUND.copy()
    grid[::16], grid[:, ::16] = 255, 255
    stripes[:, ::10] = 255
    for view in (np.repeat(noise, 3, axis=2), grid, stripes):
        assert _lines(view) == []


def test_how_near_another_line_is_goes_by_a_line_s_height() -> None:
    line = Box(100, 100, 90, 20)
    beside = Box(220, 100, 50, 20)  # one and a half of its heights
    assert [is_near(line, beside.moved(by, 0)) for by in (-1, 0)] == [True, False]
    above = Box(100, 70, 90, 20)
    assert [is_near(line, above.moved(0, by)) for by in (1, 0)] == [True, False]
    assert [is_near(line, Box(195, 105, 50, height)) for height in (5, 4)] == [True, False]
    assert [rows_above(line), rows_above(Box(0, 0, 20, 5))] == [10, 3]


def test_a_high_mark_beside_small_lines_is_no_line_with_them() -> None:
    small = samples.lettered(GROUND, "SMITH JOHN", (100, 100))
    own = samples.inked(small, GROUND)
    mark = Box(own.left - own.height, own.top - 2, own.height // 2, 3 * own.height)
    ((box, _),) = _lines(_with_block(small, mark._replace(height=own.height + 2)))
    assert box.left <= mark.left
    assert _lines(_with_block(small, mark)) == []
