"""Outputs of the adversarial corpus as readers see them that are not ours: dcmtk and dicom3tools."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.adversarial.corpus import HidingPlace, corpus
from tests.adversarial.running import outputs
from tests.adversarial.scorer import dciodvfy_errors, dcmdump_complaint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("preset", "every"), [("basic", 1), ("research", 5)])
@pytest.mark.peer("dcmdump", "dciodvfy", "dcmconv")
def test_outside_readers_find_no_error_that_the_source_did_not_have(
    preset: str, every: int, tmp_path: Path
) -> None:
    made = {n: output for n, output in outputs(preset).items() if isinstance(output, bytes)}
    places = [place for place in corpus() if place.id in made][::every]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(partial(_new_errors, made, tmp_path), enumerate(places)))
    assert {place.id: new for place, new in zip(places, found, strict=True) if new} == {}


def _new_errors(
    made: dict[str, bytes], folder: Path, numbered: tuple[int, HidingPlace]
) -> set[str]:
    number, place = numbered
    before, after = folder / f"{number}.before.dcm", folder / f"{number}.after.dcm"
    before.write_bytes(place.content)
    after.write_bytes(made[place.id])
    complaint = dcmdump_complaint(after)
    if complaint:
        return {complaint}
    errors = dciodvfy_errors(after, folder)
    return errors - dciodvfy_errors(before, folder) if errors else set()
