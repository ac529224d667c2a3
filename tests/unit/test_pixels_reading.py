"""How often a strip is read, and which readings count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from daemon.engines.models import make_detector, read_pixel_models
from daemon.engines.runtimes import ready_model
from deid.pixels.find import ppocr
from deid.pixels.find.candidates import candidate, corners_of
from deid.pixels.find.reading import MOST_DOUBTS, Recogniser, doubts
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import Model

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class _Reads:
    """A model that reads one text after the other, whatever it is shown."""

    def __init__(self, texts: Sequence[tuple[str, float]]) -> None:
        self.left = list(texts)

    def __call__(self, _given: NDArray[Any], /) -> NDArray[Any]:
        text, legibility = self.left.pop(0)
        steps = np.zeros((1, 2 * len(text), len(ALPHABET) + 2), np.float32)
        steps[0, 1::2, 0] = 1  # blanks between letters, lest two alike become one
        for number, letter in enumerate(text):
            steps[0, 2 * number, ALPHABET.index(letter) + 1] = legibility
        return steps


def _read(texts: Sequence[tuple[str, float]]) -> tuple[list[str], int]:
    """Return what is read where WORD alone is expected, and how many of the texts were not asked for."""
    model = _Reads(texts)
    recogniser = Recogniser(model, ALPHABET, is_doubtful=lambda text: text != "WORD")
    views = list(np.random.default_rng(0).integers(0, 256, (2, 60, 200), np.uint8))
    corners = np.array(((20, 20), (120, 20), (120, 40), (20, 40)), np.float32)
    readings = recogniser.readings(views, candidate(corners, 0.9, 0))
    return [text for text, _ in readings], len(model.left)


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        ([("WORD", 0.99)], ["WORD"]),
        ([("WQRD", 0.99), ("WORD", 0.98)], ["WQRD", "WORD"]),
        ([("WQRD", 0.99), ("WQRD", 0.98), ("WORD", 0.97)], ["WQRD", "WQRD", "WORD"]),
        ([("WQRD", 0.99)] * 5, ["WQRD"] * 5),
    ],
)
def test_a_sure_text_that_nobody_expects_is_read_in_other_ways_until_one_is(
    texts: list[tuple[str, float]], read: list[str]
) -> None:
    assert _read([*texts, ("NOT", 0.1), ("NOT", 0.1)]) == (read, 2)


def test_a_text_that_is_read_without_certainty_is_read_in_the_other_view_and_wider() -> None:
    texts = [("WORD", 0.96), ("WARD", 0.97), ("CARD", 0.5), ("NOT", 0.1)]
    assert _read(texts) == (["WARD", "WORD", "CARD"], 1)


@pytest.mark.parametrize(("is_listed", "asked"), [(True, 1), (False, 5)])
def test_the_default_detector_reads_again_what_is_in_no_list(
    monkeypatch: pytest.MonkeyPatch, *, is_listed: bool, asked: int
) -> None:
    """Its own recogniser's reading is asked first; what is written is a word, or none that there is."""
    models = read_pixel_models()
    strips: list[NDArray[Any]] = []

    def runtime(model: bytes, *, threads: int = 1) -> Model:
        ready = ready_model(model, threads=threads)
        if model != models.recognition:
            return ready

        def read(strip: NDArray[Any], /) -> NDArray[Any]:
            strips.append(strip)
            return ready(strip)

        return read

    detector = make_detector(models, runtime=runtime)
    display = np.zeros((400, 400, 3), np.uint8)
    word = "LATERAL" if is_listed else "LADERUL"
    cv2.putText(display, word, (60, 70), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (230, 230, 230), 2)
    contrast = np.minimum(display[..., 0], 200)
    found = candidate(corners_of(Box(52, 42, 140, 36)), 0.9, 0)
    monkeypatch.setattr(detector, "candidates", lambda _: ([display, contrast], [found]))
    monkeypatch.setattr(ppocr, "shapes_of", lambda _views, given: [5.0] * len(given))
    monkeypatch.setattr(detector._search, "is_seen_again", lambda _view, _found: True)
    ((region,),) = detector.find([Picture(display, contrast)])
    assert region.text == word
    assert len(strips) == asked


@pytest.mark.parametrize(
    ("text", "legibility", "wanted"),
    [
        ("", 0.0, MOST_DOUBTS),
        (" ", 0.7, 0),  # letters that the recogniser does not know
        ("…", 0.7, 0),
        ("O", 0.99, 1),
        ("O", 0.1, 1),
        ("oOo", 0.99, MOST_DOUBTS),  # a row of rings
        ("0000", 0.99, MOST_DOUBTS),
        ("oO0", 0.5, 0),
        ("CF", 0.6, 0),
        ("CF", 0.59, 1),  # a guess
        ("FF", 0.9, 0),
        (" C-F.", 0.59, 1),
        ("CFG", 0.1, 0),
    ],
)
def test_one_sign_is_a_doubt_a_row_of_it_more_and_a_pair_is_where_it_is_a_guess(
    text: str, legibility: float, wanted: int
) -> None:
    assert doubts([(text, legibility)]) == wanted


@pytest.mark.parametrize("text", ["FF", "60606", "aAmM", "99 899"])
def test_a_few_signs_over_and_over_are_a_doubt_and_more_of_one_where_no_reading_says_more(
    text: str,
) -> None:
    assert doubts([(text, 0.89)]) == MOST_DOUBTS
    assert doubts([(text, 0.89), (" ", 0.6), ("8", 0.5), ("8b8B", 0.5), ("", 0.0)]) == MOST_DOUBTS
    assert doubts([(text, 0.89), (" ", 0.6), ("8B", 0.5)]) == 1
    assert doubts([(text, 0.9), ("8", 0.5)]) == 0


@pytest.mark.parametrize("text", ["606", "60616", "aAmMo"])
def test_what_may_be_a_word_is_no_doubt_however_little_the_other_readings_say(text: str) -> None:
    assert doubts([(text, 0.1), ("8", 0.1), ("", 0.0)]) == 0
