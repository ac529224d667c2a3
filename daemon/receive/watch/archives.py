"""The taking of one zip archive: every entry into the spool, what is no instance aside."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING

import structlog

from daemon.errors import Refused, first_of
from daemon.receive.archive import WHOLE, Archive, ArchiveReason, Entry
from daemon.receive.file_gate import FileGate
from daemon.receive.structure import Kind, Structure, examine_start
from daemon.receive.watch.drops import UNKNOWN
from daemon.receive.watch.intake import Intake, Stopping
from daemon.receive.watch.reasons import WatchReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.receive.archive import ArchiveLimits
    from daemon.receive.watch.claims import Claim
    from daemon.receive.watch.descriptors import Sink
    from daemon.receive.watch.drops import Drop, Drops
    from daemon.receive.watch.events import WatchEvents
    from daemon.receive.watch.inbox import Inbox

_log = structlog.get_logger(__name__)
_CHUNK_BYTES = 1 << 20
_START_BYTES = 1 << 16


class Archives:
    """Takes the archives of one watched folder.

    Parameters
    ----------
    in_flight
        Entries being taken at the same time, of one archive.
    """

    def __init__(
        self,
        intake: Intake,
        inbox: Inbox,
        events: WatchEvents,
        limits: ArchiveLimits,
        in_flight: int,
        *,
        drops: Drops | None = None,
    ) -> None:
        self._drops = drops
        self._intake = intake
        self._inbox = inbox
        self._events = events
        self._limits = limits
        self._in_flight = in_flight

    def _drop_of(self, claim: Claim, entry: Entry) -> Drop:
        return UNKNOWN if self._drops is None else self._drops.of_entry(claim.found, entry.name)

    async def take(self, claim: Claim) -> None:
        """Spool every entry; entries that are refused are laid into ``.refused`` one by one.

        Raises
        ------
        Refused
            When the archive as a whole goes to ``.refused``: nothing usable is in it, it is
            broken or a bomb, or something is in it that cannot be taken out.
        """
        in_thread = self._intake.in_thread
        with os.fdopen(os.dup(claim.descriptor), "rb") as file:
            opening = partial(Archive, file, self._limits)
            with await in_thread(opening) as archive:
                reasons = await _Entries(
                    self._intake, archive, self._in_flight, partial(self._drop_of, claim)
                ).take()
                entries = list(archive.entries())
                if len(reasons) == len(entries):
                    codes = set(reasons.values())
                    raise Refused(codes.pop() if len(codes) == 1 else WatchReason.NOT_DICOM)
                stuck = ""
                for entry in entries:
                    reason = reasons.get(entry.index, "")
                    if reason and (entry.reason or reason == ArchiveReason.BROKEN):
                        stuck = stuck or reason
                    elif reason:
                        await in_thread(partial(self._lay_aside, claim, archive, entry, reason))
                        self._events.file_refused(reason)
                        _log.warning("watch_entry_refused", reason=str(reason), archive=claim.id)
                if stuck:
                    raise Refused(stuck)

    def _lay_aside(self, claim: Claim, archive: Archive, entry: Entry, reason: str) -> None:
        with (
            archive.open(entry.index) as reader,
            self._inbox.refused_entry(claim, entry.name, reason) as refused,
        ):
            sink = self._intake.interruptible(refused)
            while data := reader.read(_CHUNK_BYTES):
                sink.write(data)


class _Entries:
    """Takes the entries of one archive, several commits at a time, one reader at a time."""

    def __init__(
        self,
        intake: Intake,
        archive: Archive,
        in_flight: int,
        drop_of: Callable[[Entry], Drop],
    ) -> None:
        self._intake = intake
        self._archive = archive
        self._drop_of = drop_of
        self._reading = asyncio.Lock()
        self._slots = asyncio.Semaphore(in_flight)
        self._reasons: dict[int, str] = {}

    async def take(self) -> dict[int, str]:
        """Return why entries were refused, by index. Raises `Refused` for the whole archive."""
        try:
            async with asyncio.TaskGroup() as group:
                for entry in self._archive.entries():
                    if entry.reason:
                        self._reasons[entry.index] = entry.reason
                        continue
                    await self._slots.acquire()
                    group.create_task(self._take(entry))
        except BaseExceptionGroup as errors:
            error = first_of(errors, Refused, Stopping, OSError)
            if error is None:
                raise
            raise error from None
        return self._reasons

    async def _take(self, entry: Entry) -> None:
        try:
            await self._intake.copy(partial(self._fill, entry), self._drop_of(entry))
        except Refused as refusal:
            if refusal.reason in WHOLE - {ArchiveReason.BROKEN}:
                raise
            self._reasons[entry.index] = refusal.reason
        finally:
            self._slots.release()

    async def _fill(self, entry: Entry, sink: Sink) -> None:
        async with self._reading:
            await self._intake.in_thread(partial(_pour_entry, self._archive, entry, sink))


def _pour_entry(archive: Archive, entry: Entry, sink: Sink) -> None:
    with archive.open(entry.index) as reader:
        start = b""
        while len(start) < _START_BYTES and (data := reader.read(_START_BYTES - len(start))):
            start += data
        structure = examine_start(start, entry.size)
        _refuse_unless_wanted(structure)
        data = start
        if structure.kind is Kind.FHIR:
            while data:
                sink.write(data)
                data = reader.read(_CHUNK_BYTES)
            return
        gate = FileGate()
        while data:
            sink.write(gate.feed(data))
            data = reader.read(_CHUNK_BYTES)
        sink.write(gate.end())
    fault = gate.fault()
    if fault is not None:
        raise Refused(fault.value)


def _refuse_unless_wanted(structure: Structure) -> None:
    reasons = {
        Kind.DICOMDIR: WatchReason.DICOMDIR,
        Kind.OTHER: WatchReason.NOT_DICOM,
        Kind.ZIP: ArchiveReason.NESTED,
    }
    if structure.kind in reasons:
        raise Refused(reasons[structure.kind])
