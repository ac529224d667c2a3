"""The tables of ``dicomveil.sqlite``.

::

    facts        what belongs to the state as a whole: which key made what is there
    stores       every store of every dataset: kind, name, role, folder of its blobs
    datasets     what stores belong to, and what its owner said of each
    operations   what was asked for and takes long, and how far it is; operation_failures: what it could not do,
                 operation_work: what it has to do,
                 operation_changes: what has changed in the source of one that does not end,
                 operation_outcomes: what was done to an instance by one whose results are no receipt's
    totals       instances and bytes of each store (kept by triggers)
    receipts     one row per acknowledged instance, from acknowledgement to the end
    intents      files about to be taken from a watched folder by rename (`daemon.store.spool`)
    outcomes     what was done to an instance: JSON, free of original values, packed
    decisions    what people decided of what was refused, in order
    garbage      blobs that no row needs any more, still to be removed
    tallies      receipts counted by receiver, state, ... (kept by triggers)

    studies, series, instances               what searches match on: narrow, so that scans are quick
    study_json, series_json, instance_json   what searches answer, ready to send
    metadata                                 what metadata requests answer, packed
    terms                                    words and component groups of person names
    deletions                                what was taken away, by digests of its UIDs
    identifiers                              what headers of source instances tell of people, by subject
    study_patients                           the patients that a study's instances name

    fhir_resources   the resources of FHIR stores, and the number of their latest version
    fhir_versions    what each version says: members of a JSON object, ready to be put together
    fhir_tokens, fhir_dates   what searches find the latest version by
    fhir_sidecars    what is to become of a received resource, and what it is tied to
    fhir_outcomes    what was done to a resource: JSON, free of original values, packed
    fhir_keys        what resources find each other and their studies by

Rows of one store lie together: the upper bits of a study's, series' or instance's number are its
store's (`first_id`), so that a walk through a store touches no other's pages, and indexes begin with
``store_id``. What is only handed out is packed (`daemon.store.sqlite.packing`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.errors import SchemaTooNew
from daemon.store.sqlite.migrations import migrations
from daemon.store.sqlite.schema_tools import Database as SchemaDatabase

if TYPE_CHECKING:
    import sqlite3


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


def applied(connection: sqlite3.Connection) -> int:
    """Return how many migrations the file has had; 0 for a new one."""
    return len(migrations.applied(SchemaDatabase(connection, execute_plugins=False)))
