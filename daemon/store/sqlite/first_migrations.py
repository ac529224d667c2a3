"""The migrations of the first version: two stores, told apart by the names of their tables.

They also begin a new database; `daemon.store.sqlite.migrations` follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.store.sqlite.columns import KEY_COLUMNS
from daemon.store.sqlite.schema_tools import Migrations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.store.sqlite.schema_tools import Database as SchemaDatabase

migrations = Migrations("dicomveil")

_FIRST_STORES: Final = ("source", "deid")
_FIRST_INDEXED: Final[Mapping[str, tuple[str, ...]]] = {
    "studies": ("StudyDate", "AccessionNumber", "PatientID", "PatientBirthDate", "StudyID"),
    "series": (
        "study_id",
        "SeriesInstanceUID",
        "Modality",
        "SeriesNumber",
        "SeriesDate",
        "BodyPartExamined",
        "StationName",
        "PerformedProcedureStepStartDate",
        "ScheduledProcedureStepID",
        "RequestedProcedureID",
    ),
    "instances": (
        "series_id",
        "receipt_id",
        "blob",
        "SOPClassUID",
        "InstanceNumber",
        "ContentDate",
        "AcquisitionDate",
        "NumberOfFrames",
    ),
}


@migrations()
def receipts_and_spool(db: SchemaDatabase) -> None:
    """Create what acceptance and the pipeline need."""
    db.table("receipts").create(
        {
            "seq": int,
            "id": str,
            "receiver": str,
            "calling_ae": str,
            "called_ae": str,
            "peer": str,
            "received_at": float,
            "size": int,
            "state": str,
            "attempts": int,
            "reason": str,
            "where_": str,
            "route": str,
            "deidentifier": str,
            "not_before": float,
            "changed_at": float,
            # Where the received bytes are: spool, source, or gone.
            "place": str,
            # The receipt that this one is a duplicate of, or was replaced by.
            "related": str,
        },
        pk="seq",
        not_null={
            "id", "receiver", "calling_ae", "called_ae", "peer", "received_at", "size", "state",
            "attempts", "reason", "where_", "route", "deidentifier", "not_before", "changed_at",
            "place", "related",
        },
        defaults={
            "state": "received", "attempts": 0, "reason": "", "where_": "", "route": "",
            "deidentifier": "", "not_before": 0.0, "place": "spool", "related": "",
        },
        strict=True,
    )  # fmt: skip
    db.table("receipts").create_index(["id"], unique=True)
    db.table("receipts").create_index(["received_at"])
    db.table("receipts").create_index(["changed_at"])
    db.execute(
        "CREATE INDEX receipts_waiting ON receipts (seq, not_before)"
        " WHERE state IN ('received', 'routed', 'deidentified')"
    )
    db.execute(
        "CREATE INDEX receipts_removable ON receipts (received_at)"
        " WHERE state IN ('discarded', 'duplicate', 'stored') AND place = 'source'"
    )
    db.execute(
        "CREATE INDEX receipts_refused ON receipts (state, reason, seq)"
        " WHERE state IN ('quarantined', 'unrouted')"
    )
    db.table("intents").create(
        {
            "id": str,
            "receiver": str,
            "calling_ae": str,
            "called_ae": str,
            "peer": str,
            "received_at": float,
        },
        pk="id",
        strict=True,
    )
    db.table("outcomes").create(
        {"receipt_id": str, "outcome": bytes},
        pk="receipt_id",
        foreign_keys=[("receipt_id", "receipts", "id")],
        strict=True,
    )
    db.table("garbage").create({"store": str, "blob": str}, pk=("store", "blob"), strict=True)


@migrations()
def tallies(db: SchemaDatabase) -> None:
    """Count receipts as they change, so that ``status`` never counts rows."""
    db.table("tallies").create(
        {
            "receiver": str,
            "state": str,
            "deidentifier": str,
            "reason": str,
            "place": str,
            "instances": int,
            "bytes": int,
        },
        pk=("receiver", "state", "deidentifier", "reason", "place"),
        strict=True,
    )
    key = "receiver, state, deidentifier, reason, place"
    more = _tally("NEW", "+")
    less = _tally("OLD", "-")
    db.execute(f"CREATE TRIGGER receipts_counted AFTER INSERT ON receipts BEGIN {more} END")
    db.execute(f"CREATE TRIGGER receipts_uncounted AFTER DELETE ON receipts BEGIN {less} END")
    db.execute(
        f"CREATE TRIGGER receipts_recounted AFTER UPDATE OF {key}, size ON receipts"
        f" BEGIN {less} {more} END"
    )


@migrations()
def indexes_of_stores(db: SchemaDatabase) -> None:
    """Create the index of each store."""
    db.table("totals").create(
        {"store": str, "instances": int, "bytes": int}, pk="store", strict=True
    ).insert_all([{"store": store, "instances": 0, "bytes": 0} for store in _FIRST_STORES])
    for store in _FIRST_STORES:
        _create_index(db, store)


@migrations()
def identifiers_of_studies(db: SchemaDatabase) -> None:
    """Remember what the headers of a study tell of people, for cleaning its other instances."""
    db.execute(
        "CREATE TABLE source_identifiers (study_id INTEGER NOT NULL, info_type TEXT NOT NULL,"
        " value TEXT NOT NULL, PRIMARY KEY (study_id, info_type, value)) STRICT, WITHOUT ROWID"
    )


def _create_index(db: SchemaDatabase, store: str) -> None:
    studies, series, instances = (
        f"{store}_{level}" for level in ("studies", "series", "instances")
    )
    db.table(studies).create(
        {
            "id": int,
            "StudyInstanceUID": str,
            **dict.fromkeys(KEY_COLUMNS["study"], str),
            "instances": int,
        },
        pk="id",
        not_null={"StudyInstanceUID", *KEY_COLUMNS["study"], "instances"},
        strict=True,
    )
    db.table(studies).create_index(["StudyInstanceUID"], unique=True)
    db.table(series).create(
        {
            "id": int,
            "study_id": int,
            "SeriesInstanceUID": str,
            **dict.fromkeys(KEY_COLUMNS["series"], str),
            "instances": int,
        },
        pk="id",
        not_null={"study_id", "SeriesInstanceUID", *KEY_COLUMNS["series"], "instances"},
        foreign_keys=[("study_id", studies, "id")],
        strict=True,
    )
    db.table(series).create_index(["study_id", "SeriesInstanceUID"], unique=True)
    db.table(instances).create(
        {
            "id": int,
            "study_id": int,
            "series_id": int,
            "SOPInstanceUID": str,
            **dict.fromkeys(KEY_COLUMNS["instance"], str),
            "transfer_syntax_uid": str,
            "frames": int,
            "size": int,
            "digest": str,
            "dataset_digest": str,
            "blob": str,
            "receipt_id": str,
        },
        pk="id",
        not_null={
            "study_id", "series_id", "SOPInstanceUID", *KEY_COLUMNS["instance"], "transfer_syntax_uid",
            "frames", "size", "digest", "dataset_digest", "blob", "receipt_id",
        },
        foreign_keys=[
            ("series_id", series, "id"),
            ("receipt_id", "receipts", "id"),
        ],
        strict=True,
    )  # fmt: skip
    # The same SOP Instance UID in another study or series is a conflict, hence unique in the store.
    db.table(instances).create_index(["SOPInstanceUID"], unique=True)
    for level, columns in _FIRST_INDEXED.items():
        for column in columns:
            db.table(f"{store}_{level}").create_index([column], if_not_exists=True)
    for level in ("study", "series", "instance"):
        db.table(f"{store}_{level}_json").create(
            {"id": int, "defaults": bytes, "attributes": bytes}, pk="id", strict=True
        )
    # Apart from the answers of searches, which then lie close together.
    db.table(f"{store}_metadata").create({"id": int, "metadata": bytes}, pk="id", strict=True)
    db.execute(
        f"CREATE TABLE {store}_terms (keyword TEXT NOT NULL, term TEXT NOT NULL,"
        " study_id INTEGER NOT NULL, PRIMARY KEY (keyword, term, study_id)) STRICT, WITHOUT ROWID"
    )
    db.table(f"{store}_terms").create_index(["study_id"])
    for event, row, sign in (("INSERT", "NEW", "+"), ("DELETE", "OLD", "-")):
        db.execute(
            f"CREATE TRIGGER {instances}_{event.lower()} AFTER {event} ON {instances} BEGIN"  # noqa: S608 - fixed names
            f" UPDATE totals SET instances = instances {sign} 1, bytes = bytes {sign} {row}.size"
            f" WHERE store = '{store}'; END"
        )


def _tally(row: str, sign: str) -> str:
    return (
        "INSERT INTO tallies (receiver, state, deidentifier, reason, place, instances, bytes)"  # noqa: S608 - names from this file
        f" VALUES ({row}.receiver, {row}.state, {row}.deidentifier, {row}.reason, {row}.place,"
        f" {sign}1, {sign}{row}.size) ON CONFLICT DO UPDATE SET"
        " instances = instances + excluded.instances, bytes = bytes + excluded.bytes;"
    )
