"""How far a run is: a bar on a terminal, a line now and then elsewhere. Neither names an input."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from daemon.batch.request import BatchProgress

LINE_INTERVAL_S: Final = 30.0


class Pace:
    """How fast a run is, and how long it will take; what an earlier run had done does not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None

    def words(self, progress: BatchProgress) -> str:
        """Return rate, time left and what was refused, for people."""
        if progress.is_counting:
            return ""
        now = self._clock()
        if self._began is None:
            self._began = now
        done, elapsed = progress.done - progress.resumed, now - self._began
        told = []
        if done and elapsed > 0:
            rate = done / elapsed
            left = (progress.total - progress.done) / rate
            told = [f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s", f"{_span(left)} left"]
        if progress.resumed:
            told.append(f"{progress.resumed} done earlier")
        return ", ".join([*told, f"{progress.refused} refused"])


@contextmanager
def progress_bar() -> Iterator[Callable[[BatchProgress], None]]:
    """Show a bar on standard error, a terminal, until the block ends."""
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[words]}"),
        TimeElapsedColumn(),
    )
    pace = Pace()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("counting", total=None, words="")

        def tell(progress: BatchProgress) -> None:
            bar.update(
                task,
                description="counting" if progress.is_counting else "de-identifying",
                completed=progress.total if progress.is_counting else progress.done,
                total=None if progress.is_counting else progress.total,
                words=pace.words(progress),
            )

        yield tell


def progress_lines(
    write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[BatchProgress], None]:
    """Return what writes a line every half a minute, where there is no terminal to draw on."""
    pace = Pace(clock)
    last = clock()

    def tell(progress: BatchProgress) -> None:
        nonlocal last
        words = pace.words(progress)
        if clock() - last < LINE_INTERVAL_S:
            return
        last = clock()
        if progress.is_counting:
            write(f"counting: {progress.total} so far")
        else:
            write(f"{progress.done} of {progress.total}, {words}")

    return tell


def _span(seconds: float) -> str:
    """Return a time span as ``1:02:03`` or ``2:03``."""
    minutes, whole = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
