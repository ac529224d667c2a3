"""Bar codes and two-dimensional codes are found and filled; what only looks ruled stays."""

from __future__ import annotations

from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp

from deid.pixels.cleaning import PixelCleaning
from deid.pixels.find import code_reader, code_shapes
from deid.pixels.find.code_shapes import are_squares_between, bars_in, has_widths_of_a_code
from deid.pixels.find.codes import codes, fields
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
from tests import pixel_samples as samples
from tests.benchmarks.pixels.codes import SYMBOLOGIES, modules, some_value
from tests.benchmarks.pixels.corpus import samples as samples_of
from tests.benchmarks.pixels.grounds import views_of
from tests.benchmarks.pixels.textless.kinds import KINDS, made, textless

ROWS, COLUMNS = 320, 480


def _frame(
    symbology: str, *, side: int = 2, quiet: int = 0, is_inverted: bool = False, turn: int = 0
) -> tuple[Any, Any]:
    """Return a view of smooth noise with a code, and where the code's modules are."""
    code = modules(symbology, some_value(Random(symbology), symbology))
    if len(code) == 1:
        code = np.repeat(code, 40 // side, axis=0)
    code = np.kron(code, np.ones((side, side), np.uint8))
    label = np.pad(code, quiet * side, constant_values=255)
    label = np.rot90(255 - label if is_inverted else label, turn)
    inside = np.rot90(np.pad(np.ones_like(code), quiet * side), turn)
    view = samples.texture(rows=ROWS, columns=COLUMNS)[..., 0] // 2 + 30
    at = slice(11, 11 + label.shape[0]), slice(17, 17 + label.shape[1])
    view[at] = 20 + label // 255 * 200
    mask = np.zeros(view.shape, np.bool_)
    mask[at] = inside > 0
    return view, mask


def _filled(view: Any, mode: str = "REDACT_ALL_TEXT") -> tuple[Any, set[str]]:
    frame = np.ascontiguousarray(view[..., None])
    instance = samples.make_instance(
        samples.EXPLICIT_LE, [frame], samples.attributes(frame), known=()
    )
    cleaned = PixelCleaning(mode, samples.NothingFound(), untrusted=()).clean(instance)
    filled = np.zeros(view.shape, np.bool_)
    for region in cleaned.regions:
        rows = slice(region.top, region.top + region.height)
        filled[rows, region.left : region.left + region.width] = True
    return filled, {region.why for region in cleaned.regions}


@pytest.mark.parametrize("symbology", SYMBOLOGIES)
@pytest.mark.parametrize("quiet", [0, 4])
@pytest.mark.parametrize(("is_inverted", "turn"), [(False, 0), (True, 1)])
def test_a_code_is_filled_whole_and_little_beside_it(
    symbology: str, quiet: int, is_inverted: bool, turn: int
) -> None:
    view, mask = _frame(symbology, quiet=quiet, is_inverted=is_inverted, turn=turn)
    filled, _ = _filled(view)
    assert filled[mask].mean() > 0.98
    assert filled[~mask].mean() < 0.1


@pytest.mark.parametrize("symbology", SYMBOLOGIES)
def test_a_filled_code_cannot_be_read_by_another_reader(symbology: str) -> None:
    view, _ = _frame(symbology, quiet=10)
    filled, _ = _filled(view)
    left = np.where(filled, 0, view).astype(np.uint8)
    assert zxingcpp.read_barcodes(view)
    assert not zxingcpp.read_barcodes(left)
    assert not cv2.QRCodeDetector().detectAndDecode(left)[0]


def test_bars_drawn_on_the_picture_itself_are_a_code_though_no_reader_reads_them() -> None:
    code = modules("Code 39", "H6051369")[0] == 0
    view = samples.texture(rows=ROWS, columns=COLUMNS)[..., 0] // 3
    bars = np.repeat(code, 2)
    view[200:240, 30 : 30 + len(bars)][:, bars] = 255
    assert not zxingcpp.read_barcodes(view)
    filled, _ = _filled(view)
    assert filled[200:240, 30 : 30 + len(bars)].all()


def test_bars_with_their_number_below_them_are_a_code() -> None:
    code = np.repeat(modules("Code 39", "H6051369")[0] == 0, 2)
    view = samples.texture(rows=ROWS, columns=COLUMNS)[..., 0] // 3
    view[200:222, 30 : 30 + len(code)][:, code] = 255
    cv2.putText(view, "H 6 0 5 1 3 6 9 H 6 0 5 1", (30, 246), 0, 0.8, 255, 2)
    assert not zxingcpp.read_barcodes(view)
    filled, _ = _filled(view)
    assert filled[200:222, 30 : 30 + len(code)].mean() > 0.95


@pytest.mark.parametrize("symbology", SYMBOLOGIES)
@pytest.mark.parametrize("damage", ["torn", "scratched", "noisy", "faint"])
def test_a_damaged_code_is_one_all_the_same(symbology: str, damage: str) -> None:
    view, mask = _frame(symbology)
    filled, _ = _filled(_damaged(view, mask, damage))
    assert filled[mask].mean() > 0.95
    assert filled[~mask].mean() < 0.2


@pytest.mark.parametrize("seed", [25, 37, 43, 74])
def test_a_turned_code_in_much_noise_is_one_though_it_reads_with_errors(seed: int) -> None:
    noise = np.random.default_rng(seed)
    code = modules("Aztec", some_value(Random("Aztec"), "Aztec")) // 255 * 200.0 + 20
    code = np.pad(np.kron(code, np.ones((3, 3))), 12, constant_values=220)
    code = np.clip(code + noise.normal(0, 60, code.shape), 0, 255)
    rows, columns = code.shape
    view = samples.texture(rows=rows + 200, columns=columns + 200)[..., 0] // 2 + 30
    view[60 : 60 + rows, 60 : 60 + columns] = code
    size = view.shape[::-1]
    turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), 30, 1)
    turned = cv2.warpAffine(view, turn, size, borderMode=cv2.BORDER_REFLECT)
    (found,) = codes(Picture(cv2.cvtColor(turned, cv2.COLOR_GRAY2RGB), None))
    middle = turn @ (60 + columns / 2, 60 + rows / 2, 1)
    assert (
        np.abs(
            middle - (found.box.left + found.box.width / 2, found.box.top + found.box.height / 2)
        ).max()
        < 6
    )
    assert found.box.width > rows - 24


