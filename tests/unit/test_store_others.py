"""Stores that somebody made, after a kill, on a damaged disk, and without their rows."""

from __future__ import annotations

import asyncio
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import pytest

from daemon.healthcare.uploads import StoreUploads
from daemon.pipeline.fhir_reading import read_sidecar
from daemon.records import Origin, Receipt, Receiver, State
from daemon.store import fsck
from daemon.store.blobs import Move
from daemon.store.embedded import EMBEDDED
from daemon.store.files.blobs import FileBlobs
from daemon.store.fsck import Kind
from daemon.store.layout import Layout
from daemon.store.rows import Garbage, Place, StoreKind
from daemon.store.stores import Stores
from dicomweb.errors import InstanceRefused
from tests.factories import encoded, make_ct
from tests.store_samples import file_of, make_instance, store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from daemon.pipeline.changing import ChangingWorkers
    from daemon.records import Job, StoredInstance
    from daemon.store.ports import Session
    from daemon.store.rows import Store

DATASET = "projects/p/locations/l/datasets/Ottilie"
PEOPLE = (("PERSON_NAME", "Zqxwurm^Ottilie"),)


def path_of(state_dir: Path, own: Store, blob: str) -> Path:
    return state_dir / own.folder / blob[:2] / blob[2:4] / f"{blob}.dcm"


async def made(state_dir: Path, *, files: list[bytes] | None = None) -> tuple[Store, list[Path]]:
    """Make a state folder with a store of two instances; return it and where their blobs are."""
    stores = await Stores.open(state_dir)
    await store(stores, make_instance(9))
    own = await stores.database.write(lambda s: s.stores.add(DATASET, StoreKind.DICOM, "Zqxwurm"))
    paths = []
    for number in (1, 2):
        instance, blob = make_instance(number), uuid4().hex
        file = stores.layout.work / blob
        file.write_bytes(files[number - 1] if files else file_of(instance))
        stores.stores.blobs_of(own).take([Move(file, blob)])
        paths.append(path_of(state_dir, own, blob))

        def show(session: Session, number: int = number, blob: str = blob) -> None:
            shown = replace(make_instance(number), blob=blob)
            receipt = Receipt(blob, Origin(Receiver.STOW), 1.0, shown.size, State.STORED)
            session.receipts.insert(receipt)
            session.receipts.change(blob, place=Place.GONE)
            session.instances.add(own, shown, blob=blob, receipt_id=blob)
            session.identifiers.add(own, shown.study_uid, "p", PEOPLE)

        await stores.database.write(show)
    await stores.close()
    return own, paths


def found(state_dir: Path, *, repair: bool = False) -> list[tuple[Kind, str]]:
    report = fsck.check(state_dir, repair=repair)
    return [(each.kind, each.store) for each in report.findings]


def shown(state_dir: Path, own: Store) -> int:
    with EMBEDDED.session(Layout(state_dir), query_only=True) as session:
        return len(session.instances.page(own, 0, 100))


async def test_a_sound_one_has_no_findings(tmp_path: Path) -> None:
    await made(tmp_path)
    assert found(tmp_path) == []


@pytest.mark.parametrize("damage", ["gone", "changed", "cut"])
async def test_what_lost_its_blob_is_not_served_any_more(tmp_path: Path, damage: str) -> None:
    own, (path, _) = await made(tmp_path)
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] + (b"" if damage == "cut" else b"X"))
    kind = Kind.BLOB_MISSING if damage == "gone" else Kind.BLOB_DAMAGED
    assert found(tmp_path) == [(kind, own.folder)]
    found(tmp_path, repair=True)
    assert found(tmp_path) == []
    assert shown(tmp_path, own) == 1
    aside = tmp_path / "lost+found"
    assert (
        [each.name for each in aside.iterdir()] == [f"{own.folder}-{path.stem}"]
        if (damage != "gone")
        else not aside.exists()
    )


