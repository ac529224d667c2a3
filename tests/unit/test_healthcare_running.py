"""Doing operations: what a bug of ours in one item costs. Stores are real, workers are left out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import pytest

from daemon.errors import StoreUnavailable
from daemon.healthcare import running, streams, trials
from daemon.healthcare.batches import Made
from daemon.healthcare.calls import Call
from daemon.healthcare.deidentify import _beside
from daemon.healthcare.dicom_step import DicomStep
from daemon.healthcare.errors import FailedPrecondition, InvalidArgument, NotFound
from daemon.healthcare.methods import meant
from daemon.healthcare.names import DRY_RUNS
from daemon.healthcare.operations import CANCELLED, Operations
from daemon.healthcare.running import Running
from daemon.healthcare.stream_steps import StreamResources
from daemon.healthcare.streams import METHOD
from daemon.healthcare.work import Step, Work
from daemon.records import Output, Receipt, State
from daemon.resources import Content, Method, RetoldResource, Token
from daemon.store.operation_rows import Dataset, Failure
from daemon.store.rows import StoreKind
from daemon.store.stores import Stores
from daemon.workers.errors import PoolClosed
from deid import compile_plan
from deid.identity.keys import SiteKey
from tests.store_samples import ORIGIN, file_of, make_instance, veiled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from daemon.pipeline.changing import ChangingWorkers
    from daemon.records import Job
    from daemon.resources import ResourceVersion
    from daemon.store.operation_rows import Operation
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance, Store

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


async def test_a_look_that_fails_is_made_again(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wakes it for an operation that waits since before the start."""
    monkeypatch.setitem(cast("dict[str, Any]", running._KINDS), "dicom", Copying)
    number = await done(stores, begin)
    read, failures = stores.database.read, [OSError(), StoreUnavailable("busy")]

    async def failing(function: Callable[[Any], Any]) -> Any:
        if failures:
            raise failures.pop()
        return await read(function)

    monkeypatch.setattr(stores.database, "read", failing)
    (operation,) = await ended(stores, number)
    assert operation.success == COUNT


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


async def asked(stores: Stores, verb: str, path: str, **query: str) -> Any:
    """Return what the API answers about operations."""
    found = meant("v1", verb, path)
    assert found is not None
    handle = Operations(stores.database).handlers[found.method.name]
    return await handle(Call("v1", found.method, found.parameters, query, {}))


async def test_failures_come_in_pages_from_whatever_store(stores: Stores) -> None:
    late = 8_000_000
    numbers = [late << 40 | 1, late << 40 | 2, late << 40 | 3]

    def fail(session: Session) -> int:
        number = begin(session)
        session.operations.add_failures(number, [Failure(late, each, "x", "") for each in numbers])
        return number

    path = f"{DATASET}/operations/{await done(stores, fail)}:failures"
    seen, token = [], "0.0"
    while token:
        answer = await asked(stores, "GET", path, pageSize="1", pageToken=token)
        seen += [int(each["number"]) for each in answer["failures"]]
        token = answer.get("nextPageToken", "")
    assert seen == numbers
    for wrong in ("1", "1.", "x.1", "1.1.1", f"{1 << 63}.1", f"1.{1 << 63}", "-1.1", "\u0661.1"):
        with pytest.raises(InvalidArgument):
            await asked(stores, "GET", path, pageToken=wrong)


async def test_an_operation_is_of_its_dataset_alone(stores: Stores) -> None:
    number = await done(stores, begin)
    for verb, after in (("GET", ""), ("GET", ":failures"), ("POST", ":cancel")):
        with pytest.raises(NotFound):
            await asked(stores, verb, f"{DATASET}-other/operations/{number}{after}")
    operation = await done(stores, lambda session: session.operations.get(number))
    assert not operation.is_cancelled


async def test_a_stream_is_neither_listed_nor_cancelled(stores: Stores) -> None:
    def stream(session: Session) -> int:
        begin(session)
        made = session.operations.add(DATASET, "v1", METHOD, created_at=1.0, work="{}", pending=0)
        return int(made.id)

    number = await done(stores, stream)
    with pytest.raises(FailedPrecondition):
        await asked(stores, "POST", f"{DATASET}/operations/{number}:cancel")
    operation = await done(stores, lambda session: session.operations.get(number))
    assert not operation.is_cancelled
    listed = await asked(stores, "GET", f"{DATASET}/operations")
    assert [each["name"] for each in listed["operations"]] == [f"{DATASET}/operations/{number - 1}"]


class ChangedMeanwhile(StreamResources):
    """Works on a resource while somebody changes it; what it makes says which version that was."""

    seen: ClassVar[list[int]] = []

    async def deidentify(self, version: ResourceVersion, around: Sequence[bytes]) -> Made:
        del around
        if not self.seen:
            await self.database.write(lambda session: add_patient(session, self.source))
        self.seen.append(version.version)
        content = Content("Patient", b"", b'"multipleBirthInteger":%d' % version.version)
        return Made(version.number, resource=RetoldResource("d", "z", content, b"{}"))


