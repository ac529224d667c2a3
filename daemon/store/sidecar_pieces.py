"""The pieces of a file of resources that was too large for one answer, taken one after the other.

Each is a transaction of its own, so that nobody else waits for all of them. The receipt waits until its result
is settled: killed before that, the file is read and taken again, and what is there already is nothing new.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from daemon.errors import StoreUnavailable
from daemon.pipeline.messages import MalformedAnswer
from daemon.pipeline.states import WAITING
from daemon.store.sidecars import Sidecars

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.resources import ReadDocument
    from daemon.store.ports import Database, Session
    from daemon.store.store_set import StoreSet


async def take_pieces(
    database: Database, stores: StoreSet, receipt_id: str, file: Path, count: int
) -> None:
    """Let the resources of a file be those of the source store.

    Parameters
    ----------
    file, count
        What the worker wrote, and how many pieces it says that it wrote.

    Raises
    ------
    MalformedAnswer
        When there are others.
    SpoolFull, StoreUnavailable
        When the disk or the database refused; to be called again, or the file to be read again.
    """
    # Commands that look at receipts do without.
    from daemon.pipeline.fhir_large import read_pieces  # noqa: PLC0415

    documents: Iterator[ReadDocument] | None = None
    taken = 0
    sidecars = Sidecars(stores)
    while True:
        try:
            if documents is None:
                documents = await asyncio.to_thread(read_pieces, file)
            document = await asyncio.to_thread(_next, documents)
        except OSError as error:
            raise StoreUnavailable("the pieces of a worker cannot be read") from error
        if document is None:
            break
        if any(each.resource is None for each in document.entries):
            raise MalformedAnswer("contradiction")
        taken += 1
        await database.write(partial(_take, sidecars=sidecars, receipt_id=receipt_id, of=document))
    if taken != count:
        raise MalformedAnswer("contradiction")


def _next(documents: Iterator[ReadDocument]) -> ReadDocument | None:
    return next(documents, None)


def _take(session: Session, sidecars: Sidecars, receipt_id: str, of: ReadDocument) -> None:
    entry = session.receipts.get(receipt_id)
    if entry is None or entry.receipt.state not in WAITING:
        return
    resources = [each.resource for each in of.entries if each.resource is not None]
    sidecars.take(session, resources, entry.receipt.origin, entry.receipt.received_at)
    if entry.receipt.attempts > 1:
        # There is an answer: attempts that were begun without any are counted anew (`postpone`).
        session.receipts.change(receipt_id, attempts=1)
