"""Batches: what a failure that is no entry's fault costs. Who stores is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiohttp import ClientPayloadError, web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from daemon.fhir.errors import Conflict, Unavailable
from daemon.fhir.executing import Executing
from daemon.fhir.large_batches import answer_in_pieces
from daemon.fhir.ports import Changed
from daemon.pipeline.fhir_reading import read_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.fhir.ports import Change, ResourceSink
    from daemon.resources import ReadDocument

COUNT = 5


class Full:
    """A store without room; notes how many changes it is asked for each time."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def change(self, changes: Sequence[Change]) -> Any:
        self.asked.append(len(changes))
        raise Unavailable("no room now; send it again later")


def batch() -> ReadDocument:
    entries = [
        {
            "resource": {"resourceType": "Patient", "id": f"p{number}"},
            "request": {"method": "PUT", "url": f"Patient/p{number}"},
        }
        for number in range(COUNT)
    ]
    body = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()
    return read_document(body, {})


def executing(sink: ResourceSink) -> Executing:
    anything = cast("Any", None)
    return Executing(
        anything, sink, anything, is_type=lambda _type: True, answer=anything, root="http://here"
    )


async def test_without_room_nothing_is_tried_again() -> None:
    sink = Full()
    answers = [json.loads(each) for each in await executing(sink).batch(batch())]
    assert [each["response"]["status"] for each in answers] == ["503"] * COUNT
    assert sink.asked == [COUNT]


class Contested:
    """A store in which so many times somebody makes what a transaction had not found."""

    def __init__(self, others: int) -> None:
        self.others = others
        self.asked = 0

    async def change(self, changes: Sequence[Change]) -> list[Changed]:
        self.asked += 1
        if self.asked <= self.others:
            raise Conflict("what a condition means has changed meanwhile")
        return [Changed(None) for _ in changes]


@pytest.mark.parametrize(("others", "asked"), [(0, 1), (2, 3), (9, 3)])
async def test_a_transaction_is_begun_anew_a_few_times_when_a_condition_changed(
    others: int, asked: int
) -> None:
    sink = Contested(others)
    document = replace(batch(), bundle_type="transaction")
    if others < asked:
        assert len(await executing(sink).execute(b"", document)) == COUNT
    else:
        with pytest.raises(Conflict):
            await executing(sink).execute(b"", document)
    assert sink.asked == asked


class Failing:
    """A large document in which a bug of ours comes up after its first entries."""

    def __init__(self) -> None:
        self.summary = batch()
        self._some = [self.summary]

    async def next(self) -> ReadDocument | None:
        if self._some:
            return self._some.pop()
        raise ValueError


async def test_an_answer_is_cut_short_where_a_bug_comes_up_and_the_log_tells() -> None:
    async def answered(request: web.Request) -> web.StreamResponse:
        return await answer_in_pieces(request, executing(Full()), Failing())

    app = web.Application()
    app.router.add_post("/", answered)
    with capture_logs() as log:
        async with TestClient(TestServer(app)) as client:
            answer = await client.post("/", data=b"{}")
            assert answer.status == 200
            with pytest.raises(ClientPayloadError):
                await answer.read()
    assert [(each["event"], each["error"]) for each in log] == [
        ("fhir_request_failed", "ValueError")
    ]
