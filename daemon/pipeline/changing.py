"""Workers that can be exchanged while instances are under way."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from daemon.pipeline.instance_workers import InstanceWorkers
    from daemon.records import (
        Comparison,
        Job,
        Known,
        OwnDeidentifier,
        Question,
        Result,
        StoredInstance,
    )
    from daemon.resources import ReadDocument, Retold, ToRetell


@dataclass(eq=False)
class _Crew:
    workers: InstanceWorkers
    users: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class ChangingWorkers:
    """Implements `daemon.pipeline.dispatch.Workers` over one set of worker processes at a time.

    An async context manager; leaving it ends the processes.
    """

    def __init__(self, workers: InstanceWorkers) -> None:
        self._crew = _Crew(workers)

    async def __aenter__(self) -> Self:
        await self._crew.workers.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._crew.workers.__aexit__(kind, error, traceback)

    async def process(
        self,
        job: Job,
        size: int,
        *,
        own: OwnDeidentifier | None = None,
        known: Callable[[Question], Awaitable[Known]] | None = None,
    ) -> Result:
        """Return what became of one instance, by those who are at work when it is begun."""
        with self._used() as workers:
            return await workers.process(job, size, own=own, known=known)

    async def describe(self, job: Job, size: int) -> StoredInstance | None:
        """Return what the index of the source is told of one instance, in the same way."""
        with self._used() as workers:
            return await workers.describe(job, size)

    async def are_alike(self, comparison: Comparison, size: int) -> bool:
        """Tell whether two files hold the same data set, in the same way."""
        with self._used() as workers:
            return await workers.are_alike(comparison, size)

    async def read_document(
        self, body: bytes, resolved: Mapping[str, str] | None = None
    ) -> ReadDocument:
        """Return what the body of a FHIR request says, in the same way."""
        with self._used() as workers:
            return await workers.read_document(body, resolved)

    async def read_patched(self, resource: bytes, patch: bytes) -> ReadDocument:
        """Return what a resource of a store says after a patch, in the same way."""
        with self._used() as workers:
            return await workers.read_patched(resource, patch)

    async def write_pieces(
        self, source: Path, output: Path, size: int, *, requests: bool = False
    ) -> ReadDocument:
        """Return how many pieces there are of a document that is too large for one answer, in the same way."""
        with self._used() as workers:
            return await workers.write_pieces(source, output, size, requests=requests)

    async def retell(self, job: ToRetell, *, own: OwnDeidentifier | None = None) -> Retold:
        """Return what became of a resource that is to be de-identified, in the same way."""
        with self._used() as workers:
            return await workers.retell(job, own=own)

    @contextmanager
    def _used(self) -> Iterator[InstanceWorkers]:
        crew = self._crew
        crew.users += 1
        try:
            yield crew.workers
        finally:
            crew.users -= 1
            if not crew.users:
                crew.gone.set()

    async def change(self, workers: InstanceWorkers) -> None:
        """Let others take over; returns when those before have finished what they had begun.

        When the others cannot start, those before stay.
        """
        await workers.__aenter__()
        before, self._crew = self._crew, _Crew(workers)
        try:
            if before.users:
                before.gone.clear()
                await before.gone.wait()
        finally:
            await before.workers.__aexit__(None, None, None)
