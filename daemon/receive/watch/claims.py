"""A file that a run has taken hold of, or why it has not yet."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.receive.structure import Kind, Structure

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.receive.watch.settling import Found

_NOT_LOOKED_AT = Structure(Kind.OTHER)


class Wait(Enum):
    """Why a file that has settled is not taken yet."""

    GONE = auto()
    CHANGED = auto()
    INCOMPLETE = auto()
    HELD_OPEN = auto()


@dataclass(slots=True)
class Claim:
    """A file that is open, and unless it is to stay where it is, in ``.taking`` and nobody else's.

    Attributes
    ----------
    id
        32 hex digits.
    descriptor
        Open for reading; -1 for what must not be opened.
    held
        The folder that has `held_name`, open: ``.taking``, or with ``keep`` the file's own folder.
    refuse
        Why it is to be put aside, or empty.
    copy
        Whether it must be copied though it could be renamed: it has other names, or somebody who
        may write to it.
    """

    id: str
    found: Found
    descriptor: int
    held: int = -1
    held_name: str = ""
    structure: Structure = _NOT_LOOKED_AT
    refuse: str = ""
    copy: bool = False
    release: Callable[[], None] = lambda: None
    _closed: bool = field(default=False, repr=False)

    @property
    def held_path(self) -> Path:
        """A path to the file that no rename of folders above it can redirect."""
        return Path(f"/proc/self/fd/{self.held}") / self.held_name

    def close(self) -> None:
        """Close what is open. Safe to call twice."""
        if not self._closed:
            self._closed = True
            for descriptor in (self.descriptor, self.held):
                if descriptor >= 0:
                    os.close(descriptor)
            self.release()
