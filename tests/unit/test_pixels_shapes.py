"""The judge of shapes, margins with a limit, text that lies slanted, and the ceiling."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from importlib.resources import files
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest

from config.settings import Pixels
from daemon.engines.pixels import PixelSettings
from daemon.engines.samples import pixel_instance
from deid.errors import Reason, Unsafe
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.fillings import Margins, filled_for, widened
from deid.pixels.find import verdict
from deid.pixels.find.candidates import candidate
from deid.pixels.find.ppocr import PPOCR
from deid.pixels.find.shapes import features_of
from deid.pixels.find.sieve import Sieved
from deid.pixels.find.trees import SHAPES, Trees, text_shapes
from deid.pixels.find.tuning import Tuning
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture, TextRegion
from tests import pixel_samples as samples
from tests.benchmarks.pixels.bases import synthetic_ct
from tests.benchmarks.pixels.burn import Manner, burn
from tests.benchmarks.pixels.strings import Burned
from tests.benchmarks.pixels.textless.kinds import textless
from tests.factories import make_ct

_DIGEST = "81ed699a6bea168b12cccdb3d6b09f1b9bf5fc152c818e1b8e8d2e6e503a28d0"


@pytest.fixture(autouse=True)
def no_device_to_the_other_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is large be text to the trees that know devices, whatever the first ones say of it."""
    monkeypatch.setattr(verdict, "large_shape_of", lambda *_: math.inf)