def add_patient(session: Session, store: Store, name: str = "a") -> ResourceVersion:
    content = Content("Patient", b"", b"")
    return session.resources.add_version(store, name, content, method=Method.UPDATE, now_ms=1)


def add_stream(
    session: Session, configuration: dict[str, Any] | None = None
) -> tuple[int, Store, Store]:
    """Make a stream between two FHIR stores; return its number, and them."""
    session.datasets.put(Dataset(DATASET, "{}"))
    source, target = (
        session.stores.add(DATASET, StoreKind.FHIR, name) for name in ("source", "target")
    )
    session.stores.set_settings(source, '{"streamConfigs": []}')
    step = Step("stream_fhir", source.id, target.id, 1 << 60)
    work = Work((step,), json.dumps(configuration or {}), DATASET, "")
    made = session.operations.add(
        DATASET, "v1", METHOD, created_at=1.0, work=work.to_json(), pending=0
    )
    return int(made.id), source, target


KEPT: Final = {"fieldMetadataList": [{"paths": ["Patient.id"], "action": "DO_NOT_TRANSFORM"}]}


@pytest.mark.parametrize(("section", "keeps"), [({}, False), (KEPT, True)])
async def test_the_result_of_what_was_deleted_is_deleted_whatever_its_id(
    stores: Stores, section: dict[str, Any], keeps: bool
) -> None:
    key = SiteKey(bytes(range(32)))

    def change(session: Session) -> tuple[int, Store, str]:
        number, source, target = add_stream(session, {"fhir": section})
        work = Work.from_json(session.operations.get(number).work)  # type: ignore[union-attr]
        own = SiteKey(work.deidentifier(key).key)
        plan = compile_plan({"fhir": section}, own).fhir
        assert plan is not None
        name = "a" if keeps else plan.resource_id("Patient", "a")
        noted = add_patient(session, source).number
        session.resources.delete(source, "Patient", "a", now_ms=2)
        add_patient(session, target, name)
        session.operations.add_changed(number, [noted])
        return number, target, name

    number, target, name = await done(stores, change)
    await worked_off(stores, number)
    shown = await done(stores, lambda session: session.resources.get(target, "Patient", name))
    assert shown.is_deleted


async def worked_off(stores: Stores, number: int) -> None:
    """Run a stream until nothing is noted for it."""
    nobody = cast("ChangingWorkers", None)
    key = SiteKey(bytes(range(32)))
    working = Running(stores, nobody, key, at_once=2, is_busy=lambda: False)
    task = asyncio.create_task(working.run())
    while not task.done():
        if not await done(stores, lambda session: session.operations.changed(number, 9)):
            break
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_refers_to_a_patient_is_done_again_with_him(stores: Stores) -> None:
    def change(session: Session) -> tuple[list[int], list[int]]:
        number, source, _target = add_stream(session)
        kept = []
        for name, patient in (("1", "a"), ("2", "b"), ("3", "a")):
            token = Token("subject", f"Patient/{patient}")
            content = Content("Observation", b"", b"", (token,))
            made = session.resources.add_version(
                source, name, content, method=Method.CREATE, now_ms=1
            )
            kept.append(made.number)
        changed = add_patient(session, source)
        streams.note_resource(session, source, changed)
        return session.operations.changed(number, 9), [kept[0], kept[2], changed.number]

    noted, expected = await done(stores, change)
    assert sorted(noted) == expected


async def test_what_a_stream_had_still_to_do_is_done_by_the_one_that_takes_its_place(
    stores: Stores,
) -> None:
    def following(session: Session, source: Store, config: dict[str, Any]) -> Operation:
        place = {"store": f"{DATASET}/fhirStores/target", "config": config}
        settings = {"streamConfigs": [{"deidentifiedStoreDestination": place}]}
        streams.follow(session, source, settings, "v1", 2.0)
        (running_now,) = session.operations.running()
        return running_now

    def change(session: Session) -> tuple[list[int], list[int], bool]:
        source, _target = (
            session.stores.add(DATASET, StoreKind.FHIR, name) for name in ("source", "target")
        )
        first = following(session, source, {"fhir": {}})
        session.operations.add_changed(first.id, [7, 8])
        again = following(session, source, {"fhir": {}})
        later = following(session, source, {"fhir": {}, "dicomveil": {"fhirText": "inspect"}})
        left, taken = (session.operations.changed(each.id, 9) for each in (first, later))
        return list(left), list(taken), again.id == first.id != later.id

    assert await done(stores, change) == ([], [7, 8], True)


async def test_what_changed_while_its_stream_worked_on_it_is_done_again(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast("dict[str, Any]", running._KINDS), "stream_fhir", ChangedMeanwhile)

    def stream(session: Session) -> tuple[int, Store]:
        number, source, target = add_stream(session)
        session.operations.add_changed(number, [add_patient(session, source).number])
        return number, target

    number, target = await done(stores, stream)
    await worked_off(stores, number)
    assert ChangedMeanwhile.seen == [1, 2]
    shown = await done(stores, lambda session: session.resources.get(target, "Patient", "z"))
    assert shown.rest == b'"multipleBirthInteger":2'


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
