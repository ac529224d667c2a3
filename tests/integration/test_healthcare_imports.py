"""Imports of files that no worker survives, and of such as the store has under another content."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from daemon.healthcare import names, resource_steps
from daemon.healthcare.calls import Call
from daemon.healthcare.errors import FailedPrecondition
from daemon.healthcare.files import AllowedFiles
from daemon.healthcare.methods import meant
from daemon.healthcare.running import Running
from daemon.healthcare.transfers import Transfers
from daemon.healthcare.work import Step, Work
from daemon.pipeline.changing import ChangingWorkers
from daemon.pipeline.instance_workers import Deidentifier, InstanceWorkers
from daemon.store.operation_rows import Dataset
from daemon.store.rows import StoreKind
from daemon.store.stores import Stores
from daemon.workers.pool import WorkerPool
from tests.benchmarks.fhir_record import record
from tests.factories import encoded, make_ct
from tests.sections import make_limits, make_pixels, make_route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.store.operation_rows import Failure
    from daemon.store.ports import Session
    from deid.identity.keys import SiteKey

DATASET: Final = "projects/p/locations/l/datasets/d"
ROOT: Final = Path(__file__).resolve().parents[2]


def made_workers(key: SiteKey) -> InstanceWorkers:
    basic = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
    return InstanceWorkers(
        [make_route()],
        [Deidentifier("default", basic, key)],
        limits=make_limits(niceness=0),
        pixels=make_pixels(),
        count=1,
    )


def poisoned(key: SiteKey) -> InstanceWorkers:
    """Return the usual workers, but for one instance they meet a reader that crashes."""
    workers = made_workers(key)
    usual = workers.readers._program
    workers.readers = WorkerPool(
        "tests.integration.pipeline_poison:start_poisoned",
        usual.document,
        usual.secret,
        count=1,
        limits=make_limits(niceness=0),
        import_path=[ROOT],
    )
    return workers


async def imported(
    stores: Stores, workers: ChangingWorkers, key: SiteKey, step: Step, name: str = "source"
) -> tuple[Any, Sequence[Failure]]:
    """Import files into a store that is made for them, one at a time."""
    kind = StoreKind.DICOM if step.kind == "import" else StoreKind.FHIR

    def begin(session: Session) -> int:
        session.datasets.put(Dataset(DATASET, "{}"))
        store = session.stores.add(DATASET, kind, name)
        steps = (replace(step, source=store.id, destination=store.id),)
        work = Work(steps, "", "", "Response").to_json()
        made = session.operations.add(
            DATASET, "v1", "method", created_at=1.0, work=work, pending=len(step.only or ())
        )
        return int(made.id)

    number = await stores.database.write(begin)
    # One at a time: the first of two that contradict each other is kept.
    running = Running(stores, workers, key, at_once=1, is_busy=lambda: False)
    task = asyncio.create_task(running.run())
    while True:
        found: Any = await stores.database.read(lambda s: s.operations.get(number))
        if found.ended_at:
            break
        await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found, await stores.database.read(lambda s: s.operations.failures(number, 9, (0, 0)))


async def test_a_large_file_of_resources_is_stored_as_a_small_one_is(
    tmp_path: Path, site_key: SiteKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_ = record(500)
    for number, entry in enumerate(record_["entry"]):
        entry["resource"]["id"] = f"r{number}"
    whole, cut, nameless = (tmp_path / each for each in ("whole", "cut", "nameless"))
    whole.write_bytes(orjson.dumps(record_))
    cut.write_bytes(orjson.dumps(record_)[:-200])
    del record_["entry"][7]["resource"]["id"]
    nameless.write_bytes(orjson.dumps(record_))
    files = tuple(map(str, (cut, nameless, whole)))
    step = Step("import_fhir", 0, 0, 0, files, folder="whole")
    stores = await Stores.open(tmp_path / "state")
    stored: list[list[tuple[str, str, bytes, bytes]]] = []
    told = []
    async with ChangingWorkers(made_workers(site_key)) as workers:
        for name, small in (("small", 1 << 30), ("large", 1000)):
            monkeypatch.setattr(resource_steps, "SMALL", small)
            found, failures = await imported(stores, workers, site_key, step, name)
            store = await stores.database.read(
                lambda s, name=name: s.stores.find(DATASET, StoreKind.FHIR, name)  # type: ignore[misc]
            )
            page = await stores.database.read(
                lambda s, store=store: s.resources.page(store, 0, 9999)  # type: ignore[misc]
            )
            posted = [
                stores.stores.blobs_of(store).read(each, 0, 1 << 30)
                for each in stores.stores.blobs_of(store).names()
            ]
            assert sum(each.count(b'"method":"PUT"') for each in posted) == sum(
                each.version for each in page
            )
            stored.append(sorted((each.type, each.id, each.meta, each.rest) for each in page))
            told.append((found.error_code, found.success, [each.reason for each in failures]))
    assert list(stores.layout.work.iterdir()) == []
    await stores.close()
    assert stored[0] == stored[1]
    assert len(stored[0]) == len(record_["entry"])
    assert b"urn:uuid:" not in b"".join(each[3] for each in stored[1])
    assert told[0] == told[1]
    assert told[0][2] == ["truncated", "malformed"]


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
    async with ChangingWorkers(poisoned(site_key)) as workers:
        found, failures = await imported(
            stores, workers, site_key, Step("import", 0, 0, len(files), tuple(map(str, files)))
        )
    await stores.close()
    assert (found.error_code, found.success, found.pending) == (0, 2, 0)
    told = [(each.number, each.reason) for each in failures]
    assert told == [(2, "worker_crashed"), (3, "conflict")]


async def test_a_link_in_a_folder_is_not_followed_out_of_it(
    tmp_path: Path, site_key: SiteKey
) -> None:
    outside, allowed = tmp_path / "outside.dcm", tmp_path / "allowed"
    outside.write_bytes(encoded(make_ct()))
    allowed.mkdir()
    (allowed / "a.dcm").symlink_to(outside)
    stores = await Stores.open(tmp_path / "state")
    (listed,) = Transfers(stores.database, AllowedFiles([allowed]), print, time.time)._listed(
        allowed.as_uri()
    )
    async with ChangingWorkers(made_workers(site_key)) as workers:
        step = Step("import", 0, 0, 1, (str(listed),))
        found, failures = await imported(stores, workers, site_key, step)
    await stores.close()
    assert (found.success, [each.reason for each in failures]) == (0, ["unreadable"])


@pytest.mark.parametrize("collection", ["dicomStores", "fhirStores"])
async def test_nothing_is_imported_into_a_store_that_the_configuration_fills(
    tmp_path: Path, collection: str
) -> None:
    stores = await Stores.open(tmp_path / "state")
    (tmp_path / "a").touch()
    transfers = Transfers(stores.database, AllowedFiles([tmp_path]), print, time.time)
    begin = transfers.handlers[f"projects.locations.datasets.{collection}.import"]
    configured = [
        each.name
        for each in await stores.database.read(lambda session: session.stores.all())
        if names.is_configured(each) and each.kind is names.KINDS[collection]
    ]
    assert len(configured) == 2
    for name in configured:
        found = meant("v1", "POST", f"{names.CONFIGURED}/{collection}/{name}:import")
        assert found is not None
        body = {"gcsSource": {"uri": (tmp_path / "a").as_uri()}}
        with pytest.raises(FailedPrecondition, match="the configuration says"):
            await begin(Call("v1", found.method, found.parameters, {}, body))
    assert await stores.database.read(lambda session: session.operations.running()) == []
    await stores.close()
