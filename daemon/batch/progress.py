"""How far a run is, on a terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from daemon.batch.request import BatchProgress


@contextmanager
def progress_bar() -> Iterator[Callable[[BatchProgress], None]]:
    """Show a bar on standard error until the block ends; nothing where that is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[refused]} refused"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("de-identifying", total=None, refused=0)

        def tell(progress: BatchProgress) -> None:
            bar.update(
                task,
                completed=progress.done,
                total=progress.found,
                refused=progress.refused,
                description="de-identifying" if progress.is_complete else "looking, de-identifying",
            )

        yield tell
