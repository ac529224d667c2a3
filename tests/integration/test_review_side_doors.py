"""What a client sent, or what is in memory, must not come out where nobody looks for it."""

from __future__ import annotations

import resource
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE

from tests.factories import make_ct
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = b"ZQXPHI"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("side-doors")
    (folder / "state").mkdir(mode=0o700)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    running = RunningDaemon(
        state_dir=folder / "state", folder=folder, settings='[log]\nlevel = "debug"\n'
    )
    try:
        running.start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    yield running
    running.stop()


@pytest.mark.parametrize(
    "request_head",
    [
        b"ZQXPHI / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / ZQXPHI/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nZQX PHI: ZQXPHI\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + _MARK * 2000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ZQXPHI\r\n\r\n",
    ],
)
def test_an_answer_to_what_is_no_http_repeats_nothing_of_it(
    daemon: RunningDaemon, request_head: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", daemon.addresses["http"][1]), 20) as peer:
        peer.sendall(request_head)
        answer = b""
        while data := peer.recv(65536):
            answer += data
    assert answer.split(b" ")[1] == (b"431" if _MARK * 2000 in request_head else b"400")
    assert _MARK not in answer
    assert b"ZQX PHI" not in answer
    assert _MARK.decode() not in daemon.log


def test_the_service_leaves_no_core(daemon: RunningDaemon) -> None:
    assert daemon.process is not None
    limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
    (line,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]


def test_uids_that_no_standard_lists_are_not_logged(daemon: RunningDaemon) -> None:
    private_class, private_syntax = "1.2.826.0.1.3680043.9.7424242", "1.2.826.0.1.3680043.9.7535353"
    dataset = make_ct()
    dataset.SOPClassUID = private_class
    dataset.file_meta.MediaStorageSOPClassUID = UID(private_class)
    entity = AE(ae_title="SENDER")
    entity.add_requested_context(private_class, [ExplicitVRLittleEndian])
    entity.add_requested_context(private_class, [private_syntax])
    association = entity.associate("127.0.0.1", daemon.dimse_port)
    assert association.is_established
    assert association.send_c_store(dataset).Status == 0
    association.release()
    wait_until(lambda: "instance_received" in daemon.log, what="it is logged")
    assert "7424242" not in daemon.log
    assert "7535353" not in daemon.log
