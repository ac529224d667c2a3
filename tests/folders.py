"""``dicomveil deid`` as a user runs it: a folder of instances, a key, a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.commands import typed
from tests.factories import make_ct, write

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
KEY = bytes(range(1, 33))
_STANDING_STILL = """
import asyncio, sys
from itertools import count
from pathlib import Path
from daemon.cli.main import main
from daemon.workers.pool import WorkerPool
most, does_not_end = int(sys.argv.pop(1)), sys.argv.pop(1) == "does-not-end"
written, answered = count(1), WorkerPool.run

async def run(pool, job, size=0):
    if job.header.get("output") and next(written) > most:
        try:
            await asyncio.Event().wait()
        finally:
            if does_not_end:
                Path("told-to-end").touch()
                await asyncio.Event().wait()
    return await answered(pool, job, size)

WorkerPool.run = run
main()
"""


class Deid:
    """The command in a child process, with a home of its own and no configuration but a key.

    One process works, unless a test asks for more: each costs as much to start as most tests have done by it.

    Parameters
    ----------
    config
        What the deidentifier ``default`` is; empty for the shipped one, or a configuration file's. The
        shipped one looks at pixels, too: its workers take three times as long to start.
    """

    def __init__(self, folder: Path, config: str = "basic") -> None:
        self.folder = folder
        self.key = self.key_file("site.key", KEY)
        self.inputs = folder / "in"
        write(self.inputs / "a" / "ct.dcm", make_ct())
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder / "home"),
            "DICOMVEIL_STATE_DIR": str(folder / "state"),
        }
        if config:
            self.environment["DICOMVEIL_DEIDENTIFIERS__DEFAULT__CONFIG"] = config

    def key_file(self, name: str, secret: bytes) -> Path:
        file = self.folder / name
        file.write_bytes(secret)
        file.chmod(0o600)
        return file

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run any command of the program."""
        return self._run(*arguments)

    def __call__(
        self, *arguments: str | Path, preexec: Callable[[], None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        jobs = () if "--jobs" in arguments else ("--jobs", "1")
        return self._run("deid", *arguments, *jobs, preexec=preexec)

    def _run(
        self, *arguments: str | Path, preexec: Callable[[], None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "daemon", *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
            # Where files are kept small, modules of the tree would be compiled to halves.
            env=self.environment | ({"PYTHONDONTWRITEBYTECODE": "1"} if preexec else {}),
            preexec_fn=preexec,
        )

    def output(self, *arguments: str | Path, out: str = "out") -> dict[str, bytes]:
        """Run, expect success, and return what was written, by relative path."""
        run = self(self.inputs, "--out", out, *arguments)
        assert run.returncode == 0, run.stderr
        folder = self.folder / out
        return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*.dcm")}


class DeidHere(Deid):
    """The same in the process of the test; of its workers the first is a fork (`tests.prepared`).

    Half of what a command takes for a few instances is what its process loads. Tests that a run comes out the
    same when it is done again or continued have processes of their own, whose hashes differ.
    """

    def _run(
        self, *arguments: str | Path, preexec: Callable[[], None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        if preexec:
            return super()._run(*arguments, preexec=preexec)
        return typed(*arguments, folder=self.folder, environment=self.environment)


def standing_still(most: int, *, ends: bool = True) -> tuple[str, ...]:
    """Return the arguments of an interpreter that run the program; its workers answer so many jobs and no more.

    However late a signal comes, it comes before the end.

    Parameters
    ----------
    ends
        Whether it ends when it is told to; otherwise it makes a file ``told-to-end``, and does not.
    """
    return ("-c", _STANDING_STILL, str(most), "ends" if ends else "does-not-end")
