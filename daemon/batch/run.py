"""One batch run: look, hand out, commit in order.

::

    survey (every input) --> feeder ----- inputs ----> jobs in workers (any order) ----> committer (input order)

The inputs are walked once to know how many there are, where text is cleaned once more to ask every header what
it tells of people, and then to be de-identified. Nothing is written before that.

Inputs between feeder and committer are bounded, so memory does not grow with their number (but for a note of
each one's study where text is cleaned, and of each name that was given), and one slow instance lets the workers
run ahead only so far.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import deid
from daemon.batch.crowds import crowds_of_run
from daemon.batch.dry import DryFolder
from daemon.batch.errors import BatchFailed, BatchInterrupted, BatchRefused
from daemon.batch.inputs import Input, check_inputs, places_of, walk
from daemon.batch.interruption import SIGNALS, leave, signals_restored
from daemon.batch.items import Item, as_it_was, checked
from daemon.batch.journal import Journal
from daemon.batch.layout import Layout, Names, ask_for_names, check_prefix, read_renamed
from daemon.batch.output import OutputFolder
from daemon.batch.program import made_by
from daemon.batch.quarantine import QuarantineFolder
from daemon.batch.records import Records
from daemon.batch.refusals import Refusals
from daemon.batch.request import BatchProgress, BatchState, BatchSummary
from daemon.batch.settlement import (
    CROSSWALK,
    REPORT,
    Settled,
    Settlement,
    is_clean,
    refused,
)
from daemon.batch.sources import Sources, place_of
from daemon.batch.survey import AT_ONCE, Survey
from daemon.batch.work import TARGET
from daemon.deidentifiers.identifying import told, warning_of
from daemon.errors import first_of
from daemon.workers.capacity import most_processes
from daemon.workers.errors import WorkerCrashed, WorkerKilled, WorkerMemory, WorkerRaised
from daemon.workers.frames import Message
from daemon.workers.pool import WorkerPool
from daemon.workers.reasons import WorkerReason
from deid.identity.keys import SiteKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.batch.inputs import Place
    from daemon.batch.request import BatchRequest
    from daemon.workers.spawning import Spawned

Tell = Callable[[BatchProgress], None]
Warn = Callable[[str], None]

_AHEAD_PER_WORKER = 64
_COMMIT_AT_ONCE = 64
_FLUSH_THREADS = 8
_GATHER_S = 0.2
_ATTEMPTS = 2


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
    if request.dry_run and request.resume:
        raise BatchRefused("--resume continues what was written; --dry-run writes nothing")
    out = None if request.dry_run else request.out
    tell = tell or (lambda _: None)
    warn = warn or (lambda _: None)
    inputs = check_inputs(request.inputs, out)
    plan = deid.compile_plan(request.configuration, SiteKey(request.key))
    for warning in plan.warnings:
        warn(told(warning))
    names = _names(request)
    with contextlib.ExitStack() as stack:
        stack.enter_context(signals_restored())
        quarantine = QuarantineFolder(request.quarantine, request.key, out, inputs)
        stack.callback(quarantine.close)
        report = stack.enter_context(Records(request.report, REPORT, what="report", out=out))
        crosswalk = stack.enter_context(
            Records(request.crosswalk, CROSSWALK, what="crosswalk", out=out)
        )
        apart = {*quarantine.places(), *report.places(), *crosswalk.places(), *places_of(out)}
        survey = _survey(request, walk(inputs, apart, request.archive, None), names, tell)
        output, journal, refusals = _output(request, names, stack)
        sources = stack.enter_context(contextlib.closing(Sources(request.archive)))
        books = Settlement(
            request,
            plan.warnings,
            output,
            names,
            journal,
            report,
            crosswalk,
            refusals,
            quarantine,
            sources,
        )
        run = _Run(
            request,
            inputs,
            {*apart, *places_of(out)},
            survey,
            output,
            books,
            tell,
            warn,
            cleans_text=plan.cleans_text,
            spawned=spawned,
        )
        try:
            summary = asyncio.run(run.until_done())
        except BatchInterrupted:
            run.finish()  # no thread of ours is at work any more
            raise
        if journal is None:
            return summary
        return run.ended(journal, summary)


def _names(request: BatchRequest) -> Names:
    """Return how files are named. Raises `BatchRefused`."""
    prefix = check_prefix(request.prefix)
    if request.layout is not Layout.KEEP:
        if request.rename_folders is not None:
            raise BatchRefused("--rename-folders goes with --layout keep")
        return Names(request.layout, prefix)
    if request.rename_folders is None:
        raise BatchRefused(
            "--layout keep needs --rename-folders FILE.csv: names of folders often say who somebody is"
        )
    has_map = request.rename_folders.exists()
    return Names(request.layout, prefix, read_renamed(request.rename_folders) if has_map else {})


def _survey(request: BatchRequest, walker: Iterator[Input], names: Names, tell: Tell) -> Survey:
    """Count the inputs. Raises `BatchRefused` when some of their folders have no new name."""
    issuers = request.configuration.get("dicomveil", {}).get("identityIssuers", {})
    survey = Survey(issuers)
    survey.count(
        walker, names.see, lambda: tell(BatchProgress(0, survey.total, 0, 0, is_counting=True))
    )
    if names.missing:
        assert request.rename_folders is not None
        raise ask_for_names(request.rename_folders, names.missing)
    return survey


def _output(
    request: BatchRequest, names: Names, stack: contextlib.ExitStack
) -> tuple[OutputFolder | DryFolder, Journal | None, Refusals | None]:
    """Open the output folder, and find out what is in it already."""
    if request.dry_run:
        return DryFolder(), None, None
    try:
        output = stack.enter_context(contextlib.closing(OutputFolder(request.out)))
        journal = Journal(output, request.key, made_by(request, names.decides()))
    except OSError as error:
        raise BatchFailed.of(error) from error
    stack.callback(journal.close)
    refusals = stack.enter_context(contextlib.closing(Refusals(output)))
    return output, journal, refusals


@dataclass(slots=True)
class _Run:
    request: BatchRequest
    inputs: Sequence[Any]
    apart: set[Place]
    survey: Survey
    output: OutputFolder | DryFolder
    books: Settlement
    tell: Tell
    warn: Warn
    cleans_text: bool
    spawned: list[Spawned] | None
    started: float = field(default_factory=time.monotonic)
    _next: Item | None = None

    async def until_done(self) -> BatchSummary:
        """Run until everything is committed or a signal comes."""
        task = asyncio.current_task()
        assert task is not None
        signals: list[int] = []
        loop = asyncio.get_running_loop()

        def interrupt(number: int) -> None:
            signals.append(number)
            for each in SIGNALS:
                loop.remove_signal_handler(each)
                signal.signal(each, leave)
            task.cancel()

        with contextlib.suppress(RuntimeError, ValueError):  # not in the main thread
            for number in SIGNALS:
                loop.add_signal_handler(number, interrupt, number)
        try:
            await self._work()
        except asyncio.CancelledError:
            if not signals:
                raise
            raise BatchInterrupted(signals[0]) from None
        finally:
            for number in SIGNALS:
                with contextlib.suppress(RuntimeError, ValueError):
                    loop.remove_signal_handler(number)
        return self._summary()

    async def _work(self) -> None:
        request = self.request
        wanted = min(request.jobs or most_processes(), most_processes())
        with (
            crowds_of_run(str(self.output.path)) as crowds,
            ThreadPoolExecutor(_FLUSH_THREADS, thread_name_prefix="flush") as flushers,
        ):
            pool = WorkerPool(
                TARGET,
                {
                    "configuration": dict(request.configuration),
                    "out": str(self.output.path),
                    "archive": asdict(request.archive),
                    "pixels": request.pixels.document(),
                    "most_text_bytes": request.most_text_bytes,
                    "crowds": crowds,
                },
                request.key,
                count=max(1, min(wanted, self.survey.total)),
                limits=request.limits,
                spawned=self.spawned,
            )
            queue: asyncio.Queue[Item | None] = asyncio.Queue(pool.count * _AHEAD_PER_WORKER)
            try:
                async with pool:
                    await self._try_configuration(pool)
                    if self.cleans_text or self.survey.may_have_resources:
                        await self.survey.identify(self._walk(), pool)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._feed(pool, queue, group))
                        group.create_task(self._commit(pool, queue, flushers))
            except BaseExceptionGroup as errors:
                error = first_of(errors, BatchFailed)
                if error is None:
                    raise
                raise error from None
        await asyncio.to_thread(self.finish)

    async def _try_configuration(self, pool: WorkerPool) -> None:
        """Ask a worker whether the result will still identify, and warn before anything is written."""
        with contextlib.suppress(WorkerKilled, WorkerRaised):
            answer = await pool.run(Message({"identifies": True, "output": ""}))
            left = answer.header.get("left")
            if isinstance(left, list) and left:
                self.books.still_identifies = True
                warnings = warning_of([str(each) for each in left])
                self.books.warnings += warnings
                for warning in warnings:
                    self.warn(told(warning))

    async def _feed(
        self, pool: WorkerPool, queue: asyncio.Queue[Item | None], group: asyncio.TaskGroup
    ) -> None:
        walker = self._walk()
        while some := await asyncio.to_thread(lambda: self._some(walker)):
            for item in some:
                if item.done is not None and not self.books.crosswalk.is_wanted:
                    item.answer = group.create_task(as_it_was(item.done))
                elif not item.source.skip and not item.source.refuse:
                    item.answer = group.create_task(self._process(pool, item))
                await queue.put(item)
        await queue.put(None)

    def _some(self, walker: Iterator[Input]) -> list[Item]:
        """Return the next inputs, with what an earlier run made of them."""
        items = []
        journal = self.books.journal if self.request.resume else None
        for source in islice(walker, AT_ONCE):
            known = tuple(self.survey.known(source))
            done = journal.find(source, known) if journal is not None else None
            items.append(Item(source, known=known, done=done))
        return items

    def _walk(self) -> Iterator[Input]:
        return walk(self.inputs, self.apart, self.request.archive, str(self.output.path))

    async def _process(self, pool: WorkerPool, item: Item) -> dict[str, Any]:
        """Return a worker's answer, or why there is none."""
        source = item.source
        header = {
            **place_of(source),
            "is_named_dicom": source.is_named_dicom,
            "known": item.known,
            "crowds": self.survey.crowds(item.known),
            "output": "",
            "traces": self.books.crosswalk.is_wanted,
        }
        if item.done is not None:
            header["made"] = str(self.output.path / item.done.output)
        elif isinstance(self.output, OutputFolder):
            item.part = self.output.new_part()
            header["output"] = str(self.output.path / item.part)
        job = Message(header)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = await pool.run(job, source.size)
            except (WorkerCrashed, WorkerMemory) as error:
                # Once more: on a machine short of memory another process may have been to blame.
                self._remove_part(item)
                if attempt == _ATTEMPTS:
                    return refused(error.reason)
            except WorkerKilled as error:
                self._remove_part(item)
                return refused(error.reason)
            except WorkerRaised as error:
                self._remove_part(item)
                return refused(WorkerReason.INTERNAL_ERROR, error.trace)
            else:
                if "errno" in answer.header:
                    raise BatchFailed(str(answer.header["errno"]))
                if item.done is not None:
                    traced = answer.header.get("crosswalk")
                    earlier = await as_it_was(item.done)
                    return {**earlier, "crosswalk": traced} if traced else refused("")
                return checked(answer.header)
        raise AssertionError("every attempt ends")

    def _remove_part(self, item: Item) -> None:
        if isinstance(self.output, OutputFolder) and item.part:
            self.output.remove_part(item.part)

    async def _commit(
        self, pool: WorkerPool, queue: asyncio.Queue[Item | None], flushers: ThreadPoolExecutor
    ) -> None:
        """Commit in the order of the inputs, in groups: flushing many files together is cheaper."""
        loop = asyncio.get_running_loop()
        is_last = False
        while not is_last:
            group, is_last = await self._next_group(queue)
            await self._do_again(pool, group)
            parts = [item.part for item, answer in group if item.part and is_clean(answer)]
            try:
                flushes = [
                    loop.run_in_executor(flushers, self._flush, parts[thread::_FLUSH_THREADS])
                    for thread in range(min(_FLUSH_THREADS, len(parts)))
                ]
                await asyncio.gather(*flushes)
                await asyncio.to_thread(self._settle, group)
            except OSError as error:
                raise BatchFailed.of(error) from error
            self._tell()

    async def _do_again(self, pool: WorkerPool, group: list[tuple[Item, dict[str, Any]]]) -> None:
        """Process what an earlier run wrote after all, where its name is given to an input before it."""
        given: set[tuple[str, ...]] = set()
        for at, (item, answer) in enumerate(group):
            done = item.done
            if done is not None:
                if (
                    is_clean(answer)
                    and done.way not in given
                    and not self.output.is_placed(done.way)
                ):
                    continue
                item.done = None
                group[at] = (item, await self._process(pool, item))
            if is_clean(group[at][1]):
                given.add(self.books.way(group[at][1], item.source))

    def _tell(self) -> None:
        books = self.books
        self.tell(
            BatchProgress(
                books.number,
                max(books.number, self.survey.total),
                books.states[BatchState.REFUSED],
                books.resumed,
            )
        )

    async def _next_group(
        self, queue: asyncio.Queue[Item | None]
    ) -> tuple[list[tuple[Item, dict[str, Any]]], bool]:
        """Return what is ready within a moment, and whether it is the last."""
        group: list[tuple[Item, dict[str, Any]]] = []
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
        assert isinstance(self.output, OutputFolder)
        for part in parts:
            self.output.flush_part(part)

    def _settle(self, group: Sequence[tuple[Item, dict[str, Any]]]) -> None:
        for item, answer in group:
            self.books.settle(Settled(item.source, answer, item.part, item.known, item.done))
        if self.books.journal is not None:
            self.books.journal.flush()

    def finish(self) -> None:
        """Make what was settled durable, with the list of what was refused."""
        try:
            self.books.finish()
            if isinstance(self.output, OutputFolder):
                self.output.finish()
        except OSError as error:
            raise BatchFailed.of(error) from error

    def ended(self, journal: Journal, summary: BatchSummary) -> BatchSummary:
        """Forget what is needed to continue only, and look whether the folder has anything else."""
        try:
            journal.finish()
            return summary.with_left_over(journal.output.count_others())
        except OSError as error:
            raise BatchFailed.of(error) from error

    def _summary(self) -> BatchSummary:
        states, reasons = self.books.states, self.books.reasons
        return BatchSummary(
            deidentified=states[BatchState.DEIDENTIFIED],
            rewritten=states[BatchState.REWRITTEN],
            duplicates=states[BatchState.DUPLICATE],
            refused=states[BatchState.REFUSED],
            skipped=states[BatchState.SKIPPED],
            resumed=self.books.resumed,
            refused_for=dict(reasons[BatchState.REFUSED]),
            skipped_for=dict(reasons[BatchState.SKIPPED]),
            seconds=time.monotonic() - self.started,
            is_dry=self.request.dry_run,
        )