@pytest.mark.parametrize("seed", [5, 12, 25, 30, 39])
def test_fringes_are_no_codes_though_a_finder_pattern_is_seen_in_them(seed: int) -> None:
    """As of phases that begin anew at each turn."""
    noise = np.random.default_rng(seed).normal(0, 1, (256, 256)).astype(np.float32)
    field = cv2.GaussianBlur(noise, (0, 0), 24)
    phase = np.mod(field / field.std() * 12, 2 * np.pi) / (2 * np.pi)
    fringes = (phase * 255).astype(np.uint8)
    assert not codes(Picture(cv2.cvtColor(fringes, cv2.COLOR_GRAY2RGB), None))


@pytest.mark.parametrize("seed", [24, 31])
def test_rings_are_no_codes_though_a_finder_pattern_is_seen_in_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    down, across = np.mgrid[:400, :400] - 200.0
    left, top = random.uniform(-10, 10, 2)
    wide = random.uniform(0.9, 1.1)
    turn = np.arctan2(down - top, across - left)
    away = np.hypot((across - left) * wide, down - top)
    away += 3 * np.sin(3 * turn + random.uniform(0, 6))
    is_bright = (np.mod(away, 24) < 12) & (away < 180)
    rings = cv2.GaussianBlur(np.where(is_bright, 220, 30).astype(np.uint8), (0, 0), 1)
    assert not codes(Picture(cv2.cvtColor(rings, cv2.COLOR_GRAY2RGB), None))


@pytest.mark.parametrize(
    ("symbology", "value"),
    [("Code 39", "111111111"), ("Codabar", "A0000000000A")],
)
def test_a_number_of_one_figure_over_and_over_is_a_code(symbology: str, value: str) -> None:
    code = np.repeat(modules(symbology, value)[0] == 0, 2)[30:-30]  # no reader reads it
    view = samples.texture(rows=ROWS, columns=COLUMNS)[..., 0] // 3
    view[200:240, 30 : 30 + len(code)] = np.where(code, 255, 10)
    assert not zxingcpp.read_barcodes(view)
    filled, _ = _filled(view)
    assert filled[200:240, 30 : 30 + len(code)].mean() > 0.9


def test_a_code_with_a_gap_that_no_reader_reads_is_filled() -> None:
    view, mask = _frame("Code 128", side=3, quiet=2)
    view[:, 90:110] = 128
    assert not zxingcpp.read_barcodes(view)
    filled, _ = _filled(view)
    assert filled[mask].mean() > 0.9


