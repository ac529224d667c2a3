"""Searches for everything whose clients do not read, and a short search in between."""

from __future__ import annotations

import asyncio
import json
import socket
import tracemalloc
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from aiohttp import ClientPayloadError, ClientSession, web

from config.settings import Http
from dicomweb import searching
from dicomweb.ports import InstanceFile, Match, Query, Resource
from dicomweb.searching import PAGE
from dicomweb.service import application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

INSTANCES = 9_000
FILLING = "x" * 2000
FEW_RESULTS = 10
FEW = 3
"""Pages with all attributes that are made at a time."""


class _Page(list[Match]):
    """A page that tells when nobody has it any more."""


class Large:
    """A store of many instances that are made as they are asked for, and counts what is asked."""

    def __init__(self, instances: int = INSTANCES) -> None:
        self.instances = instances
        self.pages = 0
        self.largest = 0
        self.held = self.most_held = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def search(self, query: Query) -> list[Match]:
        self.pages += 1
        stop = min(self.instances, query.offset + query.limit)
        found = _Page(_match(number) for number in range(query.offset, stop))
        self.largest = max(self.largest, len(found))
        self.held += 1
        self.most_held = max(self.most_held, self.held)
        weakref.finalize(found, self._let_go)
        await asyncio.sleep(0.01)
        if query.limit >= PAGE:
            await self.may_go_on.wait()
        return found

    def _let_go(self) -> None:
        self.held -= 1

    async def metadata(self, resource: Resource) -> list[bytes]:
        raise NotImplementedError

    async def locate(self, resource: Resource) -> list[InstanceFile]:
        raise NotImplementedError

    async def was_deleted(self, resource: Resource) -> bool:
        raise NotImplementedError


def _match(number: int) -> Match:
    whole = orjson.dumps(
        {
            "00080018": {"vr": "UI", "Value": [f"1.2.3.{number}"]},
            "0020000D": {"vr": "UI", "Value": ["1.2"]},
            "0020000E": {"vr": "UI", "Value": ["1.2.3"]},
            "00104000": {"vr": "LT", "Value": [FILLING]},
        }
    )
    return Match(whole, whole)


