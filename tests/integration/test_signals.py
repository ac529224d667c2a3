"""SIGTERM and SIGHUP while bytes are on their way in, over all three doors."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from config.settings import Http
from daemon.records import State
from daemon.web.callers import Callers
from daemon.web.server import HttpServer
from tests.factories import encoded, make_ct
from tests.integration.test_web_server import Well
from tests.malformed import command, p_data
from tests.scu import PlainScu, dataset_of
from tests.service import RunningDaemon, running, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

DEADLINE_S = 240.0


class HalfStore:
    """A STOW-RS request and a C-STORE of which the first half was sent, and a file half written."""

    def __init__(self, daemon: RunningDaemon, seed: int) -> None:
        self.instances: list[Dataset] = [
            make_ct(seed=seed + number, rows=64) for number in range(3)
        ]
        over_http, over_dimse, dropped = (encoded(each) for each in self.instances)
        self._http = socket.create_connection(("127.0.0.1", daemon.addresses["http"][1]))
        self._http.settimeout(DEADLINE_S)
        half = len(over_http) // 2
        self._http.sendall(
            b"POST /dicomweb/source/studies HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/dicom\r\nContent-Length: %d\r\n\r\n"
            % len(over_http)
            + over_http[:half]
        )
        self._rest_over_http = over_http[half:]
        self._scu = PlainScu(daemon.dimse_port, timeout_s=DEADLINE_S)
        data, uid = dataset_of(over_dimse), self.instances[1].SOPInstanceUID.encode()
        self._scu._peer.sendall(p_data((1, 0x03, command(instance=uid))))
        self._scu._peer.sendall(p_data((1, 0x00, data[:6000])))
        self._rest_over_dimse = data[6000:]
        assert daemon.inbox is not None
        self._file = (daemon.inbox / f"{seed}.dcm").open("wb", buffering=0)
        self._file.write(dropped[:3000])
        self._rest_of_file = dropped[3000:]
        wait_until(
            lambda: len(list((daemon.state_dir / "spool").glob("*.part"))) == 2,
            what="both transfers have begun",
        )

    def finish_file(self) -> None:
        self._file.write(self._rest_of_file)
        self._file.close()

    def finish_transfers(self) -> None:
        """Send the other halves; both have to be acknowledged."""
        self._http.sendall(self._rest_over_http)
        self._scu._peer.sendall(p_data((1, 0x02, self._rest_over_dimse)))
        assert self._http.recv(12) == b"HTTP/1.1 200"
        assert b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00" in self._scu._receive()

    def close(self) -> None:
        self._http.close()
        self._scu.close()
        self._file.close()


@contextmanager
def half_stored(daemon: RunningDaemon, seed: int) -> Iterator[HalfStore]:
    half = HalfStore(daemon, seed)
    try:
        yield half
    finally:
        half.close()


def is_logged(daemon: RunningDaemon, event: str) -> bool:
    return f'"event":"{event}"' in daemon.log.replace(" ", "")


def test_sigterm_lets_what_is_under_way_finish(running_daemon: RunningDaemon) -> None:
    daemon = running_daemon
    assert daemon.process is not None
    with half_stored(daemon, seed=10) as half:
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_logged(daemon, "service_stopping"), what="it stops")
        half.finish_transfers()
        half.finish_file()
    assert daemon.stop() == 0
    daemon.start()
    settled = daemon.wait_until_settled(3)
    assert {each.original_uid for each in settled} == {
        str(each.SOPInstanceUID) for each in half.instances
    }
    assert {each.state for each in settled} == {State.STORED}


def with_default(daemon: RunningDaemon, preset: str) -> None:
    text = daemon.config_path.read_text()
    text = text.partition("[deidentifiers.default]")[0]
    daemon.config_path.write_text(f'{text}[deidentifiers.default]\nconfig = "{preset}"\n')


def hang_up(daemon: RunningDaemon, event: str) -> None:
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: is_logged(daemon, event), what=f"there is {event}")


def described(daemon: RunningDaemon, instance: Dataset) -> Any:
    """Return Study Description in the destination."""
    study, _, _ = daemon.replaced()[str(instance.SOPInstanceUID)]
    _, body = daemon.get(f"/dicomweb/deid/studies/{study}/metadata")
    return json.loads(body)[0].get("00081030", {}).get("Value")


def test_sighup_takes_over_deidentifiers_while_bytes_come_in(
    running_daemon: RunningDaemon,
) -> None:
    daemon = running_daemon
    with half_stored(daemon, seed=20) as half:
        with_default(daemon, "research")
        hang_up(daemon, "configuration_reloaded")
        half.finish_transfers()
        half.finish_file()
    assert {each.state for each in daemon.wait_until_settled(3)} == {State.STORED}
    for each in half.instances:
        assert described(daemon, each) == [str(each.StudyDescription)]
    with_default(daemon, "basic")
    with half_stored(daemon, seed=30) as half:
        hang_up(daemon, "configuration_reloaded")
        wait_until(lambda: daemon.log.count("configuration_reloaded") == 2, what="it has again")
        half.finish_transfers()
        half.finish_file()
    daemon.wait_until_settled(6)
    assert described(daemon, half.instances[0]) is None
    assert daemon.is_alive()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """Run one daemon for what leaves it as it was."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "state").mkdir(mode=0o700)
    with running(folder, folder / "state") as daemon:
        yield daemon


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ('[deidentifiers.default]\nconfig = "reserch"\n', "deidentifiers.default.config"),
        ('[deidentifiers.default]\nconfig = { dicom = { filterProfil = "X" } }\n', "deidentifiers"),
        ("[dimse]\nport = 70000\n", "dimse.port"),
        ('[[routes]]\ndeidentifier = "other"\n', "routes[0].deidentifier"),
        ("this is no TOML\n", "TOML"),
    ],
)
def test_an_invalid_configuration_leaves_the_old_one_running_and_says_why(
    shared: RunningDaemon, broken: str, named: str
) -> None:
    daemon = shared
    kept = daemon.config_path.read_text()
    before, settled = len(daemon.log), len(daemon.journal())
    with half_stored(daemon, seed=40 + settled) as half:
        text = kept.partition("[dimse]")[0] if broken.startswith("[dimse]") else kept
        daemon.config_path.write_text(f"{text}\n{broken}")
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: "the configuration stays as it was" in daemon.log[before:], what="it says so"
        )
        half.finish_transfers()
        half.finish_file()
    assert named in daemon.log[before:].partition("the configuration stays as it was")[2]
    assert {each.state for each in daemon.wait_until_settled(settled + 3)} == {State.STORED}
    assert not is_logged(daemon, "configuration_reloaded")
    daemon.config_path.write_text(kept)


def test_what_needs_a_restart_is_said(shared: RunningDaemon) -> None:
    daemon = shared
    text = daemon.config_path.read_text()
    daemon.config_path.write_text(f"{text}\n[spool]\nmax_instances = 7\n")
    hang_up(daemon, "configuration_needs_restart")
    wait_until(lambda: "a restart is needed for spool" in daemon.log, what="it is said")
    assert daemon.is_alive()


async def test_an_upload_that_does_not_end_in_time_is_answered_503() -> None:
    begun = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        begun.set()
        await request.read()
        return web.Response(text="taken")

    service = web.Application()
    service.add_routes([web.post("/studies", take)])
    server = HttpServer(
        Http(port=0), {"/dicomweb/source": service}, Well(), lambda *_: None, callers=Callers()
    )
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"POST /dicomweb/source/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\nbegun"
    )
    await begun.wait()
    stopping = asyncio.create_task(server.stop(drain_s=0.2))
    answer = (await asyncio.wait_for(reader.read(), DEADLINE_S)).decode()
    assert answer.startswith("HTTP/1.1 503")
    assert "Retry-After" in answer
    writer.close()
    await stopping
