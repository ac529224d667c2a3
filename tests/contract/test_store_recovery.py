"""What a start makes of what a kill left behind, whatever engine is under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.records import Origin, Receipt, Receiver, State
from daemon.store import queries, redo
from daemon.store.blobs import Move
from daemon.store.settling import output_blob
from daemon.store.stores import Stores
from tests.store_samples import ORIGIN, make_instance, receive, store, veiled, work

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.store.ports import Engine


async def test_a_start_removes_what_cannot_have_been_acknowledged(
    tmp_path: Path, engine: Engine
) -> None:
    stores = await Stores.open(tmp_path, engine=engine)
    await receive(stores)
    await stores.close()
    (tmp_path / "spool" / ("a" * 32 + ".part")).write_bytes(b"half")
    stores = await Stores.open(tmp_path, engine=engine)
    assert stores.recovered.partial_files == 1
    assert len(list((tmp_path / "spool").iterdir())) == 1
    await stores.close()


async def test_a_start_takes_in_what_no_row_speaks_of(tmp_path: Path, engine: Engine) -> None:
    stores = await Stores.open(tmp_path, engine=engine)
    await receive(stores)
    await stores.close()
    (tmp_path / "spool" / ("b" * 32)).write_bytes(b"whose row went with a log")
    stores = await Stores.open(tmp_path, engine=engine)
    assert stores.recovered.adopted == 1
    assert "b" * 32 in [receipt.id for receipt in await stores.receipts.due(10, [])]
    await stores.close()


async def test_a_start_takes_back_what_was_settled_after_the_copy_that_the_rows_are(
    tmp_path: Path, engine: Engine
) -> None:
    """The rows of an older copy know nothing of it: as if they had never been."""
    stores = await Stores.open(tmp_path, engine=engine)
    await store(stores, make_instance(1))
    with engine.session(stores.layout) as session:
        newest = session.receipts.newest()
    name = "e" * 32
    finished = tmp_path / "finished"
    finished.write_bytes(b"settled later")
    stores.source.blobs.take([Move(finished, name)])
    await stores.close()
    stores = await Stores.open(tmp_path, engine=engine)
    assert stores.recovered.adopted == 1
    (receipt,) = await stores.receipts.due(10, [])
    assert (receipt.id, receipt.origin) == (name, Origin(Receiver.RECOVERED))
    assert receipt.received_at >= newest
    assert stores.receipts.job(receipt).source.read_bytes() == b"settled later"
    await stores.close()
    stores = await Stores.open(tmp_path, engine=engine)
    assert stores.recovered.adopted == 0
    await stores.close()


async def test_a_file_that_a_copy_by_hard_links_has_too_is_not_let_go_of(
    tmp_path: Path, engine: Engine
) -> None:
    stores = await Stores.open(tmp_path / "state", engine=engine)
    origin = Origin(Receiver.WATCH, peer="/srv/inbox")
    await stores.database.write(
        lambda session: session.intents.add([Receipt("c" * 32, origin, 12.5, 0)])
    )
    await stores.close()
    spool = tmp_path / "state" / "spool"
    for name in ("b" * 32, "c" * 32):
        (tmp_path / name).write_bytes(name.encode())
        (spool / name).hardlink_to(tmp_path / name)
    stores = await Stores.open(tmp_path / "state", engine=engine)
    due = await stores.receipts.due(10, [])
    assert sorted(receipt.id for receipt in due) == ["b" * 32, "c" * 32]
    for receipt in due:
        file = stores.receipts.job(receipt).source
        assert file.read_bytes() == receipt.id.encode()
        assert not file.samefile(tmp_path / receipt.id)
    await stores.close()


async def test_a_start_gives_taken_files_their_receipt(tmp_path: Path, engine: Engine) -> None:
    stores = await Stores.open(tmp_path, engine=engine)
    origin = Origin(Receiver.WATCH, peer="/srv/inbox", drop_folder="f" * 32, drop_name="e" * 32)
    await stores.database.write(
        lambda session: session.intents.add([Receipt("c" * 32, origin, 12.5, 0)])
    )
    await stores.close()
    (tmp_path / "spool" / ("c" * 32)).write_bytes(b"taken")
    stores = await Stores.open(tmp_path, engine=engine)
    (receipt,) = await stores.receipts.due(10, [])
    assert (receipt.id, receipt.size, receipt.received_at) == ("c" * 32, 5, 12.5)
    assert receipt.origin.peer == "/srv/inbox"
    assert (receipt.origin.drop_folder, receipt.origin.drop_name) == ("f" * 32, "e" * 32)
    await stores.close()


async def test_a_start_forgets_an_intent_whose_file_stayed_in_the_inbox(
    tmp_path: Path, engine: Engine
) -> None:
    stores = await Stores.open(tmp_path, engine=engine)
    origin = Origin(Receiver.WATCH, peer="/srv/inbox", drop_folder="f" * 32, drop_name="e" * 32)
    await stores.database.write(
        lambda session: session.intents.add([Receipt("c" * 32, origin, 12.5, 0)])
    )
    await stores.close()
    stores = await Stores.open(tmp_path, engine=engine)
    assert await stores.receipts.due(10, []) == []
    left = await stores.database.read(lambda session: len(session.intents.all()))
    assert left == 0
    await stores.close()


async def test_a_start_reports_and_quarantines_what_has_lost_its_file(
    tmp_path: Path, engine: Engine
) -> None:
    stores = await Stores.open(tmp_path, engine=engine)
    receipt = await receive(stores, origin=ORIGIN)
    await stores.close()
    (tmp_path / "spool" / receipt.id).unlink()
    stores = await Stores.open(tmp_path, engine=engine)
    assert stores.recovered.missing == 1
    shown = await stores.database.read(lambda session: queries.show(session, receipt.id))
    assert shown is not None
    assert (shown.receipt.state, shown.receipt.reason) == (State.QUARANTINED, "blob_missing")
    await stores.close()


async def _missed_once(tmp_path: Path, engine: Engine) -> tuple[Receipt, Path, bytes]:
    """Receive an instance, start once without its file; return its receipt, where it was, what it says."""
    stores = await Stores.open(tmp_path, engine=engine)
    receipt = await receive(stores)
    file = stores.receipts.job(receipt).source
    await stores.close()
    content = file.read_bytes()
    file.unlink()
    await (await Stores.open(tmp_path, engine=engine)).close()
    return receipt, file, content


async def test_what_is_there_again_after_it_was_missing_waits_again(
    tmp_path: Path, engine: Engine
) -> None:
    """As when a backup is restored without the spool, started, and then put right."""
    receipt, file, content = await _missed_once(tmp_path, engine)
    file.write_bytes(content)
    stores = await Stores.open(tmp_path, engine=engine)
    (due,) = await stores.receipts.due(10, [])
    assert (due.id, due.reason) == (receipt.id, "")
    assert stores.receipts.job(due).source.read_bytes() == content
    assert file.stat().st_mode & 0o077 == 0
    await stores.close()


async def test_what_is_there_again_only_in_part_is_laid_aside(
    tmp_path: Path, engine: Engine
) -> None:
    receipt, file, _ = await _missed_once(tmp_path, engine)
    file.write_bytes(b"b")
    stores = await Stores.open(tmp_path, engine=engine)
    assert (stores.recovered.kept_apart, await stores.receipts.due(10, [])) == (1, [])
    assert (tmp_path / "lost+found" / receipt.id).read_bytes() == b"b"
    await stores.close()


async def test_a_blob_that_is_there_again_after_it_was_missing_waits_again(
    tmp_path: Path, engine: Engine
) -> None:
    receipt, file, content = await _missed_once(tmp_path, engine)
    stores = await Stores.open(tmp_path, engine=engine)
    file.write_bytes(content)
    stores.source.blobs.take([Move(file, receipt.id)])
    await stores.close()
    stores = await Stores.open(tmp_path, engine=engine)
    (due,) = await stores.receipts.due(10, [])
    assert stores.receipts.job(due).source.read_bytes() == content
    await stores.close()


async def test_a_start_does_not_take_back_what_was_a_duplicate(
    tmp_path: Path, engine: Engine
) -> None:
    """Its old name may come back after a power cut."""
    stores = await Stores.open(tmp_path, engine=engine)
    await store(stores, make_instance(1))
    again = await store(stores, make_instance(1))
    file = tmp_path / "spool" / again.id
    await stores.close()
    file.write_bytes(b"an old name")
    stores = await Stores.open(tmp_path, engine=engine)
    assert not file.exists()
    assert await stores.receipts.due(10, []) == []
    await stores.close()


async def test_a_start_removes_outputs_that_no_row_announces(
    tmp_path: Path, engine: Engine
) -> None:
    stores = await Stores.open(tmp_path, engine=engine)
    receipt = await receive(stores)
    finished = tmp_path / "finished"
    finished.write_bytes(b"moved in, then killed")
    name = f"{receipt.id}-0123456789abcdef"
    stores.destination.blobs.take([Move(finished, name)])
    (tmp_path / "work" / f"{receipt.id}.out").write_bytes(b"half an output")
    await stores.close()
    stores = await Stores.open(tmp_path, engine=engine)
    assert stores.recovered.outputs == 2
    assert not stores.destination.blobs.has(name)
    await stores.close()


async def test_a_start_keeps_what_is_visible_of_what_waits_to_be_done_again(
    tmp_path: Path, engine: Engine
) -> None:
    stores = await Stores.open(tmp_path, engine=engine)
    receipt = await store(stores, make_instance())
    with engine.session(stores.layout) as session:
        redo.redo(session, [receipt.id])
    result = work(stores, receipt, make_instance())
    # Killed after the files were moved and before the rows were committed.
    changed = tmp_path / "changed"
    changed.write_bytes(b"other")
    unannounced = f"{receipt.id}-{'0' * 16}"
    stores.destination.blobs.take([Move(changed, unannounced)])
    await stores.close()
    stores = await Stores.open(tmp_path, engine=engine)
    assert not stores.destination.blobs.has(unannounced)
    assert list(stores.layout.work.iterdir()) == []
    assert stores.destination.blobs.has(output_blob(receipt.id, veiled(make_instance())))
    (due,) = await stores.receipts.due(10, [])
    assert due.id == result.receipt_id
    await stores.close()
