"""A folder as a newcomer has it, with the program on its path: there is run what documents print."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.factories import PATIENTS, encoded, make_ct, make_us, write
from tests.free_ports import free_ports
from tests.service import ROOT
from tests.unit.test_deid_encrypted import TRUSTEE, certificate, private
from tests.viewer_package import folder, tarball

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE_S = 240.0


class Sandbox:
    """A home, a state folder, a configuration, and inputs under the names that examples use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.work = folder / "work"
        for made in (self.home, self.work, folder / "bin"):
            made.mkdir()
        for name in (".zfunc", ".local/share/man/man1", ".local/share/bash-completion/completions"):
            (self.home / name).mkdir(parents=True)
        program = folder / "bin" / "dicomveil"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m daemon "$@"\n')
        program.chmod(0o755)
        (folder / "bin" / "python").symlink_to(sys.executable)
        http_port, dimse_port = free_ports(2)
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home),
            "DICOMVEIL_STATE_DIR": str(folder / "state"),
            "DICOMVEIL_HTTP__PORT": str(http_port),
            "DICOMVEIL_DIMSE__PORT": str(dimse_port),
            "DICOMVEIL_WORKERS__COUNT": "1",  # each takes as long to start as most commands run
            "npm_config_fetch_retries": "0",
            "TERM": "xterm",
            "LANG": "C.UTF-8",
        }
        self.fill()

    def fill(self) -> None:
        """Lay out the inputs."""
        for number in range(3):
            patient = PATIENTS[number % 2]
            write(self.work / "scans" / f"{number}.dcm", make_ct(patient, instance=number))
        (self.work / "scans" / "note.txt").write_text("a note")
        write(self.work / "ultrasound.dcm", make_us())
        basic = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
        sealed = basic | {
            "dicomveil": {"encryptedAttributes": {"certificates": [certificate(TRUSTEE).decode()]}}
        }
        (self.work / "lung-study.json").write_text(json.dumps(basic))
        (self.work / "sealed.json").write_text(json.dumps(sealed))
        (self.work / "dicomveil.toml").write_text('[deidentifiers.default]\nconfig = "basic"\n')
        (self.work / "trustee.key").write_bytes(private(TRUSTEE))
        (self.work / "trustee.pem").write_bytes(certificate(TRUSTEE))
        (self.work / "site.key").write_bytes(bytes(range(1, 33)))
        (self.work / "site.key").chmod(0o600)
        write(self.work / "disc" / "IMAGE", make_ct(PATIENTS[1], study=2))
        if shutil.which("genisoimage"):
            made = ["genisoimage", "-quiet", "-o", "disc.iso", "disc"]
            subprocess.run(made, cwd=self.work, check=True, capture_output=True)
        else:
            (self.work / "disc.iso").write_bytes(encoded(make_ct(PATIENTS[1], study=2)))
        shutil.rmtree(self.work / "disc")
        tarball(self.work / "ohif-app.tgz")
        folder(self.work / "dist")

    def start_state(self) -> None:
        """Let the service run once, so that its state is there."""
        self.run("dicomveil serve", serves=True)

    def is_serving(self) -> bool:
        """Whether the service answers."""
        address = f"http://127.0.0.1:{self.environment['DICOMVEIL_HTTP__PORT']}/readyz"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return True
        except OSError:
            return False

    def with_ports(self, command: str) -> str:
        """Return a command with the ports that this service has, instead of the usual ones."""
        http, dimse = (self.environment[f"DICOMVEIL_{each}__PORT"] for each in ("HTTP", "DIMSE"))
        return (
            command.replace("localhost:8080", f"localhost:{http}")
            .replace("127.0.0.1:8080", f"127.0.0.1:{http}")
            .replace("localhost 11112", f"localhost {dimse}")
        )

    def export(self, line: str) -> None:
        """Do what a terminal does with ``export NAME=VALUE``: later commands see it."""
        _export, given = shlex.split(line, comments=True)
        name, _equals, value = given.partition("=")
        self.environment[name] = value

    def run(self, command: str, *, serves: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a line of shell; one that serves is ended by SIGINT once it answers."""
        if serves:
            with self.serving() as serving:
                serving.start(command)
            return subprocess.CompletedProcess([command], serving.code, serving.log.read_text(), "")
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.work,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

    @contextmanager
    def serving(self) -> Iterator[Serving]:
        """Give what runs a service until the block ends, if it is asked to."""
        serving = Serving(self)
        try:
            yield serving
        finally:
            serving.stop()


class Serving:
    """A service in the background: another terminal."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._process: subprocess.Popen[bytes] | None = None
        self.log = sandbox.folder / "serving.log"
        self.code = 0

    def start(self, command: str) -> None:
        """Start it, and wait until it answers or ends."""
        with self.log.open("wb") as file:
            self._process = subprocess.Popen(
                ["bash", "-c", f"{command}; exit $?"],
                cwd=self._sandbox.work,
                env=self._sandbox.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        end = time.monotonic() + DEADLINE_S
        while not self._sandbox.is_serving():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(self.log.read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        self.code = self._process.wait(DEADLINE_S)
        self._process = None
