"""The HTTP server's own limits, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from config.settings import Http
from daemon.errors import StoreUnavailable
from daemon.web.callers import Callers
from daemon.web.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


LARGE = 6 << 20
"""More than the kernel takes for a client that does not read."""
_ASK = b"GET /dicomweb/deid/large HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Well:
    """A health that never changes."""

    is_alive = True
    is_ready = False

    async def metrics(self) -> tuple[bytes, str]:
        return b"x 1\n", "text/plain"


async def _slow(_request: web.Request) -> web.Response:
    await asyncio.sleep(1.0)
    return web.Response(text="late but whole")


async def _large(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(LARGE))


async def _read(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def _failing(_request: web.Request) -> web.Response:
    message = "Zimmermann^Quirin"
    raise ValueError(message)


async def _away(_request: web.Request) -> web.Response:
    raise StoreUnavailable("the database refused: SQLITE_CANTOPEN", "SQLITE_CANTOPEN")


@contextlib.asynccontextmanager
async def serving(
    settings: Http, seen: list[tuple[str, str, int]] | None = None
) -> AsyncIterator[HttpServer]:
    service = web.Application()
    service.add_routes(
        [
            web.get("/slow", _slow),
            web.get("/large", _large),
            web.post("/read", _read),
            web.get("/failing/{uid}", _failing),
            web.get("/away", _away),
        ]
    )
    seen = [] if seen is None else seen
    server = HttpServer(
        settings,
        {"/dicomweb/deid": service},
        Well(),
        lambda endpoint, method, status, _seconds: seen.append((endpoint, method, status)),
        callers=Callers(),
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def connect(server: HttpServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", server.port)


@pytest.mark.parametrize(("steps", "status"), [(200, b" 404 "), (201, b" 414 ")])
async def test_a_path_has_a_few_hundred_steps_at_most(steps: int, status: bytes) -> None:
    """Of thirty thousand the route was looked for during half a second, in which nobody else is served."""
    async with serving(Http(port=0)) as server:
        reader, writer = await connect(server)
        writer.write(b"GET /viewer" + b"/a" * (steps - 1) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status in await asyncio.wait_for(reader.readline(), 240)
        writer.close()


async def test_a_silent_connection_is_closed() -> None:
    async with serving(Http(port=0, header_timeout_s=0.2)) as server:
        reader, writer = await connect(server)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 240) == b""
        writer.close()


async def test_a_header_that_drips_is_closed_although_bytes_keep_coming() -> None:
    async with serving(Http(port=0, header_timeout_s=0.3)) as server:
        reader, writer = await connect(server)
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                writer.write(b"G")
                await writer.drain()
                await asyncio.sleep(0.05)
            pytest.fail("it was never closed")
        del reader


async def test_a_slow_answer_is_not_mistaken_for_a_silent_client() -> None:
    settings = Http(port=0, header_timeout_s=0.5, keepalive_timeout_s=0.5)
    async with (
        serving(settings) as server,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{server.port}/dicomweb/deid/slow") as response,
    ):
        assert await response.text() == "late but whole"


async def test_an_answer_that_is_still_read_is_given_time_once() -> None:
    async with serving(Http(port=0)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 16)
        writer.write(_ASK)
        guard = server._guard
        async with asyncio.timeout(240):
            # Nobody is told when the answer has begun.
            while not any(each.unsent_bytes for each in guard._silent):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        (connection,) = guard._silent
        guard._expired(connection)
        assert connection in guard._silent
        assert connection.unsent_bytes
        guard._expired(connection)
        assert connection not in guard._silent
        assert not connection.unsent_bytes
        writer.close()
        del reader


async def test_a_line_may_be_as_long_as_a_list_of_ten_thousand_frames() -> None:
    frames = ",".join(map(str, range(1, 10_001)))
    async with serving(Http(port=0)) as server:
        for query, status in ((frames, b"200"), (frames * 2, b"414")):
            reader, writer = await connect(server)
            head = f"GET /healthz?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            assert (await reader.read()).split()[1] == status
            writer.close()


async def test_silent_connections_make_room_for_one_that_speaks() -> None:
    async with serving(Http(port=0, max_connections=5)) as server:
        silent = [await connect(server) for _ in range(5)]
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{server.port}/healthz") as response,
        ):
            assert response.status == 200
        for _reader, writer in silent:
            writer.close()


async def test_an_upload_that_gets_on_makes_no_room_for_a_newcomer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock is the test's: a machine that stands still for seconds changes nothing."""
    steps, step = 10, 8192
    head = b"POST /dicomweb/deid/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    loop = asyncio.get_running_loop()
    now = loop.time()
    async with serving(Http(port=0, max_connections=4)) as server:
        with monkeypatch.context() as patched:
            patched.setattr(loop, "time", lambda: now)
            uploads = [await connect(server) for _ in range(4)]
            for _reader, writer in uploads:
                writer.write(head % (steps * step + 1))
            while server._guard._silent:  # noqa: ASYNC110 - until all are being received
                await asyncio.sleep(0)
            for _ in range(steps):
                for _reader, writer in uploads:
                    writer.write(bytes(step))
                    await writer.drain()
                now += 0.5
                await asyncio.sleep(0)  # the server looks who gets on
                reader, writer = await connect(server)
                writer.write(
                    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()
        for reader, writer in uploads:
            writer.write(b"0")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()


async def test_what_is_held_for_clients_that_do_not_read_is_bounded() -> None:
    """Of sixty only a few are waited for; whoever reads, however slowly, gets all of his answer."""

    async def ask(host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, local_addr=(host, 0), limit=1 << 16
        )
        writer.write(_ASK)
        return reader, writer

    async def read_slowly(reader: asyncio.StreamReader) -> int:
        await reader.readuntil(b"\r\n\r\n")
        received = 0
        while received < LARGE and (data := await reader.read(1 << 16)):
            received += len(data)
            await asyncio.sleep(0.03)
        return received

    async with serving(Http(port=0)) as server, asyncio.timeout(240):
        slow_reader, slow_writer = await ask("127.0.0.2")
        slow = asyncio.create_task(read_slowly(slow_reader))
        flood = [await ask("127.0.0.2") for _ in range(60)]
        assert await slow == LARGE
        held = server._guard._unread
        while len(held) > 32:  # noqa: ASYNC110 - who reads nothing is given a moment
            await asyncio.sleep(0.05)
        assert sum(each.unsent_bytes for each in held) <= 16 << 20
        for _reader, writer in [(slow_reader, slow_writer), *flood]:
            writer.transport.abort()


async def test_a_peer_with_few_connections_makes_no_room_for_one_with_many() -> None:
    """He who has just connected, and says something next, is the oldest one that is silent."""
    half = b"POST /dicomweb/deid/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1"

    async def connect_from(host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", server.port, local_addr=(host, 0))

    async with serving(Http(port=0, max_connections=5)) as server, asyncio.timeout(240):
        flood = [await connect_from("127.0.0.2") for _ in range(4)]
        for _reader, writer in flood:
            writer.write(half)
        while server._guard._silent:  # noqa: ASYNC110 - until all are being answered
            await asyncio.sleep(0.01)
        reader, writer = await connect_from("127.0.0.1")
        flood += [await connect_from("127.0.0.2") for _ in range(3)]
        await asyncio.sleep(0.1)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for _reader, each in [(reader, writer), *flood]:
            each.transport.abort()


async def test_an_error_tells_nothing_and_is_counted_by_the_pattern_of_its_address() -> None:
    seen: list[tuple[str, str, int]] = []
    async with serving(Http(port=0), seen) as server, aiohttp.ClientSession() as client:
        address = f"http://127.0.0.1:{server.port}/dicomweb/deid/failing/1.2.3"
        async with client.get(address) as response:
            assert response.status == 500
            assert "Zimmermann" not in await response.text()
    assert seen == [("/dicomweb/deid/failing/{uid}", "GET", 500)]


async def test_a_store_that_cannot_be_read_asks_for_a_later_try() -> None:
    seen: list[tuple[str, str, int]] = []
    with capture_logs() as log:
        async with (
            serving(Http(port=0), seen) as server,
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{server.port}/dicomweb/deid/away") as response,
        ):
            assert response.status == 503
            assert int(response.headers["Retry-After"]) > 0
            assert "SQLITE" not in await response.text()
    assert [each["event"] for each in log] == ["store_unavailable"]
    assert seen == [("/dicomweb/deid/away", "GET", 503)]


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /dicomweb/deid/ZQXPHI HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nZQXPHI\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ZQXPHI\r\n\r\n",
        b"ZQXPHI\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_not_repeated_to_its_sender(request_line: bytes) -> None:
    async with serving(Http(port=0)) as server:
        reader, writer = await connect(server)
        writer.write(request_line)
        answer = await asyncio.wait_for(reader.read(), 240)
        writer.close()
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"ZQXPHI" not in answer
    assert b"Server: dicomveil\r\n" in answer


async def test_an_address_that_nothing_is_at_tells_where_to_begin() -> None:
    async with serving(Http(port=0)) as server:
        reader, writer = await connect(server)
        writer.write(b"GET /source/ZQXPHI HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 240)
        writer.close()
    assert answer.split()[1] == b"404"
    assert b": / tells what there is" in answer
    assert b"ZQXPHI" not in answer


@pytest.mark.parametrize(
    ("request_head", "status", "told"),
    [
        ("GET /?a=Müller HTTP/1.1\r\n".encode(), b"400", b"percent-encoded"),
        (b"GET /?a=Doe Jane HTTP/1.1\r\n", b"400", b"without spaces"),
        (b"FETCH / HTTP/1.1\r\n", b"400", b"not a method"),
        (b"GET /?" + b"a" * 70_000 + b" HTTP/1.1\r\n", b"414", b"longer than 65536 bytes"),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 70_000 + b"\r\n", b"431", b"header is too long"),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n", b"400", b"not valid HTTP/1.1"),
    ],
)
async def test_what_is_wrong_with_what_is_no_http_is_told(
    request_head: bytes, status: bytes, told: bytes
) -> None:
    async with serving(Http(port=0)) as server:
        reader, writer = await connect(server)
        writer.write(request_head + b"Host: localhost\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 240)
        writer.close()
    assert answer.split()[1] == status
    assert told in answer


async def test_a_service_that_is_not_ready_says_503_and_is_alive() -> None:
    async with serving(Http(port=0)) as server, aiohttp.ClientSession() as client:
        root = f"http://127.0.0.1:{server.port}"
        async with client.get(f"{root}/readyz") as ready, client.get(f"{root}/healthz") as alive:
            assert (ready.status, alive.status) == (503, 200)
        async with client.get(f"{root}/") as page:
            assert "/dicomweb/deid/studies" in await page.text()
            assert "default-src 'none'" in page.headers["Content-Security-Policy"]
