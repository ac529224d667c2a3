"""Ready is who can take more: a store that refuses, or work that stands still, is not."""

from __future__ import annotations

import asyncio

import structlog

from daemon.errors import StoreUnavailable
from daemon.observe.health import Probes, Standing, Work
from daemon.observe.metrics import Metrics
from daemon.observe.systemd import Notifier
from daemon.records import State


class Folder:
    """A state folder as the probes see it."""

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting
        self.refusal: StoreUnavailable | None = None

    async def touch(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def free_bytes(self) -> int:
        return 1 << 40

    async def standing(self) -> Standing:
        return Standing({State.RECEIVED: self.waiting}, self.waiting, 0, None)


class Watch:
    """A clock that a test moves, and the work that goes on meanwhile."""

    def __init__(self, folder: Folder) -> None:
        self.now = 0.0
        self.work = Work()
        self.metrics = Metrics()
        self.probes = Probes(
            folder, self.metrics, Notifier(), 0, work=lambda: self.work, clock=lambda: self.now
        )

    async def ready_after(self, seconds: float) -> bool:
        self.now += seconds
        await self.probes.probe()
        return self.probes.is_ready

    @property
    def alarm(self) -> float | None:
        return self.metrics.registry.get_sample_value("dicomveil_work_stuck")


async def test_a_store_that_refuses_for_a_minute_is_not_ready_and_says_why() -> None:
    watch = Watch(Folder(waiting=3))
    assert await watch.ready_after(0)
    watch.work = Work(in_flight=2, refused_s=59.0, refusal="EXDEV")
    assert await watch.ready_after(59)
    watch.work = Work(in_flight=2, refused_s=61.0, refusal="EXDEV")
    with structlog.testing.capture_logs() as events:
        assert not await watch.ready_after(2)
        assert not await watch.ready_after(2)
    told = [event for event in events if event["event"] == "work_stuck"]
    assert told == [{"event": "work_stuck", "log_level": "error", "count": 3, "code": "EXDEV"}]
    assert watch.alarm == 1
    watch.work = Work(settled=1)
    assert await watch.ready_after(2)
    assert watch.alarm == 0


async def test_a_store_that_refuses_while_nothing_waits_is_ready() -> None:
    watch = Watch(Folder())
    watch.work = Work(refused_s=600.0, refusal="EIO")
    assert await watch.ready_after(600)


async def test_one_instance_that_takes_long_is_no_standstill() -> None:
    watch = Watch(Folder(waiting=1))
    watch.work = Work(in_flight=1)
    assert await watch.ready_after(3600)
    assert await watch.ready_after(3600)


async def test_what_waits_and_is_never_taken_is_a_standstill() -> None:
    watch = Watch(Folder(waiting=1))
    assert await watch.ready_after(300)
    assert not await watch.ready_after(300)
    assert watch.alarm == 1


async def test_a_probe_that_fails_is_not_ready_at_once() -> None:
    folder = Folder()
    watch = Watch(folder)
    assert await watch.ready_after(0)
    folder.refusal = StoreUnavailable("the database refused: SQLITE_BUSY", "SQLITE_BUSY")
    with structlog.testing.capture_logs() as events:
        assert not await watch.ready_after(2)
    assert events[0]["code"] == "SQLITE_BUSY"


async def test_a_probe_that_cannot_be_made_at_all_ends_no_service() -> None:
    """As where the system has no thread left: the next may pass."""

    class Looking(Folder):
        asked = 0

        def free_bytes(self) -> int:
            self.asked += 1
            if self.asked == 1:
                raise RuntimeError("can't start new thread")
            return super().free_bytes()

    folder = Looking()
    probes = Probes(
        folder, Metrics(), Notifier({"WATCHDOG_USEC": "1000", "NOTIFY_SOCKET": "/nowhere"}), 0
    )
    probing = asyncio.create_task(probes.run())
    while not probes.is_ready:
        await asyncio.sleep(0.001)
        assert not probing.done()
    probing.cancel()
    assert folder.asked > 1
