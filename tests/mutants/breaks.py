"""The list of breaks, as read from ``breaks.toml``; each undoes a part of a promise."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LIST: Final = Path(__file__).with_name("breaks.toml")


@dataclass(frozen=True, slots=True)
class Break:
    """One change for the worse.

    Attributes
    ----------
    file
        Where it is made, from the top of the tree.
    says
        What is not so any more once it is made.
    promise
        Which promise it touches: a number of `promises`, from 1.
    old, new
        The text that goes, which the file holds exactly once, and what comes in its place.
    tests
        What has to fail: files, or tests in them, as pytest takes them.
    """

    file: str
    says: str
    promise: int
    old: str
    new: str
    tests: tuple[str, ...]

    def made_in(self, text: str) -> str:
        """Return the file's text with the break.

        Raises
        ------
        ValueError
            When the old text is not there exactly once: the code has moved on, and the list has to follow.
        """
        count = text.count(self.old)
        if count != 1:
            message = (
                f"{self.file}: {self.says}: its old text is there {count} times;"
                " let tests/mutants/breaks.toml follow the code, then `make reference`"
            )
            raise ValueError(message)
        return text.replace(self.old, self.new)


def promises() -> list[str]:
    """Return what the breaks undo, in the order of their numbers."""
    return list(tomllib.loads(LIST.read_text())["promises"])


def breaks() -> list[Break]:
    """Return all breaks, in the order of the list."""
    entries = tomllib.loads(LIST.read_text())["break"]
    return [Break(**entry | {"tests": tuple(entry["tests"])}) for entry in entries]
