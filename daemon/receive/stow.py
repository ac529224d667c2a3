"""STOW-RS's way into the spool: what `dicomweb.stow` writes becomes a receipt."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.receive.faults import SAYINGS
from daemon.receive.file_gate import FileGate
from daemon.records import Origin, Receiver
from dicomweb.errors import InstanceRefused, StoreFull
from dicomweb.ports import Accepted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.ports import Spool, SpoolFile


_BEGINNING_BYTES: Final = 4096
"""Of what comes, that is handed to the gate at first, which copies it: nearly always enough."""


class StowEvents(Protocol):
    """Told of what happens, for counters."""

    def instance_received(self, size: int) -> None:
        """Count an instance that was made durable; `size` in bytes of the file."""

    def instance_refused(self, reason: str) -> None:
        """Count an instance that was not stored."""


class SpoolSink:
    """Implements `dicomweb.ports.UploadSink` over the spool."""

    def __init__(self, spool: Spool, events: StowEvents) -> None:
        self._spool = spool
        self._events = events

    def open(self, peer: str) -> SpoolUpload:
        """Start receiving an instance; raises `StoreFull`."""
        try:
            file = self._spool.open(Origin(Receiver.STOW, peer=peer))
        except (SpoolFull, StoreUnavailable) as error:
            self._events.instance_refused("spool_full")
            raise StoreFull("no room now; send it again later") from error
        return SpoolUpload(file, self._events)


class SpoolUpload:
    """One part of a request, on its way to the disk. Made by `SpoolSink.open`."""

    def __init__(self, file: SpoolFile, events: StowEvents) -> None:
        self._file = file
        self._events = events
        self._gate = FileGate()
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises `StoreFull` past a limit."""
        with self._full_is_said():
            view = memoryview(data)
            while self._gate.holds_back and view:
                self._put(self._gate.feed(view[:_BEGINNING_BYTES]))
                view = view[_BEGINNING_BYTES:]
            if len(view):
                self._put(self._gate.feed(view))

    async def finish(self) -> Accepted:
        """Make it durable, then name it. What the gate does not let pass is refused before that."""
        with self._full_is_said():
            self._put(self._gate.end())
        fault, address = self._gate.fault(), self._gate.address
        if fault is not None:
            self._events.instance_refused(fault.value)
            saying = SAYINGS[fault]
            raise InstanceRefused(
                saying.status,
                sop_class_uid=address.sop_class_uid,
                sop_instance_uid=address.sop_instance_uid,
                why=saying.text,
            )
        with self._full_is_said():
            await self._file.commit()
        self._events.instance_received(self._size)
        return Accepted(
            address.study_uid, address.series_uid, address.sop_class_uid, address.sop_instance_uid
        )

    def abort(self) -> None:
        """Forget the partial instance."""
        self._file.abort()

    def _put(self, data: bytes | bytearray | memoryview) -> None:
        if len(data):
            self._file.write(data)
            self._size += len(data)

    @contextmanager
    def _full_is_said(self) -> Iterator[None]:
        try:
            yield
        except (SpoolFull, StoreUnavailable) as error:
            self._events.instance_refused("spool_full")
            raise StoreFull("no room now; send it again later") from error
