"""The pool as the daemon uses it: a job in, a checked result out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from daemon.errors import StoreUnavailable, first_of
from daemon.observe.traces import name_of_type
from daemon.pipeline.fhir_messages import (
    document_from,
    patching_message,
    pieces_message,
    reading_message,
    retelling_message,
    retold_from,
    sidecar_from,
)
from daemon.pipeline.fhir_work import MOST_TEXT_BYTES
from daemon.pipeline.messages import (
    answer_from,
    are_alike_from,
    comparison_message,
    described_from,
    description_message,
    job_message,
)
from daemon.pipeline.own_plans import with_own
from daemon.pipeline.routing import named
from daemon.records import Known, Question, Result
from daemon.workers.errors import WorkerRaised, WorkerStartFailed
from daemon.workers.pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from daemon.engines.pixels import PixelSettings
    from daemon.pipeline.routing import Route
    from daemon.records import Comparison, Job, OwnDeidentifier, StoredInstance
    from daemon.resources import ReadDocument, Retold, ToRetell
    from daemon.workers.frames import Message
    from daemon.workers.limits import Limits
    from daemon.workers.pool import PoolFigures
    from deid.identity.keys import SiteKey

T = TypeVar("T")

_LARGE_BYTES: Final = 65536
_PASSING = name_of_type(StoreUnavailable)
_READERS_WAIT_S = 10.0
"""An instance that takes longer to describe does not keep all others out of sight."""


@dataclass(frozen=True, slots=True)
class Deidentifier:
    """A named configuration and the key that is its own (see `deid.identity.keys.SiteKey.derive`).

    Attributes
    ----------
    configuration
        DeidentifyConfig, as JSON.
    """

    name: str
    configuration: Mapping[str, Any]
    key: SiteKey


class InstanceWorkers:
    """Worker processes that de-identify instances by one set of routes.

    An async context manager; leaving it ends the processes.

    Parameters
    ----------
    known
        Tells what is known of a study's people and of its patient; without it an instance is cleaned of its
        own identifiers only.
    most_text_bytes
        Of a file of resources, unpacked.

    Raises
    ------
    ValueError
        When a route names a deidentifier that is not among `deidentifiers`.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        deidentifiers: Sequence[Deidentifier],
        *,
        limits: Limits,
        pixels: PixelSettings,
        count: int = 0,
        most_text_bytes: int = MOST_TEXT_BYTES,
        known: Callable[[Question], Awaitable[Known]] | None = None,
        figures: PoolFigures | None = None,
    ) -> None:
        self._known = known or _nothing_known
        self._most_text_bytes = most_text_bytes
        routes = named(routes)
        names = {each.name for each in deidentifiers}
        wanted = {each.deidentifier for each in routes}
        if not wanted <= names:
            raise ValueError(f"no such deidentifier: {', '.join(sorted(wanted - names))}")
        self.pool = WorkerPool(
            "daemon.pipeline.work:start",
            {
                "routes": [each.document() for each in routes],
                "deidentifiers": {each.name: dict(each.configuration) for each in deidentifiers},
                "pixels": pixels.document(),
                "most_text_bytes": most_text_bytes,
            },
            b"".join(each.key.secret for each in deidentifiers),
            count=count,
            limits=limits,
            figures=figures,
        )
        # For whoever waits for an answer: with no plans and no keys, beside those that may be busy with
        # pixels for seconds.
        self.readers = WorkerPool(
            "daemon.pipeline.work:start",
            {
                "routes": [],
                "deidentifiers": {},
                "pixels": pixels.document(),
                "most_text_bytes": most_text_bytes,
            },
            b"",
            count=1,
            limits=replace(limits, timeout_s=min(limits.timeout_s, _READERS_WAIT_S)),
        )

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.TaskGroup() as group:
                for pool in (self.pool, self.readers):
                    group.create_task(pool.start())
        except BaseExceptionGroup as errors:
            await self._close()
            raise first_of(errors, WorkerStartFailed) or errors from None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await asyncio.gather(self.pool.close(), self.readers.close())

    async def process(
        self,
        job: Job,
        size: int,
        *,
        own: OwnDeidentifier | None = None,
        known: Callable[[Question], Awaitable[Known]] | None = None,
    ) -> Result:
        """Return what became of one instance of so many bytes.

        Parameters
        ----------
        own
            The deidentifier that it goes to, whatever the routes say.
        known
            Asked in place of what the workers were made with.

        Raises
        ------
        StoreUnavailable
            When a disk refused in a way that may pass.
        WorkerKilled
            When the worker died of it (`WorkerTimeout`, `WorkerCrashed`, `WorkerMemory`).
        MalformedAnswer, WorkerRaised, PoolClosed
            When the worker's answer makes no sense, it has a bug, or the pool was closed.
        """
        answer = await self._asked(job, size, own)
        if isinstance(answer, Question):
            job = replace(job, known=await (known or self._known)(answer))
            answer = await self._asked(job, size, own)
        assert isinstance(answer, Result)  # a second question would have been malformed
        return answer

    async def describe(self, job: Job, size: int) -> StoredInstance | None:
        """Return what the index of the source is told of one instance, whatever all others are busy with.

        None if it cannot be told, or its file was moved meanwhile. Raises as `process`.
        """
        answer = await self._run(description_message(job), size, by=self.readers)
        return described_from(answer, job)

    async def are_alike(self, comparison: Comparison, size: int) -> bool:
        """Tell whether two files hold the same data set, encoded differently; raises as `process`."""
        answer = await self._run(comparison_message(comparison), 2 * size)
        return are_alike_from(answer)

    async def read_document(
        self, body: bytes, resolved: Mapping[str, str] | None = None
    ) -> ReadDocument:
        """Return what the body of a FHIR request says, in the same way; raises as `process`."""
        message = reading_message(body, resolved or {})
        return await _taken_apart(
            document_from, await self._run(message, len(body), by=self.readers)
        )

    async def read_patched(self, resource: bytes, patch: bytes) -> ReadDocument:
        """Return what a resource of a store says after a patch; raises as `process`."""
        message = patching_message(resource, patch)
        size = len(resource) + len(patch)
        return await _taken_apart(document_from, await self._run(message, size, by=self.readers))

    async def write_pieces(
        self, source: Path, output: Path, size: int, *, requests: bool = False
    ) -> ReadDocument:
        """Return how many pieces there are of a document that is too large for one answer.

        Parameters
        ----------
        output
            Where they are written (`daemon.pipeline.fhir_large.read_pieces`); to be removed.
        size
            Of the file.
        requests
            Whether it is a Bundle that asks for something, and is read as `read_document` reads it; otherwise
            the references between its entries are what they are in a store.

        Raises as `process`.
        """
        message = pieces_message(source, output, self._most_text_bytes, requests=requests)
        return document_from(await self._run(message, size))

    async def retell(self, job: ToRetell, *, own: OwnDeidentifier | None = None) -> Retold:
        """Return what became of a resource that is to be de-identified; raises as `process`."""
        size = sum(map(len, (*job.around, job.resource)))
        message = with_own(retelling_message(job), own)
        return await _taken_apart(partial(retold_from, job=job), await self._run(message, size))

    async def _asked(self, job: Job, size: int, own: OwnDeidentifier | None) -> Result | Question:
        answer = await self._run(with_own(job_message(job), own), size)
        return await _taken_apart(partial(sidecar_from, job=job), answer) or answer_from(
            answer, job
        )

    async def _run(self, message: Message, size: int, *, by: WorkerPool | None = None) -> Message:
        try:
            return await (by or self.pool).run(message, size)
        except WorkerRaised as raised:
            if raised.type_name == _PASSING:
                raise StoreUnavailable("worker", raised.code) from raised
            raise


async def _taken_apart(take: Callable[[Message], T], answer: Message) -> T:
    """Return what an answer says; of a large one beside the loop, as a resource may name a hundred thousand."""
    if sum(map(len, answer.fields)) < _LARGE_BYTES:
        return take(answer)
    return await asyncio.to_thread(take, answer)


async def _nothing_known(_: Question) -> Known:
    return Known()
