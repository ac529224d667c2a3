"""What the last trials did to instances; in memory, as their results have no receipts of their own."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from daemon.store.rows import Store

KEPT: Final = 3
"""Trials of which results are kept."""


class Outcomes:
    """Outcome records by the store of the trial and the UID of the result; gone with the process."""

    def __init__(self) -> None:
        self._by_store: OrderedDict[int, dict[str, bytes]] = OrderedDict()

    def note(self, store: Store, sop_instance_uid: str, outcome: bytes) -> None:
        """Remember an outcome record under the UID of a result."""
        self._by_store.setdefault(store.id, {})[sop_instance_uid] = outcome
        while len(self._by_store) > KEPT:
            self._by_store.popitem(last=False)

    def of(self, store: Store, sop_instance_uid: str) -> bytes:
        """Return the outcome record of a result; empty where it is not known any more."""
        return self._by_store.get(store.id, {}).get(sop_instance_uid, b"")
