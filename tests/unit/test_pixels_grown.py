"""Which lines and codes are looked at whole after they came piece by piece."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from deid.identity.identifiers import KnownIdentifier
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.find.grown import unseen_codes, unseen_lines
from deid.pixels.geometry import Box
from deid.pixels.ports import FoundRegion, TextRegion
from tests import pixel_samples as samples
from tests.benchmarks.pixels.codes import modules

LINE = Box(100, 50, 120, 20)


def _piece(frame: int, box: Box) -> FoundRegion:
    return FoundRegion(frame, TextRegion(box, 0.9, "", 0.0))


def _typed(frames: list[int]) -> list[FoundRegion]:
    """Return pieces of a line, each a fortieth from the next, from its beginning on."""
    return [
        _piece(frame, Box(100 + 30 * at, 50 + at % 2, 30, 20)) for at, frame in enumerate(frames)
    ]


def _turned(piece: FoundRegion) -> FoundRegion:
    box = piece.region.box
    turned = Box(box.top, box.left, box.height, box.width)
    return FoundRegion(piece.frame, replace(piece.region, box=turned))


@pytest.mark.parametrize("order", [1, -1])
def test_a_line_that_came_in_pieces_is_looked_at_in_the_last_frame_that_added_one(
    order: int,
) -> None:
    pieces = _typed([2, 3, 4, 5])[::order]
    assert unseen_lines(pieces) == [(5, Box(100, 50, 120, 21))]
    assert unseen_lines([_turned(piece) for piece in pieces]) == [(5, Box(50, 100, 21, 120))]


def test_a_line_that_stayed_as_it_was_for_a_while_is_looked_at_then_too() -> None:
    states = dict(unseen_lines(_typed([2, 3, 9, 10])))
    assert states == {3: Box(100, 50, 60, 21), 10: Box(100, 50, 120, 21)}
    many = unseen_lines(_typed([*range(0, 60, 3)]))
    assert len(many) == 6
    assert many[-1][0] == 57


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(LINE, LINE, id="a counter at its place"),
        pytest.param(LINE, Box(100, 50, 126, 20), id="a counter that has grown by little"),
        pytest.param(Box(100, 50, 30, 20), LINE, id="a line that begins with the piece"),
        pytest.param(Box(140, 50, 30, 20), LINE, id="a line that holds the piece"),
        pytest.param(LINE, Box(260, 50, 60, 20), id="another text on the same rows"),
        pytest.param(
            Box(50, 100, 20, 60),
            Box(50, 200, 20, 60),
            id="another standing text on the same columns",
        ),
        pytest.param(LINE, Box(130, 72, 120, 20), id="the next line"),
        pytest.param(LINE, Box(210, 40, 60, 44), id="a much larger text"),
    ],
)
def test_what_was_seen_whole_is_not_looked_at_again(one: Box, other: Box) -> None:
    for first, second in permutations((one, other)):
        pieces = [_piece(3, first), _piece(6, second)]
        assert not unseen_lines(pieces)
        assert not unseen_lines(pieces[::-1])


def test_pieces_of_one_frame_were_seen_together() -> None:
    assert not unseen_lines(_typed([4, 4, 4, 4]))
    whole = _piece(5, Box(98, 48, 124, 24))
    assert not unseen_lines([*_typed([2, 3, 4, 5]), whole])
    assert unseen_lines([*_typed([2, 3, 4, 5]), replace(whole, frame=1)])


def _wiped(frames: list[int]) -> list[tuple[int, Box]]:
    """Return places of a code that is uncovered from its left on, each with some of what is around it."""
    return [(frame, Box(100 + 20 * at, 50, 44, 60)) for at, frame in enumerate(frames)]


def test_a_code_that_came_in_pieces_is_looked_at_in_the_last_frame_that_added_one() -> None:
    states = [(4, Box(100, 50, 44, 60)), (5, Box(100, 50, 64, 60))]
    assert unseen_codes(_wiped([4, 5])[::-1], []) == states
    parted = [(2, Box(0, 0, 40, 40)), (3, Box(60, 0, 40, 40)), (7, Box(30, 0, 40, 40))]
    assert unseen_codes(parted, [])[-1] == (7, Box(0, 0, 100, 40))


def test_a_code_is_looked_at_while_it_comes_and_goes_and_where_it_stayed_for_a_while() -> None:
    frames = [*range(2, 30), *range(40, 70)]
    states = unseen_codes(_wiped(frames), [])
    looked_at = [frame for frame, _ in states]
    assert len(states) == 6
    assert {29, 69} < set(looked_at)
    assert max(np.diff(looked_at)) < 25
    assert dict(states)[29] == Box(100, 50, 44 + 20 * 27, 60)


@pytest.mark.parametrize(
    "places",
    [
        pytest.param([(3, LINE), (3, LINE.moved(50, 0))], id="of one frame"),
        pytest.param([(3, LINE), (6, LINE.moved(0, 21))], id="apart"),
    ],
)
def test_what_may_be_a_code_and_did_not_grow_was_seen(places: list[tuple[int, Box]]) -> None:
    assert not unseen_codes(places, [])


def test_pieces_of_texts_are_no_pieces_of_codes() -> None:
    places = _wiped([2, 3])
    texts = [_piece(frame, box.grown(-12)) for frame, box in places]
    assert not unseen_codes(places, texts)
    assert not unseen_codes(places, texts[:1])
    assert unseen_codes(places, [_piece(9, LINE.grown(100))])
    assert unseen_codes(places, [_piece(frame, box.grown(-20)) for frame, box in places])


@pytest.mark.parametrize(
    ("shares", "is_scrolled"),
    [
        pytest.param([number / 11 for number in range(12)], False, id="uncovered"),
        pytest.param([number / 11 for number in range(12)], True, id="scrolled"),
        pytest.param([0.25, 0.25, 0.25, 1], False, id="a quarter of it there before"),
    ],
)
def test_a_bar_code_that_comes_piece_by_piece_is_filled(
    shares: list[float], *, is_scrolled: bool
) -> None:
    code = np.repeat(
        np.kron(modules("Code 128", "H6051369"), np.ones((1, 2), np.uint8)), 50, axis=0
    )
    rows, columns = code.shape
    frames = [np.full((192, 480, 1), 20, np.uint8) for _ in shares]
    for share, frame in zip(shares, frames, strict=True):
        shown = round(columns * share)
        left = 480 - shown if is_scrolled else 60
        frame[70 : 70 + rows, left : left + shown, 0] = code[:, :shown]
    instance = samples.make_instance(
        samples.EXPLICIT_LE, frames, samples.attributes(frames[0], bits=8)
    )
    cleaner = PixelCleaning("REDACT_SENSITIVE_TEXT", samples.NothingFound(), untrusted=())
    filled = np.zeros((192, 480), np.bool_)
    for region in cleaner.clean(instance).regions:
        if region.frame == len(frames):
            filled[region.top :, region.left :][: region.height, : region.width] = True
    assert filled[(frames[-1] > 200)[..., 0]].mean() > 0.95


@pytest.mark.parametrize(
    ("text", "then", "goes"),
    [
        ("H6051369", None, True),
        ("XURBELAU", None, True),
        ("TIS 0.6", None, False),
        ("SUPINE", None, False),  # of which SU is read first, which is in no list
        ("DECUBITUS", None, False),
        ("DECUBITUS", "XURBELAU", True),
    ],
)
def test_a_text_that_is_typed_is_read_whole_and_filled_where_it_identifies(
    text: str, then: str | None, *, goes: bool
) -> None:
    frames = [np.full((192, 320, 1), 20, np.uint8) for _ in range(12)]
    for number, frame in enumerate(frames):
        typed = text[: number + 1] if then is None or number < 10 else then
        shown = samples.with_text(np.zeros_like(frame), typed, at=(60, 100))
        frame[shown > 100] = 235
    instance = replace(
        samples.make_instance(samples.EXPLICIT_LE, frames, samples.attributes(frames[0], bits=8)),
        known=(KnownIdentifier("H6051369", "MEDICAL_RECORD_NUMBER"),),
    )
    cleaner = PixelCleaning("REDACT_SENSITIVE_TEXT", samples.detector(), untrusted=())
    regions = [region for region in cleaner.clean(instance).regions if region.frame == 12]
    filled = np.zeros((192, 320), np.bool_)
    for region in regions:
        filled[region.top :, region.left :][: region.height, : region.width] = True
    share = filled[(frames[-1] > 200)[..., 0]].mean()
    assert share > 0.95 if goes else share < 0.05