@pytest.fixture
def letters_to_the_sieve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sieve say of anything that it shows letters, not so surely that a lower score is enough."""
    monkeypatch.setattr(Sieved, "odds_within", lambda _self, _corners: 4.5)


def test_the_trees_are_those_that_the_figures_were_measured_with() -> None:
    data = (files("deid.tables") / SHAPES).read_bytes()
    assert hashlib.sha256(data).hexdigest() == _DIGEST
    assert len(data) < 1_000_000


def test_trees_take_the_left_branch_up_to_the_threshold() -> None:
    trees = Trees(
        np.array([[1, -1, -1], [-1, -1, -1]], np.int8),
        np.array([[0.5, 0, 0], [0, 0, 0]], np.float32),
        np.array([[1, 0, 0], [0, 0, 0]], np.int8),
        np.array([[2, 0, 0], [0, 0, 0]], np.int8),
        np.array([[0, -1.0, 2.0], [0.25, 0, 0]], np.float32),
    )
    rows = np.array([[9, 0.5], [9, 0.6]], np.float32)
    assert trees.score(rows).tolist() == [-0.75, 2.25]


def test_lettering_scores_as_text_and_a_row_of_discs_does_not() -> None:
    random = Random(3)
    base = synthetic_ct(random, 256)
    burned, (placed,) = burn(
        random, base, [Burned("MUELLER, HANS", is_identifying=True)], Manner(height=(18, 18))
    )
    left, top, right, bottom = placed.box
    lettering = _shown(burned.values)[top - 40 : bottom + 40] if top > 40 else _shown(burned.values)
    moved = top - 40 if top > 40 else 0
    corners = _corners(Box(left - 3, top - moved - 3, right - left + 6, bottom - top + 6))
    discs = np.full((100, 300), 20, np.uint8)
    rows, columns = np.mgrid[0:100, 0:300]
    discs[((columns % 24 - 12) ** 2 + (rows - 50) ** 2 < 64) & (columns > 40) & (columns < 260)] = (
        220
    )
    row = _corners(Box(40, 38, 220, 24))
    assert float(text_shapes().score(features_of([lettering], [corners])[0]).mean()) > 0.5
    assert float(text_shapes().score(features_of([discs], [row])[0]).mean()) < 0


def _shown(values: Any) -> Any:
    return np.clip((values.astype(np.float32) + 160) / 400 * 255, 0, 255).astype(np.uint8)


def _corners(box: Box) -> Any:
    return np.array(
        (
            (box.left, box.top),
            (box.right, box.top),
            (box.right, box.bottom),
            (box.left, box.bottom),
        ),
        np.float32,
    )


def test_frames_without_text_keep_their_pixels() -> None:
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    filled = {}
    for entry in textless(range(1, 2, 2)):
        attributes = entry.instance.attributes
        if max(attributes["Rows"], attributes["Columns"]) <= 640:
            area = attributes["Rows"] * attributes["Columns"] * attributes["NumberOfFrames"]
            regions = cleaner.clean(entry.instance).regions
            covered = sum(region.width * region.height for region in regions)
            filled[f"{entry.kind} {entry.seed}"] = covered / area
    assert len(filled) > 20
    assert {name: share for name, share in filled.items() if share > 0.01} == {}


def test_a_text_on_a_sheet_of_parts_is_judged_by_the_frame_that_it_lies_in() -> None:
    shown = np.full((40, 190, 3), 225, np.uint8)
    cv2.putText(shown, "Tel 292-476-6685", (14, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (60, 60, 60), 1)
    tuning = replace(Tuning(), least_area=1, dear=4.0, many_signs=99, likely=99.0)
    found = PPOCR(
        samples.detector()._search._detection, samples.detector()._recogniser, tuning=tuning
    )
    sheet = Picture(shown, None, of_pixels=800 * 1000)
    assert sheet.frame_pixels == 800 * 1000
    assert [region.box.contains(Box(30, 16, 110, 8)) for region in found.find([sheet])[0]] == [True]
    assert found.find([Picture(shown, None)]) == [[]]


@pytest.mark.usefixtures("letters_to_the_sieve")
@pytest.mark.parametrize(
    ("shape", "reading", "is_filled"),
    [
        (-2.0, ("HR 72 BPM", 0.99), True),
        (-2.0, ("HR 72 BPM", 0.94), False),
        (-2.0, ("LIL LIL", 0.99), False),  # what repeats is a row of something
        (-2.0, ("MIO", 0.99), False),
        (6.0, ("MIO", 0.99), True),
        (1.0, ("18888811", 0.96), False),
        (1.0, ("11:18:11", 0.96), True),
        (-2.0, ("NAME: LUE HIECARTHY", 0.82), True),  # dots of a name, as they are misread
        (-2.0, ("NAME: LUE HIECARTHY", 0.78), False),
        (-2.0, ("RMMMINK NIK", 0.82), False),
        (-2.0, ("0000000000", 0.94), False),
        (-2.0, ("LUE HIE", 0.82), False),
        (0.1, ("CF", 0.96), True),  # likely text, and only too large for how likely
        (0.1, ("CF", 0.94), False),
        (0.1, ("FF", 0.99), False),
        (0.1, ("C", 0.99), False),
        (-0.1, ("CF", 0.99), False),
    ],
)
def test_a_large_region_of_doubtful_shape_is_text_when_many_signs_are_read_for_sure(
    monkeypatch: pytest.MonkeyPatch, shape: float, reading: tuple[str, float], is_filled: bool
) -> None:
    detector = samples.detector()
    view = np.zeros((300, 300, 3), np.uint8)
    found = candidate(_corners(Box(40, 20, 230, 55)), 0.9, 0)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [shape] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [reading])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area] * is_filled


@pytest.mark.usefixtures("letters_to_the_sieve")
@pytest.mark.parametrize(("confidence", "is_filled"), [(0.85, True), (0.76, False)])
def test_what_is_large_must_be_the_more_like_text_the_less_sure_the_model_is(
    monkeypatch: pytest.MonkeyPatch, confidence: float, is_filled: bool
) -> None:
    detector = samples.detector()
    view = np.zeros((400, 400, 3), np.uint8)
    large, small = Box(40, 20, 230, 55), Box(40, 220, 12, 8)
    found = [candidate(_corners(box), confidence, 0) for box in (large, small)]
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], found))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [2.5] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [(" ", 0.7)])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [large, small][not is_filled :]


@pytest.mark.usefixtures("letters_to_the_sieve")
@pytest.mark.parametrize(
    ("own", "wider", "closer", "is_filled"),
    [(6.0, 6.0, 6.0, True), (6.0, 6.0, -3.0, True), (0.0, 6.0, 6.0, True), (6.0, 0.0, 0.0, False)],
)
def test_what_is_large_is_text_when_it_is_framed_a_little_wider_and_closer_too(
    monkeypatch: pytest.MonkeyPatch, own: float, wider: float, closer: float, is_filled: bool
) -> None:
    """The region of 230 x 55 pixels needs a mean of 2.2."""
    detector = samples.detector()
    view = np.zeros((400, 300, 3), np.uint8)
    found = candidate(_corners(Box(40, 20, 230, 55)), 0.9, 0)
    scores = {20.0: own, 20.0 - 0.07 * 55: wider, 20.0 + 0.05 * 55: closer}

    def shapes_of(_views: Any, given: Any) -> list[float]:
        tops = [float(entry.corners[:, 1].min()) for entry in given]
        return [scores[min(scores, key=lambda known: abs(known - top))] for top in tops]

    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", shapes_of)
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [(" ", 0.7)])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area] * is_filled


@pytest.mark.usefixtures("letters_to_the_sieve")
@pytest.mark.parametrize(
    ("reading", "shape", "is_filled"),
    [
        ("O", 2.9, False),  # a vessel, a ring
        ("O", 3.3, True),
        ("0000", 2.9, False),  # a row of rings
        ("Oo", 2.3, True),
        ("L4H", 2.3, True),
        ("", 3.9, False),  # a spring
        ("", 4.3, True),
        (" ", 2.3, True),  # a name in letters that the recogniser does not know
        ("? ?", 2.3, True),
    ],
)
def test_what_is_large_and_reads_as_one_sign_or_nothing_must_be_more_like_text(
    monkeypatch: pytest.MonkeyPatch, reading: str, shape: float, is_filled: bool
) -> None:
    """The region of 230 x 55 pixels needs 2.2, the one of 12 x 8 nothing."""
    detector = samples.detector()
    view = np.zeros((400, 400, 3), np.uint8)
    large, small = Box(40, 20, 230, 55), Box(40, 220, 12, 8)
    found = [candidate(_corners(box), 0.9, 0) for box in (large, small)]
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], found))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [shape] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [(reading, 0.9)])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [large, small][not is_filled :]


@pytest.mark.usefixtures("letters_to_the_sieve")
@pytest.mark.parametrize(("rows", "columns", "is_filled"), [(200, 320, True), (900, 160, False)])
def test_a_name_that_nobody_reads_is_text_in_a_small_frame_where_it_is_large(
    monkeypatch: pytest.MonkeyPatch, rows: int, columns: int, is_filled: bool
) -> None:
    detector = samples.detector()
    view = np.zeros((rows, columns, 3), np.uint8)
    found = candidate(_corners(Box(11, 46, 136, 55 if is_filled else 400)), 0.82, 0)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [4.5] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [(" ", 0.7)])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area] * is_filled


@pytest.mark.parametrize(
    ("shape", "told", "reading", "is_filled"),
    [
        (2.5, -0.2, (" ", 0.7), True),
        (2.5, -0.4, (" ", 0.7), False),
        (2.5, -0.4, ("CF", 0.99), False),
        (2.5, -0.4, ("C F7", 0.3), True),
        (2.5, -1.8, ("C F7", 0.79), False),
        (2.5, -1.8, ("C F7", 0.8), True),
        (2.5, -2.8, ("CFFF", 0.92), False),
        (2.5, -50.0, ("C F7", 0.82), True),
        (2.1, -0.4, ("CF", 0.99), False),  # too large for how likely it is, and no letters
        (2.1, 6.0, ("CF", 0.99), True),
        (2.1, 4.9, (" ", 0.7), False),
        (2.1, 5.0, (" ", 0.7), True),  # a little less is enough of what the sieve is so sure of
        (1.6, 9.0, (" ", 0.7), False),
        (4.7, -50.0, (" ", 0.7), True),
        (6.3, -50.0, ("", 0.0), True),
    ],
)
def test_what_is_large_must_be_letters_to_the_sieve_too_or_be_read(
    shape: float,
    told: float,
    reading: tuple[str, float],
    is_filled: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one covers 8 % of the frame, the other 0.35 %."""
    detector = samples.detector()
    view = np.zeros((400, 400, 3), np.uint8)
    large, small = Box(40, 20, 230, 55), Box(40, 220, 28, 20)
    found = [candidate(_corners(box), 0.9, 0) for box in (large, small)]
    asked: list[Any] = []

    def odds_within(_sieved: Sieved, corners: Any) -> float:
        asked.append(corners)
        return told

    monkeypatch.setattr(Sieved, "odds_within", odds_within)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], found))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [shape] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [reading])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [large, small][not is_filled :]
    may_decide = [entry for entry, least in zip(found, (6.2, 3.5), strict=True) if shape < least]
    assert {id(corners) for corners in asked} == {id(entry.corners) for entry in may_decide}


