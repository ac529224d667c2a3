"""The gate for what comes as a file (PS3.10): its File Meta Information is the envelope.

Files without preamble, without File Meta Information even, are taken as well: what they lack is written
before them, so that what is stored is a Part 10 file. Until that is known the first bytes are held back.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from daemon.receive.faults import Fault
from daemon.receive.gate import Address, Envelope, Gate
from daemon.receive.structure import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    MEDIA_STORAGE_DIRECTORY,
    file_meta,
)
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS

if TYPE_CHECKING:
    from daemon.receive.data_set_walk import Bytes

_PREAMBLE_BYTES: Final = 128
_START: Final = _PREAMBLE_BYTES + 4
_FIRST_LOOK_BYTES: Final = 512
_MOST_HELD: Final = 1 << 20
_CHUNK_BYTES: Final = 64 << 10
_SOP_CLASS: Final = 0x0002
_SOP_INSTANCE: Final = 0x0003
_TRANSFER_SYNTAX: Final = 0x0010
_KEPT: Final = frozenset({_SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX})
_NOWHERE: Final = Address("", "", "", "")


class FileGate:
    """Sees one file go by, and judges it at its end."""

    def __init__(self) -> None:
        self._held: bytearray | None = bytearray()
        self._look_at = _FIRST_LOOK_BYTES
        self._gate: Gate | None = None
        self._is_directory = False
        self._is_cut_short = False

    @property
    def address(self) -> Address:
        """The UIDs seen so far."""
        return _NOWHERE if self._gate is None else self._gate.address

    @property
    def has_seen_enough(self) -> bool:
        """Whether the rest, whatever it is, changes nothing; there is then nothing held back."""
        return self._held is None and (self._gate is None or self._gate.has_seen_enough)

    @property
    def skippable(self) -> int:
        """How many of the next bytes may be passed by unread."""
        return 0 if self._held is not None or self._gate is None else self._gate.skippable

    @property
    def holds_back(self) -> bool:
        """Whether it is not clear yet what the first bytes are: what is fed now is copied."""
        return self._held is not None

    def skip(self, count: int) -> None:
        """Pass so many bytes by."""
        assert self._gate is not None
        self._gate.skip(count)

    def feed(self, data: Bytes) -> Bytes:
        """See the next bytes; return what is to be written for them, which may be more or nothing yet."""
        if self._held is None:
            if self._gate is not None:
                self._gate.feed(data)
            return data
        self._held += data
        if len(self._held) < self._look_at:
            return b""
        # At each doubling, lest bytes that drip in are looked at again and again.
        self._look_at = 2 * len(self._held)
        return self._begun(bytes(self._held), is_all=False)

    def end(self) -> Bytes:
        """Return what is still to be written."""
        return b"" if self._held is None else self._begun(bytes(self._held), is_all=True)

    def fault(self) -> Fault | None:
        """Return why the file, once `end` was called, may not be acknowledged."""
        if self._is_directory:
            return Fault.DICOMDIR
        if self._is_cut_short:
            return Fault.TRUNCATED
        return Fault.NOT_DICOM if self._gate is None else self._gate.fault()

    def _begun(self, held: bytes, *, is_all: bool) -> bytes:
        """Return the held bytes, with what was missing before them, once it is clear what they are."""
        if held[_PREAMBLE_BYTES:_START] == b"DICM":
            start, head = _START, b""
        elif held[:4] == b"DICM":
            start, head = 4, bytes(_PREAMBLE_BYTES)
        elif held[:2] == b"\x02\0":
            start, head = 0, bytes(_PREAMBLE_BYTES) + b"DICM"
        elif held[:2] == b"\x08\0":
            return self._bare(held, is_all=is_all)
        else:
            return self._given_up(held)
        return self._part10(held, start, head, is_all=is_all)

    def _part10(self, held: bytes, start: int, head: bytes, *, is_all: bool) -> bytes:
        meta, end = _read_meta(held, start, is_all=is_all)
        if end is None:
            if is_all:
                self._is_cut_short = len(held) > start
            return self._given_up(held) if is_all or len(held) > _MOST_HELD else b""
        if end < 0:
            return self._given_up(held)
        self._is_directory = meta.get(_SOP_CLASS) == MEDIA_STORAGE_DIRECTORY
        envelope = Envelope(
            meta.get(_TRANSFER_SYNTAX, ""), meta.get(_SOP_CLASS, ""), meta.get(_SOP_INSTANCE, "")
        )
        return self._opened(envelope, held, end, head)

    def _bare(self, held: bytes, *, is_all: bool) -> bytes:
        """Make a head for a data set alone, from its own SOP Class and Instance UID."""
        is_explicit = held[4:6] in LONG_VRS or held[4:6] in SHORT_VRS
        syntax = EXPLICIT_LITTLE if is_explicit else IMPLICIT_LITTLE
        gate = Gate(Envelope(syntax))
        gate.feed(held)
        found = gate.address
        if not (found.sop_class_uid and found.sop_instance_uid):
            if not is_all and len(held) <= _MOST_HELD and not gate.has_seen_enough:
                return b""
            head = b""  # it will be refused
        else:
            head = file_meta(found.sop_class_uid, found.sop_instance_uid, syntax)
        self._gate, self._held = gate, None
        return head + held

    def _opened(self, envelope: Envelope, held: bytes, start: int, head: bytes) -> bytes:
        self._gate, self._held = Gate(envelope), None
        if len(held) > start:
            self._gate.feed(held[start:])
        return head + held

    def _given_up(self, held: bytes) -> bytes:
        self._held = None
        return held


def judge_file(descriptor: int, size: int) -> Fault | None:
    """Return why an open file of so many bytes may not be acknowledged, reading no more than needed."""
    gate = FileGate()
    position = 0
    while position < size and not gate.has_seen_enough:
        if gate.skippable:
            count = min(gate.skippable, size - position)
            gate.skip(count)
            position += count
            continue
        data = os.pread(descriptor, min(_CHUNK_BYTES, size - position), position)
        if not data:
            break
        gate.feed(data)
        position += len(data)
    gate.end()
    return gate.fault()


def _read_meta(data: bytes, position: int, *, is_all: bool) -> tuple[dict[int, str], int | None]:
    """Return the elements of group 0002 that are of use, and where the data set begins.

    None where the end of the group has not come yet, -1 where it is not Explicit VR Little Endian
    (PS3.10 7.1).
    """
    found: dict[int, str] = {}
    while True:
        header = data[position : position + 12]
        if len(header) >= 2 and header[:2] != b"\x02\0":
            return found, position
        if not header and found and is_all:
            return found, position
        if len(header) < 8:
            return found, None
        vr = header[4:6]
        if vr in SHORT_VRS:
            size, length = 8, int.from_bytes(header[6:8], "little")
        elif vr in LONG_VRS:
            size, length = 12, int.from_bytes(header[8:12], "little")
        else:
            return found, -1
        end = position + size + length
        if end > len(data):
            return found, None
        number = int.from_bytes(header[2:4], "little")
        if number in _KEPT:
            value = data[position + size : end]
            found[number] = value.decode("ascii", "replace").rstrip("\0 ")
        position = end
