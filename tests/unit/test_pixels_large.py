"""What is no small share of a frame is judged again, by trees that have learnt from devices."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.resources import files
from random import Random
from typing import Any

import numpy as np
import pytest

from deid.pixels.cleaning import PixelCleaning
from deid.pixels.find import verdict
from deid.pixels.find.candidates import Candidate, candidate, corners_of, resized
from deid.pixels.find.judge import large_shape_of
from deid.pixels.find.sieve import Sieved
from deid.pixels.find.trees import LARGE_SHAPES
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
from tests import pixel_samples as samples
from tests.benchmarks.pixels.bases import synthetic_ct
from tests.benchmarks.pixels.burn import Manner, burn
from tests.benchmarks.pixels.corpus import make_instance
from tests.benchmarks.pixels.grounds import views_of
from tests.benchmarks.pixels.strings import Burned
from tests.benchmarks.pixels.textless.kinds import textless

_DIGEST = "80107f65ad57f507df67489a4c4131e289e41bc15d5091f5963f391960438bb0"
_LARGE, _SMALL = Box(40, 220, 40, 20), Box(40, 20, 30, 20)  # 0.5 % and 0.375 % of 400 x 400


def test_the_trees_are_those_that_the_figures_were_measured_with() -> None:
    data = (files("deid.tables") / LARGE_SHAPES).read_bytes()
    assert hashlib.sha256(data).hexdigest() == _DIGEST
    assert len(data) < 1_000_000


@pytest.mark.parametrize(
    ("box", "score", "told", "is_text"),
    [
        (_LARGE, -1.0, 2.0, True),
        (_LARGE, -1.2, 2.0, False),
        (_LARGE, -1.2, 2.4, True),  # the sieve is surer of letters
        (_LARGE, -4.6, 99.0, True),
        (_LARGE, -4.8, 99.0, False),
        (_LARGE, 1.1, -99.0, False),
        (_LARGE, 1.2, -99.0, True),
        (Box(40, 220, 200, 40), 0.0, 2.0, False),  # 5 % of it
        (Box(40, 220, 200, 40), 0.1, 2.0, True),
    ],
)
def test_what_is_no_small_share_must_be_text_to_the_trees_that_know_devices(
    box: Box, score: float, told: float, *, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = samples.detector()
    view = np.zeros((400, 400, 3), np.uint8)
    found = [candidate(corners_of(own), 0.9, 0) for own in (box, _SMALL)]
    asked: list[Any] = []

    def score_of(_views: Any, candidate: Any, framings: Any) -> float:
        asked.append((candidate, framings))
        return score

    monkeypatch.setattr(Sieved, "odds_within", lambda _sieved, _corners: told)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], found))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [7.0] * len(given))
    monkeypatch.setattr(verdict, "large_shape_of", score_of)
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [("C F7", 0.9)])
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [box, _SMALL][not is_text :]
    assert asked == [(found[0], detector.tuning.framings)]


def test_what_reads_surely_is_text_whatever_the_trees_that_know_devices_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detector = samples.detector()
    view = np.zeros((400, 400, 3), np.uint8)
    found = candidate(corners_of(_LARGE), 0.9, 0)
    monkeypatch.setattr(detector, "candidates", lambda _: ([view], [found]))
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [4.5] * len(given))
    monkeypatch.setattr(verdict, "large_shape_of", lambda *_: -50.0)
    monkeypatch.setattr(detector._recogniser, "readings", lambda _views, _found: [("C F7", 0.96)])
    monkeypatch.setattr(detector._recogniser, "first", lambda _views, _found: ("C F7", 0.96))
    (regions,) = detector.find([Picture(view, None)], needs_reading=False)
    assert [region.box for region in regions] == [found.area]


def test_the_mean_of_its_own_frame_and_of_others_counts() -> None:
    views, found = _lettering()
    wider = replace(found, corners=resized(found.corners, 0.6))
    own, other = (large_shape_of(views, entry, ()) for entry in (found, wider))
    assert abs(own - other) > 0.1
    assert large_shape_of(views, found, (0.6,)) == pytest.approx((own + other) / 2)


def test_lettering_is_text_to_the_trees_that_know_devices() -> None:
    detector = samples.detector()
    views, found = _lettering()
    assert large_shape_of(views, found, detector.tuning.framings) > 2


@pytest.mark.parametrize(
    ("kind", "seed"), [("mixed parts", 750), ("wires", 850), ("stents", 848), ("clips", 620)]
)
def test_devices_that_are_like_text_to_all_other_witnesses_stay(kind: str, seed: int) -> None:
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    (frame,) = textless(range(seed, seed + 1), only=kind)
    assert not [region for region in cleaner.clean(frame.instance).regions if _is_large(region)]


def _is_large(region: Any) -> bool:
    return bool(region.width * region.height > 400)


def _lettering() -> tuple[list[Any], Candidate]:
    random = Random(5)
    name = Burned("MUELLER, HANS", is_identifying=True)
    burned, (placed,) = burn(random, synthetic_ct(random, 256), [name], Manner(height=(18, 18)))
    picture = views_of(make_instance([burned.values], burned.attributes, ()))
    left, top, right, bottom = placed.box
    around = Box(left - 4, top - 4, right - left + 8, bottom - top + 8)
    return [picture.display], candidate(corners_of(around), 0.9, 0)
