"""The servers that are compared: ours, dcmtk's storescp, and Orthanc as Debian installs it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator

_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `http` is 0 where there is none."""

    pid: int
    ae_title: str
    dimse: int
    http: int = 0
    daemon: RunningDaemon | None = None
    folder: Path | None = None

    def received(self) -> int:
        """Return how many instances it holds, by its own account."""
        if self.daemon is not None:
            return len(self.daemon.journal())
        if self.http:
            url = f"http://127.0.0.1:{self.http}/statistics"
            with urllib.request.urlopen(url, timeout=30) as response:
                return int(json.load(response)["CountInstances"])
        assert self.folder is not None
        return sum(path.name != "log" for path in self.folder.iterdir())


@contextlib.contextmanager
def dicomveil(folder: Path, settings: str = "") -> Iterator[Server]:
    """Run ours, with its defaults."""
    (folder / "state").mkdir(mode=0o700, parents=True)
    daemon = RunningDaemon(state_dir=folder / "state", folder=folder, settings=settings, workers=0)
    daemon.start()
    assert daemon.process is not None
    try:
        yield Server(
            daemon.process.pid,
            "DICOMVEIL",
            daemon.dimse_port,
            int(daemon.addresses["http"][1]),
            daemon,
        )
    finally:
        daemon.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def storescp(folder: Path, *, no_delay: bool = False) -> Iterator[Server]:
    """Run dcmtk's receiver, a process for each association."""
    folder.mkdir(parents=True)
    port = _free_port()
    command = ["storescp", "--fork", "-od", str(folder), str(port)]
    with _running(command, folder, port, no_delay=no_delay) as pid:
        yield Server(pid, "STORESCP", port, folder=folder)


@contextlib.contextmanager
def orthanc(folder: Path, *, no_delay: bool = False) -> Iterator[Server]:
    """Run Orthanc with the settings it comes with; only folders and ports are ours."""
    folder.mkdir(parents=True)
    dimse, http = _free_port(), _free_port()
    configuration = {
        "Name": "benchmark",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomPort": dimse,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
    }
    if has_orthanc_dicomweb():
        configuration |= {"Plugins": [str(_DICOMWEB)], "DicomWeb": {"Root": "/dicom-web/"}}
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    program = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "Orthanc"
    with _running([program, str(path)], folder, dimse, no_delay=no_delay) as pid:
        _wait_for(http)
        yield Server(pid, "ORTHANC", dimse, http)


def has_orthanc_dicomweb() -> bool:
    """Whether Orthanc's DICOMweb plugin is installed."""
    return _DICOMWEB.exists()


def has_orthanc() -> bool:
    """Whether Orthanc is installed."""
    return bool(shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin"))


@contextlib.contextmanager
def _running(command: list[str], folder: Path, port: int, *, no_delay: bool) -> Iterator[int]:
    environment = {**os.environ, **({"TCP_NODELAY": "1"} if no_delay else {})}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        _wait_for(port)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    message = f"nobody listens on {port}"
    raise RuntimeError(message)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