async def test_a_blob_without_a_row_is_laid_aside_under_a_name_of_ours(tmp_path: Path) -> None:
    own, (path, _) = await made(tmp_path)
    stray = path.with_name(f"{path.stem[:4]}{uuid4().hex[4:]}.dcm")
    stray.touch(mode=0o600)
    assert found(tmp_path) == [(Kind.BLOB_WITHOUT_ROW, own.folder)]
    found(tmp_path, repair=True)
    (aside,) = (tmp_path / "lost+found").iterdir()
    assert aside.name == f"{own.folder}-{stray.stem}"
    assert found(tmp_path) == []


async def test_what_a_kill_left_of_a_deleted_store_goes_at_the_next_start(tmp_path: Path) -> None:
    own, paths = await made(tmp_path)
    with EMBEDDED.session(Layout(tmp_path)) as session, session.atomically():
        session.garbage.add(Garbage(own.id, paths[0].stem))
        session.stores.remove(own)
    assert paths[0].exists()
    await (await Stores.open(tmp_path)).close()
    assert not (tmp_path / own.folder).exists()


async def test_a_folder_that_the_rows_never_heard_of_stays(tmp_path: Path) -> None:
    own, paths = await made(tmp_path)
    newer = tmp_path / f"store-{own.id + 3}"
    shutil.copytree(tmp_path / own.folder, newer)
    await (await Stores.open(tmp_path)).close()
    assert len(list(newer.rglob("*.dcm"))) == len(paths)


async def test_the_people_of_a_study_are_forgotten_with_its_last_instance(tmp_path: Path) -> None:
    own, paths = await made(tmp_path)
    for count, path in enumerate(paths, 1):
        path.unlink()
        found(tmp_path, repair=True)
        with EMBEDDED.session(Layout(tmp_path), query_only=True) as session:
            known = session.identifiers.known(own, "1.2.3", "p", 9)
        assert bool(known) == (count < len(paths))


def lose_database(state_dir: Path) -> None:
    for file in state_dir.glob("dicomveil.sqlite*"):
        file.unlink()


async def test_without_the_database_all_is_shown_again_in_stores_for_such(tmp_path: Path) -> None:
    scans = [encoded(make_ct(instance=number)) for number in (1, 2)]
    own, _ = await made(tmp_path, files=scans)
    lose_database(tmp_path)
    taken, _ = fsck.reindex(tmp_path)
    again = [each for each in taken if each.store.startswith("store-")]
    assert [each.repaired for each in again] == ["shown again"] * 2
    with EMBEDDED.session(Layout(tmp_path), query_only=True) as session:
        dataset = "projects/local/locations/local/datasets/recovered"
        (recovered,) = session.stores.of_dataset(dataset, StoreKind.DICOM)
    assert recovered.name == own.folder
    assert shown(tmp_path, recovered) == 2
    assert fsck.reindex(tmp_path)[0] == []
    assert found(tmp_path) == []


async def test_without_the_database_resources_come_back_in_fhir_stores_for_such(
    tmp_path: Path,
) -> None:
    await made(tmp_path)
    stores = await Stores.open(tmp_path)
    own = await stores.database.write(lambda s: s.stores.add(DATASET, StoreKind.FHIR, "Zqxwurm"))
    text = b'{"resourceType":"Patient","id":"p","gender":"female"}'
    (entry,) = read_sidecar(text).entries
    assert entry.resource is not None
    stores.posted(own).keep_imported([entry.resource], 1_700_000_000_000)
    await stores.close()
    lose_database(tmp_path)
    taken, _ = fsck.reindex(tmp_path)
    assert [each.repaired for each in taken if each.store == own.folder] == ["put back"]
    with EMBEDDED.session(Layout(tmp_path), query_only=True) as session:
        dataset = "projects/local/locations/local/datasets/recovered"
        (recovered,) = session.stores.of_dataset(dataset, StoreKind.FHIR)
        found_again = session.resources.get(recovered, "Patient", "p")
    assert found_again is not None
    assert found_again.rest == b'"gender":"female"'
    assert [each for each in fsck.reindex(tmp_path)[0] if each.store == own.folder] == []


async def test_rows_of_an_older_copy_get_back_what_came_since(tmp_path: Path) -> None:
    scans = [encoded(make_ct(instance=number)) for number in (1, 2)]
    own, _ = await made(tmp_path, files=scans)
    with EMBEDDED.session(Layout(tmp_path)) as session, session.atomically():
        for each in session.instances.page(own, 0, 100):
            session.instances.remove(each)
    await (await Stores.open(tmp_path)).close()
    assert shown(tmp_path, own) == 0
    fsck.reindex(tmp_path)
    assert shown(tmp_path, own) == 2


