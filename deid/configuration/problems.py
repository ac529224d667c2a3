"""What is wrong with a configuration: some sentences, not thousands.

Whoever may ask for a de-identification may send a configuration of megabytes. To look for the nearest valid
name of each of its names would have the service busy for many minutes; nobody reads past the first few.
"""

from __future__ import annotations

from typing import Final

from deid.errors import ConfigurationInvalid

MOST: Final = 25
"""Problems that are told of one configuration."""


class Problems(list[str]):
    """Sentences; with one too many, reading ends."""

    def append(self, problem: str) -> None:
        """Add one; raises `ConfigurationInvalid` when there are enough of them."""
        if len(self) == MOST:
            raise ConfigurationInvalid([*self, "and there is more that is wrong"])
        super().append(problem)
