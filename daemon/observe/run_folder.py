"""What the running service says of itself in files: ``state_dir/run``, for programs beside it."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from pathlib import Path

_log = structlog.get_logger(__name__)

ADDRESSES: Final = "addresses.json"
"""Where it listens: host and port by ``dimse``, ``http`` and, where it has a listener, ``metrics``."""
WATCHING: Final = "watching.json"
"""How many files wait in each watched folder, and how many of them are held open."""


class RunFolder:
    """The folder below a state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "run"
        self._kept: dict[str, str] = {}
        self._is_refused = False

    def keep(self, name: str, document: object) -> None:
        """Write a file unless it says so already; what the disk refuses is said once, and tried again.

        No service ends because others cannot be told of it.
        """
        said = json.dumps(document)
        if self._kept.get(name) == said and (self._folder / name).exists():
            return
        try:
            self.write(name, document)
        except OSError as error:
            if not self._is_refused:
                code = errno.errorcode.get(error.errno or 0, "?")
                _log.warning("run_file_not_written", code=code)
            self._is_refused = True
        else:
            self._kept[name] = said
            self._is_refused = False

    def write(self, name: str, document: object) -> None:
        """Write a file; who reads it sees all of the old one or all of the new one."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        partial = self._folder / f"{name}.part"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
        partial.rename(self._folder / name)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there and the disk lets us."""
        with suppress(OSError):
            (self._folder / name).unlink(missing_ok=True)

    def read(self, name: str) -> Any:
        """Return what a file says; None where there is none."""
        try:
            return json.loads((self._folder / name).read_text())
        except (OSError, ValueError):
            return None
