"""What a file is, and whether all of it is there, read from its headers alone.

A receiver asks this before it takes a file: a Part 10 file goes to the spool as it is, a bare
dataset (PS3.5 7, without the preamble and File Meta Information of PS3.10 7.1) is given the
missing head, FHIR JSON (also in gzip) goes to the spool, too, a zip archive is entered, anything else is
refused. Values are jumped over, never loaded: the cost is that of the element headers, and memory
does not grow with the file.

Nothing is judged here: whether an instance is sound and safe is for the worker process to say.
What this walk does not understand it calls complete and leaves to the worker.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from deid.encoding.transfer_syntaxes import DEFLATED, MAX_DEPTH, UNDEFINED_LENGTH, encoding_of
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.fhir.reading import looks_like_fhir

if TYPE_CHECKING:
    from collections.abc import Callable

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"  # PS3.10 8.6: what a DICOMDIR says it is

_PREAMBLE_BYTES = 128
_META_START = _PREAMBLE_BYTES + 4
_ITEM = (0xFFFE, 0xE000)
_ITEM_END = (0xFFFE, 0xE00D)
_SEQUENCE_END = (0xFFFE, 0xE0DD)
_DEEPEST = 2 * MAX_DEPTH  # sequences and their items
_WINDOW_BYTES = 16384
_ONE_UID = re.compile(rb"[0-2](?:\.[0-9]+){2,}")
_GZIP_START = b"\x1f\x8b"
_FHIR_HEAD = 4096
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


class Kind(Enum):
    """What a file looks like from outside."""

    PART10 = auto()
    BARE = auto()
    DICOMDIR = auto()
    ZIP = auto()
    FHIR = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Structure:
    """What was seen.

    Attributes
    ----------
    complete
        False when an element, item or sequence says that it reaches past the end of the file.
    head
        For a bare dataset: preamble, prefix and File Meta Information that make it a Part 10 file.
    """

    kind: Kind
    complete: bool = True
    head: bytes = b""


class _Incomplete(Exception):
    pass


class _Incomprehensible(Exception):
    pass


def examine(descriptor: int, size: int, *, thorough: bool = True) -> Structure:
    """Return what the open file is.

    Parameters
    ----------
    descriptor
        Readable at any offset; its position is not used.
    size
        Bytes of the file, as the caller saw them.
    thorough
        Whether to walk a Part 10 file to its end to see if all of it is there; without, only its
        File Meta Information is read. (A bare dataset is always walked: nothing else tells what
        it is.)
    """
    return _examine(_Window(lambda count, at: os.pread(descriptor, count, at), size), thorough)


def examine_start(start: bytes, size: int) -> Structure:
    """Return what a stream of `size` bytes is that begins with `start` (some kilobytes).

    A bare dataset cannot be told from its start: what may be one comes back as `Kind.BARE`
    without a head, and has to be looked at by `examine` once all of it is there.
    """
    may_be_bare = start[:4] == b"DICM" or start[:2] in {b"\x02\x00", b"\x08\x00"}
    if may_be_bare and start[_PREAMBLE_BYTES:_META_START] != b"DICM":
        return Structure(Kind.BARE)
    return _examine(_Window(lambda count, at: start[at : at + count], size), thorough=False)


def _examine(view: _Window, thorough: bool) -> Structure:
    start = view.peek(0, _META_START)
    if start[_PREAMBLE_BYTES:] == b"DICM":
        return _part10(view, _META_START, thorough=thorough)
    if start.startswith(_ZIP_STARTS):
        return Structure(Kind.ZIP)
    if start[:4] == b"DICM":
        # Some writers leave out the preamble and keep the prefix.
        return _with_head(_part10(view, 4, thorough=True), bytes(_PREAMBLE_BYTES))
    if start[:2] == b"\x02\x00" and start[4:6] in SHORT_VRS:
        return _with_head(_part10(view, 0, thorough=True), bytes(_PREAMBLE_BYTES) + b"DICM")
    head = view.peek(0, _FHIR_HEAD)
    if looks_like_fhir(_unpacked(head)):
        return Structure(Kind.FHIR, complete=_ends_like_json(view, head))
    return _bare(view)


def _unpacked(head: bytes) -> bytes:
    """Return the beginning of a text, also of one in gzip; bounded, whatever it would unfold to."""
    if head[:2] != _GZIP_START:
        return head
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _FHIR_HEAD)
    except zlib.error:
        return b""


def _ends_like_json(view: _Window, head: bytes) -> bool:
    """Whether a resource may be all there; of one in gzip, nobody knows before it is unpacked."""
    tail = view.peek(max(0, view.size - _FHIR_HEAD), _FHIR_HEAD)
    if head[:2] == _GZIP_START or not tail:
        return True
    return tail.rstrip(b" \t\r\n\x00")[-1:] == b"}"


def _with_head(structure: Structure, head: bytes) -> Structure:
    if structure.kind is not Kind.PART10:
        return structure
    return Structure(Kind.BARE, structure.complete, head)


def _part10(view: _Window, position: int, *, thorough: bool) -> Structure:
    """Walk File Meta Information (Explicit VR Little Endian, PS3.10 7.1), then the dataset."""
    meta: dict[tuple[int, int], bytes] = {}
    try:
        while view.peek(position, 2) == b"\x02\x00":
            tag, _, length, value = _element_header(view, position, explicit=True, order="<")
            if tag in {(0x0002, 0x0002), (0x0002, 0x0010)}:
                meta[tag] = view.bytes(value, length)
            position = view.skip(value, length)
    except _Incomplete:
        return Structure(Kind.PART10, complete=False)
    except _Incomprehensible:
        return Structure(Kind.PART10)
    if _text(meta.get((0x0002, 0x0002), b"")) == MEDIA_STORAGE_DIRECTORY:
        return Structure(Kind.DICOMDIR)
    transfer_syntax = _text(meta.get((0x0002, 0x0010), b""))
    if not thorough or transfer_syntax in DEFLATED:
        return Structure(Kind.PART10)
    encoding = encoding_of(transfer_syntax)
    try:
        _walk(
            view,
            position,
            explicit=encoding.explicit,
            order=">" if encoding.big_endian else "<",
        )
    except _Incomplete:
        return Structure(Kind.PART10, complete=False)
    except _Incomprehensible:
        pass
    return Structure(Kind.PART10)


def _bare(view: _Window) -> Structure:
    """Guess the encoding of a bare dataset; walking it to the end proves the guess."""
    first = view.peek(0, 8)
    if len(first) < 8 or first[:2] != b"\x08\x00":
        return Structure(Kind.OTHER)
    explicit = first[4:6] in SHORT_VRS or first[4:6] in LONG_VRS
    uids: dict[tuple[int, int], bytes] = {}
    complete = True
    try:
        _walk(view, 0, explicit=explicit, order="<", uids=uids, ascending=True)
    except _Incomplete:
        complete = False
    except _Incomprehensible:
        return Structure(Kind.OTHER)
    sop_class, sop_instance = uids.get((0x0008, 0x0016), b""), uids.get((0x0008, 0x0018), b"")
    if not (_ONE_UID.fullmatch(sop_class) and _ONE_UID.fullmatch(sop_instance)):
        return Structure(Kind.OTHER)
    syntax = (EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE).encode()
    return Structure(Kind.BARE, complete, _head(sop_class, sop_instance, syntax))


def _walk(
    view: _Window,
    position: int,
    *,
    explicit: bool,
    order: str,
    uids: dict[tuple[int, int], bytes] | None = None,
    ascending: bool = False,
) -> None:
    """Jump from element to element up to the end of the file.

    Only values of undefined length are entered. `uids` receives SOP Class UID and SOP Instance UID
    of the top level. With `ascending`, top-level tags must ascend (PS3.5 7.1).
    """
    # One entry for every sequence or item of undefined length that is open: was the outside
    # explicit?
    outside: list[bool] = []
    previous = (-1, -1)
    while position < view.size:
        tag, vr, length, value = _element_header(view, position, explicit=explicit, order=order)
        if tag in {_ITEM_END, _SEQUENCE_END}:
            if not outside:
                raise _Incomprehensible
            explicit = outside.pop()
            position = value
            continue
        if not outside:
            if tag == _ITEM or (ascending and tag <= previous):
                raise _Incomprehensible
            previous = tag
            if uids is not None and tag in {(0x0008, 0x0016), (0x0008, 0x0018)} and length <= 64:
                uids[tag] = view.bytes(value, length).rstrip(b"\x00 ")
        if length == UNDEFINED_LENGTH:
            if len(outside) >= _DEEPEST:
                raise _Incomprehensible
            outside.append(explicit)
            # PS3.5 6.2.2: a UN value of undefined length is encoded as Implicit VR Little Endian.
            explicit = explicit and vr != b"UN"
            position = value
        else:
            position = view.skip(value, length)
    if outside:
        raise _Incomplete


def _element_header(
    view: _Window, position: int, *, explicit: bool, order: str
) -> tuple[tuple[int, int], bytes, int, int]:
    """Return tag, VR, value length and where the value starts (PS3.5 7.1.2, 7.1.3, 7.5)."""
    header = view.peek(position, 12)
    if len(header) < 8:
        raise _Incomplete
    group, element = struct.unpack_from(f"{order}HH", header)
    if group == 0xFFFE or not explicit:
        (length,) = struct.unpack_from(f"{order}I", header, 4)
        return (group, element), b"", length, position + 8
    vr = header[4:6]
    if vr in SHORT_VRS:
        (length,) = struct.unpack_from(f"{order}H", header, 6)
        return (group, element), vr, length, position + 8
    if vr not in LONG_VRS:
        raise _Incomprehensible
    if len(header) < 12:
        raise _Incomplete
    (length,) = struct.unpack_from(f"{order}I", header, 8)
    return (group, element), vr, length, position + 12


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and the File Meta Information that PS3.10 7.1 demands."""
    return _head(sop_class_uid.encode(), sop_instance_uid.encode(), transfer_syntax_uid.encode())


