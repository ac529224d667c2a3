"""What one client sends must not pile up in the daemon's memory."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART_BYTES, _PARTS = 4 << 20, 48
_MOST_GROWTH_MIB = 64


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    (tmp_path / "state").mkdir(mode=0o700)
    running = RunningDaemon(state_dir=tmp_path / "state", folder=tmp_path)
    running.start()
    yield running
    running.stop()


def _resident_mib(running: RunningDaemon) -> int:
    assert running.process is not None
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


@pytest.mark.parametrize("part_type", ["text/plain", "application/dicom"])
def test_parts_that_are_refused_are_not_kept(daemon: RunningDaemon, part_type: str) -> None:
    before = _resident_mib(daemon)
    part = f"\r\n--B\r\nContent-Type: {part_type}\r\n\r\n".encode() + b"\x55" * _PART_BYTES
    end = b"\r\n--B--\r\n"
    head = (
        "POST /dicomweb/source/studies/1.2.3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        'Content-Type: multipart/related; type="application/dicom"; boundary=B\r\n'
        f"Content-Length: {_PARTS * len(part) + len(end)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", daemon.addresses["http"][1]), 60) as peer:
        peer.sendall(head.encode())
        for _ in range(_PARTS):
            peer.sendall(part)
        # All but what the socket holds has been taken; nothing was answered yet.
        grown = _resident_mib(daemon) - before
        peer.sendall(end)
        assert peer.recv(65536).startswith(b"HTTP/1.1 409")
    assert grown < _MOST_GROWTH_MIB
