"""One watched folder: scan, let files settle, take them, put aside what is no instance.

::

    wakeups (inotify)  --wake-->  scanner  --settled-->  queue  -->  takers  -->  spool
                                     ^                                  |
                                     '------- not yet, changed ---------'

A file leaves the folder only after the spool has made it durable: it waits in ``.taking``
meanwhile, where a run that was killed finds it again.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from daemon.errors import CrossDevice, Refused
from daemon.receive.archive import ArchiveLimits
from daemon.receive.structure import Kind
from daemon.receive.watch.archives import Archives
from daemon.receive.watch.claims import Claim, Wait
from daemon.receive.watch.descriptors import Sink, pour
from daemon.receive.watch.drops import UNKNOWN, Drop, Drops
from daemon.receive.watch.events import NoEvents
from daemon.receive.watch.inbox import FolderNotOursError, Inbox
from daemon.receive.watch.intake import Intake, Stopping
from daemon.receive.watch.record import TakenRecord
from daemon.receive.watch.settling import Found, Settling, Signature
from daemon.receive.watch.wakeups import Wakeups
from daemon.records import Origin, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from config.settings import Watch
    from daemon.ports import Spool
    from daemon.receive.watch.drops import Drop, Drops
from daemon.receive.watch.events import WatchEvents

_log = structlog.get_logger(__name__)
_MOST_IN_MIND = 20_000
_SMALLEST_SCAN_GAP_S = 0.1
_SCAN_GAP_PER_DURATION = 4
_COMPLAIN_AGAIN_S = 60.0
_STOP_GRACE_S = 10.0


class _Changed(Exception):
    pass


class WatchedFolder:
    """Takes files from one folder into the spool for as long as it runs.

    The folder may be missing or unmounted at any time: it is looked for again.

    Parameters
    ----------
    spool
        Where instances go. While it is full, files stay where they are.
    record_path
        With ``after = "keep"``: the database that remembers what was taken; without it, only while running.
    drops
        Makes hashes of where files lay; without it, receipts have none.
    archive
        What an archive may unfold to; its entries are held to `settings.max_file_bytes` as well.
    in_flight
        Files being taken at the same time, which lets the spool make them durable together.
    retry_s
        Longest time between two attempts while the spool is full or a file cannot be had.
    clock
        Seconds that only go forward.
    """

    def __init__(
        self,
        settings: Watch,
        spool: Spool,
        events: WatchEvents | None = None,
        *,
        record_path: Path | None = None,
        drops: Drops | None = None,
        archive: ArchiveLimits | None = None,
        in_flight: int = 16,
        retry_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._record_path = record_path
        self._drops = drops
        self._in_flight = in_flight
        self._retry_s = retry_s
        self._events = events or NoEvents()
        self._clock = clock
        self._inbox = Inbox(settings)
        origin = Origin(Receiver.WATCH, peer=str(settings.path))
        self._intake = Intake(spool, origin, self._events, retry_s)
        archive = archive or ArchiveLimits()
        archive = replace(archive, entry_bytes=min(archive.entry_bytes, settings.max_file_bytes))
        self._archives = Archives(
            self._intake, self._inbox, self._events, archive, in_flight, drops=drops
        )
        self._settling = Settling(settings.settle_s, _MOST_IN_MIND)
        self._wake = asyncio.Event()
        self._wakeups: Wakeups | None = None
        self._identity: tuple[int, int] | None = None
        self._record: TakenRecord | None = None
        self._emptied: set[tuple[str, ...]] = set()
        self._received: set[Signature] = set()
        self._held_open: set[tuple[tuple[str, ...], str, bool]] = set()
        self._complained: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; returns at once, also when the folder is not there."""
        self._intake.start()
        if self._settings.after == "keep":
            record = partial(TakenRecord, self._record_path, self._settings.path)
            self._record = await self._intake.in_thread(record)
        self._task = asyncio.create_task(self._run(), name="watched-folder")

    async def stop(self) -> None:
        """Take no more files; those under way may finish for some seconds, or are put back."""
        self._intake.stop()
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_STOP_GRACE_S)
            self._intake.halt()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._record is not None:
            self._record.close()
        self._intake.close()

    async def _run(self) -> None:
        queue: asyncio.Queue[tuple[Found, float] | None] = asyncio.Queue(self._in_flight)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._in_flight):
                    group.create_task(self._taker(queue))
                await self._scanner(queue)
                for _ in range(self._in_flight):
                    await queue.put(None)
        finally:
            await self._stop_wakeups()

    # -- scanning --

    async def _scanner(self, queue: asyncio.Queue[tuple[Found, float] | None]) -> None:
        next_scan = soonest = self._clock()
        while not self._intake.is_stopping:
            if self._wake.is_set() or self._clock() >= next_scan:
                self._wake.clear()
                started = self._clock()
                is_whole = await self._scan()
                ended = self._clock()
                gap = max(_SMALLEST_SCAN_GAP_S, _SCAN_GAP_PER_DURATION * (ended - started))
                soonest = ended + gap
                next_scan = max(soonest, ended + self._settings.scan_interval_s)
                if not is_whole:
                    next_scan = soonest
            for item in self._settling.due(self._clock()):
                await queue.put(item)
            self._events.files_waiting(len(self._settling))
            self._held_open &= self._settling.places
            self._events.files_held_open(len(self._held_open))
            await self._wait_for_work(soonest, next_scan)

    async def _wait_for_work(self, soonest: float, next_scan: float) -> None:
        """Wait for an event, for the next file to have settled, or for the next scan."""
        next_look = self._settling.next_look()
        until = next_scan if next_look is None else min(next_scan, next_look)
        try:
            async with asyncio.timeout(max(0.0, until - self._clock())):
                await self._wake.wait()
        except TimeoutError:
            return
        # Events come in swarms: a scan may take no more than a part of the time.
        try:
            async with asyncio.timeout(max(0.0, soonest - self._clock())):
                await self._intake.until_stopped()
        except TimeoutError:
            pass

    async def _scan(self) -> bool:
        """Look at the whole folder; returns False when there was more than can be kept in mind."""
        try:
            identity = await self._intake.in_thread(self._inbox.identity)
            if identity != self._identity or self._is_deaf():
                await self._begin_root(identity)
            seen = await self._intake.in_thread(self._list)
        except OSError as error:
            self._complain("watch_folder_missing", error)
            self._identity = None
            await self._stop_wakeups()
            return True
        except Exception as error:  # noqa: BLE001 - a bad record must not end the receiver
            _log.error("watch_scan_failed", error=type(error).__name__)
            return True
        for number in self._inbox.passed_over:
            self._complain("watch_subfolder_passed_over", OSError(number, ""))
        is_whole = self._settling.observe(seen, self._clock()) and len(seen) < _MOST_IN_MIND
        if self._emptied:
            await self._intake.in_thread(self._remove_empty)
        return is_whole

    def _list(self) -> list[Found]:
        record = self._record
        if record is None:
            return list(itertools.islice(self._inbox.scan(), _MOST_IN_MIND))
        present: set[Signature] = set()
        seen = list(itertools.islice(self._inbox.scan(record, present.add), _MOST_IN_MIND))
        if len(seen) < _MOST_IN_MIND and not self._inbox.passed_over and self._identity is not None:
            self._forget_removed(record, present, present - {found.signature for found in seen})
        return seen

    def _forget_removed(
        self, record: TakenRecord, present: set[Signature], taken: set[Signature]
    ) -> None:
        """Forget what was removed since: another file may get its inode, and have its size and time."""
        assert self._identity is not None
        device = self._identity[0]
        if record.count(device) > sum(each.device == device for each in taken):
            record.keep_only(present, device)

    async def _begin_root(self, identity: tuple[int, int]) -> None:
        """Start over: the folder is there (again), or another one is mounted in its place."""
        await self._stop_wakeups()
        loop = asyncio.get_running_loop()
        wake = partial(_wake_from_thread, loop, self._wake)
        try:
            self._wakeups = await self._intake.in_thread(
                partial(Wakeups, self._settings.path, wake)
            )
        except OSError as error:
            # No more inotify watches, usually. The clock goes on.
            self._complain("watch_events_unavailable", error)
        if self._record is not None:
            await self._intake.in_thread(partial(self._forget_vanished, self._record, identity[0]))
        self._identity = identity
        self._complained.pop("watch_folder_missing", None)
        _log.info("watch_folder_opened", folder=str(self._settings.path))

    def _forget_vanished(self, record: TakenRecord, device: int) -> None:
        present: set[Signature] = set()
        for _ in self._inbox.scan((), present.add):
            pass
        if present and not self._inbox.passed_over:
            record.keep_only(present, device)

    def _is_deaf(self) -> bool:
        return self._wakeups is not None and not self._wakeups.is_alive

    async def _stop_wakeups(self) -> None:
        if self._wakeups is not None:
            wakeups, self._wakeups = self._wakeups, None
            await self._intake.in_thread(wakeups.stop)

    def _remove_empty(self) -> None:
        now = time.time()
        for folder in sorted(self._emptied, key=len, reverse=True):
            if self._inbox.remove_empty(folder, self._settings.incomplete_s, now):
                self._emptied.discard(folder)
                if folder[:-1]:
                    self._emptied.add(folder[:-1])

    # -- taking --

    async def _taker(self, queue: asyncio.Queue[tuple[Found, float] | None]) -> None:
        while (item := await queue.get()) is not None:
            found, since = item
            if self._intake.is_stopping:
                continue
            try:
                await self._take(found, since)
            except Stopping:
                continue
            except FolderNotOursError:
                self._complain("watch_folder_not_ours")
                self._retry_later(found)
            except OSError as error:
                self._complain("watch_file_postponed", error)
                self._retry_later(found)
            except Exception as error:  # noqa: BLE001 - one file must not end the receiver
                _log.error("watch_file_failed", error=type(error).__name__)
                self._retry_later(found)

    def _retry_later(self, found: Found) -> None:
        self._settling.not_yet(found, self._clock() + self._retry_s)

    async def _take(self, found: Found, since: float) -> None:
        patience_ends = since + self._settings.incomplete_s
        now = self._clock()
        patient = not found.ours and now < patience_ends
        claiming = partial(self._inbox.claim, found, patient=patient, stood_still_s=now - since)
        claim = await self._intake.in_thread(claiming)
        self._note_held_open(found, is_held=claim is Wait.HELD_OPEN and not patient)
        if isinstance(claim, Wait):
            if claim in {Wait.INCOMPLETE, Wait.HELD_OPEN}:
                again = self._clock() + max(self._settings.settle_s, 1.0)
                self._settling.not_yet(found, min(again, patience_ends) if patient else again)
            else:
                self._settling.gone(found)
                self._wake.set()
            return
        try:
            await self._take_claim(claim)
        except _Changed:
            await self._intake.in_thread(partial(self._inbox.put_back, claim))
            self._settling.gone(found)
            self._wake.set()
        except BaseException:
            await self._intake.in_thread(partial(self._inbox.put_back, claim))
            raise
        finally:
            claim.close()

    def _note_held_open(self, found: Found, *, is_held: bool) -> None:
        """Count what its writer has held open for longer than anybody was to wait; say so once."""
        if is_held == (found.place in self._held_open):
            return
        if is_held:
            self._held_open.add(found.place)
            _log.warning("watch_file_held_open", folder=str(self._settings.path))
        else:
            self._held_open.discard(found.place)

    async def _take_claim(self, claim: Claim) -> None:
        found = claim.found.signature
        try:
            if claim.refuse:
                await self._refuse(claim, claim.refuse)
                return
            if found in self._received:
                pass  # durably, but what was to become of the file then did not work out
            elif claim.structure.kind is Kind.ZIP:
                await self._archives.take(claim)
            elif await self._take_by_rename(claim):
                self._taken(claim)
                return
            else:
                await self._intake.copy(partial(self._fill, claim), self._drop_of(claim))
        except Refused as refusal:
            await self._refuse(claim, refusal.reason)
            return
        self._received.add(found)
        await self._intake.in_thread(partial(self._inbox.finish, claim))
        self._received.discard(found)
        if self._record is not None:
            await self._intake.in_thread(partial(self._record.add, claim.found.signature))
        self._taken(claim)

    def _taken(self, claim: Claim) -> None:
        if self._settings.remove_empty_folders and claim.found.folder:
            self._emptied.add(claim.found.folder)
        self._settling.gone(claim.found)

    def _drop_of(self, claim: Claim) -> Drop:
        return UNKNOWN if self._drops is None else self._drops.of_file(claim.found)

    async def _take_by_rename(self, claim: Claim) -> bool:
        """Take the file itself, where that is possible; it is not in the folder any more then."""
        if self._settings.after != "delete" or claim.copy or claim.structure.head:
            return False
        try:
            self._inbox.close_to_others(claim)
            await self._intake.adopt(claim.held_path, self._drop_of(claim))
        except (CrossDevice, PermissionError):
            return False
        return True

    async def _fill(self, claim: Claim, sink: Sink) -> None:
        """Copy, read again and compare."""
        in_thread = self._intake.in_thread
        written = await in_thread(partial(pour, claim.descriptor, sink, claim.structure.head))
        nowhere = self._intake.interruptible(None)
        read_again = await in_thread(partial(pour, claim.descriptor, nowhere))
        if written != read_again or not self._inbox.is_unchanged(claim):
            raise _Changed

    async def _refuse(self, claim: Claim, reason: str) -> None:
        moved = await self._intake.in_thread(partial(self._inbox.refuse, claim, reason))
        self._events.file_refused(reason)
        _log.warning("watch_file_refused", reason=str(reason), id=claim.id, moved=moved)
        if moved:
            self._settling.gone(claim.found)
        else:
            self._settling.ignore(claim.found)

    # -- small things --

    def _complain(self, event: str, error: OSError | None = None) -> None:
        """Log trouble that will be met again and again, at most once a minute for each kind."""
        code = "" if error is None else errno.errorcode.get(error.errno or 0, "unknown")
        now = self._clock()
        if now - self._complained.get(event + code, float("-inf")) >= _COMPLAIN_AGAIN_S:
            self._complained[event + code] = now
            _log.warning(event, folder=str(self._settings.path), errno=code)


def _wake_from_thread(loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
    if not wake.is_set():
        loop.call_soon_threadsafe(wake.set)
