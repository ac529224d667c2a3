"""The black-box checks pass on both stores of a daemon as it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.black_box import deleting
from tests.black_box.__main__ import READING, STORING, tried
from tests.black_box.asking import Client
from tests.black_box.filling import fill
from tests.service import running, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.black_box.checks import Result


def failed(results: list[Result]) -> list[str]:
    return [
        f"{each.check.section} {each.check.name}: {each.failure}"
        for each in results
        if each.failure
    ]


def test_both_stores_do_what_the_standard_asks(state_dir: Path, tmp_path: Path) -> None:
    with running(state_dir, tmp_path, is_prepared=True) as daemon:
        source, result = (f"{daemon.http}/dicomweb/{store}" for store in ("source", "deid"))
        count = fill(source)
        with Client(result) as client:
            wait_until(
                lambda: len(client.ask("/instances?limit=500").json) >= count,
                what="everything is de-identified",
                deadline_s=500,
            )
        # Where the service itself lets nobody delete, the API of its stores does.
        api = f"{daemon.http}/v1/projects/local/locations/local/datasets/default/dicomStores"
        for root, name in ((result, "deid"), (source, "source")):
            deletes = f"{api}/{name}/dicomWeb"
            results = tried(root, store=name == "source", delete=True, deletes=deletes)
            assert failed(results) == []


def test_there_are_as_many_checks_as_are_told_and_each_has_a_name_of_its_own() -> None:
    names = [check.name for check in (*READING, *STORING, *deleting.checks(is_writable=True))]
    assert len(set(names)) == len(names)
    assert len(READING) >= 270
    assert all(check.section for check in (*READING, *STORING))
