"""Requests that web pages of others send, over real sockets: which are answered, and how."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from config.settings import Http
from daemon.web.callers import Callers
from daemon.web.server import HttpServer
from tests.integration.test_web_server import Well

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CALLERS = Callers(
    hosts=("Veil.hospital.example",),
    public_root="https://pacs.example:8443/veil",
    origins={
        "/dicomweb/source": ("https://viewer.example",),
        "/dicomweb/deid": ("*",),
    },
)


@contextlib.asynccontextmanager
async def serving(callers: Callers = CALLERS) -> AsyncIterator[int]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="taken\n")

    services = {}
    for path in ("/dicomweb/source", "/dicomweb/deid"):
        services[path] = web.Application()
        services[path].add_routes([web.route("*", "/studies", answer)])
    server = HttpServer(Http(port=0), services, Well(), lambda *_: None, callers=callers)
    await server.start()
    try:
        yield server.port
    finally:
        await server.stop()


async def ask(port: int, *lines: str, version: str = "HTTP/1.1") -> tuple[int, str]:
    """Send a header (and no body); return the status and the whole answer."""
    first, *headers = lines
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = [f"{first} {version}", *headers, "Connection: close", "Content-Length: 0"]
    writer.write("\r\n".join([*head, "", ""]).encode())
    answer = (await asyncio.wait_for(reader.read(), 240)).decode("latin-1")
    writer.close()
    return int(answer.split()[1]), answer


READ = "GET /dicomweb/source/studies"
STORE = "POST /dicomweb/source/studies"
STORE_RESULT = "POST /dicomweb/deid/studies"
HERE = "Host: 127.0.0.1:8080"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "localhost.:8080",
        "127.0.0.1",
        "127.0.0.1:8080",
        "127.9.9.9:1",
        "[::1]:8080",
        "ip6-localhost",
        "veil.hospital.example",
        "VEIL.hospital.example:8080",
        "pacs.example",
        "pacs.example:8443",
    ],
)
async def test_a_name_of_ours_is_answered(host: str) -> None:
    async with serving() as port:
        assert (await ask(port, READ, f"Host: {host}"))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example.localhost.",
        "10.1.2.3",
        "[fd00::1]",
        "",
        "hospital.example",
        "notpacs.example",
    ],
)
async def test_a_name_of_others_is_misdirected(host: str) -> None:
    async with serving() as port:
        for path in ("/dicomweb/source/studies", "/", "/healthz", "/metrics", "/nothing"):
            status, answer = await ask(port, f"GET {path}", f"Host: {host}")
            assert status == 421
            assert "http.allowed_hosts" in answer
            assert "taken" not in answer


async def test_a_target_with_a_name_of_others_is_misdirected() -> None:
    async with serving() as port:
        target = "GET http://evil.example/dicomweb/source/studies"
        assert (await ask(port, target, HERE))[0] == 421
        target = "GET http://localhost:8080/dicomweb/source/studies"
        assert (await ask(port, target, HERE))[0] == 200


async def test_a_request_of_http_1_0_needs_no_name() -> None:
    async with serving() as port:
        assert (await ask(port, READ, version="HTTP/1.0"))[0] == 200
        assert (await ask(port, READ))[0] in {400, 421}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Sec-Fetch-Site: same-origin"],
        ["Sec-Fetch-Site: none"],
        ["Origin: http://127.0.0.1:8080"],
        ["Origin: http://127.0.0.1:8080", "Sec-Fetch-Site: same-origin"],
        ["Origin: https://pacs.example:8443"],
        ["Origin: https://viewer.example", "Sec-Fetch-Site: cross-site"],
    ],
)
async def test_a_caller_of_ours_may_store(headers: list[str]) -> None:
    async with serving() as port:
        assert (await ask(port, STORE, HERE, *headers))[0] == 200


FOREIGN = [
    ["Origin: http://evil.example"],
    ["Origin: null"],
    ["Origin: http://[127.0.0.1:8080"],
    ["Origin: "],
    ["Origin: http://127.0.0.1:3000"],
    ["Origin: http://127.0.0.1"],
    ["Origin: https://viewer.example:444"],
    ["Origin: https://viewer.example.evil.example"],
    ["Origin: file://127.0.0.1:8080"],
    ["Sec-Fetch-Site: cross-site"],
    ["Sec-Fetch-Site: same-site"],
    ["Origin: http://127.0.0.1:8080", "Sec-Fetch-Site: cross-site"],
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_page_of_others_may_not_store(headers: list[str]) -> None:
    async with serving() as port:
        for first in (STORE, STORE_RESULT, STORE.replace("POST", "DELETE")):
            status, answer = await ask(port, first, HERE, *headers)
            assert status == 403
            assert "taken" not in answer


@pytest.mark.parametrize("headers", FOREIGN)
async def test_reading_changes_nothing_and_is_the_browser_s_concern(headers: list[str]) -> None:
    async with serving() as port:
        assert (await ask(port, READ, HERE, *headers))[0] == 200


async def test_any_origin_may_read_is_not_any_origin_may_store() -> None:
    async with serving() as port:
        assert (await ask(port, STORE_RESULT, HERE, "Origin: *"))[0] == 403


@pytest.mark.parametrize(
    "request_line",
    ["GET /healthz", "GET /nothing", "GET /dicomweb/source/studies", "PUT /healthz", "NO"],
)
async def test_no_answer_names_a_version(request_line: str) -> None:
    async with serving() as port:
        _, answer = await ask(port, request_line, HERE)
        named = [line for line in answer.splitlines() if line.lower().startswith("server:")]
        assert named in ([], ["Server: dicomveil"])
        assert "aiohttp" not in answer
        assert "Python" not in answer
