"""What became of received instances, read from the service's database while it runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.records import State

if TYPE_CHECKING:
    from pathlib import Path

SETTLED: Final = frozenset(
    {State.STORED, State.DUPLICATE, State.QUARANTINED, State.UNROUTED, State.DISCARDED}
)

_QUERY: Final = """
    SELECT receipts.seq, receipts.receiver, receipts.state, receipts.reason, receipts.where_,
           coalesce(source_instances.SOPInstanceUID, ''),
           coalesce(deid_studies.PatientID, ''), coalesce(deid_studies.StudyInstanceUID, '')
      FROM receipts
      LEFT JOIN source_instances ON source_instances.receipt_id = receipts.id
      LEFT JOIN deid_instances ON deid_instances.receipt_id = receipts.id
      LEFT JOIN deid_studies ON deid_studies.id = deid_instances.study_id
     WHERE receipts.seq > ? ORDER BY receipts.seq LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One receipt.

    Attributes
    ----------
    original_uid
        SOP Instance UID as received, to tell which of the instances we sent it is; never shown.
    patient_id, study_uid
        Replacement values, empty unless it was stored.
    """

    seq: int
    receiver: str
    state: State
    reason: str
    where: str
    original_uid: str
    patient_id: str
    study_uid: str

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in SETTLED


def read_journal(database: Path, after: int = 0) -> list[Entry]:
    """Return up to 1000 receipts that came after number `after`, in the order of arrival.

    A database that does not exist yet, or is being made, has none.
    """
    if not database.exists():
        return []
    try:
        with closing(
            sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)
        ) as connection:
            rows = connection.execute(_QUERY, (after,)).fetchall()
    except sqlite3.OperationalError:
        return []
    return [Entry(seq, receiver, State(state), *rest) for seq, receiver, state, *rest in rows]
