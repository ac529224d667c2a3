"""A line on the terminal that says how far a command is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


@contextmanager
def moving_line(words: Callable[[T], str]) -> Iterator[Callable[[T], None]]:
    """Show what `words` says of the last value told, until the block ends; on standard error."""
    with Console(stderr=True).status("") as status:
        yield lambda value: status.update(Text(words(value)))
