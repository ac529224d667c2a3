"""The service that the demonstration talks to: `dicomveil serve` as a child process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daemon.cli.state import is_running
from daemon.errors import DaemonError, StoreUnavailable
from daemon.observe.run_folder import ADDRESSES, RunFolder
from daemon.store.layout import Layout, StateLock

if TYPE_CHECKING:
    from pathlib import Path

_START_DEADLINE_S: Final = 60.0
_STOP_DEADLINE_S: Final = 60.0
_LAST_WORDS: Final = 12


class ServiceFailed(DaemonError):
    """The child ended, or did not begin to listen. The message holds the end of its log."""


class RunsAlready(ServiceFailed):
    """Another demonstration, or a service that one has left, uses the folder. Nothing in it was changed."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the running service listens."""

    dimse: tuple[str, int]
    http: tuple[str, int]

    @property
    def base(self) -> str:
        """Base address of the web services."""
        return f"http://{self.http[0]}:{self.http[1]}"


@dataclass(slots=True)
class Service:
    """A child process with all its files in one folder.

    Attributes
    ----------
    folder
        Holds the generated configuration, the log, the inbox and the service's own state.
    """

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    _lock: StateLock | None = field(default=None, repr=False)

    @property
    def config(self) -> Path:
        """The generated configuration file."""
        return self.folder / "dicomveil.toml"

    @property
    def inbox(self) -> Path:
        """The watched folder."""
        return self.folder / "inbox"

    @property
    def state_dir(self) -> Path:
        """The service's own folder: database, spool, stores."""
        return self.folder / "service"

    @property
    def log(self) -> Path:
        """What the service writes to standard error."""
        return self.folder / "service.log"

    def claim(self) -> None:
        """Become the only one that starts a service in the folder, until `stop`; may be called twice.

        Raises
        ------
        RunsAlready
            When somebody else is that, or a service runs there that outlived who started it.
        """
        if self._lock is not None:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # The service's own lock says nothing while the child is on its way.
            lock = StateLock(self.folder / "lock")
        except StoreUnavailable:
            raise RunsAlready(self._told_where()) from None
        if is_running(Layout(self.state_dir)):
            lock.release()
            raise RunsAlready(self._told_where())
        self._lock = lock

    def start(self, dimse_port: int, http_port: int) -> Addresses:
        """Start the child and wait until it listens.

        Raises
        ------
        RunsAlready
            As `claim` does.
        ServiceFailed
            When it ends instead, or takes longer than a minute.
        """
        self.claim()
        for folder in (self.inbox, self.state_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.config.write_text(self._configuration(dimse_port, http_port), "utf-8")
        run_folder = RunFolder(self.state_dir)
        run_folder.remove(ADDRESSES)
        with self.log.open("wb") as log:
            # A session of its own, so that Ctrl-C reaches only us and the child is asked to drain.
            self.process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [sys.executable, "-m", "daemon", "serve", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_DEADLINE_S
        while (found := run_folder.read(ADDRESSES)) is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServiceFailed(
                    f"the service did not start; {self.log} ends:\n{self._last_words()}"
                )
            time.sleep(0.05)
        return Addresses(tuple(found["dimse"]), tuple(found["http"]))

    def is_running(self) -> bool:
        """Tell whether the child is alive."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> int:
        """Ask the child to finish what it does and end; return its exit status."""
        try:
            return self._stop_child()
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def _stop_child(self) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            status = self.process.wait()
        self.process = None
        return status

    def _configuration(self, dimse_port: int, http_port: int) -> str:
        return (
            "# Written by the demonstration at each start.\n"
            f"state_dir = {json.dumps(str(self.state_dir))}\n\n"
            f'[dimse]\nhost = "127.0.0.1"\nport = {dimse_port}\n\n'
            f'[http]\nhost = "127.0.0.1"\nport = {http_port}\n\n'
            f"[[watch]]\npath = {json.dumps(str(self.inbox))}\nsettle_s = 0.5\n"
        )

    def _told_where(self) -> str:
        found = RunFolder(self.state_dir).read(ADDRESSES)
        if found is None:
            return f"a service runs already in {self.folder}, or is about to; its log is {self.log}"
        addresses = Addresses(tuple(found["dimse"]), tuple(found["http"]))
        host, port = addresses.dimse
        return (
            f"a service runs already in {self.folder}: see {addresses.base}/studies (C-STORE at {host}"
            f" {port}). Stop it first, or name another folder with --state"
        )

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-_LAST_WORDS:])


def free_port(wanted: int) -> int:
    """Return the wanted port when it is free on loopback, else 0 (the kernel then chooses)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted
