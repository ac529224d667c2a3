"""Bodies of requests to the API that stand still, over real sockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from daemon.healthcare import service
from daemon.healthcare.relay import Address, Relay

if TYPE_CHECKING:
    from collections.abc import Hashable

    from daemon.healthcare.calls import Call

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
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
