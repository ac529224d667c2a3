"""``dicomveil serve`` from its first line to its last."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.service import DEADLINE_S, ROOT, RunningDaemon, running, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def manager(folder: Path) -> Iterator[tuple[socket.socket, str]]:
    """Listen where systemd would."""
    path = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(DEADLINE_S)
        yield listening, path


def serve_and_fail(folder: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    config = folder / "refused.toml"
    config.write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "daemon", "serve", "--config", str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """Run one daemon for the tests that only look at it."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "state").mkdir(mode=0o700)
    with running(folder, folder / "state") as daemon:
        yield daemon


def test_systemd_hears_of_ready_life_and_end(disk_path: Path, state_dir: Path) -> None:
    with manager(disk_path) as (systemd, path):
        environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"}
        daemon = RunningDaemon(state_dir=state_dir, folder=disk_path, environment=environment)
        daemon.start()
        try:
            heard = [systemd.recv(1000)]
            while not any(each.startswith(b"READY=1") for each in heard):
                heard.append(systemd.recv(1000))
            while heard[-1] != b"WATCHDOG=1":
                heard.append(systemd.recv(1000))
        finally:
            assert daemon.stop() == 0
        while not heard[-1].startswith(b"STOPPING=1"):
            heard.append(systemd.recv(1000))


def test_it_says_where_it_listens_in_one_line(service: RunningDaemon) -> None:
    wait_until(lambda: "is ready" in service.log, what="it says where it listens")
    lines = [line for line in service.log.splitlines() if "is ready" in line]
    assert len(lines) == 1
    assert str(service.dimse_port) in lines[0]
    assert service.http in lines[0]


def test_it_does_without_what_its_workers_read_pixels_by(service: RunningDaemon) -> None:
    assert service.process is not None
    loaded = Path(f"/proc/{service.process.pid}/maps").read_text()
    assert "/pydantic_core/" in loaded
    assert not any(f"/{name}/" in loaded for name in ("numpy", "PIL", "cv2"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(disk_path: Path, state_dir: Path, number: signal.Signals) -> None:
    daemon = RunningDaemon(state_dir=state_dir, folder=disk_path)
    daemon.start()
    assert daemon.process is not None
    daemon.process.send_signal(number)
    assert daemon.process.wait(DEADLINE_S) == 0
    daemon.assert_no_traceback()


def test_every_line_of_its_log_is_json_or_the_announcement(
    disk_path: Path, state_dir: Path
) -> None:
    daemon = RunningDaemon(state_dir=state_dir, folder=disk_path)
    daemon.start()
    daemon.stop()
    lines = daemon.log.splitlines()
    others = [line for line in lines if not line.startswith("{")]
    assert len(others) == 1
    assert all(
        {"timestamp", "level", "event"} <= set(json.loads(line))
        for line in lines
        if line.startswith("{")
    )
    assert not any("withheld" in line for line in lines)


def test_it_goes_on_where_it_can_tell_nobody_of_itself(disk_path: Path, state_dir: Path) -> None:
    """As on a full disk: that others are not told how many files wait is no reason to receive none."""
    with running(disk_path, state_dir, is_prepared=True) as daemon:
        shutil.rmtree(state_dir / "run")
        (state_dir / "run").touch(mode=0o600)
        assert daemon.inbox is not None
        with (daemon.inbox / "held.dcm").open("wb") as held:
            held.write(b"still being written")
            held.flush()
            wait_until(lambda: "run_file_not_written" in daemon.log, what="it was refused")
            assert daemon.is_alive()
            (state_dir / "run").unlink()
            told = state_dir / "run" / "watching.json"
            wait_until(told.exists, what="it says so after all")


def test_a_second_service_on_the_same_state_is_refused(
    service: RunningDaemon, tmp_path: Path
) -> None:
    text = f'state_dir = "{service.state_dir}"\n[dimse]\nport = 0\n[http]\nport = 0\n'
    ended = serve_and_fail(tmp_path, text)
    assert ended.returncode == 1
    assert f"is using {service.state_dir}; stop it first" in ended.stderr


def test_a_lock_that_somebody_removed_lets_no_second_service_in(
    service: RunningDaemon, tmp_path: Path
) -> None:
    """Where it is taken for a stale one: two would remove each other's files."""
    (service.state_dir / "lock").unlink()
    text = f'state_dir = "{service.state_dir}"\n[dimse]\nport = 0\n[http]\nport = 0\n'
    ended = serve_and_fail(tmp_path, text)
    assert ended.returncode == 1
    assert f"is using {service.state_dir}; stop it first" in ended.stderr
    assert "the service is running" in service.command("status").stdout


@pytest.mark.parametrize("section", ["dimse", "http"])
def test_a_port_that_is_taken_is_named_as_such(
    disk_path: Path, state_dir: Path, section: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"dimse": 0, "http": 0, section: port}
        text = f'state_dir = "{state_dir}"\n' + "".join(
            f"[{name}]\nport = {number}\n" for name, number in ports.items()
        )
        ended = serve_and_fail(disk_path, text)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"dicomveil: cannot listen on 127.0.0.1:{port} (Address already in use);"
        f" see host and port in [{section}]"
    )


def test_a_host_that_does_not_exist_is_named_as_such(disk_path: Path, state_dir: Path) -> None:
    text = (
        f'state_dir = "{state_dir}"\n[trust]\nallow_insecure_network = true\n'
        '[dimse]\nport = 0\n[http]\nhost = "no.invalid"\nport = 0\n'
    )
    ended = serve_and_fail(disk_path, text)
    assert ended.returncode == 1
    assert "dicomveil: cannot listen on no.invalid:0 (" in ended.stderr


def test_a_key_file_that_others_may_read_is_refused_with_78(
    disk_path: Path, state_dir: Path
) -> None:
    key = disk_path / "key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o644)
    text = f'state_dir = "{state_dir}"\n[key]\nfile = "{key}"\n'
    ended = serve_and_fail(disk_path, text)
    assert ended.returncode == 78
    assert "open to others" in ended.stderr


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = serve_and_fail(tmp_path, 'state_dir = "file/state"\n')
    assert ended.returncode == 1
    assert "state_dir" in ended.stderr


def test_an_open_address_is_refused_with_78(disk_path: Path, state_dir: Path) -> None:
    ended = serve_and_fail(disk_path, f'state_dir = "{state_dir}"\n[http]\nhost = "0.0.0.0"\n')
    assert ended.returncode == 78
    assert "http.host" in ended.stderr


def test_everything_in_the_state_folder_is_private(service: RunningDaemon) -> None:
    everything = [service.state_dir, *service.state_dir.rglob("*")]
    assert [path for path in everything if path.stat().st_mode & 0o077] == []


def test_status_says_that_it_runs(service: RunningDaemon) -> None:
    assert json.loads(service.command("status", "--json").stdout)["running"]
