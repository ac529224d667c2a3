"""The migrations that lead from the first schema to that of this program.

A migration is never edited once released; a change is a new one at the end. Each runs in one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from daemon.pipeline.fhir_indexing import compartment, compartment_tokens
from daemon.store.sqlite import packing
from daemon.store.sqlite.columns import DATE_OF_TIME, FIRST_INDEXED, KEY_COLUMNS
from daemon.store.sqlite.first_migrations import migrations
from daemon.store.sqlite.levels import prove_all
from daemon.store.sqlite.numbering import FIRST_ID_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daemon.store.sqlite.schema_tools import Database as SchemaDatabase
    from dicomweb.ports import Level

__all__ = ["migrations"]

_STORES: Final = ((1, "source", "source"), (2, "deid", "destination"))


@migrations()
def stores_as_rows(db: SchemaDatabase) -> None:
    """Let a store be a row, and pack what is only handed out."""
    _create_stores(db)
    _create_index(db)
    _change_receipts(db)
    for store_id, name, role in _STORES:
        db.execute(
            "INSERT INTO stores (id, dataset, kind, name, role, folder)"
            " VALUES (?, 'default', 'dicom', ?, ?, ?)",
            (store_id, name, role, name),
        )
        _move_index(db, store_id, name)
    _move_identifiers(db)
    for _, name, _ in _STORES:
        _drop(
            db,
            (f"{name}_{table}" for table in ("instance_json", "series_json", "study_json")),
            (f"{name}_{table}" for table in ("metadata", "terms")),
            (f"{name}_{table}" for table in ("instances", "series", "studies")),
        )
    _drop(db, ["source_identifiers", "first_totals", "first_garbage", "first_outcomes"])


@migrations()
def kills_apart(db: SchemaDatabase) -> None:
    """Count the workers that an instance killed apart from how often it was begun."""
    db.execute("ALTER TABLE receipts ADD COLUMN kills INTEGER NOT NULL DEFAULT 0")


def _drop(db: SchemaDatabase, *tables: Iterable[str]) -> None:
    for group in tables:
        for table in group:
            db.execute(f"DROP TABLE {table}")


def _create_stores(db: SchemaDatabase) -> None:
    db.execute(
        "CREATE TABLE stores (id INTEGER PRIMARY KEY, dataset TEXT NOT NULL,"
        " kind TEXT NOT NULL CHECK (kind IN ('dicom', 'fhir')), name TEXT NOT NULL,"
        " role TEXT NOT NULL DEFAULT '', folder TEXT NOT NULL UNIQUE,"
        " UNIQUE (dataset, kind, name)) STRICT"
    )
    db.execute("CREATE UNIQUE INDEX stores_by_role ON stores (role) WHERE role <> ''")
    db.execute("ALTER TABLE totals RENAME TO first_totals")
    db.execute(
        "CREATE TABLE totals (store_id INTEGER PRIMARY KEY REFERENCES stores (id),"
        " instances INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0) STRICT"
    )
    db.execute(
        "CREATE TRIGGER stores_insert AFTER INSERT ON stores"
        " BEGIN INSERT INTO totals (store_id) VALUES (NEW.id); END"
    )


def _columns(names: Iterable[str], kind: str = "TEXT") -> str:
    return ", ".join(f"{name} {kind} NOT NULL" for name in names)


def _create_index(db: SchemaDatabase) -> None:
    db.execute(
        "CREATE TABLE studies (id INTEGER PRIMARY KEY, store_id INTEGER NOT NULL REFERENCES stores (id),"
        f" StudyInstanceUID TEXT NOT NULL, {_columns(KEY_COLUMNS['study'])},"
        " instances INTEGER NOT NULL, UNIQUE (store_id, StudyInstanceUID)) STRICT"
    )
    db.execute(
        "CREATE TABLE series (id INTEGER PRIMARY KEY, store_id INTEGER NOT NULL,"
        " study_id INTEGER NOT NULL REFERENCES studies (id), SeriesInstanceUID TEXT NOT NULL,"
        f" {_columns(KEY_COLUMNS['series'])}, instances INTEGER NOT NULL,"
        # The instance from which the metadata of the others are told (`packing`).
        " metadata_base INTEGER, UNIQUE (study_id, SeriesInstanceUID)) STRICT"
    )
    db.execute(
        "CREATE TABLE instances (id INTEGER PRIMARY KEY, store_id INTEGER NOT NULL,"
        " study_id INTEGER NOT NULL, series_id INTEGER NOT NULL REFERENCES series (id),"
        f" SOPInstanceUID TEXT NOT NULL, {_columns(KEY_COLUMNS['instance'])},"
        " transfer_syntax_uid TEXT NOT NULL, frames INTEGER NOT NULL, size INTEGER NOT NULL,"
        " digest BLOB NOT NULL, dataset_digest BLOB NOT NULL, blob TEXT NOT NULL,"
        " receipt_id TEXT NOT NULL REFERENCES receipts (id), deidentifier TEXT NOT NULL DEFAULT '',"
        # The same SOP Instance UID in another study or series is a conflict, hence unique in the store.
        " UNIQUE (store_id, SOPInstanceUID)) STRICT"
    )
    db.execute("CREATE INDEX instances_of_series ON instances (series_id)")
    db.execute("CREATE INDEX instances_of_receipt ON instances (receipt_id)")
    db.execute("CREATE INDEX instances_by_blob ON instances (store_id, blob)")
    for table, columns in FIRST_INDEXED.items():
        for column in columns:
            db.execute(f"CREATE INDEX {table}_by_{column} ON {table} (store_id, {column})")
    for level in ("study", "series"):
        db.execute(
            f"CREATE TABLE {level}_json (id INTEGER PRIMARY KEY, defaults BLOB NOT NULL,"
            " attributes BLOB NOT NULL) STRICT"
        )
    # All attributes of an instance are asked for rarely, its defaults often.
    db.execute(
        "CREATE TABLE instance_json (id INTEGER PRIMARY KEY, defaults BLOB NOT NULL,"
        " packed BLOB NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE metadata (id INTEGER PRIMARY KEY, base INTEGER, packed BLOB NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE terms (store_id INTEGER NOT NULL, keyword TEXT NOT NULL, term TEXT NOT NULL,"
        " study_id INTEGER NOT NULL, PRIMARY KEY (store_id, keyword, term, study_id))"
        " STRICT, WITHOUT ROWID"
    )
    db.execute("CREATE INDEX terms_of_study ON terms (study_id)")
    db.execute(
        "CREATE TABLE identifiers (store_id INTEGER NOT NULL, subject TEXT NOT NULL,"
        " info_type TEXT NOT NULL, value TEXT NOT NULL,"
        " PRIMARY KEY (store_id, subject, info_type, value)) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE study_patients (store_id INTEGER NOT NULL, study_uid TEXT NOT NULL,"
        " patient TEXT NOT NULL, PRIMARY KEY (store_id, study_uid, patient)) STRICT, WITHOUT ROWID"
    )
    db.execute("CREATE INDEX studies_of_patient ON study_patients (store_id, patient)")
    for event, row, sign in (("INSERT", "NEW", "+"), ("DELETE", "OLD", "-")):
        db.execute(
            f"CREATE TRIGGER instances_{event.lower()} AFTER {event} ON instances BEGIN"  # noqa: S608 - fixed names
            f" UPDATE totals SET instances = instances {sign} 1, bytes = bytes {sign} {row}.size"
            f" WHERE store_id = {row}.store_id; END"
        )


def _change_receipts(db: SchemaDatabase) -> None:
    for table in ("receipts", "intents"):
        for column in ("drop_folder", "drop_name"):
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
    db.execute(
        "CREATE INDEX receipts_dropped ON receipts (drop_folder, drop_name) WHERE drop_folder <> ''"
    )
    db.execute("UPDATE receipts SET state = 'received' WHERE state IN ('routed', 'deidentified')")
    db.execute("DROP INDEX receipts_waiting")
    db.execute(
        "CREATE INDEX receipts_waiting ON receipts (place DESC, seq, not_before)"
        " WHERE state = 'received'"
    )
    db.execute("ALTER TABLE garbage RENAME TO first_garbage")
    db.execute(
        "CREATE TABLE garbage (store_id INTEGER NOT NULL, blob TEXT NOT NULL,"
        " removable_at REAL NOT NULL DEFAULT 0, PRIMARY KEY (store_id, blob)) STRICT, WITHOUT ROWID"
    )
    db.execute("CREATE INDEX garbage_by_time ON garbage (removable_at)")
    db.execute("ALTER TABLE outcomes RENAME TO first_outcomes")
    db.execute(
        "CREATE TABLE outcomes (receipt_id TEXT PRIMARY KEY REFERENCES receipts (id),"
        " packed BLOB NOT NULL) STRICT"
    )
    db.conn.create_function("packed_outcome", 1, _packed_outcome, deterministic=True)
    db.execute(
        "INSERT INTO outcomes SELECT receipt_id, packed_outcome(outcome) FROM first_outcomes"
    )


def _move_index(db: SchemaDatabase, store_id: int, name: str) -> None:
    """Copy the tables of a store named by their prefix; their numbers keep their order."""
    connection = db.conn
    connection.create_function("unhexed", 1, bytes.fromhex, deterministic=True)
    connection.create_function("packed_metadata", 2, _packed_metadata, deterministic=True)
    first = store_id << FIRST_ID_BITS
    study_keys, series_keys, instance_keys = (", ".join(keys) for keys in KEY_COLUMNS.values())
    bases = f"(SELECT series_id, min(id) AS id FROM {name}_instances GROUP BY series_id)"  # noqa: S608 - fixed names
    for sql in (
        (
            f"INSERT INTO studies (id, store_id, StudyInstanceUID, {study_keys}, instances)"  # noqa: S608 - fixed names
            f" SELECT {first} + id, {store_id}, StudyInstanceUID, {study_keys}, instances"
            f" FROM {name}_studies"
        ),
        (
            "INSERT INTO series (id, store_id, study_id, SeriesInstanceUID,"  # noqa: S608 - fixed names
            f" {series_keys}, instances, metadata_base)"
            f" SELECT {first} + e.id, {store_id}, {first} + study_id, SeriesInstanceUID, {series_keys},"
            f" instances, {first} + b.id FROM {name}_series e LEFT JOIN {bases} b ON b.series_id = e.id"
        ),
        (
            "INSERT INTO instances (id, store_id, study_id, series_id, SOPInstanceUID,"  # noqa: S608 - fixed names
            f" {instance_keys}, transfer_syntax_uid, frames, size, digest, dataset_digest, blob,"
            f" receipt_id, deidentifier) SELECT {first} + i.id, {store_id}, {first} + study_id,"
            f" {first} + series_id, SOPInstanceUID, {instance_keys}, transfer_syntax_uid, frames,"
            " i.size, unhexed(digest), unhexed(dataset_digest), blob, receipt_id,"
            f" {'r.deidentifier' if name == 'deid' else repr('')}"
            f" FROM {name}_instances i JOIN receipts r ON r.id = i.receipt_id"
        ),
        f"INSERT INTO study_json SELECT {first} + id, defaults, attributes FROM {name}_study_json",  # noqa: S608 - fixed names
        f"INSERT INTO series_json SELECT {first} + id, defaults, attributes FROM {name}_series_json",  # noqa: S608 - fixed names
        (
            f"INSERT INTO instance_json SELECT {first} + id, defaults,"  # noqa: S608 - fixed names
            f" packed_metadata(attributes, NULL) FROM {name}_instance_json"
        ),
        (
            f"INSERT INTO metadata SELECT {first} + m.id, nullif({first} + b.id, {first} + m.id),"  # noqa: S608 - fixed names
            " packed_metadata(m.metadata, CASE WHEN b.id <> m.id THEN base.metadata END)"
            f" FROM {name}_metadata m JOIN {name}_instances i ON i.id = m.id"
            f" JOIN {bases} b ON b.series_id = i.series_id JOIN {name}_metadata base ON base.id = b.id"
        ),
        f"INSERT INTO terms SELECT {store_id}, keyword, term, {first} + study_id FROM {name}_terms",  # noqa: S608 - fixed names
        (
            f"INSERT INTO garbage (store_id, blob) SELECT {store_id}, blob FROM first_garbage"  # noqa: S608 - fixed names
            f" WHERE store = '{name}'"
        ),
    ):
        db.execute(sql)


def _move_identifiers(db: SchemaDatabase) -> None:
    """Keep what is known of each study's people under its UID, not under a row's number."""
    db.execute(
        "INSERT INTO identifiers SELECT 1, 'study:' || s.StudyInstanceUID, k.info_type, k.value"
        " FROM source_identifiers k JOIN source_studies s ON s.id = k.study_id"
    )


def _packed_outcome(outcome: bytes) -> bytes:
    return packing.pack(outcome, packing.OUTCOME)


def _packed_metadata(metadata: bytes, base: bytes | None) -> bytes:
    return packing.pack(metadata, packing.METADATA if base is None else base)


@migrations()
def facts(db: SchemaDatabase) -> None:
    """Remember what belongs to the state as a whole, such as which key made what is there."""
    db.execute(
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )


@migrations()
def series_of_study(db: SchemaDatabase) -> None:
    """Find the series of a study in the order of storing, in which searches walk through them."""
    db.execute("CREATE INDEX series_of_study ON series (study_id)")


@migrations()
def fhir_stores(db: SchemaDatabase) -> None:
    """Keep FHIR resources beside the instances, received ones and results."""
    db.execute("DROP INDEX stores_by_role")
    db.execute("CREATE UNIQUE INDEX stores_by_role ON stores (kind, role) WHERE role <> ''")
    for name, role in (("source", "source"), ("deid", "destination")):
        db.execute(
            "INSERT INTO stores (id, dataset, kind, name, role, folder)"
            " SELECT max(id) + 1, 'default', 'fhir', ?, ?, ? FROM stores",
            (name, role, f"fhir-{name}"),
        )
    db.execute(
        "CREATE TABLE fhir_resources (id INTEGER PRIMARY KEY,"
        " store_id INTEGER NOT NULL REFERENCES stores (id), type TEXT NOT NULL, fhir_id TEXT NOT NULL,"
        " version INTEGER NOT NULL, updated_ms INTEGER NOT NULL, is_deleted INTEGER NOT NULL DEFAULT 0,"
        " deidentifier TEXT NOT NULL DEFAULT '', UNIQUE (store_id, type, fhir_id)) STRICT"
    )
    db.execute(
        "CREATE INDEX fhir_resources_by_type ON fhir_resources (store_id, type, is_deleted, id)"
    )
    db.execute(
        "CREATE INDEX fhir_resources_by_update ON fhir_resources (store_id, type, updated_ms, id)"
    )
    db.execute(
        "CREATE TABLE fhir_versions (resource INTEGER NOT NULL REFERENCES fhir_resources (id),"
        " version INTEGER NOT NULL, updated_ms INTEGER NOT NULL, method TEXT NOT NULL,"
        " meta BLOB NOT NULL, rest BLOB NOT NULL, UNIQUE (resource, version)) STRICT"
    )
    db.execute(
        "CREATE TABLE fhir_tokens (store_id INTEGER NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL,"
        " value TEXT NOT NULL, system TEXT NOT NULL, resource INTEGER NOT NULL,"
        " PRIMARY KEY (store_id, type, name, value, system, resource)) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE fhir_dates (store_id INTEGER NOT NULL, type TEXT NOT NULL, first_ms INTEGER NOT NULL,"
        " last_ms INTEGER NOT NULL, resource INTEGER NOT NULL,"
        " PRIMARY KEY (store_id, type, first_ms, last_ms, resource)) STRICT, WITHOUT ROWID"
    )
    for table in ("fhir_tokens", "fhir_dates"):
        db.execute(f"CREATE INDEX {table}_of_resource ON {table} (resource)")


@migrations()
def sidecars(db: SchemaDatabase) -> None:
    """Remember what is to become of each received resource, and which study it belongs to."""
    db.execute(
        "CREATE TABLE fhir_sidecars (resource INTEGER PRIMARY KEY REFERENCES fhir_resources (id),"
        " store_id INTEGER NOT NULL, version INTEGER NOT NULL, received_at REAL NOT NULL,"
        " drop_folder TEXT NOT NULL, drop_name TEXT NOT NULL, stated_ms INTEGER NOT NULL,"
        " ties BLOB NOT NULL, identifiers BLOB NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,"
        " where_ TEXT NOT NULL, studies TEXT NOT NULL, patient TEXT NOT NULL, wanted TEXT NOT NULL,"
        " made_of TEXT NOT NULL, made TEXT NOT NULL, kills INTEGER NOT NULL,"
        " not_before REAL NOT NULL DEFAULT 0, is_marked INTEGER NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX fhir_sidecars_by_state ON fhir_sidecars (store_id, state, resource)")
    db.execute(
        "CREATE INDEX fhir_sidecars_marked ON fhir_sidecars (store_id, resource) WHERE is_marked = 1"
    )
    db.execute(
        "CREATE TABLE fhir_keys (store_id INTEGER NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,"
        " resource INTEGER NOT NULL, PRIMARY KEY (store_id, kind, value, resource))"
        " STRICT, WITHOUT ROWID"
    )
    db.execute("CREATE INDEX fhir_keys_of_resource ON fhir_keys (resource, kind)")


@migrations()
def datasets_and_operations(db: SchemaDatabase) -> None:
    """Let datasets and stores say more than their names, and operations outlast the process."""
    db.execute(
        "CREATE TABLE datasets (name TEXT PRIMARY KEY, settings TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )
    db.execute("INSERT INTO datasets SELECT DISTINCT dataset, '{}' FROM stores")
    db.execute("ALTER TABLE stores ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'")
    db.execute(
        "CREATE TABLE operations (id INTEGER PRIMARY KEY AUTOINCREMENT, dataset TEXT NOT NULL,"
        " version TEXT NOT NULL, method TEXT NOT NULL, created_at REAL NOT NULL,"
        " ended_at REAL NOT NULL DEFAULT 0, is_cancelled INTEGER NOT NULL DEFAULT 0, work TEXT NOT NULL,"
        " step INTEGER NOT NULL DEFAULT 0, after_ INTEGER NOT NULL DEFAULT 0, pending INTEGER NOT NULL,"
        " success INTEGER NOT NULL DEFAULT 0, failure INTEGER NOT NULL DEFAULT 0,"
        " error_code INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',"
        " response TEXT NOT NULL DEFAULT '') STRICT"
    )
    db.execute("CREATE INDEX operations_of_dataset ON operations (dataset, id)")
    db.execute("CREATE INDEX operations_running ON operations (id) WHERE ended_at = 0")
    db.execute(
        "CREATE TABLE operation_failures (operation INTEGER NOT NULL, store_id INTEGER NOT NULL,"
        " number INTEGER NOT NULL, reason TEXT NOT NULL, where_ TEXT NOT NULL,"
        " PRIMARY KEY (operation, store_id, number)) STRICT, WITHOUT ROWID"
    )


@migrations()
def outcomes_of_resources(db: SchemaDatabase) -> None:
    """Keep what was done to each resource, as is kept of instances."""
    db.execute(
        "CREATE TABLE fhir_outcomes (resource INTEGER PRIMARY KEY REFERENCES fhir_resources (id),"
        " packed BLOB NOT NULL) STRICT"
    )


@migrations()
def decisions(db: SchemaDatabase) -> None:
    """Remember what people decided of what was refused."""
    db.execute(
        "CREATE TABLE decisions (id INTEGER PRIMARY KEY, receipt_id TEXT NOT NULL, decided_at REAL NOT NULL,"
        " place TEXT NOT NULL, reviewer TEXT NOT NULL, choice TEXT NOT NULL, reason TEXT NOT NULL,"
        " deidentifier TEXT NOT NULL, drawn TEXT NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX decisions_of_receipt ON decisions (receipt_id, id)")


@migrations()
def changes_for_streams(db: SchemaDatabase) -> None:
    """Remember what a stream of a store has still to look at."""
    db.execute(
        "CREATE TABLE operation_changes (operation INTEGER NOT NULL, number INTEGER NOT NULL,"
        " PRIMARY KEY (operation, number)) STRICT, WITHOUT ROWID"
    )


@migrations()
def deletions(db: SchemaDatabase) -> None:
    """Remember what was deleted, so that whoever asks for it learns that it will not come back."""
    db.execute(
        "CREATE TABLE deletions (store_id INTEGER NOT NULL, digest BLOB NOT NULL,"
        " deleted_at INTEGER NOT NULL, PRIMARY KEY (store_id, digest)) STRICT, WITHOUT ROWID"
    )


@migrations()
def work_of_operations(db: SchemaDatabase) -> None:
    """Keep what operations have to do, which may be long, apart from their counters, which change."""
    db.execute(
        "CREATE TABLE operation_work (operation INTEGER PRIMARY KEY, work TEXT NOT NULL) STRICT"
    )
    db.execute("INSERT INTO operation_work SELECT id, work FROM operations")
    db.execute("UPDATE operations SET work = ''")


@migrations()
def outcomes_of_operations(db: SchemaDatabase) -> None:
    """Keep what trials did to instances, whose results have no receipts of their own."""
    db.execute(
        "CREATE TABLE operation_outcomes (store_id INTEGER NOT NULL, sop_instance_uid TEXT NOT NULL,"
        " packed BLOB NOT NULL, PRIMARY KEY (store_id, sop_instance_uid)) STRICT, WITHOUT ROWID"
    )


@migrations()
def quicker_searches(db: SchemaDatabase) -> None:
    """Find descriptions by a part of them, and times, without a look at every row."""
    db.execute("CREATE INDEX studies_by_StudyDescription ON studies (store_id, StudyDescription)")
    db.execute("CREATE INDEX series_by_SeriesDescription ON series (store_id, SeriesDescription)")
    for time, date in DATE_OF_TIME.items():
        db.execute(f"DROP INDEX instances_by_{date}")
        db.execute(f"CREATE INDEX instances_by_{date} ON instances (store_id, {date}, {time})")
    db.execute("DROP INDEX instances_by_NumberOfFrames")
    db.execute(
        "CREATE INDEX instances_by_NumberOfFrames ON instances (store_id, NumberOfFrames)"
        " WHERE NumberOfFrames <> ''"
    )


@migrations()
def compartments_of_patients(db: SchemaDatabase) -> None:
    """Find what is in a patient's compartment by another element than those that searches look at."""
    types = tuple(compartment())
    rows = db.execute(
        "SELECT r.id, r.store_id, r.type, v.rest FROM fhir_resources r JOIN fhir_versions v"  # noqa: S608 - marks only
        f" ON v.resource = r.id AND v.version = r.version WHERE r.type IN ({', '.join('?' * len(types))})"
        " AND instr(v.rest, CAST('Patient/' AS BLOB))",
        types,
    )
    for number, store_id, kind, rest in rows:
        resource = orjson.loads(b'{"resourceType":"%s",%s}' % (kind.encode(), rest))
        for token in compartment_tokens(resource):
            db.execute(
                "INSERT OR IGNORE INTO fhir_tokens (store_id, type, name, value, system, resource)"
                " VALUES (?, ?, ?, ?, '', ?)",
                (store_id, kind, token.name, token.value, number),
            )


@migrations()
def told_by_what_is_there(db: SchemaDatabase) -> None:
    """Let studies and series tell nothing but what an instance of theirs does, and be found by all of it."""
    levels: tuple[tuple[Level, str], ...] = (("series", "series"), ("study", "studies"))
    for level, table in levels:
        for (row_id,) in db.execute(f"SELECT id FROM {table}").fetchall():  # noqa: S608 - fixed names
            prove_all(db.conn, level, row_id)