async def serve(store: Large, **settings: int) -> AsyncIterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        root = web.Application()
        root.add_subapp("/source", application(store, None, settings=Http(**settings)))  # type: ignore[arg-type]
        runner = web.AppRunner(root, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        await runner.cleanup()


async def ask_and_do_not_read(
    address: str, more: str = "", *, accept: str = "application/dicom+json"
) -> asyncio.StreamWriter:
    host, port = address.split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    _reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
    address = f"/source/instances?includefield=all{more}"
    head = f"GET {address} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()
    return writer


async def test_whoever_does_not_read_holds_a_page_and_a_short_search_gets_in_between() -> None:
    store = Large()
    async for address in serve(store):
        tracemalloc.start()
        try:
            silent = [await ask_and_do_not_read(address) for _ in range(40)]
            await asyncio.sleep(0.5)
            async with ClientSession() as client:
                for _ in range(5):
                    async with client.get(
                        f"http://{address}/source/instances?limit={FEW_RESULTS}"
                    ) as answer:
                        assert len(await answer.json(content_type=None)) == FEW_RESULTS
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert store.largest <= PAGE + 1
        # All of one answer is 19 MB; of 40, 750.
        assert peak < 32 << 20
        for writer in silent:
            writer.transport.abort()


async def test_of_pages_with_everything_in_them_few_are_made_at_a_time() -> None:
    """Each is an answer of its own, so that nobody has to wait for a turn to send it."""
    store = Large()
    store.may_go_on.clear()
    async for address in serve(store):
        asking = [await ask_and_do_not_read(address, f"&limit={PAGE}") for _ in range(60)]
        # None of the long ones comes to its end yet: a short search has to wait for none of them.
        async with (
            ClientSession() as client,
            client.get(f"http://{address}/source/instances?limit={FEW_RESULTS}") as answer,
        ):
            assert len(await answer.json(content_type=None)) == FEW_RESULTS
        store.may_go_on.set()
        while store.pages < len(asking):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        assert store.most_held <= 8
        for writer in asking:
            writer.transport.abort()


async def test_documents_with_everything_in_them_are_made_few_at_a_time_too() -> None:
    store = Large()
    store.may_go_on.clear()
    async for address in serve(store, max_long_searches=8):
        asking = [
            await ask_and_do_not_read(
                address,
                f"&limit={PAGE}",
                accept='multipart/related; type="application/dicom+xml"',
            )
            for _ in range(8)
        ]
        while store.pages < FEW:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        assert store.pages == FEW
        store.may_go_on.set()
        while store.pages < len(asking):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        for writer in asking:
            writer.transport.abort()


async def test_a_long_answer_is_whole_and_in_order() -> None:
    store = Large(instances=3 * PAGE + 7)
    async for address in serve(store):
        async with (
            ClientSession() as client,
            client.get(f"http://{address}/source/instances") as answer,
        ):
            found = json.loads(await answer.read())
            assert "Warning" not in answer.headers
    assert [each["00080018"]["Value"] for each in found] == [
        [f"1.2.3.{number}"] for number in range(3 * PAGE + 7)
    ]


class Growing(Large):
    """A store into which something comes while it is asked: all that was there moves by one."""

    async def search(self, query: Query) -> list[Match]:
        return await super().search(replace(query, offset=max(0, query.offset - 1)))


async def test_what_moved_behind_while_a_long_answer_was_sent_is_told_once() -> None:
    async for address in serve(Growing(instances=3 * PAGE)):
        async with (
            ClientSession() as client,
            client.get(f"http://{address}/source/instances") as answer,
        ):
            uids = [each["00080018"]["Value"][0] for each in json.loads(await answer.read())]
    assert len(uids) == len(set(uids)) > 2 * PAGE


class Failing(Large):
    """A store that gives one page, and then fails."""

    async def search(self, query: Query) -> list[Match]:
        if query.offset and query.limit > 1:
            raise OSError("away")
        return await super().search(query)


async def test_a_long_answer_that_cannot_go_on_is_broken_off() -> None:
    """Nobody takes its first pages for all there is."""
    async for address in serve(Failing()):
        async with (
            ClientSession() as client,
            client.get(f"http://{address}/source/instances") as answer,
        ):
            assert answer.status == 200
            with pytest.raises(ClientPayloadError):
                await answer.read()


@pytest.mark.parametrize(
    ("asked", "count", "has_more"),
    [
        ("", 500, True),
        ("?limit=400", 400, False),
        ("?limit=3", 3, False),
        ("?offset=8000", 500, True),
        ("?offset=8900", 100, False),
        ("?offset=9000", 0, False),
        (f"?limit={PAGE}", PAGE, False),
        (f"?limit={PAGE + 1}", PAGE + 1, False),
        ("?limit=0", 0, False),
    ],
)
async def test_limit_and_offset_hold_for_long_answers(
    asked: str, count: int, has_more: bool
) -> None:
    async for address in serve(Large(), max_results=500):
        async with (
            ClientSession() as client,
            client.get(f"http://{address}/source/instances{asked}") as answer,
        ):
            assert len(json.loads(await answer.read())) == count
            told = " ".join(answer.headers.getall("Warning", []))
            assert ("additional results" in told) is has_more


async def test_a_client_that_leaves_stops_its_search() -> None:
    store = Large(instances=1_000_000)
    async for address in serve(store, max_results=1_000_000):
        writer = await ask_and_do_not_read(address)
        while store.pages < 3:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        writer.transport.abort()
        asked = 0
        async with asyncio.timeout(240):
            while asked != store.pages:
                asked = store.pages
                await asyncio.sleep(0.3)
        assert store.pages < store.instances // PAGE


async def test_long_searches_take_turns_and_too_many_are_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Who would have to wait for too many is told at once, not when patience ends.
    monkeypatch.setattr(searching, "_PATIENCE_S", 1e6)
    async for address in serve(Large(), max_long_searches=1):
        silent = [await ask_and_do_not_read(address) for _ in range(40)]
        await asyncio.sleep(0.3)
        async with (
            asyncio.timeout(60),
            ClientSession() as client,
            client.get(f"http://{address}/source/instances") as answer,
        ):
            assert answer.status == 503
            assert "Retry-After" in answer.headers
        silent[0].transport.abort()
        for writer in silent[1:]:
            writer.transport.abort()
        async with (
            ClientSession() as client,
            client.get(f"http://{address}/source/instances?limit=1000") as answer,
        ):
            assert len(json.loads(await answer.read())) == 1000
