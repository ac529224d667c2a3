"""A large file of resources is taken piece by piece, as often as it takes, and ends as a small one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from daemon.pipeline import fhir_large
from daemon.pipeline.messages import MalformedAnswer
from daemon.pipeline.work import Work
from daemon.records import Origin, Receiver, State
from daemon.store.stores import Stores
from tests.benchmarks.fhir_record import record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.records import Receipt, Result
    from daemon.store.ports import Engine, Session

COUNT = 90
ORIGIN = Origin(Receiver.WATCH, drop_folder="f", drop_name="n")
LINES = b"".join(orjson.dumps(each["resource"]) + b"\n" for each in record(COUNT)["entry"])


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


async def received(stores: Stores) -> Receipt:
    file = stores.spool.open(ORIGIN)
    file.write(LINES)
    return await file.commit()


async def read(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Receive the file, and have it read as one that is too large for one answer."""
    receipt = await received(stores)
    monkeypatch.setattr(fhir_large, "SMALL", 100)
    monkeypatch.setattr(fhir_large, "_PIECE_ENTRIES", 20)
    result = Work([], {}).process(stores.receipts.job(receipt))
    assert result.sidecar is not None
    assert result.sidecar.pieces > 3
    return result


def resources_in(session: Session, stores: Stores) -> list[tuple[str, str, int, bytes, bytes]]:
    page = session.resources.page(stores.stores.fhir_source, 0, 10_000)
    return [(each.type, each.id, each.version, each.meta, each.rest) for each in page]


async def taken(stores: Stores) -> list[tuple[str, str, int, bytes, bytes]]:
    return await stores.database.read(lambda session: resources_in(session, stores))


async def state(stores: Stores, result: Result) -> State:
    entry = await stores.database.read(lambda session: session.receipts.get(result.receipt_id))
    assert entry is not None
    return entry.receipt.state


async def test_it_ends_as_one_that_was_read_whole(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: Engine
) -> None:
    result = await read(stores, monkeypatch)
    assert result.sidecar is not None
    await stores.receipts.take_pieces(result.receipt_id, result.sidecar.pieces)
    assert await state(stores, result) is State.RECEIVED
    await stores.receipts.settle([result])
    assert await state(stores, result) is State.STORED
    assert not list(stores.layout.work.glob("*.out"))
    monkeypatch.undo()
    others = await Stores.open(tmp_path / "other", engine=engine)
    try:
        whole = Work([], {}).process(others.receipts.job(await received(others)))
        await others.receipts.settle([whole])
        assert await taken(stores) == await taken(others)
        assert len(await taken(stores)) >= COUNT
    finally:
        await others.close()


async def test_taking_it_again_after_it_was_cut_short_changes_nothing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = await read(stores, monkeypatch)
    assert result.sidecar is not None
    await stores.receipts.begin([result.receipt_id])
    await stores.receipts.begin([result.receipt_id])
    with pytest.raises(MalformedAnswer):  # it has more pieces than it says: what was taken stays
        await stores.receipts.take_pieces(result.receipt_id, result.sidecar.pieces - 1)
    before = await taken(stores)
    await stores.receipts.take_pieces(result.receipt_id, result.sidecar.pieces)
    assert await taken(stores) == before
    entry = await stores.database.read(lambda session: session.receipts.get(result.receipt_id))
    assert entry is not None
    assert entry.receipt.attempts == 1  # it was read: no attempt before counts against it


async def test_nothing_is_taken_of_a_file_that_has_ended(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = await read(stores, monkeypatch)
    assert result.sidecar is not None

    def discard(session: Session) -> None:
        session.receipts.change(result.receipt_id, state=State.QUARANTINED)

    await stores.database.write(discard)
    await stores.receipts.take_pieces(result.receipt_id, result.sidecar.pieces)
    assert await taken(stores) == []
