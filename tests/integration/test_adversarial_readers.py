"""Outputs of the adversarial corpus as readers see them that are not ours: dcmtk and dicom3tools."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.adversarial.corpus import corpus
from tests.adversarial.running import outputs
from tests.adversarial.scorer import dciodvfy_errors, dcmdump_complaints

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("preset", "every"), [("basic", 1), ("research", 5)])
@pytest.mark.peer("dcmdump", "dciodvfy", "dcmconv")
def test_outside_readers_find_no_error_that_the_source_did_not_have(
    preset: str, every: int, tmp_path: Path
) -> None:
    made = {n: output for n, output in outputs(preset).items() if isinstance(output, bytes)}
    places = [place for place in corpus() if place.id in made][::every]
    befores = [tmp_path / f"{number}.before.dcm" for number in range(len(places))]
    afters = [tmp_path / f"{number}.after.dcm" for number in range(len(places))]
    for place, before, after in zip(places, befores, afters, strict=True):
        before.write_bytes(place.content)
        after.write_bytes(made[place.id])
    unreadable = dcmdump_complaints(afters)
    assert {
        place.id: unreadable[after]
        for place, after in zip(places, afters, strict=True)
        if after in unreadable
    } == {}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(partial(_new_errors, tmp_path), befores, afters))
    assert {place.id: new for place, new in zip(places, found, strict=True) if new} == {}


def _new_errors(folder: Path, before: Path, after: Path) -> set[str]:
    errors = dciodvfy_errors(after, folder)
    return errors - dciodvfy_errors(before, folder) if errors else set()
