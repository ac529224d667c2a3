"""What stands in the place of the output folder in a run that writes none."""

from __future__ import annotations

import tempfile
from pathlib import Path


class DryFolder:
    """Knows which names were given to which bytes, by digests that workers take; writes nothing."""

    def __init__(self) -> None:
        self.path = Path(tempfile.gettempdir())
        self._placed: dict[tuple[str, ...], str] = {}

    def is_placed(self, way: tuple[str, ...]) -> bool:
        """Return whether bytes were given that name."""
        return way in self._placed

    def place(self, digest: str, way: tuple[str, ...]) -> str:
        """Return what `OutputFolder.place` would, of bytes that have a digest."""
        if way not in self._placed:
            self._placed[way] = digest
            return ""
        return "duplicate" if self._placed[way] == digest else "conflict"
