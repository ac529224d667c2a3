"""What a batch run is asked to do, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from daemon.batch.layout import Layout
from daemon.pipeline.fhir_work import MOST_TEXT_BYTES
from daemon.receive.archive import ArchiveLimits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from daemon.engines.pixels import PixelSettings
    from daemon.workers.limits import Limits


class BatchState(StrEnum):
    """What became of one input, as the report says it."""

    DEIDENTIFIED = "deidentified"
    REWRITTEN = "rewritten"
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
        The output folder; made if it is missing. Unused in a dry run.
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
    crosswalk
        Where original and replacement identifiers go, one row for each instance; suffixes as of `report`.
    layout, prefix, rename_folders
        How files are named (`daemon.batch.layout`).
    resume
        Whether instances that an earlier run wrote, and that are still as it left them, stay.
    dry_run
        Whether everything is done but writing to `out`, which may be None then.
    most_text_bytes
        Of a file of resources, unpacked; larger ones are refused.
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
    crosswalk: Path | None = None
    layout: Layout = Layout.BY_IDENTIFIERS
    prefix: str = ""
    rename_folders: Path | None = None
    resume: bool = False
    dry_run: bool = False
    most_text_bytes: int = MOST_TEXT_BYTES
    archive: ArchiveLimits = field(default_factory=ArchiveLimits)


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a run is.

    Attributes
    ----------
    done, refused, resumed
        Inputs that are settled; those of them that were refused, and that an earlier run had done.
    total
        All inputs; while they are counted, those that were found so far.
    """

    done: int
    total: int
    refused: int
    resumed: int
    is_counting: bool = False


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """How a run ended.

    Attributes
    ----------
    deidentified, rewritten
        Instances that were written, or would be in a dry run; those of an earlier run that stay, too.
    resumed
        Those that stay of an earlier run. What is rewritten still identifies, as the configuration has it.
    skipped
        Inputs that are no instances: DICOMDIR, other files, links to folders, pipes.
    refused_for, skipped_for
        How many, by reason code.
    left_over
        DICOM files in the output folder that this run did not write: of inputs that are gone or have changed.
    """

    deidentified: int
    duplicates: int
    refused: int
    skipped: int
    refused_for: Mapping[str, int]
    skipped_for: Mapping[str, int]
    seconds: float
    resumed: int = 0
    is_dry: bool = False
    left_over: int = 0
    rewritten: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether no instance was found at all, readable or not: nothing was done."""
        of_instances = sum(
            count for reason, count in self.refused_for.items() if reason not in _UNREAD
        )
        return not (self.deidentified or self.rewritten or self.duplicates or of_instances)

    def with_left_over(self, count: int) -> Self:
        """Return the summary with what is left over."""
        return replace(self, left_over=count)

    def line(self) -> str:
        """Return the run in one line."""
        done = self.deidentified + self.rewritten
        per_second = (done - self.resumed) / self.seconds if self.seconds else 0.0
        how = "rewritten, and still identify" if self.rewritten else "de-identified"
        how = f"would be {how}" if self.is_dry else how
        earlier = f" ({self.resumed} of them earlier)" if self.resumed else ""
        words = [
            f"{done} {how}{earlier}",
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
