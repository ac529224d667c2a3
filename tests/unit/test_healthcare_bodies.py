"""Bodies of requests to the API: that stand still, over real sockets, and that say very much."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from daemon.errors import StoreUnavailable
from daemon.healthcare import bodies, service
from daemon.healthcare.errors import InvalidArgument, TooLarge
from daemon.healthcare.relay import Address, Relay
from daemon.web import bodies as web_bodies
from tests.whole_requests import lets_others_run, posted

if TYPE_CHECKING:
    from collections.abc import Hashable

    from daemon.healthcare.calls import Call

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
CREATE = "projects.locations.datasets.create"
DATASETS = "/v1/projects/p/locations/l/datasets"


class Patience:
    body_timeout_s = 0.2
    min_bytes_per_s = 1000.0


class OneStore:
    async def find(self, address: Address) -> Hashable:
        return address

    def application(self, store: Hashable) -> web.Application:
        assert isinstance(store, Address)
        return web.Application()


async def _never(call: Call) -> dict[str, Any]:
    raise AssertionError(call)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"{DATASETS}?datasetId=d", [JSON]),
        (DATASETS, [FORM, "X-HTTP-Method-Override: GET"]),
        (f"{DATASETS}/d/fhirStores/f/fhir/Patient/_search", [JSON]),
    ],
)
async def test_a_body_that_stands_still_is_given_up(path: str, headers: list[str]) -> None:
    patience = Patience()
    handlers = {f"projects.locations.datasets.{name}": _never for name in ("create", "list")}
    app = web.Application()
    for prefix, api in service.applications(
        handlers, patience, Relay(OneStore(), patience)
    ).items():
        app.add_subapp(prefix, api)
    async with TestServer(app) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Length: 10", *headers]
        writer.write("\r\n".join([*head, "", "{"]).encode())
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 240)
        writer.close()


async def test_others_are_served_while_a_body_is_parsed() -> None:
    request = posted(b'{"timeZone": "UTC"}', "application/json")
    body, others_ran = await lets_others_run(bodies.read(request, Patience()))
    assert body == {"timeZone": "UTC"}
    assert others_ran


@pytest.mark.parametrize(
    ("piece", "most"), [(b"1,", 99_999), (b"[],", 50_000), (b"{},", 50_000), (b"''", 199_998)]
)
async def test_a_body_of_very_many_values_is_refused_unread(piece: bytes, most: int) -> None:
    """Of some millions nobody else is served for a second, though they are parsed beside the loop."""

    def saying(count: int) -> web.Request:
        return posted(b"{'a':'" + piece * count, "application/json")

    with pytest.raises(InvalidArgument):  # read, and no JSON
        await bodies.read(saying(most - 1), Patience())
    with pytest.raises(TooLarge, match="values"):
        await bodies.read(saying(most + 2), Patience())


async def test_large_bodies_of_all_requests_have_a_room_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_bodies, "MOST_HELD_BYTES", 3 << 20)
    large = b'{"a": "' + b" " * (3 << 20) + b'"}'
    patience = Patience()
    app = web.Application()
    for prefix, api in service.applications({CREATE: _never}, patience).items():
        app.add_subapp(prefix, api)
    other = posted(b"", "application/json")
    async with TestClient(TestServer(app)) as client:
        web_bodies.HELD.note(other, 3 << 20)
        full = await client.post(
            DATASETS, data=io.BytesIO(large), headers={"Content-Type": "application/json"}
        )
        assert (full.status, (await full.json())["error"]["status"]) == (503, "UNAVAILABLE")
        web_bodies.HELD.let_go(other)
        for _ in range(2):
            request = posted(large, "application/json")
            assert len((await bodies.read(request, patience))["a"]) == 3 << 20
            web_bodies.HELD.let_go(request)
            answer = await client.post(
                DATASETS, data=io.BytesIO(large), headers={"Content-Type": "application/json"}
            )
            assert answer.status == 500  # it came to who answers it


@pytest.mark.parametrize(("fields", "status"), [(12_000, 200), (12_001, 400)])
async def test_a_form_has_as_many_fields_as_a_search_may_have_uids(
    fields: int, status: int
) -> None:
    async def listed(call: Call) -> dict[str, Any]:
        return {"count": len(call.query)}

    patience = Patience()
    handlers = {"projects.locations.datasets.list": listed}
    app = web.Application()
    for prefix, api in service.applications(handlers, patience).items():
        app.add_subapp(prefix, api)
    async with TestClient(TestServer(app)) as client:
        form = "&".join(f"n{number}=1" for number in range(fields))
        headers = {"X-HTTP-Method-Override": "GET", "Content-Type": FORM.partition(": ")[2]}
        answer = await client.post(DATASETS, data=form, headers=headers)
        assert answer.status == status
        assert (await answer.json()).get("count", 12_001) == fields


async def test_a_store_that_cannot_be_read_is_logged_and_asks_for_a_later_try() -> None:
    async def away(_call: Call) -> dict[str, Any]:
        raise StoreUnavailable("the database refused: SQLITE_CANTOPEN", "SQLITE_CANTOPEN")

    app = web.Application()
    listed = {"projects.locations.datasets.list": away}
    for prefix, api in service.applications(listed, Patience()).items():
        app.add_subapp(prefix, api)
    with capture_logs() as log:
        async with TestClient(TestServer(app)) as client, client.get(DATASETS) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
            assert "SQLITE" not in await answer.text()
    assert [each["event"] for each in log] == ["store_unavailable"]
