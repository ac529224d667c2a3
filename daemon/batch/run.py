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
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import deid
from daemon.batch.errors import BatchFailed, BatchInterrupted
from daemon.batch.inputs import Input, check_inputs, walk
from daemon.batch.output import OutputFolder, failure
from daemon.batch.report import Report, printable
from daemon.batch.request import BatchProgress, BatchState, BatchSummary
from daemon.batch.sources import Sources
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

_WALK_AT_ONCE = 256
_AHEAD_PER_WORKER = 64
_COMMIT_AT_ONCE = 64
_FLUSH_THREADS = 8
_GATHER_S = 0.2
_ATTEMPTS = 2
_CONFLICT = "conflict"
_ANSWERED = {
    BatchState.DEIDENTIFIED.value,
    BatchState.QUARANTINED.value,
    BatchState.SKIPPED.value,
}
_IDENTIFIERS = ("patient_id", "study_uid", "series_uid", "sop_instance_uid")


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
    with (
        Report(request.report) as report,
        contextlib.closing(_output(request)) as output,
        contextlib.closing(Sources(request.archive)) as sources,
    ):
        run = _Run(
            request,
            inputs,
            output,
            report,
            sources,
            tell or (lambda _: None),
            cleans_text=plan.cleans_text,
            spawned=spawned,
        )
        return asyncio.run(run.until_done())


def _output(request: BatchRequest) -> OutputFolder:
    try:
        return OutputFolder(request.out, request.key)
    except OSError as error:
        raise failure(error) from error


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
        return _quarantined(self.source.refuse)


@dataclass(slots=True)
class _Run:
    request: BatchRequest
    inputs: Sequence[Any]
    output: OutputFolder
    report: Report
    sources: Sources
    tell: Tell
    cleans_text: bool
    spawned: list[Spawned] | None
    started: float = field(default_factory=time.monotonic)
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
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
            task.cancel()

        handled = (signal.SIGINT, signal.SIGTERM)
        with contextlib.suppress(RuntimeError, ValueError):  # not in the main thread
            for number in handled:
                loop.add_signal_handler(number, interrupt, number)
        try:
            await self._work()
        except asyncio.CancelledError:
            if not signals:
                raise
            raise BatchInterrupted(signals[0]) from None
        finally:
            for number in handled:
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
        await asyncio.to_thread(self._finish)

    def _processes(self) -> int:
        """Return how many processes to start: no more than there are inputs, cores, and memory for."""
        wanted = min(self.request.jobs or most_processes(), most_processes())
        return max(1, sum(1 for _ in islice(self._walk(), wanted)))

    async def _identify(self, pool: WorkerPool) -> None:
        """Ask every header what it tells of people."""
        walker = self._walk()
        while some := await asyncio.to_thread(lambda: list(islice(walker, _WALK_AT_ONCE))):
            readable = [source for source in some if not source.skip and not source.refuse]
            async with asyncio.TaskGroup() as group:
                for source in readable:
                    group.create_task(self._identify_one(pool, source))

    async def _identify_one(self, pool: WorkerPool, source: Input) -> None:
        job = Message({"path": source.path, "member": source.member})
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

    def _walk(self) -> Iterator[Input]:
        return walk(self.inputs, self.request.out, self.request.archive)

    async def _process(self, pool: WorkerPool, item: _Item) -> dict[str, Any]:
        """Return a worker's answer, or why there is none."""
        source = item.source
        job = Message(
            {
                "path": source.path,
                "member": source.member,
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
                    return _quarantined(error.reason)
            except WorkerKilled as error:
                self.output.remove_part(item.part)
                return _quarantined(error.reason)
            except WorkerRaised as error:
                self.output.remove_part(item.part)
                return _quarantined(WorkerReason.INTERNAL_ERROR, error.trace)
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
                raise failure(error) from error
            done = sum(self.states.values())
            quarantined = self.states[BatchState.QUARANTINED]
            self.tell(BatchProgress(done, self.found, self.is_walked, quarantined))

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
        record: dict[str, object] = {"input": printable(source.path)}
        if source.member is not None:
            record["member"] = printable(source.member_name)
        relative = ""
        if _is_clean(answer):
            patient, study, series, instance = (str(answer[name]) for name in _IDENTIFIERS)
            relative, clash = self.output.place(item.part, (patient, study, series, instance))
            if clash == _CONFLICT:
                answer = _quarantined(_CONFLICT)
            elif clash:
                answer = {**answer, "state": BatchState.DUPLICATE.value}
        state, reason = answer["state"], answer.get("reason", "")
        record |= {"state": state, "reason": reason, "where": answer.get("where", "")}
        if state == BatchState.QUARANTINED:
            document = {
                "reason": reason,
                "where": answer.get("where", ""),
                "deidentifier": self.request.deidentifier,
            }
            record["quarantine_id"] = self.output.quarantine(source, self.sources, document)
            relative = ""
        record |= {
            "output": relative,
            "deidentifier": self.request.deidentifier,
            "method": answer.get("method", []),
        }
        self.report.add(record)
        self.states[state] += 1
        if reason:
            self.reasons[reason] += 1

    def _finish(self) -> None:
        try:
            self.output.finish()
        except OSError as error:
            raise failure(error) from error

    def _summary(self) -> BatchSummary:
        return BatchSummary(
            deidentified=self.states[BatchState.DEIDENTIFIED],
            duplicates=self.states[BatchState.DUPLICATE],
            quarantined=self.states[BatchState.QUARANTINED],
            skipped=self.states[BatchState.SKIPPED],
            reasons=dict(self.reasons),
            seconds=time.monotonic() - self.started,
        )


def _quarantined(reason: str, where: str = "") -> dict[str, Any]:
    return {"state": BatchState.QUARANTINED.value, "reason": str(reason), "where": where}


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a worker's answer, which is input too: the worker parses what came from outside."""
    known = ("reason", "where", *_IDENTIFIERS)
    is_sound = (
        answer.get("state") in _ANSWERED
        and all(isinstance(answer.get(name, ""), str) for name in known)
        and (not _is_clean(answer) or all(answer.get(name) for name in _IDENTIFIERS))
    )
    return answer if is_sound else _quarantined(WorkerReason.WORKER_CRASHED)


def _is_clean(answer: dict[str, Any]) -> bool:
    return bool(answer["state"] == BatchState.DEIDENTIFIED.value)
