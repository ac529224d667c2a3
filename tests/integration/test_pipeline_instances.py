"""Real instances through real workers, the real core and the real store."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import signal
import stat
import subprocess
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pydicom
import pytest

import deid
from daemon.errors import StoreUnavailable
from daemon.pipeline.dispatch import Dispatcher
from daemon.pipeline.flights import DispatchSettings
from daemon.pipeline.instance_workers import Deidentifier, InstanceWorkers
from daemon.pipeline.routing import Route, named
from daemon.pipeline.work import Work
from daemon.records import Job, Origin, Receiver, State
from daemon.store.stores import Stores
from daemon.workers.backoff import Backoff
from daemon.workers.errors import WorkerStartFailed, WorkerTimeout
from daemon.workers.pool import WorkerPool
from deid.identity.keys import Replacements, SiteKey
from dicomweb.ports import Query
from tests.conftest import program
from tests.factories import encoded, identifying_strings, make_ct, make_sr, many_ct
from tests.sections import make_limits, make_pixels, make_route
from tests.tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from daemon.records import Receipt

ROOT = Path(__file__).resolve().parents[2]
ID = "0123456789abcdef0123456789abcdef"
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
VALUE = "DOE^JANE^19610203"
ORIGIN = Origin(Receiver.DIMSE, "CT01", "DICOMVEIL", "127.0.0.1")
SOON = Backoff(first_s=0.001, longest_s=0.002)
LIMITS = make_limits(niceness=0)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(ID, ORIGIN, tmp_path / "source", tmp_path / "output")


def make_work(key: SiteKey, *routes: Route) -> Work:
    return Work(named(routes or (make_route(),)), {"default": deid.compile_plan(BASIC, key)})


def make_workers(key: SiteKey, *routes: Route, **changes: Any) -> InstanceWorkers:
    configuration = changes.pop("configuration", BASIC)
    deidentifiers = [Deidentifier("default", configuration, key)]
    routes = routes or (make_route(),)
    usual: dict[str, Any] = {"count": 2, "limits": LIMITS, "pixels": make_pixels()}
    return InstanceWorkers(routes, deidentifiers, **{**usual, **changes})


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# -- one instance --


def test_an_instance_is_deidentified_written_and_described(job: Job, site_key: SiteKey) -> None:
    source = make_ct(rows=64)
    job.source.write_bytes(encoded(source))
    before = job.source.read_bytes()
    result = make_work(site_key, make_route(name="all")).process(job)
    assert (result.state, result.reason, result.route) == (State.STORED, "", "all")
    assert result.deidentifier == "default"
    assert result.source is not None
    assert result.output is not None
    assert job.source.read_bytes() == before
    assert result.source.sop_instance_uid == source.SOPInstanceUID
    assert result.source.digest == sha256(job.source)
    written = pydicom.dcmread(job.output)
    replacements = Replacements(site_key)
    assert written.SOPInstanceUID == replacements.uid(source.SOPInstanceUID)
    assert result.output.sop_instance_uid == written.SOPInstanceUID
    assert result.output.study_uid == written.StudyInstanceUID
    assert result.output.digest == sha256(job.output)
    assert result.output.size == job.output.stat().st_size
    assert json.loads(result.output.metadata)["00080018"]["Value"] == [written.SOPInstanceUID]
    assert json.loads(result.outcome)
    assert stat.S_IMODE(job.output.stat().st_mode) == 0o600
    assert written.pixel_array.tobytes() == source.pixel_array.tobytes()


def test_the_same_dataset_in_another_file_has_the_same_dataset_digest(
    job: Job, site_key: SiteKey
) -> None:
    work = make_work(site_key, make_route(calling_ae=("nobody",)))
    digests = []
    for preamble in (b"", b"II*\0" * 10):
        job.source.write_bytes(encoded(make_ct(), preamble=preamble))
        stored = work.process(job).source
        assert stored is not None
        digests.append((stored.digest, stored.dataset_digest))
    assert digests[0][0] != digests[1][0]
    assert digests[0][1] == digests[1][1]


@pytest.mark.peer("dcmdump")
def test_no_original_identifier_is_in_output_or_outcome(job: Job, site_key: SiteKey) -> None:
    source = make_sr()
    job.source.write_bytes(encoded(source))
    result = make_work(site_key).process(job)
    assert result.state is State.STORED, result.reason
    assert result.output is not None
    dump = subprocess.run(
        [str(program("dcmdump")), "-q", "+L", str(job.output)], capture_output=True, check=True
    ).stdout
    left = job.output.read_bytes() + dump + result.outcome + result.output.metadata
    assert not [text for text in identifying_strings(source) if len(text) > 4 and text in left]


def test_an_instance_without_a_route_is_kept_and_not_passed_on(job: Job, site_key: SiteKey) -> None:
    job.source.write_bytes(encoded(make_ct()))
    result = make_work(
        site_key, make_route(modality=("MR",)), make_route(calling_ae=("X*",))
    ).process(job)
    assert result.state is State.UNROUTED
    assert result.source is not None
    assert result.output is None
    assert (result.route, result.deidentifier) == ("", "")
    assert not job.output.exists()


def test_routes_see_any_keyword_of_the_header(job: Job, site_key: SiteKey) -> None:
    job.source.write_bytes(encoded(make_ct(StationName="CT-ROOM-4")))
    routes = [
        make_route(header={"StationName": ("MR*",)}),
        make_route(header={"StationName": ("ct*",)}),
    ]
    assert make_work(site_key, *routes).process(job).route == "routes[1]"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not_dicom"),
        (b"hello", "not_dicom"),
        (encoded(make_ct())[:300], "truncated"),
        (encoded(make_ct())[:-5], "truncated"),
        (encoded(make_ct(StudyInstanceUID="")), "missing_identity"),
        (encoded(make_ct(StudyInstanceUID="", SOPClassUID="1.2.840.10008.5.1.4.39.1")), "no_study"),
    ],
    ids=[
        "empty",
        "text",
        "cut in the file meta",
        "cut in the pixels",
        "without a study",
        "a palette",
    ],
)
def test_what_is_no_whole_instance_is_quarantined(
    job: Job, site_key: SiteKey, content: bytes, reason: str
) -> None:
    job.source.write_bytes(content)
    result = make_work(site_key).process(job)
    assert result.state is State.QUARANTINED
    assert result.reason == reason
    assert not job.output.exists()


def test_a_bug_in_the_core_quarantines_and_tells_no_value(
    job: Job, site_key: SiteKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(VALUE)

    job.source.write_bytes(encoded(make_ct()))
    monkeypatch.setattr(deid, "deidentify", fail)
    result = make_work(site_key).process(job)
    assert (result.state, result.reason) == (State.QUARANTINED, "internal_error")
    assert result.where.startswith("ValueError at ")
    assert "daemon/pipeline/work.py:" in result.where
    assert VALUE not in result.where
    assert result.source is not None
    assert result.deidentifier == "default"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES])
def test_a_full_disk_is_not_the_instances_fault_and_leaves_nothing_behind(
    job: Job, site_key: SiteKey, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, VALUE)

    job.source.write_bytes(encoded(make_ct()))
    monkeypatch.setattr(os, "writev", fail)
    with pytest.raises(StoreUnavailable) as raised:
        make_work(site_key).process(job)
    assert VALUE not in str(raised.value)
    assert not job.output.exists()


@pytest.mark.parametrize("way", ["removed", "a file"])
def test_a_folder_for_outputs_that_is_gone_is_not_the_instances_fault(
    job: Job, site_key: SiteKey, way: str
) -> None:
    """As where somebody took it for one of temporary files, or replaced it."""
    job.source.write_bytes(encoded(make_ct()))
    work = replace(job, output=job.source.parent / "work" / "output")
    if way == "a file":
        work.output.parent.touch()
    with pytest.raises(StoreUnavailable) as raised:
        make_work(site_key).process(work)
    assert raised.value.code == {"removed": "ENOENT", "a file": "ENOTDIR"}[way]
    job.source.unlink()
    assert make_work(site_key).process(job).reason == "source_missing"


async def test_what_keeps_a_worker_from_writing_is_told_by_its_code(
    job: Job, site_key: SiteKey
) -> None:
    job.source.write_bytes(encoded(make_ct()))
    nowhere = replace(job, output=job.source.parent / "nowhere" / "output")
    async with make_workers(site_key, count=1) as workers:
        with pytest.raises(StoreUnavailable) as raised:
            await workers.process(nowhere, 1000)
        assert (await workers.process(job, 1000)).state is State.STORED
    assert raised.value.code == "ENOENT"


def test_what_a_killed_worker_left_behind_is_replaced(job: Job, site_key: SiteKey) -> None:
    job.source.write_bytes(encoded(make_ct()))
    job.output.write_bytes(b"half an output" * 100_000)
    result = make_work(site_key).process(job)
    assert result.output is not None
    assert result.output.digest == sha256(job.output)


def test_a_link_is_neither_read_nor_written_through(
    job: Job, site_key: SiteKey, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(encoded(make_ct()))
    job.output.symlink_to(victim)
    job.source.write_bytes(encoded(make_ct()))
    assert make_work(site_key).process(job).state is State.STORED
    assert not job.output.is_symlink()
    assert victim.read_bytes() == encoded(make_ct())
    job.source.unlink()
    job.source.symlink_to(victim)
    assert make_work(site_key).process(job).reason == "internal_error"


def test_a_missing_source_is_a_reason_of_its_own(job: Job, site_key: SiteKey) -> None:
    result = make_work(site_key).process(job)
    assert (result.state, result.reason) == (State.QUARANTINED, "source_missing")


# -- through worker processes --


async def test_a_route_to_an_unknown_deidentifier_is_refused(site_key: SiteKey) -> None:
    with pytest.raises(ValueError, match="reserch"):
        make_workers(site_key, make_route("reserch"))
    with pytest.raises(ValueError, match="default"):
        InstanceWorkers(
            [make_route()],
            [Deidentifier("other", BASIC, site_key)],
            limits=LIMITS,
            pixels=make_pixels(),
        )


async def test_a_configuration_that_does_not_compile_is_heard_of_at_the_start(
    site_key: SiteKey,
) -> None:
    workers = make_workers(site_key, configuration={"dicom": {"x": 1}})
    with pytest.raises(WorkerStartFailed, match="ConfigurationInvalid"):
        await workers.pool.start()


async def test_each_deidentifier_has_its_own_key(tmp_path: Path, site_key: SiteKey) -> None:
    source = make_ct()
    names = ["a", "b"]
    deidentifiers = [Deidentifier(name, BASIC, site_key.derive(name)) for name in names]
    routes = [make_route(name, calling_ae=(name,)) for name in names]
    found = {}
    async with InstanceWorkers(
        routes, deidentifiers, count=1, limits=LIMITS, pixels=make_pixels()
    ) as workers:
        for name in names:
            job = Job(ID, Origin(Receiver.DIMSE, name), tmp_path / "in", tmp_path / name)
            job.source.write_bytes(encoded(source))
            output = (await workers.process(job, 1000)).output
            assert output is not None
            found[name] = output.study_uid
    assert found == {
        name: Replacements(site_key.derive(name)).uid(source.StudyInstanceUID) for name in names
    }


async def test_a_disk_that_fails_in_the_worker_is_heard_of_in_the_daemon(
    job: Job, site_key: SiteKey
) -> None:
    workers = make_workers(site_key)
    workers.pool = WorkerPool(
        "tests.integration.pipeline_poison:start_full",
        {},
        b"",
        count=1,
        limits=LIMITS,
        import_path=[ROOT],
    )
    async with workers:
        with pytest.raises(StoreUnavailable) as raised:
            await workers.process(job, 1000)
    assert VALUE not in str(raised.value)


# -- through the dispatcher, with the real store --


@pytest.fixture
async def stores(state_dir: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(state_dir)
    yield opened
    await opened.close()


@asynccontextmanager
async def dispatching(
    stores: Stores, workers: InstanceWorkers
) -> AsyncIterator[tuple[Dispatcher, Tally]]:
    tally = Tally()
    settings = DispatchSettings(max_kills=3, after_kill=SOON, after_refusal=SOON)
    dispatcher = Dispatcher(stores.receipts, workers, settings=settings, figures=tally)
    async with workers, asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        yield dispatcher, tally
        dispatcher.stop(30)


async def receive(stores: Stores, content: bytes) -> Receipt:
    spooled = stores.spool.open(ORIGIN)
    spooled.write(content)
    return await spooled.commit()


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(240):
        while not is_true():  # noqa: ASYNC110 (other processes change it)
            await asyncio.sleep(0.01)


def states(stores: Stores) -> dict[str, tuple[str, str]]:
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(stores.layout.database) as connection:
        rows = connection.execute("SELECT id, state, reason FROM receipts").fetchall()
    connection.close()
    return {row[0]: (row[1], row[2]) for row in rows}


ALL_INSTANCES = Query("instance", {}, None, fuzzy=False, limit=10_000, offset=0)


async def test_everything_received_ends_once_in_the_destination_or_in_quarantine(
    stores: Stores, site_key: SiteKey
) -> None:
    good = list(many_ct(40, rows=16))
    bad = [content[: 200 + 10 * n] for n, content in enumerate(good[:10])]
    async with dispatching(stores, make_workers(site_key)) as (_, tally):
        kept = await asyncio.gather(*(receive(stores, each) for each in good))
        refused = await asyncio.gather(*(receive(stores, each) for each in bad))
        await until(lambda: sum(tally.done.values()) == 50)
    found = states(stores)
    assert {found[each.id][0] for each in kept} == {"stored"}
    assert {found[each.id][0] for each in refused} == {"quarantined"}
    assert all(found[each.id][1] for each in refused)
    assert len(await stores.destination.search(ALL_INSTANCES)) == 40
    assert list(stores.layout.work.iterdir()) == []
    assert list(stores.layout.spool.rglob("*.part")) == []


async def test_workers_killed_from_outside_cost_no_instance(
    stores: Stores, site_key: SiteKey
) -> None:
    workers = make_workers(site_key)
    async with dispatching(stores, workers) as (_, tally):
        for number, content in enumerate(many_ct(60, rows=16)):
            await receive(stores, content)
            if number % 20 == 10:
                os.kill(workers.pool.pids[0], signal.SIGKILL)
        await until(lambda: sum(tally.done.values()) == 60)
    assert set(states(stores).values()) == {("stored", "")}
    assert len(await stores.destination.search(ALL_INSTANCES)) == 60


async def test_an_instance_that_crashes_every_worker_is_quarantined_and_the_others_are_not(
    stores: Stores, site_key: SiteKey
) -> None:
    workers = make_workers(site_key)
    # The same workers, but for one instance they meet a decoder that crashes.
    usual = workers.pool._program
    workers.pool = WorkerPool(
        "tests.integration.pipeline_poison:start_poisoned",
        usual.document,
        usual.secret,
        count=2,
        limits=LIMITS,
        import_path=[ROOT],
    )
    async with dispatching(stores, workers) as (_, tally):
        for content in many_ct(19, rows=16):
            await receive(stores, content)
        await receive(stores, encoded(make_ct(seed=9, ManufacturerModelName="CRASH")))
        await until(lambda: sum(tally.done.values()) == 20)
    assert tally.done == {
        (State.STORED, ""): 19,
        (State.QUARANTINED, "worker_crashed"): 1,
    }
    assert sorted(states(stores).values()).count(("quarantined", "worker_crashed")) == 1
    assert tally.postponements == {"worker_crashed": 2}


async def test_stopping_in_the_middle_leaves_the_rest_for_the_next_start(
    stores: Stores, site_key: SiteKey
) -> None:
    children = set(psutil.Process().children())
    for content in many_ct(60, rows=16):
        await receive(stores, content)
    async with dispatching(stores, make_workers(site_key)) as (dispatcher, tally):
        await until(lambda: sum(tally.done.values()) >= 5)
        dispatcher.stop(30)
    assert set(psutil.Process().children()) <= children
    assert len(states(stores)) == 60
    waiting = [state for state, _ in states(stores).values() if state == "received"]
    assert len(waiting) == 60 - sum(tally.done.values())
    async with dispatching(stores, make_workers(site_key)) as (_, again):
        await until(lambda: sum(again.done.values()) == len(waiting))
    assert set(states(stores).values()) == {("stored", "")}


# -- what is known of a study --


async def test_an_instance_is_cleaned_of_what_earlier_ones_of_its_study_told(
    tmp_path: Path, site_key: SiteKey
) -> None:
    names, speaks = make_ct(instance=1), make_ct(instance=2)
    names.PatientName = "Kwurzelbaum^Ottokar"
    speaks.PatientName, speaks.PatientComments = "", "told by kwurzelbaum, lungs clear"
    contents = {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}, "text": {}}
    stores = await Stores.open(tmp_path / "state")
    workers = make_workers(
        site_key, make_route(), configuration=contents, known=stores.known, count=1
    )
    comments = []
    try:
        async with workers:
            for dataset in (speaks, names, speaks):
                file = stores.spool.open(ORIGIN)
                file.write(encoded(dataset))
                job = stores.receipts.job(await file.commit())
                result = await workers.process(job, 1000)
                comments.append(str(pydicom.dcmread(job.output).get("PatientComments", "")))
                await stores.receipts.settle([result])
    finally:
        await stores.close()
    assert "kwurzelbaum" in comments[0]
    assert "kwurzelbaum" not in comments[2]
    assert "lungs clear" in comments[2]


async def test_an_instance_is_described_while_all_others_are_busy(
    job: Job, site_key: SiteKey
) -> None:
    """Workers that are stopped are busy for as long as one likes."""
    source = make_ct(rows=64)
    job.source.write_bytes(encoded(source))
    size = job.source.stat().st_size
    async with make_workers(site_key) as workers:
        for pid in workers.pool.pids:
            os.kill(pid, signal.SIGSTOP)
        jobs = [replace(job, output=job.output.with_name(f"output-{each}")) for each in range(5)]
        others = [asyncio.create_task(workers.process(each, size)) for each in jobs]
        async with asyncio.timeout(240):
            described = await workers.describe(job, size)
        assert described is not None
        assert described.sop_instance_uid == source.SOPInstanceUID
        assert not any(each.done() for each in others)
        for pid in workers.pool.pids:
            os.kill(pid, signal.SIGCONT)
        results = await asyncio.gather(*others)
    assert {result.state for result in results} == {State.STORED}
    assert results[0].source == described


async def test_what_is_too_slow_to_describe_lets_the_others_pass(
    job: Job, site_key: SiteKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.pipeline.instance_workers._READERS_WAIT_S", 0.5)
    job.source.write_bytes(encoded(make_ct(rows=64)))
    async with make_workers(site_key) as workers, asyncio.timeout(240):
        (stuck,) = workers.readers.pids
        os.kill(stuck, signal.SIGSTOP)
        with pytest.raises(WorkerTimeout):
            await workers.describe(job, 0)
        assert await workers.describe(job, 0) is not None
        assert workers.readers.pids != [stuck]
