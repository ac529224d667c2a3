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

    from tests.adversarial.corpus import HidingPlace


@pytest.mark.parametrize(("preset", "every"), [("basic", 1), ("research", 5)])
@pytest.mark.peer("dcmdump", "dciodvfy", "dcmconv")
def test_outside_readers_find_no_error_that_the_source_did_not_have(
    preset: str, every: int, tmp_path: Path
) -> None:
    made = {n: output for n, output in outputs(preset).items() if isinstance(output, bytes)}
    places = [place for place in corpus() if place.id in made][::every]
    # Where what was planted goes, most outputs are the same: each is read once.
    files: dict[bytes, Path] = {}
    for place in places:
        output = made[place.id]
        if output not in files:
            files[output] = tmp_path / f"{len(files)}.dcm"
            files[output].write_bytes(output)
    after = {place.id: files[made[place.id]] for place in places}
    unreadable = dcmdump_complaints([*files.values()])
    assert {name: unreadable[file] for name, file in after.items() if file in unreadable} == {}
    with ThreadPoolExecutor(4) as pool:
        told = pool.map(partial(dciodvfy_errors, folder=tmp_path), files.values())
        errors = dict(zip(files.values(), told, strict=True))
        faulty = [place for place in places if errors[after[place.id]]]
        before = pool.map(partial(_errors_of_source, tmp_path), faulty)
        new = {
            place.id: errors[after[place.id]] - had
            for place, had in zip(faulty, before, strict=True)
        }
    assert {name: each for name, each in new.items() if each} == {}


def _errors_of_source(folder: Path, place: HidingPlace) -> set[str]:
    file = folder / f"{place.id.replace('/', '_')}.dcm"
    file.write_bytes(place.content)
    return dciodvfy_errors(file, folder)
