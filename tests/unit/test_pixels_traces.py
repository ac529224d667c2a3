"""What a look leaves only a trace of, and which of it is looked at again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.pixels.find import judge, search
from deid.pixels.find.candidates import Candidate, candidate, corners_of
from deid.pixels.find.ppocr import PPOCR
from deid.pixels.find.traces import Bounds, unsettled_traces
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHEET = Box(0, 0, 400, 400)


def _traces(
    place: Box, probability: float, found: Sequence[tuple[Box, float]] = ()
) -> list[tuple[Box, bool]]:
    likely = np.zeros((SHEET.height, SHEET.width), np.float32)
    likely[place.top : place.bottom, place.left : place.right] = probability
    regions = [(corners_of(box), confidence) for box, confidence in found]
    traces = unsettled_traces(likely, regions, [(SHEET, SHEET)], Bounds())
    return [(trace.box, trace.is_blob) for trace in traces]


WORD = Box(40, 60, 90, 14)


@pytest.mark.parametrize(("probability", "is_trace"), [(0.09, False), (0.11, True)])
def test_a_trace_is_something_that_the_model_takes_for_text_in_one_place_of_ten(
    probability: float, *, is_trace: bool
) -> None:
    assert _traces(WORD, probability) == [(WORD, False)] * is_trace


def test_a_word_that_is_found_for_sure_and_high_enough_leaves_no_trace() -> None:
    assert _traces(WORD, 0.9, [(WORD.grown(4), 0.76)]) == []
    assert _traces(WORD, 0.9, [(WORD.grown(4), 0.74)]) == [(WORD, False)]


@pytest.mark.parametrize(
    ("place", "found", "is_blob"),
    [
        (Box(40, 60, 200, 48), Box(40, 60, 200, 48), True),
        (Box(40, 60, 200, 47), Box(40, 60, 200, 47), False),  # a line of letters
        (Box(40, 60, 47, 200), Box(40, 60, 47, 200), False),  # one that stands upright
        (Box(40, 60, 200, 100), Box(40, 60, 200, 94), True),
        (
            Box(40, 60, 200, 100),
            Box(40, 60, 200, 80),
            False,
        ),  # something lies beside what was found
    ],
)
def test_a_blob_is_higher_than_unsettled_letters_and_covered_by_what_was_found(
    place: Box, found: Box, *, is_blob: bool
) -> None:
    assert _traces(place, 0.6, [(found, 0.6)]) == [(place, is_blob)]


class _SeesInFirstLook:
    """A model that sees the same place in its first look, and then nothing."""

    def __init__(self, place: Box) -> None:
        self.place = place
        self.looks: list[tuple[int, ...]] = []

    def __call__(self, given: NDArray[Any]) -> NDArray[Any]:
        likely = np.zeros((1, 1, *given.shape[2:]), np.float32)
        if not self.looks:
            place = self.place
            likely[0, 0, place.top : place.bottom, place.left : place.right] = 0.6
        self.looks.append(given.shape[2:])
        return likely


def _looks(place: Box, shape: float, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    def judged(_: object, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [replace(entry, shape=shape) for entry in candidates]

    monkeypatch.setattr(search, "judged", judged)
    model = _SeesInFirstLook(place)
    grey = samples.texture(3, rows=384, columns=384)[..., 0]
    grey[::7] = 255
    display = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    detector = PPOCR(model, samples.detector()._recogniser)
    detector.candidates(Picture(display, grey))
    return model.looks


@pytest.mark.parametrize(("shape", "looks"), [(-3.1, 1), (-2.9, 3)])
def test_a_blob_that_cannot_be_text_is_not_looked_at_again(
    shape: float, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else enlarged in the display, and in the view by local contrast.
    assert len(_looks(Box(100, 100, 120, 90), shape, monkeypatch)) == looks


def test_a_line_that_cannot_be_text_is_looked_at_again_as_it_may_be_of_small_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(_looks(Box(100, 100, 120, 9), -9.0, monkeypatch)) == 3


def test_a_line_is_followed_on_both_sides_where_its_shape_may_be_that_of_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Box(150, 100, 90, 20)
    *_, near = _looks(place, -1.1, monkeypatch)
    *_, far = _looks(place, -0.9, monkeypatch)
    assert far[1] > near[1] + 2 * 40  # twice enlarged, some heights farther


def test_what_is_framed_anew_is_judged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def features(_: object, candidates: list[NDArray[Any]]) -> list[NDArray[np.float32]]:
        asked.extend(candidates)
        return [np.zeros((1, 111), np.float32) for _ in candidates]

    monkeypatch.setattr(judge, "features_of", features)
    large = candidate(corners_of(Box(0, 0, 150, 150)), 0.9, 0)
    found = [candidate(corners_of(WORD), 0.9, 0), candidate(corners_of(WORD), 0.9, 0), large]
    detector = samples.detector()
    view = np.zeros((200, 200, 3), np.uint8)
    witnesses = detector._witnesses(Picture(view, None), [view])
    judged = witnesses.framed_anew(found, [5.0, -9.0, 3.4])
    assert len(asked) == len(detector.tuning.framings)
    assert judged[0] < 5.0
    assert judged[1:] == [
        -9.0,
        3.4,
    ]  # hopeless however it is framed, and too large to be text by its shape
