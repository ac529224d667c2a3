"""Whatever goes wrong while pixels are cleaned: the instance is set aside, and the next one is processed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pydicom
import pytest

from daemon.pipeline.dispatch import Dispatcher
from daemon.pipeline.flights import DispatchSettings
from daemon.pipeline.instance_workers import Deidentifier, InstanceWorkers
from daemon.records import Origin, Receiver, State
from daemon.store.stores import Stores
from daemon.workers.backoff import Backoff
from daemon.workers.pool import WorkerPool
from tests import pixel_samples as samples
from tests.conftest import program
from tests.factories import encoded, make_ct, write
from tests.integration.pipeline_poison import LOOKS_BAD, VALUE
from tests.sections import make_limits, make_pixels, make_route
from tests.service import RunningDaemon, wait_until
from tests.tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydicom.dataset import Dataset

    from daemon.workers.limits import Limits
    from deid.identity.keys import SiteKey

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = Origin(Receiver.DIMSE, "CT01", "DICOMVEIL", "127.0.0.1")
SOON = Backoff(first_s=0.001, longest_s=0.002)
PATIENT = make_limits(niceness=0, memory_bytes=1 << 30)
HURRIED = make_limits(niceness=0, timeout_s=3.0, timeout_per_mb_s=0.0)
POISONED = [
    ("detector hangs", "worker_timeout", HURRIED),
    ("detector spins", "worker_timeout", HURRIED),
    ("detector crashes", "worker_crashed", PATIENT),
    ("detector aborts", "worker_crashed", PATIENT),
    ("detector exits", "worker_crashed", PATIENT),
    ("detector eats", "worker_memory", PATIENT),
    ("detector raises", "pixels_not_cleaned", PATIENT),
    ("decoder hangs", "worker_timeout", HURRIED),
    ("decoder crashes", "worker_crashed", PATIENT),
    ("decoder eats", "worker_memory", PATIENT),
    ("decoder raises", "pixels_undecodable", PATIENT),
]


@pytest.fixture
async def stores(state_dir: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(state_dir)
    yield opened
    await opened.close()


@asynccontextmanager
async def dispatching(
    stores: Stores, key: SiteKey, limits: Limits, poison: str = ""
) -> AsyncIterator[Tally]:
    """Run real workers, with a poisoned part where one is named."""
    deidentifiers = [Deidentifier("default", samples.configuration(), key)]
    workers = InstanceWorkers(
        [make_route()], deidentifiers, count=1, limits=limits, pixels=make_pixels()
    )
    if poison:
        usual = workers.pool._program
        workers.pool = WorkerPool(
            "tests.integration.pipeline_poison:start_looking",
            {**usual.document, "poison": poison},
            usual.secret,
            count=1,
            limits=limits,
            import_path=[ROOT],
        )
    tally = Tally()
    settings = DispatchSettings(max_kills=2, after_kill=SOON, after_refusal=SOON)
    dispatcher = Dispatcher(stores.receipts, workers, settings=settings, figures=tally)
    async with workers, asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run())
        yield tally
        dispatcher.stop(30)


async def process(stores: Stores, tally: Tally, dataset: Dataset | bytes) -> tuple[State, str]:
    """Receive one instance and return what became of it."""
    before = dict(tally.done)
    spooled = stores.spool.open(ORIGIN)
    spooled.write(dataset if isinstance(dataset, bytes) else encoded(dataset))
    await spooled.commit()
    async with asyncio.timeout(240):
        while tally.done == before:  # noqa: ASYNC110 (other processes change it)
            await asyncio.sleep(0.01)
    return next(key for key, count in tally.done.items() if count != before.get(key, 0))


def everything_written(stores: Stores) -> bytes:
    """Return what an operator is told, and the clean store's files."""
    with sqlite3.connect(stores.layout.database) as connection:
        rows = connection.execute("SELECT reason, where_ FROM receipts").fetchall()
    connection.close()
    return repr(rows).encode()


def instance(rows: int, number: int) -> Dataset:
    return make_ct(
        rows=rows, instance=number, transfer_syntax_uid=samples.JPEG_LS, PixelPaddingValue=None
    )


@pytest.mark.parametrize(("poison", "reason", "limits"), POISONED)
async def test_what_ruins_a_worker_is_quarantined_and_the_next_instance_is_stored(
    stores: Stores, site_key: SiteKey, poison: str, reason: str, limits: Limits
) -> None:
    children = set(psutil.Process().children())
    async with dispatching(stores, site_key, limits, poison) as tally:
        assert await process(stores, tally, instance(LOOKS_BAD, 1)) == (
            State.QUARANTINED,
            reason,
        )
        assert await process(stores, tally, instance(64, 2)) == (State.STORED, "")
    assert set(psutil.Process().children()) <= children
    assert VALUE.encode() not in everything_written(stores)
    assert list(stores.layout.work.iterdir()) == []