@pytest.mark.parametrize(
    ("seed", "number"),
    [(338, 1), (102, 1), (338, 2), (350, 1)],
    ids=["across a skull", "along a head", "squares beside a skull", "squares on two grounds"],
)
def test_a_code_close_to_what_is_busy_as_well_is_filled(seed: int, number: int) -> None:
    (drawn,) = (
        sample
        for sample in samples_of(range(seed, seed + 1), only="codes")
        if sample.category == "codes"
    )
    view = cv2.cvtColor(views_of(drawn.instance).display, cv2.COLOR_RGB2GRAY)
    ((left, top, right, bottom),) = (
        placed.box for _, which, placed in drawn.placed if which == number
    )
    filled, _ = _filled(view)
    assert filled[top:bottom, left:right].mean() > 0.95


def _damaged(view: Any, mask: Any, damage: str) -> Any:
    rows, columns = np.nonzero(mask)
    left, top = int(columns.min()), int(rows.min())
    width, height = int(columns.max()) + 1 - left, int(rows.max()) + 1 - top
    shown = view.copy()
    if damage == "torn":
        corner = np.array([(left, top), (left + width // 3, top), (left, top + height // 2)])
        cv2.fillConvexPoly(shown, corner, 110)
    elif damage == "scratched":
        ends = (left, top + height // 3), (left + width, top + height - height // 3)
        cv2.line(shown, *ends, 110, 3)
    elif damage == "noisy":
        shown = shown + np.random.default_rng(1).normal(0, 25, shown.shape)
    else:
        shown[mask] = 110 + (shown[mask].astype(np.int16) - 110) // 5
    return shown.clip(0, 255).astype(np.uint8)


def test_a_code_goes_where_text_that_tells_nothing_stays() -> None:
    view, mask = _frame("Data Matrix", quiet=4)
    filled, why = _filled(view, "REDACT_SENSITIVE_TEXT")
    assert filled[mask].all()
    assert why == {"bar_code"}


def test_a_code_hidden_by_the_window_is_found_in_the_other_view() -> None:
    view, _ = _frame("QR Code", quiet=4)
    black = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    assert codes(Picture(black, view))


@pytest.mark.parametrize(
    ("rows", "columns", "is_code"),
    [(5, 5, True), (5, 4.3, False), (3.5, 6.3, False), (10, 4, True)],
    ids=["squares", "higher than wide", "wider than high", "rows of a PDF417"],
)
def test_squares_are_as_high_as_wide_but_for_rows_of_two_modules_and_more(
    rows: float, columns: float, is_code: bool
) -> None:
    bits = np.random.default_rng(7).integers(0, 2, (14, 14))
    at_rows, at_columns = (np.arange(int(14 * side)) / side for side in (rows, columns))
    drawn = bits[np.ix_(at_rows.astype(int), at_columns.astype(int))]
    view = (60 + 120 * drawn).astype(np.uint8)
    (down, along), (top, left) = view.shape, (0, 0)
    corners = np.array(((left, top), (along, top), (along, down), (left, down)), np.float32)
    assert are_squares_between(view, corners) == is_code


@pytest.mark.parametrize(
    ("alike", "is_code"), [([], True), ([3, 8], True), (list(range(1, 20, 4)), False)]
)
def test_squares_of_a_code_change_along_most_lines_between_them(
    alike: list[int], *, is_code: bool
) -> None:
    bits = np.random.default_rng(7).integers(0, 2, (20, 20))
    for (
        row
    ) in alike:  # as the calm between vertebrae goes on over several lines of a grid that fits them
        bits[row + 1 : row + 3] = bits[row]
    for turn in (0, 1):
        view = np.kron(60 + 120 * np.rot90(bits, turn), np.ones((5, 5))).astype(np.uint8)
        corners = np.array(((0, 0), (100, 0), (100, 100), (0, 100)), np.float32)
        assert are_squares_between(view, corners) == is_code


@pytest.mark.parametrize(
    ("kind", "seed"), [("MR spine", 303), ("masked map", 106), ("meshes", 462)]
)
def test_what_a_grid_fits_by_chance_is_no_code(kind: str, seed: int) -> None:
    """Vertebrae; squares of a map that no line runs along as one does along a Data Matrix; rungs."""
    (frame,) = textless(range(seed, seed + 1), only=kind)
    assert codes(views_of(frame.instance)) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("seed", [200, 201])
def test_what_shows_no_code_loses_nothing_to_codes(kind: Any, seed: int) -> None:
    frame = made(kind, seed).values.astype(np.float32)
    low, high = np.percentile(frame, (0.5, 99.5))
    view = ((frame - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
    colour = np.repeat(view[..., None], 3, axis=2) if view.ndim == 2 else view
    assert codes(Picture(np.ascontiguousarray(colour), None)) == []


@pytest.mark.parametrize(
    "widths",
    [
        [6] * 60,
        [6, 12] * 30,
        [width for pitch in range(28, 4, -2) for width in [pitch // 2] * 7 + [24]],
        [2, 12, 2, 12, 2, 12, 2, 12, 6, 12] * 6,
    ],
    ids=["a grid", "a ruler", "line pairs", "ticks of two widths"],
)
def test_bars_in_an_order_have_not_the_widths_of_a_code(widths: list[int]) -> None:
    profile = np.concatenate([np.full(w, 20 + 200 * (n % 2)) for n, w in enumerate(widths)])
    assert not has_widths_of_a_code(profile.astype(np.float32))
    code = np.repeat(modules("Code 128", "H6051369")[0], 4)
    assert has_widths_of_a_code(code.astype(np.float32))


def test_noise_half_way_between_dark_and_bright_has_not_the_widths_of_a_code() -> None:
    steps = np.repeat(np.array([150.0, 175.0, 200.0, 226.0, 251.0]), 140)
    steps[280:420] += np.random.default_rng(1).integers(0, 2, 140)
    assert not has_widths_of_a_code(steps.astype(np.float32))
    code = np.repeat(modules("Code 128", "H6051369")[0], 4) / 255 * 100 + 150
    blurred = np.convolve(np.pad(code, 4, "edge"), np.ones(5) / 5, "same")[4:-4]
    noisy = blurred + np.random.default_rng(2).normal(0, 2, len(blurred))
    assert has_widths_of_a_code(noisy.astype(np.float32))


def test_fields_of_text_and_noise_are_no_codes() -> None:
    view = samples.texture(rows=ROWS, columns=COLUMNS)[..., 0]
    cv2.putText(view, "SMITH JOHN 6051369", (20, 120), 0, 1, 255, 2)
    view[200:] = np.random.default_rng(4).integers(0, 256, view[200:].shape)
    assert list(fields(view, Box(0, 0, COLUMNS, ROWS))) == []


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 300), (300, 1), (7, 9), (2, 2)])
def test_a_frame_without_room_for_a_code_has_none(rows: int, columns: int) -> None:
    grey = np.arange(rows * columns, dtype=np.uint8).reshape(rows, columns)
    assert codes(Picture(np.repeat(grey[..., None], 3, axis=2), grey)) == []


@pytest.mark.parametrize(
    ("kind", "seed"), [("scintigram", 229), ("threads", 287), ("threads", 193), ("screws", 209)]
)
def test_ribs_and_windings_each_row_of_which_is_another_are_no_bars(kind: str, seed: int) -> None:
    (frame,) = textless(range(seed, seed + 2, 2), only=kind)
    assert codes(Picture(views_of(frame.instance).display, None)) == []


@pytest.mark.parametrize(("wide", "is_code"), [(1, False), (2, True)])
def test_bars_are_as_wide_as_a_pixel_shows(wide: int, *, is_code: bool) -> None:
    profile = np.repeat(modules("Code 128", "H6051369")[0], wide).astype(np.float32)
    assert has_widths_of_a_code(profile) == is_code


def test_windings_that_fit_themselves_when_they_are_moved_along_are_no_bars() -> None:
    (spring,) = textless(range(698, 699), only="threads")
    assert codes(Picture(views_of(spring.instance).display, None)) == []


def test_bars_that_lie_aslant_are_bars_though_each_row_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (sample,) = samples_of(range(133, 134), only="codes")
    grey = cv2.cvtColor(views_of(sample.instance).display, cv2.COLOR_RGB2GRAY)
    middle = np.mean(np.reshape(sample.placed[0][2].box, (2, 2)), axis=0)
    whole = Box(0, 0, *grey.shape[::-1])

    def is_found() -> bool:
        found = [corners.astype(np.float32) for corners in fields(grey, whole)]
        return any(cv2.pointPolygonTest(corners, middle, False) > 0 for corners in found)

    assert is_found()
    monkeypatch.setattr(code_shapes, "_MOVED", 1.1)
    assert not is_found()


def test_rows_alike_none_of_which_is_as_their_usual_one_are_bars_where_they_are_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bars = np.repeat(np.random.default_rng(4).integers(0, 2, 60) * 200, 4).astype(np.uint8)
    strip = np.full((80, 240), 100, np.uint8)
    strip[20:60] = bars
    whole = bars_in(strip)
    assert whole is not None
    monkeypatch.setattr(code_shapes, "_OF_BARS", 1.1)
    assert bars_in(strip) == whole


def test_no_set_of_formats_outlives_its_reading() -> None:
    """The library tells of those at the end of the process, below whatever a command said."""
    held = [
        value for value in vars(code_reader).values() if isinstance(value, zxingcpp.BarcodeFormats)
    ]
    assert held == []
