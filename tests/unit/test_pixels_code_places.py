"""Cheap evidence tells where a code may be, whatever its kind and size; most of a frame has none of it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import zxingcpp

from deid.pixels.find import code_reader
from deid.pixels.find import codes as codes_module
from deid.pixels.find.code_places import places_of_codes
from deid.pixels.find.codes import codes
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
from tests import pixel_samples as samples
from tests.benchmarks.pixels.codes import SYMBOLOGIES, modules, some_value

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _drawn(symbology: str, side: int) -> NDArray[np.uint8]:
    """Return a code without a quiet zone, 20 and 220."""
    code = modules(symbology, some_value(Random(symbology), symbology))
    if len(code) == 1:
        code = np.repeat(code, 12, axis=0)
    drawn: NDArray[np.uint8] = 20 + np.kron(code, np.ones((side, side), np.uint8)) // 255 * 200
    return drawn


def _on_tissue(code: NDArray[np.uint8], left: int, top: int) -> tuple[NDArray[Any], Box]:
    """Return a view of smooth noise with a code somewhere in its middle, and where."""
    rows, columns = code.shape
    view = samples.texture(rows=rows + 200, columns=columns + 200)[..., 0] // 2 + 30
    view[top : top + rows, left : left + columns] = code
    return np.ascontiguousarray(view), Box(left, top, columns, rows)


def _has_place_around(view: NDArray[Any], code: Box) -> bool:
    """Whether a place at some scale has all of a code in it."""
    scale = 1
    while min(view.shape) >= 32:
        for place in places_of_codes(view):
            left, top, width, height = (scale * side for side in place)
            if Box(left, top, width, height).contains(code):
                return True
        view = cv2.resize(view, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        scale *= 2
    return False


@pytest.mark.parametrize("symbology", SYMBOLOGIES)
@pytest.mark.parametrize("side", [2, 3, 5, 8, 13])
@pytest.mark.parametrize("is_inverted", [False, True])
def test_a_code_of_any_size_lies_in_one_place(symbology: str, side: int, is_inverted: bool) -> None:
    code = _drawn(symbology, side)
    view, at = _on_tissue(240 - code if is_inverted else code, 77, 59)
    assert _has_place_around(view, at)


@pytest.mark.parametrize(
    "change",
    [
        lambda code: 100 + code // 8,
        lambda code: cv2.GaussianBlur(code, (0, 0), 1.2),
        lambda code: (code + np.random.default_rng(1).normal(0, 25, code.shape)).clip(0, 255),
        np.rot90,
    ],
    ids=["faint", "blurred", "noisy", "turned"],
)
@pytest.mark.parametrize("symbology", SYMBOLOGIES)
def test_a_code_that_is_hard_to_see_lies_in_one_place(symbology: str, change: Any) -> None:
    view, at = _on_tissue(np.asarray(change(_drawn(symbology, 3)), np.uint8), 77, 59)
    assert _has_place_around(view, at)


def _organ(noise: np.random.Generator) -> NDArray[Any]:
    drawn = np.zeros((400, 400), np.float32)
    cv2.ellipse(drawn, (200, 200), (150, 110), 20, 0, 360, 120, -1)
    cv2.ellipse(drawn, (150, 180), (40, 20), 60, 0, 360, 250, -1)
    return drawn + noise.normal(0, 8, drawn.shape)


@pytest.mark.parametrize(
    "make",
    [
        lambda noise: noise.normal(128, 30, (400, 400)),
        lambda noise: cv2.GaussianBlur(noise.normal(128, 90, (400, 400)), (0, 0), 1.5),
        lambda noise: 128 + 2 * noise.integers(0, 2, (400, 400)),
        lambda _: np.linspace(0, 255, 400)[None].repeat(400, axis=0),
        lambda _: 200 * (np.arange(400) > 201)[None].repeat(400, axis=0),
        _organ,
    ],
    ids=["noise", "speckle", "last bit", "ramp", "edge", "organ"],
)
def test_what_is_no_code_is_no_place(make: Any) -> None:
    view = np.asarray(make(np.random.default_rng(3)).clip(0, 255), np.uint8)
    assert places_of_codes(view) == []


@pytest.mark.parametrize("symbology", ["Code 128", "Data Matrix", "PDF417"])
@pytest.mark.parametrize("offset", range(0, 24, 5))
def test_a_code_is_found_wherever_it_lies_on_the_grid_of_cells(symbology: str, offset: int) -> None:
    view, at = _on_tissue(_drawn(symbology, 2), 60 + offset, 40 + 23 - offset)
    found = codes(Picture(cv2.cvtColor(view, cv2.COLOR_GRAY2RGB), None))
    assert max(region.box.overlap(at) for region in found) > 0.95 * at.area
    assert all(at.grown(at.height).contains(region.box) for region in found)


def test_bars_that_go_on_beyond_their_place_are_found_whole() -> None:
    bars = _drawn("Code 128", 2)
    bars[:, :40] = bars[:, 40:80]  # no reader reads it
    view, at = _on_tissue(bars, 77, 59)
    half = Box(at.left - 10, at.top - 20, at.width // 2, at.height + 40)
    corners = np.concatenate(codes_module._whole_fields(view, half))
    assert corners[:, 0].min() < at.left + 10
    assert corners[:, 0].max() > at.right - 10


def test_the_reader_is_given_whole_squares_of_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    view, at = _on_tissue(_drawn("Data Matrix", 2), 77, 59)
    given: list[NDArray[Any]] = []

    def read(part: NDArray[Any], **_: Any) -> list[Any]:
        given.append(part)
        return []

    monkeypatch.setattr(zxingcpp, "read_barcodes", read)
    assert list(code_reader.read_in(view, at.grown(5))) == []
    squares, inverted, rows, columns = given
    assert (view[48:88, 72:112] == squares).all()
    assert (255 - view[48:88, 72:112] == inverted).all()
    assert (view[48:88, 8:176] == rows).all()
    assert (view[:152, 72:112] == columns.T).all()


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("symbology", ["Code 128", "EAN-13", "QR Code"])
def test_what_is_read_lies_where_it_is_shown_however_it_is_turned(
    symbology: str, turn: int
) -> None:
    code = np.pad(_drawn(symbology, 2), 20, constant_values=220)
    view, at = _on_tissue(np.rot90(code, turn), 77, 59)
    found = np.concatenate(list(code_reader.read_in(view, at)))
    inner = at.grown(-20)
    ends = (inner.left, inner.top, inner.right, inner.bottom)
    assert np.abs(np.concatenate((found.min(axis=0), found.max(axis=0))) - ends).max() < 4


def test_bars_are_followed_along_any_line_between_pixels() -> None:
    """A line of 42.5 pixels, moved, is a little longer or shorter as numbers of a computer go."""
    view = samples.texture(rows=160, columns=160)[..., 0]
    corners = np.array(((60, 60), (85, 94), (86, 94), (60, 60)), np.float32)
    assert len(code_reader._whole_bars(np.ascontiguousarray(view), corners)) == 8
