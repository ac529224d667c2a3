"""Sections in rows: their folds have a text's shape, so what stands there must be read."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.pixels.cleaning import PixelCleaning
from deid.pixels.find import ppocr, verdict
from deid.pixels.find.candidates import candidate, corners_of
from deid.pixels.find.mosaics import is_mosaic
from deid.pixels.find.sieve import Sieved
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
from tests import pixel_samples as samples
from tests.benchmarks.pixels.bases import synthetic_ct
from tests.benchmarks.pixels.burn import Manner, burn
from tests.benchmarks.pixels.corpus import make_instance
from tests.benchmarks.pixels.grounds import kind_of, views_of
from tests.benchmarks.pixels.strings import Burned
from tests.benchmarks.pixels.textless.kinds import made, textless
from tests.benchmarks.pixels.textless.real import real_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KIND = "sections in rows"


@pytest.mark.parametrize("seed", [11, 109, 125])
def test_sections_in_rows_stay(seed: int) -> None:
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    (frame,) = textless(range(seed, seed + 1), only=_KIND)
    assert not cleaner.clean(frame.instance).regions


def test_functional_sections_of_a_real_head_are_a_mosaic() -> None:
    sheets = [base for base in real_frames() if base.values.shape in {(384, 512), (480, 640)}]
    assert len(sheets) == 2  # of 16 and of 25 sections, of the volume that nibabel bundles
    assert all(is_mosaic(_display(sheet.values)) for sheet in sheets)


def _page() -> NDArray[Any]:
    page = np.zeros((480, 640), np.uint8)
    for number in range(12):
        place = 20, 40 + 36 * number
        words = f"LINE {number} OF A PAGE {number * 7919 % 9973}"
        cv2.putText(page, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2)
    return page


def _leg() -> NDArray[Any]:
    leg = np.full((600, 600), 250, np.uint8)
    leg[:, 150:420] = 10
    leg[:, 230:340] = 140
    leg[:, 260:290] = 210
    return leg


def _stripes() -> NDArray[Any]:
    return np.tile(np.repeat(np.array([[0, 200]], np.uint8), 11, axis=1), (400, 20))


@pytest.mark.parametrize(
    "grey",
    [
        np.zeros((512, 512), np.uint8),
        np.full((512, 512), 40, np.uint8),
        np.random.default_rng(1).integers(0, 255, (512, 512), np.uint8),
        np.tile(np.linspace(0, 255, 512).astype(np.uint8), (512, 1)),
        np.zeros((90, 90), np.uint8),
        _page(),
        _leg(),
        _stripes(),
    ],
    ids=["black", "even", "noise", "slope", "small", "page", "leg", "stripes"],
)
def test_what_is_no_mosaic(grey: NDArray[Any]) -> None:
    assert not is_mosaic(np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_one_section_is_no_mosaic(seed: int) -> None:
    for base in (synthetic_ct(Random(seed)), made(kind_of("MR brain"), seed)):
        assert not is_mosaic(_display(base.values))


def test_lettering_in_a_mosaic_is_found() -> None:
    sheet = next(base for base in real_frames() if base.values.shape == (480, 640))
    text = Burned("SMITH JOHN 4711", is_identifying=True)
    burned, placed = burn(Random(3), sheet, [text], Manner(height=(14, 18), over_anatomy=True))
    instance = make_instance([burned.values], burned.attributes, ())
    assert is_mosaic(views_of(instance).display)
    cleaned = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=()).clean(instance)
    (left, top, right, bottom) = placed[0].box
    middle = (left + right) // 2, (top + bottom) // 2
    assert any(
        region.left <= middle[0] < region.left + region.width
        and region.top <= middle[1] < region.top + region.height
        for region in cleaned.regions
    )


_FOUND = Box(40, 220, 40, 20)


@pytest.mark.parametrize(
    ("reading", "judged", "told", "large", "is_text"),
    [
        (("C F7", 0.8), 2.0, 3.0, 2.0, True),
        (("C F7", 0.79), 2.0, 3.0, 2.0, False),
        (("C FC", 0.94), 2.0, 3.0, 2.0, False),  # two signs
        (("", 0.0), 4.0, 6.0, 2.5, True),  # a name in a script that is not read
        (("", 0.0), 3.9, 6.0, 2.5, False),
        (("", 0.0), 4.0, 5.9, 2.5, False),
        (("", 0.0), 4.0, 6.0, 2.4, False),
    ],
)
def test_in_a_mosaic_a_text_reads_as_one_or_all_are_sure_of_it(
    reading: tuple[str, float],
    judged: float,
    told: float,
    large: float,
    *,
    is_text: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _witnessed(monkeypatch, judged, told, large)
    detector = samples.detector()
    picture = Picture(np.zeros((400, 400, 3), np.uint8), None)
    found = [candidate(corners_of(_FOUND), 0.9, 0)]
    monkeypatch.setattr(detector, "candidates", lambda _: ([picture.display], found))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [reading])
    assert detector.find([picture], needs_reading=False) != [[]]
    monkeypatch.setattr(ppocr, "is_mosaic", lambda _display: True)
    assert (detector.find([picture], needs_reading=False) != [[]]) is is_text


def test_parts_on_a_sheet_are_no_mosaic(monkeypatch: pytest.MonkeyPatch) -> None:
    _witnessed(monkeypatch, 3.9, 6.0, 2.5)
    monkeypatch.setattr(ppocr, "is_mosaic", lambda _display: True)
    detector = samples.detector()
    display = np.zeros((400, 400, 3), np.uint8)
    picture = Picture(display, None, 400 * 400, [Box(0, 200, 400, 100)])
    found = [candidate(corners_of(_FOUND), 0.9, 0)]
    monkeypatch.setattr(detector, "candidates", lambda _: ([display], found))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [("", 0.0)])
    assert detector.find([picture], needs_reading=False) != [[]]


def _witnessed(monkeypatch: pytest.MonkeyPatch, judged: float, told: float, large: float) -> None:
    monkeypatch.setattr(Sieved, "odds_within", lambda _sieved, _corners: told)
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [judged] * len(given))
    monkeypatch.setattr(verdict, "large_shape_of", lambda *_: large)


def _display(values: NDArray[Any]) -> NDArray[Any]:
    grey = values if values.ndim == 2 else values.mean(axis=2)
    low, high = np.percentile(grey, (1, 99))
    shown = np.clip((grey - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    return np.repeat(shown[..., None], 3, axis=2)
