"""STOW-RS's way into the spool: what `dicomweb.stow` writes becomes a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.records import Origin, Receiver
from dicomweb.errors import InstanceRefused, StoreFull
from dicomweb.identity import identify
from dicomweb.ports import Accepted

if TYPE_CHECKING:
    from daemon.ports import Spool, SpoolFile

CANNOT_UNDERSTAND: Final = 0xC000
_PREFIX: Final = slice(128, 132)
_HEAD_BYTES: Final = 64 * 1024
_MAX_HEAD_BYTES: Final = 4 * 1024 * 1024


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
        self._head = bytearray()
        self._size = 0
        self._look_at = _HEAD_BYTES
        self._is_identified = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises `StoreFull` past a limit."""
        self._size += len(data)
        if len(self._head) < _MAX_HEAD_BYTES and not self._is_identified:
            self._head += data
            self._look()
        try:
            self._file.write(data)
        except (SpoolFull, StoreUnavailable) as error:
            self._events.instance_refused("spool_full")
            raise StoreFull("no room now; send it again later") from error

    async def finish(self) -> Accepted:
        """Make it durable, then name it. What is no DICOM instance is refused before that."""
        identity = identify(bytes(self._head))
        if self._head[_PREFIX] != b"DICM" or not identity.sop_instance_uid:
            self._events.instance_refused("not_dicom")
            raise InstanceRefused(CANNOT_UNDERSTAND, sop_class_uid=identity.sop_class_uid)
        try:
            await self._file.commit()
        except (SpoolFull, StoreUnavailable) as error:
            self._events.instance_refused("spool_full")
            raise StoreFull("no room now; send it again later") from error
        self._events.instance_received(self._size)
        return Accepted(
            identity.study_uid,
            identity.series_uid,
            identity.sop_class_uid,
            identity.sop_instance_uid,
        )

    def abort(self) -> None:
        """Forget the partial instance."""
        self._file.abort()

    def _look(self) -> None:
        """Look whether the head holds enough: at the usual size of a header, then at each doubling."""
        if len(self._head) >= self._look_at:
            self._is_identified = identify(bytes(self._head)).is_complete
            self._look_at = 2 * len(self._head)