def _head(sop_class: bytes, sop_instance: bytes, transfer_syntax: bytes) -> bytes:
    """Return preamble, prefix and the File Meta Information that PS3.10 7.1 demands."""
    meta = b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01"
    for element, value in ((0x0002, sop_class), (0x0003, sop_instance), (0x0010, transfer_syntax)):
        padded = value + b"\x00" * (len(value) % 2)
        meta += struct.pack("<HH2sH", 0x0002, element, b"UI", len(padded)) + padded
    # Implementation Class UID is type 1: the receiver that wrote this head is who it names.
    implementation = b"2.25.270381875839323545239366677825339064511"
    implementation += b"\x00" * (len(implementation) % 2)
    meta += struct.pack("<HH2sH", 0x0002, 0x0012, b"UI", len(implementation)) + implementation
    group_length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(meta))
    return bytes(_PREAMBLE_BYTES) + b"DICM" + group_length + meta


def _text(value: bytes) -> str:
    return value.rstrip(b"\x00 ").decode("ascii", "replace")


class _Window:
    """A small piece of the file kept at hand, so that near-by headers cost no system call."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self.size = size
        self._read = read
        self._start = 0
        self._held = b""

    def peek(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes at `position`; fewer at the end of the file."""
        offset = position - self._start
        if offset < 0 or offset + count > len(self._held):
            self._held = self._read(_WINDOW_BYTES, position)
            self._start, offset = position, 0
        return self._held[offset : offset + count]

    def bytes(self, position: int, count: int) -> bytes:
        """Return exactly `count` bytes of a short value."""
        if count > _WINDOW_BYTES:
            raise _Incomprehensible
        value = self.peek(position, count)
        if len(value) < count:
            raise _Incomplete
        return value

    def skip(self, position: int, count: int) -> int:
        """Return the position after a value, which must lie within the file."""
        if position + count > self.size:
            raise _Incomplete
        return position + count
