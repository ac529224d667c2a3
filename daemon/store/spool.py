"""Where received instances become durable, and with that acknowledged.

The order, for every instance, shared by all that wait at the same moment (see
`daemon.store.sqlite.database`):

1. the bytes are streamed into ``spool/<id>.part`` (new, 0600, never through a link); of one that
   comes alone, the disk begins to write before it is whole, so that 3 finds less to do;
2. rename of each to ``spool/<id>``;
3. fdatasync of each file: the first commits the file system's journal, which holds the new names of
   all of them too, so that the rest of 3 and 4 finds little to do (the other way round each
   instance waits for two journal commits);
4. one fsync of the folder;
5. one database transaction with a row for each;
6. only now the callers return, and the peers are told.

Killed before 5: the peer was told nothing. A ``.part`` or a file without a row is removed at the
next start. A file from a watched folder, though, has no peer that would send it again: it is
fsynced first, and before its rename into the spool an *intent* row is committed. At the next start
an intent with a file becomes a receipt, an intent without one is forgotten, for then the file is
still in its inbox. So at every moment a dropped file is in its inbox or will be found in the spool
(`daemon.store.recovery`).

Killed between 5 and 6: the peer does not know and sends again; the second is a duplicate.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from daemon.errors import CrossDevice, DaemonError, Refused, SpoolFull, StoreUnavailable
from daemon.records import Receipt
from daemon.store.files.early_writing import EarlyWriting
from daemon.store.files.folders import current_folder, make_private_folder, refusal
from daemon.store.layout import FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from config.settings import Spool
    from daemon.records import Origin
    from daemon.store.ports import Database, Session

PART_SUFFIX: Final = ".part"
_FOLDER_PERIOD_S: Final = 16
_DISK_CHECK_PERIOD_S: Final = 1.0
_EARLY_BYTES: Final = 192 * 1024
"""Of an instance that comes alone, the disk is given so much at a time while the rest comes."""
_LONE_IN_A_ROW: Final = 4
"""Between two groups of senders that share a flush one is alone for a moment, too."""

_NEW_PART: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_EXISTING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """What may wait at most. Past any of these, receiving answers "full" instead of growing.

    Attributes
    ----------
    max_waiting_instances, max_waiting_bytes, min_free_bytes
        As the site decided (`config.settings.Spool`). What waits is acknowledged and not yet settled, or
        being received.
    max_instance_bytes
        One instance, file meta included.
    """

    max_waiting_instances: int
    max_waiting_bytes: int
    min_free_bytes: int
    max_instance_bytes: int

    @classmethod
    def of(cls, section: Spool, *, max_instance_bytes: int = 1 << 62) -> Self:
        """Return what a site decided."""
        return cls(
            section.max_instances, section.max_bytes, section.min_free_bytes, max_instance_bytes
        )


def new_id(now: float) -> str:
    """Return 32 hex digits: 4 that change every 16 seconds, and 112 random bits.

    The first four name the blob's folder, so that instances that arrive together share one, and one
    folder fsync.
    """
    return f"{int(now) // _FOLDER_PERIOD_S & 0xFFFF:04x}{secrets.token_hex(14)}"


class _Gauge:
    """How full the spool is. Read by the event loop, updated by the writer's thread as well."""

    def __init__(self, folder: Path, limits: SpoolLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._lock = threading.Lock()
        self._waiting_instances = 0
        self._waiting_bytes = 0
        self._open_instances = 0
        self._alone_in_a_row = _LONE_IN_A_ROW
        self._open_bytes = 0
        self._disk_checked_at = float("-inf")
        self._free_bytes = 0

    def note_waiting(self, session: Session) -> None:
        """Take the number of waiting receipts from the tallies."""
        self._waiting_instances, self._waiting_bytes = session.figures.waiting()

    def is_full(self) -> bool:
        """Tell whether the number of waiting instances is at its limit."""
        return (
            self._waiting_instances + self._open_instances >= self._limits.max_waiting_instances
            or self._waiting_bytes + self._open_bytes >= self._limits.max_waiting_bytes
        )

    @property
    def comes_alone(self) -> bool:
        """Whether instances come one at a time: of several, one is flushed while others come."""
        return self._open_instances == 1 and self._alone_in_a_row >= _LONE_IN_A_ROW

    def enter(self) -> None:
        """Count one more that is being received, or raise `SpoolFull`."""
        if self.is_full():
            raise SpoolFull("too much is waiting to be processed")
        self.check_disk()
        with self._lock:
            self._alone_in_a_row = 0 if self._open_instances else self._alone_in_a_row + 1
            self._open_instances += 1

    def grow(self, added: int, size: int) -> None:
        """Count bytes of one that is being received, `size` in all, or raise `SpoolFull`."""
        if size > self._limits.max_instance_bytes:
            raise SpoolFull("the instance is larger than the limit")
        if self._waiting_bytes + self._open_bytes + added > self._limits.max_waiting_bytes:
            raise SpoolFull("too many bytes are waiting to be processed")
        self.check_disk()
        with self._lock:
            self._open_bytes += added

    def leave(self, size: int) -> None:
        """Stop counting one that was being received."""
        with self._lock:
            self._open_instances -= 1
            self._open_bytes -= size

    def check_disk(self) -> None:
        """Raise `SpoolFull` if the disk has too little room left, as of at most a second ago."""
        now = time.monotonic()
        if now - self._disk_checked_at >= _DISK_CHECK_PERIOD_S:
            try:
                disk = os.statvfs(self._folder)
            except OSError as error:
                raise refusal(error) from error
            self._free_bytes = disk.f_bavail * disk.f_frsize
            self._disk_checked_at = now
        if self._free_bytes < self._limits.min_free_bytes:
            raise SpoolFull("the disk is nearly full")


@dataclass(slots=True, eq=False)
class _Arrival:
    """One instance on its way through `_Committing`."""

    receipt: Receipt
    descriptor: int | None
    taken_from: Path | None = None
    is_in_spool: bool = False

    def flush(self) -> None:
        """Make the content durable."""
        assert self.descriptor is not None
        os.fdatasync(self.descriptor)
        self.close()

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class _Committing:
    """The disk half of the commit, run in the writer's thread for all that wait."""

    def __init__(self, folder: Path, gauge: _Gauge) -> None:
        self._folder = folder
        self._gauge = gauge
        self._folder_descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        if self._folder_descriptor >= 0:
            os.close(self._folder_descriptor)
            self._folder_descriptor = -1

    def prepare(self, session: Session, works: Sequence[_Arrival]) -> dict[int, Exception]:
        try:
            return self._make_durable(session, works)
        finally:
            for arrival in works:
                if arrival.taken_from is None:
                    self._gauge.leave(arrival.receipt.size)

    def _make_durable(self, session: Session, works: Sequence[_Arrival]) -> dict[int, Exception]:
        failures: dict[int, Exception] = {}
        for position, arrival in enumerate(works):
            try:
                if arrival.taken_from is None:
                    self._move_in(arrival)
                else:
                    arrival.descriptor = _open_to_take(arrival.taken_from)
                    os.fsync(arrival.descriptor)
            except (OSError, DaemonError) as error:
                failures[position] = error
        taken = [
            arrival.receipt
            for position, arrival in enumerate(works)
            if arrival.taken_from is not None and position not in failures
        ]
        if taken:
            with session.atomically():
                session.intents.add(taken)
        for position, arrival in enumerate(works):
            if position not in failures:
                try:
                    if arrival.taken_from is None:
                        arrival.flush()
                    else:
                        self._take_in(arrival)
                except (OSError, DaemonError) as error:
                    failures[position] = error
        self._folder_descriptor = current_folder(self._folder_descriptor, self._folder)
        os.fsync(self._folder_descriptor)
        return failures

    def _move_in(self, arrival: _Arrival) -> None:
        """Give an instance that came over the network its name in the spool."""
        target = self._folder / arrival.receipt.id
        target.with_name(target.name + PART_SUFFIX).rename(target)
        arrival.is_in_spool = True

    def _take_in(self, arrival: _Arrival) -> None:
        """Rename a file of somebody else's into the spool, and make sure that it is still the same."""
        assert arrival.taken_from is not None
        target = self._folder / arrival.receipt.id
        try:
            arrival.taken_from.rename(target)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise CrossDevice from error
            raise
        arrival.is_in_spool = True
        assert arrival.descriptor is not None
        if not os.path.samestat(os.fstat(arrival.descriptor), target.lstat()):
            raise Refused("changed_while_taken")
        os.fchmod(arrival.descriptor, FILE_MODE)
        arrival.close()

    def undo(self, session: Session, works: Sequence[_Arrival]) -> None:
        returned = []
        for arrival in works:
            with suppress(OSError):
                arrival.close()
            inside = self._folder / arrival.receipt.id
            with suppress(OSError):
                if arrival.taken_from is None:
                    inside.unlink(missing_ok=True)
                    inside.with_name(inside.name + PART_SUFFIX).unlink(missing_ok=True)
                    continue
                if arrival.is_in_spool:
                    # Not by rename, which would overwrite a new file of that name. If the name is
                    # taken the file stays here with its intent, and the next start finds it.
                    os.link(inside, arrival.taken_from, follow_symlinks=False)
                    inside.unlink()
                returned.append(arrival.receipt.id)
        if returned:
            session.intents.remove(returned)


def _open_to_take(path: Path) -> int:
    """Return a descriptor of a file that may be renamed away, or raise `Refused`."""
    try:
        descriptor = os.open(path, _EXISTING)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise Refused("not_a_regular_file") from error
        raise
    try:
        check_regular(os.fstat(descriptor))
    except Refused:
        os.close(descriptor)
        raise
    return descriptor


def check_regular(status: os.stat_result) -> None:
    """Raise `Refused` unless it is a regular file with one name."""
    if not stat.S_ISREG(status.st_mode):
        raise Refused("not_a_regular_file")
    if status.st_nlink != 1:
        raise Refused("has_other_links")


class FileSpool:
    """The spool in a folder of this machine (see the module's text). Implements `daemon.ports.Spool`."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        limits: SpoolLimits,
        *,
        clock: Callable[[], float] = time.time,
        arrived: Callable[[Receipt], None] = lambda _receipt: None,
        early: EarlyWriting | None = None,
    ) -> None:
        self.folder = make_private_folder(folder)
        self._database = database
        self._clock = clock
        self._arrived = arrived
        self._limits = limits
        self._gauge = _Gauge(self.folder, limits)
        self._committing = _Committing(self.folder, self._gauge)
        self._early = early or EarlyWriting()
        database.call_after_commit(self._gauge.note_waiting)

    async def start(self) -> None:
        """Read how much is waiting already."""
        await self._database.read(self._gauge.note_waiting)

    def close(self) -> None:
        """Let go of the folder, after the database was closed."""
        self._early.close()
        self._committing.close()

    def is_full(self) -> bool:
        """Tell whether an instance would be turned away now because too much waits."""
        return self._gauge.is_full()

    def open(self, origin: Origin) -> FileSpoolFile:
        """Start receiving one instance.

        Raises
        ------
        SpoolFull
            If too much is waiting or the disk is nearly full.
        StoreUnavailable
            If the folder cannot be written to.
        """
        self._gauge.enter()
        now = self._clock()
        receipt_id = new_id(now)
        path = self.folder / (receipt_id + PART_SUFFIX)
        try:
            descriptor = os.open(path, _NEW_PART, FILE_MODE)
        except OSError as error:
            self._gauge.leave(0)
            raise refusal(error) from error
        return FileSpoolFile(self, origin, now, receipt_id, path, descriptor)

    async def adopt(self, path: Path, origin: Origin) -> Receipt:
        """Take a file of the same file system by rename, durably, without copying.

        Raises
        ------
        CrossDevice
            If it is on another file system; it is untouched.
        Refused
            If it is not a regular file with exactly one name (``not_a_regular_file``,
            ``has_other_links``), was swapped meanwhile (``changed_while_taken``) or is larger than
            an instance may be (``too_large``).
        SpoolFull, StoreUnavailable
            If it cannot be taken now. The file is back where it was.
        """
        if self._gauge.is_full():
            raise SpoolFull("too much is waiting to be processed")
        self._gauge.check_disk()
        try:
            status = os.lstat(path)
        except OSError as error:
            raise refusal(error) from error
        check_regular(status)
        if status.st_size > self._limits.max_instance_bytes:
            raise Refused("too_large")
        now = self._clock()
        arrival = _Arrival(Receipt(new_id(now), origin, now, status.st_size), None, taken_from=path)
        return await self._commit(arrival)

    async def _commit(self, arrival: _Arrival) -> Receipt:
        receipt = arrival.receipt

        def insert(session: Session) -> None:
            session.receipts.insert(receipt)
            if arrival.taken_from is not None:
                session.intents.remove([receipt.id])

        await self._database.write_staged(self._committing, arrival, insert)
        self._arrived(receipt)
        return receipt


class FileSpoolFile:
    """One instance being received. Made by `FileSpool.open`; implements `daemon.ports.SpoolFile`."""

    __slots__ = (
        "_descriptor",
        "_early_size",
        "_origin",
        "_path",
        "_receipt_id",
        "_received_at",
        "_size",
        "_spool",
    )

    def __init__(
        self,
        spool: FileSpool,
        origin: Origin,
        received_at: float,
        receipt_id: str,
        path: Path,
        descriptor: int,
    ) -> None:
        self._spool = spool
        self._origin = origin
        self._received_at = received_at
        self._receipt_id = receipt_id
        self._path = path
        self._descriptor: int | None = descriptor
        self._size = self._early_size = 0

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes, straight to the file.

        Raises
        ------
        SpoolFull
            Past a limit or when the disk is full; `abort` it then.
        StoreUnavailable
            If the disk refuses otherwise, or the file was ended already.
        """
        if self._descriptor is None:
            raise StoreUnavailable("this instance was ended already")
        added = len(data) if not isinstance(data, memoryview) else data.nbytes
        self._spool._gauge.grow(added, self._size + added)  # noqa: SLF001 - one part of the spool
        self._size += added
        try:
            written = os.write(self._descriptor, data)
            while written < added:
                written += os.write(self._descriptor, memoryview(data).cast("B")[written:])
        except OSError as error:
            raise refusal(error) from error
        if self._size - self._early_size >= _EARLY_BYTES and self._spool._gauge.comes_alone:  # noqa: SLF001 - as above
            self._early_size = self._size
            self._spool._early.begin(self._descriptor)  # noqa: SLF001 - as above

    async def commit(self) -> Receipt:
        """Make it durable: file, folder, row. From here on `abort` does nothing, even if cancelled.

        Raises
        ------
        SpoolFull, StoreUnavailable
            If it could not be made durable; nothing of it is left behind.
        """
        if self._descriptor is None:
            raise StoreUnavailable("this instance was ended already")
        if self._spool._database.is_closing:  # noqa: SLF001 - one part of the spool
            self.abort()
            raise StoreUnavailable("the database is closed")
        receipt = Receipt(self._receipt_id, self._origin, self._received_at, self._size)
        arrival = _Arrival(receipt, self._descriptor)
        self._descriptor = None  # the writer's thread closes it
        return await self._spool._commit(arrival)  # noqa: SLF001 - one part of the spool

    def abort(self) -> None:
        """Forget it and remove the partial file; does nothing after `commit`, and the second time."""
        if self._descriptor is None:
            return
        os.close(self._descriptor)
        self._descriptor = None
        self._spool._gauge.leave(self._size)  # noqa: SLF001 - one part of the spool
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