class Describing:
    """A worker that describes everything as one instance, and before that something happens."""

    def __init__(self, before: Callable[[], Awaitable[object]]) -> None:
        self._before = before

    async def describe(self, job: Job, size: int) -> StoredInstance:
        del job
        await self._before()
        return replace(make_instance(7), size=size)


class Unheard:
    def instance_received(self, size: int) -> None:
        del size

    def instance_refused(self, reason: str) -> None:
        del reason


async def test_what_arrives_while_its_store_is_deleted_is_refused_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    own, _ = await made(tmp_path)
    stores = await Stores.open(tmp_path)

    async def delete() -> None:
        await stores.database.write(lambda session: session.stores.remove(own))
        await stores.empty(own)

    uploads = StoreUploads(own, stores, cast("ChangingWorkers", Describing(delete)), Unheard())
    upload = uploads.open("")
    upload.write(encoded(make_ct()))
    with pytest.raises(InstanceRefused) as caught:
        await upload.finish()
    assert "deleted meanwhile" in caught.value.why
    upload.abort()
    await stores.close()
    assert blobs_below(tmp_path / own.folder) == 0
    assert shown(tmp_path, own) == 0


@pytest.mark.parametrize("left", [None, b"a part"])
async def test_what_comes_again_takes_the_place_of_one_that_is_not_whole_any_more(
    tmp_path: Path, left: bytes | None
) -> None:
    """A client is told that it is stored: then it is, and not a row alone."""
    own, _ = await made(tmp_path)
    stores = await Stores.open(tmp_path)

    async def nothing() -> None: ...

    async def arrive() -> str:
        uploads = StoreUploads(own, stores, cast("ChangingWorkers", Describing(nothing)), Unheard())
        upload = uploads.open("")
        upload.write(encoded(make_ct()))
        return (await upload.finish()).sop_instance_uid

    before = set((tmp_path / own.folder).rglob("*.dcm"))
    uid = await arrive()
    (first,) = set((tmp_path / own.folder).rglob("*.dcm")) - before
    first.unlink()
    if left is not None:
        first.write_bytes(left)
        first.chmod(0o600)
    assert await arrive() == await arrive() == uid
    await stores.receipts.sweep(closing=True)
    await stores.close()
    assert not first.exists()
    assert blobs_below(tmp_path / own.folder) == shown(tmp_path, own) == 3
    assert fsck.check(tmp_path, digests=False).findings == []


@pytest.mark.parametrize("is_there", [False, True])
async def test_what_arrives_of_a_client_that_leaves_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    own, _ = await made(tmp_path)
    stores = await Stores.open(tmp_path)
    loop, moved = asyncio.get_running_loop(), threading.Event()
    take = FileBlobs.take

    async def nothing() -> None: ...

    async def arrive() -> None:
        uploads = StoreUploads(own, stores, cast("ChangingWorkers", Describing(nothing)), Unheard())
        upload = uploads.open("")
        upload.write(encoded(make_ct()))
        await upload.finish()

    def take_and_leave(blobs: FileBlobs, moves: Sequence[Move], *, flush: bool = False) -> None:
        if is_there:
            asyncio.run_coroutine_threadsafe(show_first(), loop).result()
        take(blobs, moves, flush=flush)
        loop.call_soon_threadsafe(arriving.cancel)
        moved.set()

    async def show_first() -> None:
        monkeypatch.setattr(FileBlobs, "take", take)
        await arrive()

    monkeypatch.setattr(FileBlobs, "take", take_and_leave)
    arriving = asyncio.create_task(arrive())
    with pytest.raises(asyncio.CancelledError):
        await arriving
    await asyncio.to_thread(moved.wait)
    await stores.close()
    assert blobs_below(tmp_path / own.folder) == shown(tmp_path, own) == 3


def blobs_below(folder: Path) -> int:
    return len(list(folder.rglob("*.dcm")))
