"""What a batch run is asked to do, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from daemon.receive.archive import ArchiveLimits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from daemon.engines.pixels import PixelSettings
    from daemon.workers.limits import Limits


class BatchState(StrEnum):
    """What became of one input, as the report says it."""

    DEIDENTIFIED = "deidentified"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One run.

    Attributes
    ----------
    inputs
        Files and folders.
    out
        The output folder; made if it is missing.
    configuration
        The de-identification configuration, as `deid.compile_plan` takes it.
    key
        The deidentifier's own key, 32 bytes (derived from the site key, or configured).
    limits
        Of one worker process and one job.
    pixels
        How text in pixels is found, where the configuration cleans it.
    deidentifier
        Its name, for the report and the reason files.
    jobs
        Worker processes; 0 is one for each processor.
    report
        Where the report goes: JSON Lines if the name ends in ``.jsonl`` or ``.ndjson``, one JSON array
        with a record per line if in ``.json``, a table if in ``.csv``; nothing else is a report.
    quarantine
        Where copies of what is refused go; None copies nothing.
    """

    inputs: Sequence[Path]
    out: Path
    configuration: Mapping[str, Any]
    key: bytes = field(repr=False)
    limits: Limits
    pixels: PixelSettings
    deidentifier: str = ""
    jobs: int = 0
    report: Path | None = None
    quarantine: Path | None = None
    archive: ArchiveLimits = field(default_factory=ArchiveLimits)


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a run is; `found` still grows unless `is_complete`."""

    done: int
    found: int
    is_complete: bool
    refused: int


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """How a run ended.

    Attributes
    ----------
    skipped
        Inputs that are no instances: DICOMDIR, other files, links to folders, pipes.
    refused_for, skipped_for
        How many, by reason code.
    """

    deidentified: int
    duplicates: int
    refused: int
    skipped: int
    refused_for: Mapping[str, int]
    skipped_for: Mapping[str, int]
    seconds: float

    @property
    def is_empty(self) -> bool:
        """Whether no instance was found at all, readable or not: nothing was done."""
        of_instances = sum(
            count for reason, count in self.refused_for.items() if reason not in _UNREAD
        )
        return not (self.deidentified or self.duplicates or of_instances)

    def line(self) -> str:
        """Return the run in one line."""
        per_second = self.deidentified / self.seconds if self.seconds else 0.0
        words = [
            f"{self.deidentified} de-identified",
            f"{self.duplicates} duplicates",
            f"{self.refused} refused{_by_reason(self.refused_for)}",
            f"{self.skipped} skipped{_by_reason(self.skipped_for)}",
        ]
        return f"{', '.join(words)} in {self.seconds:.1f} s, {per_second:.0f}/s"


_UNREAD: Final = frozenset({"archive_not_read"})
"""Reasons of what nobody looked into."""


def _by_reason(reasons: Mapping[str, int]) -> str:
    told = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    return f" ({told})" if told else ""
