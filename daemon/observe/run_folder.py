"""What the running service says of itself in files: ``state_dir/run``, for programs beside it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

ADDRESSES: Final = "addresses.json"
"""Where it listens: host and port by ``dimse``, ``http`` and, where it has a listener, ``metrics``."""
WATCHING: Final = "watching.json"
"""How many files wait in each watched folder, and how many of them are held open."""


class RunFolder:
    """The folder below a state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "run"

    def write(self, name: str, document: object) -> None:
        """Write a file; who reads it sees all of the old one or all of the new one."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        partial = self._folder / f"{name}.part"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
        partial.rename(self._folder / name)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self._folder / name).unlink(missing_ok=True)

    def read(self, name: str) -> Any:
        """Return what a file says; None where there is none."""
        try:
            return json.loads((self._folder / name).read_text())
        except (OSError, ValueError):
            return None
