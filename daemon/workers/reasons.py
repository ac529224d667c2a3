"""Why a worker has no result, when it is not the de-identifier that refuses."""

from __future__ import annotations

from enum import StrEnum


class WorkerReason(StrEnum):
    """Reason codes beside `deid.errors.Reason`. The value is the code that operators see."""

    WORKER_TIMEOUT = "worker_timeout"
    WORKER_CRASHED = "worker_crashed"
    WORKER_MEMORY = "worker_memory"
    INTERNAL_ERROR = "internal_error"
    SOURCE_MISSING = "source_missing"
    TOO_MANY_IDENTIFIERS = "too_many_identifiers"
    DEIDENTIFIER_GONE = "deidentifier_gone"


KILLED = frozenset(
    {
        WorkerReason.WORKER_TIMEOUT.value,
        WorkerReason.WORKER_CRASHED.value,
        WorkerReason.WORKER_MEMORY.value,
    }
)
"""Reasons that say: the worker died of it."""
