"""A line of several columns is parted where nothing stands between them, if some of it may stay."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import pytest

from daemon.engines.models import make_detector
from deid.pixels.find.candidates import candidate, corners_of
from deid.pixels.find.columns import in_columns
from deid.pixels.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.pixels.find.reading import Recogniser

#: Columns of the picture where a text begins and ends.
Placed = tuple[str, int, int]


def _line(*texts: str, apart: int, height: int = 60) -> tuple[NDArray[Any], list[Placed]]:
    """Return a picture of texts on one line, so many pixels apart."""
    display = np.zeros((height, 900, 3), np.uint8)
    at, placed = 20, []
    for text in texts:
        cv2.putText(display, text, (at, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (230, 230, 230), 2)
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.8, 2)
        placed.append((text, at, at + width))
        at += width + apart
    return display[:, : at - apart + 20], placed


def _regions(display: NDArray[Any], *, needs_reading: bool = True) -> list[tuple[str, Box]]:
    found = candidate(corners_of(Box(12, 14, display.shape[1] - 24, 34)), 0.9, 0)
    regions = make_detector()._regions([display], found, needs_reading=needs_reading)
    return [(region.text, region.box) for region in regions]


@pytest.mark.parametrize(
    "texts",
    [
        ("MI 0.8", "Kowalczyk, Jan"),
        ("Kowalczyk, Jan", "MI 0.8"),
        ("Focus 6 cm", "KOWALCZYK, JAN", "FR 32"),
    ],
)
def test_what_may_stay_beside_a_name_is_a_text_of_its_own(texts: tuple[str, ...]) -> None:
    display, placed = _line(*texts, apart=45)
    found = _regions(display)
    assert [text.replace(" ", "") for text, _ in found] == [text.replace(" ", "") for text in texts]
    for (_, box), (_, begin, end) in zip(found, placed, strict=True):
        assert box.left <= begin
        assert end <= box.right
    for (_, box), (_, following) in pairwise(found):
        assert box.right >= following.left >= box.right - 2


@pytest.mark.parametrize(
    ("texts", "apart"),
    [
        (("MI 0.8", "Kowalczyk, Jan"), 14),  # as words of one text
        (("Kowalczyk", "Jan"), 45),  # neither may stay
        (("MI 0.8", "Focus 6 cm"), 45),  # nothing would go
        (("MAX", "118 HU"), 45),  # stays as one, and not in parts
        (("Kowalczyk", "84512"), 45),  # a mere number may be whose the name is
        (("Kowalczyk, Jan",), 0),
    ],
)
def test_a_line_that_is_one_text_or_goes_or_stays_whole_is_not_parted(
    texts: tuple[str, ...], apart: int
) -> None:
    display, _ = _line(*texts, apart=apart)
    assert len(_regions(display)) == 1


def test_what_nobody_needs_to_read_is_not_parted() -> None:
    display, _ = _line("MI 0.8", "Kowalczyk, Jan", apart=45)
    assert [text for text, _ in _regions(display, needs_reading=False)] == [""]


class _Told:
    """A recogniser that reads a line as it is told, and its parts one after the other."""

    def __init__(self, *parts: tuple[str, float]) -> None:
        self._parts = list(parts)

    def places(self, _views: object, _found: object) -> list[tuple[str, float]]:
        return [("M", 0.05), ("I", 0.1), (" ", 0.3), ("J", 0.9), ("o", 0.95)]

    def may_stay(self, text: str) -> bool:
        return text == "MI"

    def readings(self, _views: object, _found: object) -> list[tuple[str, float]]:
        return [self._parts.pop(0)]


@pytest.mark.parametrize(
    ("line", "parts", "columns"),
    [
        (("MI Jo", 0.95), (("MI", 0.95), ("Jo", 0.92)), 2),
        (("MI Jo", 0.95), (("MI", 0.95), ("J o", 0.92)), 2),
        (("MI Jo", 0.95), (("MI", 0.95), ("Jon", 0.92)), 0),
        (("MI Jo", 0.95), (("MI", 0.95), ("Jo", 0.88)), 0),
        (("MI Jo", 0.95), (("MI", 0.88), ("Jo", 0.95)), 0),
        (("MI Jo", 0.88), (("MI", 0.95), ("Jo", 0.95)), 0),
        (("MI Jon", 0.95), (("MI", 0.95), ("Jo", 0.95)), 0),
    ],
)
def test_columns_count_where_all_is_read_surely_and_as_the_line_was(
    line: tuple[str, float], parts: tuple[tuple[str, float], ...], columns: int
) -> None:
    found = candidate(corners_of(Box(10, 10, 100, 20)), 0.9, 0)
    told = in_columns(cast("Recogniser", _Told(*parts)), [], found, line)
    assert len(told) == columns
    assert [readings[0] for _, readings in told] == list(parts[:columns])
