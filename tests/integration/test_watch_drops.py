"""A receipt knows its drop: what lay together or shared a name agrees, and no name is kept."""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from config.settings import Watch
from daemon.receive.watch.drops import Drops
from daemon.receive.watch.folder import WatchedFolder
from daemon.receive.watch.settling import Found, Signature
from daemon.store.stores import Stores
from tests.factories import many_ct
from tests.store_samples import receive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from daemon.records import Origin

SECRET = bytes(range(32))
NAME = "Kwurzelbaum^Ottokar"


@pytest.fixture
async def stores(disk_path: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(disk_path / "state")
    yield opened
    await opened.close()


async def dropped(
    stores: Stores, inbox: Path, count: int, *, after: Literal["delete", "keep"] = "delete"
) -> list[Origin]:
    """Watch until so many instances were received; return where they came from, by size."""
    watch = Watch(path=inbox, settle_s=0.05, incomplete_s=0.3, scan_interval_s=0.1, after=after)
    folder = WatchedFolder(watch, stores.spool, drops=Drops(SECRET, inbox))
    await folder.start()
    try:
        async with asyncio.timeout(240):
            while len(await stores.receipts.due(100, [])) < count:  # noqa: ASYNC110 (a table is asked)
                await asyncio.sleep(0.05)
    finally:
        await folder.stop()
    due = await stores.receipts.due(100, [])
    return [receipt.origin for receipt in sorted(due, key=lambda receipt: receipt.size)]


def instances(count: int) -> list[bytes]:
    """Return instances, each larger than the one before."""
    return [next(iter(many_ct(1, rows=8 * (number + 1), seed=number))) for number in range(count)]


@pytest.mark.parametrize("after", ["delete", "keep"])
async def test_what_lies_in_one_folder_or_shares_a_name_agrees(
    stores: Stores, disk_path: Path, after: Literal["delete", "keep"]
) -> None:
    inbox = disk_path / "inbox"
    names = ("a/one.dcm", "a/two.dcm", "b/one.dcm", f"b/{NAME}.dcm")
    for name, content in zip(names, instances(4), strict=True):
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_bytes(content)
    one, two, other_one, named = await dropped(stores, inbox, 4, after=after)
    assert one.drop_folder == two.drop_folder != other_one.drop_folder == named.drop_folder
    assert one.drop_name == other_one.drop_name
    assert len({one.drop_name, two.drop_name, named.drop_name}) == 3
    for origin in (one, two, other_one, named):
        assert len(origin.drop_folder) == len(origin.drop_name) == 32
    for path in stores.layout.state_dir.glob("dicomveil.sqlite*"):
        assert NAME.encode() not in path.read_bytes()


async def test_entries_of_one_archive_agree_and_those_of_another_do_not(
    stores: Stores, disk_path: Path
) -> None:
    inbox = disk_path / "inbox"
    inbox.mkdir()
    contents = instances(4)
    with zipfile.ZipFile(inbox / "first.zip", "w") as archive:
        archive.writestr("x/one.dcm", contents[0])
        archive.writestr("x/two.dcm", contents[1])
        archive.writestr("y/one.dcm", contents[2])
    with zipfile.ZipFile(inbox / "second.zip", "w") as archive:
        archive.writestr("x/one.dcm", contents[3])
    one, two, elsewhere, other = await dropped(stores, inbox, 4)
    assert one.drop_folder == two.drop_folder
    assert len({one.drop_folder, elsewhere.drop_folder, other.drop_folder}) == 3
    assert one.drop_name == elsewhere.drop_name == other.drop_name != two.drop_name


async def test_what_comes_over_the_network_has_no_drop(stores: Stores) -> None:
    receipt = await receive(stores)
    assert (receipt.origin.drop_folder, receipt.origin.drop_name) == ("", "")


def found(*folder: str, name: str = "one.dcm", ours: bool = False) -> Found:
    return Found(folder, name, Signature(1, 2, 3, 4), 0o100644, ours)


def test_without_the_key_nobody_makes_the_same_hashes() -> None:
    place = found("a")
    drop = Drops(SECRET, Path("/in")).of_file(place)
    assert drop == Drops(SECRET, Path("/in")).of_file(place)
    assert Drops(SECRET[::-1], Path("/in")).of_file(place) != drop
    assert Drops(SECRET, Path("/other")).of_file(place).folder != drop.folder


def test_names_agree_up_to_their_last_full_stop() -> None:
    drops = Drops(SECRET, Path("/in"))
    image, sidecar = drops.of_file(found(name="i.1.dcm")), drops.of_file(found(name="i.1.json"))
    assert image == sidecar
    assert drops.of_file(found(name="i.2.dcm")).name != image.name
    assert drops.of_file(found(name="plain")).name != drops.of_file(found(name="plai.n")).name


def test_folders_do_not_run_into_each_other() -> None:
    drops = Drops(SECRET, Path("/in"))
    assert drops.of_file(found("a", "b")).folder != drops.of_file(found("ab")).folder
    assert drops.of_file(found("z.zip")).folder != drops.of_entry(found(name="z.zip"), "x").folder


def test_what_a_killed_run_left_has_lost_its_name() -> None:
    assert Drops(SECRET, Path("/in")).of_file(found(".taking", ours=True)) == ("", "")
