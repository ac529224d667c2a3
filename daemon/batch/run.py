"""One batch run: walk, hand out, commit in order.

::

    feeder ----- inputs ----> jobs in workers (any order) ----> committer (input order)

Where text is cleaned, the inputs are walked twice: first every header is asked what it tells of people, so
that each instance is cleaned of what its whole study tells, whatever the order.

Inputs between the two are bounded, so memory does not grow with their number (but for a note of each one's
study where text is cleaned), and one slow instance lets the workers run ahead only so far.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import deid
from daemon.batch.errors import BatchFailed, BatchInterrupted
from daemon.batch.inputs import Input, check_inputs, walk
from daemon.batch.naming import safe_component
from daemon.batch.output import OutputFolder
from daemon.batch.quarantine import QuarantineFolder
from daemon.batch.records import Records, printable
from daemon.batch.refusals import Refusals
from daemon.batch.request import BatchProgress, BatchState, BatchSummary
from daemon.batch.sources import Sources, place_of
from daemon.batch.work import TARGET
from daemon.errors import first_of
from daemon.workers.capacity import most_processes
from daemon.workers.errors import WorkerCrashed, WorkerKilled, WorkerMemory, WorkerRaised
from daemon.workers.frames import Message
from daemon.workers.pool import WorkerPool
from daemon.workers.reasons import WorkerReason
from deid.configuration.leniencies import sentence
from deid.identity.keys import SiteKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.batch.request import BatchRequest
    from daemon.workers.spawning import Spawned

Tell = Callable[[BatchProgress], None]
Warn = Callable[[str], None]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WALK_AT_ONCE = 256
_AHEAD_PER_WORKER = 64
_COMMIT_AT_ONCE = 64
_FLUSH_THREADS = 8
_GATHER_S = 0.2
_ATTEMPTS = 2
_CONFLICT = "conflict"
_ANSWERED = {
    BatchState.DEIDENTIFIED.value,
    BatchState.REFUSED.value,
    BatchState.SKIPPED.value,
}
_IDENTIFIERS = ("patient_id", "study_uid", "series_uid", "sop_instance_uid")
_REPORT = (
    "number", "input", "member", "state", "reason", "where", "output", "deidentifier", "method",
    "quarantine_id",
)  # fmt: skip


def run_batch(
    request: BatchRequest,
    tell: Tell | None = None,
    warn: Warn | None = None,
    spawned: list[Spawned] | None = None,
) -> BatchSummary:
    """De-identify files and folders into a folder.

    Parameters
    ----------
    tell
        Called now and then, on the calling thread, with how far the run is.
    warn
        Called before anything is written, with each sentence on how the configuration was understood.
    spawned
        Processes that were started ahead; those that are needed are taken out of the list.

    Raises
    ------
    BatchRefused
        For a usage error, before anything is written.
    deid.ConfigurationInvalid, deid.KeyRefused
        When the deidentifier cannot be compiled, before anything is written.
    BatchFailed
        When the output folder does not take what is written.
    BatchInterrupted
        After SIGINT or SIGTERM. What was committed stays; nothing else is left.
    """
    inputs = check_inputs(request.inputs, request.out)
    plan = deid.compile_plan(request.configuration, SiteKey(request.key))
    for warning in plan.warnings:
        if warn is not None:
            warn(sentence(warning))
    key, out = request.key, request.out
    with (
        _signals_restored(),
        contextlib.closing(QuarantineFolder(request.quarantine, key, out, inputs)) as quarantine,
        Records(request.report, _REPORT, what="report", out=out) as report,
        contextlib.closing(_output(request)) as output,
        contextlib.closing(Refusals(output)) as refusals,
        contextlib.closing(Sources(request.archive)) as sources,
    ):
        run = _Run(
            request,
            inputs,
            output,
            report,
            refusals,
            quarantine,
            sources,
            tell or (lambda _: None),
            cleans_text=plan.cleans_text,
            spawned=spawned,
        )
        try:
            return asyncio.run(run.until_done())
        except BatchInterrupted:
            run.finish()  # no thread of ours is at work any more
            raise


@contextlib.contextmanager
def _signals_restored() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _leave(number: int, _frame: object) -> None:
    """End at once, on a second signal: what has a name is whole, the next run removes the rest."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")  # the cursor, which the progress bar hides
        sys.stderr.flush()
    os._exit(128 + number)