def broken(kind: str) -> Dataset:
    """Return an instance whose pixels cannot be decoded."""
    dataset = make_ct(rows=64, instance=3)
    frame = np.ascontiguousarray(samples.texture(rows=64, columns=64))
    if kind == "too short":
        dataset.PixelData = dataset.PixelData[:1000]
        return dataset
    syntax, value = {
        "garbage": (samples.JPEG_LS, bytes(range(256)) * 4),
        "cut": (samples.J2K_LOSSLESS, samples.encode(samples.J2K_LOSSLESS, frame)[:300]),
        "empty": (samples.RLE, b""),
        "JPIP": ("1.2.840.10008.1.2.4.94", b"http"),
        "multi-component": ("1.2.840.10008.1.2.4.92", b"\xff\x4f" + bytes(60)),
        "MPEG2": ("1.2.840.10008.1.2.4.100", b"\0\0\1\xb3" + bytes(60)),
        "H.264": ("1.2.840.10008.1.2.4.102", bytes(64)),
        "HEVC": ("1.2.840.10008.1.2.4.107", bytes(64)),
    }[kind]
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = samples.encapsulated([value])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


async def test_pixels_that_cannot_be_decoded_are_quarantined_with_their_reason(
    stores: Stores, site_key: SiteKey
) -> None:
    async with dispatching(stores, site_key, PATIENT) as tally:
        for kind, reasons in {
            "too short": {"pixels_undecodable"},
            "garbage": {"pixels_undecodable"},
            "cut": {"pixels_undecodable"},
            "empty": {"pixels_undecodable"},
            "JPIP": {"pixels_undecodable"},
            "multi-component": {"pixels_undecodable"},
            "MPEG2": {"video_not_cleaned"},
            "H.264": {"video_not_cleaned"},
            "HEVC": {"video_not_cleaned"},
        }.items():
            state, reason = await process(stores, tally, broken(kind))
            assert (state, reason in reasons) == (State.QUARANTINED, True), (kind, reason)
        assert await process(stores, tally, instance(64, 2)) == (State.STORED, "")
    assert sum(tally.postponements.values()) == 0


@pytest.mark.peer("tesseract")
def test_a_tesseract_that_hangs_goes_with_its_worker_and_the_service_goes_on(
    disk_path: Path, state_dir: Path, tmp_path: Path
) -> None:
    folder, pids = tmp_path / "bin", tmp_path / "pids"
    folder.mkdir()
    script = folder / "tesseract"
    script.write_text(
        f'#!/bin/sh\ncase "$1" in stdin) if [ -e {tmp_path}/hang ]; then\n'
        f"echo $$ >> {pids}; exec sleep 600; fi;; esac\n"
        f'exec {program("tesseract")} "$@"\n'
    )
    script.chmod(0o700)
    (tmp_path / "hang").touch()
    inbox = disk_path / "inbox"
    inbox.mkdir()
    daemon = RunningDaemon(
        state_dir=state_dir,
        folder=disk_path,
        inbox=inbox,
        settings=(
            '[pixels]\nengine = "tesseract"\n'
            "[workers]\ntimeout_s = 8.0\nmax_attempts = 1\ncount = 1\n"
            "[deidentifiers.default.config]\n"
            'dicom = { filterProfile = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE" }\n'
            'image = { textRedactionMode = "REDACT_ALL_TEXT" }\n'
        ),
        environment={"PATH": f"{folder}:{os.environ['PATH']}"},
        is_prepared=True,
    )
    daemon.start()
    try:
        write(inbox / "bad.dcm", make_ct(rows=64, instance=1))
        (entry,) = daemon.wait_until_settled(1)
        assert (entry.state, entry.reason) == (State.QUARANTINED, "worker_timeout")
        started = [int(line) for line in pids.read_text().split()]
        wait_until(
            lambda: not any(psutil.pid_exists(pid) for pid in started), what="tesseract has ended"
        )
        (tmp_path / "hang").unlink()
        write(inbox / "good.dcm", make_ct(rows=64, instance=2))
        entries = daemon.wait_until_settled(2)
        assert sorted(entry.state for entry in entries) == [State.QUARANTINED, State.STORED]
        assert daemon.is_alive()
    finally:
        daemon.stop()
        daemon.assert_no_traceback()
