"""What is written across a curve is found without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from deid.pixels.cleaning import PixelCleaning
from deid.pixels.find import verdict
from deid.pixels.find.candidates import candidate, corners_of
from deid.pixels.find.curves import without_curves
from deid.pixels.find.judge import judged
from deid.pixels.find.sieve import Sieved
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
from tests import pixel_samples as samples

ROWS, COLUMNS = 240, 800
WHOLE = Box(0, 0, COLUMNS, ROWS)
#: A curve, and what is written across it.
LONG, WORD = Box(0, 30, 300, 30), Box(104, 32, 80, 24)
#: Levels of ground, curve and writing: as on paper, and as on a monitor.
PAPER, MONITOR = (240, 20, 150), (5, 200, 95)


def _curve() -> Any:
    """Return which pixels are of a thick curve, as of a heart's trace."""
    phase = np.arange(COLUMNS) % 90
    height = 34 * np.exp(-(((phase - 40) / 2.5) ** 2)) + 7 * np.exp(-(((phase - 66) / 7) ** 2))
    line = np.column_stack((np.arange(COLUMNS), 130 - height)).round().astype(np.int32)
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.polylines(mask, [line], isClosed=False, color=255, thickness=3)
    return mask > 0


def _written(at: tuple[int, int], *, size: float = 0.7, width: int = 2) -> Any:
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.putText(mask, "LINDQVIST^SOREN", at, cv2.FONT_HERSHEY_SIMPLEX, size, 255, width)
    return mask > 0


def _frame(levels: tuple[int, int, int], *, curve: Any = False, written: Any = False) -> Any:
    ground, of_curve, of_writing = levels
    frame = np.full((ROWS, COLUMNS), ground, np.uint8)
    frame[curve] = of_curve
    frame[written] = of_writing
    return frame


@pytest.mark.parametrize("levels", [PAPER, MONITOR], ids=["paper", "monitor"])
def test_a_curve_goes_and_what_is_written_across_it_stays(levels: tuple[int, int, int]) -> None:
    curve, written = _curve(), _written((100, 134))
    assert (cv2.dilate(curve.view(np.uint8), np.ones((3, 3))) & written).any()
    frame = _frame(levels, curve=curve, written=written)
    bare = without_curves(frame, [WHOLE])
    assert bare is not None
    assert bare.areas == [WHOLE]
    by = np.abs(bare.view.astype(int) - levels[0])
    beside = cv2.dilate(written.view(np.uint8), np.ones((15, 15))) > 0
    assert by[curve & ~beside].max() < 20
    apart = written & ~(cv2.dilate(curve.view(np.uint8), np.ones((5, 5))) > 0)
    assert (bare.view[apart] == levels[2]).all()


def test_a_line_of_text_as_long_as_the_frame_is_no_curve() -> None:
    written = _written((100, 134)) | _written((286, 134)) | _written((472, 134))
    assert without_curves(_frame(PAPER, written=written), [WHOLE]) is None
    assert without_curves(_frame(PAPER), [WHOLE]) is None


def test_a_curve_goes_only_in_the_areas_that_it_crosses() -> None:
    frame = _frame(PAPER, curve=_curve())
    crossed, beside = Box(100, 80, 120, 70), Box(400, 180, 400, 60)
    bare = without_curves(frame, [crossed, beside])
    assert bare is not None
    assert bare.areas == [crossed]
    inside = np.zeros(frame.shape, np.bool_)
    inside[crossed.top : crossed.bottom, crossed.left : crossed.right] = True
    assert (bare.view[~inside] == frame[~inside]).all()
    assert bare.view[inside].min() > 200


def test_what_crosses_an_area_and_ends_beside_it_is_no_curve() -> None:
    curve = _curve()
    curve[:, :60] = curve[:, 260:] = False
    assert without_curves(_frame(PAPER, curve=curve), [Box(100, 80, 120, 70)]) is None


@pytest.mark.parametrize("levels", [PAPER, MONITOR], ids=["paper", "monitor"])
def test_a_name_across_a_thick_curve_is_filled(levels: tuple[int, int, int]) -> None:
    written = _written((100, 134), size=0.6, width=1)
    frame = _frame(levels, curve=_curve(), written=written)[..., None]
    described = samples.attributes(frame, bits=8) | {"WindowCenter": 128.0, "WindowWidth": 256.0}
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], described)
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    filled = np.zeros((ROWS, COLUMNS), np.bool_)
    for region in cleaner.clean(instance).regions:
        rows = slice(region.top, region.top + region.height)
        filled[rows, region.left : region.left + region.width] = True
    assert filled[written].mean() > 0.95
    assert filled.mean() < 0.15


def test_what_is_written_across_a_curve_is_judged_by_the_view_without_it() -> None:
    written = _written((100, 134))
    views = [np.repeat(_frame(PAPER)[..., None], 3, axis=2), _frame(PAPER)]
    bare = _frame(PAPER, written=written)
    rows, columns = np.nonzero(written)
    box = Box(int(columns.min()), int(rows.min()), int(np.ptp(columns)), int(np.ptp(rows)))
    plain = candidate(corners_of(box.grown(5)), 0.6, 0)
    across = replace(plain, bare=bare)
    first, second, third = judged(views, [plain, across, plain])
    (alone,) = judged([bare], [plain])
    assert first.shape == third.shape
    assert second.shape == alone.shape
    assert second.shape is not None
    assert second.shape > 1 > (first.shape or 0.0)


@pytest.mark.parametrize(
    ("reading", "is_text"), [(("LINDQV", 0.6), True), (("LINDQV", 0.54), False), (("", 0.0), False)]
)
def test_what_is_written_across_a_curve_reads_as_text_and_the_curve_does_not_continue_it(
    reading: tuple[str, float], *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve, word = (candidate(corners_of(box), 0.9, 0) for box in (LONG, WORD))
    across = replace(word, bare=np.zeros((400, 400), np.uint8))
    detector = samples.detector()
    view = np.zeros((400, 400, 3), np.uint8)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [curve, across]))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [reading])
    monkeypatch.setattr(Sieved, "odds_within", lambda _self, _corners: 6.0)
    monkeypatch.setattr(Sieved, "letters_in", lambda _self, _area, **_: [])
    monkeypatch.setattr(
        verdict,
        "shapes_of",
        lambda _views, given: [3.5 if e.bare is not None else -1.0 for e in given],
    )
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [WORD] * is_text
