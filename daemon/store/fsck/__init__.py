"""Do rows and files agree? Checking, repairing, and what may be found."""

from daemon.store.fsck.findings import Finding, Kind, Report
from daemon.store.fsck.running import check, reindex
from daemon.store.settling import BLOB_DAMAGED

__all__ = ["BLOB_DAMAGED", "Finding", "Kind", "Report", "check", "reindex"]
