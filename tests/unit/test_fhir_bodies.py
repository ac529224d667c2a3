"""Bodies of FHIR requests: how long they may be, how they may come, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from daemon.errors import StoreUnavailable
from daemon.fhir.bodies import held_body, read_body, read_form
from daemon.fhir.edge import Edge
from daemon.fhir.errors import FhirError
from daemon.web import bodies
from deid.fhir.pieces import SMALL
from tests.whole_requests import lets_others_run, posted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

JSON: Final = {"Content-Type": "application/fhir+json"}
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
MOST: Final = SMALL + 1000
MIB: Final = 1 << 20


class Patience:
    body_timeout_s = 0.2
    min_bytes_per_s = 1000.0


@asynccontextmanager
async def served(
    handle: Callable[[web.Request], Awaitable[Any]],
) -> AsyncIterator[TestClient[Any, Any]]:
    """Serve what answers with the status of the error that its reading raises."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            await handle(request)
        except FhirError as error:
            return web.Response(status=error.status)
        except TimeoutError:
            return web.Response(status=408)
        return web.Response(status=200)

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/", answered)
    async with TestClient(TestServer(app)) as client:
        yield client


async def in_chunks(chunk: bytes, count: int, pause_s: float = 0.0) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield chunk
        await asyncio.sleep(pause_s)


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize(("length", "status"), [(100, 200), (101, 413)])
async def test_a_body_that_does_not_tell_its_length_may_be_no_longer_than_others(
    length: int, status: int
) -> None:
    async def read(request: web.Request) -> None:
        assert await read_body(request, 100, Patience()) == b" " * length

    async with served(read) as client:
        answer = await client.post("/", data=in_chunks(b" ", length), headers=JSON)
        assert answer.status == status


async def test_a_body_that_drips_is_given_up() -> None:
    async def read(request: web.Request) -> None:
        await read_body(request, MOST, Patience())

    async with served(read) as client:
        dripping = in_chunks(b" ", 150, 0.02)
        with suppress(ConnectionError):
            answer = await client.post("/", data=dripping, headers=JSON)
            assert answer.status == 408


async def test_a_form_is_read_to_its_end_however_it_comes() -> None:
    found: list[list[tuple[str, str]]] = []

    async def read(request: web.Request) -> None:
        found.append(await read_form(request, Patience()))

    async with served(read) as client:
        answer = await client.post("/", data=in_chunks(b"_id=1&", 3, 0.02), headers=FORM)
        assert answer.status == 200
    assert found == [[("_id", "1")] * 3]


@pytest.mark.parametrize(("length", "status"), [(65536, 200), (65537, 400)])
async def test_a_form_has_a_longest_length(length: int, status: int) -> None:
    async def read(request: web.Request) -> None:
        await read_form(request, Patience())

    async with served(read) as client:
        answer = await client.post("/", data=in_chunks(b"a" * length, 1), headers=FORM)
        assert answer.status == status


@pytest.mark.parametrize(("fields", "status"), [(1000, 200), (1001, 400)])
async def test_a_form_has_a_highest_number_of_fields(fields: int, status: int) -> None:
    async def read(request: web.Request) -> None:
        assert len(await read_form(request, Patience())) == fields

    async with served(read) as client:
        form = b"&".join([b"a=1"] * fields)
        answer = await client.post("/", data=form, headers=FORM)
        assert answer.status == status


async def test_others_are_served_while_a_form_is_taken_apart() -> None:
    request = posted(b"a=1&b=%41", FORM["Content-Type"])
    form, others_ran = await lets_others_run(read_form(request, Patience()))
    assert form == [("a", "1"), ("b", "A")]
    assert others_ran


async def test_a_form_that_stands_still_is_given_up() -> None:
    async def read(request: web.Request) -> None:
        await read_form(request, Patience())

    async with served(read) as client:
        answer = await client.post("/", data=in_chunks(b"a", 2, 1.0), headers=FORM)
        assert answer.status == 408


