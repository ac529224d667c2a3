"""What can go wrong with a site's configuration.

::

    ConfigError
    |-- ConfigUnreadable   the file is missing or is not TOML (line and column are named)
    `-- ConfigInvalid      the file is TOML, but keys or values are wrong; all of them are listed

Each error carries its `Problem` records. They name files, keys and types, never a value: a value
may be a secret.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that the operator has to change.

    Attributes
    ----------
    source
        The file, or the environment variable, that it stands in.
    key
        The dotted path of the setting, such as ``watch[0].settle_s``; empty for the whole file.
    found
        The type of the value that stands there, in words; empty where that does not matter.
    expected
        What should stand there, or what to do.
    nearest
        The nearest valid key or choice; empty when nothing is near.
    """

    source: str
    key: str
    found: str
    expected: str
    nearest: str = ""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.source, self.key) if part)
        found = f"found {self.found}; " if self.found else ""
        nearest = f" (did you mean {self.nearest}?)" if self.nearest else ""
        return f"{where}: {found}{self.expected}{nearest}"


class ConfigError(Exception):
    """Base of everything this package raises on purpose.

    Attributes
    ----------
    problems
        At least one; all that were found, in the order of the file.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class ConfigUnreadable(ConfigError):
    """The configuration cannot be read at all."""


class ConfigInvalid(ConfigError):
    """The configuration can be read, and something in it is wrong."""