def _output(request: BatchRequest) -> OutputFolder:
    try:
        return OutputFolder(request.out)
    except OSError as error:
        raise BatchFailed.of(error) from error


@dataclass(slots=True)
class _Item:
    """One input on its way."""

    source: Input
    part: str = ""
    answer: asyncio.Task[dict[str, Any]] | None = None

    async def result(self) -> dict[str, Any]:
        if self.answer is not None:
            return await self.answer
        if self.source.skip:
            return {"state": BatchState.SKIPPED.value, "reason": self.source.skip}
        return _refused(self.source.refuse)


@dataclass(slots=True)
class _Run:
    request: BatchRequest
    inputs: Sequence[Any]
    output: OutputFolder
    report: Records
    refusals: Refusals
    quarantine: QuarantineFolder
    sources: Sources
    tell: Tell
    cleans_text: bool
    spawned: list[Spawned] | None
    started: float = field(default_factory=time.monotonic)
    states: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    number: int = 0
    """Of the input that was settled last; the first is 1."""
    found: int = 0
    is_walked: bool = False
    _next: _Item | None = None
    _studies: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    """What the headers of each study tell of people: infoType and value."""
    _study_of: dict[tuple[str, int | None], str] = field(default_factory=dict)

    async def until_done(self) -> BatchSummary:
        """Run until everything is committed or a signal comes."""
        task = asyncio.current_task()
        assert task is not None
        signals: list[int] = []
        loop = asyncio.get_running_loop()

        def interrupt(number: int) -> None:
            signals.append(number)
            for each in _SIGNALS:
                loop.remove_signal_handler(each)
                signal.signal(each, _leave)
            task.cancel()

        with contextlib.suppress(RuntimeError, ValueError):  # not in the main thread
            for number in _SIGNALS:
                loop.add_signal_handler(number, interrupt, number)
        try:
            await self._work()
        except asyncio.CancelledError:
            if not signals:
                raise
            raise BatchInterrupted(signals[0]) from None
        finally:
            for number in _SIGNALS:
                with contextlib.suppress(RuntimeError, ValueError):
                    loop.remove_signal_handler(number)
        return self._summary()

    async def _work(self) -> None:
        request = self.request
        pool = WorkerPool(
            TARGET,
            {
                "configuration": dict(request.configuration),
                "out": str(self.output.path),
                "archive": asdict(request.archive),
                "pixels": request.pixels.document(),
            },
            request.key,
            count=await asyncio.to_thread(self._processes),
            limits=request.limits,
            spawned=self.spawned,
        )
        queue: asyncio.Queue[_Item | None] = asyncio.Queue(pool.count * _AHEAD_PER_WORKER)
        with ThreadPoolExecutor(_FLUSH_THREADS, thread_name_prefix="flush") as flushers:
            try:
                async with pool:
                    if self.cleans_text:
                        await self._identify(pool)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._feed(pool, queue, group))
                        group.create_task(self._commit(queue, flushers))
            except BaseExceptionGroup as errors:
                error = first_of(errors, BatchFailed)
                if error is None:
                    raise
                raise error from None
        await asyncio.to_thread(self.finish)

    def _processes(self) -> int:
        """Return how many processes to start: no more than there are inputs, cores, and memory for."""
        wanted = min(self.request.jobs or most_processes(), most_processes())
        return max(1, sum(1 for _ in islice(self._walk(lists_only=True), wanted)))

    async def _identify(self, pool: WorkerPool) -> None:
        """Ask every header what it tells of people."""
        walker = self._walk()
        while some := await asyncio.to_thread(lambda: list(islice(walker, _WALK_AT_ONCE))):
            readable = [source for source in some if not source.skip and not source.refuse]
            async with asyncio.TaskGroup() as group:
                for source in readable:
                    group.create_task(self._identify_one(pool, source))

    async def _identify_one(self, pool: WorkerPool, source: Input) -> None:
        job = Message(place_of(source))
        try:
            answer = (await pool.run(job, source.size)).header
        except (WorkerKilled, WorkerRaised):
            return  # it will be set aside when its turn comes
        study_uid, known = answer.get("study_uid"), answer.get("known")
        if not isinstance(study_uid, str) or not study_uid or not isinstance(known, list):
            return
        study_uid = sys.intern(study_uid)
        self._study_of[source.path, source.member] = study_uid
        self._studies.setdefault(study_uid, set()).update(
            (str(info_type), str(value)) for info_type, value in known
        )

    async def _feed(
        self, pool: WorkerPool, queue: asyncio.Queue[_Item | None], group: asyncio.TaskGroup
    ) -> None:
        walker = self._walk()
        while some := await asyncio.to_thread(lambda: list(islice(walker, _WALK_AT_ONCE))):
            self.found += len(some)
            for source in some:
                item = _Item(source)
                if not source.skip and not source.refuse:
                    item.part = self.output.new_part()
                    item.answer = group.create_task(self._process(pool, item))
                await queue.put(item)
        self.is_walked = True
        await queue.put(None)

    def _walk(self, *, lists_only: bool = False) -> Iterator[Input]:
        apart = {self.output.place_of, *self.quarantine.places(), *self.report.places()}
        scratch = None if lists_only else str(self.output.path)
        return walk(self.inputs, apart, self.request.archive, scratch)

    async def _process(self, pool: WorkerPool, item: _Item) -> dict[str, Any]:
        """Return a worker's answer, or why there is none."""
        source = item.source
        job = Message(
            {
                **place_of(source),
                "output": str(self.output.path / item.part),
                "is_named_dicom": source.is_named_dicom,
                "known": self._known(source),
            }
        )
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = await pool.run(job, source.size)
            except (WorkerCrashed, WorkerMemory) as error:
                # Once more: on a machine short of memory another process may have been to blame.
                self.output.remove_part(item.part)
                if attempt == _ATTEMPTS:
                    return _refused(error.reason)
            except WorkerKilled as error:
                self.output.remove_part(item.part)
                return _refused(error.reason)
            except WorkerRaised as error:
                self.output.remove_part(item.part)
                return _refused(WorkerReason.INTERNAL_ERROR, error.trace)
            else:
                if "errno" in answer.header:
                    raise BatchFailed(str(answer.header["errno"]))
                return _checked(answer.header)
        raise AssertionError("every attempt ends")

    def _known(self, source: Input) -> list[tuple[str, str]]:
        study_uid = self._study_of.get((source.path, source.member), "")
        return sorted(self._studies.get(study_uid, ()))

    async def _commit(
        self, queue: asyncio.Queue[_Item | None], flushers: ThreadPoolExecutor
    ) -> None:
        """Commit in the order of the inputs, in groups: flushing many files together is cheaper."""
        loop = asyncio.get_running_loop()
        is_last = False
        while not is_last:
            group, is_last = await self._next_group(queue)
            parts = [item.part for item, answer in group if _is_clean(answer)]
            try:
                flushes = [
                    loop.run_in_executor(flushers, self._flush, parts[thread::_FLUSH_THREADS])
                    for thread in range(min(_FLUSH_THREADS, len(parts)))
                ]
                await asyncio.gather(*flushes)
                await asyncio.to_thread(self._settle, group)
            except OSError as error:
                raise BatchFailed.of(error) from error
            done = sum(self.states.values())
            refused = self.states[BatchState.REFUSED]
            self.tell(BatchProgress(done, self.found, self.is_walked, refused))

    async def _next_group(
        self, queue: asyncio.Queue[_Item | None]
    ) -> tuple[list[tuple[_Item, dict[str, Any]]], bool]:
        """Return what is ready within a moment, and whether it is the last."""
        group: list[tuple[_Item, dict[str, Any]]] = []
        until = asyncio.get_running_loop().time() + _GATHER_S
        while len(group) < _COMMIT_AT_ONCE:
            if self._next is None:
                try:
                    async with asyncio.timeout_at(until if group else None):
                        self._next = await queue.get()
                except TimeoutError:
                    break
                if self._next is None:
                    return group, True
            answer = self._next.answer
            if answer is not None and group:
                await asyncio.wait([answer], timeout=until - asyncio.get_running_loop().time())
                if not answer.done():
                    break
            group.append((self._next, await self._next.result()))
            self._next = None
        return group, False

    def _flush(self, parts: Sequence[str]) -> None:
        for part in parts:
            self.output.flush_part(part)

    def _settle(self, group: Sequence[tuple[_Item, dict[str, Any]]]) -> None:
        for item, answer in group:
            self._settle_one(item, answer)

    def _settle_one(self, item: _Item, answer: dict[str, Any]) -> None:
        source = item.source
        self.number += 1
        record: dict[str, object] = {"number": self.number, "input": printable(source.path)}
        if source.member is not None:
            record["member"] = printable(source.member_name)
        relative = ""
        if _is_clean(answer):
            way = _way(answer)
            relative, clash = "/".join(way), self.output.place(item.part, way)
            if clash == _CONFLICT:
                answer = _refused(_CONFLICT)
            elif clash:
                answer = {**answer, "state": BatchState.DUPLICATE.value}
        state, reason, where = answer["state"], answer.get("reason", ""), answer.get("where", "")
        record |= {"state": state, "reason": reason, "where": where}
        if state == BatchState.REFUSED:
            record |= self._set_aside(source, reason, where)
            relative = ""
        record |= {
            "output": relative,
            "deidentifier": self.request.deidentifier,
            "method": answer.get("method", []),
        }
        self.report.add(record)
        self.states[state] += 1
        if reason:
            self.reasons[state][reason] += 1

    def _set_aside(self, source: Input, reason: str, where: str) -> dict[str, object]:
        """Tell why an input was refused, in the output folder and, where that was asked for, beside a copy."""
        self.refusals.add(self.number, reason, where)
        document: dict[str, object] = {
            "reason": reason,
            "where": where,
            "deidentifier": self.request.deidentifier,
        }
        quarantine_id = self.quarantine.copy(source, self.sources, document)
        return {"quarantine_id": quarantine_id} if quarantine_id else {}

    def finish(self) -> None:
        """Make what was settled durable, with the list of what was refused."""
        try:
            self.refusals.finish()
            self.output.finish()
            self.quarantine.finish()
        except OSError as error:
            raise BatchFailed.of(error) from error

    def _summary(self) -> BatchSummary:
        return BatchSummary(
            deidentified=self.states[BatchState.DEIDENTIFIED],
            duplicates=self.states[BatchState.DUPLICATE],
            refused=self.states[BatchState.REFUSED],
            skipped=self.states[BatchState.SKIPPED],
            refused_for=dict(self.reasons[BatchState.REFUSED]),
            skipped_for=dict(self.reasons[BatchState.SKIPPED]),
            seconds=time.monotonic() - self.started,
        )


def _way(answer: dict[str, Any]) -> tuple[str, ...]:
    *folders, name = (safe_component(str(answer[each])) for each in _IDENTIFIERS)
    return (*folders, f"{name}.dcm")


def _refused(reason: str, where: str = "") -> dict[str, Any]:
    return {"state": BatchState.REFUSED.value, "reason": str(reason), "where": where}


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a worker's answer, which is input too: the worker parses what came from outside."""
    known = ("reason", "where", *_IDENTIFIERS)
    is_sound = (
        answer.get("state") in _ANSWERED
        and all(isinstance(answer.get(name, ""), str) for name in known)
        and (not _is_clean(answer) or all(answer.get(name) for name in _IDENTIFIERS))
    )
    return answer if is_sound else _refused(WorkerReason.WORKER_CRASHED)


def _is_clean(answer: dict[str, Any]) -> bool:
    return bool(answer["state"] == BatchState.DEIDENTIFIED.value)
