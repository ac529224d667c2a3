"""Steps over a large frame give the same answer some rows at a time, and only where something may be."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.pixels.find import dots, evidence, places
from deid.pixels.find.places import by_bands, in_places, places_with, with_share
from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Change = Callable[..., NDArray[Any]]

#: Seldom whole cells; letters and noise in some places.
SIZES = [(700, 1100), (901, 703), (1600, 401)]


def _views(rows: int, columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a display that is calm but for some places, and a view by local contrast of it."""
    noise = np.random.default_rng(rows)
    grey = np.linspace(30, 90, columns).astype(np.uint8)[None].repeat(rows, axis=0)
    for number in range(9):
        top, left = noise.integers(0, rows - 60), noise.integers(0, columns - 90)
        area = grey[top : top + 50, left : left + 80]
        if number % 3:
            cv2.putText(area, "SMITH", (2, 30), 0, 0.8, (60 + 20 * number,), 1 + number % 2)
        else:
            area[::3, ::3] += noise.integers(0, 90, area[::3, ::3].shape).astype(np.uint8)
    contrast = cv2.GaussianBlur(grey, (0, 0), 0.5)
    contrast[rows // 3 :][:9, columns // 2 :] = noise.integers(0, 255, (9, columns - columns // 2))
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), contrast


@pytest.mark.parametrize(
    ("asked", "edge", "views"),
    [
        (partial(evidence._stand_out, 12), evidence._EDGE, 1),
        (evidence._are_hidden, evidence._EDGE, 2),
        (evidence._may_be_hidden, evidence._EDGE, 1),
        (partial(evidence._may_stand_out, 12), evidence._STROKE_EDGE, 1),
        (dots._dots, dots._EDGE, 1),
    ],
)
def test_a_large_frame_is_asked_some_rows_at_a_time_with_the_same_answer(
    asked: Change, edge: int, views: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(8)
    grey = cv2.GaussianBlur(noise.integers(0, 256, (900, 320)).astype(np.uint8), (0, 0), 1.5)
    grey[:, ::80] = noise.integers(0, 256, (900, 4))
    display = cv2.cvtColor(grey // 8 + 4, cv2.COLOR_GRAY2RGB)
    shown = (display, grey) if views == 2 else (grey,)
    whole = asked(*shown)
    assert 0.001 < whole.mean() < 0.999
    monkeypatch.setattr(places, "_BAND", 64)
    monkeypatch.setattr(places, "_EDGES", 1)
    assert np.array_equal(by_bands(asked, edge, np.bool_, *shown), whole)
    some = [Box(3, 40, 50, 70), Box(200, 500, 120, 400)]
    inside = np.zeros(whole.shape, np.bool_)
    for place in some:
        inside[place.top : place.bottom, place.left : place.right] = True
    assert np.array_equal(in_places(asked, edge, some, *shown), whole & inside)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_found_in_a_few_places_is_what_is_found_in_the_whole_frame(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    display, contrast = _views(*size)
    asked: tuple[Callable[[], list[Box]], ...] = (
        lambda: evidence.Strokes.of(display).areas(),
        lambda: evidence.Strokes.of(display, level=16, is_coarse=False).areas(),
        lambda: evidence.hidden_areas(display, contrast),
        lambda: dots.dotted_areas(display),
    )
    monkeypatch.setattr(places, "_SMALL", 0)
    found = [ask() for ask in asked]
    assert all(found)
    assert all(sum(area.area for area in areas) < contrast.size for areas in found)
    monkeypatch.setattr(places, "_SMALL", contrast.size + 1)
    assert [ask() for ask in asked] == found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("least", [1, 8, 13])
def test_cells_with_a_share_are_those_of_a_resize_by_area(
    size: tuple[int, int], least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_SMALL", 0)
    noise = np.random.default_rng(least)
    marked = np.zeros(size, np.bool_)
    for _ in range(20):
        top, left = noise.integers(0, size[0] - 20), noise.integers(0, size[1] - 20)
        marked[top : top + noise.integers(1, 7), left : left + noise.integers(1, 7)] = True
    share, cells = least / 256, (size[1] // 16, size[0] // 16)
    resized = cv2.resize(marked * np.uint16(0xFFFF), cells, interpolation=cv2.INTER_AREA)
    expected = resized >= share * 0xFFFF
    assert 0 < expected.sum() < expected.size / 2
    found = places_with(share, cells, lambda view: view, 0, marked)
    assert sum(place.area for place in found) < marked.size
    assert np.array_equal(with_share(share, cells, marked, found), expected)


def test_where_most_of_a_frame_may_hold_something_it_is_asked_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "_SMALL", 0)
    marked = np.random.default_rng(1).random((800, 800)) < 0.5
    assert places_with(0.03, (50, 50), lambda view: view, 0, marked) == [Box(0, 0, 800, 800)]
    assert places_with(0.03, (50, 50), lambda view: view, 0, np.zeros_like(marked)) == []