@pytest.mark.parametrize(
    ("shape", "told", "reading", "is_text"),
    [
        (0.6, 0.9, (" ", 0.7), True),
        (0.6, 0.8, (" ", 0.7), False),
        (0.6, 0.8, ("CF7", 0.79), False),
        (0.6, 0.8, ("CF7", 0.8), True),
        (0.6, 0.8, ("CFFF", 0.8), False),
        (0.6, 0.8, ("CF", 0.99), False),
        (3.9, -50.0, (" ", 0.7), True),
    ],
)
def test_what_is_no_small_share_must_be_letters_to_the_sieve_too_or_be_read(
    shape: float,
    told: float,
    reading: tuple[str, float],
    *,
    is_text: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It covers 0.75 % of the frame, for which -0.4 is enough."""
    assert _is_text(monkeypatch, Box(40, 220, 60, 20), shape, told, [reading]) == is_text


@pytest.mark.parametrize(
    ("shape", "told", "large", "is_text"),
    [
        (4.0, 6.0, 2.5, True),
        (3.9, 9.0, 9.0, False),
        (9.0, 5.9, 9.0, False),
        (9.0, 9.0, 2.4, False),
    ],
)
def test_what_fills_half_of_a_frame_is_text_where_all_but_the_reader_are_sure(
    shape: float, told: float, large: float, *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a name in a script that nobody reads."""
    monkeypatch.setattr(verdict, "large_shape_of", lambda *_: large)
    box = Box(0, 100, 400, 200)
    assert _is_text(monkeypatch, box, shape, told, [(" O", 0.8)]) == is_text


@pytest.mark.parametrize(
    ("share", "reading", "is_text"),
    [(0.2, ("60", 0.99), True), (0.27, ("60", 0.99), False), (0.27, ("607218", 0.99), True)],
)
def test_what_fills_most_of_a_frame_is_no_text_for_a_pair_however_sure(
    share: float, reading: tuple[str, float], *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(0, 0, 400, round(400 * share))
    assert _is_text(monkeypatch, box, 0.1, 9.0, [reading]) == is_text


@pytest.mark.parametrize(
    ("readings", "is_text"),
    [
        ([("ammm", 0.7), ("mm", 0.6)], False),  # windings
        ([("ammm", 0.7), ("mmn", 0.6)], True),
        ([("ammm", 0.9), ("mm", 0.6)], True),
    ],
)
def test_what_never_says_more_than_a_few_signs_over_and_over_must_be_more_like_text(
    readings: list[tuple[str, float]], *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It covers 0.3 % of the frame, for which -0.5 is enough; one doubt needs 0.5, two 1.5."""
    assert _is_text(monkeypatch, Box(40, 220, 24, 20), 1.0, 0.0, readings) == is_text


def _is_text(
    monkeypatch: pytest.MonkeyPatch,
    box: Box,
    shape: float,
    told: float | None,
    readings: list[tuple[str, float]],
    *,
    confidence: float = 0.9,
    first: float | None = None,
) -> bool:
    """Return whether a candidate in a frame of 400 x 400, by default found surely, is text.

    What it reads as it lies is as sure as `first`, by default as the surest reading. There is no sieve where
    nothing is told.
    """
    detector = samples.detector()
    if told is None:
        monkeypatch.setattr(detector, "_sieve", None)
    view = np.zeros((400, 400, 3), np.uint8)
    found = candidate(_corners(box), confidence, 0)
    as_it_lies = readings[0][0], readings[0][1] if first is None else first
    monkeypatch.setattr(detector._recogniser, "first", lambda _views, _found: as_it_lies)
    monkeypatch.setattr(Sieved, "odds_within", lambda _sieved, _corners: told)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [shape] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: readings)
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] in ([], [found.area])
    return bool(regions)


@pytest.mark.parametrize(
    ("readings", "shape", "told", "is_text"),
    [
        ([("wwwwwww", 0.8)], 3.4, 3.9, False),  # a row of one curve
        ([("wwwwwww", 0.8)], 3.6, 3.9, True),
        ([("wwwwwww", 0.8)], 1.6, 4.0, True),
        ([("wwwwwww", 0.8), ("wmrn", 0.6)], 3.4, 3.9, False),
        ([("", 0.0)], 3.4, 3.9, False),
        ([("", 0.0)], 1.6, None, True),
        ([("Q", 0.99)], 1.4, 3.9, False),  # an electrode
        ([("Q", 0.99)], 1.6, 3.9, True),
        ([("Q", 0.99)], 0.6, 4.0, True),
        ([("3999", 0.8), ("b 8", 0.6)], 0.6, 3.9, True),  # a name in letters that it does not know
    ],
)
def test_what_never_says_more_than_one_sign_must_be_letters_to_the_sieve_or_all_the_more_like_text(
    readings: list[tuple[str, float]],
    shape: float,
    told: float | None,
    *,
    is_text: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It covers 0.3 % of the frame, for which -0.5 is enough."""
    assert _is_text(monkeypatch, Box(40, 220, 24, 20), shape, told, readings) == is_text


@pytest.mark.parametrize(
    ("box", "shape", "told", "reading", "is_text"),
    [
        (Box(40, 220, 24, 20), -0.6, 0.9, "800", False),  # cells
        (Box(40, 220, 24, 20), -0.6, 1.0, "800", True),
        (Box(40, 220, 24, 20), -0.6, None, "800", True),
        (Box(40, 220, 24, 20), -0.6, 0.9, "8 001", True),
        (Box(40, 220, 16, 20), -0.6, 0.9, "800", True),  # 0.2 %
        (Box(40, 20, 240, 55), 2.4, -9.0, "800", True),  # too large for what the sieve tells
    ],
)
def test_what_reads_surely_as_a_few_signs_is_no_text_for_that_if_neither_shape_nor_sieve_tell_of_it(
    box: Box,
    shape: float,
    told: float | None,
    reading: str,
    *,
    is_text: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of most of them -0.5 is enough, of the largest 2.3."""
    assert _is_text(monkeypatch, box, shape, told, [(reading, 0.99)]) == is_text


@pytest.mark.parametrize(
    ("confidence", "told", "reading", "is_text"),
    [
        (0.5, 4.0, ("6415937221", 0.8), True),
        (0.49, 4.0, ("6415937221", 0.99), False),
        (0.7, 3.9, ("6415937221", 0.99), False),
        (0.7, 4.0, ("6415937221", 0.79), False),
        (0.7, 4.0, ("64159", 0.99), False),
        (0.7, 4.0, ("000000000", 0.99), False),
    ],
)
def test_what_has_no_text_s_shape_is_text_where_it_reads_as_many_signs_and_is_letters_for_sure(
    confidence: float,
    told: float,
    reading: tuple[str, float],
    *,
    is_text: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = Box(40, 220, 60, 12)
    is_one = _is_text(monkeypatch, box, -3.1, told, [reading], confidence=confidence)
    assert is_one == is_text


@pytest.mark.parametrize(
    ("shape", "told", "first", "is_text"),
    [
        (-0.6, 0.9, 0.5, True),
        (-0.6, 0.9, 0.49, False),
        (-0.6, 1.0, 0.1, True),
        (-0.4, 0.9, 0.1, True),  # enough is -0.5
    ],
)
def test_what_hardly_reads_as_it_lies_is_read_in_other_ways_only_where_there_may_be_letters(
    shape: float, told: float, first: float, *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, readings = Box(40, 220, 24, 12), [("SMITH", 0.99)]
    assert _is_text(monkeypatch, box, shape, told, readings, first=first) == is_text


@pytest.mark.parametrize(
    ("shape", "told", "is_text"),
    [
        (-0.4, -9.0, True),  # enough is -0.5
        (-0.6, 4.9, False),
        (-0.6, 5.0, True),
        (-0.9, 5.0, True),
        (-1.1, 9.0, False),
        (-0.6, None, False),
    ],
)
def test_a_candidate_may_score_a_little_less_where_the_sieve_is_sure_of_letters(
    shape: float, told: float | None, *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = samples.detector()
    detector = PPOCR(
        real._search._detection, real._recogniser, None if told is None else real._sieve
    )
    view = np.zeros((400, 300, 3), np.uint8)
    found = candidate(_corners(Box(40, 220, 12, 8)), 0.9, 0)
    monkeypatch.setattr(Sieved, "odds_within", lambda _sieved, _corners: told)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [shape] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [(" ", 0.7)])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area] * is_text


@pytest.mark.parametrize(
    ("shape", "reading", "is_text"),
    [
        (-1.4, ("CF", 0.98), True),
        (-1.4, ("CF", 0.97), False),
        (-1.4, ("FF", 0.98), False),
        (-1.4, ("C", 0.98), False),
        (-1.6, ("CF", 0.98), False),
    ],
)
def test_what_is_small_and_reads_as_a_pair_for_sure_is_text_though_hardly_likely(
    shape: float, reading: tuple[str, float], *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = samples.detector()
    view = np.zeros((400, 300, 3), np.uint8)
    found = candidate(_corners(Box(40, 220, 12, 8)), 0.9, 0)
    monkeypatch.setattr(Sieved, "odds_within", lambda _sieved, _corners: -9.0)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [shape] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [reading])
    monkeypatch.setattr(detector._recogniser, "first", lambda _views, _found: reading)
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area] * is_text


@pytest.mark.parametrize(
    ("shape", "told", "is_text"),
    [(1.6, 0.1, True), (1.6, -0.1, False), (2.4, -0.1, False), (2.6, -0.1, True)],
)
def test_what_is_small_and_found_faintly_must_score_more_where_the_sieve_speaks_against_letters(
    shape: float, told: float, *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is found so faintly 1.5 is enough."""
    detector = samples.detector()
    view = np.zeros((400, 300, 3), np.uint8)
    found = candidate(_corners(Box(40, 220, 12, 8)), 0.4, 0)
    monkeypatch.setattr(Sieved, "odds_within", lambda _sieved, _corners: told)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [shape] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [(" ", 0.7)])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area] * is_text


@pytest.mark.parametrize(("legibility", "is_text"), [(0.6, True), (0.59, False)])
def test_what_is_no_small_share_and_reads_as_a_pair_is_text_unless_the_pair_is_a_guess(
    legibility: float, *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It covers 0.3 % of the frame, for which -0.5 is enough, and a sign alone needs 1 more."""
    detector = samples.detector()
    view = np.zeros((400, 400, 3), np.uint8)
    found = candidate(_corners(Box(40, 220, 24, 20)), 0.9, 0)
    monkeypatch.setattr(Sieved, "odds_within", lambda _sieved, _corners: -9.0)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [0.4] * len(given))
    monkeypatch.setattr(
        detector._recogniser, "readings", lambda _views, _found: [("CF", legibility)]
    )
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area] * is_text


@pytest.mark.usefixtures("letters_to_the_sieve")
@pytest.mark.parametrize(
    ("size", "shape", "reading", "is_text"),
    [
        ((400, 400), 1.0, ("LINDQV", 0.6), True),
        ((120, 160), 1.0, ("LINDQV", 0.6), False),
        ((120, 160), 1.6, ("LINDQV", 0.6), True),
        ((120, 160), 1.0, ("LINDQV", 0.85), True),
        ((120, 160), 1.6, ("0000", 0.97), False),
        ((120, 160), 3.6, ("0000", 0.97), True),
    ],
)
def test_in_a_small_frame_what_does_not_read_as_a_word_counts_by_its_true_share(
    size: tuple[int, int],
    shape: float,
    reading: tuple[str, float],
    *,
    is_text: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It covers 0.6 % of a frame of 400 x 400, for which -0.45 is enough, and 5 % of the small one: 1.4."""
    detector = samples.detector()
    view = np.zeros((*size, 3), np.uint8)
    found = candidate(_corners(Box(40, 40, 40, 24)), 0.9, 0)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [shape] * len(given))
    monkeypatch.setattr(verdict, "large_shape_of", lambda _views, _found, _framings: 5.0)
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [reading])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area] * is_text


