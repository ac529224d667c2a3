"""Imports of files that no worker survives, and of such as the store has under another content."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare.running import Running
from daemon.healthcare.work import Step, Work
from daemon.pipeline.changing import ChangingWorkers
from daemon.pipeline.instance_workers import Deidentifier, InstanceWorkers
from daemon.store.operation_rows import Dataset
from daemon.store.rows import StoreKind
from daemon.store.stores import Stores
from daemon.workers.pool import WorkerPool
from tests.factories import encoded, make_ct
from tests.sections import make_limits, make_pixels, make_route

if TYPE_CHECKING:
    from daemon.store.ports import Session
    from deid.identity.keys import SiteKey

DATASET: Final = "projects/p/locations/l/datasets/d"
ROOT: Final = Path(__file__).resolve().parents[2]


def poisoned(key: SiteKey) -> InstanceWorkers:
    """Return the usual workers, but for one instance they meet a reader that crashes."""
    basic = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
    limits = make_limits(niceness=0)
    workers = InstanceWorkers(
        [make_route()],
        [Deidentifier("default", basic, key)],
        limits=limits,
        pixels=make_pixels(),
        count=1,
    )
    usual = workers.readers._program
    workers.readers = WorkerPool(
        "tests.integration.pipeline_poison:start_poisoned",
        usual.document,
        usual.secret,
        count=1,
        limits=limits,
        import_path=[ROOT],
    )
    return workers


async def test_a_file_that_kills_its_workers_or_contradicts_the_store_fails_alone(
    tmp_path: Path, site_key: SiteKey
) -> None:
    scans = [
        make_ct(instance=1),
        make_ct(instance=2, ManufacturerModelName="CRASH"),
        make_ct(instance=1, SeriesDescription="another"),
        make_ct(instance=3),
    ]
    files = []
    for number, scan in enumerate(scans):
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(encoded(scan))
    stores = await Stores.open(tmp_path / "state")

    def begin(session: Session) -> int:
        session.datasets.put(Dataset(DATASET, "{}"))
        store = session.stores.add(DATASET, StoreKind.DICOM, "source")
        step = Step("import", store.id, store.id, len(files), tuple(map(str, files)))
        work = Work((step,), "", "", "dicom.ImportDicomDataResponse").to_json()
        made = session.operations.add(
            DATASET, "v1", "method", created_at=1.0, work=work, pending=len(files)
        )
        return int(made.id)

    number = await stores.database.write(begin)
    async with ChangingWorkers(poisoned(site_key)) as workers:
        # One at a time: the first of two that contradict each other is kept.
        running = Running(stores, workers, site_key, at_once=1, is_busy=lambda: False)
        task = asyncio.create_task(running.run())
        while True:
            found: Any = await stores.database.read(lambda s: s.operations.get(number))
            if found.ended_at:
                break
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    failures = await stores.database.read(lambda s: s.operations.failures(number, 9, (0, 0)))
    await stores.close()
    assert (found.error_code, found.success, found.pending) == (0, 2, 0)
    told = [(each.number, each.reason) for each in failures]
    assert told == [(2, "worker_crashed"), (3, "conflict")]
