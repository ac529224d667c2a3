"""A process that receives, takes and settles is killed again and again. Nothing promised is lost."""

from __future__ import annotations

import asyncio
import functools
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from daemon.records import State
from daemon.store import fsck, queries
from daemon.store.stores import Stores
from dicomweb.ports import Query
from tests.integration.store_crash_child import instance_named
from tests.store_samples import file_of, veiled, work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomweb.ports import InstanceStore

KILLS = 10
DROPPED = 60
ROOT = Path(__file__).parents[2]


async def run_and_kill(arguments: Sequence[str], log: Path, promises: int) -> None:
    """Run the child until it has made so many more promises, then kill it."""
    before = len(lines(log))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.store_crash_child", *arguments, cwd=ROOT
    )
    try:
        async with asyncio.timeout(240):
            while len(lines(log)) < before + promises:
                assert process.returncode is None, "the child ended by itself"
                await asyncio.sleep(0.002)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


async def settle_all(stores: Stores) -> None:
    """Do what the child does with what still waits."""
    while due := await stores.receipts.due(50, []):
        results = []
        for receipt in due:
            data = stores.receipts.job(receipt).source.read_bytes()
            content = orjson.loads(data)["00200013"]["Value"][0]
            state = State.QUARANTINED if content % 10 == 0 else State.STORED
            results.append(
                work(stores, receipt, instance_named(str(content)), state=state, reason="x")
            )
        await stores.receipts.settle(results)


async def visible(index: InstanceStore) -> Counter[str]:
    query = Query("instance", {}, None, fuzzy=False, limit=100_000, offset=0)
    return Counter(
        orjson.loads(match.defaults)["00080018"]["Value"][0] for match in await index.search(query)
    )


async def test_nothing_promised_is_lost_however_often_it_is_killed(tmp_path: Path) -> None:
    state_dir, inbox, log = tmp_path / "state", tmp_path / "inbox", tmp_path / "log"
    inbox.mkdir()
    chance = random.Random(20240229)
    dropped = {str(1000 + number) for number in range(DROPPED)}
    for kill in range(KILLS):
        for name in sorted(dropped)[kill * 6 : kill * 6 + 6]:
            (inbox / name).write_bytes(file_of(instance_named(name)))
        await run_and_kill(
            [str(state_dir), str(inbox), str(log), str(kill)], log, chance.randrange(1, 60)
        )
    stores = await Stores.open(state_dir)
    remaining = {path.name for path in inbox.iterdir()}
    await settle_all(stores)

    promised = dict(line.split()[1:] for line in lines(log))
    source, deid = await visible(stores.source), await visible(stores.destination)
    states = {}
    for receipt_id, content in promised.items():
        shown = await stores.database.read(functools.partial(queries.show, receipt_id=receipt_id))
        assert shown is not None, "an acknowledged instance is not known any more"
        states[receipt_id] = shown.receipt.state
        assert instance_named(content).sop_instance_uid in source
    assert set(states.values()) <= {State.STORED, State.DUPLICATE, State.QUARANTINED}
    assert set(source.values()) == {1}
    assert set(deid.values()) <= {1}

    for content in {*promised.values(), *(dropped - remaining)}:
        instance = instance_named(content)
        assert instance.sop_instance_uid in source, "a dropped file was lost"
        is_stored = veiled(instance).sop_instance_uid in deid
        assert is_stored == (int(content) % 10 != 0)

    await stores.close()
    assert fsck.check(state_dir).findings == []
    assert await_nothing_in(state_dir / "spool")
    assert await_nothing_in(state_dir / "work")


def await_nothing_in(folder: Path) -> bool:
    return list(folder.iterdir()) == []
