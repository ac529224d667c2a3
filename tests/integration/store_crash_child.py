"""A process to be killed: receives, takes and settles until then, and writes down what it promised.

Run as ``python -m tests.integration.store_crash_child STATE_DIR INBOX LOG SEED``. One line of the
log per promise, written after the promise was made: ``acknowledged <receipt id> <content>``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from daemon.records import Origin, Receiver, State
from daemon.store.stores import Stores
from tests.store_samples import ORIGIN, make_instance, work

if TYPE_CHECKING:
    from daemon.records import Receipt, Result, StoredInstance


def instance_named(content: str) -> StoredInstance:
    """Return the instance of a content: a number, sometimes of an instance sent before."""
    return make_instance(int(content), series=f"1.2.3.{int(content) % 3}")


async def main(state_dir: Path, dropped: list[Path], log: Path, seed: int) -> None:
    chance = random.Random(seed)
    stores = await Stores.open(state_dir)
    with log.open("ab", buffering=0) as promises:

        def acknowledge(receipt: Receipt, content: str) -> None:
            promises.write(f"acknowledged {receipt.id} {content}\n".encode())

        async def send() -> None:
            while True:
                content = str(chance.randrange(1, 400))
                file = stores.spool.open(ORIGIN)
                for byte in instance_named(content).metadata:
                    if byte == ord("{"):
                        await asyncio.sleep(0)
                file.write(instance_named(content).metadata)
                acknowledge(await file.commit(), content)

        async def take() -> None:
            watched = Origin(Receiver.WATCH, peer="/srv/inbox")
            for path in dropped:
                acknowledge(await stores.spool.adopt(path, watched), path.name)

        async def process() -> None:
            while True:
                due = await stores.receipts.due(chance.randrange(1, 9), [])
                await stores.receipts.begin([receipt.id for receipt in due])
                await stores.receipts.settle([result(receipt) for receipt in due])
                await asyncio.sleep(0)

        def result(receipt: Receipt) -> Result:
            data = stores.receipts.job(receipt).source.read_bytes()
            content = data.rpartition(b'"00200013":{"vr":"IS","Value":[')[2].partition(b"]")[0]
            state = State.QUARANTINED if int(content) % 10 == 0 else State.STORED
            return work(stores, receipt, instance_named(content.decode()), state=state, reason="x")

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(send())
            tasks.create_task(take())
            tasks.create_task(process())


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    os.umask(0o077)
    inbox = sorted(Path(sys.argv[2]).iterdir())
    asyncio.run(main(Path(sys.argv[1]), inbox, Path(sys.argv[3]), int(sys.argv[4])))
