"""What is known of very many people lies in one file of a run, for all its workers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import orjson
import pytest

import deid
from daemon.batch import resources
from daemon.batch.crowds import Crowds, crowds_of_run
from daemon.batch.errors import BatchFailed
from daemon.batch.inputs import Input
from daemon.batch.sources import Sources, place_of
from daemon.batch.survey import Survey
from daemon.batch.work import BatchWork
from daemon.receive.archive import ArchiveLimits
from daemon.workers.frames import Message
from deid.text.crowd import Gathering
from tests.benchmarks.fhir_people import CONFIGURATION, people

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.workers.pool import WorkerPool

EVERYBODY = people(40)


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of many people, and have it taken for large."""
    monkeypatch.setattr(resources, "SMALL", 200)
    monkeypatch.setattr(resources, "MOST_AT_ONCE", 30)
    path = tmp_path / "everybody.ndjson"
    path.write_bytes(
        b"".join(
            orjson.dumps(
                {"resourceType": "Practitioner", "id": f"p{at}", "name": [{"family": each.family}]}
            )
            + b"\n"
            for at, each in enumerate(EVERYBODY)
        )
    )
    return path


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    with crowds_of_run(str(tmp_path)) as found:
        yield found


def told(document: Path, path: str, out: Path) -> dict[str, Any]:
    plan = deid.compile_plan(CONFIGURATION, deid.SiteKey(bytes(range(32))))
    work = BatchWork(plan, str(out), Sources(ArchiveLimits()), Crowds(path, str(out)))
    return work.process(Message(place_of(Input(str(document))))).header


def test_a_group_of_very_many_is_told_as_a_crowd(document: Path, path: str, tmp_path: Path) -> None:
    answer = told(document, path, tmp_path)
    assert [each["identifiers"] for each in answer["resources"]] == [[]]
    _digest, *place = answer["crowd"]
    (crowd,) = Crowds(path, str(tmp_path)).at([place])
    for each in EVERYBODY:
        assert crowd.those_in([f"seen by {each.family.lower()}"])
    assert crowd.those_in(["seen by nobody"]) == ()


def test_a_group_that_is_not_is_told_one_by_one(
    document: Path, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "MOST_AT_ONCE", 40)
    answer = told(document, path, tmp_path)
    assert [len(each["identifiers"]) for each in answer["resources"]] == [40]
    assert answer["crowd"] == [""]


def test_crowds_lie_one_after_the_other(path: str, tmp_path: Path) -> None:
    places = []
    for each in EVERYBODY[:3]:
        crowds = Crowds(path, str(tmp_path))
        with crowds.scratch() as file:
            gathering = Gathering(file)
            gathering.add([deid.KnownIdentifier(each.family, "PERSON_NAME")])
            gathering.finish()
            places.append(crowds.append(file))
    for each, crowd in zip(EVERYBODY, Crowds(path, str(tmp_path)).at(places), strict=False):
        assert [known.value for known in crowd.those_in([each.family])] == [each.family]
        assert crowd.those_in([EVERYBODY[-1].family]) == ()


def test_nothing_of_a_crowd_has_a_name(document: Path, path: str, tmp_path: Path) -> None:
    told(document, path, tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [document.name]
    assert os.stat(path).st_nlink == 0  # noqa: PTH116 - an open file's, not a path's


def test_no_room_for_a_crowd_ends_the_run(document: Path, tmp_path: Path) -> None:
    assert told(document, "/proc/self/fd/1000000", tmp_path) == {"errno": "ENOENT"}


async def test_no_room_for_a_crowd_is_no_file_that_tells_nothing() -> None:
    class Full:
        async def run(self, _job: Message, _size: int = 0) -> Message:
            return Message({"errno": "ENOSPC"})

    pool: WorkerPool = Full()  # type: ignore[assignment]
    with pytest.raises(ExceptionGroup) as failure:
        await Survey().identify(iter([Input("everybody.ndjson")]), pool)
    assert failure.group_contains(BatchFailed)
