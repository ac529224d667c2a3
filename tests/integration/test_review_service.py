"""How the service ends when a part of it has failed."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest
import structlog

from config import loading
from daemon import app
from daemon.observe.health import Probes
from daemon.observe.metrics import Metrics
from daemon.observe.systemd import Notifier
from daemon.store.probing import StoreProbe
from daemon.store.stores import Stores

if TYPE_CHECKING:
    from pathlib import Path

    from config import Settings


VALUE = "DOE^JANE^19610203"


def _settings(tmp_path: Path) -> Settings:
    (tmp_path / "dicomveil.toml").write_text(
        f'state_dir = "{tmp_path / "state"}"\n[dimse]\nport = 0\n[http]\nport = 0\n'
        "[workers]\ncount = 1\n"
    )
    return loading.load(tmp_path / "dicomveil.toml", {})


@pytest.mark.parametrize("fails", [True, False])
async def test_the_exit_status_tells_the_service_manager_to_start_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    async def run(_probes: Probes) -> None:
        if fails:
            raise RuntimeError
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Probes, "run", run)
    status = await app.serve(_settings(tmp_path), told=lambda _line: None)
    assert (status != 0) is fails


async def test_what_nobody_waits_for_is_logged_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(_probes: Probes) -> None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": VALUE, "exception": RuntimeError(VALUE)})
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Probes, "run", run)
    with structlog.testing.capture_logs() as events:
        await app.serve(_settings(tmp_path), told=lambda _line: None)
    (told,) = [event for event in events if event["event"] == "task_failed_unobserved"]
    assert set(told) == {"event", "log_level", "exc_info"}  # the text is not asked for


async def test_a_full_disk_does_not_starve_the_watchdog(tmp_path: Path) -> None:
    fed: list[bool] = []

    class Counting(Notifier):
        def alive(self) -> None:
            fed.append(True)

    stores = await Stores.open(tmp_path / "state")
    probes = Probes(StoreProbe(stores), Metrics(), Counting(), min_free=1 << 62)
    await probes.probe()
    assert (len(fed), probes.is_ready, probes.is_alive) == (1, False, True)
    await stores.database.close()
    await probes.probe()
    assert len(fed) == 1
    await stores.close()
