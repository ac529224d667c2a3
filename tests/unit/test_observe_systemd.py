"""What the service tells systemd."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from daemon.observe.systemd import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def notifier(manager: socket.socket, **more: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": manager.getsockname(), **more})


def test_ready_is_told_with_a_status_of_one_line(manager: socket.socket) -> None:
    notifier(manager).ready("DICOMVEIL at\n127.0.0.1:11112")
    assert manager.recv(1000) == b"READY=1\nSTATUS=DICOMVEIL at 127.0.0.1:11112"


def test_the_watchdog_is_fed(manager: socket.socket) -> None:
    notifier(manager).alive()
    assert manager.recv(1000) == b"WATCHDOG=1"


def test_stopping_is_told(manager: socket.socket) -> None:
    notifier(manager).stopping()
    assert manager.recv(1000).startswith(b"STOPPING=1\n")


def test_a_status_is_told(manager: socket.socket) -> None:
    notifier(manager).status("3 waiting")
    assert manager.recv(1000) == b"STATUS=3 waiting"


def test_the_abstract_name_space_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0dicomveil-test-{os.getpid()}")
        listening.settimeout(5)
        Notifier({"NOTIFY_SOCKET": f"@dicomveil-test-{os.getpid()}"}).alive()
        assert listening.recv(1000) == b"WATCHDOG=1"


def test_the_interval_is_half_of_what_the_manager_waits(manager: socket.socket) -> None:
    assert notifier(manager, WATCHDOG_USEC="60000000").watchdog_interval_s == 30.0


@pytest.mark.parametrize(
    "environ",
    [
        {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {},
    ],
)
def test_nobody_waits_unless_the_manager_says_so(
    manager: socket.socket, environ: dict[str, str]
) -> None:
    assert notifier(manager, **environ).watchdog_interval_s is None


def test_without_a_manager_nothing_happens() -> None:
    silent = Notifier({})
    silent.ready("x")
    silent.alive()
    silent.stopping()
    assert silent.watchdog_interval_s is None


def test_a_manager_that_went_away_does_no_harm(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()
