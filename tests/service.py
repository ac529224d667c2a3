"""The daemon as a user runs it: a child process, its addresses, its end."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.store.journal import SETTLED, read_journal
from daemon.store.layout import DATABASE_NAME
from tests.commands import typed
from tests.prepared import Forked, fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from daemon.store.rows import Arrival

ROOT = Path(__file__).resolve().parent.parent
KEY = bytes(range(64, 96))
"""Site key of every new state folder: what stands for people and UIDs is the same in each run of a test.

Of random ones, one in some thousands holds the digits of a record number that a test looks for.
"""
_USUAL = {"PYTHONUNBUFFERED": "1", "SSL_CERT_FILE": os.devnull}
"""Environment of a service: it asks nobody by TLS, and would load all whom the machine trusts, twice."""
DEADLINE_S = 240.0
"""How long anything may take before a test gives up on it; no test measures how long it took."""


def wait_until(is_true: Callable[[], bool], *, what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until `is_true`, or fail by name.

    What takes long to ask is asked less often, as it takes its time from what is waited for; but once a second
    and more, whatever a machine that stood still made of one answer: what is waited for may pass.
    """
    end = time.monotonic() + deadline_s
    while True:
        asked = time.monotonic()
        if is_true():
            return
        answered = time.monotonic()
        if answered > end:
            message = f"gave up waiting until {what}"
            raise AssertionError(message)
        time.sleep(min(max(0.05, 2 * (answered - asked)), 1.0))


