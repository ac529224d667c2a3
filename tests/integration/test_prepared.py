"""What is a fork of a prepared process is to the system what is started as a user starts it."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from daemon.cli import deid
from daemon.workers.spawning import spawned_ahead
from tests.prepared import worker_ahead
from tests.service import DEADLINE_S, ROOT, RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.workers.spawning import Spawned

NAMES = ("Umask", "SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewPrivs", "Seccomp")


@contextmanager
def service(folder: Path, *, is_prepared: bool) -> Iterator[RunningDaemon]:
    folder.mkdir()
    daemon = RunningDaemon(
        folder / "state",
        folder,
        environment={"DICOMVEIL_DIMSE__AE_TITLE": "ASKED"},
        is_prepared=is_prepared,
    )
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.kill()


def as_seen(daemon: RunningDaemon) -> dict[str, object]:
    """Return what the system tells of a service that does nothing."""
    assert daemon.process is not None
    return of_process(daemon.process.pid, daemon.folder)


def of_process(pid: int, own_folder: Path) -> dict[str, object]:
    place = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (place / "status").read_text().splitlines())
    loaded = {line.split(maxsplit=5)[-1] for line in (place / "maps").read_text().splitlines()}
    kinds = [
        str(each.readlink()).partition("[")[0]
        for each in (place / "fd").iterdir()
        if each.name != "0"
    ]
    return {
        "status": {name: status[name] for name in NAMES},
        "libraries": {name for name in loaded if ".so" in name},
        # How often the database is open depends on what its readers were asked at the same time.
        "descriptors": sorted(
            each.replace(str(own_folder), "") for each in kinds if ".sqlite" not in each
        ),
        "folder": (place / "cwd").readlink(),
        "limits": (place / "limits").read_text(),
        "session": os.getsid(pid) == pid,
    }


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks the system by /proc")
def test_nothing_tells_a_fork_from_one_that_was_started(tmp_path: Path) -> None:
    with (
        service(tmp_path / "started", is_prepared=False) as started,
        service(tmp_path / "fork", is_prepared=True) as fork,
    ):
        wait_until(lambda: "DICOM ASKED@" in fork.log, what="it says where it listens")
        # What each has open and loaded depends on how far it is with what follows a start.
        with suppress(AssertionError):
            wait_until(lambda: as_seen(fork) == as_seen(started), what="both rest", deadline_s=60)
        assert as_seen(fork) == as_seen(started)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks the system by /proc")
def test_nothing_tells_a_worker_that_is_a_fork_from_one_that_was_started(tmp_path: Path) -> None:
    def seen(worker: Spawned) -> dict[str, object]:
        told = of_process(worker.process.pid, tmp_path)
        installed = {name for name in cast("set[str]", told["libraries"]) if "-packages" in name}
        return {**told, "libraries": installed}

    def are_alike() -> bool:
        try:
            return seen(fork) == seen(started)
        except FileNotFoundError:  # one opens and closes what it loads
            return False

    with spawned_ahead(1, deid._WARM_UP) as (started,), worker_ahead(ROOT) as (fork,):
        with suppress(AssertionError):
            wait_until(are_alike, what="both rest", deadline_s=60)
        assert seen(fork) == seen(started)
        assert seen(fork)["libraries"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fork_ends_with_the_status_of_the_signal_and_starts_again(
    tmp_path: Path, number: signal.Signals
) -> None:
    with service(tmp_path / "fork", is_prepared=True) as daemon:
        assert daemon.process is not None
        assert daemon.process.poll() is None
        daemon.process.send_signal(number)
        expected = 0 if number is signal.SIGTERM else -number
        assert daemon.process.wait(DEADLINE_S) == expected
        assert daemon.process.poll() == expected
        daemon.start()
        assert daemon.is_alive()


def test_what_keeps_a_fork_from_starting_is_told_in_its_log(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path / "state", tmp_path, settings="[no]\n", is_prepared=True)
    with pytest.raises(AssertionError, match=r"(?s)ended with 78:.*dicomveil\.toml.*no"):
        daemon.start()
