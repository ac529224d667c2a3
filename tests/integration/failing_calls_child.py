"""A process in which one system call after the other fails: receives, takes, settles, and looks what is left.

Run as ``python -m tests.integration.failing_calls_child LIBRARY FOLDER`` with the library of
``tests/failing_calls.c`` preloaded. Prints one JSON object: how many calls there were, and what went wrong, by
the number of the call that failed.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import shutil
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import structlog

from daemon.errors import DaemonError
from daemon.records import Origin, Receiver, State
from daemon.store import fsck
from daemon.store.stores import Stores
from dicomweb.ports import Query
from tests.store_samples import file_of, make_instance, receive, veiled, work

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from daemon.records import Receipt
    from dicomweb.ports import InstanceStore

FIRST, SENT, DROPPED, REFUSED = 9, (1, 2), (3, 4), 2
WATCHED = Origin(Receiver.WATCH, peer="/srv/inbox")
_STRIDE = 3
"""Of the many calls of settling, which promise nothing any more, each third fails; of the others each."""
EVERYTHING = Query("instance", {}, None, fuzzy=False, limit=1000, offset=0)


class Calls:
    """The preloaded library."""

    def __init__(self, library: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.fail_counted.restype = self._library.fail_fired.restype = ctypes.c_long

    def arm(self, folder: Path, at: int) -> None:
        """Let the call of that number fail, counted from 1 below the folder."""
        self._library.fail_arm(os.fsencode(f"{folder}/"), ctypes.c_long(at))

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
    """Two instances sent, two files dropped, all settled, one of them into quarantine."""

    def __init__(self, folder: Path, calls: Calls) -> None:
        self.state_dir, self.inbox = folder / "state", folder / "inbox"
        self.inbox.mkdir(parents=True)
        for number in DROPPED:
            (self.inbox / str(number)).write_bytes(file_of(make_instance(number)))
        self.calls = calls
        self.promised: list[int] = []
        self.calls_of_promises = 0
        self.wrong: list[str] = []

    async def run(self, at: int) -> None:
        """Do everything while the call of that number fails; what is refused is not tried again."""
        stores = await Stores.open(self.state_dir)
        # SQLite flushes the folder at a log's first commit, too, and does not look whether that failed.
        await receive(stores, file_of(make_instance(FIRST)))
        self.calls.arm(self.state_dir.parent, at)
        for number in SENT:
            await self._promised(number, receive(stores, file_of(make_instance(number))))
        for number in DROPPED:
            await self._promised(number, stores.spool.adopt(self.inbox / str(number), WATCHED))
        self.calls_of_promises = self.calls.counted
        with suppress(DaemonError, OSError):  # the latter of what stands for a worker
            await settle_all(stores)
        self.calls.disarm()
        await stores.close()

    async def _promised(self, number: int, promise: Awaitable[Receipt]) -> None:
        had_fired = self.calls.has_fired
        try:
            await promise
        except DaemonError:
            return
        self.promised.append(number)
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


async def settle_all(stores: Stores) -> None:
    """Do what the pipeline does with what waits."""
    while due := await stores.receipts.due(50, []):
        await stores.receipts.begin([receipt.id for receipt in due])
        results = []
        for receipt in due:
            data = stores.receipts.job(receipt).source.read_bytes()
            number = orjson.loads(data)["00200013"]["Value"][0]
            state = State.QUARANTINED if number == REFUSED else State.STORED
            results.append(
                work(stores, receipt, make_instance(number), state=state, reason="malformed")
            )
        await stores.receipts.settle(results)


async def shown(index: InstanceStore) -> Counter[str]:
    return Counter(
        orjson.loads(match.defaults)["00080018"]["Value"][0]
        for match in await index.search(EVERYTHING)
    )


async def main(library: str, folder: Path) -> None:
    calls = Calls(library)
    wrong: dict[int, list[str]] = {}
    total = promises = at = 0
    while at <= total:
        scenario = Scenario(folder / str(at), calls)
        await scenario.run(at)
        if at == 0:
            total, promises = calls.counted, scenario.calls_of_promises
            assert len(scenario.promised) == len(SENT) + len(DROPPED)
        await scenario.judge()
        if scenario.wrong:
            wrong[at] = scenario.wrong
        shutil.rmtree(folder / str(at))
        at += 1 if at < promises else _STRIDE
    print(json.dumps({"calls": total, "wrong": wrong}))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    os.umask(0o077)
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
