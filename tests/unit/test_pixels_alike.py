"""How alike the parts of a line are: letters differ, the parts of devices repeat one."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from deid.pixels.find.alike import evenness, features_of_lines

_RETURNS, _NEIGHBOURS, _DIFFERENT = 0, 7, 10


def _of(line: Any) -> list[float]:
    (found,) = features_of_lines([line], [line > 127])
    return [float(figure) for figure in found]


def _letters(text: str) -> Any:
    line = np.zeros((23, 240), np.uint8)
    cv2.putText(line, text, (4, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    return line


def _teeth() -> Any:
    line = np.zeros((23, 240), np.uint8)
    for left in range(6, 230, 14):
        cv2.line(line, (left, 20), (left + 5, 3), 255, 2)
    return line


def _thread() -> Any:
    line = np.zeros((23, 240), np.uint8)
    line[9:14] = 255
    line[2:21, 4::9] = 255
    return line


@pytest.mark.parametrize("device", [_teeth(), _thread()], ids=["teeth", "a thread"])
def test_devices_fit_themselves_when_moved_along_and_letters_do_not(device: Any) -> None:
    assert _of(device)[_RETURNS] > 0.9
    assert _of(_letters("MUELLER HANS"))[_RETURNS] < 0.7


def test_neighbouring_teeth_are_alike_and_letters_are_not() -> None:
    assert _of(_teeth())[_NEIGHBOURS] == pytest.approx(1, abs=0.05)
    assert _of(_letters("MUELLER HANS"))[_NEIGHBOURS] < 0.5
    assert _of(_teeth())[_DIFFERENT] < 0.2 < _of(_letters("MUELLER HANS"))[_DIFFERENT]


def test_a_line_has_the_same_figures_alone_as_among_others() -> None:
    lines = [_letters("MUELLER HANS"), _teeth(), _thread(), _letters("X")]
    lines += [line[:, :columns] for line in lines for columns in (4, 13, 100, 161)]
    together = features_of_lines(lines, [line > 127 for line in lines]).tolist()
    assert together == [_of(line) for line in lines]
    assert len({tuple(found) for found in together}) > 12


@pytest.mark.parametrize("columns", [4, 5, 12, 480])
def test_a_line_of_any_length_and_of_nothing_has_figures(columns: int) -> None:
    for level in (0, 255):
        line = np.full((23, columns), level, np.uint8)
        found = [*_of(line), evenness(line, line > 127)]
        assert len(found) == 14
        assert np.isfinite(found).all()


def test_lettering_has_one_colour_and_a_map_has_many() -> None:
    is_ink = _letters("MUELLER HANS") > 127
    lettering = np.where(is_ink[..., None], np.array((255, 255, 0)), 0).astype(np.uint8)
    ramp = np.linspace(0, 255, is_ink.shape[1]).astype(np.uint8)
    colours = np.zeros_like(lettering)
    colours[..., 0], colours[..., 2] = ramp, 255 - ramp
    assert evenness(lettering, is_ink) == pytest.approx(1)
    assert evenness(colours, is_ink) < 0.5
