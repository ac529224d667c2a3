"""``python -m tests.benchmarks.flood``: many clients that want nothing, and whether others are still served.

On each port 300 clients connect from two other addresses and come back whenever they are shown out: silent
ones, ones that send half of something, idle ones, ones that send a byte a second, ones that do not read their
answers. Meanwhile a good sender stores by C-STORE and STOW-RS, and a good reader searches and retrieves, each
time over a new connection. Printed are the longest times that these had to wait, and by how much the service's
memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import io
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pydicom

from daemon.cli.output import print_line, print_table
from tests.benchmarks import measure, servers
from tests.benchmarks.receive import multipart
from tests.factories import many_ct
from tests.malformed import CT_STORAGE, EXPLICIT, associate_request, command, p_data, sub_item
from tests.scu import Hangup, PlainScu, dataset_of

if TYPE_CHECKING:
    from tests.benchmarks.servers import Server

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GOAL_S: Final = 5.0
GOAL_MB: Final = 64.0
_ADDRESSES: Final = ("127.0.0.2", "127.0.0.3")
_BACK_S: Final = 0.2
_PAUSE_S: Final = 0.25
_STORED_BEFORE: Final = 200
_FOREVER_S: Final = 3600.0
_ASSOCIATE: Final = associate_request(
    contexts=sub_item(
        0x20, b"\x01\0\0\0" + sub_item(0x30, CT_STORAGE) + sub_item(0x40, EXPLICIT.encode())
    )
)
_POST: Final = (
    b"POST /dicomweb/source/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
    b'Content-Type: multipart/related; type="application/dicom"; boundary=B\r\n\r\n'
)
_SEARCH: Final = (
    b"GET /dicomweb/source/instances?includefield=all&limit=1000 HTTP/1.1\r\n"
    b"Host: localhost\r\n\r\n"
)


async def _silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Send nothing."""


def _sends(*parts: bytes, answered: int = 0) -> Client:
    """Return a client that sends these, waits for answers to so many of them, and then nothing."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, part in enumerate(parts):
            writer.write(part)
            await writer.drain()
            if number < answered and not await reader.read(65536):
                raise ConnectionResetError

    return client


def _drips(*parts: bytes, rest: bytes) -> Client:
    """Return a client that sends these, and then a byte a second."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        for at in range(len(rest)):
            writer.write(rest[at : at + 1])
            await writer.drain()
            await asyncio.sleep(1)

    return client


async def _reads_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for much, and let the answer lie."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(_SEARCH)
    await writer.drain()
    await asyncio.sleep(_FOREVER_S)


