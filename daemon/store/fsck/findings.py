"""What a check finds, what it means, and what is done about it without losing anything.

=====================  ====================================  ======================================
finding                meaning                               repair
=====================  ====================================  ======================================
``database_damaged``   pages or indexes contradict others    indexes made anew, where that is all;
                                                             else see ``fsck --reindex``
``spool_orphan``       a spool file that no row speaks of    received again, or if it may not be
                                                             whole moved to ``lost+found``
``partial_file``       a ``.part`` while no daemon runs      removed: it was never acknowledged
``blob_missing``       received bytes are gone               quarantined; a stored one keeps its
                                                             output and leaves the source index
``output_missing``     the destination's blob is gone        row removed, receipt quarantined: a
                                                             retry makes the output again
``blob_damaged``       size or SHA-256 differ (source)       blob to ``lost+found``, then as
                                                             ``blob_missing``
``output_damaged``     size or SHA-256 differ (destination)  blob removed, or where the source is gone
                                                             moved to ``lost+found``; as ``output_missing``
``blob_without_row``   nothing points at the blob            received again if its receipt misses it,
                                                             removed if its receipt has done with it,
                                                             else moved to ``lost+found``
``counts_wrong``       a study's counts differ from rows     counted again
``tallies_wrong``      the counts of ``status`` differ       counted again
``open_to_others``     others may read a file or folder      rights taken away
=====================  ====================================  ======================================

In stores that somebody made nothing can be made again: there ``blob_missing`` and ``blob_damaged`` take the row
out of the index, and a stray blob goes to ``lost+found``. They are called by their folders, ``store-7``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What was found (see the module's table)."""

    DATABASE_DAMAGED = "database_damaged"
    SPOOL_ORPHAN = "spool_orphan"
    PARTIAL_FILE = "partial_file"
    BLOB_MISSING = "blob_missing"
    OUTPUT_MISSING = "output_missing"
    BLOB_DAMAGED = "blob_damaged"
    OUTPUT_DAMAGED = "output_damaged"
    BLOB_WITHOUT_ROW = "blob_without_row"
    COUNTS_WRONG = "counts_wrong"
    TALLIES_WRONG = "tallies_wrong"
    OPEN_TO_OTHERS = "open_to_others"


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement.

    Attributes
    ----------
    store
        Its name, or its folder's where somebody made it; or empty.
    subject
        A receipt's id, a blob's name, a row's number or a path below the state folder: names of
        ours, never from outside.
    repaired
        What was done about it, in a few words; empty if nothing was.
    """

    kind: Kind
    store: str
    subject: str
    repaired: str = ""


@dataclass(slots=True)
class Report:
    """What a check looked at and found."""

    receipts: int = 0
    blobs: int = 0
    bytes_read: int = 0
    findings: list[Finding] = field(default_factory=list)
