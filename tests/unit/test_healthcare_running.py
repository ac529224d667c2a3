"""Doing operations: what a bug of ours in one item costs. Stores are real, workers are left out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from daemon.healthcare import running, trials
from daemon.healthcare.batches import Made
from daemon.healthcare.calls import Call
from daemon.healthcare.deidentify import _beside
from daemon.healthcare.dicom_step import DicomStep
from daemon.healthcare.errors import InvalidArgument
from daemon.healthcare.methods import meant
from daemon.healthcare.names import DRY_RUNS
from daemon.healthcare.operations import CANCELLED, Operations
from daemon.healthcare.running import Running
from daemon.healthcare.work import Step, Work
from daemon.records import Output, Receipt, State
from daemon.store.operation_rows import Dataset, Failure
from daemon.store.rows import StoreKind
from daemon.store.stores import Stores
from daemon.workers.errors import PoolClosed
from deid.identity.keys import SiteKey
from tests.store_samples import ORIGIN, file_of, make_instance, veiled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from daemon.pipeline.changing import ChangingWorkers
    from daemon.records import Job
    from daemon.store.operation_rows import Operation
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance

DATASET: Final = "projects/p/locations/l/datasets/d"
VALUE: Final = "DOE^JANE"
COUNT: Final = 20
"""More than a batch."""


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state")
    yield opened
    await opened.close()


class Copying(DicomStep):
    """Makes outputs as a worker does, without one."""

    bad = "1.2.3.1.5"

    async def deidentify(self, instance: IndexedInstance) -> Made:
        made = veiled(make_instance(sop_instance_uid=instance.sop_instance_uid))
        self._file(instance.id).write_bytes(file_of(made))
        return Made(instance.id, instance.receipt_id, Output("default", made))

    def is_bad(self, made: Made) -> bool:
        return self.originals[made.number].sop_instance_uid == self.bad


class FailingToMake(Copying):
    async def deidentify(self, instance: IndexedInstance) -> Made:
        made = await super().deidentify(instance)
        if self.is_bad(made):
            raise ValueError(VALUE)
        return made


class FailingToShow(Copying):
    def _show(self, session: Session, made: Made) -> str:
        shown = super()._show(session, made)
        if self.is_bad(made):
            raise ValueError(VALUE)
        return shown


class FailingToRefer(Copying):
    """Makes an output that the database takes from nobody."""

    async def deidentify(self, instance: IndexedInstance) -> Made:
        made = await super().deidentify(instance)
        return replace(made, receipt_id="0" * 32) if self.is_bad(made) else made


async def done(stores: Stores, work: Callable[[Any], Any]) -> Any:
    return await stores.database.write(work)


def begin(session: Session) -> int:
    session.datasets.put(Dataset(DATASET, "{}"))
    source, destination = (
        session.stores.add(DATASET, StoreKind.DICOM, name) for name in ("source", "target")
    )
    for number in range(1, COUNT + 1):
        receipt = Receipt(f"{number:032x}", ORIGIN, 1.0, 1, State.STORED)
        session.receipts.insert(receipt)
        instance = replace(make_instance(number), blob=receipt.id)
        session.instances.add(source, instance, blob=receipt.id, receipt_id=receipt.id)
    step = Step("dicom", source.id, destination.id, session.instances.last(source))
    work = Work((step,), '{"dicom": {}}', DATASET, "deidentify.DeidentifyDicomStoreSummary")
    made = session.operations.add(
        DATASET, "v1", "method", created_at=1.0, work=work.to_json(), pending=COUNT
    )
    return int(made.id)


async def ended(stores: Stores, *numbers: int) -> list[Operation]:
    """Run operations until all of these have ended, and return them."""
    key = SiteKey(bytes(range(32)))
    # The steps of these tests ask no worker for anything.
    nobody = cast("ChangingWorkers", None)
    working = Running(stores, nobody, key, at_once=2, is_busy=lambda: False)
    task = asyncio.create_task(working.run())
    try:
        while not task.done():
            found = await done(
                stores, lambda session: [session.operations.get(each) for each in numbers]
            )
            if all(each.ended_at for each in found):
                return cast("list[Operation]", found)
            await asyncio.sleep(0.01)
    finally:
        task.cancel()
        (how,) = await asyncio.gather(task, return_exceptions=True)
    raise AssertionError(how)


@pytest.mark.parametrize("step", [FailingToMake, FailingToShow, FailingToRefer])
async def test_a_bug_of_ours_costs_the_item_that_it_comes_up_in_and_no_other(
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    step: type[Copying],
) -> None:
    monkeypatch.setitem(cast("dict[str, Any]", running._KINDS), "dicom", step)
    number = await done(stores, begin)
    (operation,) = await ended(stores, number)
    assert (operation.error_code, operation.error) == (0, "")
    assert (operation.success, operation.failure, operation.pending) == (COUNT - 1, 1, 0)
    (failure,) = await done(stores, lambda session: session.operations.failures(number, 10, (0, 0)))
    assert failure.reason == "internal_error"
    target = await done(
        stores, lambda session: session.stores.find(DATASET, StoreKind.DICOM, "target")
    )
    shown = await done(stores, lambda session: session.instances.page(target, 0, 100))
    assert len(shown) == COUNT - 1
    assert f"2.25.{step.bad}" not in {each.sop_instance_uid for each in shown}
    # Nothing is left of what is not shown.
    blobs = stores.stores.blobs_of(target)
    assert sorted(blobs.names()) == sorted(each.blob for each in shown)
    assert list(stores.layout.work.iterdir()) == []
    printed = capsys.readouterr()
    assert VALUE not in printed.out + printed.err


async def test_an_operation_that_this_version_cannot_do_ends_alone(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast("dict[str, Any]", running._KINDS), "dicom", Copying)

    def begin_unknown(session: Session) -> int:
        later = {"kind": "later", "source": 1, "destination": 2, "last": 3, "unheard": 4}
        work = json.dumps({"steps": [later], "configuration": "{}", "label": "", "summary": ""})
        made = session.operations.add(DATASET, "v1", "method", created_at=1.0, work=work, pending=1)
        return int(made.id)

    unknown = await done(stores, begin_unknown)
    known = await done(stores, begin)
    failed, operation = await ended(stores, unknown, known)
    assert failed.error_code == 13
    assert (operation.error_code, operation.success) == (0, COUNT)


class Slow:
    """Workers that write what they make before they answer, and answer when they are told to."""

    def __init__(self) -> None:
        self.begun: list[Path] = []
        self.both = asyncio.Event()
        self.answer = asyncio.Event()

    async def process(self, job: Job, _size: int, **_more: object) -> None:
        self.begun.append(job.output)
        if len(self.begun) == 2:
            self.both.set()
        await self.answer.wait()
        job.output.write_bytes(b"made too late")
        raise PoolClosed("closed")


async def test_what_a_worker_ends_after_a_cancellation_leaves_no_file(stores: Stores) -> None:
    number = await done(stores, begin)
    source = await done(
        stores, lambda session: session.stores.find(DATASET, StoreKind.DICOM, "source")
    )
    for each in await done(stores, lambda session: session.instances.page(source, 0, COUNT)):
        file = stores.stores.blobs_of(source).local_path(each.blob)
        assert file is not None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"sent")
    workers = Slow()
    key = SiteKey(bytes(range(32)))
    working = Running(
        stores, cast("ChangingWorkers", workers), key, at_once=2, is_busy=lambda: False
    )
    task = asyncio.create_task(working.run())
    await workers.both.wait()
    await done(stores, lambda session: session.operations.change(number, is_cancelled=True))
    working.wake()
    await asyncio.gather(*_tasks_named(f"operation-{number}"))
    assert len(workers.begun) == 2
    left = asyncio.all_tasks() - {task, asyncio.current_task()}
    workers.answer.set()
    await asyncio.gather(*left, return_exceptions=True)
    assert list(stores.layout.work.iterdir()) == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class StoppedAfterTwo(Copying):
    """Is cancelled when two of a batch are made; the others would take for ever."""

    quick = ("1.2.3.1.1", "1.2.3.1.2")

    async def deidentify(self, instance: IndexedInstance) -> Made:
        if instance.sop_instance_uid not in self.quick:
            await asyncio.Event().wait()
        made = await super().deidentify(instance)
        if instance.sop_instance_uid == self.quick[-1]:
            cancel = partial(_cancel, number=self.operation.id)
            await self.stores.database.write(cancel)
        return made


def _cancel(session: Session, *, number: int) -> None:
    session.operations.change(number, is_cancelled=True)


async def test_what_a_stop_leaves_undone_is_neither_counted_nor_passed_over(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast("dict[str, Any]", running._KINDS), "dicom", StoppedAfterTwo)
    number = await done(stores, begin)
    (operation,) = await ended(stores, number)
    assert (operation.error_code, operation.response) == (CANCELLED, "")
    assert (operation.success, operation.failure, operation.pending) == (2, 0, COUNT - 2)
    # What begins from its place begins before what was not done.
    assert operation.after == 0
    target = await done(
        stores, lambda session: session.stores.find(DATASET, StoreKind.DICOM, "target")
    )
    assert len(await done(stores, lambda session: session.instances.page(target, 0, 100))) == 2


def _tasks_named(name: str) -> list[asyncio.Task[Any]]:
    return [each for each in asyncio.all_tasks() if each.get_name() == name]


async def test_failures_come_in_pages_from_whatever_store(stores: Stores) -> None:
    late = 8_000_000
    numbers = [late << 40 | 1, late << 40 | 2, late << 40 | 3]

    def fail(session: Session) -> int:
        number = begin(session)
        session.operations.add_failures(number, [Failure(late, each, "x", "") for each in numbers])
        return number

    number = await done(stores, fail)
    path = f"{DATASET}/operations/{number}:failures"
    found = meant("v1", "GET", path)
    assert found is not None
    handle = Operations(stores.database).handlers[found.method.name]

    async def page(**query: str) -> Any:
        return await handle(Call("v1", found.method, found.parameters, query, {}))

    seen, token = [], "0.0"
    while token:
        answer = await page(pageSize="1", pageToken=token)
        seen += [int(each["number"]) for each in answer["failures"]]
        token = answer.get("nextPageToken", "")
    assert seen == numbers
    for wrong in ("1", "1.", "x.1", "1.1.1", f"{1 << 63}.1", f"1.{1 << 63}", "-1.1", "\u0661.1"):
        with pytest.raises(InvalidArgument):
            await page(pageToken=wrong)


async def test_what_others_keep_in_the_dataset_of_trials_stays(stores: Stores) -> None:
    names = ("dry-1", "dry-2-of-mine", "mine")

    def make(session: Session) -> None:
        for name in names:
            session.stores.add(DRY_RUNS, StoreKind.DICOM, name)

    await done(stores, make)
    await trials.forget(stores)
    left = await done(stores, lambda session: session.stores.of_dataset(DRY_RUNS, StoreKind.DICOM))
    assert [each.name for each in left] == ["dry-2-of-mine", "mine"]


async def test_resources_are_tied_to_results_only_where_there_is_nothing_else(
    stores: Stores,
) -> None:
    def add(session: Session, dataset: str, name: str, deidentifier: str) -> int:
        store = session.stores.add(dataset, StoreKind.DICOM, name)
        receipt = Receipt(f"{store.id:032x}", ORIGIN, 1.0, 1, State.STORED)
        session.receipts.insert(receipt)
        session.instances.add(
            store,
            replace(make_instance(), blob=receipt.id),
            blob=receipt.id,
            receipt_id=receipt.id,
            deidentifier=deidentifier,
        )
        return int(store.id)

    def fill(session: Session) -> tuple[int, int]:
        session.stores.add(DATASET, StoreKind.DICOM, "empty")
        add(session, DATASET, "clean", "d")
        return add(session, DATASET, "scans", ""), add(session, f"{DATASET}-out", "scans", "d")

    scans, results = await done(stores, fill)
    assert await done(stores, lambda session: _beside(session, DATASET)) == (scans,)
    # What is de-identified once more has nothing but results.
    assert await done(stores, lambda session: _beside(session, f"{DATASET}-out")) == (results,)
