"""A process in which one system call after the other fails, or is the last: receives, takes, shows and settles.

Run as ``python -m tests.integration.failing_calls_child HOW FOLDER LIBRARY`` with the library of
``tests/failing_calls.c`` preloaded. HOW is ``failing``; or ``killed``, where a child of this process does the
work and is killed before each call in turn; or ``reindexing``, the same while a lost database is made anew.
Prints one JSON object: how many calls there were, and what went wrong, by the number of the call.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import shutil
import signal
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import structlog

from daemon.errors import DaemonError
from daemon.records import Origin, Output, Receiver, State
from daemon.store import fsck
from daemon.store.layout import DATABASE_NAME
from daemon.store.redo import redo
from daemon.store.stores import Stores
from dicomweb.ports import Query
from tests.store_samples import file_of, make_instance, receive, veiled, work

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from daemon.records import Receipt, Result, StoredInstance
    from dicomweb.ports import InstanceStore

FIRST, SENT, DROPPED, REFUSED = 9, (1, 2), (3, 4), 2
STORED_BEFORE = (11, 12)
WATCHED = Origin(Receiver.WATCH, peer="/srv/inbox")
_STRIDE = 3
"""Of the many calls of settling, which promise nothing any more, each third fails; of the others each."""
_REINDEXING_STRIDE = 5
"""Most of its calls make the tables of an empty database, in one transaction."""
EVERYTHING = Query("instance", {}, None, fuzzy=False, limit=1000, offset=0)


class Calls:
    """The preloaded library."""

    def __init__(self, library: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.fail_counted.restype = self._library.fail_fired.restype = ctypes.c_long

    def arm(self, folder: Path, at: int, *, kills: bool = False) -> None:
        """Let the call of that number fail, or be preceded by a kill, counted from 1 below the folder.

        Where it kills, flushes are not counted: they change nothing of what a killed process leaves.
        """
        self._library.fail_arm(os.fsencode(f"{folder}/"), ctypes.c_long(at), ctypes.c_int(kills))

    def disarm(self) -> None:
        """Let none fail, and count none."""
        self._library.fail_disarm()

    @property
    def counted(self) -> int:
        """How many calls there were."""
        return int(self._library.fail_counted())

    @property
    def has_fired(self) -> bool:
        """Whether one has failed."""
        return bool(self._library.fail_fired())


class Scenario:
    """Two instances sent, two files dropped, all settled, one of them into quarantine; some done again.

    Parameters
    ----------
    kills
        Whether the call of the number given is preceded by a kill, instead of failing.
    """

    def __init__(self, folder: Path, calls: Calls, *, kills: bool = False) -> None:
        self.below = folder / "below"
        self.state_dir, self.inbox = self.below / "state", self.below / "inbox"
        self.calls = calls
        self.kills = kills
        self._promises = folder / "promises"
        self.calls_of_promises = 0
        self.wrong: list[str] = []

    @property
    def promised(self) -> list[int]:
        """What was acknowledged, as whoever outlives a kill knows it."""
        return [int(line) for line in self._promises.read_text().split()]

    async def prepare(self) -> None:
        """Make what is there before any call fails."""
        self.inbox.mkdir(parents=True)
        self._promises.touch()
        for number in DROPPED:
            (self.inbox / str(number)).write_bytes(file_of(make_instance(number)))
        stores = await Stores.open(self.state_dir)
        for number in STORED_BEFORE:
            await receive(stores, file_of(make_instance(number)))
        await settle_all(stores)
        self._note(*STORED_BEFORE)
        await stores.close()

    async def run(self, at: int) -> None:
        """Do everything while that call fails, or up to it; what is refused is not tried again."""
        stores = await Stores.open(self.state_dir)
        # SQLite flushes the folder at a log's first commit, too, and does not look whether that failed.
        await receive(stores, file_of(make_instance(FIRST)))
        self._note(FIRST)
        self.calls.arm(self.below, at, kills=self.kills)
        for number in SENT:
            await self._promised(number, receive(stores, file_of(make_instance(number))))
        for number in DROPPED:
            await self._promised(number, stores.spool.adopt(self.inbox / str(number), WATCHED))
        self.calls_of_promises = self.calls.counted
        with suppress(DaemonError, OSError):  # the latter of what stands for a worker
            await show_some(stores)
            await receive(stores, file_of(make_instance(SENT[0])))
            await settle_all(stores)
            await do_again(stores, STORED_BEFORE[0])
            await settle_all(stores, made="anew")
            await stores.receipts.sweep()
        self.calls.disarm()
        await stores.close()

    def _note(self, *numbers: int) -> None:
        with self._promises.open("a") as promises:
            promises.writelines(f"{number}\n" for number in numbers)

    async def _promised(self, number: int, promise: Awaitable[Receipt]) -> None:
        had_fired = self.calls.has_fired
        try:
            await promise
        except DaemonError:
            return
        self._note(number)
        if self.calls.has_fired and not had_fired:
            self.wrong.append("acknowledged although a step failed")

    async def judge(self) -> None:
        """Start anew, do what is left, and look for everything promised and everything dropped."""
        stores = await Stores.open(self.state_dir)
        await settle_all(stores)
        source, destination = await shown(stores.source), await shown(stores.destination)
        in_inbox = {int(path.name) for path in self.inbox.iterdir()}
        quarantined = await stores.database.read(
            lambda session: len(session.receipts.refused([State.QUARANTINED], None, 100, 0))
        )
        await stores.close()
        for number in (*self.promised, *(set(DROPPED) - in_inbox)):
            instance = make_instance(number)
            expected = 0 if number == REFUSED else 1
            if source[instance.sop_instance_uid] != 1:
                self.wrong.append("not exactly once in the source")
            if destination[veiled(instance).sop_instance_uid] != expected:
                self.wrong.append("not exactly once in the destination or quarantine")
        if (set(source.values()) | set(destination.values())) - {1}:
            self.wrong.append("twice")
        if quarantined > 1:
            self.wrong.append("more in quarantine than belongs there")
        if fsck.check(self.state_dir).findings:
            self.wrong.append("not consistent")
        self.wrong += [
            f"something left in {name}"
            for name in ("spool", "work")
            if list((self.state_dir / name).iterdir())
        ]


class LostDatabase(Scenario):
    """Everything settled, then the database lost, and made anew from the blobs."""

    async def prepare(self) -> None:
        """Receive and settle, and lose the database."""
        await super().prepare()
        await super().run(0)
        for path in self.state_dir.glob(f"{DATABASE_NAME}*"):
            path.unlink()

    async def run(self, at: int) -> None:
        """Reindex up to that call."""
        self.calls.arm(self.below, at, kills=self.kills)
        fsck.reindex(self.state_dir)
        self.calls.disarm()

    async def judge(self) -> None:
        """Reindex again, as somebody does whose service still refuses to start, and judge as ever."""
        fsck.reindex(self.state_dir)
        await super().judge()


async def show_some(stores: Stores) -> None:
    """Show in the source ahead of results, as for somebody who reads it."""
    unshown = await stores.receipts.next_unshown(2)
    await stores.receipts.show({each.id: instance_of(stores, each) for each in unshown})


async def do_again(stores: Stores, number: int) -> None:
    """Let a stored instance be received again, where it is."""
    uid = make_instance(number).sop_instance_uid
    with stores.engine.session(stores.layout) as session:
        found = session.instances.find(stores.stores.source, uid)
        assert found is not None
        redo(session, [found.receipt_id])


async def settle_all(stores: Stores, made: str = "") -> None:
    """Do what the pipeline does with what waits; outputs hold the text."""
    while due := await stores.receipts.due(50, []):
        await stores.receipts.begin([receipt.id for receipt in due])
        await stores.receipts.settle([result_of(stores, receipt, made) for receipt in due])


def result_of(stores: Stores, receipt: Receipt, made: str) -> Result:
    """Do what a worker does with a receipt."""
    instance = instance_of(stores, receipt)
    state = State.QUARANTINED if number_of(instance) == REFUSED else State.STORED
    result = work(stores, receipt, instance, state=state, reason="malformed")
    if not made or state is not State.STORED:
        return result
    output = veiled(make_instance(number_of(instance), content=made))
    stores.receipts.job(receipt).output.write_bytes(file_of(output))
    return replace(result, outputs=(Output("default", output),))


def instance_of(stores: Stores, receipt: Receipt) -> StoredInstance:
    """Return what a receipt's file holds."""
    data = stores.receipts.job(receipt).source.read_bytes()
    return make_instance(orjson.loads(data)["00200013"]["Value"][0])


