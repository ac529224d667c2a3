"""What a batch of an operation is, for instances and resources alike."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import structlog

from daemon.observe.traces import trace
from daemon.workers.errors import WorkerKilled, WorkerRaised
from daemon.workers.reasons import WorkerReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence

    from daemon.healthcare.work import Step
    from daemon.pipeline.changing import ChangingWorkers
    from daemon.records import Output, OwnDeidentifier
    from daemon.resources import ReadResource, RetoldResource
    from daemon.store.operation_rows import Failure, Operation
    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.stores import Stores

T = TypeVar("T")

BATCH: Final = 16
"""Jobs of a batch: what is done again at most after a kill."""
_KILLS: Final = 3
_MOST_ANSWERS: Final = 5000
_AFTER_KILL_S: Final = 0.5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one row of a source: a result, or why there is none.

    Attributes
    ----------
    outcome
        What was done, as JSON.
    read
        Resources that a line of a file holds.
    count
        Of how many rows it tells.
    """

    number: int
    receipt_id: str = ""
    output: Output | None = None
    outcome: bytes = b""
    resource: RetoldResource | None = None
    read: tuple[ReadResource, ...] = ()
    count: int = 1
    reason: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A row of a source that is to be done, by its number, and what does it."""

    number: int
    do: Callable[[], Awaitable[Made]]


@dataclass(slots=True)
class Counted:
    """What a batch adds to its operation's counters."""

    success: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def failure(self) -> int:
        """How many could not be done."""
        return len(self.failures)


class Memory:
    """Answers to what is asked again and again; the oldest are forgotten."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, Any] = {}

    def of(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return an answer, or find it now."""
        if key not in self._answers:
            self.put(key, find())
        found: T = self._answers[key]
        return found

    def get(self, key: Hashable) -> Any:
        """Return an answer; None when it is not known."""
        return self._answers.get(key)

    def put(self, key: Hashable, answer: object) -> None:
        """Remember an answer."""
        if len(self._answers) >= _MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = answer


@dataclass(frozen=True, slots=True)
class Task:
    """What a step of an operation is done with.

    Attributes
    ----------
    own
        Its deidentifier.
    places
        Every store, by its number.
    provenance
        The number of the FHIR store that is told what was done; 0 is none.
    memory
        What the operation has found out, for as long as it runs.
    """

    stores: Stores
    workers: ChangingWorkers
    operation: Operation
    step: Step
    own: OwnDeidentifier
    places: Mapping[int, Store]
    provenance: int
    memory: Memory = field(default_factory=Memory)

    @property
    def source(self) -> Store:
        """The store that the step goes through."""
        return self.places[self.step.source]

    @property
    def destination(self) -> Store:
        """The store that it writes into."""
        return self.places[self.step.destination]


class Batch(Protocol):
    """The next rows of a source, on their way to a destination."""

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return the number of the last row that is looked at, and those that are wanted.

        That number is the operation's own when there is nothing left.
        """

    async def prepare(self, made: Sequence[Made]) -> None:
        """Make files durable, before any row."""

    def settle(self, session: Session, made: Sequence[Made]) -> Counted:
        """Make results visible, in the transaction of the session; what has a reason has none.

        It may be called again, with less of what was made, when that transaction is undone.
        """

    async def clear(self, made: Sequence[Made]) -> None:
        """Remove what turned out not to be needed."""


async def insisting(ask: Callable[[], Awaitable[T]]) -> T | WorkerReason:
    """Return what a worker answers, or why it never will: what kills three workers is given up."""
    kills = 0
    while True:
        try:
            return await ask()
        except WorkerKilled as killed:
            kills += 1
            _log.warning("worker_killed", reason=killed.reason.value, attempts=kills)
            if kills >= _KILLS:
                return killed.reason
            await asyncio.sleep(kills * _AFTER_KILL_S)
        except WorkerRaised as error:
            _log.error("operation_job_failed", where=trace(error))
            return WorkerReason.INTERNAL_ERROR
