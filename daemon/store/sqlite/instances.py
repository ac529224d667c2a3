"""The index of the stores as one subject of a session: writing, reading and checking it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.store.sqlite import indexing, search
from daemon.store.sqlite.numbering import bounds

if TYPE_CHECKING:
    import sqlite3

    from daemon.records import State, StoredInstance
    from daemon.store.rows import IndexedInstance, LocatedInstance, Store
    from dicomweb.ports import Match, Query, Resource


class InstanceTables:
    """Implements `daemon.store.ports.InstanceRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, store: Store, sop_instance_uid: str) -> IndexedInstance | None:
        """Return the instance with this SOP Instance UID, whatever its study and series."""
        return indexing.find(self._connection, store, sop_instance_uid)

    def of_receipt(self, store: Store, receipt_id: str) -> list[IndexedInstance]:
        """Return what a store shows of a receipt, in the order of storing."""
        return indexing.of_receipt(self._connection, store, receipt_id)

    def is_referenced(self, store_id: int, blob: str) -> bool:
        """Tell whether a row points at the blob."""
        return indexing.is_referenced(self._connection, store_id, blob)

    def add(
        self,
        store: Store,
        instance: StoredInstance,
        *,
        blob: str,
        receipt_id: str,
        deidentifier: str = "",
    ) -> None:
        """Make an instance visible."""
        indexing.add(
            self._connection,
            store,
            instance,
            blob=blob,
            receipt_id=receipt_id,
            deidentifier=deidentifier,
        )

    def remove(self, instance: IndexedInstance) -> None:
        """Make an instance invisible; its series and study go with their last one."""
        indexing.remove(self._connection, instance)

    def has_study(self, store: Store, study_uid: str) -> bool:
        """Tell whether a store shows anything of a study."""
        return indexing.has_study(self._connection, store, study_uid)

    def states_of_study(self, store: Store, study_uid: str) -> dict[State, int]:
        """Count the instances that a store shows of a study by the states of their receipts."""
        return indexing.states_of_study(self._connection, store, study_uid)

    def assign(self, instance: IndexedInstance, receipt_id: str) -> None:
        """Let it belong to another receipt."""
        self._connection.execute(
            "UPDATE instances SET receipt_id = ? WHERE id = ?", (receipt_id, instance.id)
        )

    def of_study(self, store: Store, study_uid: str) -> list[str]:
        """Return the ids of the receipts whose instances a study has, in the order of storing."""
        return indexing.receipts_of_study(self._connection, store, study_uid)

    def page(self, store: Store, after: int, limit: int) -> list[IndexedInstance]:
        """Return instances whose number is greater, in the order of storing."""
        return indexing.page(self._connection, store, after, limit)

    def last(self, store: Store) -> int:
        """Return the number of the instance that was stored last; 0 when there is none."""
        (highest,) = self._connection.execute(
            "SELECT max(id) FROM instances WHERE id BETWEEN ? AND ?", bounds(store.id)
        ).fetchone()
        return int(highest or 0)

    def miscounted(self, store: Store) -> list[int]:
        """Return the numbers of studies whose counts are not those of their rows."""
        return indexing.miscounted(self._connection, store)

    def recount(self, study_id: int) -> None:
        """Write the counts of a study and its series anew."""
        indexing.recount(self._connection, study_id)

    def search(self, store: Store, query: Query) -> list[Match]:
        """Return at most `limit` matches after `offset`, ordered by study, series and instance as stored."""
        return search.search(self._connection, store, query)

    def metadata(self, store: Store, resource: Resource) -> list[bytes]:
        """Return the DICOM JSON object of each instance; empty when there is none."""
        return search.metadata(self._connection, store, resource)

    def locate(self, store: Store, resource: Resource) -> list[LocatedInstance]:
        """Return the instances of a study or series, or one instance; empty when there is none."""
        return search.locate(self._connection, store, resource)
