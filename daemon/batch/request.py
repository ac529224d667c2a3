"""What a batch run is asked to do, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from daemon.receive.archive import ArchiveLimits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from daemon.engines.pixels import PixelSettings
    from daemon.workers.limits import Limits

ALL_CLEAN = 0
SOME_QUARANTINED = 3


class BatchState(StrEnum):
    """What became of one input, as the report says it."""

    DEIDENTIFIED = "deidentified"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
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
        with a record per line if in ``.json``; nothing else is a report.
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
    archive: ArchiveLimits = field(default_factory=ArchiveLimits)


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a run is; `found` still grows unless `is_complete`."""

    done: int
    found: int
    is_complete: bool
    quarantined: int


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """How a run ended.

    Attributes
    ----------
    skipped
        Inputs that are no instances: DICOMDIR, other files, links to folders, pipes.
    reasons
        How many were quarantined or skipped, by reason code.
    """

    deidentified: int
    duplicates: int
    quarantined: int
    skipped: int
    reasons: Mapping[str, int]
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 when nothing was quarantined, else 3."""
        return SOME_QUARANTINED if self.quarantined else ALL_CLEAN

    def line(self) -> str:
        """Return the run in one line."""
        per_second = self.deidentified / self.seconds if self.seconds else 0.0
        words = [
            f"{self.deidentified} de-identified",
            f"{self.duplicates} duplicates",
            f"{self.quarantined} quarantined",
            f"{self.skipped} skipped",
        ]
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.reasons.items()))
        ending = f" ({reasons})" if reasons else ""
        return f"{', '.join(words)}{ending} in {self.seconds:.1f} s, {per_second:.0f}/s"
