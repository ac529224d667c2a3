"""What a region that goes takes with it of lines that stay: pieces, boxes over several lines, margins."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from deid.identity.identifiers import KnownIdentifier
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.fillings import (
    Filling,
    Margins,
    is_lettering,
    is_of_letters,
    united,
    widened,
    without_lines,
)
from deid.pixels.geometry import Box
from deid.pixels.ports import FoundRegion, TextRegion
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.pixels.ports import Picture

_MAG = TextRegion(Box(525, 27, 62, 24), 0.9, "MAG 2.0", 0.98)
_POS = TextRegion(Box(562, 125, 82, 27), 0.9, "Pos 77.0", 1.0)
_DR = TextRegion(Box(255, 318, 88, 26), 0.9, "DR 65 dB", 1.0)
_STANDING = TextRegion(Box(27, 525, 24, 62), 0.9, "MAG 2.0", 0.98)
_MA = TextRegion(Box(530, 31, 23, 10), 0.3, "MA", 0.91)


def _piece(
    left: int, top: int, width: int, height: int, text: str, legibility: float = 0.95
) -> TextRegion:
    return TextRegion(Box(left, top, width, height), 0.3, text, legibility)


_OF_ITS_LINE = [
    (_MAG, _MA),
    (_MAG, replace(_MA, others=(("676", 0.55), ("Mla", 0.54)))),
    (_MAG, _piece(530, 31, 32, 12, "mag")),
    (_MAG, _piece(560, 31, 26, 12, "2.0")),
    (_POS, _piece(573, 135, 26, 10, "SO", 0.98)),  # upside down
    (_POS, _piece(608, 132, 34, 14, "77.0")),
    (_DR, _piece(292, 321, 49, 9, "65.dR", 0.75)),  # but for one sign, not surely
    (_DR, _piece(292, 323, 49, 14, "65 dB")),
    (_DR, _piece(320, 323, 19, 14, "dB")),
    (_DR, _piece(285, 323, 24, 14, "65")),
    (_STANDING, _piece(31, 530, 10, 23, "MA", 0.91)),
    (_STANDING, _piece(31, 559, 10, 23, "MA", 0.91)),  # read from below
    (replace(_MAG, text="FFS"), replace(_MA, text="FF")),  # two different letters
]
_OF_NO_LINE = [
    (_MAG, replace(_MA, text="LI")),
    (_MAG, replace(_MA, text="AM")),
    (_MAG, replace(_MA, text="MB")),  # surely another
    (_MAG, _piece(545, 31, 26, 12, "MAG")),  # elsewhere
    (_POS, _piece(573, 135, 26, 10, "SU", 0.98)),
    (_POS, _piece(593, 135, 26, 10, "SO", 0.98)),
    (_DR, _piece(292, 323, 49, 14, "dB")),  # and something else before it
    (_DR, _piece(284, 323, 55, 14, "65")),
    (_DR, _piece(292, 321, 49, 9, "66.oR", 0.75)),
    (_DR, _piece(292, 321, 49, 9, "65.dR", 0.45)),  # reads as nothing
    (_STANDING, _piece(31, 550, 10, 23, "LI", 0.91)),
    (_MAG, _piece(530, 40, 23, 11, "MA")),  # beside its middle
    (replace(_MAG, text="111"), replace(_MA, text="11")),  # strokes of a scale
]


@pytest.mark.parametrize(
    ("line", "piece", "is_piece"),
    [(*pair, True) for pair in _OF_ITS_LINE] + [(*pair, False) for pair in _OF_NO_LINE],
)
def test_what_reads_as_its_line_does_at_that_place_is_a_piece_of_it(
    line: TextRegion, piece: TextRegion, *, is_piece: bool
) -> None:
    entry = FoundRegion(0, piece)
    assert is_of_letters(entry, [FoundRegion(0, line)]) == is_piece
    assert not is_of_letters(entry, [FoundRegion(1, line)])
    assert not is_of_letters(entry, [FoundRegion(0, replace(line, legibility=0.94))])
    assert not is_of_letters(FoundRegion(0, replace(piece, is_code=True)), [FoundRegion(0, line)])


def test_a_line_whose_signs_are_written_as_two_letters_has_its_places_all_the_same() -> None:
    line = TextRegion(Box(20, 20, 120, 20), 0.9, "Größe 12 mm", 0.98)
    assert is_of_letters(FoundRegion(0, _piece(110, 24, 28, 12, "mm")), [FoundRegion(0, line)])
    assert not is_of_letters(FoundRegion(0, _piece(64, 24, 28, 12, "mm")), [FoundRegion(0, line)])


_LINE = TextRegion(Box(30, 34, 60, 18), 0.9, "IMA 45", 0.99)
_WHOLE = TextRegion(Box(20, 20, 110, 48), 0.9, "HMNA7977", 0.63)


def _area(boxes: list[Box]) -> int:
    assert not any(one.overlap(other) for one, other in combinations(boxes, 2))
    return sum(box.area for box in boxes)


@pytest.mark.parametrize(
    ("region", "line", "stays"),
    [
        (_WHOLE, _LINE, True),
        (replace(_WHOLE, text="", legibility=0.0), _LINE, True),
        (replace(_WHOLE, text="B", legibility=0.99), _LINE, True),
        (replace(_WHOLE, box=Box(20, 20, 110, 27)), _LINE, True),
        (replace(_WHOLE, text="KATZ", legibility=0.95), _LINE, False),  # may be anywhere in it
        (replace(_WHOLE, box=Box(20, 20, 110, 26)), _LINE, False),  # as high as one line
        (_WHOLE, replace(_LINE, legibility=0.94), False),
        (_WHOLE, replace(_LINE, text="RT"), False),  # of a name perhaps
        (_WHOLE, replace(_LINE, box=Box(30, 34, 35, 18), text="IMA 45 2.0 mm"), False),
        (_WHOLE, replace(_LINE, outline=((30, 34), (90, 34), (90, 52), (30, 52))), False),
        (replace(_WHOLE, outline=((20, 20), (130, 20), (130, 68), (20, 68))), _LINE, False),
        (replace(_WHOLE, is_code=True), _LINE, False),
    ],
)
def test_of_several_lines_that_are_found_as_one_what_was_read_surely_stays(
    region: TextRegion, line: TextRegion, *, stays: bool
) -> None:
    filled = region.box.grown(6)
    boxes = without_lines(filled, region, [line])
    letters = Box(33, 37, 54, 12)
    assert _area(boxes) == filled.area - (letters.area if stays else 0)
    assert sum(box.overlap(letters) for box in boxes) == (0 if stays else letters.area)


_KATZ = TextRegion(Box(24, 50, 100, 18), 0.9, "KATZ^ADA", 0.99)


@pytest.mark.parametrize(
    ("gone", "stays"),
    [
        ([_KATZ], True),
        ([replace(_KATZ, text="Pat: Katz, Ada 045Y")], True),
        ([], False),
        ([replace(_KATZ, text="KATZ^IDA")], False),
        ([replace(_KATZ, legibility=0.94)], False),
        ([replace(_KATZ, box=Box(24, 68, 100, 18))], False),  # another of that name
    ],
)
def test_what_several_lines_say_clearly_stands_in_the_line_that_says_it_surely(
    gone: list[TextRegion], *, stays: bool
) -> None:
    region = replace(_WHOLE, text="KATZAD", legibility=0.97)
    letters = Box(33, 37, 54, 12)
    boxes = without_lines(region.box, region, [_LINE], [*gone, region])
    assert sum(box.overlap(letters) for box in boxes) == (0 if stays else letters.area)


@pytest.mark.parametrize(
    ("other", "beyond"),
    [
        (Box(4, 4, 4, 4), 100 - 16),
        (Box(-5, 4, 30, 2), 100 - 20),
        (Box(6, 6, 10, 10), 100 - 16),
        (Box(0, 0, 10, 10), 0),
        (Box(10, 0, 5, 5), 100),
    ],
)
def test_what_lies_beyond_a_box_is_all_of_another_but_what_they_share(
    other: Box, beyond: int
) -> None:
    box = Box(0, 0, 10, 10)
    parts = box.without(other)
    assert _area(parts) == beyond
    assert all(box.contains(part) and not part.overlap(other) for part in parts)


def test_boxes_are_not_made_one_over_a_text_that_stays() -> None:
    fillings = [
        Filling(Box(292, 231, 146, 76), "known_identifier", frozenset({0})),
        Filling(Box(238, 251, 155, 32), "known_identifier", frozenset({0})),
    ]
    text = Box(218, 284, 55, 20)
    assert [entry.box for entry in united(fillings)] == [Box(238, 231, 200, 76)]
    assert {entry.box for entry in united(fillings, [text])} == {entry.box for entry in fillings}
    # What one of them covers already is no reason.
    covered = Box(300, 260, 40, 20)
    assert len(united(fillings, [covered])) == 1


def test_a_third_box_is_not_made_one_with_two_over_a_text_that_stays() -> None:
    boxes = [Box(0, 0, 100, 20), Box(10, 0, 100, 20), Box(40, 0, 20, 60)]
    fillings = [Filling(box, "known_identifier") for box in boxes]
    assert len(united(fillings, [Box(70, 30, 30, 20)])) == 2
    assert len(united([*fillings[:2], Filling(Box(20, 5, 60, 20), "known_identifier")])) == 1


def test_a_line_that_goes_is_parted_from_those_above_and_below_that_stay() -> None:
    margins = Margins(3, 0.5, 0.15)
    above, line, below = Box(90, 747, 110, 22), Box(86, 765, 125, 23), Box(86, 777, 71, 24)
    for neighbours in ([above, below], [below, above]):
        box = widened(line, margins, neighbours)
        assert (box.top, box.bottom) == (767, 783)


@pytest.mark.parametrize(("top", "bottom"), [(712, 720), (711, 728)])
def test_lines_are_parted_whose_boxes_share_little_more_than_half(top: int, bottom: int) -> None:
    line = Box(140, 701, 133, 27)
    assert widened(line, Margins(3, 0.5, 0.15), [Box(142, top, 70, 27)]).bottom == bottom


_KVP = TextRegion(Box(164, 429, 48, 31), 0.9, "kVp", 0.99)
_120 = TextRegion(Box(214, 431, 45, 24), 0.9, "120", 1.0)


@pytest.mark.parametrize(
    ("kept", "is_text"),
    [
        ([_KVP, _120], True),
        ([_KVP], False),
        ([_KVP, replace(_120, text="111")], False),
        ([_KVP, replace(_120, box=Box(214, 431, 45, 38))], False),
    ],
)
def test_squares_of_two_texts_beside_each_other_are_no_code(
    kept: list[TextRegion], *, is_text: bool
) -> None:
    code = FoundRegion(0, TextRegion(Box(168, 432, 89, 25), 1.0, is_code=True))
    assert is_lettering(code, [FoundRegion(0, region) for region in kept]) == is_text


class _Finds:
    """A detector that answers with these regions."""

    def __init__(self, *regions: TextRegion) -> None:
        self._regions = list(regions)

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        return [self._regions for _ in pictures]


@pytest.mark.parametrize("mode", ["REDACT_SENSITIVE_TEXT", "REDACT_ALL_TEXT"])
@pytest.mark.parametrize("frames", [1, 2])
def test_a_line_stays_within_what_goes_where_nothing_else_may_come_to_stand_there(
    frames: int, mode: str
) -> None:
    frame = samples.texture(rows=96, columns=160)
    known = (KnownIdentifier("Katz^Ada", "PERSON_NAME"),)
    instance = samples.make_instance(
        samples.EXPLICIT_LE,
        [frame] * frames,
        samples.attributes(frame, NumberOfFrames=frames),
        known=known,
    )
    whole = replace(_WHOLE, text="KATZADA", legibility=0.97)
    cleaned = PixelCleaning(mode, _Finds(_LINE, whole, _KATZ), untrusted=()).clean(instance)
    letters = Box(33, 37, 54, 12)
    shared = sum(
        Box(region.left, region.top, region.width, region.height).overlap(letters)
        for region in cleaned.regions
    )
    assert (shared == 0) == (frames == 1 and mode == "REDACT_SENSITIVE_TEXT")
    assert any(region.top <= 20 and region.height >= 17 for region in cleaned.regions)


def test_in_one_frame_boxes_are_not_made_one_over_a_text_that_stays() -> None:
    frame = samples.texture(rows=120, columns=240)
    found = (
        TextRegion(Box(84, 20, 110, 60), 0.9, "Dr. Ada Katz", 0.99),
        TextRegion(Box(44, 38, 120, 14), 0.9, "Dr. Katz", 0.99),
        TextRegion(Box(20, 60, 56, 20), 0.9, "Fr 3/48", 0.99),
    )
    for frames in (1, 2):
        instance = samples.make_instance(
            samples.EXPLICIT_LE, [frame] * frames, samples.attributes(frame, NumberOfFrames=frames)
        )
        cleaned = PixelCleaning("REDACT_SENSITIVE_TEXT", _Finds(*found), untrusted=()).clean(
            instance
        )
        assert len({region.left for region in cleaned.regions}) == (2 if frames == 1 else 1)