@pytest.mark.parametrize("seed", [205, 223, 329])
def test_a_stent_whose_shape_is_like_that_of_text_stays(seed: int) -> None:
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    (frame,) = textless(range(seed, seed + 2, 2), only="stents")
    assert cleaner.clean(frame.instance).regions == ()


@pytest.mark.parametrize(
    ("kind", "seed"),
    [("threads", 414), ("rows of parts", 544), ("stents", 824), ("stents", 720)],
)
def test_windings_rings_and_meshes_whose_shape_is_like_that_of_text_stay(
    kind: str, seed: int
) -> None:
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    (frame,) = textless(range(seed, seed + 1), only=kind)
    assert cleaner.clean(frame.instance).regions == ()


@pytest.mark.parametrize("rows", [32, 48, 64, 96])
@pytest.mark.parametrize("instance", [2, 3])
def test_a_disc_that_fills_a_small_frame_stays(rows: int, instance: int) -> None:
    source = pixel_instance(make_ct(rows=rows, instance=instance))
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    assert cleaner.clean(source).regions == ()


@pytest.mark.usefixtures("letters_to_the_sieve")
@pytest.mark.parametrize(
    ("shape", "apart", "is_filled"),
    [(-2.9, 6, True), (-3.1, 6, False), (-2.9, 36, True), (-2.9, 42, False)],
)
def test_what_continues_a_line_is_text_unless_its_shape_is_hopeless_or_it_lies_apart(
    shape: float, apart: int, is_filled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, end = (
        candidate(_corners(box), 0.9, 0)
        for box in (Box(40, 40, 90, 20), Box(130 + apart, 41, 18, 19))
    )

    def shapes_of(_views: Any, given: Any) -> list[float]:
        return [shape if entry.corners[:, 0].min() > 130 else 5.0 for entry in given]

    detector = samples.detector()
    view = np.zeros((100, 300, 3), np.uint8)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [line, end]))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", shapes_of)
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert (end.area in [region.box for region in regions]) == is_filled