_DIMSE: Final[dict[str, Client]] = {
    "silent": _silent,
    "half a request": _sends(_ASSOCIATE[:40]),
    "a request that drips": _drips(rest=_ASSOCIATE),
    "idle": _sends(_ASSOCIATE, answered=1),
    "half a message": _sends(
        _ASSOCIATE, p_data((1, 0x03, command())) + p_data((1, 0x00, bytes(500))), answered=1
    ),
    "a message that drips": _drips(_ASSOCIATE, p_data((1, 0x03, command())), rest=bytes(1000)),
}
_HTTP: Final[dict[str, Client]] = {
    "silent": _silent,
    "half a header": _sends(_POST[:60]),
    "a header that drips": _drips(rest=_POST),
    "idle": _sends(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", answered=1),
    "half a body": _sends(_POST + b"--B\r\n"),
    "a body that drips": _drips(_POST, rest=bytes(1000)),
    "reads nothing": _reads_nothing,
}


class Flood:
    """All the clients that want nothing, on a thread of their own.

    Attributes
    ----------
    connected
        How often each kind got a connection, by port and kind.
    """

    def __init__(self, server: Server, clients: int) -> None:
        self._ports = {"C-STORE": (server.dimse, _DIMSE), "HTTP": (server.http, _HTTP)}
        self._clients = clients
        self.connected: Counter[str] = Counter()

    def run(self, ended: threading.Event) -> None:
        """Flood until the event."""
        asyncio.run(self._run(ended))

    async def _run(self, ended: threading.Event) -> None:
        tasks = []
        for name, (port, kinds) in self._ports.items():
            for number in range(self._clients):
                kind = list(kinds)[number % len(kinds)]
                address = _ADDRESSES[number % len(_ADDRESSES)]
                come_again = self._come_again(f"{name}: {kind}", kinds[kind], port, address)
                tasks.append(asyncio.create_task(come_again))
        await asyncio.to_thread(ended.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _come_again(self, name: str, client: Client, port: int, address: str) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(address, 0)
                )
                self.connected[name] += 1
                try:
                    await client(reader, writer)
                    while await reader.read(65536):
                        pass
                finally:
                    writer.transport.abort()
            await asyncio.sleep(_BACK_S + random.random() * _BACK_S)


class Good:
    """Who wants something: stores and reads, each time over a new connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._contents = many_ct(100_000, rows=64, seed=41)
        self.waits: defaultdict[str, list[float]] = defaultdict(list)
        self.failures: Counter[str] = Counter()
        self.reasons: list[str] = []

    def store_some(self, count: int) -> None:
        """Store so many, half by each door."""
        for _ in range(count // 2):
            self._timed("C-STORE", self._c_store)
            self._timed("STOW-RS", self._stow)

    def send(self, ended: threading.Event) -> None:
        """Store by both doors in turn."""
        while not ended.wait(_PAUSE_S):
            self.store_some(2)

    def read(self, ended: threading.Event) -> None:
        """Search, retrieve, and ask for health, in turn."""
        while not ended.wait(_PAUSE_S):
            self._timed("search", self._search)
            self._timed("retrieve", self._retrieve)
            self._timed("/healthz", lambda: self._get("/healthz"))

    def _timed(self, name: str, work: Callable[[], object]) -> None:
        began = time.monotonic()
        try:
            work()
        except (OSError, Hangup, http.client.HTTPException, AssertionError) as error:
            self.failures[name] += 1
            self.reasons.append(f"{name}: {type(error).__name__} {error}")
        self.waits[name].append(time.monotonic() - began)

    def _c_store(self) -> None:
        content = next(self._contents)
        uid = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID
        with PlainScu(self._server.dimse) as scu:
            assert scu.store(dataset_of(content), uid.encode()) == 0

    def _stow(self) -> None:
        path, headers, body = multipart(next(self._contents))
        with closing(self._connection()) as connection:
            connection.request("POST", path, body, headers)
            assert connection.getresponse().status == 200

    def _search(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._get("/dicomweb/deid/instances?limit=5"))
        assert found
        return found

    def _retrieve(self) -> None:
        newest = self._search()[0]
        study, series, instance = (
            newest[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")
        )
        self._get(f"/dicomweb/deid/studies/{study}/series/{series}/instances/{instance}")

    def _get(self, path: str) -> bytes:
        with closing(self._connection()) as connection:
            accept = 'multipart/related; type="application/dicom"' if "/series/" in path else "*/*"
            connection.request("GET", path, headers={"Accept": accept})
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, f"{response.status} for {path.partition('?')[0]}"
            return body

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._server.http, timeout=30)


def measured(server: Server, clients: int, seconds: float) -> tuple[Good, Flood, float]:
    """Flood the server for so long; return what the good saw, the flood, and the growth of memory in MB."""
    good = Good(server)
    good.store_some(_STORED_BEFORE)
    assert server.daemon is not None
    server.daemon.wait_until_settled(_STORED_BEFORE)
    warm_ended = threading.Event()
    threading.Timer(3.0, warm_ended.set).start()
    good.read(warm_ended)  # what is loaded at the first search is no growth
    good.waits.clear()
    ended = threading.Event()
    flood = Flood(server, clients)
    threads = [
        threading.Thread(target=work, args=(ended,)) for work in (flood.run, good.send, good.read)
    ]
    with measure.MemoryWatch(server.pid) as watch:
        time.sleep(1)
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        ended.set()
        for thread in threads:
            thread.join()
    return good, flood, watch.peak_mb - watch.idle_mb


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.flood", description=__doc__)
    parser.add_argument("--clients", type=int, default=300, help="on each port")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dicomveil-flood-") as folder,
        servers.dicomveil(Path(folder) / "server") as server,
    ):
        good, flood, grown_mb = measured(server, options.clients, options.seconds)
    print_table(
        ("who", "times", "p50 s", "p95 s", "longest s", "failed"),
        [
            (
                name,
                str(len(waits)),
                f"{measure.percentile(waits, 0.5):.3f}",
                f"{measure.percentile(waits, 0.95):.3f}",
                f"{max(waits):.3f}",
                str(good.failures[name]),
            )
            for name, waits in good.waits.items()
        ],
        title=f"{options.clients} clients a port for {options.seconds:.0f} s",
    )
    print_line(", ".join(f"{name} {count}" for name, count in sorted(flood.connected.items())))
    longest = max(max(waits) for waits in good.waits.values())
    print_line(
        f"longest {longest:.2f} s (goal {GOAL_S:.0f}), failed {good.failures.total()} (goal 0), memory grew by"
        f" {grown_mb:.0f} MB (goal {GOAL_MB:.0f})"
    )
    for reason in good.reasons:
        print_line(reason)
    return 0


if __name__ == "__main__":
    sys.exit(main())
