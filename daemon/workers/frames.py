"""How the daemon and a worker process talk: length-prefixed frames of JSON and raw bytes.

::

    0      kind           1 byte, a `Kind`
    1      field count    uint16, big endian
    3      JSON length    uint32, big endian
    7      field lengths  uint64 each, big endian
    ...    JSON document, then the fields, one after the other

Nothing in a frame can name code to run, unlike a pickle: a worker that was taken over by what it
parsed can send wrong answers, which the daemon checks, but not commands.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import orjson

_PREFIX = struct.Struct(">BHI")
_FIELD_BYTES = 8
_MAX_FIELDS = 64
MAX_FRAME_BYTES = 512 * 1024 * 1024


class Kind(IntEnum):
    """What a frame means."""

    START = 1  # to the worker: what to run, its settings, its secret
    READY = 2  # from the worker: started
    JOB = 3  # to the worker
    REPLY = 4  # from the worker: the callable's answer
    RAISED = (
        5  # from the worker: the callable (or the start) raised; the type and a trace, no values
    )
    MEMORY = 6  # from the worker: the job needs more memory than there is
    PIXELS = 7  # from the worker: how many pixels or bytes of text it is about to look at


_KINDS = frozenset(Kind)


class FrameError(Exception):
    """Bytes that are no frame, or one larger than anybody would send."""


@dataclass(frozen=True, slots=True)
class Message:
    """A JSON object and raw byte fields that belong to it."""

    header: dict[str, Any]
    fields: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """A message on the wire, and what it means."""

    kind: Kind
    message: Message


def encode(kind: Kind, message: Message) -> bytes:
    """Return the bytes of one frame."""
    document = _document(message.header)
    lengths = [len(data) for data in message.fields]
    if sum(lengths) + len(document) > MAX_FRAME_BYTES:
        raise FrameError("frame too large")
    return b"".join(
        (
            _PREFIX.pack(kind, len(lengths), len(document)),
            struct.pack(f">{len(lengths)}Q", *lengths),
            document,
            *message.fields,
        )
    )


def _document(header: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(header)
    except TypeError:
        # Lone surrogates, which is how Python spells undecodable bytes of paths, are in ASCII JSON alone.
        return json.dumps(header, separators=(",", ":")).encode("ascii")


@dataclass(slots=True)
class Decoder:
    """Turns a stream of bytes, cut anywhere, back into frames.

    Attributes
    ----------
    max_bytes
        A frame that announces more than this is refused before anything of it is kept.
    """

    max_bytes: int = MAX_FRAME_BYTES
    _buffer: bytearray = field(default_factory=bytearray)
    _needed: int = _PREFIX.size

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete now. Raises `FrameError`; the stream is then lost."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= self._needed:
            frame = self._next()
            if frame is None:
                break
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        buffer = self._buffer
        kind, count, document_bytes = _PREFIX.unpack_from(buffer)
        if kind not in _KINDS or count > _MAX_FIELDS:
            raise FrameError("not a frame")
        start = _PREFIX.size + count * _FIELD_BYTES
        if len(buffer) < start:
            self._needed = start
            return None
        lengths = struct.unpack_from(f">{count}Q", buffer, _PREFIX.size)
        end = start + document_bytes + sum(lengths)
        if end - start > self.max_bytes:
            raise FrameError("frame too large")
        if len(buffer) < end:
            self._needed = end
            return None
        with memoryview(buffer) as view:
            body = bytes(view[start:end])
        frame = _frame(kind, body, document_bytes, lengths)
        del buffer[:end]
        self._needed = _PREFIX.size
        return frame


def _frame(kind: int, body: bytes, document_bytes: int, lengths: tuple[int, ...]) -> Frame:
    header = _header(body[:document_bytes])
    if not isinstance(header, dict):
        raise FrameError("not a frame")
    fields = []
    offset = document_bytes
    for length in lengths:
        fields.append(body[offset : offset + length])
        offset += length
    return Frame(Kind(kind), Message(header, tuple(fields)))


def _header(document: bytes) -> object:
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        try:
            return json.loads(document)
        except (ValueError, RecursionError) as error:
            raise FrameError("not a frame") from error
