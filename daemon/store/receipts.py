"""Receipts as the pipeline sees them: what is due, and what became of it.

`Receipts.settle` is where an instance ends. Its steps, for all results given at once:

1. files: ``spool/<id>`` becomes a blob of the source store, the worker's output a blob of the
   destination (rename, then one fsync of each folder);
2. rows, in one transaction: duplicates and conflicts are decided, both indexes, the receipt's
   state, the outcome; what turned out not to be needed is listed as garbage;
3. garbage is removed, and then struck off the list.

`Receipts.show` does the same for the source alone, ahead of a result, when somebody asks for what was
acknowledged a moment ago; settling then finds its file moved and its row there.

Killed after 1, the receipt still waits: `job` finds its file in either place, and settling again
moves nothing twice. A destination blob is named after its receipt and its content, so that a
different output never overwrites one that a row points at: the row switches, then the old blob
goes.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from daemon.pipeline.states import RE_EXAMINE, WAITING
from daemon.pipeline.unshown import Unshown
from daemon.records import Comparison, Job, State, output_file
from daemon.store.blobs import Move
from daemon.store.files.folders import refusal, write_private
from daemon.store.settling import (
    BLOB_MISSING,
    ConflictPolicy,
    Settled,
    SettlingPolicy,
    There,
    Undecided,
    output_blob,
)
from daemon.store.sidecar_pieces import take_pieces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from daemon.records import Receipt, Result, StoredInstance
    from daemon.store.layout import Layout
    from daemon.store.ports import Database, Session
    from daemon.store.rows import Garbage
    from daemon.store.store_set import StoreSet

log = structlog.get_logger(__name__)

_RUSH_INSTANCES: Final = 20
_RUSH_WINDOW_S: Final = 0.2
_LONGEST_WAIT_S: Final = 1.0
_LONGEST_DELAY_S: Final = 300.0
"""Of `postpone`. What seems to wait longer was postponed before the clock was set back."""


class StoreReceipts:
    """The receipts and the files that belong to them.

    Implements `daemon.ports.Receipts` and `daemon.pipeline.showing.ShownAhead`.
    """

    def __init__(
        self,
        database: Database,
        stores: StoreSet,
        layout: Layout,
        *,
        conflict: ConflictPolicy = ConflictPolicy.QUARANTINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._stores = stores
        self._layout = layout
        self._policy = SettlingPolicy(stores, conflict)
        self._clock = clock
        self._files = asyncio.Lock()
        self._arrival = asyncio.Event()
        self._arrivals: deque[float] = deque(maxlen=_RUSH_INSTANCES)
        self._when_settled: Callable[[Sequence[Result]], None] = lambda _: None
        self.unshown: Final = Unshown()

    async def start(self) -> None:
        """Read what was acknowledged before this start and is not settled."""
        for receipt in await self._database.read(lambda session: session.receipts.waiting()):
            if receipt.reason != RE_EXAMINE:
                self.unshown.add(receipt.id)

    def call_when_settled(self, function: Callable[[Sequence[Result]], None]) -> None:
        """Have `function` called with results that were settled."""
        self._when_settled = function

    def note_arrival(self, receipt: Receipt) -> None:
        """Wake whoever waits on `job_arrived`. Call from the event loop, before anybody is told of it."""
        self.unshown.add(receipt.id)
        self._arrivals.append(time.monotonic())
        self._arrival.set()

    def is_rushed(self) -> bool:
        """Tell whether the last twenty instances arrived within the last fifth of a second."""
        arrivals = self._arrivals
        return len(arrivals) == _RUSH_INSTANCES and time.monotonic() - arrivals[0] < _RUSH_WINDOW_S

    def job_arrived(self) -> Awaitable[None]:
        """Return an awaitable that ends when something may have become due, or after a second.

        For one waiter at a time.
        """
        return self._arrived()

    async def _arrived(self) -> None:
        try:
            await asyncio.wait_for(self._arrival.wait(), _LONGEST_WAIT_S)
        except TimeoutError:
            return
        self._arrival.clear()

    async def due(self, limit: int, exclude: Sequence[str]) -> list[Receipt]:
        """Return receipts waiting to be processed now, oldest first, without those named."""
        now = self._clock()
        excluded = frozenset(exclude)

        def read(session: Session) -> list[Receipt]:
            found = session.receipts.due(now, _LONGEST_DELAY_S, limit + len(excluded))
            due = [receipt for receipt in found if receipt.id not in excluded][:limit]
            rulings = session.decisions.in_force([receipt.id for receipt in due]) if due else {}
            return [
                replace(receipt, ruling=rulings[receipt.id]) if receipt.id in rulings else receipt
                for receipt in due
            ]

        return await self._database.read(read)

    async def begin(self, receipt_ids: Sequence[str]) -> None:
        """Count an attempt, durably, before a worker sees the instance."""
        await self._change_attempts(receipt_ids, +1)

    async def release(self, receipt_ids: Sequence[str]) -> None:
        """Take back the attempt that `begin` counted."""
        await self._change_attempts(receipt_ids, -1)

    async def _change_attempts(self, receipt_ids: Sequence[str], change: int) -> None:
        if receipt_ids:
            await self._database.write(
                lambda session: session.receipts.add_attempts(receipt_ids, change)
            )

    async def postpone(self, receipt_id: str, reason: str, delay_s: float) -> None:
        """Count a worker that it killed; try again no sooner than `delay_s` from now."""
        not_before = self._clock() + min(delay_s, _LONGEST_DELAY_S)

        def apply(session: Session) -> None:
            entry = session.receipts.get(receipt_id)
            if entry is not None and entry.receipt.state in WAITING:
                session.receipts.change(
                    receipt_id,
                    not_before=not_before,
                    reason=reason,
                    kills=entry.receipt.kills + 1,
                    attempts=0,
                )

        await self._database.write(apply)

    def job(self, receipt: Receipt) -> Job:
        """Return the worker's job: where the received file is now, and where the output goes."""
        spooled = self._layout.spool / receipt.id
        return Job(
            receipt.id,
            receipt.origin,
            source=(
                spooled
                if spooled.exists()
                else self._fetched(self._stores.source.id, receipt.id, f"{receipt.id}.in")
            ),
            output=self._output_file(receipt.id),
            ruling=receipt.ruling,
        )

    def _fetched(self, store_id: int, name: str, otherwise: str) -> Path:
        """Return a file of this machine with the bytes of a blob; its name even if there are none."""
        blobs = self._stores.blobs[store_id]
        local = blobs.local_path(name)
        if local is not None:
            return local
        fetched = self._layout.work / otherwise
        with suppress(FileNotFoundError), blobs.open(name) as blob:
            write_private(fetched, blob)
        return fetched

    def _output_file(self, receipt_id: str) -> Path:
        return self._layout.work / f"{receipt_id}.out"

    async def take_pieces(self, receipt_id: str, count: int) -> None:
        """Take the resources that a worker wrote in pieces; see `daemon.store.sidecar_pieces.take_pieces`."""
        file = self._output_file(receipt_id)
        await take_pieces(self._database, self._stores, receipt_id, file, count)

    async def settle(self, results: Sequence[Result]) -> list[Comparison]:
        """Apply results: blobs first (rename, folder fsync), then rows, one transaction for all.

        Each result stands for itself: one that fails undoes none of the others. Repeating it
        changes nothing. Returns what must be compared before the results concerned can be settled.

        Raises
        ------
        SpoolFull, StoreUnavailable
            If the disk or database refused at least one; the receipts concerned still wait.
        """
        async with self._files:
            return await self._settle(results)

    async def _settle(self, results: Sequence[Result]) -> list[Comparison]:
        there = await asyncio.to_thread(self._move_files, results)
        settled = await self._database.write_all(
            [
                functools.partial(
                    self._policy.settle, result=result, there=is_there, now=self._clock()
                )
                for result, is_there in zip(results, there, strict=True)
            ]
        )
        garbage = [g for done in settled if isinstance(done, Settled) for g in done.garbage]
        await self._remove(garbage, results)
        self.unshown.discard(
            result.receipt_id
            for result, done in zip(results, settled, strict=True)
            if isinstance(done, Settled)
        )
        self._when_settled(
            [
                result
                for result, done in zip(results, settled, strict=True)
                if isinstance(done, Settled)
            ]
        )
        undecided = []
        for result, done in zip(results, settled, strict=True):
            if isinstance(done, Settled):
                _tell(result, done)
        for result, done in zip(results, settled, strict=True):
            if isinstance(done, Undecided):
                undecided.append((result.receipt_id, done))
            elif isinstance(done, BaseException):
                raise done
            elif done.reason == BLOB_MISSING:
                log.error("received_file_missing", receipt_id=result.receipt_id)
        return await asyncio.to_thread(self._comparisons, undecided) if undecided else []

    def _comparisons(self, undecided: Sequence[tuple[str, Undecided]]) -> list[Comparison]:
        try:
            return [
                Comparison(
                    receipt_id,
                    each.blob,
                    each.earlier_blob,
                    self._fetched(each.store_id, each.blob, f"{receipt_id}.in"),
                    self._fetched(each.store_id, each.earlier_blob, f"{receipt_id}.earlier"),
                )
                for receipt_id, each in undecided
            ]
        except OSError as error:
            raise refusal(error) from error

    async def next_unshown(self, limit: int) -> list[Receipt]:
        """Return the oldest that were acknowledged and are not shown; passes over those that need not be."""
        receipt_ids = self.unshown.oldest(limit)

        def read(session: Session) -> list[Receipt]:
            entries = (session.receipts.get(receipt_id) for receipt_id in receipt_ids)
            return [
                entry.receipt
                for entry in entries
                if entry is not None
                and entry.receipt.state in WAITING
                and not session.instances.of_receipt(self._stores.source, entry.receipt.id)
            ]

        found = await self._database.read(read)
        self.unshown.discard(set(receipt_ids) - {receipt.id for receipt in found})
        return found

    async def show(self, described: Mapping[str, StoredInstance | None]) -> None:
        """Make instances visible in the source ahead of their results; by the ids of their receipts.

        As `settle`: blobs first, then rows. None is what cannot be described: it stays out of sight.

        Raises
        ------
        SpoolFull, StoreUnavailable
            If the disk or database refused; then those may be shown later.
        """
        shown = {each: instance for each, instance in described.items() if instance is not None}
        if shown:
            there = await asyncio.to_thread(self._move_sources, list(shown))
            applies = [
                functools.partial(self._policy.show, receipt_id=receipt_id, source=instance)
                for (receipt_id, instance), is_there in zip(shown.items(), there, strict=True)
                if is_there
            ]
            for done in await self._database.write_all(applies):
                if isinstance(done, BaseException):
                    raise done
        self.unshown.discard(described)

    def _move_sources(self, receipt_ids: Sequence[str]) -> list[bool]:
        source = self._stores.blobs[self._stores.source.id]
        try:
            return source.take([Move(self._layout.spool / each, each) for each in receipt_ids])
        except OSError as error:
            raise refusal(error) from error

    def _move_files(self, results: Sequence[Result]) -> list[There]:
        destination = self._stores.blobs[self._stores.destination.id]
        sources = self._move_sources([result.receipt_id for result in results])
        try:
            outputs = iter(
                destination.take(
                    [
                        Move(
                            output_file(self._output_file(result.receipt_id), position),
                            output_blob(result.receipt_id, output.instance),
                        )
                        for result in results
                        for position, output in enumerate(result.outputs)
                    ],
                    flush=True,
                )
            )
        except OSError as error:
            raise refusal(error) from error
        return [
            There(is_there, all(next(outputs) for _ in result.outputs))
            for result, is_there in zip(results, sources, strict=True)
        ]

    async def sweep(self, *, closing: bool = False) -> None:
        """Remove blobs that nobody needs and nobody can be reading any more; when closing, all of them."""
        now = math.inf if closing else self._clock()

        def unneeded(session: Session) -> list[Garbage]:
            garbage = session.garbage.removable(now)
            needed = [p for p in garbage if session.instances.is_referenced(*p)]
            session.garbage.remove(needed)
            return [piece for piece in garbage if piece not in needed]

        # An output may return under its old name: not between the look and the removal.
        async with self._files:
            await self._remove(await self._database.write(unneeded), ())

    async def _remove(self, garbage: Sequence[Garbage], results: Sequence[Result]) -> None:
        def remove() -> None:
            for result in results:
                for position in range(max(1, len(result.outputs))):
                    file = output_file(self._output_file(result.receipt_id), position)
                    file.unlink(missing_ok=True)
                for suffix in ("in", "earlier"):
                    (self._layout.work / f"{result.receipt_id}.{suffix}").unlink(missing_ok=True)
            self._stores.remove(garbage)

        # What cannot be removed now stays on the list, and the next start tries again.
        with suppress(OSError):
            await asyncio.to_thread(remove)
            if garbage:
                await self._database.write(lambda session: session.garbage.remove(garbage))


def _tell(result: Result, done: Settled) -> None:
    """Log what became of an instance that is not shown; the worker knew nothing of what was there already."""
    if done.state is None or done.state is State.STORED:
        return
    is_usual = done.state is State.DUPLICATE and not done.reason
    (log.debug if is_usual else log.warning)(
        f"instance_{done.state.value}",
        receipt=result.receipt_id,
        reason=done.reason,
        where=result.where if done.reason == result.reason else "",
        route=result.route,
        deidentifier=result.deidentifier,
    )
