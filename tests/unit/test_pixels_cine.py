"""Text in multi-frame instances: static, transient, moving, bright and dark."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.pixels.cleaning import PixelCleaning
from deid.pixels.description import describe
from deid.pixels.find.cine import _Part, _Sheet, _without_pieces
from deid.pixels.find.novelty import Novelty, RunningExtremes
from deid.pixels.find.sheets import laid_out, pages_of
from deid.pixels.find.views import FrameLook
from deid.pixels.geometry import Box
from deid.pixels.ports import FoundRegion, TextRegion
from deid.pixels.samples import Decoded
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.pixels.ports import Picture, TextDetector

FRAMES, ROWS, COLUMNS = 12, 192, 320


def _frames(level: int = 20) -> list[Any]:
    noise = np.random.default_rng(4)
    return [
        np.clip(noise.normal(level, 3, (ROWS, COLUMNS, 1)), 0, 255).astype(np.uint8)
        for _ in range(FRAMES)
    ]


def _write(frame: Any, text: str, at: tuple[int, int], *, dark: bool = False) -> Any:
    drawn = samples.with_text(np.zeros_like(frame), text, at=at)
    ink = drawn > 100
    frame[ink] = 15 if dark else 235
    return ink[..., 0]


def _filled(frames: list[Any]) -> list[Any]:
    instance = samples.make_instance(
        samples.EXPLICIT_LE, frames, samples.attributes(frames[0], bits=8)
    )
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    cleaned = cleaner.clean(instance)
    masks = [np.zeros((ROWS, COLUMNS), np.bool_) for _ in frames]
    for region in cleaned.regions:
        masks[region.frame - 1][
            region.top : region.top + region.height, region.left : region.left + region.width
        ] = True
    return masks


def test_static_text_is_filled_in_every_frame() -> None:
    frames = _frames()
    ink = [_write(frame, "SMITH^JOHN", (20, 40)) for frame in frames]
    for mask, letters in zip(_filled(frames), ink, strict=True):
        assert mask[letters].mean() > 0.95


@pytest.mark.parametrize("dark", [False, True])
def test_transient_text_is_filled_in_the_frames_that_show_it(*, dark: bool) -> None:
    frames = _frames(200 if dark else 20)
    ink = {number: _write(frames[number], "SMITH^JOHN", (60, 100), dark=dark) for number in (6, 7)}
    masks = _filled(frames)
    for number, letters in ink.items():
        assert masks[number][letters].mean() > 0.95


def test_moving_text_is_filled_wherever_it_goes() -> None:
    frames = _frames()
    ink = [_write(frame, "H6051369", (10 + 14 * at, 120)) for at, frame in enumerate(frames)]
    for mask, letters in zip(_filled(frames), ink, strict=True):
        assert mask[letters].mean() > 0.9


def test_text_that_shows_late_where_anatomy_was_bright_is_found() -> None:
    frames = _frames()
    frames[1][70:130] = 215
    ink = _write(frames[10], "SMITH^JOHN", (60, 100))
    frames[10][ink] = 250
    assert _filled(frames)[10][ink].mean() > 0.95


@pytest.mark.parametrize(("ground", "ink"), [(15, 233), (200, 2), (15, 75)])
def test_a_text_that_comes_little_by_little_is_filled_once_it_is_seen(
    ground: int, ink: int
) -> None:
    frames = [np.full((ROWS, COLUMNS, 1), ground, np.uint8) for _ in range(FRAMES)]
    for number, frame in enumerate(frames):
        frame[:16] = np.arange(COLUMNS)[:, None] % 256  # all levels, as in a picture of something
        letters = _write(frame, "SMITH^JOHN", (60, 100))
        frame[letters] = ground + (ink - ground) * number // (FRAMES - 1)
    assert _filled(frames)[-1][letters].mean() > 0.95


@pytest.mark.parametrize(
    ("ground", "ink"),
    [((0, 0, 255), (255, 255, 0)), ((200, 40, 40), (40, 40, 200)), ((160, 30, 30), (30, 160, 30))],
)
def test_a_text_that_differs_from_its_ground_by_its_hue_only_is_filled(
    ground: tuple[int, int, int], ink: tuple[int, int, int]
) -> None:
    frames = [np.full((ROWS, COLUMNS, 3), ground, np.uint8) for _ in range(FRAMES)]
    letters = _write(np.zeros((ROWS, COLUMNS, 1), np.uint8), "SMITH^JOHN", (60, 100))
    for frame in frames[6:8]:
        frame[letters] = ink
    masks = _filled(frames)
    assert all(masks[number][letters].mean() > 0.95 for number in (6, 7))


def test_the_same_place_is_left_alone_in_frames_that_are_flat_there() -> None:
    frames = [np.full((ROWS, COLUMNS, 1), 10, np.uint8) for _ in range(FRAMES)]
    _write(frames[5], "SMITH^JOHN", (60, 100))
    masks = _filled(frames)
    assert masks[5].any()
    assert not any(masks[number].any() for number in range(FRAMES) if number != 5)


def test_a_text_that_has_become_faint_is_filled_wherever_it_is_seen() -> None:
    frames = _frames()
    ink = [_write(frame, "SMITH^JOHN", (60, 100)) for frame in frames]
    for frame, letters in zip(frames[4:], ink[4:], strict=True):
        frame[letters] = 42
    for mask, letters in zip(_filled(frames), ink, strict=True):
        assert mask[letters].mean() > 0.95


def test_what_is_less_than_strokes_is_left_alone_where_another_frame_has_text() -> None:
    frames = _frames()
    letters = _write(frames[5], "SMITH^JOHN", (60, 100))
    frames[8] += np.linspace(0, 30, COLUMNS).astype(np.uint8)[:, None]  # no strokes, but a slope
    masks = _filled(frames)
    assert masks[5][letters].mean() > 0.95
    assert not any(masks[number].any() for number in range(FRAMES) if number != 5)


class _Remembering:
    """Finds what another detector finds, or nothing, and remembers what it was shown."""

    def __init__(self, detector: TextDetector | None = None) -> None:
        self.detector = detector
        self.shown: list[Picture] = []

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        self.shown += pictures
        if self.detector is None:
            return [[] for _ in pictures]
        return self.detector.find(pictures, needs_reading=needs_reading)


def _shown(frames: list[Any], detector: TextDetector | None = None) -> list[Any]:
    """Return the pictures that a detector is shown, (rows, columns, 3): the first frame, and sheets."""
    remembering = _Remembering(detector)
    window = {"WindowCenter": 128.0, "WindowWidth": 256.0}
    described = samples.attributes(frames[0], bits=8) | window
    instance = samples.make_instance(samples.EXPLICIT_LE, frames, described)
    PixelCleaning("REDACT_ALL_TEXT", remembering, untrusted=()).clean(instance)
    return [picture.display for picture in remembering.shown]


def _looked_at(frames: list[Any], detector: TextDetector | None = None) -> list[tuple[int, int]]:
    return [display.shape[:2] for display in _shown(frames, detector)]


def test_a_cine_in_which_nothing_is_new_costs_one_frame() -> None:
    assert _looked_at(_frames()) == [(ROWS, COLUMNS)]


@pytest.mark.parametrize("beating", ["a part", "all", "the hue of all"])
def test_what_beats_is_looked_at_for_its_first_beat(beating: str) -> None:
    levels = 127 + 120 * np.sin(
        np.arange(48) / 12 * np.pi
    )  # two beats, by less than is new at a time
    frames = [np.full((ROWS, COLUMNS, 1), 127, np.uint8) for _ in levels]
    for number, level in enumerate(levels):
        part = frames[number][80:120, 100:220] if beating == "a part" else frames[number]
        part[:] = round(level) // 2
        if beating == "the hue of all":
            colours = np.broadcast_to((round(level), 0, 255), (ROWS, COLUMNS, 3))
            frames[number] = np.ascontiguousarray(colours, np.uint8)
    once, twice = _looked_at(frames[:24]), _looked_at(frames)
    assert len(once) > 1
    assert twice == once


def test_what_is_new_in_floats_is_what_is_new_in_whole_values() -> None:
    """Of samples from 0 to 1 a display level is a 256th, and noise is followed as in any others."""
    noise = np.random.default_rng(7)
    levels = 127 + 120 * np.sin(np.arange(24) / 12 * np.pi)
    frames = [noise.normal(90, 4, (ROWS, COLUMNS, 1)).round().clip(0, 255) for _ in levels]
    for frame, level in zip(frames, levels, strict=True):
        frame[80:120, 100:220] = round(level)
    image = describe(samples.attributes(frames[0].astype(np.uint8), bits=8))
    window = {"WindowCenter": 128.0, "WindowWidth": 256.0}
    floats = {"WindowCenter": 0.5, "WindowWidth": 1.0}
    found: list[list[Any]] = []
    for scale, described in ((1, window), (256, floats)):
        kind = np.uint8 if scale == 1 else np.float32
        looks = [
            FrameLook(image, Decoded((frame / scale).astype(kind), "MONOCHROME2"), described)
            for frame in frames
        ]
        running = RunningExtremes(looks[0], Novelty())
        found.append([])
        for look in looks[1:]:
            _, boxes = running.new_in(look)
            running.examined(look, boxes)
            found[-1].append(boxes)
    assert any(found[0])
    assert found[1] == found[0]


def test_a_text_that_shows_for_a_while_is_looked_at_once_with_a_little_around_it() -> None:
    frames = _frames()
    ink = [_write(frames[number], "SMITH^JOHN", (60, 100)) for number in range(4, 9)]
    rows, columns = np.nonzero(ink[0])
    first, *sheets = _looked_at(frames)
    assert first == (ROWS, COLUMNS)
    assert len(sheets) == 1
    assert sheets[0][0] <= np.ptp(rows) + 1 + 2 * 20
    assert sheets[0][1] <= np.ptp(columns) + 1 + 2 * 36


@pytest.mark.parametrize(("rows", "is_whole"), [(ROWS // 3, False), (2 * ROWS // 3, True)])
def test_a_frame_of_which_the_most_is_new_is_looked_at_as_the_first_is(
    rows: int, *, is_whole: bool
) -> None:
    frames = _frames()
    frames[4][:rows] += 60
    first, second = _looked_at(frames)
    assert first == (ROWS, COLUMNS)
    assert (second == first) == is_whole


def _moving() -> tuple[list[Any], int]:
    """Return frames through which a text moves, and how many pixels a part around it has."""
    frames = _frames()
    ink = [_write(frame, "H6051369", (10 + 6 * at, 120)) for at, frame in enumerate(frames)]
    rows, columns = np.nonzero(ink[0])
    return frames, int((np.ptp(rows) + 1 + 2 * 12) * (np.ptp(columns) + 1 + 2 * 24))


def test_a_text_that_only_moves_is_looked_at_once_more() -> None:
    frames, part = _moving()
    first, *sheets = _looked_at(frames, samples.detector())
    assert first == (ROWS, COLUMNS)
    assert 0 < sum(rows * columns for rows, columns in sheets) < 3 * part


def test_what_only_moves_is_looked_at_everywhere_where_no_text_was_found_in_it() -> None:
    frames, part = _moving()
    _, *sheets = _looked_at(frames)
    assert sum(rows * columns for rows, columns in sheets) > (FRAMES - 2) * part


def test_a_text_that_stays_beside_one_that_moves_does_not_move_along() -> None:
    part = Box(20, 60, 160, 90)
    moving, staying = Box(8, 8, 100, 20), Box(8, 50, 100, 20)
    sheet = _Sheet(ROWS, COLUMNS)
    for number, column in ((4, 30), (5, 38)):
        frame = np.full((ROWS, COLUMNS, 1), 20, np.uint8)
        ink = _write(frame, "H6051369", (column, 82))
        _write(frame, "ABCDEF", (30, 126))
        described = samples.attributes(frame, bits=8)
        look = FrameLook(describe(described), Decoded(frame, "MONOCHROME2"), described)
        sheet.add(_Part.of(number, part, look, ink))
    regions = [TextRegion(moving, 0.9), TextRegion(staying, 0.9)]
    found = sheet.found(lambda pictures: [regions for _ in pictures])
    places = {(entry.frame, entry.region.box.moved(-part.left, -part.top)) for entry in found}
    assert places == {(4, moving), (4, staying), (5, moving.moved(8, 0))}


def test_a_sheet_is_full_when_what_moved_takes_much_memory() -> None:
    sheet, part = _Sheet(ROWS, COLUMNS), Box(20, 60, 160, 90)
    added = 0
    while not sheet.is_full:
        frame = np.full((ROWS, COLUMNS, 1), 20, np.uint8)
        ink = _write(frame, "H6051369", (30 + added % 8, 82))
        described = samples.attributes(frame, bits=8)
        look = FrameLook(describe(described), Decoded(frame, "MONOCHROME2"), described)
        sheet.add(_Part.of(added, part, look, ink))
        added += 1
        assert added <= 4 * sheet.side**2 // part.area + 2
    assert added > sheet.side**2 // part.area


def test_between_the_parts_on_a_sheet_nothing_is_darker_than_what_is_around_them() -> None:
    frames = [np.full((600, 600, 1), 60, np.uint8) for _ in range(FRAMES)]
    for top, left, height in ((32, 32, 100), (32, 300, 20), (300, 60, 60), (450, 300, 8)):
        frames[6][top : top + height, left : left + 160] = 235
    _, *sheets = _shown(frames)
    assert [int(sheet.min()) for sheet in sheets] == [60]


def test_speckle_goes_on_between_the_parts_on_a_sheet() -> None:
    """Flat, what lies between would make a line of letters of a part."""
    noise = np.random.default_rng(7).integers(0, 60, (600, 600, 1), np.uint8)
    frames = [noise.copy() for _ in range(FRAMES)]
    for top, left, height in ((32, 32, 100), (32, 300, 20), (300, 60, 60), (450, 300, 8)):
        frames[6][top : top + height, left : left + 160] += 120
    _, sheet = _shown(frames)
    rows, columns = (side // 8 for side in sheet.shape[:2])
    cells = sheet[: 8 * rows, : 8 * columns, 0].reshape(rows, 8, columns, 8)
    assert cells.std(axis=(1, 3)).min() > 5


def test_what_lies_between_steps_of_a_staircase_is_not_looked_at() -> None:
    frames = [np.full((600, 600, 1), 20, np.uint8) for _ in range(FRAMES)]
    for top, left in ((32, 32), (176, 160), (320, 288), (464, 416)):
        frames[6][top : top + 100, left : left + 100] = 235
    _, *sheets = _looked_at(frames)
    assert sum(rows * columns for rows, columns in sheets) < 0.65 * 540 * 500  # one box around all


def test_a_piece_of_a_text_that_a_part_cut_is_left_out_where_the_whole_was_found() -> None:
    whole = FoundRegion(3, TextRegion(Box(100, 20, 90, 20), 0.9, "HARMONICS", 1.0))
    piece = FoundRegion(3, TextRegion(Box(100, 20, 60, 20), 0.9, "HARMO", 1.0))
    alone = FoundRegion(4, piece.region)
    parts = Box(60, 0, 160, 60), Box(0, 0, 160, 60), Box(0, 0, 160, 60)
    found = list(zip((whole, piece, alone), parts, strict=True))
    assert _without_pieces(found) == [whole, alone]


@pytest.mark.parametrize("seed", range(4))
def test_parts_are_laid_on_as_few_pictures_as_no_detector_cuts(seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(8, (400, 90), (60, 2))
    boxes = [Box(0, 0, int(width), int(height)) for width, height in sizes] + [Box(0, 0, 736, 736)]
    pages = pages_of(boxes, 736)
    assert sorted(number for page in pages for number in page) == list(range(len(boxes)))
    for page in pages:
        places, rows, columns = laid_out([boxes[number] for number in page], 736)
        assert rows <= 736
        assert columns <= 736
        assert not any(one.overlap(other) for one, other in combinations(places, 2))
    needed = sum((box.width + 28) * (box.height + 10) for box in boxes)
    assert len(pages) <= 2 + 1.5 * needed / 736**2
