"""What a site decides about one watched folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from daemon.receive.archive import ArchiveLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE = ".done"


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """One watched folder.

    Attributes
    ----------
    path
        The folder; files are taken from it and from all folders below, hidden ones left out.
    settle_s
        Seconds that size and modification time of a file must stand still before it is looked at.
    incomplete_s
        Seconds to wait for more of a file that has settled and yet is visibly not all there, is
        still held open by its writer, or may not be read. After them it is taken (or refused) as
        it is.
    after
        What becomes of a file once it is received durably: ``delete`` it, ``keep`` it where it
        is, or ``move`` it to `moved_to`.
    moved_to
        For ``move``; `path`/.done when None.
    record_path
        For ``keep``: the database that remembers what was taken; without it, only while running.
    scan_interval_s
        Seconds between two scans when no event asks for one.
    retry_s
        Longest time between two attempts while the spool is full or the folder is away.
    max_file_bytes
        Larger files are refused, and larger entries of archives; archives have `archive`.
    in_flight
        Files being taken at the same time, which lets the spool make them durable together.
    remove_empty_folders
        Whether a sub-folder that lost its last file to us is removed, once nothing happened in it
        for `incomplete_s`.
    """

    path: Path
    settle_s: float = 2.0
    incomplete_s: float = 60.0
    after: Literal["delete", "keep", "move"] = "delete"
    moved_to: Path | None = None
    record_path: Path | None = None
    scan_interval_s: float = 5.0
    retry_s: float = 10.0
    max_file_bytes: int = 8 << 30
    archive: ArchiveLimits = field(default_factory=ArchiveLimits)
    in_flight: int = 16
    remove_empty_folders: bool = False

    @property
    def destination(self) -> Path:
        """Where received files go with ``move``."""
        return self.path / DONE if self.moved_to is None else self.moved_to


def overlapping(folders: Sequence[WatchSettings]) -> list[tuple[int, int]]:
    """Return the pairs of watched folders, by index, of which one would take the other's files.

    Two folders overlap when one lies in the other, or when received files of one are moved into the
    other; links are resolved. A pair ``(i, i)`` is a folder that would take its own moved files
    again: `moved_to` below `path` and not hidden.
    """
    roots = [Path(folder.path).resolve() for folder in folders]
    pairs = [
        (first, second)
        for first in range(len(roots))
        for second in range(first + 1, len(roots))
        if _within(roots[first], roots[second]) or _within(roots[second], roots[first])
    ]
    for mover, folder in enumerate(folders):
        if folder.after == "move":
            target = folder.destination.resolve()
            pairs.extend(
                (mover, other) for other, root in enumerate(roots) if _would_scan(root, target)
            )
    return sorted(set(pairs))


def _within(inner: Path, outer: Path) -> bool:
    return inner == outer or outer in inner.parents


def _would_scan(root: Path, target: Path) -> bool:
    if not _within(target, root):
        return False
    return not any(part.startswith(".") for part in target.relative_to(root).parts)
