"""The tables of ``dicomveil.sqlite`` and the migrations that lead to them.

::

    receipts    one row per acknowledged instance, from acknowledgement to the end
    intents     files about to be taken from a watched folder by rename (`daemon.store.spool`)
    outcomes    what was done to an instance: JSON, free of original values
    garbage     blobs that no row needs any more, still to be removed
    tallies     receipts counted by receiver, state, ... (kept by triggers)
    totals      instances and bytes of each store (kept by triggers)

and for each store (``source_``, ``deid_``)::

    studies, series, instances               what searches match on: narrow, so that scans are quick
    study_json, series_json, instance_json   what searches answer, ready to send
    metadata                                 what metadata requests answer, ready to send
    terms                                    words and component groups of person names
    identifiers                              (source only) what headers tell of people, by study

A migration is never edited once released; a change is a new one at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlite_utils import Database as SchemaDatabase
from sqlite_utils import Migrations

from daemon.errors import SchemaTooNew
from daemon.store.sqlite.stores import FIRST_STORES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from dicomweb.ports import Level

migrations = Migrations("dicomveil")

_STUDY_KEYS: Final = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyDescription",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
)
_SERIES_KEYS: Final = (
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "SeriesDate",
    "SeriesTime",
    "BodyPartExamined",
    "ProtocolName",
    "Manufacturer",
    "ManufacturerModelName",
    "StationName",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "ScheduledProcedureStepID",
    "RequestedProcedureID",
)
_INSTANCE_KEYS: Final = (
    "SOPClassUID",
    "InstanceNumber",
    "ContentDate",
    "ContentTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "NumberOfFrames",
)
KEY_COLUMNS: Final[Mapping[Level, tuple[str, ...]]] = {
    "study": _STUDY_KEYS,
    "series": _SERIES_KEYS,
    "instance": _INSTANCE_KEYS,
}
"""What searches match on besides UIDs and person names: a column for each (last part of the keyword)."""

INDEXED_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
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
    ).insert_all([{"store": store.name, "instances": 0, "bytes": 0} for store in FIRST_STORES])
    for store in FIRST_STORES:
        _create_index(db, store.name)


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
            **dict.fromkeys(_STUDY_KEYS, str),
            "instances": int,
        },
        pk="id",
        not_null={"StudyInstanceUID", *_STUDY_KEYS, "instances"},
        strict=True,
    )
    db.table(studies).create_index(["StudyInstanceUID"], unique=True)
    db.table(series).create(
        {
            "id": int,
            "study_id": int,
            "SeriesInstanceUID": str,
            **dict.fromkeys(_SERIES_KEYS, str),
            "instances": int,
        },
        pk="id",
        not_null={"study_id", "SeriesInstanceUID", *_SERIES_KEYS, "instances"},
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
            **dict.fromkeys(_INSTANCE_KEYS, str),
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
            "study_id", "series_id", "SOPInstanceUID", *_INSTANCE_KEYS, "transfer_syntax_uid",
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
    for level, columns in INDEXED_COLUMNS.items():
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


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the schema of this program.

    Raises
    ------
    SchemaTooNew
        If a newer program has migrated it.
    """
    db = SchemaDatabase(connection, execute_plugins=False)
    refuse_newer(connection)
    migrations.apply(db)


def refuse_newer(connection: sqlite3.Connection) -> None:
    """Raise `SchemaTooNew` if the file knows migrations that this program does not."""
    known = {migration.name for migration in migrations.pending(_empty())}
    applied = {
        migration.name
        for migration in migrations.applied(SchemaDatabase(connection, execute_plugins=False))
    }
    if applied - known:
        raise SchemaTooNew(len(applied - known))


def is_current(connection: sqlite3.Connection) -> bool:
    """Tell whether every migration of this program has been applied."""
    return not migrations.pending(SchemaDatabase(connection, execute_plugins=False))


def _empty() -> SchemaDatabase:
    return SchemaDatabase(memory=True, execute_plugins=False)