@pytest.mark.parametrize(
    ("box", "told", "is_filled"),
    [
        (Box(134, 42, 11, 13), -0.1, False),
        (Box(134, 42, 11, 13), 0.1, True),  # slight: no more is asked
        (Box(134, 39, 32, 30), 0.1, False),
        (Box(134, 39, 32, 30), 3.5, True),
    ],
)
def test_what_continues_a_line_is_letters_to_the_sieve_the_more_surely_the_larger_it_is(
    box: Box, told: float, *, is_filled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, end = candidate(_corners(Box(40, 40, 90, 20)), 0.9, 0), candidate(_corners(box), 0.8, 0)

    def shapes_of(_views: Any, given: Any) -> list[float]:
        return [-2.5 if entry.corners[:, 0].min() > 130 else 5.0 for entry in given]

    detector = samples.detector()
    view = np.zeros((100, 300, 3), np.uint8)
    monkeypatch.setattr(Sieved, "odds_within", lambda _self, _corners: told)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [line, end]))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", shapes_of)
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [("", 0.0)])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert (end.area in [region.box for region in regions]) == is_filled


def test_a_large_region_is_widened_no_more_than_a_limit() -> None:
    assert widened(Box(400, 400, 158, 151), Margins(3, 1.0, 0.3)) == Box(349, 381, 260, 189)
    assert widened(Box(400, 400, 100, 20), Margins(3, 1.0, 0.3)) == Box(377, 391, 146, 38)


