"""The metadata of instances, packed: each of a series is told from one of them, the *base*.

Instances of a series differ in little, so that most take a few hundred bytes. The base is an instance that is
there: when it goes, another takes its place and the rest are packed anew, for nothing that was removed may
stay behind in what others are told from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.store.sqlite.packing import METADATA, Remembered, pack
from dicomweb.links import PreparedObject

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from daemon.store.sqlite.packing import Unpacked

_READ: Final = Remembered(16 << 20, PreparedObject)
"""A series is read by every viewer that opens it, and nothing that is packed changes."""


def add(connection: sqlite3.Connection, series_id: int, row_id: int, metadata: bytes) -> None:
    """Keep an instance's metadata; the first of its series becomes the base."""
    base_id = _base_of(connection, series_id)
    if base_id is None:
        _set_base(connection, series_id, row_id)
        _insert(connection, row_id, None, pack(metadata, METADATA))
    else:
        _insert(connection, row_id, base_id, pack(metadata, _base(connection, base_id)))


def remove(connection: sqlite3.Connection, series_id: int, row_id: int) -> None:
    """Forget an instance's metadata. Its row in the index is gone already."""
    if _base_of(connection, series_id) == row_id:
        _change_base(connection, series_id, row_id)
    connection.execute("DELETE FROM metadata WHERE id = ?", (row_id,))


def of(connection: sqlite3.Connection, row_id: int) -> bytes:
    """Return the metadata of an instance, empty where there are none that can be read."""
    rows = connection.execute("SELECT id, base, packed FROM metadata WHERE id = ?", (row_id,))
    try:
        return next((found.value for found in unpacked(connection, rows.fetchall())), b"")
    except ValueError:  # damaged: `fsck` tells
        return b""


def unpacked(connection: sqlite3.Connection, rows: Iterable[sqlite3.Row]) -> Iterator[Unpacked]:
    """Yield the metadata in rows of ``id, base, packed``."""
    bases: dict[int, bytes] = {}
    for row in rows:
        if row["base"] is None:
            metadata = _READ.unpack(row["packed"], METADATA)
            bases[row["id"]] = metadata.value
            yield metadata
            continue
        if row["base"] not in bases:
            bases[row["base"]] = _base(connection, row["base"])
        yield _READ.unpack(row["packed"], bases[row["base"]])


def _change_base(connection: sqlite3.Connection, series_id: int, leaving: int) -> None:
    """Tell the others from the one that came last: retention takes the first ones first."""
    rows = connection.execute(
        "SELECT m.id, m.base, m.packed FROM instances i CROSS JOIN metadata m ON m.id = i.id"
        " WHERE i.series_id = ? AND i.id <> ? ORDER BY i.id DESC",
        (series_id, leaving),
    ).fetchall()
    base_id = rows[0]["id"] if rows else None
    _set_base(connection, series_id, base_id)
    base = b""
    for row, (metadata, _) in zip(rows, unpacked(connection, rows), strict=True):
        if row["id"] == base_id:
            base = metadata
            packed = pack(metadata, METADATA)
        else:
            packed = pack(metadata, base)
        connection.execute(
            "UPDATE metadata SET base = ?, packed = ? WHERE id = ?",
            (None if row["id"] == base_id else base_id, packed, row["id"]),
        )


def _insert(
    connection: sqlite3.Connection, row_id: int, base_id: int | None, packed: bytes
) -> None:
    connection.execute(
        "INSERT INTO metadata (id, base, packed) VALUES (?, ?, ?)", (row_id, base_id, packed)
    )


def _base_of(connection: sqlite3.Connection, series_id: int) -> int | None:
    row = connection.execute(
        "SELECT metadata_base FROM series WHERE id = ?", (series_id,)
    ).fetchone()
    return None if row is None else row[0]


def _set_base(connection: sqlite3.Connection, series_id: int, base_id: int | None) -> None:
    connection.execute("UPDATE series SET metadata_base = ? WHERE id = ?", (base_id, series_id))


def _base(connection: sqlite3.Connection, base_id: int) -> bytes:
    (packed,) = connection.execute(
        "SELECT packed FROM metadata WHERE id = ?", (base_id,)
    ).fetchone()
    return _READ.unpack(packed, METADATA).value
