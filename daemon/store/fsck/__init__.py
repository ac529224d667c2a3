"""Do rows and files agree? Checking, repairing, and what may be found."""

from daemon.store.fsck.findings import BLOB_DAMAGED, Finding, Kind, Report
from daemon.store.fsck.running import check, reindex

__all__ = ["BLOB_DAMAGED", "Finding", "Kind", "Report", "check", "reindex"]
