"""What the daemon does first at every start: make rows and files agree again after a kill.

Only what was never acknowledged is removed. The whole stores are not walked here (see
`daemon.store.fsck`); everything that a kill can leave behind is found from the spool's folder and
the receipts that still wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from daemon.pipeline.states import WAITING, way
from daemon.records import Origin, Receipt, Receiver, State, StoreName
from daemon.store import indexing
from daemon.store.database import transaction
from daemon.store.files import FILE_MODE, make_private_folder, sync_folder
from daemon.store.receipts import BLOB_MISSING, Garbage, Place, list_garbage, strike_garbage
from daemon.store.spool import PART_SUFFIX, fulfil_intent, insert_receipt

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path

    from daemon.store.blobs import Blobs

log = structlog.get_logger(__name__)

_WAITING_SQL: Final = ", ".join(f"'{state}'" for state in WAITING)


@dataclass(slots=True)
class Recovered:
    """How much of what was found."""

    partial_files: int = 0
    unacknowledged_files: int = 0
    kept_apart: int = 0
    taken_files: int = 0
    outputs: int = 0
    garbage: int = 0
    missing: int = 0


def recover(
    connection: sqlite3.Connection,
    *,
    spool_folder: Path,
    work_folder: Path,
    lost_folder: Path,
    blobs: Mapping[StoreName, Blobs],
    now: float,
) -> Recovered:
    """Bring rows and files together. Nobody else uses the state folder meanwhile.

    - Partial files, and files without a row that no intent speaks of, were never acknowledged:
      removed. Unless there are no receipts at all: then the database is not the one that belongs to
      the files, and they are moved to ``lost+found``.
    - A file with an intent was taken from a watched folder: it gets its receipt.
    - Outputs of receipts that still wait are removed; they will be made again, the same.
    - A receipt that waits and has no file is reported and quarantined as ``blob_missing``.
    """
    found = Recovered()
    _remove_partial_files(spool_folder, found)
    _remove_outputs_of_killed_workers(work_folder, found)
    _fulfil_intents(connection, spool_folder, found)
    _clear_spool(connection, spool_folder, lost_folder, blobs, found)
    _drop_outputs_of_waiting(connection, blobs[StoreName.DEID], found)
    _quarantine_missing(connection, spool_folder, blobs[StoreName.SOURCE], found, now)
    _collect_garbage(connection, blobs, found)
    report = log.error if found.missing or found.kept_apart else log.info
    report(
        "store_recovered",
        partial_files=found.partial_files,
        unacknowledged_files=found.unacknowledged_files,
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


def _remove_outputs_of_killed_workers(work_folder: Path, found: Recovered) -> None:
    for path in work_folder.iterdir():
        if path.is_file():
            path.unlink()
            found.outputs += 1


def _fulfil_intents(connection: sqlite3.Connection, spool_folder: Path, found: Recovered) -> None:
    """Give every taken file its receipt; forget intents whose file never left its inbox."""
    sync_folder(spool_folder)
    for row in connection.execute("SELECT * FROM intents").fetchall():
        path = spool_folder / row["id"]
        with transaction(connection):
            if path.is_file() and _may_be_taken(path):
                origin = Origin(
                    Receiver(row["receiver"]), row["calling_ae"], row["called_ae"], row["peer"]
                )
                receipt = Receipt(row["id"], origin, row["received_at"], path.stat().st_size)
                insert_receipt(connection, receipt)
                found.taken_files += 1
            fulfil_intent(connection, row["id"])


def _may_be_taken(path: Path) -> bool:
    """Make a taken file ours; or let go of it if it was on its way back and has its old name again."""
    if path.stat().st_nlink > 1:
        path.unlink()
        return False
    path.chmod(FILE_MODE)
    return True


def _clear_spool(
    connection: sqlite3.Connection,
    spool_folder: Path,
    lost_folder: Path,
    blobs: Mapping[StoreName, Blobs],
    found: Recovered,
) -> None:
    is_new = connection.execute("SELECT 1 FROM receipts LIMIT 1").fetchone() is None
    for path in sorted(spool_folder.iterdir()):
        row = connection.execute("SELECT state FROM receipts WHERE id = ?", (path.name,)).fetchone()
        if row is not None and State(row["state"]) in WAITING:
            continue
        if row is not None:
            # Settled: its bytes are in the source store or were not to be kept; this is an old
            # name.
            if blobs[StoreName.SOURCE].has(path.name) or _is_gone(connection, path.name):
                path.unlink()
            continue
        if is_new:
            make_private_folder(lost_folder)
            path.rename(lost_folder / path.name)
            found.kept_apart += 1
        else:
            path.unlink()
            found.unacknowledged_files += 1
    if found.kept_apart:
        sync_folder(lost_folder)
    sync_folder(spool_folder)


def _is_gone(connection: sqlite3.Connection, receipt_id: str) -> bool:
    (place,) = connection.execute(
        "SELECT place FROM receipts WHERE id = ?", (receipt_id,)
    ).fetchone()
    return bool(place == Place.GONE)


def _drop_outputs_of_waiting(connection: sqlite3.Connection, deid: Blobs, found: Recovered) -> None:
    """Remove destination blobs that were moved in while their rows did not come to be."""
    waiting = {row["id"] for row in _waiting(connection)}
    for prefix in {receipt_id[:4] for receipt_id in waiting}:
        for name in deid.names_in_folder_of(prefix):
            if name[:32] in waiting and not indexing.is_referenced(
                connection, StoreName.DEID, name
            ):
                deid.remove([name])
                found.outputs += 1


def _collect_garbage(
    connection: sqlite3.Connection, blobs: Mapping[StoreName, Blobs], found: Recovered
) -> None:
    garbage = [
        Garbage(StoreName(row["store"]), row["blob"])
        for row in connection.execute("SELECT store, blob FROM garbage").fetchall()
    ]
    for piece in garbage:
        if not indexing.is_referenced(connection, piece.store, piece.blob):
            blobs[piece.store].remove([piece.blob])
    strike_garbage(connection, garbage)
    found.garbage = len(garbage)


def _quarantine_missing(
    connection: sqlite3.Connection, spool_folder: Path, source: Blobs, found: Recovered, now: float
) -> None:
    for row in _waiting(connection):
        receipt_id = row["id"]
        if (spool_folder / receipt_id).is_file() or source.has(receipt_id):
            continue
        way(State(row["state"]), State.QUARANTINED)
        with transaction(connection):
            mark_missing(connection, receipt_id, now)
        found.missing += 1
        log.error("received_file_missing", receipt_id=receipt_id)


def mark_missing(
    connection: sqlite3.Connection, receipt_id: str, now: float, reason: str = BLOB_MISSING
) -> None:
    """Put a receipt whose bytes are gone into quarantine, and take its instance out of the indexes.

    The destination's blob, if there is one, becomes garbage: what is quarantined is not passed on.
    """
    for store in StoreName:
        indexed = indexing.find_of_receipt(connection, store, receipt_id)
        if indexed is not None:
            indexing.remove(connection, store, indexed)
            list_garbage(connection, store, indexed.blob)
    connection.execute(
        "UPDATE receipts SET state = ?, reason = ?, place = ?, changed_at = ? WHERE id = ?",
        (State.QUARANTINED.value, reason, Place.GONE.value, now, receipt_id),
    )


def _waiting(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    return connection.execute(
        f"SELECT id, state FROM receipts WHERE state IN ({_WAITING_SQL})"  # noqa: S608 - fixed names
    ).fetchall()