def test_beside_a_text_no_more_is_filled_than_a_letter_is_wide() -> None:
    frame = np.full((200, 300, 1), 90, np.uint8)
    frame[::2, ::2] = 100
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], samples.attributes(frame))
    cleaner = PixelCleaning("REDACT_ALL_TEXT", _Finds(Box(60, 80, 120, 30)), untrusted=())
    (region,) = cleaner.clean(instance).regions
    filled = Box(region.left, region.top, region.width, region.height)
    assert filled.contains(Box(60 - 12, 80 - 4, 120 + 24, 30 + 8))
    assert Box(60 - 20, 80 - 8, 120 + 40, 30 + 16).contains(filled)


def test_a_slanted_text_is_filled_along_itself() -> None:
    outline = ((100.0, 300.0), (300.0, 100.0), (310.0, 110.0), (110.0, 310.0))
    region = TextRegion(Box(100, 100, 211, 211), 0.9, outline=outline)
    mask = np.zeros((400, 400), np.bool_)
    for box in filled_for(region, Margins(2, 0.5, 0.3), (), 400, 400):
        mask[box.top : box.bottom, box.left : box.right] = True
    assert all(mask[300 - step : 308 - step, 103 + step].all() for step in range(0, 190, 5))
    assert not mask[100:180, 100:180].any()
    assert not mask[230:310, 230:310].any()
    assert mask.sum() < 0.5 * 211 * 211


