"""What the Quarantine page reads of a place in pixels."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.store.reviewing import found_regions
from deid.errors import Unsafe
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.geometry import Box
from deid.pixels.ports import TextRegion
from deid.ports import DrawnBox
from tests import pixel_samples as samples


class _Finds:
    """A detector that takes most of a picture for text."""

    def find(self, pictures: Any, *, needs_reading: bool = True) -> list[list[TextRegion]]:
        regions = [TextRegion(Box(4, 10 * line, 80, 6), 0.9) for line in range(8)]
        return [regions for _ in pictures]


def test_regions_are_those_that_the_refusal_names() -> None:
    frame = samples.texture()
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], samples.attributes(frame))
    cleaning = PixelCleaning("REDACT_ALL_TEXT", _Finds(), most_filled={"others": 0.1}, margin=0)
    with pytest.raises(Unsafe) as caught:
        cleaning.clean(instance)
    regions = found_regions(caught.value.where)
    assert 0 < len(regions) <= 8
    assert {each.frame for each in regions} == {1}
    assert all(each.width >= 80 or each.left + each.width >= samples.COLUMNS for each in regions)


@pytest.mark.parametrize("where", ["", "(0028,0301)", "frame 3", "box 1 by hand lies outside"])
def test_other_places_name_no_region(where: str) -> None:
    assert found_regions(where) == []


def test_a_region_is_read_with_its_frame() -> None:
    where = "frame 12, 45%: 1,2 30x40, 5,6 7x8 and 3 more"
    assert found_regions(where) == [DrawnBox(12, 1, 2, 30, 40), DrawnBox(12, 5, 6, 7, 8)]
