"""How often a strip is read, and which readings count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from daemon.engines.models import make_detector, read_pixel_models
from daemon.engines.runtimes import ready_model
from deid.pixels.find import verdict
from deid.pixels.find.candidates import candidate, corners_of
from deid.pixels.find.reading import MOST_DOUBTS, Recogniser, doubts
from deid.pixels.geometry import Box
from deid.pixels.judgement import Judgement
from deid.pixels.ports import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import Model

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ78"


class _Reads:
    """A model that reads one text after the other, whatever it is shown."""

    def __init__(self, texts: Sequence[tuple[str, float]]) -> None:
        self.left = list(texts)
        self.columns: list[int] = []

    def __call__(self, given: NDArray[Any], /) -> NDArray[Any]:
        self.columns.append(given.shape[3])
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


def _read_in_full(
    texts: Sequence[tuple[str, float]], views: Sequence[NDArray[Any]], corners: NDArray[Any]
) -> tuple[list[str], int]:
    """Return what is read where WORDS and MAP are expected, and how many of the texts were not asked for."""
    model = _Reads(texts)
    recogniser = Recogniser(
        model, ALPHABET, is_perhaps_cut=lambda text: text not in {"WORDS", "MAP"}
    )
    readings = recogniser.in_full(views, candidate(corners, 0.9, 0))
    return [text for text, _ in readings], len(model.left)


_CUT = np.array(((40, 20), (120, 20), (120, 40), (40, 40)), np.float32)


def _inked(*columns: tuple[int, int], is_tall: bool = False) -> NDArray[Any]:
    """Return a dark view with a line of bars around what `_CUT` cuts out, and ink in other columns."""
    view = np.zeros((60, 200), np.uint8)
    for first, last in (*((at, at + 4) for at in range(44, 112, 8)), *columns):
        view[24:36, first:last] = 200
    return np.ascontiguousarray(view.T) if is_tall else view


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        ([("ORDS", 0.99), ("WORDS", 0.95)], ["ORDS", "WORDS"]),
        ([("NRDS", 0.985), ("WORDS", 0.99)], ["WORDS", "NRDS"]),  # one was cut through
        ([("ORDS", 0.99), ("MAP", 0.95)], ["ORDS"]),  # something else
        ([("ORDS", 0.99), ("CAR", 0.95)], ["ORDS", "CAR"]),  # goes as well
        ([("AP", 0.99), ("MAP", 0.95)], ["AP", "MAP"]),
        ([("XP", 0.99), ("MAP", 0.95)], ["XP"]),
    ],
)
def test_a_text_that_lost_a_sign_is_read_with_it_and_else_as_it_was(
    texts: list[tuple[str, float]], read: list[str]
) -> None:
    assert _read_in_full([*texts, ("NOT", 0.1)], [_inked((32, 38))], _CUT) == (read, 1)


@pytest.mark.parametrize(
    ("texts", "left"),
    [
        ([("WORDS", 0.99), ("NOT", 0.1)], 1),  # expected
        ([("ORDS", 0.89), ("ORDS", 0.8), ("ORDS", 0.89), ("NOT", 0.1)], 1),  # nothing is read well
        ([("ORDS", 0.97), ("WORDS", 0.92), ("NOT", 0.1)], 1),  # one of several is expected
    ],
)
def test_no_longer_cut_is_read_of_what_stays_or_is_not_read_well(
    texts: list[tuple[str, float]], left: int
) -> None:
    assert _read_in_full(texts, [_inked((32, 38))], _CUT)[1] == left


@pytest.mark.parametrize(
    ("ink", "is_near"),
    [
        ((), False),
        (((32, 38),), True),
        (((22, 33),), True),
        (((22, 31),), False),  # another word's
        (((122, 126),), True),
        (((127, 140),), True),
        (((129, 140),), False),
    ],
)
@pytest.mark.parametrize("is_tall", [False, True])
@pytest.mark.parametrize("is_dark", [False, True])
def test_a_longer_cut_is_read_where_ink_goes_on_or_is_near_an_end(
    ink: tuple[tuple[int, int], ...], *, is_near: bool, is_tall: bool, is_dark: bool
) -> None:
    view = _inked(*ink, is_tall=is_tall)
    corners = np.ascontiguousarray(_CUT[[0, 3, 2, 1]][:, ::-1]) if is_tall else _CUT
    # What is higher than long is read both ways first.
    texts = [("ORDS", 0.99), *([("NOT", 0.5)] if is_tall else []), ("WORDS", 0.95)]
    _, left = _read_in_full(texts, [255 - view if is_dark else view], corners)
    assert left == (0 if is_near else 1)


@pytest.mark.parametrize(
    ("ink", "longer"),
    [
        (((32, 38),), 10),  # with some room
        (((32, 38), (20, 27)), 10),  # another word beside it
        (((32, 38), (20, 28)), 20),  # the same sign's
        (((0, 38),), 20),
        (((32, 38), (122, 130)), 22),
    ],
)
def test_a_longer_cut_holds_one_sign_more_and_no_more(
    ink: tuple[tuple[int, int], ...], longer: int
) -> None:
    model = _Reads([("ORDS", 0.99), ("WORDS", 0.95)])
    recogniser = Recogniser(model, ALPHABET, is_perhaps_cut=lambda _: True)
    recogniser.in_full([_inked(*ink)], candidate(_CUT, 0.9, 0))
    assert model.columns == [192, -(-(80 + longer) * 48 // 20 // 8) * 8]


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        ([("NA", 0.6), ("W", 0.8), ("I", 0.5), ("MAP", 0.96)], ["MAP", "W", "NA", "I"]),
        ([("NA", 0.6), ("W", 0.8), ("I", 0.5), ("MAP", 0.94)], ["W", "NA", "I"]),  # not surely
        ([("NA", 0.6), ("WORDS", 0.8), ("I", 0.5), ("MAP", 0.99)], ["WORDS", "NA", "I"]),  # less
        ([("NA", 0.6), ("78", 0.8), ("I", 0.5), ("87", 0.99)], ["78", "NA", "I"]),  # a number
        ([("NA", 0.6), ("78", 0.8), ("I", 0.5), ("M7", 0.99)], ["78", "NA", "I"]),
    ],
)
def test_what_is_hardly_read_upside_down_is_what_another_view_surely_shows_as_it_lies(
    texts: list[tuple[str, float]], read: list[str]
) -> None:
    views = list(np.random.default_rng(0).integers(0, 256, (2, 60, 200), np.uint8))
    # As it lies, upside down, two other strips so, then both as they lie.
    first, down, other, surely = texts
    asked = [first, down, other, ("X", 0.4), ("X", 0.3), surely]
    found, left = _read_in_full([*asked, ("NOT", 0.1)], views, _CUT)
    assert ([text for text in found if text != "X"], left) == (read, 1)


def test_what_reads_well_upside_down_is_not_read_as_it_lies_again() -> None:
    views = list(np.random.default_rng(0).integers(0, 256, (2, 60, 200), np.uint8))
    texts = [("NA", 0.6), ("WORDS", 0.92), ("I", 0.5), ("I", 0.4), ("MAP", 0.99)]
    assert _read_in_full(texts, views, _CUT) == (["WORDS", "NA", "I", "I"], 1)


def _read_alone(texts: Sequence[tuple[str, float]]) -> tuple[list[str], int]:
    """Return what is read where WORDS, MAP, MA7SX and 8 may stay, and how many texts were not asked for."""
    model = _Reads(texts)
    recogniser = Recogniser(
        model,
        ALPHABET,
        is_perhaps_cut=lambda text: text not in {"WORDS", "MAP", "JOHN"},
        is_perhaps_misspelt=lambda text: len(text) == 5 and text != "WORDS",
        may_stay=lambda text: text in {"WORDS", "MAP", "MA7SX", "8"},
    )
    readings = recogniser.in_full([np.zeros((60, 200), np.uint8)], candidate(_CUT, 0.9, 0))
    return [text for text, _ in readings], len(model.left)


@pytest.mark.parametrize(
    ("first", "alone", "read"),
    [
        pytest.param(("WQRDS", 0.85), [("WORDS", 0.91)], "WORDS", id="a close cut reads it"),
        pytest.param(("WQRDS", 0.85), [("X", 0.91), ("WORDS", 0.91)], "WORDS", id="softened"),
        pytest.param(("WQRDS", 0.85), [("X", 0.91)] * 2 + [("WORDS", 0.91)], "WORDS", id="ink"),
        pytest.param(("WORDS", 0.85), [("WORDS", 0.91)], "WORDS", id="only not surely"),
        pytest.param(("WORD", 0.85), [("WORDS", 0.91)], "WORDS", id="a sign more"),
        pytest.param(("WO7RDS", 0.85), [("WORDS", 0.91)], "WORDS", id="a digit less"),
        pytest.param(("WQRDS", 0.96), [("WORDS", 0.97)], "WORDS", id="more surely than before"),
        pytest.param(("WQRDS", 0.96), [("WORDS", 0.95)] * 3, "WQRDS", id="less surely"),
        pytest.param(("WQRDS", 0.85), [("WORDS", 0.89)] * 3, "WQRDS", id="not surely"),
        pytest.param(("WQXDS", 0.85), [("WORDS", 0.99)] * 3, "WQXDS", id="another word"),
        pytest.param(("WORDSS", 0.85), [("WORDS", 0.99)] * 3, "WORDSS", id="a letter less"),
        pytest.param(("MABSX", 0.85), [("MA7SX", 0.99)] * 3, "MABSX", id="a digit for a letter"),
        pytest.param(("MAQ", 0.85), [("MAP", 0.94)] * 3, "MAQ", id="a short word, not surely"),
        pytest.param(("MAQ", 0.85), [("MAP", 0.96)], "MAP", id="a short word, surely"),
        pytest.param(("7", 0.85), [("8", 0.99)] * 3, "7", id="one sign"),
        pytest.param(("JOHN", 0.85), [], "JOHN", id="a name"),
        pytest.param(("MAQ", 0.96), [], "MAQ", id="a short word that is read surely"),
        pytest.param(("WQRDS", 0.79), [], "WQRDS", id="hardly read"),
        pytest.param(("WORDS", 0.96), [], "WORDS", id="stays as it is"),
    ],
)
def test_what_is_nearly_read_is_read_with_less_beside_its_letters_and_else_as_it_was(
    first: tuple[str, float], alone: list[tuple[str, float]], read: str
) -> None:
    upside_down = [("X", 0.1)] if first[1] < 0.95 else []
    found, left = _read_alone([first, *upside_down, ("X", 0.2), *alone, ("NOT", 0.1)])
    assert (found[0], left) == (read, 1)


@pytest.mark.parametrize("other", [("JOHN", 0.8), ("MAQ", 0.91)])
def test_what_reads_as_a_name_or_as_a_short_word_surely_is_not_read_with_less(
    other: tuple[str, float],
) -> None:
    texts = [("WQRDS", 0.91), ("X", 0.1), other, ("WORDS", 0.99)]
    assert _read_alone(texts) == (["WQRDS", other[0], "X"], 1)


@pytest.mark.parametrize(
    ("height", "texts", "read"),
    [
        (24, [("NA", 0.6), ("X", 0.3), ("X", 0.2), ("MA", 0.985), ("X", 0.1)], "MA"),
        (24, [("NA", 0.6), ("X", 0.3), ("X", 0.2), ("X", 0.1), ("MA", 0.985)], "MA"),
        (24, [("NA", 0.6), ("X", 0.3), ("X", 0.2), ("MA", 0.97), ("X", 0.1)], "NA"),
        (24, [("NA", 0.6), ("X", 0.3), ("X", 0.2), ("M", 0.99), ("X", 0.1)], "NA"),  # one sign
        (24, [("NA", 0.91), ("X", 0.3), ("X", 0.2)], "NA"),  # read well as it lies
        (21, [("NA", 0.6), ("X", 0.3), ("X", 0.2)], "NA"),  # as long as high
    ],
)
def test_a_few_signs_stand_where_they_read_surely_so_and_not_as_they_lie(
    height: int, texts: list[tuple[str, float]], read: str
) -> None:
    corners = np.array(((40, 20), (60, 20), (60, 20 + height), (40, 20 + height)), np.float32)
    found, left = _read_in_full([*texts, ("NOT", 0.1)], [np.zeros((60, 200), np.uint8)], corners)
    assert (found[0], left) == (read, 1)


@pytest.mark.parametrize(("left", "read"), [(74, "TIB 0.9"), (60, "TIB 0.9")])
def test_the_default_detector_reads_the_letter_that_a_cut_lost(left: int, read: str) -> None:
    display = np.zeros((120, 400, 3), np.uint8)
    cv2.putText(display, "TIB 0.9", (60, 70), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (230, 230, 230), 2)
    found = candidate(corners_of(Box(left, 42, 200 - left, 36)), 0.9, 0)
    (region,) = make_detector()._regions([display], found, needs_reading=True)
    assert region.text == read
    assert ("IB 0.9" in [text for text, _ in region.others]) == (left == 74)


def _coarse(text: str, seed: int, level: int) -> NDArray[Any]:
    """Return letters of double pixels on noise, and a wave of that level across them."""
    small = np.zeros((16, 16 + 11 * len(text)), np.uint8)
    cv2.putText(small, text, (5, 12), cv2.FONT_HERSHEY_PLAIN, 0.8, 255, 1, cv2.LINE_8)
    ink = small > 127
    letters = np.kron(ink[:, : np.flatnonzero(ink.any(axis=0))[-1] + 6], np.ones((2, 2)))
    shown = np.random.default_rng(seed).integers(0, 60, letters.shape).astype(np.uint8)
    columns = np.arange(shown.shape[1])
    rows = (10 + seed % 12 + 4 * np.sin(columns / 9 + seed)).astype(int)
    shown[rows, columns] = shown[rows + 1, columns] = level
    shown[letters > 0] = 220
    display = np.zeros((80, shown.shape[1] + 60, 3), np.uint8)
    display[20 : 20 + shown.shape[0], 20 : 20 + shown.shape[1]] = shown[..., None]
    return display


@pytest.mark.parametrize(
    ("text", "seed", "level", "stays"),
    [
        ("ZOOM 1.5", 154, 150, True),  # as ZOOM-1.5, with 88 %
        ("SLICE 12", 133, 190, True),  # as -SCICE-12-
        ("FOV 38.0 cm", 104, 150, True),  # with 90 %
        ("ZOOMER 5", 154, 150, False),
        ("SLYCE 12", 133, 190, False),
        ("FOVEL 38", 104, 150, False),
    ],
)
def test_the_default_detector_reads_words_that_a_wave_runs_through_and_names_as_they_are(
    text: str, seed: int, level: int, *, stays: bool
) -> None:
    display = _coarse(text, seed, level)
    box = Box(22, 24, display.shape[1] - 64, 25)
    (region,) = make_detector()._regions(
        [display], candidate(corners_of(box), 0.9, 0), needs_reading=True
    )
    judgement = Judgement()
    assert (judgement.why(region, judgement.knowing([])) is None) == stays


@pytest.mark.parametrize(("is_listed", "asked"), [(True, 1), (False, 8)])
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
    monkeypatch.setattr(verdict, "shapes_of", lambda _views, given: [5.0] * len(given))
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
