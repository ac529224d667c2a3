"""Clients that hold connections and get nowhere must not keep others out."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.factories import encoded, make_ct
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 8
_SOON_S = 100.0
"""Before the limits that end a body or an answer that gets nowhere where nobody else wants in."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "state").mkdir(mode=0o700)
    running = RunningDaemon(
        state_dir=folder / "state",
        folder=folder,
        environment={
            "DICOMVEIL_HTTP__MAX_CONNECTIONS": str(_MOST),
            "DICOMVEIL_HTTP__BODY_TIMEOUT_S": "3600",
        },
        is_prepared=True,
    )
    running.start()
    yield running
    running.stop()


def _connect(running: RunningDaemon, held: ExitStack, request: bytes) -> socket.socket:
    peer = held.enter_context(socket.socket())
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(("127.0.0.1", running.addresses["http"][1]))
    peer.sendall(request)
    return peer


def _gets_in(running: RunningDaemon) -> bool:
    try:
        return running.get("/healthz", timeout_s=5)[0] == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _trickle(peers: list[socket.socket]) -> None:
    for peer in peers:
        with suppress(OSError):
            peer.sendall(b"x")


def test_bodies_sent_byte_by_byte_do_not_keep_others_out(daemon: RunningDaemon) -> None:
    spool = daemon.state_dir / "spool"
    upload = (
        b"POST /dicomweb/source/studies HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/dicom\r\nContent-Length: 1000000\r\n\r\nx"
    )
    with ExitStack() as held:
        peers: list[socket.socket] = []
        for _ in range(_MOST):
            peers.append(_connect(daemon, held, upload))
            wait_until(
                lambda: len(list(spool.iterdir())) == len(peers), what="it is being received"
            )
        end = time.monotonic() + _SOON_S
        while not _gets_in(daemon):
            assert time.monotonic() < end, "nobody else got in"
            _trickle(peers)
            time.sleep(0.2)
    assert daemon.is_alive()


def test_answers_that_nobody_reads_do_not_keep_others_out(daemon: RunningDaemon) -> None:
    dataset = make_ct(rows=2048, columns=2048)
    request = urllib.request.Request(
        f"{daemon.http}/dicomweb/source/studies",
        data=encoded(dataset),
        headers={"Content-Type": "application/dicom"},
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 200
    daemon.wait_until_settled(1)
    retrieve = (
        f"GET /dicomweb/source/studies/{dataset.StudyInstanceUID} HTTP/1.1\r\n"
        "Host: localhost\r\nAccept: */*\r\n\r\n"
    ).encode()
    with ExitStack() as held:
        for _ in range(_MOST):
            peer = _connect(daemon, held, retrieve)
            assert peer.recv(1)
        wait_until(lambda: _gets_in(daemon), what="somebody else gets in", deadline_s=_SOON_S)
