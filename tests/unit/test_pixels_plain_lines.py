"""What is text without doubt, so that the detection model is given nothing of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from daemon.engines.models import make_sieve
from deid.pixels.find.candidates import candidate, corners_of, merged
from deid.pixels.find.evidence import Strokes
from deid.pixels.find.plain_lines import PlainLetters, may_go_on_unseen, plain_lines
from deid.pixels.find.sieve import Sieved
from deid.pixels.geometry import Box
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate

SIEVE = make_sieve()
WHITE = (255, 255, 255)
GROUND = samples.calm()
NAME = samples.lettered(GROUND, "SMITH JOHN", (100, 100))
LINE = samples.inked(NAME, GROUND)


def _plain(
    view: NDArray[np.uint8],
    areas: Sequence[Box] | None = None,
    figures: PlainLetters | None = None,
) -> list[Candidate]:
    strokes = Strokes.of(view, SIEVE)
    asked = strokes.areas()
    assert strokes.own.sieved is not None
    return plain_lines(
        [view],
        asked if areas is None else areas,
        strokes.own.mask,
        strokes.own.sieved,
        figures or PlainLetters(),
    )


def _with_rings(view: NDArray[np.uint8], row: int) -> NDArray[np.uint8]:
    """Return a copy with a row of rings, which are ink as letters are and no text."""
    copy = view.copy()
    for column in range(104, 220, 14):
        cv2.circle(copy, (column, row), 5, WHITE, 1)
    return copy


@pytest.mark.parametrize(
    ("level", "ink"),
    [(20, WHITE), (200, (0, 0, 0)), (20, (255, 210, 0)), (60, (0, 0, 255))],
    ids=["bright", "dark", "yellow", "blue"],
)
@pytest.mark.parametrize("text", ["SMITH^JOHN 1961", "Smith, Jöhn", "Åsa É,i. 12"])
def test_letters_of_one_level_on_calm_ground_are_plain_with_all_that_is_of_them(
    level: int, ink: tuple[int, int, int], text: str
) -> None:
    ground = samples.calm(level)
    view = samples.lettered(ground, text, (150, 100), ink)
    (found,) = _plain(view)
    own = samples.inked(view, ground)
    assert found.area.contains(own)
    assert own.grown(6).contains(found.area)
    assert found.is_plain
    assert found.view == 0
    assert (found.shape or 0.0) > 3


def test_around_high_letters_more_counts_as_theirs() -> None:
    view = samples.lettered(GROUND, "SMITH", (100, 100), size=44)
    (found,) = _plain(view)
    own = samples.inked(view, GROUND, 100)
    assert found.area == own.grown(round(own.height / 4))


def test_words_of_one_line_are_one_text_and_lines_are_each_its_own() -> None:
    assert len(_plain(NAME)) == 1
    below = samples.lettered(NAME, "19610312", (100, 128))
    assert sorted(found.area.top // 10 for found in _plain(below)) == [10, 12]
    beside = samples.lettered(NAME, "MEIER", (260, 100))
    assert sorted(found.area.left // 10 for found in _plain(beside)) == [9, 25]


@pytest.mark.parametrize(
    ("figures", "count"),
    [
        (PlainLetters(), 1),
        (PlainLetters(shape=7.0), 0),  # the judge says 6.2
        (PlainLetters(odds=9.0), 0),  # the sieve says 8.5
    ],
)
def test_the_judge_and_the_sieve_must_both_be_sure(figures: PlainLetters, count: int) -> None:
    assert len(_plain(NAME, figures=figures)) == count


@pytest.mark.parametrize("text", ["JOHN", "J", "1961"])
@pytest.mark.parametrize("at", [(160, 100), (170, 100)])
def test_a_line_of_which_a_part_is_fainter_is_not_plain(text: str, at: tuple[int, int]) -> None:
    smith = samples.lettered(GROUND, "SMITH", (100, 100))
    assert len(_plain(smith)) == 1
    assert _plain(samples.lettered(smith, text, at, (55, 55, 55))) == []


@pytest.mark.parametrize(
    ("at", "count"),
    [((110, 83), 0), ((110, 118), 0), ((110, 70), 1), ((110, 134), 1)],
    ids=["above", "below", "far above", "far below"],
)
def test_a_line_is_not_plain_with_fainter_letters_right_above_or_below(
    at: tuple[int, int], count: int
) -> None:
    assert len(_plain(samples.lettered(NAME, "xno", at, (60, 60, 60), 14))) == count


def test_a_speck_beside_it_leaves_a_line_plain() -> None:
    view = NAME.copy()
    view[108:111, 222:226] = 70
    assert len(_plain(view)) == 1


def test_another_part_like_a_letter_right_above_it_leaves_it_in_doubt() -> None:
    view = NAME.copy()
    view[92:100, 110:114] = 255
    assert _plain(view) == []


def test_what_is_in_doubt_leaves_in_doubt_what_is_near_and_so_on() -> None:
    far = samples.lettered(NAME, "MEIER", (102, 70))
    near = samples.lettered(NAME, "MEIER", (102, 84))
    assert len(_plain(far)) == len(_plain(near)) == 2
    assert _plain(_with_rings(GROUND, 128)) == []
    (left,) = _plain(_with_rings(far, 128))
    assert left.area.bottom < LINE.top
    assert _plain(_with_rings(near, 128)) == []


def test_a_line_of_which_an_area_cuts_a_letter_is_not_plain_unless_another_one_has_it() -> None:
    for right in range(LINE.left + 40, LINE.right, 4):
        cut = Box(80, 80, right - 80, 60)
        assert _plain(NAME, [cut]) == []
        assert len(_plain(NAME, [cut, Box(90, 80, 180, 60)])) == 1


@pytest.mark.parametrize("kind", ["rings", "discs", "noise", "grid", "upright"])
def test_what_is_no_lying_line_of_letters_is_not_plain(kind: str) -> None:
    view = GROUND.copy()
    if kind == "rings":
        view = _with_rings(view, 110)
    elif kind == "discs":
        for column in range(100, 300, 14):
            cv2.circle(view, (column, 110), 4, WHITE, -1)
    elif kind == "noise":
        grey = np.random.default_rng(1).integers(0, 256, (*view.shape[:2], 1), np.uint8)
        view = np.repeat(grey, 3, axis=2)
    elif kind == "grid":
        view[::16], view[:, ::16] = 255, 255
    else:
        view = np.ascontiguousarray(np.rot90(NAME))
    assert _plain(view) == []


@pytest.mark.parametrize(
    ("ground", "ink", "beside", "is_unseen"),
    [
        (20, 220, 20, False),
        (20, 220, 100, False),
        (20, 220, 200, True),
        (20, 220, 240, True),
        (200, 20, 200, False),
        (200, 20, 100, False),
        (200, 20, 20, True),
    ],
)
def test_a_line_may_go_on_unseen_where_the_ground_beside_it_is_like_its_ink(
    ground: int, ink: int, beside: int, *, is_unseen: bool
) -> None:
    view = samples.calm(ground)
    view[80:140, LINE.right + 6 :] = beside
    view = samples.lettered(view, "SMITH JOHN", (100, 100), (ink,) * 3)
    assert may_go_on_unseen(view, LINE.grown(5)) is is_unseen
    assert may_go_on_unseen(view[..., 0], LINE.grown(5)) is is_unseen


def test_a_line_does_not_go_on_unseen_on_its_own_strokes_nor_farther_than_its_next_letter() -> None:
    view = samples.lettered(NAME, "MEIER", (LINE.right + 8, 100))
    assert not may_go_on_unseen(view, LINE.grown(5))
    view[80:140, LINE.right + 80 :] = 255
    assert not may_go_on_unseen(view, LINE.grown(5))


def test_a_line_that_something_else_goes_on_with_is_no_longer_plain() -> None:
    (plain,) = _plain(NAME)
    middle = Box(plain.area.left + 30, plain.area.top + 6, 40, 12)
    (one,) = merged([plain, candidate(corners_of(middle), 0.9, 0)])
    assert one.is_plain
    onward = candidate(corners_of(plain.area.moved(plain.area.width - 20, 0)), 0.9, 0)
    (longer,) = merged([plain, onward])
    assert not longer.is_plain
    assert longer.area.width > plain.area.width


def test_groups_of_letters_that_are_spaced_are_left_to_the_model() -> None:
    near, far = (
        samples.lettered(NAME, "1961", (LINE.right + round(heights * LINE.height), 100))
        for heights in (2.6, 4.5)
    )
    assert _plain(near) == []
    assert len(_plain(far)) == 2


def test_a_small_line_close_above_a_large_one_is_no_part_of_it() -> None:
    """A comma of the upper line lies within what counts as the lower one's."""
    upper, lower = (
        replace(candidate(corners_of(box), 0.8, 0), is_plain=True)
        for box in (Box(16, 6, 118, 22), Box(14, 12, 120, 43))
    )
    assert len(merged([upper, lower])) == 2
    assert len(merged([replace(upper, is_plain=False), lower])) == 1
    assert len(merged([upper, replace(upper)])) == 1


@pytest.mark.parametrize(("between", "count"), [(6, 0), (14, 1)])
def test_what_is_in_doubt_around_a_high_line_is_not_taken_away_with_it(
    between: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = samples.lettered(GROUND, "MEIER JOSEF", (100, 60), size=13)
    above = samples.inked(small, GROUND)
    large = samples.lettered(GROUND, "TE 102", (100, 100), size=60)
    ink = samples.inked(large, GROUND)
    assert above.height < ink.height / 4
    view = np.maximum(small, np.roll(large, above.bottom + between - ink.top, axis=0))
    odds = Sieved.odds_within

    def of_the_large_line(self: Sieved, corners: NDArray[Any]) -> float:
        return odds(self, corners) if corners[:, 1].max() > above.bottom + 20 else -9.0

    monkeypatch.setattr(Sieved, "odds_within", of_the_large_line)
    assert len(_plain(view)) == count
