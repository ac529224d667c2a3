"""What was deleted, of `tests.document_engine`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.store.rows import IndexedInstance, Store
    from dicomweb.ports import Resource
    from tests.documents import Documents


class DocumentDeletions:
    """Implements `daemon.store.ports.DeletionRows`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, instance: IndexedInstance) -> None:
        steps = (instance.study_uid, instance.series_uid, instance.sop_instance_uid)
        for level in (1, 2, 3):
            key = " ".join((str(instance.store_id), *steps[:level]))
            self._documents.put("deletion", key, {"key": key, "at": time.time()})

    def has(self, store: Store, resource: Resource) -> bool:
        steps = (resource.study_uid, resource.series_uid or "", resource.sop_instance_uid or "")
        key = " ".join((str(store.id), *steps)).rstrip()
        return self._documents.get("deletion", key) is not None

    def forget(self, before: float) -> None:
        for each in self._documents.all("deletion"):
            if each["at"] < before:
                self._documents.delete("deletion", each["key"])