@dataclass
class RunningDaemon:
    """`dicomveil serve` in a child process, on ports that the kernel chose.

    Attributes
    ----------
    folder
        Where the configuration file and the log are written.
    settings
        More TOML, appended to the generated configuration (whole tables only).
    workers
        How many processes de-identify, unless `settings` say it; 0 is one per processor. One is enough where
        nothing is asked of what several do beside each other; each takes half a second of CPU to start.
    root, python
        The checkout whose program runs, and the interpreter that runs it.
    is_prepared
        Whether it is a fork of a process that has loaded the program, where no test asks how it starts
        (`tests.prepared`).
    """

    state_dir: Path
    folder: Path
    inbox: Path | None = None
    settings: str = ""
    workers: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    root: Path = ROOT
    python: str = sys.executable
    is_prepared: bool = False
    process: subprocess.Popen[bytes] | Forked | None = None
    addresses: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def config_path(self) -> Path:
        """The generated configuration file."""
        return self.folder / "dicomveil.toml"

    @property
    def log_path(self) -> Path:
        """Everything that every run of this daemon wrote to standard output and error."""
        return self.folder / "daemon.log"

    @property
    def dimse_port(self) -> int:
        """Port of the C-STORE SCP."""
        return int(self.addresses["dimse"][1])

    @property
    def http(self) -> str:
        """Base address of the HTTP server, without a slash at the end."""
        return f"http://127.0.0.1:{self.addresses['http'][1]}"

    @property
    def log(self) -> str:
        """The log so far."""
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def start(self) -> None:
        """Start it and wait until it says where it listens."""
        ready = self.launch()
        process = self.process
        assert process is not None

        def is_ready() -> bool:
            if process.poll() is not None:
                message = f"the daemon ended with {process.returncode}:\n{self.log[-4000:]}"
                raise AssertionError(message)
            return ready.exists()

        try:
            wait_until(is_ready, what="the daemon has written its addresses")
        except AssertionError:
            self.kill()
            raise
        self.addresses = json.loads(ready.read_text())

    def launch(self) -> Path:
        """Start it and wait for nothing; return the file in which it will say where it listens."""
        self._write_config()
        self._write_key()
        ready = self.state_dir / "run" / "addresses.json"
        ready.unlink(missing_ok=True)
        arguments = ["serve", "--config", str(self.config_path)]
        environment = {**os.environ, **_USUAL, **self.environment}
        with self.log_path.open("ab") as log:
            self.process = (
                fork(arguments, root=self.root, environment=environment, log=log)
                if self.is_prepared
                else subprocess.Popen(
                    [self.python, "-m", "daemon.cli.main", *arguments],
                    cwd=self.root,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
            )
        return ready

    def stop(self) -> int:
        """Ask it to end by SIGTERM and return its exit status; kill it when it does not."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            message = f"the daemon did not end after SIGTERM:\n{self.log[-4000:]}"
            raise AssertionError(message) from None
        self.process = None
        return status

    def kill(self, *, workers_too: bool = True) -> None:
        """Kill it, and its workers with it as a power cut would, or leave them to find out."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            if workers_too:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        self.process.wait()
        self.process = None

    def is_alive(self) -> bool:
        """Whether the process runs and answers."""
        return (
            self.process is not None
            and self.process.poll() is None
            and self.get("/healthz")[0] == 200
        )

    def get(
        self, path: str, *, accept: str = "application/dicom+json", timeout_s: float = 240
    ) -> tuple[int, bytes]:
        """Return status and body of a GET."""
        request = urllib.request.Request(self.http + path, headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def instances(self, store: str = "deid") -> list[dict[str, Any]]:
        """Return every instance of a store by QIDO-RS, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            status, body = self.get(f"/dicomweb/{store}/instances?limit=1000&offset={len(found)}")
            if status == 204 or not body:
                return found
            assert status == 200, (status, body[:500])
            page = json.loads(body)
            if not page:
                return found
            found += page

    def journal(self) -> list[Arrival]:
        """Return every receipt, in the order of arrival."""
        found: list[Arrival] = []
        while page := read_journal(self.state_dir, found[-1].seq if found else 0):
            found += page
        return found

    def wait_until_settled(self, receipts: int, *, deadline_s: float = DEADLINE_S) -> list[Arrival]:
        """Wait until so many receipts are there and nothing more will happen to any of them."""
        found: list[Arrival] = []

        def are_settled() -> bool:
            assert self.process is None or self.process.poll() is None, self.log[-4000:]
            found[:] = self.journal()
            return len(found) >= receipts and all(entry.state in SETTLED for entry in found)

        try:
            wait_until(are_settled, what=f"{receipts} receipts have settled", deadline_s=deadline_s)
        except AssertionError as error:
            states = Counter(entry.state for entry in found)
            message = f"{error}: {len(found)} receipts, {dict(states)}\n{self.log[-3000:]}"
            raise AssertionError(message) from None
        return found

    @property
    def database(self) -> Path:
        """The service's database file."""
        return self.state_dir / DATABASE_NAME

    def replaced(self) -> dict[str, tuple[str, str, str]]:
        """Return study, series and instance UID in the destination by original instance UID."""
        query = """
            SELECT s.SOPInstanceUID, t.StudyInstanceUID, e.SeriesInstanceUID, d.SOPInstanceUID
              FROM instances s JOIN instances d ON d.receipt_id = s.receipt_id
              JOIN series e ON e.id = d.series_id JOIN studies t ON t.id = d.study_id
             WHERE s.store_id = (SELECT id FROM stores WHERE kind = 'dicom' AND role = 'source')
               AND d.store_id = (SELECT id FROM stores WHERE kind = 'dicom' AND role = 'destination')
        """
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            rows = connection.execute(query).fetchall()
        return {original: (study, series, instance) for original, study, series, instance in rows}

    def retrieve(self, study: str, series: str, instance: str, store: str = "deid") -> bytes:
        """Return one instance's file by WADO-RS."""
        status, body = self.get(
            f"/dicomweb/{store}/studies/{study}/series/{series}/instances/{instance}",
            accept='multipart/related; type="application/dicom"; transfer-syntax=*',
        )
        assert status == 200, (status, body[:300])
        start = body.index(b"\r\n\r\n") + 4
        return body[start : body.rindex(b"\r\n--")]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `dicomveil` command against the same configuration, in this process."""
        return typed(
            *(*arguments, "--config", str(self.config_path)),
            folder=ROOT,
            environment={**os.environ, **self.environment},
        )

    def assert_no_traceback(self) -> None:
        """Fail when a run ended in an error that nobody caught."""
        assert "Traceback (most recent call last)" not in self.log, self.log[-6000:]

    def _write_key(self) -> None:
        """Give a state folder that nothing was ever stored in its key."""
        key = self.state_dir / "site.key"
        if key.exists() or self.database.exists():
            return
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        key.touch(mode=0o600)
        key.write_bytes(KEY)

    def _write_config(self) -> None:
        watch = (
            f'[[watch]]\npath = "{self.inbox}"\nsettle_s = 0.3\nincomplete_s = 1.0\n'
            if self.inbox
            else ""
        )
        workers = "" if "[workers]" in self.settings else f"[workers]\ncount = {self.workers}\n"
        self.config_path.write_text(
            f'state_dir = "{self.state_dir}"\n{workers}'
            '[dimse]\nhost = "127.0.0.1"\nport = 0\n'
            '[http]\nhost = "127.0.0.1"\nport = 0\n'
            f"{watch}{self.settings}\n"
        )


@contextmanager
def running(
    folder: Path, state_dir: Path, *, workers: int = 1, is_prepared: bool = False
) -> Iterator[RunningDaemon]:
    """Run the real daemon as a child process, watching an inbox in the folder; end it by SIGTERM."""
    inbox = folder / "inbox"
    inbox.mkdir()
    daemon = RunningDaemon(state_dir, folder, inbox=inbox, workers=workers, is_prepared=is_prepared)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        daemon.assert_no_traceback()
