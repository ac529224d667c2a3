"""What the detection model is given to look at, and what is found without it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from daemon.engines.models import make_sieve
from deid.pixels.find import search
from deid.pixels.find.candidates import candidate, corners_of, merged
from deid.pixels.find.evidence import Strokes
from deid.pixels.find.only_told import OnlyTold, only_told
from deid.pixels.find.ppocr import PPOCR
from deid.pixels.find.reading import Recogniser
from deid.pixels.find.search import Search
from deid.pixels.find.sieve import Sieve
from deid.pixels.find.tuning import Tuning
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
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
#: What no look finds is not taken on the sieve's word alone.
UNTOLD = replace(Tuning(), only_told=OnlyTold(peak=np.inf))
_MEAN = np.array((0.485, 0.456, 0.406)) * 255
_DEVIATION = np.array((0.229, 0.224, 0.225)) * 255


class _Looks:
    """A detection model that keeps what it is shown, and sees text or a trace of it where that is so bright."""

    def __init__(self, text: int = 256, trace: int = 256) -> None:
        self.text, self.trace = text, trace
        self.shown: list[NDArray[np.uint8]] = []

    def __call__(self, given: NDArray[Any], /) -> NDArray[Any]:
        picture = np.round(given[0].transpose(1, 2, 0) * _DEVIATION + _MEAN).astype(np.uint8)
        self.shown.append(picture)
        letters = (picture.max(axis=2) >= self.text).astype(np.uint8)
        line = cv2.dilate(letters, np.ones((3, 15), np.uint8))
        likely = np.maximum(0.8 * line, 0.2 * (picture.max(axis=2) >= self.trace))
        return np.asarray(likely[None, None], np.float32)

    @property
    def pixels(self) -> int:
        """How many it was given."""
        return sum(picture.shape[0] * picture.shape[1] for picture in self.shown)

    @property
    def brightest(self) -> int:
        """The highest level that it was shown."""
        return max(int(picture.max()) for picture in self.shown)


def _looked(
    display: NDArray[np.uint8],
    contrast: NDArray[np.uint8] | None = None,
    sieve: Sieve | None = SIEVE,
    text: int = 256,
    tuning: Tuning | None = None,
    parts: Sequence[Box] = (),
) -> tuple[_Looks, list[Candidate]]:
    model = _Looks(text)
    picture = Picture(display, contrast, parts=parts)
    _, found = Search(model, sieve, tuning or UNTOLD).candidates(picture)
    return model, found


@pytest.mark.parametrize(
    ("level", "ink"),
    [(20, WHITE), (200, (0, 0, 0)), (20, (255, 210, 0)), (60, (0, 0, 255))],
    ids=["bright", "dark", "yellow", "blue"],
)
def test_a_line_of_plain_letters_is_found_without_any_look(
    level: int, ink: tuple[int, int, int]
) -> None:
    ground = samples.calm(level)
    display = samples.lettered(ground, "Smith, Jöhn É", (100, 100), ink)
    model, (found,) = _looked(display)
    assert found.is_plain
    assert found.area.contains(samples.inked(display, ground))
    assert model.pixels == 0


def test_without_a_sieve_all_that_stands_out_is_looked_at() -> None:
    model, found = _looked(NAME, sieve=None)
    assert found == []
    assert model.pixels >= LINE.grown(32).area
    assert model.brightest == 255


@pytest.mark.parametrize("ink", [50, 70, 110])
def test_fainter_letters_below_a_plain_line_are_looked_at_without_the_line(ink: int) -> None:
    display = samples.lettered(NAME, "x1", (100, 130), (ink,) * 3)
    model, found = _looked(display)
    assert [entry.is_plain for entry in found] == [True]
    assert 0 < model.pixels < GROUND[..., 0].size / 3
    assert ink - 3 <= model.brightest <= ink + 3


@pytest.mark.parametrize("ink", [50, 70, 110])
def test_a_line_with_fainter_letters_at_its_end_is_looked_at_with_them(ink: int) -> None:
    display = samples.lettered(NAME, "x1", (210, 122), (ink,) * 3)
    model, found = _looked(display, text=ink - 8)
    assert not any(entry.is_plain for entry in found)
    assert model.brightest == 255
    assert merged(found)[0].area.contains(LINE)


@pytest.mark.parametrize("ink", [50, 70, 110])
def test_a_line_that_is_looked_at_and_missed_is_one_all_the_same(ink: int) -> None:
    model, (found,) = _looked(samples.lettered(NAME, "x1", (210, 122), (ink,) * 3))
    assert found.is_plain
    assert found.area.contains(LINE)
    assert model.brightest == 255


def test_a_line_of_which_half_is_fainter_is_looked_at_whole() -> None:
    smith = samples.lettered(GROUND, "SMITH", (100, 100))
    model, found = _looked(samples.lettered(smith, "JOHN", (160, 100), (55, 55, 55)))
    assert found == []
    assert model.brightest == 255


def test_a_line_that_the_edge_of_a_part_cuts_is_not_followed_into_the_next() -> None:
    display = samples.lettered(GROUND, "SMITH", (100, 100), (180,) * 3)
    edge = samples.inked(display, GROUND).right
    display = samples.lettered(display, "JOHN", (edge + 4, 100))
    part = Box(60, 60, edge - 60, 80)
    model, _ = _looked(display, sieve=None, text=90, tuning=ONCE, parts=[part])
    assert model.brightest == 180
    model, _ = _looked(display, sieve=None, text=90, tuning=ONCE)
    assert model.brightest == 255


def _half_faint(rows: int = 320, columns: int = 480) -> NDArray[np.uint8]:
    """Return a name of which half is fainter: no line of plain letters."""
    smith = samples.lettered(samples.calm(rows=rows, columns=columns), "SMITH", (100, 100))
    return samples.lettered(smith, "JOHN", (160, 100), (55, 55, 55))


@pytest.mark.parametrize("columns", [480, 1700], ids=["small", "large"])
def test_letters_that_no_look_finds_are_found_where_the_sieve_is_sure(columns: int) -> None:
    display = _half_faint(columns=columns)
    model, found = _looked(display, tuning=Tuning())
    assert model.pixels > 0
    assert any(entry.area.contains(LINE) and not entry.is_plain for entry in found)
    assert _looked(display)[1] == []


def test_what_the_sieve_is_sure_of_is_told_but_for_what_was_found() -> None:
    display = _half_faint()
    strokes = Strokes.of(display, SIEVE)
    assert only_told(strokes.own, [], OnlyTold()) == []  # nothing was asked yet
    strokes.areas()
    (whole,) = only_told(strokes.own, [], OnlyTold())
    assert whole.area.contains(samples.inked(display, GROUND))
    assert only_told(strokes.own, [whole], OnlyTold()) == []
    first = Box(whole.area.left, whole.area.top, whole.area.width // 2, whole.area.height)
    (rest,) = only_told(strokes.own, [candidate(corners_of(first), 0.8, 0)], OnlyTold())
    assert rest.area.left >= first.right - 3
    assert only_told(strokes.own, [], OnlyTold(peak=20.0)) == []


def test_what_is_only_told_is_not_one_with_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _, (found,) = _looked(_half_faint(), text=40)
    told = candidate(corners_of(found.area.moved(found.area.width // 2, 0)), 0.6, 0)
    monkeypatch.setattr(search, "only_told", lambda *_: [told])
    _, entries = _looked(_half_faint(), text=40)
    assert [entry.area for entry in entries] == [found.area, told.area]


#: Without a second look that enlarges what is small.
ONCE = replace(UNTOLD, closer=())


def _sees_bright_strokes(given: NDArray[Any], /) -> NDArray[Any]:
    """Tell of letters where strokes stand out by 150 levels."""
    bright = given[0].max(axis=0)
    rows, columns = bright.shape
    cells = bright.reshape(rows // 8, 8, columns // 8, 8).max(axis=(1, 3))
    return np.where(cells >= 150, 5, -9).astype(np.float32)[None, None]


def _followed(display: NDArray[np.uint8]) -> tuple[int, Box]:
    """Return how often was looked where the sieve sees only what is bright, and the longest line found."""
    sieve = Sieve(_sees_bright_strokes)
    model, found = _looked(display, sieve=sieve, text=90, tuning=ONCE)
    return len(model.shown), max((entry.area for entry in found), key=lambda area: area.width)


def test_a_line_that_the_edge_of_what_was_looked_at_cuts_is_followed_to_its_end() -> None:
    bright = samples.lettered(GROUND, "SMITH JO", (60, 100))
    display = samples.lettered(bright, "HN WILLIAM HENRY", (150, 100), (110, 110, 110))
    looks, line = _followed(display)
    assert line.contains(samples.inked(display, GROUND, 80))
    assert looks > 2


def test_a_line_that_ends_within_what_was_looked_at_is_not_followed() -> None:
    looks, line = _followed(samples.lettered(GROUND, "1 2", (60, 100)))
    assert looks == 1
    assert line.width < 60


def test_what_only_leaves_a_trace_where_a_line_goes_on_is_looked_at_again_enlarged() -> None:
    display = samples.lettered(GROUND, "SMITH JO", (60, 100))
    display = samples.lettered(display, "HN WILLIAM HENRY", (150, 100), (110, 110, 110))
    display[140:146, 230:260] = 70
    model = _Looks(text=90, trace=60)
    tuning = replace(UNTOLD, closer=((700, 2.0, 0.0),))
    Search(model, Sieve(_sees_bright_strokes), tuning).candidates(Picture(display, None))
    first, *_, last = [int((picture[..., 0] == 70).sum()) for picture in model.shown]
    assert first == 0
    assert last > 3 * 6 * 30


def test_something_high_that_an_edge_cuts_is_no_line_to_follow() -> None:
    for rows, times in ((20, 2), (140, 1)):
        display = GROUND.copy()
        for row in range(60, 60 + rows, 12):
            display[row : row + 3, 100:108] = 255
        display[60 : 60 + rows, 108:200] = 110
        looks, place = _followed(display)
        assert looks == times
        assert place.height > rows


def test_a_plain_line_is_looked_at_whole_when_more_was_found_on_its_rows() -> None:
    """The bar makes the sieve tell of the block, which is found, and is near for its height."""
    display = NAME.copy()
    left = LINE.right + 80
    display[LINE.top - 10 : LINE.bottom + 10, left : left + 20] = 255
    display[LINE.top - 10 : LINE.bottom + 10, left + 28 : left + 30] = 255
    model, _ = _looked(display, sieve=Sieve(_sees_bright_strokes), text=200, tuning=ONCE)
    first, last = [picture.shape[1] for picture in model.shown]
    assert first < left + 20 - LINE.left <= last


@pytest.mark.parametrize(("beside", "is_followed"), [(20, False), (200, True)])
def test_a_plain_line_is_followed_in_local_contrast_only_where_it_may_go_on_unseen(
    beside: int, *, is_followed: bool
) -> None:
    ground = GROUND.copy()
    ground[60:160, LINE.right + 4 :] = beside
    display = samples.lettered(ground, "SMITH JOHN", (100, 100), (220, 220, 220))
    level = beside + 30 if beside < 128 else beside - 30
    contrast = samples.lettered(display, "MEIER", (LINE.right + 10, 100), (level,) * 3)
    model, found = _looked(display, contrast[..., 0])
    assert [entry.is_plain for entry in found] == [True]
    assert (model.pixels > 0) is is_followed


def test_a_large_frame_is_looked_at_all_the_same() -> None:
    display = samples.calm(rows=320, columns=1600)
    model, found = _looked(samples.lettered(display, "SMITH JOHN", (100, 100)))
    assert not any(entry.is_plain for entry in found)
    assert model.pixels > 0


def test_a_plain_line_is_text_without_another_look_frame_or_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anything else that covers so much of its frame, and scores so little, must be seen again."""
    display = samples.lettered(GROUND, "JOHN", (100, 100))
    strips: list[NDArray[Any]] = []
    model = _Looks()

    def read(strip: NDArray[Any], /) -> NDArray[Any]:
        strips.append(strip)
        return np.zeros((1, 4, 28), np.float32)

    detector = PPOCR(model, Recogniser(read, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), SIEVE)
    _, (found,) = detector.candidates(Picture(display, None))
    assert (found.shape or 0.0) < detector.tuning.beyond_doubt
    assert found.area.area > detector.tuning.costly * detector.tuning.least_area
    framed: list[Any] = []
    monkeypatch.setattr("deid.pixels.find.verdict.resized", lambda *given: framed.append(given))
    ((region,),) = detector.find([Picture(display, None)], needs_reading=False)
    assert region.box.contains(samples.inked(display, GROUND))
    assert model.pixels == len(strips) == len(framed) == 0
    ((region,),) = detector.find([Picture(display, None)])
    assert strips