async def test_large_bodies_of_all_requests_have_a_room_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 64 MiB each, what some hundred connections send is more than any memory."""
    monkeypatch.setattr(bodies, "MOST_HELD_BYTES", 3 * MIB)
    is_read, goes_on = asyncio.Event(), asyncio.Event()

    async def read(request: web.Request) -> web.Response:
        await read_body(request, MOST, Patience())
        is_read.set()
        await goes_on.wait()
        return web.Response()

    app = web.Application(middlewares=[Edge(is_writable=True, cors_origins=()).handle_errors])
    app.router.add_post("/", read)
    async with TestClient(TestServer(app)) as client:

        async def post(length: int) -> tuple[int, str]:
            async with client.post("/", data=io.BytesIO(b" " * length), headers=JSON) as answer:
                return answer.status, answer.headers.get("Retry-After", "")

        first = asyncio.create_task(post(3 * MIB))
        await is_read.wait()
        is_read.clear()
        second = asyncio.create_task(post(3 * MIB))
        await asyncio.wait(
            [second, asyncio.ensure_future(is_read.wait())], return_when="FIRST_COMPLETED"
        )
        small = asyncio.create_task(post(MIB))
        await is_read.wait()
        goes_on.set()
        assert await second == (503, "10")
        assert [await each for each in (first, small)] == [(200, "")] * 2
        for _ in range(2):
            assert await post(3 * MIB) == (200, "")


@pytest.mark.parametrize(
    ("length", "status"), [(SMALL, 200), (SMALL + 1, 200), (MOST, 200), (MOST + 1, 413)]
)
async def test_a_large_body_is_in_a_file_as_long_as_it_is_needed(
    tmp_path: Path, length: int, status: int
) -> None:
    held: list[bytes] = []

    async def read(request: web.Request) -> None:
        place = tmp_path / "a.body"
        async with held_body(request, MOST, Patience(), lambda: place) as body:
            assert isinstance(body, Path) == (length > SMALL)
            held.append(body.read_bytes() if isinstance(body, Path) else body)

    async with served(read) as client:
        data = in_chunks(b"x" * length, 1)
        answer = await client.post("/", data=data, headers=JSON)
        assert answer.status == status
    assert held == ([b"x" * length] if status == 200 else [])
    assert left_in(tmp_path) == []


async def test_a_large_body_does_not_stay_where_its_reading_fails(tmp_path: Path) -> None:
    async def read(request: web.Request) -> None:
        async with held_body(request, MOST, Patience(), lambda: tmp_path / "a.body"):
            raise TimeoutError

    async with served(read) as client:
        answer = await client.post("/", data=in_chunks(b"x" * MOST, 1), headers=JSON)
        assert answer.status == 408
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/fhir+xml"}, 415),
        ({**JSON, "Content-Encoding": "gzip"}, 415),
    ],
)
async def test_a_body_is_json_in_utf_8_as_it_is(headers: dict[str, str], status: int) -> None:
    async def read(request: web.Request) -> None:
        await read_body(request, 100, Patience())

    async with served(read) as client:
        answer = await client.post("/", data=in_chunks(b"{}", 1), headers=headers)
        assert answer.status == status


async def test_a_store_that_cannot_be_read_asks_for_a_later_try() -> None:
    async def read(_request: web.Request) -> web.Response:
        raise StoreUnavailable("the database refused: SQLITE_CANTOPEN", "SQLITE_CANTOPEN")

    app = web.Application(middlewares=[Edge(is_writable=True, cors_origins=()).handle_errors])
    app.router.add_get("/Patient", read)
    with capture_logs() as log:
        async with TestClient(TestServer(app)) as client, client.get("/Patient") as answer:
            told = json.loads(await answer.read())
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert [each["event"] for each in log] == ["store_unavailable"]
    assert told["issue"][0]["code"] == "transient"
    assert "SQLITE" not in told["issue"][0]["diagnostics"]
