"""What the daemon does first at every start: make rows and files agree again after a kill.

No witness is believed alone: a file without a row may have been acknowledged all the same, when the
database is an older copy, or its last commits went with its ``-wal``. Only what cannot have been
acknowledged (a ``.part``) is removed. The whole stores are not walked here (see `daemon.store.fsck`);
everything that a kill can leave behind is found from the spool's folder and the receipts that still wait, and
what an older copy of the database does not know of, among the blobs that are newer.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from daemon.pipeline.states import RE_EXAMINE, WAITING, check_move
from daemon.records import Origin, Receipt, Receiver, State
from daemon.store import queries
from daemon.store.files.folders import (
    flush,
    free_name,
    make_private_folder,
    sync_folder,
    write_private,
)
from daemon.store.layout import FILE_MODE
from daemon.store.posted import put_back
from daemon.store.rows import Garbage, Place
from daemon.store.settling import BLOB_DAMAGED, BLOB_MISSING
from daemon.store.spool import PART_SUFFIX
from daemon.store.visibility import hide

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.store.layout import Layout
    from daemon.store.ports import Session
    from daemon.store.rows import Entry
    from daemon.store.store_set import StoreSet

log = structlog.get_logger(__name__)

_ID: Final = re.compile(r"[0-9a-f]{32}")
_TAIL_BYTES: Final = 4096
_CLOCK_S: Final = 60.0
"""How far the clock of a file system may be behind ours."""


@dataclass(slots=True)
class Recovered:
    """How much of what was found."""

    partial_files: int = 0
    adopted: int = 0
    kept_apart: int = 0
    taken_files: int = 0
    outputs: int = 0
    garbage: int = 0
    missing: int = 0


def recover(session: Session, stores: StoreSet, layout: Layout, *, now: float) -> Recovered:
    """Bring rows and files together. Nobody else uses the state folder meanwhile.

    - Partial files were never acknowledged: removed.
    - A file with an intent was taken from a watched folder: it gets its receipt.
    - A file that neither a row nor an intent speaks of gets a receipt, too: if its sender sends it again, the
      second is a duplicate. What may be torn, because the machine went down while it was written, is
      moved to ``lost+found``, as is what cannot be of our making.
    - So does a blob of the source that came after the last row: the database is an older copy. Resources that
      were posted since are put back.
    - Files of stores that were deleted are removed. Blobs without a row in stores that somebody made stay where
      they are and are told of: ``fsck --reindex`` shows them again.
    - Outputs of receipts that still wait are removed; they will be made again, the same.
    - A receipt that waits and has no file is reported and quarantined as ``blob_missing``. One that was, and
      whose file is there again, waits again.
    """
    found = Recovered()
    newest = session.receipts.newest()
    _remove_partial_files(layout.spool, found)
    _remove_files_of_killed_workers(layout.work, found)
    _fulfil_intents(session, layout.spool, found)
    _clear_spool(session, stores, layout, found, now)
    _take_back_returned(session, stores, found, now)
    _take_back_newer_blobs(session, stores, newest, found, now)
    _put_back_newer_resources(session, stores, found)
    _drop_outputs_of_waiting(session, stores, found)
    _quarantine_missing(session, stores, layout.spool, found, now)
    _collect_garbage(session, stores, found)
    _look_at_others(session, stores, layout, newest, found)
    is_odd = found.missing or found.kept_apart or found.adopted
    report = log.error if is_odd else log.info
    report(
        "store_recovered",
        partial_files=found.partial_files,
        adopted=found.adopted,
        kept_apart=found.kept_apart,
        taken_files=found.taken_files,
        outputs=found.outputs,
        garbage=found.garbage,
        missing=found.missing,
    )
    return found


def _remove_partial_files(spool_folder: Path, found: Recovered) -> None:
    for path in spool_folder.glob(f"*{PART_SUFFIX}"):
        path.unlink()
        found.partial_files += 1


def _remove_files_of_killed_workers(work_folder: Path, found: Recovered) -> None:
    for path in work_folder.iterdir():
        if path.is_file():
            path.unlink()
            found.outputs += 1


def _fulfil_intents(session: Session, spool_folder: Path, found: Recovered) -> None:
    """Give every taken file its receipt; forget intents whose file never left its inbox."""
    sync_folder(spool_folder)
    for intent in session.intents.all():
        path = spool_folder / intent.id
        with session.atomically():
            if path.is_file():
                _make_ours(path)
                session.receipts.insert(replace(intent, size=path.stat().st_size))
                found.taken_files += 1
            session.intents.remove([intent.id])


def _make_ours(path: Path) -> None:
    """See to it that nobody else has a file of the spool, under another name or by its mode.

    It may have been on its way back to its inbox, where it is taken once more then; but a copy of the state
    folder by hard links looks the same, and in that nobody would look for it.
    """
    if path.stat().st_nlink > 1:
        copy = path.with_name(path.name + PART_SUFFIX)
        with path.open("rb") as content:
            write_private(copy, content)
        flush(copy)
        copy.rename(path)
    path.chmod(FILE_MODE)


def _clear_spool(
    session: Session, stores: StoreSet, layout: Layout, found: Recovered, now: float
) -> None:
    source = stores.blobs[stores.source.id]
    for path in sorted(layout.spool.iterdir()):
        entry = session.receipts.get(path.name)
        if entry is not None and entry.receipt.state in WAITING:
            continue
        if entry is not None and is_lost(entry):
            if path.stat().st_size == entry.receipt.size:
                _make_ours(path)
                flush(path)
                receive_returned(session, entry.receipt, Place.SPOOL, now)
                found.adopted += 1
            else:
                _lay_aside(layout, path)
                found.kept_apart += 1
            continue
        if entry is not None:
            # Settled: its bytes are in the source store or were not to be kept; this is an old
            # name.
            if source.has(path.name) or entry.place is Place.GONE:
                path.unlink()
            continue
        if take_in(session, layout, path, now):
            found.adopted += 1
        else:
            found.kept_apart += 1
    sync_folder(layout.spool)


def take_in(session: Session, layout: Layout, path: Path, now: float) -> bool:
    """Give a spool file that nothing speaks of a receipt; lay aside what may not be whole, and return False."""
    if not _is_ours(path) or may_be_torn(path):
        _lay_aside(layout, path)
        return False
    _make_ours(path)
    flush(path)
    with session.atomically():
        session.receipts.insert(
            Receipt(path.name, Origin(Receiver.RECOVERED), now, path.stat().st_size)
        )
    return True


def _lay_aside(layout: Layout, path: Path) -> None:
    make_private_folder(layout.lost)
    path.rename(free_name(layout.lost / path.name))
    sync_folder(layout.lost)


def is_lost(entry: Entry) -> bool:
    """Tell whether the received bytes went missing, as those do of a folder that was not mounted or restored.

    They are waited for. Of any other receipt without its bytes, somebody has done with them.
    """
    return (
        entry.place is Place.GONE
        and entry.receipt.state in {State.QUARANTINED, State.STORED}
        and entry.receipt.reason in {BLOB_MISSING, BLOB_DAMAGED}
        and entry.receipt.origin.receiver != Receiver.OPERATION
    )


def receive_returned(session: Session, receipt: Receipt, place: Place, now: float) -> None:
    """Let a receipt wait again whose bytes went missing and are there again."""
    check_move(receipt.state, State.RECEIVED)
    with session.atomically():
        session.receipts.change(
            receipt.id,
            state=State.RECEIVED,
            # What is visible of a stored one stays until its result is made again.
            reason=RE_EXAMINE if receipt.state is State.STORED else "",
            where="",
            attempts=0,
            kills=0,
            not_before=0.0,
            place=place,
            changed_at=now,
        )


def _is_ours(path: Path) -> bool:
    return bool(_ID.fullmatch(path.name)) and path.is_file() and not path.is_symlink()


def may_be_torn(path: Path) -> bool:
    """Tell whether a file may lack what was written last: nobody had flushed it when the machine went down.

    A file that got its name since the machine came up is whole: a process that is killed takes nothing
    from it. Of an earlier one a file system may have kept the length without all of the content.
    """
    status = path.stat()
    if not status.st_size:
        return True
    if status.st_ctime > time.time() - time.clock_gettime(time.CLOCK_BOOTTIME):
        return False
    with path.open("rb") as file:
        if os.lseek(file.fileno(), 0, os.SEEK_HOLE) < status.st_size:
            return True
        file.seek(max(0, status.st_size - _TAIL_BYTES))
        return not file.read().strip(b"\0")


def _take_back_returned(session: Session, stores: StoreSet, found: Recovered, now: float) -> None:
    """Receive again what was quarantined because its blob was gone, and has it back."""
    source = stores.blobs[stores.source.id]
    for reason in (BLOB_MISSING, BLOB_DAMAGED):
        for name in queries.refused_ids(session, states=(State.QUARANTINED,), reason=reason):
            entry = session.receipts.get(name)
            if entry is not None and is_lost(entry) and source.has(name):
                receive_returned(session, entry.receipt, Place.SOURCE, now)
                found.adopted += 1


def _take_back_newer_blobs(
    session: Session, stores: StoreSet, newest: float, found: Recovered, now: float
) -> None:
    """Receive again what was settled after the last row that there is."""
    source = stores.blobs[stores.source.id]
    for name in source.names_since(newest - _CLOCK_S):
        if session.receipts.get(name) is None:
            receive_again(session, stores, name, now)
            found.adopted += 1


def _put_back_newer_resources(session: Session, stores: StoreSet, found: Recovered) -> None:
    """Put back what was posted after the last resource that there is."""
    for store in stores.posted:
        newest = session.resources.newest_ms(store) / 1000
        names = list(stores.blobs_of(store).names_since(newest - _CLOCK_S))
        found.adopted += sum(could for _, could in put_back(session, stores, store, names))


def receive_again(session: Session, stores: StoreSet, name: str, now: float) -> None:
    """Give a blob of the source a receipt; what was made of it is made again, the same."""
    size = stores.blobs[stores.source.id].size(name) or 0
    receipt = Receipt(name, Origin(Receiver.RECOVERED), now, size)
    with session.atomically():
        session.receipts.insert(receipt)
        session.receipts.change(receipt.id, place=Place.SOURCE)


def _drop_outputs_of_waiting(session: Session, stores: StoreSet, found: Recovered) -> None:
    """Remove destination blobs that were moved in while their rows did not come to be."""
    destination = stores.destination
    blobs = stores.blobs[destination.id]
    for receipt in session.receipts.waiting():
        for name in blobs.beginning_with(receipt.id):
            if not session.instances.is_referenced(destination.id, name):
                blobs.remove([name])
                found.outputs += 1


def _collect_garbage(session: Session, stores: StoreSet, found: Recovered) -> None:
    garbage = session.garbage.removable(math.inf)
    stores.remove(
        [
            piece
            for piece in garbage
            if not session.instances.is_referenced(piece.store_id, piece.blob)
        ]
    )
    session.garbage.remove(garbage)
    found.garbage = len(garbage)


def _look_at_others(
    session: Session, stores: StoreSet, layout: Layout, newest: float, found: Recovered
) -> None:
    """Finish what a kill left of stores that were deleted, and tell of blobs that nobody shows."""
    there, highest = {each.folder for each in stores.all}, session.stores.newest()
    for number, folder in layout.store_folders():
        if folder.name in there:
            continue
        if number <= highest:  # it had a row: nobody else's is called so
            shutil.rmtree(folder)
            found.garbage += 1
        elif any(folder.glob("*/*/*")):
            log.error("store_folder_without_row")
    strays = sum(
        not session.instances.is_referenced(store.id, name)
        for store in stores.others
        for name in stores.blobs_of(store).names_since(newest - _CLOCK_S)
    )
    if strays:
        log.warning("blobs_without_rows", count=strays)


def _quarantine_missing(
    session: Session, stores: StoreSet, spool_folder: Path, found: Recovered, now: float
) -> None:
    source = stores.blobs[stores.source.id]
    for receipt in session.receipts.waiting():
        if (spool_folder / receipt.id).is_file() or source.has(receipt.id):
            continue
        check_move(receipt.state, State.QUARANTINED)
        with session.atomically():
            mark_missing(session, stores, receipt.id, now)
        found.missing += 1
        log.error("received_file_missing", receipt_id=receipt.id)


def mark_missing(
    session: Session, stores: StoreSet, receipt_id: str, now: float, reason: str = BLOB_MISSING
) -> None:
    """Put a receipt whose bytes are gone into quarantine, and take its instance out of the indexes.

    The destination's blob, if there is one, becomes garbage: what is quarantined is not passed on.
    """
    for store in stores.in_use:
        for indexed in session.instances.of_receipt(store, receipt_id):
            hide(session, stores, indexed)
            if store is stores.destination:  # received bytes may come back
                session.garbage.add(Garbage(store.id, indexed.blob))
    session.receipts.change(
        receipt_id, state=State.QUARANTINED, reason=reason, place=Place.GONE, changed_at=now
    )
