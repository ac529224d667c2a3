"""What was deleted from the stores: digests of its UIDs, for those who ask for it again.

An instance, its series and its study are remembered each. Whether one of them is there counts first, so that
nothing has to be forgotten when an instance comes again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from daemon.store.rows import IndexedInstance, Store
    from dicomweb.ports import Resource


class DeletionTable:
    """Implements `daemon.store.ports.DeletionRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, instance: IndexedInstance) -> None:
        """Remember an instance that is taken away; the time is that of the database."""
        uids = (instance.study_uid, instance.series_uid, instance.sop_instance_uid)
        self._connection.executemany(
            "INSERT INTO deletions (store_id, digest, deleted_at)"
            " VALUES (?, ?, CAST(strftime('%s', 'now') AS INTEGER))"
            " ON CONFLICT DO UPDATE SET deleted_at = excluded.deleted_at",
            [(instance.store_id, _digest(*uids[:level])) for level in (1, 2, 3)],
        )

    def has(self, store: Store, resource: Resource) -> bool:
        """Tell whether a study, series or instance, or anything of it, was deleted."""
        uids = (resource.study_uid, resource.series_uid, resource.sop_instance_uid)
        digest = _digest(*(uid for uid in uids if uid is not None))
        found = self._connection.execute(
            "SELECT 1 FROM deletions WHERE store_id = ? AND digest = ?", (store.id, digest)
        )
        return found.fetchone() is not None

    def forget(self, before: float) -> None:
        """Forget what was deleted before a time."""
        self._connection.execute("DELETE FROM deletions WHERE deleted_at < ?", (int(before),))


def _digest(*uids: str) -> bytes:
    """Return what stands for a resource: UIDs of the source identify, and need not be read again."""
    return hashlib.blake2b("/".join(uids).encode("ascii", "replace"), digest_size=16).digest()
