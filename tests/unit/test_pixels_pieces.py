"""Text that touches what is no text is found in pieces of what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from daemon.engines.models import make_sieve
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.find import verdict
from deid.pixels.find.candidates import Candidate, candidate, corners_of
from deid.pixels.find.pieces import Pieces, text_in_pieces
from deid.pixels.find.sieve import STEP, Sieved
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROWS, COLUMNS = 160, 320
WHOLE = Box(0, 0, COLUMNS, ROWS)


def _sieved(*told: tuple[Box, float]) -> Sieved:
    """Return what tells of letters in these boxes of cells only."""
    sieved = Sieved(make_sieve(), np.zeros((ROWS, COLUMNS, 3), np.uint8))
    sieved._odds[:] = -5
    for cells, odds in told:
        sieved._odds[cells.top : cells.bottom, cells.left : cells.right] = odds
    return sieved


def _boxes(found: Sequence[Candidate]) -> list[Box]:
    return [entry.area for entry in found]


def _pieces(
    sieved: Sieved,
    is_text: Callable[[Box], bool],
    *,
    whole: Box = WHOLE,
    known: Sequence[Box] = (),
) -> list[Box]:
    entries = [candidate(corners_of(box), 0.8, 1) for box in (whole, *known)]

    def of_view(view: int) -> Sieved:
        assert view == 1
        return sieved

    found = text_in_pieces(
        entries[:1],
        entries[1:],
        of_view,
        lambda given: [is_text(entry.area) for entry in given],
        Pieces(),
    )
    assert all((entry.confidence, entry.view) == (0.8, 1) for entry in found)
    return _boxes(found)


def _in_pixels(cells: Box) -> Box:
    return Box(*(STEP * side for side in cells))


def test_a_piece_is_where_the_sieve_tells_of_letters_and_what_is_apart_by_a_cell_is_one() -> None:
    word, next_word, other = Box(2, 3, 6, 2), Box(9, 3, 4, 2), Box(20, 3, 5, 2)
    sieved = _sieved((word, 8), (next_word, 1), (other, 7))
    assert _pieces(sieved, lambda _: True) == [
        _in_pixels(Box(2, 3, 11, 2)),
        _in_pixels(other),
    ]


def test_a_piece_has_a_cell_that_tells_of_letters_for_sure_and_lies_in_the_candidate() -> None:
    sieved = _sieved((Box(2, 3, 6, 2), 5.9), (Box(20, 3, 5, 2), 6.1))
    assert _pieces(sieved, lambda _: True) == [_in_pixels(Box(20, 3, 5, 2))]
    assert _pieces(sieved, lambda _: True, whole=Box(0, 0, 150, ROWS)) == []
    assert _pieces(sieved, lambda _: True, whole=Box(400, 0, 20, 20)) == []


def test_what_is_no_text_as_one_piece_is_judged_in_those_that_surer_letters_make() -> None:
    upper, lower = Box(2, 3, 10, 2), Box(4, 6, 10, 2)
    sieved = _sieved((Box(2, 3, 12, 5), 1), (upper, 6), (lower, 6))
    of_one_line = _in_pixels(upper).height
    assert _pieces(sieved, lambda box: box.height <= of_one_line) == [
        _in_pixels(upper),
        _in_pixels(lower),
    ]


def test_what_is_as_large_as_the_candidate_or_known_is_no_piece() -> None:
    word = Box(2, 3, 6, 2)
    sieved = _sieved((word, 6))
    assert _pieces(sieved, lambda _: True, whole=_in_pixels(word)) == []
    assert _pieces(sieved, lambda _: True, known=[_in_pixels(word)]) == []
    assert _pieces(sieved, lambda _: False) == []


def test_what_is_known_from_end_to_end_of_a_piece_is_no_more_than_that_but_for_another_line() -> (
    None
):
    upper, lower = Box(2, 3, 12, 2), Box(2, 6, 12, 2)
    both, text = (Box(2, 3, 12, 5), 1), [_in_pixels(upper)]
    assert _pieces(_sieved(both, (upper, 6)), lambda _: True, known=text) == []
    sieved = _sieved(both, (upper, 6), (lower, 6))
    assert _pieces(sieved, lambda _: True, known=text) == [_in_pixels(lower)]
    half = Box(0, 24, 64, 16)
    assert _pieces(sieved, lambda _: True, known=[half]) == [_in_pixels(Box(2, 3, 12, 5))]


def _trace(rows: int, columns: int, *, at: int) -> Any:
    """Return a frame through which a trace runs, as of a heart."""
    frame = np.full((rows, columns, 1), 5, np.uint8)
    phase = np.arange(columns) % 90
    height = 34 * np.exp(-(((phase - 40) / 2.5) ** 2)) + 7 * np.exp(-(((phase - 66) / 7) ** 2))
    line = at - np.round(height).astype(int)
    for column in range(1, columns):
        low, high = sorted((line[column - 1], line[column]))
        frame[low : high + 2, column] = 170
    return frame


@pytest.mark.parametrize("left", [60, 300])
def test_a_name_that_a_trace_runs_through_is_filled_and_most_of_the_trace_stays(left: int) -> None:
    trace = _trace(240, 800, at=130)
    written = np.zeros(trace.shape[:2], np.uint8)
    cv2.putText(
        written, "LINDQVIST^SOREN", (left, 122), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 230, 1, cv2.LINE_AA
    )
    frame = np.maximum(trace, written[..., None])
    ink = written > 100
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], samples.attributes(frame))
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    filled = np.zeros(frame.shape[:2], np.bool_)
    for region in cleaner.clean(instance).regions:
        filled[
            region.top : region.top + region.height, region.left : region.left + region.width
        ] = True
    assert filled[ink].mean() > 0.95
    assert filled.mean() < 0.15


@pytest.mark.parametrize(
    ("size", "reading", "is_text"),
    [
        ((400, 400), ("LINDQV", 0.6), True),
        ((400, 400), ("LINDQV", 0.54), False),
        ((400, 400), ("LLLLLL", 0.6), False),
        ((400, 400), ("", 0.0), False),
        ((60, 200), ("LINDQV", 0.6), False),  # of so small a frame it covers 16 %
    ],
)
def test_a_piece_is_text_for_sure_and_what_it_is_a_piece_of_does_not_continue_it(
    size: tuple[int, int],
    reading: tuple[str, float],
    *,
    is_text: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, word = Box(0, 30, 300, 30), Box(104, 32, 80, 24)
    detector = samples.detector()
    view = np.zeros((*size, 3), np.uint8)
    monkeypatch.setattr(
        detector, "candidates", lambda _: ([view], [candidate(corners_of(whole), 0.9, 0)])
    )
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [reading])
    monkeypatch.setattr(Sieved, "odds_within", lambda _self, _corners: 6.0)
    monkeypatch.setattr(Sieved, "letters_in", lambda _self, _area, **_: [word])
    monkeypatch.setattr(
        verdict,
        "shapes_of",
        lambda _views, given: [3.5 if np.ptp(e.corners[:, 0]) < 100 else -1.0 for e in given],
    )
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [word] * is_text