class _Finds:
    """Finds one box in each picture."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def find(self, pictures: Any, *, needs_reading: bool = True) -> list[list[TextRegion]]:
        return [[TextRegion(self._box, 1.0)] for _ in pictures]


def _disc() -> Any:
    frame = np.zeros((200, 200, 1), np.uint8)
    rows, columns = np.mgrid[0:200, 0:200]
    frame[(rows - 100) ** 2 + (columns - 100) ** 2 < 60**2] = 200
    return samples.make_instance(samples.EXPLICIT_LE, [frame], samples.attributes(frame))


def test_what_would_lose_more_than_the_ceiling_is_put_aside_with_its_regions() -> None:
    cleaner = PixelCleaning(
        "REDACT_ALL_TEXT", _Finds(Box(40, 60, 120, 80)), untrusted=(), most_filled={"others": 0.35}
    )
    with pytest.raises(Unsafe) as refused:
        cleaner.clean(_disc())
    assert refused.value.reason is Reason.TOO_MUCH_TEXT
    assert refused.value.where.startswith("frame 1, ")
    assert "120x" not in refused.value.where  # with its margins
    assert refused.value.where.count(",") == 2


def test_the_ceiling_is_the_modality_s_own() -> None:
    cleaner = PixelCleaning(
        "REDACT_ALL_TEXT",
        _Finds(Box(40, 60, 120, 80)),
        untrusted=(),
        most_filled={"others": 0.35, "CT": 1.0, "OT": 1.0},
    )
    assert cleaner.clean(_disc()).regions


@pytest.mark.parametrize("box", [Box(38, 88, 80, 16), Box(4, 20, 290, 160)], ids=["close", "wide"])
def test_a_page_with_nothing_but_a_line_of_text_is_filled(box: Box) -> None:
    frame = samples.with_text(np.zeros((200, 300, 1), np.uint8), "SMITH^JOHN", at=(40, 100))
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], samples.attributes(frame))
    cleaner = PixelCleaning(
        "REDACT_ALL_TEXT", _Finds(box), untrusted=(), most_filled={"others": 0.35}
    )
    assert cleaner.clean(instance).regions


def test_the_shipped_ceilings_are_lower_for_pictures_than_for_pages() -> None:
    shipped = PixelSettings.of(Pixels()).most_filled
    assert shipped["others"] < shipped["OT"] <= shipped["DOC"] <= 1


@pytest.mark.usefixtures("letters_to_the_sieve")
@pytest.mark.parametrize(
    ("shape", "again", "is_filled"),
    [
        (2.5, [], False),
        (2.5, [(Box(44, 24, 220, 45), 0.3)], True),
        (2.5, [(Box(44, 24, 60, 45), 0.3)], False),  # a piece, and faint
        (2.5, [(Box(44, 24, 60, 45), 0.6)], True),
        (2.5, [(Box(44, 24, 20, 45), 0.9)], False),
        (4.1, [], True),  # beyond doubt
    ],
)
def test_what_is_large_and_may_be_doubted_must_be_found_again_with_more_around_it(
    shape: float,
    again: list[tuple[Box, float]],
    is_filled: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detector = samples.detector()
    view = np.zeros((400, 400, 3), np.uint8)
    found = candidate(_corners(Box(40, 20, 230, 55)), 0.9, 0)
    seen = [candidate(_corners(box), confidence, 0) for box, confidence in again]
    looks: list[Box] = []

    def look(_views: Any, _number: int, _scale: float, areas: list[Box]) -> Any:
        looks.extend(areas)
        return seen, []

    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [shape] * len(given))
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [(" ", 0.7)])
    monkeypatch.setattr(detector._search, "_look", look)
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area] * is_filled
    assert looks == [Box(0, 0, 366, 171)] * (shape < 4.0)


@pytest.mark.parametrize(
    ("stays", "top"),
    [
        (Box(236, 427, 97, 27), 447),  # half of a line's height is shared: what both have too much
        (Box(236, 424, 97, 27), 446),
        (Box(236, 432, 97, 27), 442),  # more than that is the same line
        (Box(236, 400, 97, 27), 436),
    ],
)
def test_a_line_that_goes_is_filled_no_higher_than_where_the_line_above_ends(
    stays: Box, top: int
) -> None:
    filled = widened(Box(238, 442, 98, 24), Margins(3, 0.5, 1 / 7), [stays])
    assert filled.top == top
