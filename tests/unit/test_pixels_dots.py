"""Lettering of single dots: where it is looked for, that its dots are joined, and that it is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from deid.pixels.find.dots import dotted_areas, with_dots_joined
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _dotted(text: str, *, step: int, at: tuple[int, int] = (60, 80)) -> NDArray[Any]:
    """Return a black view, shape (240, 480, 3), with text of grey dots `step` pixels apart."""
    image = Image.new("1", (200, 12), 0)
    ImageDraw.Draw(image).text((0, 0), text, 1, font=ImageFont.load_default_imagefont())
    dots = np.asarray(image, np.uint8).repeat(step, 0).repeat(step, 1) * 170
    dots[::step] = 0
    dots[:, ::step] = 0
    columns = np.flatnonzero(dots.any(axis=0))
    dots = dots[:, : columns.max() + 1]
    view = np.zeros((240, 480, 3), np.uint8)
    left, top = at
    view[top : top + dots.shape[0], left : left + dots.shape[1]] = dots[..., None]
    return view


def _ink(view: NDArray[Any]) -> Box:
    rows, columns = np.nonzero(view[..., 0] == 170)
    left, top = int(columns.min()), int(rows.min())
    return Box(left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top)


@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("is_dark", [False, True])
def test_lettering_of_dots_is_one_dotted_area(step: int, is_dark: bool) -> None:
    view = _dotted("SMITH JOHN", step=step)
    (area,) = dotted_areas(255 - view if is_dark else view)
    assert area.contains(_ink(view))
    assert area.area < view.shape[0] * view.shape[1] // 3


def test_strokes_and_texture_are_no_dotted_areas() -> None:
    plain = np.zeros((240, 480, 3), np.uint8)
    for row, thickness in ((60, 1), (120, 2), (180, 3)):
        cv2.putText(plain, "SMITH JOHN", (40, row), 0, 0.8, (170, 170, 170), thickness)
    texture = np.repeat(samples.texture(rows=240, columns=480), 3, axis=2)
    assert dotted_areas(plain) == []
    assert dotted_areas(np.ascontiguousarray(texture)) == []


@pytest.mark.parametrize("is_dark", [False, True])
def test_dots_are_joined_to_strokes_inside_their_areas_only(is_dark: bool) -> None:
    view = _dotted("SMITH", step=3) + _dotted("SMITH", step=3, at=(60, 160))
    shown = 255 - view if is_dark else view
    given = shown.copy()
    joined = with_dots_joined(shown, [Box(40, 70, 200, 60)])
    assert len(dotted_areas(shown)) == 2
    assert [area.top > 130 for area in dotted_areas(joined)] == [True]
    assert np.array_equal(joined[130:], shown[130:])
    assert np.array_equal(shown, given)


@pytest.mark.parametrize("step", [2, 3])
def test_a_name_in_dots_is_found_and_read(step: int) -> None:
    view = _dotted("SMITH JOHN", step=step)
    (regions,) = samples.detector().find([Picture(view, view[..., 0].copy())])
    ink = _ink(view)
    found = [region for region in regions if region.box.grown(2).contains(ink)]
    assert [region.text.replace(" ", "") for region in found] == ["SMITHJOHN"]


def test_an_identifier_in_dots_across_something_bright_is_found() -> None:
    dots = _dotted("ACC A53633424", step=3)
    view = np.zeros_like(dots)
    view[:, 150:210] = 255
    view[dots > 0] = 170
    (regions,) = samples.detector().find([Picture(view, view[..., 0].copy())])
    assert [region.text for region in regions if region.box.grown(2).contains(_ink(dots))] == [
        "ACC A53633424"
    ]
