"""Writing the index of a store: rows for what is stored, prepared answers for what will be asked.

Each level has two rows: a narrow one that searches match on, and one with the DICOM JSON that
answers (PS3.18 F.2, attributes in ascending tag order). Adding or removing an instance brings the
counts and ModalitiesInStudy of its series and study up to date at once, so that a search only
reads.

Prepared objects are written with their members separated by a comma and a line feed. That is plain
JSON, and since no JSON string holds a raw line feed, objects can be merged without parsing them.

All functions take part in the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from daemon.records import State
from daemon.store.rows import IndexedInstance
from daemon.store.sqlite import levels, matching, metadata, packing
from daemon.store.sqlite.numbering import bounds
from daemon.store.sqlite.prepared import written

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from daemon.records import StoredInstance
    from daemon.store.rows import Store

_MODALITIES_IN_STUDY: Final = "00080061"
_SOP_CLASSES_IN_STUDY: Final = "00080062"
_STUDY_SERIES: Final = "00201206"
_STUDY_INSTANCES: Final = "00201208"
_SERIES_INSTANCES: Final = "00201209"


def find(
    connection: sqlite3.Connection, store: Store, sop_instance_uid: str
) -> IndexedInstance | None:
    """Return the instance with this SOP Instance UID, whatever its study and series."""
    found = _find(
        connection, "i.store_id = ? AND i.SOPInstanceUID = ?", (store.id, sop_instance_uid)
    )
    return found[0] if found else None


def of_receipt(
    connection: sqlite3.Connection, store: Store, receipt_id: str
) -> list[IndexedInstance]:
    """Return what a store shows of a receipt."""
    condition = "i.receipt_id = ? AND +i.store_id = ? ORDER BY i.id"
    return _find(connection, condition, (receipt_id, store.id))


def is_referenced(connection: sqlite3.Connection, store_id: int, blob: str) -> bool:
    """Tell whether a row points at the blob."""
    found = connection.execute(
        "SELECT 1 FROM instances WHERE store_id = ? AND blob = ? LIMIT 1", (store_id, blob)
    )
    return found.fetchone() is not None


def has_study(connection: sqlite3.Connection, store: Store, study_uid: str) -> bool:
    """Tell whether a store has a study."""
    found = connection.execute(
        "SELECT 1 FROM studies WHERE store_id = ? AND StudyInstanceUID = ?", (store.id, study_uid)
    )
    return found.fetchone() is not None


def receipts_of_study(connection: sqlite3.Connection, store: Store, study_uid: str) -> list[str]:
    """Return the ids of the receipts whose instances a study has, in the order of storing."""
    rows = connection.execute(
        "SELECT i.receipt_id FROM studies s CROSS JOIN series e ON e.study_id = s.id"
        " CROSS JOIN instances i ON i.series_id = e.id"
        " WHERE s.store_id = ? AND s.StudyInstanceUID = ? ORDER BY i.id",
        (store.id, study_uid),
    )
    return [row[0] for row in rows]


def states_of_study(
    connection: sqlite3.Connection, store: Store, study_uid: str
) -> dict[State, int]:
    """Count the instances that a store shows of a study by the states of their receipts."""
    rows = connection.execute(
        "SELECT r.state, count(*) FROM studies s CROSS JOIN series e ON e.study_id = s.id"
        " CROSS JOIN instances i ON i.series_id = e.id CROSS JOIN receipts r ON r.id = i.receipt_id"
        " WHERE s.store_id = ? AND s.StudyInstanceUID = ? GROUP BY r.state",
        (store.id, study_uid),
    )
    return {State(state): count for state, count in rows}


_FOUND: Final = (
    "SELECT i.store_id, i.id, i.study_id, i.series_id, s.StudyInstanceUID, e.SeriesInstanceUID,"
    " i.SOPInstanceUID, i.size, lower(hex(i.digest)), lower(hex(i.dataset_digest)), i.blob,"
    " i.receipt_id, i.deidentifier FROM instances i JOIN series e ON e.id = i.series_id"
    " JOIN studies s ON s.id = i.study_id"
)


def _find(
    connection: sqlite3.Connection, condition: str, parameters: Sequence[object]
) -> list[IndexedInstance]:
    rows = connection.execute(f"{_FOUND} WHERE {condition}", tuple(parameters))
    return [IndexedInstance(*row) for row in rows.fetchall()]


def page(
    connection: sqlite3.Connection, store: Store, after: int, limit: int
) -> list[IndexedInstance]:
    """Return instances whose number is greater, in the order of storing."""
    first, last = bounds(store.id)
    condition = "i.id BETWEEN ? AND ? ORDER BY i.id LIMIT ?"
    return _find(connection, condition, (max(first, after + 1), last, limit))


def miscounted(connection: sqlite3.Connection, store: Store) -> list[int]:
    """Return the numbers of studies whose counts are not those of their rows."""
    rows = connection.execute(
        "SELECT s.id FROM studies s WHERE s.id BETWEEN ? AND ? AND (s.instances <>"
        " (SELECT count(*) FROM series e JOIN instances i"
        "  ON i.series_id = e.id WHERE e.study_id = s.id) OR EXISTS"
        " (SELECT 1 FROM series e WHERE e.study_id = s.id AND e.instances <>"
        "  (SELECT count(*) FROM instances i WHERE i.series_id = e.id)))",
        bounds(store.id),
    )
    return [row["id"] for row in rows.fetchall()]


def add(
    connection: sqlite3.Connection,
    store: Store,
    instance: StoredInstance,
    *,
    blob: str,
    receipt_id: str,
    deidentifier: str,
) -> None:
    """Make an instance visible. Its blob is durable and its SOP Instance UID not in the store."""
    study_id = _study_row(connection, store, instance)
    series_id, is_new_series = _series_row(connection, store, instance, study_id)
    row_id = _insert(
        connection,
        "instances",
        store,
        {
            "study_id": study_id,
            "series_id": series_id,
            "SOPInstanceUID": instance.sop_instance_uid,
            **matching.stored_columns("instance", instance.keys),
            "SOPClassUID": instance.sop_class_uid,
            "transfer_syntax_uid": instance.transfer_syntax_uid,
            "frames": instance.number_of_frames,
            "size": instance.size,
            "digest": bytes.fromhex(instance.digest),
            "dataset_digest": bytes.fromhex(instance.dataset_digest),
            "blob": blob,
            "receipt_id": receipt_id,
            "deidentifier": deidentifier,
        },
    )
    _write_instance(connection, row_id, _members(instance.instance))
    metadata.add(connection, series_id, row_id, instance.metadata)
    _add_to_series(connection, series_id, instance)
    _add_to_study(connection, study_id, instance, is_new_series=is_new_series)


def remove(connection: sqlite3.Connection, instance: IndexedInstance) -> None:
    """Make an instance invisible; its series and study go with their last one."""
    left = metadata.of(connection, instance.id)
    _delete(connection, "instance_json", "id", instance.id)
    _delete(connection, "instances", "id", instance.id)
    metadata.remove(connection, instance.series_id, instance.id)
    if _has(connection, "instances", "series_id", instance.series_id):
        _recount_series(connection, instance.series_id, left)
    else:
        _delete(connection, "series_json", "id", instance.series_id)
        _delete(connection, "series", "id", instance.series_id)
    if _has(connection, "series", "study_id", instance.study_id):
        _recount_study(connection, instance.study_id, (left, instance.series_id))
    else:
        _delete(connection, "terms", "study_id", instance.study_id)
        _delete(connection, "study_json", "id", instance.study_id)
        _delete(connection, "studies", "id", instance.study_id)


def recount(connection: sqlite3.Connection, study_id: int) -> None:
    """Write the counts of a study and its series anew from the rows of its instances."""
    series = connection.execute(
        "SELECT id FROM series WHERE study_id = ?",
        (study_id,),
    )
    for (series_id,) in series.fetchall():
        _recount_series(connection, series_id)
    _recount_study(connection, study_id)


def _study_row(connection: sqlite3.Connection, store: Store, instance: StoredInstance) -> int:
    row = connection.execute(
        "SELECT id FROM studies WHERE store_id = ? AND StudyInstanceUID = ?",
        (store.id, instance.study_uid),
    ).fetchone()
    if row is not None:
        return int(row[0])
    columns = matching.stored_columns("study", instance.keys)
    study_id = _insert(
        connection,
        "studies",
        store,
        {"StudyInstanceUID": instance.study_uid, **columns, "instances": 0},
    )
    levels.write_terms(connection, study_id, instance.keys)
    return study_id


def _series_row(
    connection: sqlite3.Connection, store: Store, instance: StoredInstance, study_id: int
) -> tuple[int, bool]:
    row = connection.execute(
        "SELECT id FROM series WHERE study_id = ? AND SeriesInstanceUID = ?",
        (study_id, instance.series_uid),
    ).fetchone()
    if row is not None:
        return int(row[0]), False
    columns = matching.stored_columns("series", instance.keys)
    series_id = _insert(
        connection,
        "series",
        store,
        {
            "study_id": study_id,
            "SeriesInstanceUID": instance.series_uid,
            **columns,
            "instances": 0,
        },
    )
    return series_id, True


def _add_to_series(
    connection: sqlite3.Connection, series_id: int, instance: StoredInstance
) -> None:
    (count,) = connection.execute(
        "UPDATE series SET instances = instances + 1 WHERE id = ? RETURNING instances",
        (series_id,),
    ).fetchone()
    attributes = levels.read(connection, "series", series_id)
    levels.supplement(connection, "series", series_id, attributes, _members(instance.series))
    attributes[_SERIES_INSTANCES] = _element("IS", count)
    levels.write(connection, "series", series_id, attributes)


def _add_to_study(
    connection: sqlite3.Connection,
    study_id: int,
    instance: StoredInstance,
    *,
    is_new_series: bool,
) -> None:
    (count,) = connection.execute(
        "UPDATE studies SET instances = instances + 1 WHERE id = ? RETURNING instances",
        (study_id,),
    ).fetchone()
    attributes = levels.read(connection, "study", study_id)
    levels.supplement(connection, "study", study_id, attributes, _members(instance.study))
    modality = matching.stored_columns("series", instance.keys)["Modality"]
    attributes[_MODALITIES_IN_STUDY] = _element(
        "CS", *sorted({*_values(attributes, _MODALITIES_IN_STUDY), modality} - {""})
    )
    attributes[_SOP_CLASSES_IN_STUDY] = _element(
        "UI", *sorted({*_values(attributes, _SOP_CLASSES_IN_STUDY), instance.sop_class_uid} - {""})
    )
    (series_before,) = _values(attributes, _STUDY_SERIES) or (0,)
    attributes[_STUDY_SERIES] = _element("IS", series_before + is_new_series)
    attributes[_STUDY_INSTANCES] = _element("IS", count)
    levels.write(connection, "study", study_id, attributes)


def _recount_series(
    connection: sqlite3.Connection, series_id: int, left: bytes | None = None
) -> None:
    """Write a series anew, an instance of this metadata having left it."""
    (count,) = connection.execute(
        "UPDATE series SET instances ="
        " (SELECT count(*) FROM instances WHERE series_id = ?1) WHERE id = ?1"
        " RETURNING instances",
        (series_id,),
    ).fetchone()
    attributes = levels.read(connection, "series", series_id)
    if left is not None:
        levels.forget(connection, "series", series_id, attributes, left, series_id)
    attributes[_SERIES_INSTANCES] = _element("IS", count)
    levels.write(connection, "series", series_id, attributes)


def _recount_study(
    connection: sqlite3.Connection, study_id: int, left: tuple[bytes, int] | None = None
) -> None:
    """Write a study anew, an instance of this metadata having left it and this series of it."""
    (count,) = connection.execute(
        "UPDATE studies SET instances ="
        " (SELECT coalesce(sum(instances), 0) FROM series WHERE study_id = ?1)"
        " WHERE id = ?1 RETURNING instances",
        (study_id,),
    ).fetchone()
    modalities = connection.execute(
        "SELECT Modality FROM series WHERE study_id = ?",
        (study_id,),
    ).fetchall()
    attributes = levels.read(connection, "study", study_id)
    if left is not None:
        levels.forget(connection, "study", study_id, attributes, *left)
    classes = _values(attributes, _SOP_CLASSES_IN_STUDY)
    attributes[_MODALITIES_IN_STUDY] = _element(
        "CS", *sorted({row[0] for row in modalities} - {""})
    )
    attributes[_SOP_CLASSES_IN_STUDY] = _element(
        "UI", *(uid for uid in classes if _has_class(connection, study_id, uid))
    )
    attributes[_STUDY_SERIES] = _element("IS", len(modalities))
    attributes[_STUDY_INSTANCES] = _element("IS", count)
    levels.write(connection, "study", study_id, attributes)


def _has_class(connection: sqlite3.Connection, study_id: int, sop_class_uid: str) -> bool:
    return (
        connection.execute(
            "SELECT 1 FROM series e JOIN instances i ON i.series_id = e.id"
            " WHERE e.study_id = ? AND +i.SOPClassUID = ? LIMIT 1",
            (study_id, sop_class_uid),
        ).fetchone()
        is not None
    )


def _has(connection: sqlite3.Connection, table: str, column: str, value: int) -> bool:
    found = connection.execute(f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1", (value,))  # noqa: S608 - fixed names
    return found.fetchone() is not None


def _delete(connection: sqlite3.Connection, table: str, column: str, value: int) -> None:
    connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (value,))  # noqa: S608 - fixed names


def _insert(
    connection: sqlite3.Connection, table: str, store: Store, row: Mapping[str, object]
) -> int:
    """Insert a row of a store under its next number (`daemon.store.sqlite.numbering`)."""
    first, last = bounds(store.id)
    marks = ", ".join("?" * len(row))
    (row_id,) = connection.execute(
        f"INSERT INTO {table} (id, store_id, {', '.join(row)}) VALUES"  # noqa: S608 - fixed names
        f" ((SELECT coalesce(max(id), ?) + 1 FROM {table} WHERE id BETWEEN ? AND ?), ?, {marks})"
        " RETURNING id",
        (first, first, last, store.id, *row.values()),
    ).fetchone()
    return int(row_id)


def _members(json_object: bytes) -> dict[str, Any]:
    members: dict[str, Any] = orjson.loads(json_object)
    return members


def _element(vr: str, *values: object) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def _values(attributes: Mapping[str, Any], tag: str) -> tuple[Any, ...]:
    return tuple(attributes.get(tag, {}).get("Value", ()))


def _write_instance(
    connection: sqlite3.Connection, row_id: int, attributes: Mapping[str, Any]
) -> None:
    connection.execute(
        "INSERT INTO instance_json (id, defaults, packed) VALUES (?, ?, ?)",
        (
            row_id,
            levels.defaults("instance", attributes),
            packing.pack(written(attributes), packing.METADATA),
        ),
    )