def number_of(instance: StoredInstance) -> int:
    """Return what an instance is called here."""
    return int(instance.sop_instance_uid.rpartition(".")[2])


async def shown(index: InstanceStore) -> Counter[str]:
    return Counter(
        orjson.loads(match.defaults)["00080018"]["Value"][0]
        for match in await index.search(EVERYTHING)
    )


def one_after_the_other(make: Callable[[Path], Scenario], folder: Path) -> dict[str, object]:
    """Let each call fail in turn; each third of those after the promises."""
    wrong: dict[int, list[str]] = {}
    total = promises = at = 0
    while at <= total:
        scenario = copied(make, folder)
        asyncio.run(scenario.run(at))
        if at == 0:
            total, promises = scenario.calls.counted, scenario.calls_of_promises
            assert len(scenario.promised) == 1 + len(STORED_BEFORE) + len(SENT) + len(DROPPED)
        asyncio.run(scenario.judge())
        if scenario.wrong:
            wrong[at] = scenario.wrong
        at += 1 if at < promises else _STRIDE
    return {"calls": total, "wrong": wrong}


def killed_before_each(
    make: Callable[[Path], Scenario], folder: Path, stride: int
) -> dict[str, object]:
    """Have a child killed before each call in turn, until one comes to its end; judge what it left."""
    wrong: dict[int, list[str]] = {}
    at, has_ended = 1 - stride, False
    while not has_ended:
        at += stride
        scenario = copied(make, folder)
        child = os.fork()
        if child == 0:
            asyncio.run(scenario.run(at))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        has_ended = status == 0
        assert has_ended or os.WTERMSIG(status) == signal.SIGKILL
        asyncio.run(scenario.judge())
        if scenario.wrong:
            wrong[at] = scenario.wrong
    return {"calls": at - 1, "wrong": wrong}


def copied(make: Callable[[Path], Scenario], folder: Path) -> Scenario:
    """Return the scenario as it is before any call fails: made once, then copied."""
    prepared, now = folder / "prepared", folder / "now"
    if not prepared.exists():
        asyncio.run(make(prepared).prepare())
    shutil.rmtree(now, ignore_errors=True)
    shutil.copytree(prepared, now)
    return make(now)


def main(how: str, folder: Path, library: str) -> None:
    calls = Calls(library)
    if how == "failing":
        report = one_after_the_other(partial(Scenario, calls=calls), folder)
    else:
        scenario = {"killed": Scenario, "reindexing": LostDatabase}[how]
        stride = _REINDEXING_STRIDE if how == "reindexing" else 1
        report = killed_before_each(partial(scenario, calls=calls, kills=True), folder, stride)
    print(json.dumps(report))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    os.umask(0o077)
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
