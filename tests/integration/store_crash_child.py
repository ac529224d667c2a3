"""A process to be killed: receives, takes, shows and settles until then, and writes down what it promised.

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


def content_of(data: bytes) -> str:
    """Return the content of a file that one of those instances has."""
    return data.rpartition(b'"00200013":{"vr":"IS","Value":[')[2].partition(b"]")[0].decode()


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

        async def show() -> None:
            while True:
                unshown = await stores.receipts.next_unshown(chance.randrange(1, 9))
                await stores.receipts.show({each.id: described(each) for each in unshown})
                await asyncio.sleep(chance.random() / 100)

        def described(receipt: Receipt) -> StoredInstance | None:
            try:
                data = stores.receipts.job(receipt).source.read_bytes()
            except FileNotFoundError:  # settled meanwhile, and a duplicate
                return None
            return instance_named(content_of(data))

        def result(receipt: Receipt) -> Result:
            content = content_of(stores.receipts.job(receipt).source.read_bytes())
            state = State.QUARANTINED if int(content) % 10 == 0 else State.STORED
            return work(stores, receipt, instance_named(content), state=state, reason="x")

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(send())
            tasks.create_task(take())
            tasks.create_task(process())
            tasks.create_task(show())


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    os.umask(0o077)
    inbox = sorted(Path(sys.argv[2]).iterdir())
    asyncio.run(main(Path(sys.argv[1]), inbox, Path(sys.argv[3]), int(sys.argv[4])))
