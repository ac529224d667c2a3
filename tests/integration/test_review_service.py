"""How the service ends when a part of it has failed."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from config import loading
from daemon import app
from daemon.observe.health import Probes
from daemon.observe.metrics import Metrics
from daemon.observe.systemd import Notifier
from daemon.receive.dimse.server import DimseServer
from daemon.receive.watch.folder import WatchedFolder
from daemon.store.probing import StoreProbe
from daemon.store.stores import Stores

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from config import Settings


VALUE = "DOE^JANE^19610203"


def _settings(tmp_path: Path, more: str = "") -> Settings:
    (tmp_path / "dicomveil.toml").write_text(
        f'state_dir = "{tmp_path / "state"}"\n[dimse]\nport = 0\n[http]\nport = 0\n'
        f"[workers]\ncount = 1\n{more}"
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


async def test_all_doors_stop_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may take its seconds: one after the other, many folders would take longer than they may together."""
    doors = asyncio.Barrier(3)
    ended: list[str] = []

    def together(stop: Callable[..., Awaitable[None]], name: str) -> Callable[..., Awaitable[None]]:
        async def stopping(*arguments: Any, **options: Any) -> None:
            async with asyncio.timeout(30):
                await doors.wait()
            await stop(*arguments, **options)
            ended.append(name)

        return stopping

    async def run(_probes: Probes) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    for kind in (WatchedFolder, DimseServer):
        monkeypatch.setattr(kind, "stop", together(kind.stop, kind.__name__))
    monkeypatch.setattr(Probes, "run", run)
    settings = _settings(
        tmp_path, f'[[watch]]\npath = "{tmp_path}/a"\n[[watch]]\npath = "{tmp_path}/b"\n'
    )
    await app.serve(settings, told=lambda _line: None)
    assert sorted(ended) == ["DimseServer", "WatchedFolder", "WatchedFolder"]


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


@pytest.mark.parametrize("name", ["spool", "work", "source", "deid"])
async def test_a_folder_that_is_gone_is_not_ready_and_named(tmp_path: Path, name: str) -> None:
    stores = await Stores.open(tmp_path / "state")
    probes = Probes(StoreProbe(stores), Metrics(), Notifier(), min_free=0)
    await probes.probe()
    ready = [probes.is_ready]
    (tmp_path / "state" / name).rename(tmp_path / name)
    with structlog.testing.capture_logs() as events:
        await probes.probe()
    ready.append(probes.is_ready)
    (told,) = events
    assert (told["event"], told["folder"], told["code"]) == ("probe_failed", name, "ENOENT")
    (tmp_path / name).rename(tmp_path / "state" / name)
    await probes.probe()
    assert [*ready, probes.is_ready] == [True, False, True]
    await stores.close()


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
