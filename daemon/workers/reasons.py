"""Why the pipeline itself, not the de-identifier, put an instance aside."""

from __future__ import annotations

from enum import StrEnum


class PipelineReason(StrEnum):
    """Reason codes beside `deid.errors.Reason`. The value is the code that operators see."""

    WORKER_TIMEOUT = "worker_timeout"
    WORKER_CRASHED = "worker_crashed"
    WORKER_MEMORY = "worker_memory"
    INTERNAL_ERROR = "internal_error"
    SOURCE_MISSING = "source_missing"


KILLED = frozenset(
    {
        PipelineReason.WORKER_TIMEOUT.value,
        PipelineReason.WORKER_CRASHED.value,
        PipelineReason.WORKER_MEMORY.value,
    }
)
"""Reasons that say: the worker died of it."""
